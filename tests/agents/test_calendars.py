"""Tasks about several people's days: entries are collected by talking, and computed by code."""

import pytest

from kithnet.agents.tools import calendar as calendars
from kithnet.memory.store import Store

from .conftest import Bench, Chooses, Line

LINES: list[Line] = [
    ("ana", "ben", "Tomorrow I've got yoga from 9 to half past ten, and you?"),
    ("ben", "ana", "Chess from 10:00 to 11:00 for me, and tennis with you between 3 and 5 pm."),
    ("cleo", "ana", "I'm painting from 18:00 until 21:00."),
    ("ana", "cleo", "Lovely. I sleep from 10 pm to 6 am."),
    ("dora", "eve", "My pottery class runs from 10:30 to 12:00."),
    ("eve", "dora", "I'm swimming from 13:00 to 14:00. No, make that 14:00 to 15:00."),
    ("dora", "fred", "Anything on tomorrow?"),
    ("fred", "dora", "Reading, from 20:00 on, for an hour and a half."),
]
TIES = [("ana", "dora")]
SIX = "Ana, Ben, Cleo, Dora, Eve and Fred"


@pytest.fixture
def six(bench: Bench) -> Store:
    """Two circles of three; only Ana and Dora know each other."""
    return bench.world(LINES, TIES)


def test_what_has_to_be_given_up_is_reckoned_from_both_circles(bench: Bench, six: Store) -> None:
    task = f"How many activities of {SIX} must be given up at least so that none overlap?"
    talk = bench.talk(six, task, ("ana", "dora"), reader=Chooses("give_up"))
    result = talk.state["result"]
    # yoga 9:00-10:30, chess 10-11, pottery 10:30-12, swimming 14-15, tennis 15-17, painting 18-21, reading 20-21:30
    assert result["answer"] == "2" and result["worded_by"] == "tool"
    assert set(result["citations"]) >= {"m1", "m2", "m3", "m5", "m6", "m8"}


def test_the_longest_leaves_out_what_the_task_leaves_out(bench: Bench, six: Store) -> None:
    task = f"Apart from sleep, which activity of {SIX} is the longest?"
    assert bench.talk(six, task, ("ana", "dora")).state["result"]["answer"] == "painting"
    assert (
        bench.talk(six, task.replace("Apart from sleep, which", "Which"), ("ana", "dora"), name="t2").state["result"][
            "answer"
        ]
        == "sleep"
    )


def test_free_time_is_what_nobody_in_either_circle_has_taken(bench: Bench, six: Store) -> None:
    task = f"During which hours between 9:00 and 22:00 are {SIX} all free?"
    answer = bench.talk(six, task, ("dora", "ana")).state["result"]["answer"]
    assert answer == "12:00-14:00, 17:00-18:00, 21:30-22:00"


def test_where_nobody_in_reach_knows_a_calendar_the_answer_says_whose_it_lacks(bench: Bench, six: Store) -> None:
    task = "Which of the activities of Ana, Dora and Gus takes the longest?"
    result = bench.talk(six, task, ("ana", "dora")).state["result"]
    assert result["answer"].startswith("sleep") and "told me what is on for Gus" in result["answer"]


def test_a_task_about_people_of_whom_nobody_knows_anything_stays_open(bench: Bench, six: Store) -> None:
    result = bench.talk(six, "Which activity of Gus and Hugo takes the longest?", ("ana", "dora")).state["result"]
    assert not result["known"] and "Gus, Hugo" in result["answer"] and result["citations"] == []


def test_what_begins_and_is_not_known_to_end_is_named(bench: Bench) -> None:
    lines: list[Line] = [
        ("ana", "ben", "I'm painting from 18:00 until 21:00."),
        ("ana", "ben", "My chess is at 15:00."),
    ]
    talk = bench.talk(bench.world(lines), "Which activity of Ana is the longest?", ("ana", "ben"))
    assert talk.state["result"]["answer"].startswith("painting") and "when chess ends" in talk.state["result"]["answer"]


def test_entries_cross_only_inside_what_is_said(bench: Bench, six: Store) -> None:
    talk = bench.talk(six, f"Which activity of {SIX} is the longest?", ("ana", "dora"))
    said = " ".join(str(utterance["text"]) for utterance in talk.heard)
    for utterance in talk.heard:
        for claim in utterance["claims"]:  # type: ignore[attr-defined]
            assert claim["value"] in str(utterance["text"])
    assert "swimming, 14:00 to 15:00 (Eve)" in said and "13:00" not in said
    assert {entry["person"] for entry in talk.state["consulted"]} == {"ben", "cleo", "eve", "fred"}


def test_an_entry_told_in_confidence_is_not_passed_on(bench: Bench) -> None:
    lines: list[Line] = [
        ("ana", "ben", "Just between us: I'm at the clinic from 8:00 to 12:00."),
        ("ben", "ana", "I have rowing from 7:00 to 8:00."),
        ("ana", "ben", "How was your week? It was very windy here on the hill."),
        ("cleo", "ben", "Did you see the film about the lighthouse last week?"),
        ("ben", "cleo", "Not yet, I was too tired after the long drive home."),
        ("ana", "ben", "My judo is from 19:00 to 20:00."),
        ("dora", "cleo", "I'm singing from 19:30 to 21:00."),
    ]
    talk = bench.talk(bench.world(lines), "Which activity of Ana, Ben and Dora is the longest?", ("ben", "cleo"))
    said = " ".join(str(utterance["text"]) for utterance in talk.state["utterances"])
    assert "clinic" not in said and "judo" in said


def test_with_tools_off_a_task_is_left_to_recall(bench: Bench, six: Store) -> None:
    talk = bench.talk(six, f"Which activity of {SIX} is the longest?", ("ana", "dora"), tools=False)
    assert talk.state["result"]["worded_by"] != "tool" and not talk.events("tool") and not talk.events("compute")


@pytest.mark.parametrize(
    "entry",
    [
        calendars.Entry("yoga", ("Ana",), 540, 630),
        calendars.Entry("tea with cake", ("Ana", "Ben B."), 1320, 1800),
        calendars.Entry("chess", (), 0, None),
    ],
)
def test_an_entry_is_read_back_from_its_words(entry: calendars.Entry) -> None:
    assert calendars.entry(str(entry)) == entry
    assert calendars.entry(f"{entry} indeed") is None
