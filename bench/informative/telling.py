"""A day told in messages: every fact stated once and recoverable, in many constructions, between other talk.

Times come absolute and relative to what was told before; activities alone and shared; of oneself and of others;
some are got wrong and corrected, some are called off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from kithnet.bench.informative.clock import Interval
from kithnet.bench.informative.day import SLEEP, Day, Doing
from kithnet.bench.informative.wordings import Book, Pronouns, sentence

RELATIVE, SPLIT, CORRECTED, CALLED_OFF, PASSED_ON = 0.2, 0.3, 0.1, 0.35, 0.25
"""How often: a time relative to another fact, start apart from end, a correction, something called off, told by another."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message. fact: the fact it states, "" for none. needs: phrases that the text must hold to state it."""

    speaker: str
    text: str
    fact: str = ""
    needs: tuple[str, ...] = ()

    @property
    def states(self) -> bool:
        """Whether all that the fact needs stands in the text."""
        said = self.text.casefold()
        return all(need.casefold() in said for need in self.needs)


@dataclass
class Teller:
    """Writes the talk of two people. names: person -> name and pronouns. activities: all there are."""

    book: Book
    names: Mapping[str, tuple[str, Pronouns]]
    activities: Sequence[str]
    rng: Random
    _told: dict[str, list[Doing]] = field(default_factory=dict)

    def talk(self, a: str, b: str, facts: Sequence[Doing], day: Day) -> list[Line]:
        """What `a` and `b` write to each other; after it both know `facts`."""
        self._told = {}
        fillers = self.rng.sample(self.book.sections["talk"]["filler"], 6)
        lines = [Line(a, fillers.pop()), Line(b, fillers.pop())]
        late: list[Line] = []
        for doing in facts:
            speaker = doing.person
            if speaker not in (a, b):
                speaker = self.rng.choice((a, b)) if doing.partner not in (a, b) else doing.partner
            hearer = b if speaker == a else a
            if speaker == doing.person and doing.activity != SLEEP and self.rng.random() < CORRECTED:
                first, then = self._corrected(doing, hearer)
                lines.append(first)
                late.append(then)
            else:
                lines.append(self._line(doing, speaker, hearer))
            if fillers and self.rng.random() < 0.2:
                lines.append(Line(hearer, fillers.pop()))
        if self.rng.random() < CALLED_OFF:
            lines, late = self._off(self.rng.choice((a, b)), day, lines, late)
        return [replace(line, text=sentence(line.text)) for line in lines + late]

    def _line(self, doing: Doing, speaker: str, hearer: str) -> Line:
        """One fact in one message."""
        own = doing.person == speaker
        section = "own" if own else "relay"
        name, they = self.names[doing.person]
        bound = {"S": name, "he": they.he, "him": they.him, "his": they.his}
        start, end, dur = self._times(doing.time)
        if doing.activity == SLEEP:
            text = self.book.say(section, "sleep", self.rng, start=start, end=end, dur=dur, **bound)
            return self._checked(doing, speaker, text, (start,), (end, dur))  # the section says that it is sleep
        what = self._what(doing, speaker, hearer)
        if self.rng.random() < SPLIT:
            text = self.book.say(section, "split", self.rng, what=what, start=start, end=end, dur=dur, **bound)
            return self._checked(doing, speaker, text, (what, start) if start in text else (what, end), (end, dur))
        when, needs = self._when(doing)
        text = self.book.say(section, "plain", self.rng, what=what, when=when, **bound)
        line = Line(speaker, text, doing.fact, (what, *needs, *(() if own else (name,))))
        self._told.setdefault(doing.person, []).append(doing)
        return line

    def _checked(self, doing: Doing, speaker: str, text: str, needs: Sequence[str], either: Sequence[str]) -> Line:
        second = next((one for one in either if one in text), either[0])
        who = () if doing.person == speaker else (self.names[doing.person][0],)
        self._told.setdefault(doing.person, []).append(doing)
        return Line(speaker, text, doing.fact, (*needs, second, *who))

    def _times(self, time: Interval) -> tuple[str, str, str]:
        return self.book.time(time.start, self.rng), self.book.time(time.end, self.rng), self._length(time.length)

    def _length(self, slots: int) -> str:
        return self.book.length(slots, self.rng)

    def _what(self, doing: Doing, speaker: str, hearer: str) -> str:
        act = doing.activity.lower() if self.rng.random() < 0.5 else doing.activity
        if not doing.partner:
            return act
        partner = {speaker: "me", hearer: "you"}.get(doing.partner, self.names[doing.partner][0])
        return self.book.say("people", "with", self.rng, act=act, partner=partner)

    def _when(self, doing: Doing) -> tuple[str, tuple[str, ...]]:
        """A phrase for when it is, and what of it must be said."""
        relative = self._relative(doing) if self.rng.random() < RELATIVE else None
        if relative:
            return relative
        start, end, dur = self._times(doing.time)
        form = self.rng.choice(("range", "range", "length", "until"))
        needs = {"range": (start, end), "length": (start, dur), "until": (dur, end)}[form]
        return self.book.say("when", form, self.rng, start=start, end=end, dur=dur), needs

    def _relative(self, doing: Doing) -> tuple[str, tuple[str, ...]] | None:
        """A time relative to another activity of the same person that has been told, if one is near."""
        dur = self._length(doing.time.length)
        options: list[tuple[str, tuple[str, ...]]] = []
        for other in self._told.get(doing.person, ()):
            ref = other.activity.lower()
            gap = doing.time.start - other.time.end
            if other.activity != SLEEP and gap == 0:
                options.append((self.book.say("when", "after", self.rng, ref=ref, dur=dur), (ref, dur)))
            elif other.activity != SLEEP and 1 <= gap <= 6:
                after = self._length(gap)
                text = self.book.say("when", "later", self.rng, ref=ref, dur=dur, gap=after)
                options.append((text, (ref, dur, after)))
            if other.time.start == doing.time.end:
                options.append((self.book.say("when", "before", self.rng, ref=ref, dur=dur), (ref, dur)))
        return self.rng.choice(options) if options else None

    def _corrected(self, doing: Doing, hearer: str) -> tuple[Line, Line]:
        """A wrong time, and later the right one."""
        what = self._what(doing, doing.person, hearer)
        shifts = [shift for shift in (-3, -2, 2, 3) if 12 <= doing.time.start + shift <= 44]
        wrong = self.book.time(doing.time.start + self.rng.choice(shifts), self.rng)
        start, end, dur = self._times(doing.time)
        form = self.rng.choice(("range", "length"))
        when = self.book.say("when", form, self.rng, start=start, end=end, dur=dur)
        first = Line(doing.person, self.book.say("fix", "first", self.rng, what=what, wrong=wrong))
        then = self.book.say("fix", "then", self.rng, what=what, wrong=wrong, when=when)
        return first, Line(doing.person, then, doing.fact, (what, start, end if form == "range" else dur))

    def _off(self, speaker: str, day: Day, lines: list[Line], late: list[Line]) -> tuple[list[Line], list[Line]]:
        """An activity that the speaker does not do: called off after it was announced, or never planned."""
        done = {one.activity for one in day[speaker]}
        idle = [one for one in self.activities if one not in done]
        if not idle:
            return lines, late
        act = self.rng.choice(idle)
        if self.rng.random() < 0.5:
            return [*lines, Line(speaker, self.book.say("off", "never", self.rng, act=act))], late
        begin = self.rng.randint(16, 40)
        start, end, _ = self._times(Interval(begin, begin + 2))
        at = self.rng.randint(2, len(lines))
        lines = [
            *lines[:at], Line(speaker, self.book.say("off", "first", self.rng, act=act, start=start, end=end)), *lines[at:]
        ]  # fmt: skip
        return lines, [*late, Line(speaker, self.book.say("off", "then", self.rng, act=act))]
