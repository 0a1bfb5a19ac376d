"""Which day is meant by the words for it: by its form, by the day on which it is said, by the verb beside it."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.memory.language.time import days
from kithnet.memory.language.time.dates import MONTHS, WEEKDAYS

AT = datetime(2024, 5, 15, 10, 0)  # a Wednesday
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "start", "exact"),
    [
        ("tomorrow at 7:30 pm", datetime(2024, 5, 16, 19, 30), True),
        ("I won two days ago", datetime(2024, 5, 13), False),
        ("the party is on Monday", datetime(2024, 5, 20), False),
        ("I saw a fox on Monday", datetime(2024, 5, 13), False),
        ("we went there last weekend", datetime(2024, 5, 11), False),
        ("I fly on 3 October", datetime(2024, 10, 3), False),
        ("it happened on May 20th", datetime(2023, 5, 20), False),
        ("it is due 2025-01-31", datetime(2025, 1, 31), False),
        ("see you at noon today", datetime(2024, 5, 15, 12), True),
        ("in two weeks", datetime(2024, 5, 29), False),
    ],
)
def test_times_are_resolved_against_the_day_of_the_message(said: str, start: datetime, exact: bool) -> None:
    when = days.find(said, AT)
    assert when is not None and (when.start, when.exact) == (start, exact)


@pytest.mark.parametrize("said", ["on 31 June", "at the end of time", "in 999 years", ""])
def test_a_day_that_does_not_exist_is_none(said: str) -> None:
    when = days.find(said, datetime(9999, 1, 1))
    assert when is None


def read(text: str) -> tuple[str, str] | None:
    """The first and the last day of what a text speaks of first."""
    when = days.find(text, AT)
    return None if when is None else (f"{when.start:%m-%d}", f"{when.end - DAY:%m-%d}")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("The vet can take us on the 22nd", "05-22"),
        ("the 3rd would suit me", "06-03"),
        ("rehearsal is the 20th of this month", "05-20"),
        ("rent goes up on the 1st of next month", "06-01"),
        ("Ilse lands on Monday the 3rd", "06-03"),
        ("I can do Thursday, 6 June", "06-06"),
        ("Friday next week is free", "05-24"),
        ("what about next week on Friday", "05-24"),
        ("it'll be ready Thursday this week", "05-16"),
        ("a week from Saturday we move", "05-25"),
        ("Saturday week, then", "05-25"),
        ("not this Sunday, the Sunday after next", "05-19"),
        ("the Sunday after next", "05-26"),
        ("I'm back the day after tomorrow", "05-17"),
        ("tmrw is fine", "05-16"),
        ("see you tommorow", "05-16"),
        ("tues at ours", "05-21"),
        ("Lunch on sat?", "05-18"),
        ("within three days", "05-18"),
        ("a fortnight from now", "05-29"),
        ("in a month", "06-15"),
        ("ten weeks from tomorrow", "07-25"),
        ("the last Friday of the month", "05-31"),
        ("first Monday in September", "09-02"),
        ("the last day of the month", "05-31"),
        ("we open on the twenty-fourth", "05-24"),
        ("second of June", "06-02"),
        ("the choir sings on 9.6.", "06-09"),
        ("pay it by 6/9", "06-09"),
        ("on 30/6", "06-30"),
        ("August the 4th", "08-04"),
        ("14 sept at the latest", "09-14"),
        ("29 February", "02-29"),
    ],
)
def test_a_day_is_found_by_the_forms_that_people_have_for_it(text: str, day: str) -> None:
    assert read(text) == (day, day)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("the fair is 13-15 June", "06-13", "06-15"),
        ("we camp June 13th to 15th", "06-13", "06-15"),
        ("away from the 3rd to the 5th", "06-03", "06-05"),
        ("from the 30th to the 2nd of June", "05-30", "06-02"),
        ("between the 20th and the 23rd", "05-20", "05-23"),
        ("I work Friday to Sunday", "05-17", "05-19"),
        ("late next week", "05-24", "05-26"),
        ("at the end of the month", "05-21", "05-31"),
        ("mid-July", "07-12", "07-20"),
        ("the week after next", "05-27", "06-02"),
        ("over the weekend", "05-18", "05-19"),
        ("in sept", "09-01", "09-30"),
        ("in May or so", "05-01", "05-31"),
    ],
)
def test_a_stretch_of_days_has_a_first_and_a_last(text: str, first: str, last: str) -> None:
    assert read(text) == (first, last)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("We rode to Ghent on the 13th of June", date(2023, 6, 13)),
        ("I need a van on the 13th of June", date(2024, 6, 13)),
        ("I booked the hall for the 13th of June", date(2024, 6, 13)),
        ("Ben said he'll be there on the 20th", date(2024, 5, 20)),
        ("I saw Ben, and we leave the flat on the 20th, please tell him", date(2024, 4, 20)),
        ("I was thinking of the 20th", date(2024, 5, 20)),
        ("The roof leaked on the 20th", date(2024, 4, 20)),
        ("On the 20th the roof leaked", date(2024, 4, 20)),
        ("They moved it from Monday to Thursday", date(2024, 5, 20)),
        ("the concert, 2 May", date(2024, 5, 2)),
        ("the concert, 2 February", date(2025, 2, 2)),
        ("This Monday I was ill", date(2024, 5, 13)),
        ("This Monday I'll be out", date(2024, 5, 20)),
    ],
)
def test_the_verb_tells_whether_a_date_is_past_or_to_come(text: str, day: date) -> None:
    when = days.find(text, AT)
    assert when is not None and when.start.date() == day


def test_both_ends_of_a_move_are_days_of_their_own() -> None:
    assert [when.said for when in days.times("We moved it from Monday to Thursday", AT)] == ["Monday", "Thursday"]


@pytest.mark.parametrize(
    "text",
    [
        "I live on the 3rd floor", "Wait a second", "first of all, thanks", "the 2nd time it rang", "You may go", "We march on",
        "He sat in the sun", "I mar it", "24/7", "half is 1/2 of it", "it costs 4.5.", "call me at 5551212", "in the 4th quarter",
        "every Monday", "May I come in?", "version 1.2.3", "a score of 3-2", "at first I laughed", "this may hurt", "on the 99th",
        "We haven't spoken in two weeks",
    ],
)  # fmt: skip
def test_floors_turns_and_verbs_are_no_days(text: str) -> None:
    assert list(days.times(text, AT)) == []


def test_times_of_day_beside_a_date_are_read_by_the_grammar_for_them() -> None:
    when = days.find("The party is on the 8th from half past three to 5 pm.", AT)
    assert when == days.When(datetime(2024, 6, 8, 15, 30), datetime(2024, 6, 8, 17), "the 8th", True)
    lasting = days.find("tomorrow at 9 am for two hours", AT)
    assert lasting is not None and (lasting.start.hour, lasting.end.hour) == (9, 11)


def ways_to_write(day: date) -> list[str]:
    """Ways to write a date that leave no doubt of the year."""
    name, short = MONTHS[day.month - 1].capitalize(), MONTHS[day.month - 1][:3]
    nth = f"{day.day}{'th' if 10 < day.day < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day.day % 10, 'th')}"
    weekday = WEEKDAYS[day.weekday()]
    return [
        f"{day}", f"{day.day}.{day.month}.{day.year}", f"{day.month}/{day.day}/{day.year}", f"{nth} of {name}, {day.year}",
        f"{name} {day.day}, {day.year}", f"the {nth} {short} {day.year}", f"{short} {nth} {day.year}",
        f"{day.day} {name} {day.year}", f"{weekday.capitalize()}, {name} the {nth} {day.year}",
        f"{weekday[:3]} {nth} {name} {day.year}",
    ]  # fmt: skip


@given(st.dates(date(1950, 1, 1), date(2090, 12, 31)), st.datetimes(datetime(1950, 1, 1), datetime(2090, 12, 31)))
def test_a_whole_date_is_read_back_in_every_form_whenever_it_is_said(day: date, at: datetime) -> None:
    for written in ways_to_write(day):
        (when,) = days.times(f"We meet on {written}.", at)
        assert (when.start.date(), when.end - when.start) == (day, DAY), written


@given(st.datetimes(datetime(1950, 1, 1), datetime(2090, 12, 31)), st.integers(1, 31), st.integers(0, 6))
def test_what_is_to_come_comes_and_what_was_is_past(at: datetime, number: int, weekday: int) -> None:
    nth = f"{number}th"
    for said in (f"on the {nth}", f"on {WEEKDAYS[weekday]}"):
        (ahead,), (behind,) = days.times(f"We will sing {said}.", at), days.times(f"We sang {said}.", at)
        assert behind.start.date() <= at.date() <= ahead.start.date()
        if "the" in said:
            assert ahead.start.day == behind.start.day == number
        else:
            assert ahead.start.weekday() == behind.start.weekday() == weekday


@given(st.text(max_size=60), st.datetimes())
def test_any_text_is_read_without_an_error(text: str, at: datetime) -> None:
    for when in days.times(text, at):
        assert when.start < when.end and when.said in text
