"""A task read for what is to be computed: which tool, over whose calendars, and what is left out.

By rules over the words of the task; a wording that no rule knows is compared by meaning with examples of what each tool is
asked, and of what none is, and counts only where one tool is clearly nearer. Whatever the words, a task has a tool of
calendars only where it names whose they are, two people at least where they are compared, or everybody, and is about
calendars by its meaning. No tool is the
answer to most tasks.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kithnet.agents.minds.rules import likings
from kithnet.agents.minds.rules.exceptions import excluded
from kithnet.agents.minds.rules.meanings import OF_DAYS, OF_TASTE, Tool, by_meaning, of_calendar
from kithnet.agents.wording import FUNCTION_WORDS, INTERROGATIVES, named_people
from kithnet.memory.language.text import stem
from kithnet.memory.language.time import clock, expressions
from kithnet.memory.language.time.clock import DAY, Token
from kithnet.memory.vectors import Embedder


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_CALENDAR = _stems(
    "activity activities schedule calendar appointment event plan agenda timetable commitment engagement programme program diary "
    "meeting planner itinerary entry entries obligation pastime day days occupation undertaking"
)
_DROP = _stems(
    "drop cancel skip miss sacrifice abandon remove removal forgo renounce decline scrap omit eliminate discard "
    "forego delete strike "
    "axe thrown throw away cut shed relinquish withdraw purge weed prune erase drop-out waive ditch lose sacrificed stricken"
)
_CLASH = _stems(
    "overlap clash conflict collide compatible intersect coincide interfere simultaneous simultaneously collision conflict-free "
    "clash-free parallel concurrent concurrently double-booked overlap-free non-overlapping disjoint hinder"
)
_JOIN = _stems("attend fit join keep visit complete do perform participate accommodate enjoy carry manage")
_FREE = _stems(
    "free empty blank unclaimed leisure unengaged suit suits uncommitted unscheduled unplanned open available "
    "unoccupied idle vacant unbooked availability spare meet together time"
)
_BUSY = _stems(
    "busy occupied engaged booked anything something activity activities plan planned doing appointment on scheduled "
    "obligation obligations commitment commitments taken active going duty unavailable up"
)
_GAPS = _stems("gap gaps opening openings")
_LONG, _SHORT = _stems("longest lengthiest drawn-out long-lasting longer"), _stems("shortest briefest quickest")
_LEAST = _stems("few fewest least minimum minimal smallest lowest minimally")
_MOST = _stems("most maximum maximal greatest largest highest biggest")
_TIMELY = _stems("time duration length hour minute long take consuming")
_WHEN = _stems("when time times slot slots interval window period hour stretch range span moment part hours")
_ASKING = frozenset(
    "when which what list give find name show tell determine lay identify state report specify work compute enumerate "
    "whenever".split()
)
_DROPPING = (
    "give up",
    "given up",
    "giving up",
    "let go",
    "have to go",
    "has to go",
    "must go",
    "leave out",
    "left out",
    "cut out",
    "taken off",
    "take off",
)
_AT_ONCE = (
    "two places",
    "one after another",
    "one after the other",
    "conflict - free",
    "clash - free",
    "at once",
    "same time",
    "at a time",
    "get in each other's way",
    "in parallel",
)
_NOBODY = frozenset("nobody none neither no-one noone unclaimed unoccupied".split())
_ALL = frozenset(
    "all everyone everybody both each common every shared mutual mutually jointly simultaneously whole together".split()
)
_GROUP = frozenset(
    "everyone everybody friends contacts others anyone anybody nobody none group they them their theirs we us our".split()
)
"""Words for more people than one: a task about calendars names whose they are, or has one of these."""
_NO_NAMES = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december i english please""".split()
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute. people: names the task gives, whose calendars it is about; none of them: everybody's.

    excluded: activities to leave out. window: minutes of the day that count. least: minutes that a gap must have.
    twice: what two people do together counts for each of them. liked: what is compared is liked by both, else disliked.
    """

    tool: Tool
    people: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    window: tuple[int, int] = (0, DAY)
    least: int = 1
    twice: bool = False
    liked: bool = True
    by_meaning: bool = False


def read(
    task: str, names: Mapping[str, Sequence[str]], pair: tuple[str, str], embedder: Embedder | None
) -> Plan | None:
    """The plan of a task, None where it asks for no tool.

    names: id -> names of everybody the instructor's agent knows. pair: names of the instructor and the assistant, whom "I"
    and "we" mean.
    """
    tokens = clock.tokens(task)
    left_out, rest = excluded(tokens, task)
    tool = by_rule(rest)
    if embedder is not None and (tool in OF_TASTE or tool is None):
        of_taste = _of_two(task, rest, names, pair, embedder)
        if of_taste or tool in OF_TASTE:
            return of_taste
    meant = None if tool or embedder is None else by_meaning(_nameless(rest), embedder)
    chosen = tool or meant
    if chosen is None or meant in OF_TASTE:  # a comparison of tastes that `_of_two` did not find is none
        return None
    window, least = _bounds(rest)
    if chosen in OF_TASTE:
        people = _people(task, rest, names, pair)
        liked = not {stem(token.low) for token in rest} & _HATING or chosen == "apart"
        return Plan(chosen, people, liked=liked) if len(people) == 2 else None
    people = _people(task, rest, names, pair)
    needed = 2 if chosen == "busiest" else 1
    named = len(people) >= needed or bool({token.low for token in tokens} & (_ALL | _GROUP))
    if not named or (embedder is not None and of_calendar(_nameless(rest), embedder) < OF_DAYS):
        return None
    return Plan(chosen, people, left_out, window, least, _twice(rest), by_meaning=tool is None)


def _of_two(
    task: str, tokens: Sequence[Token], names: Mapping[str, Sequence[str]], pair: tuple[str, str], embedder: Embedder
) -> Plan | None:
    """The plan of a task that compares the tastes of two people."""
    people = _two(task, tokens, names, pair)
    if len(people) != 2:
        return None
    asked = likings.asked_of(task, people, embedder)
    return Plan(asked[0], people, liked=asked[1], by_meaning=True) if asked else None


def _two(
    task: str, tokens: Sequence[Token], names: Mapping[str, Sequence[str]], pair: tuple[str, str]
) -> tuple[str, ...]:
    """The people whose tastes are compared: where two are named, those, whoever asks for them: "If I brought ..."."""
    people = _people(task, tokens, names, pair)
    named = tuple(name for name in people if re.search(rf"\b{re.escape(name)}\b", task, re.IGNORECASE))
    if len(named) == 2:
        return named
    asker = _ASKER_TOO.search(task) or {"we", "us", "our", "both"} & {token.low for token in tokens}
    return people if asker else named


_ASKER_TOO = re.compile(
    r"\b(?:I|me|mine) and\b|\b(?:and|as|like|than|with|but|or) (?:I|me|mine|myself|my)\b|\bdo I\b.*\b(?:share|agree|differ)"
)
"""Who asks is one of the two: "Ana and I", "with me". "What should I bring to Ana?" compares nobody."""


def by_rule(tokens: Sequence[Token]) -> Tool | None:
    """The tool that the words ask for."""
    asked = _Words.of(tokens)
    if tool := _of_tastes(asked):
        return tool
    if asked.clash and asked.drops and asked.has(_LEAST) and asked.of_days:
        return "give_up"
    if asked.many and (tool := _of_sets(asked)):
        return tool
    if asked.when and _asks_free(asked):
        return "free"
    if not asked.of_days:
        return None
    if asked.has(_LONG) or " drawn - out " in asked.text or (asked.has(_MOST) and asked.has(_TIMELY)):
        if not asked.many:
            return "busiest" if asked.who and not asked.has(_LONG) else "longest"
    elif (asked.has(_SHORT) or (asked.has(_LEAST) and asked.has(_TIMELY))) and not asked.many and not asked.when:
        return "shortest"
    return _of_calendar(asked) if asked.has(_CALENDAR) else None


@dataclass(frozen=True, slots=True)
class _Words:
    """A task's words as the rules look at them. clash: it speaks of things at the same time. of_days: of calendars."""

    low: tuple[str, ...]
    stems: frozenset[str]
    text: str
    many: bool
    clash: bool
    drops: bool
    of_days: bool
    when: bool
    who: bool

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> "_Words":
        low = tuple(token.low for token in tokens)
        stems = frozenset(stem(word) for word in low)
        text = f" {' '.join(low)} "
        doing = bool({"do", "does", "doing"} & set(low)) and bool(
            {"everything", "all", "what", "whatever", "anything", "things", "activities"} & set(low)
        )
        doing = doing or bool({"occupies", "keeps", "takes", "busy"} & set(low))
        several = sum(token.text[:1].isupper() for token in tokens[1:]) >= 2 or bool(
            {"they", "them", "we", "everybody", "everyone"} & set(low)
        )
        return cls(
            low, stems, text,
            many=any(f" {one} " in text for one in ("how many", "number", "the fewest", "how few", "count of",
            "minimum of", "least amount", "how much would")),
            clash=bool(stems & _CLASH) or any(f" {one} " in text for one in _AT_ONCE),
            drops=bool(stems & _DROP) or any(f" {one} " in text for one in _DROPPING),
            of_days=bool(stems & _CALENDAR) or (several and (doing or bool({"things", "thing", "on", "tomorrow",
            "day"} & set(low)))),
            when=bool(set(low) & _ASKING) and bool(stems & (_WHEN | _GAPS)),
            who=_asks_who(low),
        )  # fmt: skip

    def has(self, wanted: frozenset[str]) -> bool:
        return bool(self.stems & wanted)


