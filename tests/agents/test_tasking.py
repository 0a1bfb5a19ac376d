"""Which tool a task wants, over whom, and what it leaves out."""

import tomllib
from pathlib import Path

import pytest

from kithnet.agents.minds.rules import tasking
from kithnet.runtime.reader import LlamaReader

from .conftest import Chooses

NAMES = {name.casefold(): (name,) for name in ("Ana", "Ben", "Cleo", "Dora")}
PAIR = ("Ana", "Dora")
ASKED: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "tasks_asked.toml").read_text("utf-8"))["asked"]


def plan(task: str, tool: str = "longest") -> tasking.Plan | None:
    return tasking.read(task, NAMES, PAIR, Chooses(tool))


def told(task: str, reader: LlamaReader) -> str:
    found = tasking.read(task, NAMES, PAIR, reader)
    return found.tool if found else "none"


@pytest.mark.model
def test_tasks_are_mostly_read_for_the_tool_they_want(reader: LlamaReader) -> None:
    right = [told(task, reader) == tool for tool, tasks in ASKED.items() for task in tasks]
    assert sum(right) / len(right) >= 0.8


@pytest.mark.model
def test_tasks_in_words_that_nobody_trained_on_are_mostly_read_for_the_tool_they_want(reader: LlamaReader) -> None:
    asked = tomllib.loads((Path(__file__).parent / "tasks_paraphrased.toml").read_text("utf-8"))["task"]
    right = [told(one["asked"], reader) == one["tool"] for one in asked]
    assert sum(right) / len(right) >= 0.8


def test_a_tool_that_is_not_likely_is_none() -> None:
    assert tasking.read("Which activity of Ana and Ben is the longest?", NAMES, PAIR, Chooses("longest", 0.4)) is None


@pytest.mark.parametrize(
    ("words", "excluded"),
    [
        ("Apart from sleep, which", ("sleep",)),
        ("Except for sleep and the lunch break, which", ("sleep", "lunch break")),
        ("Sleep and lunch do not count. Which", ("sleep", "lunch")),
        ("Which, sleeping aside,", ("sleeping",)),
        ("Counting sleep, which", ()),
    ],
)
def test_what_a_task_leaves_out_is_left_out(words: str, excluded: tuple[str, ...]) -> None:
    found = plan(f"{words} activity of Ana and Ben is the longest?")
    assert found is not None and found.excluded == excluded and found.people == ("Ana", "Ben")


def test_names_nobody_has_met_are_people_too_and_days_are_not() -> None:
    found = plan("Which activity of Ana, Gus and Heidi is the longest on Monday?")
    assert found is not None and found.people == ("Ana", "Gus", "Heidi")


def test_without_names_a_task_is_about_everybody_or_the_two_who_work_on_it() -> None:
    everybody, both = (
        plan("Which activity of all of them is the longest?"),
        plan("When are we both free tomorrow?", "free"),
    )
    assert everybody is not None and everybody.people == ()
    assert both is not None and both.people == ("Ana", "Dora")


def test_free_time_has_a_window_and_a_length() -> None:
    found = plan("When are Ana and Ben both free for at least 90 minutes between 9:00 and 17:00?", "free")
    assert found is not None and (found.tool, found.window, found.least) == ("free", (540, 1020), 90)


def test_capitals_in_a_row_name_one_thing_and_not_two_people() -> None:
    assert plan("What do Royal Slate and Ana both like?", "alike") == tasking.Plan("alike", ("Royal Slate", "Ana"))
    assert (
        plan("Which thing can't whoever has Royal Slate on the walls stand, and who feels the same?", "alike") is None
    )


@pytest.mark.parametrize(
    ("task", "tool"),
    [
        ("Which activity is the longest?", "longest"),  # whose?
        ("Who but Ana has the fullest diary?", "busiest"),  # compared with whom?
        ("What does Ana like?", "alike"),  # as who else?
    ],
)
def test_a_task_that_does_not_name_whose_it_is_about_has_no_tool(task: str, tool: str) -> None:
    assert plan(task, tool) is None


@pytest.mark.model
def test_the_words_of_a_tool_alone_are_no_tool(reader: LlamaReader) -> None:
    assert told("Who has the most plans for the garden?", reader) == "none"
    assert told("When is the longest day?", reader) == "none"
