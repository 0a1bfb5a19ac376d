"""From the calendars in both ledgers to the answer of a task: entries are merged, a tool computes, the evidence is named."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from kithnet.agents.infonav.consensus import Agreed
from kithnet.agents.infonav.ledger import Evidence, Held
from kithnet.agents.minds.rules import tastes
from kithnet.agents.minds.rules.tasking import Plan
from kithnet.agents.minds.rules.tastes import Taste
from kithnet.agents.tools import calendar as calendars
from kithnet.agents.tools import intervals as tools
from kithnet.agents.tools.calendar import Entry
from kithnet.agents.tools.intervals import Stretch
from kithnet.memory.language.time.clock import said
from kithnet.memory.vectors import Embedder
from kithnet.memory.writing.activities import same_activity


@dataclass(frozen=True, slots=True)
class Fact:
    """An entry and what speaks for it."""

    entry: Entry
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Computed:
    """text: the answer as far as things are known; "" where nothing is. used: entries it rests on. missing: people nobody told of.

    rivals: entries left out because others of better standing say otherwise. endless: activities of whose end nobody told.
    """

    text: str
    used: tuple[Fact, ...]
    missing: tuple[str, ...] = ()
    rivals: tuple[Fact, ...] = ()
    endless: tuple[str, ...] = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(dict.fromkeys(item for fact in self.used for item in fact.evidence))

    @property
    def sources(self) -> tuple[str, ...]:
        """Handles of the messages it rests on."""
        return tuple(dict.fromkeys(source for item in self.evidence for source in item.sources))


def facts(agreed: Iterable[Agreed]) -> list[Fact]:
    """The entries that both sides' calendars hold, with the evidence of each."""
    found: list[Fact] = []
    for one in agreed:
        for held in one.entries:
            entry = calendars.entry(held.value)
            if entry is not None:
                found.append(Fact(entry, held.evidence))
    return found


def merged(found: Sequence[Fact]) -> tuple[list[Fact], list[Fact]]:
    """Each event once, however many told of it, and what was left out because it contradicts.

    The same activity at the same time is one event. At another time, for somebody who takes part in both, it is a
    contradiction where the two are told by different people: who takes part is believed before who heard of it.
    """
    kept: list[Fact] = []
    rivals: list[Fact] = []
    for fact in sorted(found, key=_standing):
        for place, other in enumerate(kept):
            if not _alike(fact.entry, other.entry):
                continue
            if _joinable(fact.entry, other.entry):
                kept[place] = _joined(other, fact)
                break
            if not _witnesses(fact) & _witnesses(other):
                rivals.append(fact)
                break
        else:
            kept.append(fact)
    return kept, rivals


def _standing(fact: Fact) -> tuple[int, int, str]:
    """First what is told at first hand, then what is whole, then by wording."""
    return (min((item.hops for item in fact.evidence), default=9), fact.entry.end is None, str(fact.entry))


def _witnesses(fact: Fact) -> set[str]:
    return {item.witness for item in fact.evidence}


def _alike(left: Entry, right: Entry) -> bool:
    same_day = left.day == right.day or None in (left.day, right.day)
    together = any(calendars.same_name(a, b) for a in left.people for b in right.people)
    return same_day and together and same_activity(left.activity, right.activity)


def _joinable(left: Entry, right: Entry) -> bool:
    return left.start == right.start and (left.end == right.end or None in (left.end, right.end))


def _joined(one: Fact, other: Fact) -> Fact:
    fresh = [name for name in other.entry.people if not any(calendars.same_name(name, p) for p in one.entry.people)]
    end = other.entry.end if one.entry.end is None else one.entry.end
    people = tuple(sorted((*one.entry.people, *fresh)))
    entry = replace(one.entry, people=people, end=end, day=one.entry.day or other.entry.day)
    return Fact(entry, tuple(dict.fromkeys((*one.evidence, *other.evidence))))


def compared(plan: Plan, agreed: Iterable[Agreed], embedder: Embedder | None) -> Computed:
    """What two people see alike, or in opposite ways, by what each of them has said."""
    sides: list[list[tuple[Taste, Held]]] = []
    for name in plan.people:
        one = next((a for a in agreed if tastes.whose(a.question) == name), None)
        entries = [(taste, held) for held in (one.entries if one else ()) if (taste := tastes.entry(held.value))]
        sides.append(entries)
    missing = tuple(name for name, side in zip(plan.people, sides, strict=True) if not side)
    if missing or len(sides) != 2:
        return Computed("", (), missing or ("anybody",))
    left, right = ([taste for taste, _ in side] for side in sides)
    things = tastes.alike(left, right, opposite=plan.tool == "apart", liked=plan.liked, embedder=embedder)
    if not things:
        return Computed("", (), (f"{plan.people[0]} and {plan.people[1]} alike",))
    rests = [
        Fact(Entry(taste.said, (taste.who,), 0, None), held.evidence)
        for taste, held in (*sides[0], *sides[1])
        if any(thing.casefold() in taste.said.casefold() for thing in things)
    ]
    return Computed(", ".join(things), tuple(rests))


