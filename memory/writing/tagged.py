"""A tagged message put together: what it says of activities and their times, in the form in which rules give it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from kithnet.memory.language.time import clock
from kithnet.memory.language.time.clock import DAY, HALF, Clock, Token
from kithnet.memory.writing import phrases, stretches, untangling, whose
from kithnet.memory.writing.activities import stems_of
from kithnet.memory.writing.clauses import Mood, Said
from kithnet.memory.writing.tagging import ACTS, GROUPS, LABELS, SUBJECTS, Act, Label, Subject, Tags
from kithnet.memory.writing.units import Unit
from kithnet.memory.writing.untangling import Turned
from kithnet.memory.writing.whose import View

_MOODS: dict[Act, Mood] = {
    "tell": "tell", "sleep": "tell", "lunch": "tell", "change": "change", "cancel": "cancel", "ask": "ask",
}  # fmt: skip
_ME, _YOU, _US = (frozenset(words.split()) for words in ("i me my mine", "you your yours", "we us our ours"))
_EARLIER = frozenset("earlier sooner forward".split())
_AWAKE = frozenset(
    "shift shifts duty work working call watch guard ward flight train bus party concert rave vigil".split()
)
"""Of what goes on through a night, what is not slept through."""
LEAST = 0.05
"""How likely a word must be to name what is done, where times are told and nothing else does."""
MAY_SLEEP, NAMED = 0.1, 0.6
"""How likely it must be that a long night is slept through, and that a word names what is done, for it to be something else."""
LONG_SLEEP, LONGEST_NIGHT = 5 * 60, 14 * 60
"""Minutes of what is a long sleep, and of the longest that is believed."""
_MOST_CLOCKS = 5
"""Times of one message that are weighed together; more are taken one by one."""


@dataclass(frozen=True)
class Message:
    """A message with its tags. words: its tokens."""

    words: Sequence[Token]
    units: Sequence[Unit]
    tags: Tags


@dataclass
class _Draft:
    """One activity while it is put together. odds: the least likely of what it rests on."""

    activity: str = ""
    worth: float = 0.0
    start: Clock | None = None
    end: Clock | None = None
    length: int = 0
    gap: int = 0
    shift: int = 0
    after: str = ""
    before: str = ""
    companions: list[str] = field(default_factory=list)

    @property
    def timed(self) -> bool:
        return bool(self.start or self.end or self.length or self.shift)


def read(message: Message, view: View) -> tuple[list[Said], float]:
    """What the message says, and how likely the least likely of the labels is that this rests on."""
    mood = _MOODS.get(message.tags.act)
    if mood is None:
        return [], float(np.max(message.tags.acts))
    labels, odds = _labels(message)
    reporter, _ = whose.reporter(message.words, view)
    subject = _subject(message, labels, view, reporter)
    if whose.UNKNOWN in subject:
        return [], odds
    drafts = _drafts(message, labels, view)
    for draft in drafts:
        _put_to_bed(draft, message)
        draft.activity = _usual(draft, message, len(drafts)) or draft.activity
    said = [_said(draft, message, mood, subject, view, reporter) for draft in drafts]
    told = [
        replace(one, follows=bool(at) and _follows(draft))
        for at, (one, draft) in enumerate(zip(said, drafts, strict=True))
    ]
    return told, min(odds, float(np.max(message.tags.acts)))


def _usual(draft: _Draft, message: Message, count: int) -> str:
    """Sleep or lunch, where a message tells of them in whatever words and at a time that people take them at; "" for neither.

    A long night of which nothing else is told is slept through.
    """
    acts = dict(zip(ACTS, message.tags.acts, strict=True))
    start, end = clock.settle(draft.start, draft.end)
    minutes = draft.length or (end - start if start is not None and end is not None else 0)
    asleep = message.tags.act == "sleep" or (
        count == 1 and draft.worth < NAMED and LONG_SLEEP <= minutes <= LONGEST_NIGHT and acts["sleep"] > MAY_SLEEP
    )
    if asleep and _within(draft.start, 19 * 60, 28 * 60) and not _AWAKE & {*draft.activity.split()}:
        return "sleep"
    named = stems_of(draft.activity) & stems_of("lunch")
    return "lunch" if message.tags.act == "lunch" and not named and _within(draft.start, 10 * 60, 15 * 60) else ""


def _put_to_bed(draft: _Draft, message: Message) -> None:
    """Let a time in the evening begin a long sleep that it was taken to end: "eight hours, and 22:30 it is"."""
    if message.tags.act != "sleep" or draft.start or not draft.end or draft.length < LONG_SLEEP:
        return
    if draft.end.sure and _within(draft.end, 20 * 60, 27 * 60):
        draft.start, draft.end = draft.end, None


def _within(one: Clock | None, first: int, last: int) -> bool:
    """Whether a time, if it is known, may be one from minute `first` up to minute `last`, which may be of the next day."""
    if one is None:
        return True
    may = (one.minute,) if one.sure else (one.minute % HALF, one.minute % HALF + HALF)
    return any(first <= minute + day < last for minute in may for day in (0, DAY))


def _labels(message: Message) -> tuple[list[Label], float]:
    """The likeliest label of each unit, times weighed together; and how likely the least likely is, "" apart."""
    units, odds = message.units, message.tags.odds
    best = [int(np.argmax(row)) for row in odds]
    spans = len(list(_runs(message, [LABELS[GROUPS[u.kind]][b] for u, b in zip(units, best, strict=True)], "activity")))
    clocks = [place for place, unit in enumerate(units) if unit.kind == "clock"]
    if 1 < len(clocks) <= _MOST_CLOCKS:
        best_of = max(
            (ways for ways in product(range(len(LABELS["clock"])), repeat=len(clocks)) if _fits(ways, max(1, spans))),
            key=lambda ways: sum(float(np.log(odds[at][way] + 1e-6)) for at, way in zip(clocks, ways, strict=True)),
        )
        for at, way in zip(clocks, _in_order(message, clocks, best_of), strict=True):
            best[at] = way
    found = _with_gap(message, [LABELS[GROUPS[unit.kind]][place] for unit, place in zip(units, best, strict=True)])
    told = [float(row[place]) for row, place, label in zip(odds, best, found, strict=True) if label]
    return found, min(told, default=1.0)


def _with_gap(message: Message, labels: list[Label]) -> list[Label]:
    """Labels of one thing that comes after or before another: of its two lengths one must be the time between them."""
    if {"after", "before"}.isdisjoint(labels) or labels.count("length") != 2 or {"start", "end", "gap"} & {*labels}:
        return labels
    gap = LABELS["length"].index("gap")
    lengths = [place for place, label in enumerate(labels) if label == "length"]
    between = max(lengths, key=lambda place: float(message.tags.odds[place][gap]))
    return ["gap" if place == between else label for place, label in enumerate(labels)]


def _in_order(message: Message, clocks: Sequence[int], ways: tuple[int, ...]) -> tuple[int, ...]:
    """A start and an end that would be more than half a day apart, the other way round: "done at ten, and I begin at nine"."""
    start, end = LABELS["clock"].index("start"), LABELS["clock"].index("end")
    if message.tags.act == "sleep" or (ways.count(start), ways.count(end)) != (1, 1):
        return ways
    first, last = (message.units[clocks[ways.index(way)]].clock for way in (start, end))
    begins, ends = clock.settle(first, last)
    if begins is None or ends is None or ends - begins <= HALF:
        return ways
    return tuple({start: end, end: start}.get(way, way) for way in ways)


def _fits(ways: Sequence[int], most: int) -> bool:
    """Whether times begin and end no more things than there are."""
    return ways.count(LABELS["clock"].index("start")) <= most and ways.count(LABELS["clock"].index("end")) <= most


def _runs(message: Message, labels: Sequence[Label], wanted: Label) -> Iterator[tuple[int, int]]:
    """Where words in a row have a label: first and last unit, exclusive; a hyphen between two does not part them."""
    at = 0
    while at < len(labels):
        if labels[at] != wanted or not message.units[at].text[:1].isalnum():
            at += 1
            continue
        last = at + 1
        while last < len(labels) and (labels[last] == wanted or _hyphen(message, labels, last, wanted)):
            last += 1
        while not message.units[last - 1].text[:1].isalnum():
            last -= 1
        yield at, last
        at = last


def _hyphen(message: Message, labels: Sequence[Label], at: int, wanted: Label) -> bool:
    return message.units[at].text == "-" and labels[at + 1 : at + 2] == [wanted]


def _text(message: Message, first: int, last: int) -> str:
    words = message.words[message.units[first].first : message.units[last - 1].last]
    return " ".join(word.low.removesuffix("'s") for word in words if word.text != "-")


def _drafts(message: Message, labels: Sequence[Label], view: View) -> list[_Draft]:
    """The activities of a message with the times that go with them, in its order."""
    kinds: tuple[Label, ...] = ("activity", "after", "before")
    runs = {first: (last, label) for label in kinds for first, last in _runs(message, labels, label)}
    several = message.tags.act != "sleep" and _events(labels) > 1
    drafts = [_Draft()]
    for place, (unit, label) in enumerate(zip(message.units, labels, strict=True)):
        if place in runs:
            last, kind = runs[place]
            named = _text(message, place, last)
            worth = float(np.mean([message.tags.odds[at].max() for at in range(place, last)]))
            _name(drafts, kind, named, worth, several)
        elif label in ("start", "end"):
            if getattr(drafts[-1], label) is not None and several:
                drafts.append(_Draft())
            setattr(drafts[-1], label, getattr(drafts[-1], label) or unit.clock)
        elif label in ("length", "gap", "shift"):
            setattr(drafts[-1], label, getattr(drafts[-1], label) or unit.minutes)
        elif label == "with":
            drafts[-1].companions += _ids(unit, view)
    found = _completed(drafts)
    if len(found) == 1 and not found[0].activity and found[0].start and (found[0].end or found[0].length):
        found[0].activity = _likeliest(message, labels)
    return found


def _likeliest(message: Message, labels: Sequence[Label]) -> str:
    """The word that is likeliest to name what is done, where no word is likelier to than not; "" for none."""
    place = LABELS["word"].index("activity")
    odds = [
        float(row[place]) if unit.kind == "word" and unit.text.isalpha() and label in ("", "activity") else 0.0
        for unit, row, label in zip(message.units, message.tags.odds, labels, strict=True)
    ]
    best = int(np.argmax(odds))
    return message.units[best].text.casefold() if odds[best] >= LEAST else ""


def _events(labels: Sequence[Label]) -> int:
    """How many things a message must tell of: each has one start, one end, one length, and no more than two of these."""
    counts = [labels.count(label) for label in ("start", "end", "length")]
    return max(*counts, -(-sum(counts) // 2), 1)


def _name(drafts: list[_Draft], kind: Label, named: str, worth: float, several: bool) -> None:
    """Take in what is done, or what it comes after or before."""
    last = drafts[-1]
    if kind == "after":
        last.after = last.after or named
    elif kind == "before":
        last.before = last.before or named
    elif several and last.activity and last.timed and last.activity != named:
        drafts.append(_Draft(activity=named, worth=worth))
    elif worth > last.worth:
        last.activity, last.worth = named, worth


def _completed(drafts: list[_Draft]) -> list[_Draft]:
    """Drafts that name nothing joined to the one before them, which they complete."""
    kept: list[_Draft] = []
    for draft in drafts:
        last = kept[-1] if kept else None
        if last is not None and not draft.timed and draft.worth < last.worth:
            continue  # another word of the same thing: "yoga from 9 to 10, my favourite class"
        if (
            last is not None
            and not draft.activity
            and not (last.start and draft.start)
            and not (last.end and draft.end)
        ):
            last.start, last.end = last.start or draft.start, last.end or draft.end
            last.length, last.shift = last.length or draft.length, last.shift or draft.shift
            last.companions += draft.companions
        else:
            kept.append(draft)
    return [draft for draft in kept if draft.activity or draft.timed]


def _follows(draft: _Draft) -> bool:
    """Whether something is told without a start of its own, as what comes next: "then chess until five"."""
    return draft.start is None and bool(draft.end or draft.length) and not (draft.after or draft.before)


def _ids(unit: Unit, view: View) -> list[str]:
    """Who is meant by a name or a pronoun."""
    if unit.person:
        return [unit.person]
    word = _pronoun(unit)
    if word in _ME:
        return [view.speaker]
    if word in _YOU:
        return [view.listener]
    if word in _US:
        return [view.speaker, view.listener]
    return [view.referent] if view.referent else []


def _subject(message: Message, labels: Sequence[Label], view: View, reporter: str) -> list[str]:
    """Whose activity it is, as far as words say so."""
    if whose.UNKNOWN in whose.subject(message.words, view, reporter):
        return [whose.UNKNOWN]
    kind = _kind_of_subject(message, view)
    if kind == "both":
        return [view.speaker, view.listener]
    if kind != "others":
        return [view.listener if kind == "listener" else view.speaker]
    marked = [
        unit for unit, label in zip(message.units, labels, strict=True) if label == "who" and unit.kind == "person"
    ]
    named = marked or [
        unit for unit, label in zip(message.units, labels, strict=True) if unit.kind == "person" and not label
    ]
    found = [unit.person for unit in named if unit.person != view.listener or marked]
    return list(dict.fromkeys(found)) or ([view.referent] if view.referent else [view.speaker])


def _kind_of_subject(message: Message, view: View) -> Subject:
    """The likeliest subject that the message has words for."""
    said = {_pronoun(unit) for unit in message.units if unit.kind == "pronoun"}
    people = any(unit.person not in ("", view.speaker) for unit in message.units) or bool(view.referent)
    possible = {"speaker": True, "listener": bool(said & _YOU), "both": bool(said & (_YOU | _US)), "others": people}
    order = np.argsort(-message.tags.subjects)
    return next(SUBJECTS[at] for at in order if possible[SUBJECTS[at]])


def _pronoun(unit: Unit) -> str:
    return unit.text.casefold().replace("’", "'").partition("'")[0]


def _turned(draft: _Draft, message: Message, start: int | None, end: int | None) -> Turned | None:
    """How it reads if the one time of a message, with a length beside it, is the other edge of what it tells."""
    clocks = [row for unit, row in zip(message.units, message.tags.odds, strict=True) if unit.kind == "clock"]
    if len(clocks) != 1 or not draft.length or draft.after or draft.before or start is None or end is None:
        return None
    begins = draft.start is not None
    odds = float(clocks[0][LABELS["clock"].index("end" if begins else "start")])
    return untangling.turned(start, end, odds, begins=begins)


def _said(draft: _Draft, message: Message, mood: Mood, subject: Sequence[str], view: View, reporter: str) -> Said:
    parts = {phrases.PARTS[word.low] for word in message.words if word.low in phrases.PARTS}
    part = parts.pop() if len(parts) == 1 else phrases.usual(draft.activity)
    start, end = clock.settle(draft.start, draft.end, part)
    if draft.length and start is not None and end is None:
        end = start + draft.length
    elif draft.length and end is not None and start is None:
        start = (end - draft.length) % DAY
        end = start + draft.length
    if start is not None and end is not None and end - start > (LONGEST_NIGHT if message.tags.act == "sleep" else HALF):
        end = None  # what would take longer than people do anything has been put together wrongly
    shift, stretch, length = draft.shift, 0, draft.length
    turned = _turned(draft, message, start, end)
    if mood == "change" and start is None and end is None:
        stretch = stretches.growth(message.words) * (shift or length)
        if stretch:
            shift = length = 0
    if any(word.low in _EARLIER for word in message.words):
        shift = -abs(shift)
    companions = [one for one in dict.fromkeys(draft.companions) if one not in subject]
    people = tuple(sorted({*(subject or [reporter or view.speaker]), *companions}))
    return Said(
        draft.activity, people, mood, start, end, length, shift, stretch, bool(subject or companions), reporter,
        companions=tuple(companions), after=draft.after, before=draft.before, gap=draft.gap, turned=turned,
    )  # fmt: skip
