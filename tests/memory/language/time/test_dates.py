"""What a text names, whatever day it is: the parts of a date, and where it stands."""

import pytest

from kithnet.memory.language.time.dates import Named, named


def one(text: str) -> Named:
    (found,) = named(text)
    return found


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("on 7 March 2021", (2021, 3, 7, None)),
        ("on Sunday, 7 March", (None, 3, 7, 6)),
        ("3/7/21", (2021, 3, 7, None)),
        ("the 7th", (None, 0, 7, None)),
        ("the twelfth of Febuary", (None, 2, 12, None)),
        ("in May", (None, 5, None, None)),
        ("2021-03", (2021, 3, None, None)),
        ("see you on weds", (None, 0, None, 2)),
    ],
)
def test_the_parts_that_are_said_are_known_and_no_others(
    text: str, parts: tuple[int | None, int, int | None, int | None]
) -> None:
    found = one(text)
    assert (found.year, found.month, found.day, found.weekday) == parts


def test_a_name_stands_where_it_is_said_without_what_leads_to_it() -> None:
    text = "Free until the 8th, then on Monday 13-15 June, say."
    found = [text[part.first : part.last] for part in named(text)]
    assert found == ["the 8th", "Monday", "13", "15 June"]


def test_a_month_alone_is_named_barely() -> None:
    assert (one("the January sale").kind, one("in January").kind) == ("bare", "month")
    assert named("no day at all") == []
