"""Plans of one person that cannot both be as they were read, put apart: nobody does two things at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from kithnet.memory.language.time.clock import DAY


class Planned(Protocol):
    """What is on from minute `start` to minute `end` of a day, with whom; see `events.Event`."""

    @property
    def people(self) -> tuple[str, ...]: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int | None: ...
    @property
    def day(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Turned:
    """The other way to read the one time of a plan: start, end if it is the other edge, and how likely that is."""

    start: int
    end: int
    odds: float


def turned(start: int, end: int, odds: float, *, begins: bool) -> Turned:
    """begins: whether the time that was told has been read as the start."""
    first = (2 * start - end if begins else end) % DAY
    return Turned(first, first + end - start, odds)


def untangled(plans: Sequence[Planned], turns: Mapping[int, Turned]) -> dict[int, Turned]:
    """The plans, by place, that must be read the other way: as they stand they meet another one of the same person, and
    turned they meet none. The likeliest to be turned go first."""
    now = {place: (plan.start, plan.end) for place, plan in enumerate(plans)}
    taken: dict[int, Turned] = {}

    def meets(place: int, start: int, end: int | None) -> bool:
        return any(
            other != place and _together(plans[place], plans[other]) and _overlap((start, end), now[other])
            for other in now
        )

    for place, turn in sorted(turns.items(), key=lambda one: -one[1].odds):
        if meets(place, *now[place]) and not meets(place, turn.start, turn.end):
            now[place], taken[place] = (turn.start, turn.end), turn
    return taken


def _together(one: Planned, other: Planned) -> bool:
    same_day = one.day == other.day or None in (one.day, other.day)
    return same_day and bool(set(one.people) & set(other.people))


def _overlap(one: tuple[int, int | None], other: tuple[int, int | None]) -> bool:
    """Whether two stretches whose ends are known share a minute."""
    return one[1] is not None and other[1] is not None and one[0] < other[1] and other[0] < one[1]
