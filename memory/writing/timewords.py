"""The reader of times of day: "half past nine", "from 4 to 5:30 pm", "for an hour and a half", word by word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kithnet.memory.writing import timelexicon as lexicon
from kithnet.memory.writing.clock import DAY, HALF, Clock, Mark, Token, alone

_SETTING_OUT = frozenset(
    """lights head heading heads set setting go going goes start starting leave leaving get getting put from am i'm he's she's
    we're they're log sent kick kicks""".split()
)
"""Words before "out" or "off" that make it a beginning."""


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
        self.words, self.to_24 = words, to_24
        self.low = [word.low for word in words]

    def at(self, place: int) -> str:
        return self.low[place] if 0 <= place < len(self.low) else ""

    def read(self) -> list[Mark]:
        found: list[Mark] = []
        place = 0
        while place < len(self.low):
            mark = self._length(place) or self._range(place) or self._single(place)
            if mark is None:
                place += 1
                continue
            found.append(mark)
            place = mark.last
        return found

    def expression(self, place: int) -> Expression | None:
        """What stands at `place`: a time of day, a length of time or neither."""
        length = self._duration(place)
        if length is not None:
            return Expression("length", place, length[1], minutes=length[0])
        clock = self._clock(place)
        return None if clock is None else Expression("clock", place, clock[1], clock[0], bare=clock[2])

    def _range(self, place: int) -> Mark | None:
        """ "from 9 to 10", "9-10 am", "between noon and one"."""
        opener = self.at(place - 1)
        first = self._clock(place)
        if first is None:
            return None
        start, middle, bare = first
        joint = self.at(middle)
        if (joint, self.at(middle + 1)) in (
            ("up", "to"),
            ("all", "the"),
            ("right", "through"),
            ("-", ">"),
            ("on", "to"),
        ):
            middle = middle + 1 + 2 * (joint == "all")  # "from 9 all the way to 12"
            joint = "to" if self.at(middle) in (">", "way") else self.at(middle)
            middle += joint == "to" and self.at(middle + 1) in lexicon.THROUGH
            joint = "to" if self.at(middle) in lexicon.THROUGH | {">"} else ""
        if not (joint in lexicon.THROUGH or (joint == "and" and opener == "between")):
            return None
        while self.at(middle + 1) in lexicon.ABOUT or self.at(middle + 1) == "from":
            middle += 1
        second = self._clock(middle + 1)
        if second is None:
            return None
        end, last, bare_end = second
        if opener == "from" and self._moved(place - 1):  # "moved from nine to ten"
            return Mark("start", place - 1, last, end)
        loose = bare and bare_end
        if loose and (self._counted(last) or self.at(place - 1) in ("$", "€", "£", "page", "pages", "chapter", "no")):
            return None
        if loose and opener not in ("from", "between") and not self._closes(last):
            return None
        if start.part and not start.sure and not end.sure and not end.part:
            end = Clock(end.minute, end.sure, "")
        opens = place - 1 if opener in ("from", "between") else place
        return Mark("range", opens, last, start, end, denied=self._denied(opens))

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
            or (self.at(last) != "for" and self._length(last + 1))
        ):
            return None
        if bare and word in lexicon.LOOSE and not (self._ends_before(place) or (word == "to" and self._moved(before))):
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
        return any(
            self.at(back).startswith(
                (
                    "moved",
                    "move",
                    "shifted",
                    "push",
                    "postpone",
                    "reschedul",
                    "delay",
                    "brought",
                    "bring",
                    "chang",
                    "put",
                    "slid",
                    "slip",
                    "bump",
                )
            )
            for back in range(place - 1, max(-1, place - 5), -1)
        )

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
            if word == "up" and self.at(back - 1) in (
                "get",
                "gets",
                "getting",
                "wake",
                "wakes",
                "waking",
                "got",
                "woke",
            ):
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

    def _counted(self, place: int) -> bool:
        """Whether the number before `place` counts things rather than hours."""
        word = self.at(place)
        return word in lexicon.THINGS or word in lexicon.UNITS or word in ("%", "$", "€", "£")

    def _closes(self, place: int) -> bool:
        """Whether a bare "3 to 4" may end here: before a mark or a word that is no noun."""
        word = self.at(place)
        return not word or not word[0].isalnum() or word in lexicon.CLOSERS

    def _clock(self, place: int) -> tuple[Clock, int, bool] | None:
        """The time of day at `place`, the token after it, and whether it is a bare number."""
        word = self.at(place)
        if word in ("noon", "midday"):
            return None if self.at(place + 1) in lexicon.MEALS else (Clock(HALF, True), place + 1, False)
        if word == "midnight":
            return None if self.at(place + 1) in lexicon.MEALS else (Clock(0, True), place + 1, False)
        return self._past(place) or self._digits(place) or self._worded(place)

    def _past(self, place: int) -> tuple[Clock, int, bool] | None:
        """ "half past nine", "a quarter to ten", "twenty minutes past two", "half eight"."""
        at = place + 1 if self.at(place) == "a" and self.at(place + 1) == "quarter" else place
        word = self.at(at)
        number = self._number(at)
        amount = {"half": 30, "quarter": 15}.get(word)
        if amount is None and number is not None and 1 <= number[0] <= 59:
            amount, at = number[0], number[1] - 1
        if amount is None:
            return None
        at += 1
        if self.at(at) in ("minutes", "minute", "mins", "min"):
            at += 1
        joint = self.at(at)
        if joint == "-":
            at, joint = at + 1, self.at(at + 1)
        if word == "half" and joint not in ("past", "to", "after"):
            hour = self._hour(at)
            return None if hour is None else self._dated(hour[0] * 60 + 30, hour[1], hour[0] > 12)
        if joint not in ("past", "to", "after", "before", "of", "til", "till"):
            return None
        if (joint in ("to", "till", "til") and word not in ("quarter", "half") and amount not in (5, 10, 20, 25)) or (
            joint == "of" and word != "quarter"
        ):
            return None
        if joint in ("to", "till", "til") and (word.isdecimal() or self.at(place - 1) in ("from", "between")):
            return None  # "from ten to three" is a range, "10 to 12" too
        hour = self._hour(at + 1)
        if hour is not None and joint == "to" and lexicon.MINUTES.get(self.at(hour[1]), 0) >= 10:
            return None  # "ten to eleven thirty"
        if hour is None:
            return None
        minute = hour[0] * 60 + (amount if joint in ("past", "after") else -amount)
        return self._dated(minute % DAY, hour[1], hour[0] > 12)

    def _hour(self, place: int) -> tuple[int, int] | None:
        """An hour as a number or a word, and the token after it."""
        word = self.at(place)
        if word in ("noon", "midday"):
            return 12, place + 1
        if word == "midnight":
            return 0, place + 1
        if word.isdecimal() and len(word) <= 2 and int(word) <= 24:
            return int(word), place + 1
        if word in lexicon.SMALL and word != "zero":
            return lexicon.SMALL[word], place + 1
        return None

    def _digits(self, place: int) -> tuple[Clock, int, bool] | None:
        """ "9:30", "9.30pm", "19h30", "0930 hrs", "9 o'clock", "9"."""
        word = self.at(place)
        if self.at(place - 1) in ("$", "€", "£", "#") or self.at(place + 1) in ("%", "€", "$", "£"):
            return None
        parted = re.fullmatch(r"(\d{1,2})[:.](\d{2})", word)
        if parted:
            hour, minute = int(parted[1]), int(parted[2])
            spelt = self.at(place + 1) in ("am", "pm", "a.m.", "p.m.")
            led = self.at(place - 1) in ("at", "from", "until", "till", "between", "by", "to", "and", "-", "–")
            ranged = self.at(place + 1) in lexicon.THROUGH and re.fullmatch(r"\d{1,2}[:.][0-5]\d", self.at(place + 2))
            dotted = "." in word and not spelt and not ranged and (not led or self._counted(place + 1))
            if hour > 24 or minute > 59 or dotted:
                return None
            return self._dated(hour * 60 + minute, place + 1, word[0] == "0" or hour > 12 or self.to_24)
        if re.fullmatch(r"\d{4}", word) and int(word[:2]) < 24 and int(word[2:]) < 60:
            far = {self.at(place + step) for step in (1, 2, 3)}
            if word[0] == "0" or "hrs" in far or (self.at(place + 1) in ("hours", "h")):
                last = place + 1 + (self.at(place + 1) in ("hrs", "hours", "h"))
                return Clock(int(word[:2]) * 60 + int(word[2:]), True), last, False
            return None
        if not word.isdecimal() or len(word) > 2 or int(word) > 24:
            return None
        hour = int(word)
        if self.at(place + 1) == "h" and re.fullmatch(r"[0-5]\d", self.at(place + 2)):
            return Clock(hour * 60 + int(self.at(place + 2)), True), place + 3, False
        if self.at(place + 1) == "h" and (hour > 12 or self._hour_of_day(place)):
            return Clock(hour * 60, True), place + 2, False
        if self.at(place + 1) == "-" and re.fullmatch(r"\d{4}", self.at(place + 2)):
            return None
        return self._dated(hour * 60, place + 1, hour > 12 or hour == 0, bare=True)

    def _hour_of_day(self, place: int) -> bool:
        """Whether "9h" tells a time rather than a length: after "at" or "from", or where another such hour follows."""
        if self.at(place - 1) in ("at", "from", "until", "till", "to", "-", "between"):
            return True
        return self.at(place + 2) in lexicon.THROUGH and self.at(place + 3).isdecimal() and self.at(place + 4) == "h"

    def _worded(self, place: int) -> tuple[Clock, int, bool] | None:
        """ "nine", "nine thirty", "nine forty-five", "nine oh five"."""
        word = self.at(place)
        if word not in lexicon.SMALL or word == "zero" or (place and self.words[place].text[0].isupper()):
            return None
        hour, at = lexicon.SMALL[word], place + 1
        if self.at(at) == "-" and self.at(at + 1) in lexicon.MINUTES:
            at += 1
        minute = lexicon.MINUTES.get(self.at(at), 0)
        if self.at(at) in ("oh", "o") and self.at(at + 1) in lexicon.SMALL:
            return self._dated(hour * 60 + lexicon.SMALL[self.at(at + 1)], at + 2, False)
        if minute >= 10 and self._length(at) is None:
            at += 1
            step = at + 1 if self.at(at) == "-" else at
            if minute in (20, 30, 40, 50) and 1 <= lexicon.SMALL.get(self.at(step), 0) <= 9:
                minute, at = minute + lexicon.SMALL[self.at(step)], step + 1
            return self._dated(hour * 60 + minute, at, False)
        return self._dated(hour * 60, place + 1, False, bare=True)

    def _dated(self, minute: int, last: int, sure: bool, bare: bool = False) -> tuple[Clock, int, bool]:
        """The clock with what follows it: "o'clock", "pm", "in the evening"."""
        if self.at(last) in ("o'clock", "oclock"):
            last, bare = last + 1, False
        if self.at(last) in ("sharp", "prompt", "ish"):
            last, bare = last + 1, False
        for dot in (("on", "the", "dot"), ("or", "so"), ("on", "the", "nose"), ("or", "thereabouts")):
            if tuple(self.low[last : last + len(dot)]) == dot:
                last, bare = last + len(dot), False
        half = {"am": "am", "a.m.": "am", "pm": "pm", "p.m.": "pm"}.get(self.at(last), "")
        if not half and self.at(last) in ("a", "p") and self.at(last + 1) == "." and self.at(last + 2) == "m":
            half, last = self.at(last) + "m", last + 2 + (self.at(last + 3) == ".")
        if half:
            return Clock(minute % HALF + (HALF if half == "pm" else 0), True), last + 1, False
        for lead in (("in", "the"), ("at",), ("tomorrow",), ("this",), ("every",), ()):
            place = last + len(lead)
            if (
                tuple(self.low[last:place]) == lead
                and self.at(place) in lexicon.PARTS
                and (lead or self.at(place) == "tonight")
            ):
                part = lexicon.PARTS[self.at(place)]
                if not sure:
                    minute, sure = alone(Clock(minute % HALF), part), True
                return Clock(minute, sure, part), place + 1, False
        return Clock(minute, sure), last, bare

    def _number(self, place: int) -> tuple[int, int] | None:
        word = self.at(place)
        if word.isdecimal() and len(word) <= 3:
            return int(word), place + 1
        if word in lexicon.MINUTES and lexicon.MINUTES[word] >= 20:
            step = place + 2 if self.at(place + 1) == "-" else place + 1
            small = lexicon.SMALL.get(self.at(step), 0)
            return (lexicon.MINUTES[word] + small, step + 1) if 1 <= small <= 9 else (lexicon.MINUTES[word], place + 1)
        return (lexicon.NUMBERS[word], place + 1) if word in lexicon.NUMBERS else None

    def _length(self, place: int) -> Mark | None:
        """ "for 90 minutes", "an hour and a half", "half an hour", "1.5 hours", "two-hour"; "by an hour" is a shift."""
        found = self._duration(place)
        if found is None:
            return None
        minutes, last = found
        before, after = self.at(place - 1), self.at(last)
        if after in ("before", "after") and self._clock(last + 1) is not None:
            return Mark("length", place - (before == "for"), last, minutes=minutes)
        if after in lexicon.AFTER or before == "by" or before in ("in", "within", "every") or after == "from":
            shift = after in lexicon.AFTER or before == "by"
            if after == "from" and self._clock(last + 1) is not None and before not in ("in", "within"):
                return Mark("length", place - (before == "for"), last, minutes=minutes)
            sign = -1 if after in ("earlier", "sooner", "early") or self._backward(place) else 1
            return Mark("shift", place, last + shift, minutes=sign * minutes) if shift and after != "ago" else None
        return Mark("length", place - (before == "for"), last, minutes=minutes)

    def _backward(self, place: int) -> bool:
        return any(self.at(back) in ("forward", "up", "earlier") for back in range(place - 1, max(-1, place - 5), -1))

    def _duration(self, place: int) -> tuple[int, int] | None:
        word, following = self.at(place), self.at(place + 1)
        if following == "h" and word.isdecimal() and (
            int(word) > 12 or self._hour_of_day(place) or re.fullmatch(r"[0-5]\d", self.at(place + 2))
        ):  # fmt: skip
            return None
        if word in ("final", "last", "whole", "full", "first", "next") and following == "hour":
            return 60, place + 2
        if word == "the" and following == "hour" and self.at(place + 2) in lexicon.BESIDE:
            return 60, place + 2
        if word == "half" and following in ("an", "a") and self.at(place + 2) in lexicon.UNITS:
            return 30, place + 3
        if word == "half" and following in lexicon.UNITS:
            return 30, place + 2
        if word in ("three", "a") and following in ("quarters", "quarter") and self.at(place + 2) == "of":
            return (45 if word == "three" else 15), place + 5
        if re.fullmatch(r"\d+[.,]\d+", word) and following in lexicon.UNITS and lexicon.UNITS[following] == 60:
            return round(float(word.replace(",", ".")) * 60), place + 2
        if word == "a" and following == "couple" and self.at(place + 3) in lexicon.UNITS:
            return 2 * lexicon.UNITS[self.at(place + 3)], place + 4
        return self._counted_units(place)

    def _counted_units(self, place: int) -> tuple[int, int] | None:
        number = self._number(place)
        if number is None:
            return None
        count, at = number
        if [self.at(at + step) for step in range(3)] == ["and", "a", "half"] and self.at(at + 3) in lexicon.UNITS:
            return round((count + 0.5) * lexicon.UNITS[self.at(at + 3)]), at + 4
        at += self.at(at) in ("-", "full", "whole", "good", "solid")
        unit = lexicon.UNITS.get(self.at(at))
        if unit is None:
            return None
        minutes, at = count * unit, at + 1
        rest = [self.at(at + step) for step in range(3)]
        if unit == 60 and rest == ["and", "a", "half"]:
            return minutes + 30, at + 3
        if unit == 60 and rest == ["and", "a", "quarter"]:
            return minutes + 15, at + 3
        more = self._number(at + 1) if self.at(at) == "and" else self._number(at)
        if unit == 60 and more is not None and lexicon.UNITS.get(self.at(more[1])) == 1:
            return minutes + more[0], more[1] + 1
        return minutes, at
