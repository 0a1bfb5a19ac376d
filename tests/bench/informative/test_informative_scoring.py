"""Scores are in [0, 1], full for what is right in any wording, and nothing for empty, denying or dumping answers."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.bench.informative.item import Item, Resident, Said, Scoring, Setting
from kithnet.bench.informative.scoring import (
    best_constant,
    f1,
    minutes_in,
    number_in,
    overlap_share,
    score,
    short_right,
)

SETTING = Setting(
    "s", (Resident("a", "Ana"), Resident("b", "Ben")), (("a", "b"),), (Said(0, "a", "b", "hi", datetime(2024, 1, 1)),)
)
NAMES = ("Work", "Yoga", "Chess", "Hiking")
WORDS = st.sampled_from(("ferry", "lantern", "Oslo", "blue", "cheese", "granary"))
MINUTES = st.frozensets(st.integers(0, 1439), max_size=60)


def item(scoring: Scoring, answer: str, **more: object) -> Item:
    return Item("i", "f", SETTING, "a", "b", "?", answer, scoring, **more)  # type: ignore[arg-type]


ITEMS = (
    item("number", "3"),
    item("set", "Work; Yoga", options=NAMES),
    item("intervals", "9:00-10:30; 14:00-15:00"),
    item("short", "blue cheese", options=("blue cheese", "ghost stories")),
    item("all", "Oslo; Ben", parts=(("Oslo",), ("Ben", "Benjamin"))),
)


@pytest.mark.parametrize("one", ITEMS, ids=lambda one: one.scoring)
def test_the_canonical_answer_is_worth_everything_and_an_empty_one_nothing(one: Item) -> None:
    assert score(one, one.answer) == 1.0
    assert score(one, "") == score(one, "  \n") == 0.0


@given(st.sampled_from(ITEMS), st.text(max_size=200))
def test_any_text_has_a_score_between_nothing_and_everything(one: Item, text: str) -> None:
    assert 0.0 <= score(one, text) <= 1.0


@given(st.integers(0, 99), st.integers(0, 99))
def test_a_number_counts_only_alone(wanted: int, given_: int) -> None:
    assert number_in(f"I get {wanted}.") == wanted
    assert score(item("number", str(wanted)), f"{given_} must go") == float(wanted == given_)
    assert number_in(f"{wanted} or {wanted + 1}") is None


def test_numbers_are_read_in_words_and_never_out_of_times() -> None:
    assert number_in("Three entries must be removed.") == 3
    assert number_in("from 9:30 on") is None


@given(st.frozensets(st.sampled_from(NAMES)), st.frozensets(st.sampled_from(NAMES)))
def test_f1_is_symmetric_and_full_only_for_the_same_set(gold: frozenset[str], given_: frozenset[str]) -> None:
    assert f1(gold, given_) == f1(given_, gold)
    assert (f1(gold, given_) == 1.0) == (gold == given_)


@given(MINUTES, MINUTES)
def test_overlap_is_symmetric_and_full_only_for_the_same_minutes(gold: frozenset[int], given_: frozenset[int]) -> None:
    assert overlap_share(gold, given_) == overlap_share(given_, gold)
    assert (overlap_share(gold, given_) == 1.0) == (gold == given_)


def test_naming_every_activity_costs_precision() -> None:
    assert score(ITEMS[1], ", ".join(NAMES)) == pytest.approx(2 * 2 / 6)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("9:00-10:30", 90), ("from 9 am to 10:30 am", 90), ("22:30 - 6:30", 480), ("2.30 p.m. until 4 p.m.", 90),
        ("between 14:00 and 15:00, and 16:00-16:30", 90), ("2 to 3", 0), ("25:00-26:00", 0), ("20:00-24:00", 240),
    ],
)  # fmt: skip
def test_ranges_of_time_are_read_in_several_forms(text: str, minutes: int) -> None:
    assert len(minutes_in(text)) == minutes


@given(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), st.lists(WORDS, max_size=4).map(" ".join))
def test_a_short_answer_may_stand_in_a_sentence_and_differ_in_case_and_articles(gold: str, more: str) -> None:
    assert short_right(f"It is the {gold.upper()}, {more}", (gold,))
    assert not short_right("I could not find this out", (gold,))


def test_a_short_answer_is_wrong_when_it_denies_lists_others_or_dumps() -> None:
    accepted, options = ("blue cheese",), ("blue cheese", "ghost stories")
    assert short_right("Blue cheese!", accepted, options)
    assert not short_right("It is not blue cheese.", accepted, options)
    assert not short_right("blue cheese, ghost stories", accepted, options)
    assert not short_right("well " * 61 + "blue cheese", accepted, options)
    assert not short_right("blue cheesecake", accepted, options)


def test_every_part_of_a_joined_answer_is_needed() -> None:
    assert score(ITEMS[4], "Oslo, said Benjamin") == 1.0
    assert score(ITEMS[4], "Oslo") == 0.0


@given(st.lists(st.sampled_from(("0", "1", "2")), min_size=1))
def test_the_best_constant_of_numbers_is_the_most_frequent(answers: list[str]) -> None:
    assert answers.count(best_constant("number", answers)) == max(answers.count(one) for one in answers)
