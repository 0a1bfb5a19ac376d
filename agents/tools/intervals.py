"""Tools that compute with times of day: overlaps, free time, the largest set without a clash, the longest, totals.

Pure functions of stretches of one day, in minutes. A stretch that runs past midnight takes up the early hours of the same
day: a day's calendar is a circle. Stretches that only touch do not overlap.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

DAY = 24 * 60
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Minutes from midnight: 0 <= start < 1440, start < end <= start + 1440."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not (0 <= self.start < DAY and self.start < self.end <= self.start + DAY):
            raise ValueError(f"no stretch of a day: {self.start} to {self.end}")

    @property
    def minutes(self) -> int:
        return self.end - self.start

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """The stretch within the day: one part, or two where it runs past midnight."""
        if self.end <= DAY:
            return ((self.start, self.end),)
        return ((0, self.end - DAY), (self.start, DAY))


def overlap(left: Stretch, right: Stretch) -> bool:
    """Whether two stretches share a minute of the day."""
    return any(a < d and c < b for a, b in left.parts for c, d in right.parts)


def busy(stretches: Iterable[Stretch]) -> tuple[tuple[int, int], ...]:
    """When anything is on: the stretches joined, in their order; those that touch become one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(part for one in stretches for part in one.parts):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def free(
    stretches: Iterable[Stretch], window: tuple[int, int] = (0, DAY), least: int = 1
) -> tuple[tuple[int, int], ...]:
    """The maximal gaps of at least `least` minutes in which nothing is on, within `window`."""
    gaps: list[tuple[int, int]] = []
    at, end = window
    for first, last in busy(stretches):
        if first > at:
            gaps.append((at, min(first, end)))
        at = max(at, last)
        if at >= end:
            break
    if at < end:
        gaps.append((at, end))
    return tuple((first, last) for first, last in gaps if last - first >= least)


def compatible(stretches: Sequence[Stretch]) -> tuple[int, ...]:
    """Places of a largest set of stretches of which no two overlap; the earliest to end are preferred.

    At most one of them runs past midnight, so each of those is tried with what it leaves, beside none of them.
    """
    night = [place for place, one in enumerate(stretches) if one.end > DAY]
    plain = [place for place, one in enumerate(stretches) if one.end <= DAY]
    best = _first_to_end(stretches, plain)
    for place in night:
        rest = [other for other in plain if not overlap(stretches[place], stretches[other])]
        found = [*_first_to_end(stretches, rest), place]
        if len(found) > len(best):
            best = found
    return tuple(sorted(best))


def _first_to_end(stretches: Sequence[Stretch], places: Sequence[int]) -> list[int]:
    chosen: list[int] = []
    last = 0
    for place in sorted(places, key=lambda at: (stretches[at].end, stretches[at].start, at)):
        if stretches[place].start >= last:
            chosen.append(place)
            last = stretches[place].end
    return chosen


def clashes(stretches: Sequence[Stretch]) -> tuple[tuple[int, int], ...]:
    """Places of every pair that overlaps."""
    return tuple(
        (a, b)
        for a in range(len(stretches))
        for b in range(a + 1, len(stretches))
        if overlap(stretches[a], stretches[b])
    )


def extreme(lengths: Mapping[Key, int], *, most: bool) -> tuple[Key, ...]:
    """All keys whose number is the greatest, or the least, in their order."""
    if not lengths:
        return ()
    wanted = max(lengths.values()) if most else min(lengths.values())
    return tuple(key for key, number in lengths.items() if number == wanted)


def common(groups: Sequence[Iterable[Key]]) -> tuple[Key, ...]:
    """What every group holds, in the order of the first; nothing for no groups."""
    if not groups:
        return ()
    first, *rest = [list(dict.fromkeys(group)) for group in groups]
    return tuple(item for item in first if all(item in other for other in rest))
