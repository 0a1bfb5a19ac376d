"""Plans of one person that cannot both be as they were read."""

from datetime import date

from kithnet.memory.writing.events import Event
from kithnet.memory.writing.untangling import Turned, turned, untangled


def plan(start: int, end: int | None, *people: str, day: date | None = None) -> Event:
    return Event("something", people or ("ana",), start * 60, None if end is None else end * 60, day, "ana", (1,))


def test_the_other_reading_lies_on_the_other_side_of_the_time_that_was_told() -> None:
    assert turned(9 * 60, 10 * 60, 0.1, begins=False) == Turned(10 * 60, 11 * 60, 0.1)
    assert turned(9 * 60, 10 * 60, 0.1, begins=True) == Turned(8 * 60, 9 * 60, 0.1)
    assert turned(60, 180, 0.1, begins=True) == Turned(23 * 60, 25 * 60, 0.1)


def test_a_plan_that_meets_another_of_the_same_person_is_turned_where_that_parts_them() -> None:
    plans = [plan(9, 11), plan(10, 12)]
    other = turned(10 * 60, 12 * 60, 0.01, begins=False)
    assert untangled(plans, {1: other}) == {1: other}
    assert untangled([*plans, plan(13, 14)], {1: other}) == {}  # turned it would meet the third


def test_plans_of_other_people_of_other_days_or_without_an_end_stand_in_nobodys_way() -> None:
    other = turned(10 * 60, 12 * 60, 0.01, begins=False)
    days = date(2024, 5, 13), date(2024, 5, 14)
    for beside in (plan(9, 11, "ben"), plan(11, None), plan(9, 11, day=days[0])):
        assert untangled([beside, plan(10, 12, day=days[1])], {1: other}) == {}


def test_of_two_that_meet_the_likelier_to_be_turned_is() -> None:
    plans = [plan(9, 11), plan(10, 12)]
    first, second = turned(9 * 60, 11 * 60, 0.3, begins=True), turned(10 * 60, 12 * 60, 0.1, begins=False)
    assert list(untangled(plans, {0: first, 1: second})) == [0]
