"""Times of day and lengths of time as people say them, wherever they stand in a sentence."""

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.memory.language.time import clock, expressions
from kithnet.memory.language.time.clock import Clock, said

SAID = tomllib.loads((Path(__file__).parent / "clock_said.toml").read_text(encoding="utf-8"))
AROUND_TIMES = ("We meet at {}, all of us.", "I sing until {}.", "It begins at {} for us.")
AROUND_LENGTHS = ("I paint for {}, all alone.", "It takes {}.", "We stay for {} at the lake.")


def spans(text: str) -> list[tuple[str, str]]:
    """Each expression of a text as its words and what it says: "09:00", "09:00?" of a bare number, "90 min"."""
    words = clock.tokens(text)
    found = []
    for one in expressions.expressions(words):
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
    (twelve,), (day,) = expressions.expressions(words), expressions.expressions(words, to_24=True)
    assert (twelve.clock, day.clock) == (Clock(270), Clock(270, True))


def held_out(phrase: str) -> bool:
    """Whether a phrase is one that no rule was made for: parted by a hash, so by nobody's choice."""
    return hashlib.sha256(phrase.encode()).digest()[0] % 2 == 1


def misread(section: str, *, out: bool) -> tuple[list[str], int]:
    """What is read wrong of one half of a section, and how many there are."""
    lines = [line for line in SAID[section].splitlines() if line and held_out(line) == out]
    return [f"{line}  <-  {wrong}" for line in lines if (wrong := _misread(section, line)) is not None], len(lines)


def _misread(section: str, line: str) -> object:
    phrase, _, meant = line.partition(" = ")
    if section == "nothing":
        marks = [mark.kind for mark in expressions.marks(clock.tokens(line))]
        sure = [one for one in spans(line) if not one[1].endswith("?")]
        return (sure, marks) if sure or marks else None
    if section == "sentences":
        found = spans(phrase)
        return None if [one[1].removesuffix(" min") for one in found] == meant.split(", ") else found
    return next(_wrong_in_frames(section, phrase, meant), None)


def _wrong_in_frames(section: str, phrase: str, meant: str) -> Iterator[object]:
    wanted = meant if section == "times" else f"{meant} min"
    for frame in AROUND_TIMES if section == "times" else AROUND_LENGTHS:
        if (found := spans(frame.format(phrase))) != [(phrase, wanted)]:
            yield found


def test_times_and_lengths_are_read_in_the_forms_that_english_has_for_them() -> None:
    for section in ("times", "lengths", "sentences"):
        wrong, _ = misread(section, out=False)
        assert not wrong, "\n".join(wrong)


def test_forms_that_no_rule_was_made_for_are_nearly_all_read() -> None:
    for section in ("times", "lengths", "sentences"):
        wrong, among = misread(section, out=True)
        assert len(wrong) <= 0.05 * among


def test_prices_scores_counts_years_and_addresses_are_no_times() -> None:
    wrong, _ = misread("nothing", out=False)
    assert not wrong, "\n".join(wrong)
    unseen, among = misread("nothing", out=True)
    assert len(unseen) <= 0.05 * among


HOURS = "twelve one two three four five six seven eight nine ten eleven".split()
MINUTES = {0: "", 15: " fifteen", 30: " thirty", 45: " forty-five"}
QUARTERS = st.integers(20, 92).map(lambda quarter: quarter * 15)


def ways_to_say(minute: int) -> list[str]:
    """Ways to say a time of day that leave no doubt of its half."""
    hour, rest = divmod(minute, 60)
    half, word, twelve = ("pm" if hour >= 12 else "am"), HOURS[hour % 12], hour % 12 or 12
    digits = [
        f"{hour:02d}:{rest:02d}",
        f"{hour:02d}h{rest:02d}",
        f"{hour:02d}{rest:02d} hrs",
        f"{twelve}.{rest:02d}{half}",
    ]
    told = [f"{word}{MINUTES[rest]} {half}", f"{twelve}:{rest:02d} {half} sharp"]
    past = {0: "{} o'clock", 15: "a quarter past {}", 30: "half {}", 45: "fifteen minutes shy of {}"}[rest]
    named = HOURS[(hour + (rest == 45)) % 12]
    return [*digits, *told, f"{past.format(named)} {'in the morning' if hour < 12 and named != 'twelve' else half}"]


@pytest.mark.parametrize(
    "frame", ["Chess from {} to {}.", "Chess, {} - {}", "It is between {} and {}, I think.", "{} until {}"]
)
@given(QUARTERS, st.integers(1, 8), st.data())
def test_a_range_is_read_whatever_way_its_ends_are_said(
    frame: str, quarters: int, longer: int, data: st.DataObject
) -> None:
    start, end = quarters, quarters + 15 * longer
    first, second = (data.draw(st.sampled_from(ways_to_say(minute % 1440))) for minute in (start, end))
    (mark,) = expressions.marks(clock.tokens(frame.format(first, second)))
    assert clock.settle(mark.start, mark.end) == (start, end)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("He came about two hours ago.", []),
        ("It leaves in a couple hours.", []),
        ("They left one by one.", []),
        ("You should start one!", []),
        ("We stopped for two seconds.", []),
        ("Chess is moved by half an hour.", ["shift"]),
        ("I'm done by half an hour before eleven.", ["end"]),
        ("Chess for about an hour.", ["length"]),
        ("Chess from about nine until around eleven.", ["range"]),
        ("Chess from nine all the way up to noon.", ["range"]),
        ("From ten to nine on I play chess.", ["start"]),
        ("I play chess from ten to nine.", ["range"]),
    ],
)
def test_what_an_expression_is_for_is_told_by_the_words_around_it(text: str, kinds: list[str]) -> None:
    assert [mark.kind for mark in expressions.marks(clock.tokens(text))] == kinds