def _of_tastes(asked: _Words) -> Tool | None:
    """Whether two people's likings are compared."""
    which = {"what", "which", "name"} & set(asked.low)
    if not which or asked.has(_CALENDAR) or asked.many:
        return None
    likes, hates = asked.has(_LIKING), asked.has(_HATING)
    parted = asked.has(_PARTED) or ({"one", "other"} <= set(asked.low))
    if parted and (likes or hates or asked.has(_FEELING)):
        return "apart"
    both = bool(set(asked.low) & {"both", "share", "shared", "common", "alike", "each", "too", "agree"})
    return "alike" if both and (likes or hates or asked.has(_FEELING)) else None


_LIKING = _stems("like love enjoy adore fond fan keen favourite favorite liked loved passion enthusiasm cherish")
_HATING = _stems("hate dislike loathe detest stand bear despise hated aversion")
_FEELING = _stems("taste tastes feeling feelings feel view opinion preference preferences attitude")
_PARTED = _stems("disagree differ opposite opposed contrary differently divided")


def _of_sets(asked: _Words) -> Tool | None:
    """Whether a number is wanted of what must go, or of what can stay, where things clash."""
    if not asked.clash and not (asked.of_days and asked.drops):
        return None
    if asked.drops and (asked.clash or asked.has(_LEAST)):
        return "give_up"
    if asked.clash and (asked.of_days or asked.has(_JOIN)):
        return "give_up" if asked.has(_LEAST) else "together"
    return None


