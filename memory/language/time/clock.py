"""Times of day and lengths of time as people say them: "half past nine", "from 4 to 5:30 pm", "for an hour and a half".

A reader over tokens, for English. What is ambiguous stays so until `settle`: nine o'clock may be either half of the day.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

DAY = 24 * 60
HALF = 12 * 60

_TOKEN = re.compile(
    r"\d{1,2}[:.]\d{2}(?!\d)|\d+[.,]\d+|\d+|[ap]\.m\.|[½¼¾⅓⅔]|[^\W\d_½¼¾⅓⅔]+(?:['’][^\W\d_]+)*|[^\w\s]|_",
    re.UNICODE | re.IGNORECASE,
)
_MAYBE = re.compile(
    r"\d|[½¼¾]|\b(?:noon|midday|midnight|o['’]?clock|half|quarters?|hours?|hrs?|minutes?|mins?|hundred|"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?:ish)?)\b",
    re.IGNORECASE,
)
_OF_24 = re.compile(r"\b(?:(?:0\d?|1[3-9]|2[0-4])[:h][0-5]\d(?!\d)|(?:0\d|1[3-9]|2[0-3])[0-5]\d ?(?:hrs|h)\b)")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or mark; first, last: where it stands in the text, end exclusive."""

    text: str
    first: int
    last: int

    @property
    def low(self) -> str:
        return self.text.casefold().replace("’", "'")


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in minutes, 0 to 1440. sure: its half of the day is known; part: which was said of it, if any."""

    minute: int
    sure: bool = False
    part: str = ""


Kind = Literal["range", "start", "end", "length", "shift"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A time expression, tokens `first` to `last` (exclusive). minutes: a length, or how far something is shifted.

    denied: the words say that it is not then. anchor: the activity at whose end (of a start) or start (of an end) it is,
    `minutes` away from it, where no clock says when.
    """

    kind: Kind
    first: int
    last: int
    start: Clock | None = None
    end: Clock | None = None
    minutes: int = 0
    denied: bool = False
    anchor: str = ""


def tokens(text: str) -> list[Token]:
    """The words, numbers and marks of a text."""
    return [Token(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text)]


def may_tell_time(text: str) -> bool:
    """Whether a text holds anything that could be a time of day; cheap, for passing over the rest."""
    return bool(_MAYBE.search(text))


def counts_to_24(texts: Iterable[str]) -> bool:
    """Whether people who wrote `texts` count hours to 24, as those do who write "09:00", "14h30" or "1430 hrs"."""
    return any(_OF_24.search(text) for text in texts)


def settle(start: Clock | None, end: Clock | None, part: str = "") -> tuple[int | None, int | None]:
    """Minutes of a start and an end, the end after the start and within a day of it.

    part: what is said of the whole ("am", "pm", "night"). Where nothing is, hours 1 to 6 are in the afternoon.
    """
    if start is None:
        return None, None if end is None else alone(end, part)
    if end is None:
        return alone(start, part), None
    if start.sure and end.sure:
        return start.minute, _after(end.minute, start.minute, DAY)
    if start.sure:
        return start.minute, _after(end.minute, start.minute, HALF)
    if end.sure:
        length = (end.minute - start.minute) % HALF or HALF
        first = (end.minute - length) % DAY
        return first, first + length
    first = alone(start, part)
    return first, _after(end.minute, first, HALF)


def said(minute: int) -> str:
    """Minutes as a time of day, 24 hours: 570 is "09:30"."""
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def _after(minute: int, start: int, step: int) -> int:
    return start + ((minute - start) % step or step)


def alone(clock: Clock, part: str) -> int:
    """Minutes of a time of day that stands alone; see `settle`."""
    part = clock.part or part
    if clock.sure or not part:
        early = not clock.sure and 60 <= clock.minute % HALF < 7 * 60 and clock.minute < HALF
        return clock.minute + HALF if early else clock.minute
    hour = clock.minute % HALF
    if part == "am":
        return hour
    return hour if part == "night" and hour < 5 * 60 else hour + HALF
