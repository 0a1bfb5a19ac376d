"""One sentence read for what goes on when: which words belong to which time, who takes part, and who told it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from kithnet.memory.language.time import clock, expressions
from kithnet.memory.language.time.clock import HALF, Clock, Mark, Token
from kithnet.memory.writing import anchors, asides, frames, phrases, stretches, whose
from kithnet.memory.writing.untangling import Turned
from kithnet.memory.writing.whose import View

Mood = Literal["tell", "ask", "change", "cancel", "doubt"]
"""doubt: it is not when it was said to be, and no other time is given."""
_PARTED = frozenset({"then", "afterwards", "after", "afterward", "later"})


@dataclass(frozen=True, slots=True)
class Said:
    """One activity as a sentence gives it; what the sentence leaves open is empty.

    start, end: minutes of the day, `end` after `start`. length, shift, stretch: minutes it takes, is moved by, grows
    by. bare: whether it is named by "it" or "that"
    or not at all. people: ids, whose.UNKNOWN among them for somebody unknown; named: whether words say who. told_by: whose word
    it is, where the speaker passes on what another said. follows: it begins where the one before it ends.
    companions: those of `people` who are named after "with". after, before: the activity that it follows, or that follows
    it, `gap` minutes apart. turned: how it reads if the one time told is its other edge; None where more times are told.
    """

    activity: str
    people: tuple[str, ...]
    mood: Mood
    start: int | None = None
    end: int | None = None
    length: int = 0
    shift: int = 0
    stretch: int = 0
    named: bool = False
    told_by: str = ""
    follows: bool = False
    companions: tuple[str, ...] = ()
    after: str = ""
    before: str = ""
    gap: int = 0
    turned: Turned | None = None


def read(sentence: str, view: View) -> list[Said]:
    """What a sentence says of activities and their times, in its order."""
    sentence = asides.HEDGES.sub(" ", sentence)
    words = clock.tokens(sentence)
    if not words:
        return []
    reporter, begin = whose.reporter(words, view)
    marks = anchors.added(words[begin:], sentence, expressions.marks(words[begin:], to_24=view.to_24))
    near = asides.to_last(words, begin, marks)
    if asides.vague([word for word in near if not (reporter and word.low in ("he'd", "she'd", "they'd"))]):
        return []
    body, marks = _without_denied(words[begin:], marks)
    slots = stretches.slots_of(marks, body)
    asks = (
        sentence.rstrip("\"”') ").endswith("?") and not asides.tagged(words) and not asides.wonders(words, begin, marks)
    )
    contrast = len(body) < len(words) - begin
    others = {person for _, _, person in whose.people_in(words, view.cast)} - {view.speaker, view.listener}
    referent = reporter or (others.pop() if len(others) == 1 else view.referent)
    reading = _Reading(sentence, body, replace(view, referent=referent), reporter, asks, contrast)
    return _closed(list(reading.said(slots))) if slots else list(reading.timeless())


def _closed(found: list[Said]) -> list[Said]:
    """What is told, a second time of nothing new taken for the end of what began: "it starts at 9, and at 10 I put it down"."""
    kept: list[Said] = []
    for said in found:
        last = kept[-1] if kept else None
        if last is not None and _is_point(last) and _is_point(said) and last.activity and last.start is not None:
            same = not said.activity or said.activity == last.activity
            if (
                same
                and said.start is not None
                and 0 < said.start - last.start <= HALF
                and not (said.after or said.before)
            ):
                kept[-1] = replace(last, end=said.start)
                continue
        kept.append(said)
    return kept


def _is_point(said: Said) -> bool:
    return said.mood == "tell" and said.start is not None and said.end is None and not said.length and not said.follows


def topic(sentence: str, view: View) -> Said | None:
    """What a question about a time asks for: "When's your painting course?"."""
    words = clock.tokens(sentence)
    reading = _Reading(sentence, words, view, "", True)
    found = list(reading.timeless())
    return found[0] if found else None


def activity(words: Sequence[Token], text: str, view: View) -> str:
    """What is done, in the words said, "" for nothing; people are no part of it."""
    passed = [
        words[at].first for place, width, _ in whose.people_in(words, view.cast) for at in range(place, place + width)
    ]
    passed += [word.first for word in words if word.low in view.frames]
    return phrases.activity(words, text, [word.first for word in whose.companions(words, view)[1]], passed)


def _without_denied(words: Sequence[Token], marks: Sequence[Mark]) -> tuple[list[Token], list[Mark]]:
    """Words and times without those times that are said not to be, where others are given."""
    denied = [mark for mark in marks if mark.denied]
    if not denied or len(denied) == len(marks):
        return list(words), list(marks)
    gone = {place for mark in denied for place in range(mark.first, mark.last)}
    at: dict[int, int] = {}
    kept: list[Token] = []
    for place, word in enumerate(words):
        at[place] = len(kept)
        if place not in gone:
            kept.append(word)
    at[len(words)] = len(kept)
    return kept, [replace(m, first=at[m.first], last=at[m.last]) for m in marks if not m.denied]


_SHORT = 6
_BEGINNING = frozenset("starts start begins begin kicks commences starting".split())


@dataclass
class _Reading:
    """One sentence while it is read. reporter: whose words it passes on. contrast: "not at 10 but at 11"."""

    text: str
    words: Sequence[Token]
    view: View
    reporter: str
    asks: bool
    contrast: bool = False

    def said(self, slots: Sequence[stretches.Slot]) -> Iterator[Said]:
        before: Said | None = None
        edge = 0
        for number, slot in enumerate(slots):
            following = slots[number + 1].first if number + 1 < len(slots) else len(self.words)
            lead, inner, rest = self.words[edge : slot.first], self._inner(slot), self.words[slot.last : following]
            lead, mine = self._cut(lead, before, number)
            if before is not None and mine:
                before = self._joined(before, mine)
            if before is not None:
                yield before
            tail = rest if number + 1 == len(slots) else ()
            before, used = self._one(slot, lead, inner, rest, tail, before)
            edge = slot.last + used
        if before is not None:
            yield before

    def timeless(self) -> Iterator[Said]:
        """What a sentence without a time names, for what is asked or called off."""
        parts = phrases.pieces(self.words)
        off = [
            part for part in parts if phrases.calls_off(part.words) or phrases.denies(part.words) or phrases.gives_up(part.words)
        ]  # fmt: skip
        if off and not self.asks and not any(self._activity(part.words) for part in off):
            off = [part for part in parts if part in off or self._activity(part.words)]
            named = next((named for part in off if (named := self._activity(part.words))), "")
            people, told = self._people(self.words, (), ())
            yield Said(named, people, "cancel", named=told, told_by=self.reporter)
            return
        for part in off or parts:
            companions = whose.companions(part.words, self.view)
            named = self._activity(part.words)
            if named or part in off:
                people, told = self._people(part.words, (), companions[0])
                mood: Mood = "ask" if self.asks else "cancel" if phrases.calls_off(part.words) else "tell"
                if not self.asks and (phrases.denies(part.words) or phrases.gives_up(part.words)):
                    mood = "cancel"
                beside = tuple(companions[0])
                yield Said(named, people, mood, named=told, told_by=self.reporter, companions=beside)
                if named:
                    return

    def _inner(self, slot: stretches.Slot) -> list[Token]:
        """The words between the marks of one slot."""
        found: list[Token] = []
        for left, right in zip(slot.marks, slot.marks[1:], strict=False):
            found.extend(self.words[left.last : right.first])
        return found

    def _cut(self, lead: Sequence[Token], before: Said | None, number: int) -> tuple[Sequence[Token], Sequence[Token]]:
        """The words before a slot, and of them those that belong to the slot before it: "with Ben," at their start."""
        if before is None or not lead:
            return lead, ()
        first = phrases.pieces(lead)[0]
        if first.closes and first.words and (not before.activity or whose.companions(first.words, self.view)[0]):
            return lead[len(first.words) :], first.words
        people = whose.companions(lead, self.view)[1]
        if people and lead[0].low in ("with", "together", "alongside"):
            width = sum(1 for word in lead if word.first <= people[-1].first)
            return lead[width:], lead[:width]
        return lead, ()

    def _joined(self, said: Said, mine: Sequence[Token]) -> Said:
        """A slot with the words that follow it and belong to it."""
        companions, _ = whose.companions(mine, self.view)
        named = said.activity or self._activity(mine)
        if not companions and said.activity:
            return said
        people, told = self._people(mine, said.people, companions)
        joined = (*said.companions, *companions)
        return replace(said, activity=named, people=people, named=said.named or told, companions=joined)

    def _one(
        self, slot: stretches.Slot, lead: Sequence[Token], inner: Sequence[Token], rest: Sequence[Token], tail: Sequence[Token],
        before: Said | None,
    ) -> tuple[Said | None, int]:  # fmt: skip
        """The slot as it is said, None where nothing goes on; and how many of the words after it were used."""
        begins = slot.kinds == {"start"} and any(word.low in _BEGINNING for word in lead)
        if all(mark.anchor for mark in slot.marks) and not slot.has("length") and not begins:
            return None, 0
        named, place, used = self._named(lead, inner, rest, bool(tail))
        companions: list[str] = []
        taken: list[Token] = []
        for run in (lead, inner, place if used else (), tail):
            group, words = whose.companions(run, self.view)
            companions += group
            taken += words
        context = [*lead, *inner, *(place if used else ())]
        if phrases.is_open([*lead, *rest]) or (not named and phrases.is_free(context)):
            return None, used
        alone = [person for person in before.people if person not in before.companions] if before else []
        own = whose.subject([w for w in place if w not in taken], self.view, self.reporter) if len(place) > 1 else []
        spoken = place if own and lead and len(phrases.pieces(lead)) > 1 and whose.BOTH not in own else context
        people, told = self._people(spoken or tail, alone, companions, following=bool(before))
        if whose.UNKNOWN in people or asides.is_past([*place, *inner], self.words):
            return None, used
        start, end, length, shift = self._times(slot, named, [*lead, *inner, *rest])
        mood = self._mood(slot, [*place, *inner], lead, tail)
        parted = any(word.low in _PARTED for word in lead)
        later = start is None and end is None and shift > 0 and bool(length and named)
        follows = start is None and (parted or later)
        after = next((mark.anchor for mark in slot.marks if mark.kind == "start"), "")
        before_it = next((mark.anchor for mark in slot.marks if mark.kind == "end"), "")
        gap = shift if later else next((mark.minutes for mark in slot.marks if mark.anchor), 0)
        if later:
            mood, shift = "tell", 0
        stretch = stretches.growth(self.words) * (shift or length) if start is None and end is None else 0
        if stretch:
            mood, length, shift = "change", 0, 0
        said = Said(
            named, people, mood, start, end, length, shift, stretch, told, self.reporter, follows, tuple(companions)
        )
        return replace(said, after=after, before=before_it, gap=gap), used

    def _named(
        self, lead: Sequence[Token], inner: Sequence[Token], rest: Sequence[Token], last: bool
    ) -> tuple[str, Sequence[Token], int]:
        """The activity, the words it was found in, and how many words after the slot that took."""
        parts = phrases.pieces(lead)
        nearest = self._activity(parts[-1].words)
        if told := self._told_after(rest):
            return told
        ahead, *later = phrases.pieces(rest)
        plain = not frames.is_titled(nearest, parts[-1].words)
        if (
            nearest
            and plain
            and last
            and ahead.words
            and ahead.words[0].low not in _PARTED | {"and", "but", "with", "before"}
        ):
            titled = self._activity(ahead.words)
            if titled and frames.is_titled(titled, ahead.words):
                return titled, ahead.words, len(ahead.words)
        if nearest:
            return nearest, parts[-1].words, 0
        for part in phrases.pieces(inner):
            if found := self._activity(part.words):
                return found, part.words, 0
        if ahead.words and (found := self._activity(ahead.words)):
            return found, ahead.words, len(ahead.words)
        for part in reversed(parts[:-1]):
            if found := self._activity(part.words):
                return found, part.words, 0
        if not ahead.words and later and (found := self._activity(later[0].words)):
            return found, later[0].words, 1 + len(later[0].words)
        return "", parts[-1].words, 0

    def _told_after(self, rest: Sequence[Token]) -> tuple[str, Sequence[Token], int] | None:
        """What follows a colon, or ends with "then": "from 9 to 12: work", "don't call at one, I'm swimming then"."""
        ahead, *later = phrases.pieces(rest)
        if not later or not later[0].words:
            return None
        colon = not ahead.words and rest[0].low == ":"
        if not colon and later[0].words[-1].low != "then":
            return None
        found = self._activity(later[0].words)
        return (found, later[0].words, len(ahead.words) + 1 + len(later[0].words)) if found else None

    def _activity(self, words: Sequence[Token]) -> str:
        return activity(words, self.text, self.view)

    def _times(
        self, slot: stretches.Slot, named: str, around: Sequence[Token]
    ) -> tuple[int | None, int | None, int, int]:
        start: Clock | None = None
        end: Clock | None = None
        length = shift = 0
        moved = False
        for mark in slot.marks:
            start, end = mark.start or start, mark.end or end
            length = mark.minutes if mark.kind == "length" else length
            shift = mark.minutes if mark.kind == "shift" else shift
            moved = mark.kind == "shift" and start is not None  # else the time that follows is the new one
        first_thing = any(a.low == "first" and b.low == "thing" for a, b in pairwise(around))
        parts = {"am"} if first_thing else set()
        parts |= {phrases.PARTS[word.low] for word in around if word.low in phrases.PARTS}
        part = parts.pop() if len(parts) == 1 else phrases.usual(named)
        first, last = clock.settle(start, end, part)
        if length and first is not None and last is None:
            last = first + length
        elif length and last is not None and first is None:
            first = (last - length) % clock.DAY
            last = first + length
        if moved and first is not None:
            first, last = (
                (first + shift) % clock.DAY,
                None if last is None else last - first + (first + shift) % clock.DAY,
            )
        return first, last, length, shift

    def _mood(self, slot: stretches.Slot, near: Sequence[Token], lead: Sequence[Token], tail: Sequence[Token]) -> Mood:
        if self.asks:
            return "ask"
        ahead = phrases.pieces(tail)[0].words
        ahead = ahead or (tuple(tail) if len(tail) <= _SHORT else ())  # "that yoga at nine: it's off"
        anew = any(word.low == "forget" for word in lead) and slot.has("range", "start")
        if not anew and any(phrases.calls_off(run) for run in ([*lead], [*near, *ahead], ahead)):
            return "cancel"
        if all(mark.denied for mark in slot.marks):
            return "doubt"
        if phrases.denies(near) and not self.contrast:
            return "cancel"
        changed = any(word.low in phrases.CHANGES for word in (*lead, *near, *ahead)) or slot.has("shift")
        made = any(a.low == "make" and b.low in ("that", "it") for a, b in pairwise(lead))
        over = any(a.low == "after" and b.low == "all" for a, b in pairwise([*lead, *near, *ahead]))
        return "change" if changed or anew or made or over or self.contrast else "tell"

    def _people(
        self, words: Sequence[Token], before: Sequence[str], companions: Sequence[str], following: bool = False
    ) -> tuple[tuple[str, ...], bool]:
        """Who takes part, and whether words say so."""
        taken = {word.first for word in whose.companions(words, self.view)[1]}
        subject = whose.subject([word for word in words if word.first not in taken], self.view, self.reporter)
        told = bool(subject or companions)
        if whose.BOTH in subject:
            subject = [self.view.speaker] if companions else [self.view.speaker, self.view.listener]
        if not subject:
            subject = list(before) or [self.reporter or self.view.speaker]
        elif before and not following:
            subject = list(dict.fromkeys([*before, *subject]))
        return tuple(sorted(dict.fromkeys([*subject, *companions]))), told