def _of_calendar(asked: _Words) -> Tool | None:
    which = "which" in asked.low or "what" in asked.low
    if asked.clash and not asked.many and which:
        return "clashes"
    if any(one in asked.text for one in ("how much time", "how long", "how many hours", "how many minutes")):
        return "total" if asked.has(_stems("total altogether all spend busy together whole sum")) else None
    if asked.many:
        return "count"
    if asked.who and asked.has(_MOST | _stems("more busiest busier fullest")):
        return "busiest"
    if which and asked.has(_stems("first earliest")):
        return "first"
    return "last" if which and asked.has(_stems("latest final")) else None


def _asks_free(asked: _Words) -> bool:
    """Whether it asks when nobody has anything on, or everybody is free."""
    several = bool(set(asked.low) & _ALL) or " and " in asked.text
    nobody = (
        bool(set(asked.low) & _NOBODY)
        or " no one " in asked.text
        or " no activity " in asked.text
        or " not one " in asked.text
        or " without any " in asked.text
    )
    nothing = any(
        f" {one} " in asked.text
        for one in ("nothing on", "no activity", "no plans", "nothing planned", "no appointment", "nothing")
    )
    timely = asked.has(
        _stems("when times slot slots interval window period hour hours stretch range span moment part gap gaps")
    )
    times = timely or any(
        f" {one} " in asked.text
        for one in ("what time", "which time", "at times", "the time", "the times", "what times")
    )
    if not times or set(asked.low) & {"did", "was", "were"}:
        return False
    if nobody or nothing:
        return asked.has(_BUSY | _FREE)
    free = (
        asked.has(_FREE - {"time"} - {"together"})
        or asked.has(_GAPS)
        or " get together " in asked.text
        or " have time " in asked.text
    )
    return several and free and (bool(set(asked.low) & _ALL) or asked.has(_GAPS) or asked.has(_CALENDAR))


def _asks_who(low: Sequence[str]) -> bool:
    return any(word in ("who", "whose") for word in low) or any(
        a in ("which", "what") and b in ("person", "of", "one") for a, b in itertools.pairwise(low)
    )