def compute(plan: Plan, found: Sequence[Fact]) -> Computed:
    """The answer that the plan's tool gives over the entries of the people it is about."""
    kept, rivals = merged(found)
    concerned = [f for f in kept if not plan.people or any(calendars.concerns(f.entry, name) for name in plan.people)]
    missing = tuple(n for n in plan.people if not any(calendars.concerns(f.entry, n) for f in concerned))
    used = [
        fact
        for fact in concerned
        if fact.entry.end is not None and not any(same_activity(fact.entry.activity, one) for one in plan.excluded)
    ]
    if not used:
        return Computed("", tuple(concerned), missing or ("anybody",), tuple(rivals))
    counted = [fact for fact in used for _ in range(_times(plan, fact))]
    open_ends = [
        f.entry.activity
        for f in concerned
        if f.entry.end is None and not any(same_activity(f.entry.activity, one) for one in plan.excluded)
    ]
    text = _TOOLS[plan.tool](plan, counted)
    return Computed(text, tuple(used), missing, tuple(rivals), tuple(dict.fromkeys(open_ends)))


def _times(plan: Plan, fact: Fact) -> int:
    """How often an entry counts: once, or for each of those it concerns where the task says so."""
    if not plan.twice:
        return 1
    of_them = [
        name for name in fact.entry.people if not plan.people or any(calendars.same_name(name, p) for p in plan.people)
    ]
    return max(1, len(of_them))


def _stretches(used: Sequence[Fact]) -> list[Stretch]:
    return [_stretch(fact.entry) for fact in used]


def _stretch(entry: Entry) -> Stretch:
    start, end = entry.start % tools.DAY, entry.end or entry.start
    return Stretch(start, start + ((end - entry.start - 1) % tools.DAY + 1))


def _names(used: Iterable[Fact]) -> str:
    """Activities, each once."""
    kept: list[str] = []
    for fact in used:
        if not any(same_activity(fact.entry.activity, one) for one in kept):
            kept.append(fact.entry.activity)
    return ", ".join(kept) or "none"


def _give_up(plan: Plan, used: Sequence[Fact]) -> str:
    return str(len(used) - len(tools.compatible(_stretches(used))))


def _together(plan: Plan, used: Sequence[Fact]) -> str:
    return str(len(tools.compatible(_stretches(used))))


def _extreme(most: bool) -> Callable[[Plan, Sequence[Fact]], str]:
    def tool(plan: Plan, used: Sequence[Fact]) -> str:
        lengths = {place: stretch.minutes for place, stretch in enumerate(_stretches(used))}
        return _names(used[place] for place in tools.extreme(lengths, most=most))

    return tool


def _free(plan: Plan, used: Sequence[Fact]) -> str:
    gaps = tools.free(_stretches(used), plan.window, plan.least)
    return ", ".join(f"{said(first)}-{_end(last)}" for first, last in gaps) or "none"


def _end(minute: int) -> str:
    return "24:00" if minute == tools.DAY else said(minute)


def _clashes(plan: Plan, used: Sequence[Fact]) -> str:
    pairs = tools.clashes(_stretches(used))
    return "; ".join(f"{used[a].entry.activity} and {used[b].entry.activity}" for a, b in pairs) or "none"


def _total(plan: Plan, used: Sequence[Fact]) -> str:
    minutes = sum(last - first for first, last in tools.busy(_stretches(used)))
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} hour{'s' * (hours != 1)}"] * bool(hours) + [f"{rest} minutes"] * bool(rest)
    return " ".join(parts) or "no time"


def _count(plan: Plan, used: Sequence[Fact]) -> str:
    return str(len(used))


def _edge(most: bool) -> Callable[[Plan, Sequence[Fact]], str]:
    def tool(plan: Plan, used: Sequence[Fact]) -> str:
        times = {place: one.end if most else one.start for place, one in enumerate(_stretches(used))}
        return _names(used[place] for place in tools.extreme(times, most=most))

    return tool


def _busiest(plan: Plan, used: Sequence[Fact]) -> str:
    people = plan.people or tuple(sorted({name for fact in used for name in fact.entry.people}))
    mine = {name: _stretches([f for f in used if calendars.concerns(f.entry, name)]) for name in people}
    minutes = {name: sum(last - first for first, last in tools.busy(one)) for name, one in mine.items()}
    return ", ".join(tools.extreme(minutes, most=True)) or "nobody"


_TOOLS: dict[str, Callable[[Plan, Sequence[Fact]], str]] = {
    "give_up": _give_up, "together": _together, "longest": _extreme(True), "shortest": _extreme(False), "free": _free,
    "clashes": _clashes, "total": _total, "count": _count, "first": _edge(False), "last": _edge(True), "busiest": _busiest,
}  # fmt: skip
