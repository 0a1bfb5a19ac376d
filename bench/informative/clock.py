"""The clock of a day in half hours: intervals that may run over midnight, and what they have in common."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SLOTS = 48
"""Half hours of a day."""
MINUTES = 1440
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)")


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From `start` up to `end`, in half-hour slots. start in [0, 48); end in (0, 48]; end <= start runs over midnight."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """In slots, from 1 to 48."""
        return (self.end - self.start - 1) % SLOTS + 1

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """The stretches inside one day, (start, end), end exclusive."""
        if self.end > self.start:
            return ((self.start, self.end),)
        return tuple(part for part in ((0, self.end), (self.start, SLOTS)) if part[0] < part[1])

    def __str__(self) -> str:
        return f"{shown(self.start)}-{shown(self.end)}"


def shown(slot: int) -> str:
    """A slot as "9:30"; 48 is "24:00"."""
    return f"{slot // 2}:{slot % 2 * 30:02d}"


def slot_of(text: str) -> int:
    """The slot of "9:30" or "24:00". Raises ValueError for anything else, also for times between half hours."""
    match = _TIME.fullmatch(text.strip())
    if not match or int(match[2]) % 30 or int(match[1]) * 2 + int(match[2]) // 30 > SLOTS:
        raise ValueError(f"{text!r} is not a time on the half hour")
    return int(match[1]) * 2 + int(match[2]) // 30


def interval_of(start: str, end: str) -> Interval:
    """An interval from two times. An end at 0:00 is the end of the day."""
    begins, ends = slot_of(start) % SLOTS, slot_of(end) or SLOTS
    if begins == ends:
        raise ValueError(f"{start}-{end} takes no time")
    return Interval(begins, ends)


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals share a slot; ends that only touch do not."""
    return any(a < d and c < b for a, b in one.parts for c, d in other.parts)


def free(taken: Iterable[Interval]) -> list[Interval]:
    """The maximal stretches of the day, from 0:00 to 24:00, in which nothing is taken."""
    busy = [False] * SLOTS
    for one in taken:
        for start, end in one.parts:
            busy[start:end] = [True] * (end - start)
    found: list[Interval] = []
    start = 0
    for slot in range(SLOTS + 1):
        if slot == SLOTS or busy[slot]:
            if slot > start:
                found.append(Interval(start, slot))
            start = slot + 1
    return found


def largest_compatible(intervals: Sequence[Interval]) -> int:
    """How many of the intervals can be kept so that no two of them overlap.

    Earliest end first is best for those inside the day; of those over midnight, all of which share it, one at most is kept.
    """
    inside = sorted((one for one in intervals if len(one.parts) == 1), key=lambda one: (one.end, one.start))
    best = _kept(inside)
    for night in (one for one in intervals if len(one.parts) == 2):
        best = max(best, 1 + _kept([one for one in inside if not overlap(one, night)]))
    return best


def _kept(by_end: Sequence[Interval]) -> int:
    kept, end = 0, 0
    for one in by_end:
        if one.start >= end:
            kept, end = kept + 1, one.end
    return kept
