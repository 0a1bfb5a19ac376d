"""What goes on when, read from talks: as people put it, corrected, passed on, called off."""

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.memory.language.time import clock, expressions
from kithnet.memory.language.time.clock import said
from kithnet.memory.writing import diary, events
from kithnet.memory.writing.extract import Cast, Turn

from .talks import NAMES, Talk, halves, load, score

HERE = Path(__file__).parent
QUARTERS = st.integers(0, 95).map(lambda quarter: quarter * 15)


def read(*said_by_ana: str) -> list[events.Event]:
    return Talk(tuple(f"ana: {text}" for text in said_by_ana), ()).read()


def test_talks_that_the_rules_were_made_for_are_read_right() -> None:
    found, wrong = score(load(HERE / "said_first.toml"))
    assert found.f1 >= 0.97, "\n".join(wrong)


def test_talks_that_were_held_out_are_read_nearly_as_well() -> None:
    found, wrong = score(load(HERE / "said_later.toml"))
    assert found.precision >= 0.9 and found.recall >= 0.9, "\n".join(wrong)


def test_ways_to_tell_of_a_day_that_rules_were_never_fitted_to_are_mostly_read() -> None:
    known, held_out = halves(load(HERE / "said_daily.toml"))
    of_known, wrong = score(known)
    assert of_known.f1 >= 0.9, "\n".join(wrong)
    assert score(held_out)[0].f1 >= 0.8  # what goes wrong here is looked at by nobody


def test_frames_that_no_list_has_foreseen_are_mostly_read() -> None:
    found, wrong = score(load(HERE / "said_widely.toml"))
    assert found.f1 >= 0.84, "\n".join(wrong)


@given(QUARTERS, st.integers(1, 47).map(lambda quarter: quarter * 15))
def test_a_range_in_24_hours_is_read_as_it_is_written(start: int, length: int) -> None:
    end = start + length
    found = events.read(
        [Turn(1, "ana", "ben", f"I have chess from {said(start)} to {said(end)}, not before 00:10.", None)],
        Cast("ana", NAMES),
    )
    assert [(one.start, one.end) for one in found] == [(start, end)]


@given(QUARTERS.filter(lambda minute: minute % 60 in (0, 15, 30, 45)))
def test_a_time_in_words_with_its_half_of_the_day_is_read_as_it_is_meant(minute: int) -> None:
    hour, rest = divmod(minute, 60)
    half = "am" if hour < 12 else "pm"
    twelve = hour % 12 or 12
    lead = {0: "", 15: "quarter past ", 30: "half past ", 45: ""}[rest]
    spoken = f"{twelve}:45 {half}" if rest == 45 else f"{lead}{twelve} {half}"
    (mark,) = expressions.marks(clock.tokens(f"Chess begins at {spoken}"))
    assert clock.settle(mark.start, None) == (minute, None)


@given(st.text(max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    for event in read(text, f"from 9 to {text}"):
        assert 0 <= event.start < 1440 and (event.end is None or event.start < event.end <= event.start + 1440)


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("Shall I say 9 to 5? No: I work from 9 to 5", 540, 1020),
        ("chess 11 to 1", 660, 780),
        ("dinner from 7 to 8", 1140, 1200),
        ("breakfast from 7 to 8", 420, 480),
        ("a night shift from 10 pm to 6", 1320, 1800),
    ],
)
def test_an_hour_without_its_half_of_the_day_is_settled_by_what_is_usual(words: str, start: int, end: int) -> None:
    assert [(one.start, one.end) for one in read(words)] == [(start, end)]


def test_a_correction_in_a_later_talk_changes_the_event_and_keeps_both_messages_as_evidence() -> None:
    cast = Cast("ana", NAMES)
    first = events.read([Turn(1, "ana", "ben", "I have chess from 10:00 to 11:00.", None)], cast)
    (event,) = events.read([Turn(7, "ana", "carol", "Chess got moved to 15:00.", None)], cast, first)
    assert (event.start, event.end, event.evidence) == (900, 960, (1, 7))


def test_what_is_passed_on_keeps_whose_word_it_is() -> None:
    (event,) = read("Dave told me that he has chess from 10:00 to 11:00.")
    assert (event.people, event.told_by) == (("dave",), "dave")


def test_a_named_day_makes_a_moment_and_a_time_of_day_alone_makes_none() -> None:
    tomorrow, some_day = read("I have chess tomorrow from 22:00 to 23:30.", "Also tea from 16:00 to 17:00.")
    assert (tomorrow.day, tomorrow.starts) == (date(2024, 5, 2), datetime(2024, 5, 2, 22))
    assert some_day.starts is None and (some_day.start, some_day.end) == (960, 1020)


def test_an_event_becomes_a_statement_that_gives_way_to_a_later_time() -> None:
    turns = [
        Turn(1, "ben", "ana", "I have chess tomorrow from 10:00 to 11:00.", datetime(2024, 5, 1, 9)),
        Turn(2, "ben", "ana", "No, sorry, make that 14:00 to 15:00.", datetime(2024, 5, 1, 10)),
    ]
    (statement,) = diary.statements(turns, Cast("ana", NAMES))
    assert statement.text == "Ben: chess on 2024-05-02, 14:00 to 15:00."
    assert (statement.starts, statement.ends) == (datetime(2024, 5, 2, 14), datetime(2024, 5, 2, 15))
    assert (statement.kind, statement.about, statement.evidence) == ("event", "ben", 2)
