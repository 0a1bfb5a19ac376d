"""Times of day and lengths of time as people say them, wherever they stand in a sentence."""

from kithnet.memory.writing import clock, timewords
from kithnet.memory.writing.clock import Clock, said


def spans(text: str) -> list[tuple[str, str]]:
    """Each expression of a text as its words and what it says: "09:00", "09:00?" of a bare number, "90 min"."""
    words = clock.tokens(text)
    found = []
    for one in timewords.expressions(words):
        meant = f"{said(clock.alone(one.clock, ''))}{'?' * one.bare}" if one.clock else f"{one.minutes} min"
        found.append((text[words[one.first].first : words[one.last - 1].last], meant))
    return found


def test_expressions_are_times_and_lengths_without_what_leads_to_them() -> None:
    assert spans("I have chess from nine o'clock in the morning to 10:30 am, then tea for an hour and a half.") == [
        ("nine o'clock in the morning", "09:00"),
        ("10:30 am", "10:30"),
        ("an hour and a half", "90 min"),
    ]


def test_a_number_that_may_be_no_time_is_called_bare() -> None:
    assert spans("Chess at nine, and nine people come") == [("nine", "09:00?"), ("nine", "09:00?")]
    assert spans("Chess at nine sharp") == [("nine sharp", "09:00")]


def test_hours_count_to_24_where_the_writer_counts_so() -> None:
    words = clock.tokens("at 4:30")
    (twelve,), (day,) = timewords.expressions(words), timewords.expressions(words, to_24=True)
    assert (twelve.clock, day.clock) == (Clock(270), Clock(270, True))
