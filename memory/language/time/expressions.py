"""The reader of times of day: "half past nine", "from 4 to 5:30 pm", "for an hour and a half", word by word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kithnet.memory.language.time import lexicon
from kithnet.memory.language.time.clock import Clock, Mark, Token
from kithnet.memory.language.time.clocktimes import clock_at
from kithnet.memory.language.time.durations import Length, length_at
from kithnet.memory.language.time.numbers import phrases, row
from kithnet.memory.language.time.spoken import COUNTERS, counted, offset_at
from kithnet.memory.language.time.tails import Found

_SETTING_OUT = frozenset(
    """lights head heading heads set setting go going goes start starting leave leaving get getting put from am i'm he's she's
    we're they're log sent kick kicks""".split()
)
"""Words before "out" or "off" that make it a beginning."""
_MOVING = tuple("move shifted push postpone reschedul delay brought bring chang put slid slip bump".split())
_RISING = frozenset("get gets getting got wake wakes waking woke".split())
_BEFORE_ONE = frozenset("at from since until till til by to before after around about @".split())
"""Words after which "one" may be an hour; "start one" starts something."""
_JOINTS = phrases(
    """up to/up until/up till/all the way to/all the way until/all the way through/all the way through to/all the way up to
    /right through/right through to/right through until/right up to/right up until/through to/through until/thru to/on to
    /on until/straight through to/straight through until/- >/- - >/= >/. . ."""
)
"""What joins the ends of a range, besides "to" and its like."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A time of day or a length of time, tokens `first` to `last` (exclusive), with no word on what begins or ends by it.

    clock: of a time of day. minutes: of a length. bare: a number such as "nine", which may be no time at all.
    What leads to it ("at", "for", "from") is no part of it; "o'clock", "pm" and "in the evening" are.
    """

    kind: Literal["clock", "length"]
    first: int
    last: int
    clock: Clock | None = None
    minutes: int = 0
    bare: bool = False


def expressions(words: Sequence[Token], to_24: bool = False) -> list[Expression]:
    """The times of day and lengths of time of a sentence, in their order. to_24: hours are counted to 24."""
    reader = _Reader(words, to_24)
    found: list[Expression] = []
    place = 0
    while place < len(words):
        one = reader.expression(place)
        if one is not None:
            found.append(one)
        place = one.last if one else place + 1
    return found


def marks(words: Sequence[Token], *, to_24: bool = False) -> list[Mark]:
    """The time expressions of a sentence, in their order. to_24: hours are counted to 24."""
    return _Reader(words, to_24).read()


class _Reader:
    def __init__(self, words: Sequence[Token], to_24: bool) -> None:
        self.row, self.to_24 = row(words), to_24

    def at(self, place: int) -> str:
        return self.row[place]

    def read(self) -> list[Mark]:
        found: list[Mark] = []
        place = 0
        while place < len(self.row.low):
            length = None if offset_at(self.row, place) else length_at(self.row, place)
            mark = self._length(place, length) if length else self._range(place) or self._single(place)
            if mark is not None:
                found.append(mark)
            place = mark.last if mark else length[1] if length else place + 1
        return found

    def expression(self, place: int) -> Expression | None:
        """What stands at `place`: a time of day, a length of time or neither."""
        length = None if offset_at(self.row, place) else length_at(self.row, place)
        if length is not None:
            return Expression("length", place, length[1], minutes=length[0])
        clock = self._clock(place)
        return None if clock is None else Expression("clock", place, clock[1], clock[0], bare=clock[2])

    def _range(self, place: int) -> Mark | None:
        """ "from 9 to 10", "9-10 am", "between noon and one"."""
        first = self._clock(place)
        if first is None:
            return None
        opens = place
        while self.at(opens - 1) in lexicon.ABOUT:
            opens -= 1
        opener = self.at(opens - 1)
        start, middle, bare = first
        second = self._until(middle, between=opener == "between")
        if second is None:
            return None
        end, last, bare_end = second
        if opener == "from" and self._moved(opens - 1):  # "moved from nine to ten"
            return Mark("start", opens - 1, last, end)
        loose = bare and bare_end
        if loose and (self._counted(last) or self.at(place - 1) in COUNTERS):
            return None
        if loose and opener not in ("from", "between") and not self._closes(last):
            return None
        opens -= opener in ("from", "between")
        return Mark("range", opens, last, start, end, denied=self._denied(opens))

    def _until(self, place: int, *, between: bool) -> Found | None:
        """The end of a range: "to 10", "all the way up to about noon", "and one" after "between"."""
        joint = self.row.longest(place, _JOINTS) or (self.at(place) in lexicon.THROUGH)
        if not (joint or (between and self.at(place) == "and")):
            return None
        place += joint or 1
        while self.at(place) in lexicon.ABOUT or self.at(place) == "from":
            place += 1
        return self._clock(place)

    def _single(self, place: int) -> Mark | None:
        found = self._clock(place)
        if found is None:
            return None
        clock, last, bare = found
        before = place - 1
        while self.at(before) in lexicon.ABOUT and self.at(before - 1) in lexicon.ENDS | lexicon.ABOUT:
            before -= 1
        word = self.at(before)
        ends = (
            self._ends_after(last)
            or (word in lexicon.ENDS and not (word == "by" and self.at(before - 1) == "by"))
            or self._ends_before(place)
        )
        if bare and (
            not (ends or word in lexicon.STARTS)
            or self._counted(last)
            or (self.at(last) != "for" and length_at(self.row, last + 1))
        ):
            return None
        if bare and word in lexicon.LOOSE and not (self._ends_before(place) or (word == "to" and self._moved(before))):
            return None
        if bare and self.at(place) == "one" and word not in _BEFORE_ONE:
            return None
        opens = before if word in lexicon.ENDS | lexicon.STARTS and before >= 0 else place
        if ends and self._begins_there(before, last):
            return Mark("start", opens, last, clock)
        if word == "before" and not ends:
            over = {self.at(before - 1), self.at(before - 2)} & {"over", "done", "finished", "through", "end", "stop"}
            return Mark("end", before, last, None, clock, denied=not over and self._denied(before))
        if ends and word == "to" and self._moved(before):
            return Mark("start", opens, last, clock, denied=self._denied(opens))
        if (
            self.at(last) == "on" and self.at(last + 1) not in ("monday", "tuesday", "wednesday", "thursday", "friday")
        ) or self.at(last) == "onwards":
            last += 1
        if ends:
            return Mark("end", opens, last, None, clock, denied=self._denied(opens))
        return Mark("start", opens, last, clock, denied=self._denied(opens))

    def _ends_after(self, place: int) -> bool:
        """Whether what follows a time says that something is over by then: "at noon I'm done with it"."""
        if self.at(place) not in lexicon.SUBJECTS:
            return False
        return any(self.at(place + step) in ("done", "finished", "through", "over", "home") for step in (1, 2, 3))

    def _begins_there(self, place: int, last: int) -> bool:
        """Whether what ends at the time is that nothing is on: "doesn't start until 9", "nothing till 2", "until 2, when"."""
        if self.at(place) not in ("until", "till", "til"):
            return False
        back = {self.at(step) for step in range(place - 4, place)}
        starts = any(word.startswith(("start", "begin", "kick", "commenc")) for word in back)
        when = self.at(last + (self.at(last) == ",")) == "when"
        return (starts and bool(back & lexicon.NOT)) or (bool(back & {"nothing", "free"}) and when)

    def _moved(self, place: int) -> bool:
        """Whether the "to" at `place` says where something is moved to, rather than when it ends."""
        return any(self.at(back).startswith(_MOVING) for back in range(place - 1, max(-1, place - 5), -1))

    def _ends_before(self, place: int) -> bool:
        """Whether a verb of ending stands close before, in the same clause: "stop work at 5", "finishing around 12"."""
        for back in range(place - 1, max(-1, place - 7), -1):
            word = self.at(back)
            if place - back > 4 and self.at(back + 1) != "of":
                continue
            if word in (",", ";", ".", "and", "then", "but", "from", "starting", "starts", "begins"):
                return False
            if self.at(back + 1) == "of" and word in ("end", "start", "beginning"):
                return word == "end"
            if word.startswith("leav") and self.at(back + 1) in ("for", "to"):
                return False
            if word in lexicon.ENDS - {"to", "by", "over", "up", "back", "through", "end", "until", "till", "til"}:
                return True
            if word == "up" and self.at(back - 1) in _RISING:
                return True
            if word in ("over", "back", "done") and self.at(back + 1) in ("at", "by", "around", "about"):
                return True
            if word in ("out", "off", "home", "free", "gone") and self.at(back + 1) in ("at", "by", "around", "about"):
                return self.at(back - 1) not in _SETTING_OUT
        return False

    def _denied(self, place: int) -> bool:
        back = place - 1
        while self.at(back) in lexicon.ABOUT or self.at(back) in ("from", "start", "begin", "be", "on", "take"):
            back -= 1
        if self.at(back) == "of" and self.at(back - 1) == "instead":
            return True
        if self.at(back) == "than" and self.at(back - 1) == "rather":
            return True
        return self.at(back) in lexicon.NOT

    def _closes(self, place: int) -> bool:
        """Whether a bare "3 to 4" may end here: before a mark or a word that is no noun."""
        word = self.at(place)
        return not word or not word[0].isalnum() or word in lexicon.CLOSERS

    def _clock(self, place: int) -> Found | None:
        """The time of day at `place`, the token after it, and whether it is a bare number."""
        return clock_at(self.row, place, to_24=self.to_24)

    def _counted(self, place: int) -> bool:
        """Whether the number before `place` counts things rather than hours."""
        return counted(self.row, place)

    def _length(self, place: int, length: Length) -> Mark | None:
        """ "for 90 minutes", "an hour and a half", "half an hour", "1.5 hours", "two-hour"; "by an hour" is a shift."""
        minutes, last = length
        opens = place
        while self.at(opens - 1) in lexicon.HEDGES:
            opens -= 1
        before, after = self.at(opens - 1), self.at(last)
        begins = opens - (before == "for")
        if after in ("before", "after") and self._clock(last + 1) is not None:
            return Mark("length", begins, last, minutes=minutes)
        if after in lexicon.AFTER or before == "by" or before in ("in", "within", "every") or after == "from":
            shift = after in lexicon.AFTER or before == "by"
            if after == "from" and self._clock(last + 1) is not None and before not in ("in", "within"):
                return Mark("length", begins, last, minutes=minutes)
            sign = -1 if after in ("earlier", "sooner", "early") or self._backward(place) else 1
            return Mark("shift", opens, last + shift, minutes=sign * minutes) if shift and after != "ago" else None
        return Mark("length", begins, last, minutes=minutes)

    def _backward(self, place: int) -> bool:
        return any(self.at(back) in ("forward", "up", "earlier") for back in range(place - 1, max(-1, place - 5), -1))
