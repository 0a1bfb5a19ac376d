"""The three Schedule tasks solved: easy, medium and hard, from all facts or from those one side was told."""

from collections.abc import Iterable, Sequence
from typing import Literal

from kithnet.bench.informative.clock import free, largest_compatible
from kithnet.bench.informative.day import SLEEP, Day, Doing, doings
from kithnet.bench.informative.item import JOIN, Scoring

Level = Literal["easy", "medium", "hard"]
SCORING: dict[Level, Scoring] = {"easy": "number", "medium": "set", "hard": "intervals"}


def solve(level: Level, day: Day, askers: tuple[str, str]) -> str:
    """The canonical answer.

    easy: over what the two askers do apart from sleeping, how many activities there are more than the largest set
    without overlaps; one they share counts twice. medium: the activities of anybody that last longest, sleep apart.
    hard: the maximal times in which nobody has anything on.
    """
    if level == "easy":
        return str(surplus(doings(day, askers)))
    return JOIN.join(longest(doings(day)) if level == "medium" else map(str, free(one.time for one in doings(day))))


def surplus(pooled: Sequence[Doing]) -> int:
    """How many of the activities must go, at least, so that no two overlap; sleep is left out."""
    times = [one.time for one in pooled if one.activity != SLEEP]
    return len(times) - largest_compatible(times)


def longest(pooled: Iterable[Doing]) -> list[str]:
    """Names of the activities that last longest, sleep apart, in alphabetical order."""
    lengths = [(one.time.length, one.activity) for one in pooled if one.activity != SLEEP]
    most = max((length for length, _ in lengths), default=0)
    return sorted({activity for length, activity in lengths if length == most})


def known_to(day: Day, side: Sequence[str]) -> Day:
    """The day as one side knows it: all that its people do, and what others do together with them."""
    known: dict[str, tuple[Doing, ...]] = {}
    for person, all_of_it in day.items():
        seen = tuple(one for one in all_of_it if person in side or one.partner in side)
        if seen:
            known[person] = seen
    return known


def alone(level: Level, day: Day, askers: tuple[str, str], side: Sequence[str]) -> str:
    """What one side answers that reasons perfectly over what it knows, and takes nobody else to do anything."""
    return solve(level, known_to(day, side), askers)
