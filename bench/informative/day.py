"""A day of several people: who does what from when to when, drawn from a seed; alone or with one other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from kithnet.bench.informative.clock import SLOTS, Interval, overlap

SLEEP, LUNCH = "Sleep", "Lunch"
NIGHT = 16
"""Slots that everybody sleeps."""
BEDTIME, NOON = (44, 46), (22, 25)
"""First and last slot at which sleep and lunch begin: 22:00 to 23:00, 11:00 to 12:30."""
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Doing:
    """One activity of one person. partner: the other who takes part, or "" alone."""

    person: str
    activity: str
    time: Interval
    partner: str = ""

    @property
    def fact(self) -> str:
        """The name of the fact, unique in a day."""
        return f"{self.person}/{self.activity}"


Day = Mapping[str, tuple[Doing, ...]]
"""Person -> activities in order of their start; an activity occurs once a person."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How days are drawn. lengths: activity -> shortest and longest length in slots. alone, shared: least and most
    activities of one person, and of all pairs together. usual: an activity, and how likely a person has it."""

    lengths: Mapping[str, tuple[int, int]]
    alone: tuple[int, int]
    shared: tuple[int, int]
    usual: tuple[str, float] = ("", 0.0)


def draw_day(people: Sequence[str], habits: Habits, rng: Random) -> Day:
    """Draw a day. What does not fit any more is left out; nobody does two things at once."""
    plan: dict[str, list[Doing]] = {person: [] for person in people}
    for person in people:
        bed, noon = rng.randint(*BEDTIME), rng.randint(*NOON)
        plan[person].append(Doing(person, SLEEP, Interval(bed, (bed + NIGHT) % SLOTS)))
        plan[person].append(Doing(person, LUNCH, Interval(noon, noon + 1)))
        if rng.random() < habits.usual[1]:
            _add(plan, [person], [habits.usual[0]], habits, rng)
    activities = list(habits.lengths)
    for _ in range(rng.randint(*habits.shared)):
        _add(plan, rng.sample(list(people), 2), activities, habits, rng)
    for person in people:
        for _ in range(rng.randint(*habits.alone)):
            _add(plan, [person], activities, habits, rng)
    return {person: tuple(sorted(doings, key=lambda one: one.time)) for person, doings in plan.items()}


def _add(plan: dict[str, list[Doing]], who: Sequence[str], among: Sequence[str], habits: Habits, rng: Random) -> None:
    for _ in range(_TRIES):
        activity = rng.choice(among)
        length = rng.randint(*habits.lengths[activity])
        start = rng.randint(NIGHT - 4, BEDTIME[1] - length)
        time = Interval(start, start + length)
        held = [one for person in who for one in plan[person]]
        if any(one.activity == activity or overlap(one.time, time) for one in held):
            continue
        for person in who:
            partner = next((other for other in who if other != person), "")
            plan[person].append(Doing(person, activity, time, partner))
        return


def doings(day: Day, people: Iterable[str] | None = None) -> list[Doing]:
    """All activities of these people (default: everybody), a shared one once for each."""
    return [one for person in (day if people is None else people) for one in day.get(person, ())]