def _nameless(tokens: Sequence[Token]) -> str:
    """A task with the people it names made "they": who they are says nothing of what is asked."""
    said: list[str] = []
    for place, token in enumerate(tokens):
        name = token.text[:1].isupper() and place and _is_name(tokens, place)
        joint = (
            token.low in (",", "and")
            and said[-1:] == ["they"]
            and tokens[place + 1 : place + 2]
            and tokens[place + 1].text[:1].isupper()
        )
        if not joint and not (name and said[-1:] == ["they"]):
            said.append("they" if name else token.text)
    return " ".join(said)


def _bounds(tokens: Sequence[Token]) -> tuple[tuple[int, int], int]:
    """The part of the day that counts, and the length that a gap must have."""
    window, least = (0, DAY), 1
    for mark in expressions.marks(tokens, to_24=True):
        first, last = clock.settle(mark.start, mark.end)
        if mark.kind == "range" and first is not None and last is not None and last <= DAY:
            window = (first, last)
        elif mark.kind == "start" and first is not None and tokens[mark.first].low in ("from", "after"):
            window = (first, window[1])
        elif mark.kind == "length":
            least = mark.minutes
    return window, least


def _twice(tokens: Sequence[Token]) -> bool:
    """Whether a task counts what people share once for each of them."""
    low = [token.low for token in tokens]
    text = f" {' '.join(low)} "
    once_each = any(
        f" {phrase} " in text
        for phrase in (
            "for each of",
            "once for each",
            "once per person",
            "counting common ones for each",
            "for each",
            "each time",
            "two times",
            "for both of",
        )
    )
    shared = bool(set(low) & {"shared", "joint", "jointly", "common", "together", "both"})
    told_how = any(
        f" {phrase} " in text for phrase in ("per person", "two entries", "for both", "each person", "for each person")
    )
    own_lists = " own list" in text or " own calendar" in text
    return (
        bool(set(low) & {"twice", "double", "doubly", "separately"}) or once_each or own_lists or (shared and told_how)
    )


def _people(
    task: str, tokens: Sequence[Token], names: Mapping[str, Sequence[str]], pair: tuple[str, str]
) -> tuple[str, ...]:
    """Names whose calendars a task is about, in order of mention; none for everybody's."""
    kept = " ".join(token.text for token in tokens)
    found: dict[str, int] = {names[person][0]: kept.find(names[person][0]) for person in named_people(kept, names)}
    known = {part.casefold() for name in found for part in name.split()} | {
        part.casefold() for called in names.values() for name in called for part in name.split()
    }
    for place, token in enumerate(tokens):
        if token.text[:1].isupper() and token.low.removesuffix("'s") not in known and _is_name(tokens, place):
            name, start = token.text.replace("’", "'").removesuffix("'s"), kept.find(token.text)
            before = next((one for one, at in found.items() if at >= 0 and at + len(one) + 1 == start), "")
            if before and kept[start - 1] == " " and before not in {called[0] for called in names.values()}:
                found[f"{before} {name}"] = found.pop(before)  # "Royal Hotel" is one name, not two
            else:
                found.setdefault(name, start)
    low = {token.low for token in tokens}
    if low & {"we", "us", "our"} and not low & {"all", "everybody", "everyone"}:
        found = {pair[0]: -2, pair[1]: -1, **found}
    elif low & {"i", "my", "me"}:
        found = {pair[0]: -1, **found}
    return tuple(sorted(found, key=lambda name: found[name]))


def _is_name(tokens: Sequence[Token], place: int) -> bool:
    """Whether a capitalised word names somebody: no day, no month, and not merely the first of its sentence."""
    token = tokens[place]
    low = token.low.removesuffix("'s")
    if (
        low in _NO_NAMES
        or low in FUNCTION_WORDS
        or low in INTERROGATIVES
        or stem(low) in _CALENDAR
        or not token.text.isidentifier()
    ):
        return (
            token.low.endswith("'s")
            and low not in FUNCTION_WORDS
            and low not in _NO_NAMES
            and stem(low) not in _CALENDAR
        )
    first = place == 0 or tokens[place - 1].low in '.?!:;"“('
    if not first:
        return True
    after = tokens[place + 1 : place + 3]
    return bool(after) and after[0].low in ("and", ",", "&") and len(after) > 1 and after[1].text[:1].isupper()
