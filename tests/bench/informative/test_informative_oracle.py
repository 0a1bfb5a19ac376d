"""The solvers of the Schedule tasks agree with brute force, and a side alone is solved from what it was told."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kithnet.bench.informative import clock, schedule
from kithnet.bench.informative.clock import Interval, free, largest_compatible, overlap
from kithnet.bench.informative.day import draw_day
from kithnet.bench.informative.schedule_tasks import known_to, solve
from kithnet.bench.informative.scoring import minutes_in, set_of

from . import brute

PEOPLE = ("ana", "ben", "cleo", "dov")
INTERVALS = st.builds(
    lambda start, length: Interval(start, (start + length - 1) % 48 + 1), st.integers(0, 47), st.integers(1, 30)
)


def test_the_solvers_agree_with_brute_force_on_a_thousand_small_worlds() -> None:
    for seed in range(1000):
        rng = Random(seed)
        day = draw_day(
            PEOPLE, schedule.habits(("easy", "medium", "hard")[seed % 3], ("wide", "classic")[seed % 2]), rng
        )
        assert solve("easy", day, ("ana", "dov")) == brute.easy(day, ("ana", "dov")), seed
        assert set_of(solve("medium", day, ("ana", "dov"))) == {name.lower() for name in brute.medium(day)}, seed
        minutes = {slot * 30 + minute for slot in brute.hard(day) for minute in range(30)}
        assert minutes_in(solve("hard", day, ("ana", "dov"))) == minutes, seed


@given(st.lists(INTERVALS, max_size=7))
def test_the_largest_compatible_set_is_the_largest_also_over_midnight(intervals: list[Interval]) -> None:
    best = 0
    for mask in range(1 << len(intervals)):
        kept = [one for place, one in enumerate(intervals) if mask >> place & 1]
        if all(not overlap(a, b) for place, a in enumerate(kept) for b in kept[place + 1 :]):
            best = max(best, len(kept))
    assert largest_compatible(intervals) == best


@given(st.lists(INTERVALS, max_size=8))
def test_free_time_is_what_nothing_takes_in_stretches_that_cannot_grow(taken: list[Interval]) -> None:
    busy = {slot for one in taken for start, end in one.parts for slot in range(start, end)}
    found = free(taken)
    assert {slot for one in found for slot in range(one.start, one.end)} == set(range(48)) - busy
    assert all(a.end < b.start for a, b in pairwise(found))


@given(INTERVALS)
def test_an_interval_is_read_back_as_it_is_shown(one: Interval) -> None:
    start, _, end = str(one).partition("-")
    assert clock.interval_of(start, end) == one
    assert one.length == sum(b - a for a, b in one.parts)


def test_a_side_knows_what_its_people_do_and_what_others_do_with_them_and_nothing_else() -> None:
    for seed in range(50):
        day = draw_day(PEOPLE, schedule.habits("hard", "wide"), Random(seed))
        known = known_to(day, ("ana", "ben"))
        assert known["ana"] == day["ana"] and known["ben"] == day["ben"]
        for person in ("cleo", "dov"):
            expected = tuple(one for one in day[person] if one.partner in ("ana", "ben"))
            assert known.get(person, ()) == expected
