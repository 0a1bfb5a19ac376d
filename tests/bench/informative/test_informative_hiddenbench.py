"""HiddenBench's form: who is told what, options by seed, rows that need no agents, arms with less of the world."""

import json
from pathlib import Path
from typing import Any

import pytest

from kithnet.bench.informative import arms, suites
from kithnet.bench.informative.hiddenbench import items
from kithnet.bench.informative.scoring import score
from kithnet.bench.informative.summary import baselines, table
from kithnet.runtime.errors import InputError, KithnetError, RecordError


def task(number: int, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "name": f"task {number}",
        "description": "The club needs a hall.",
        "shared_information": ["The mill is cheap.", "The barn is far away."],
        "hidden_information": ["The mill has no roof.", "The barn has a stage.", "The mill is let in May."],
        "possible_answers": ["mill", "barn", "old school"],
        "correct_answer": "barn",
    }
    return made | changes


def written(tmp_path: Path, tasks: Any) -> Path:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(tasks))
    return path


def test_both_are_told_what_is_shared_and_each_one_a_part_of_the_rest(tmp_path: Path) -> None:
    [item] = items(written(tmp_path, [task(1)]), None, 7)
    mine, theirs = ([one.text for one in item.setting.heard_by(who)] for who in (item.instructor, item.assistant))
    assert set(mine) & set(theirs) == {"The mill is cheap.", "The barn is far away."}
    assert set(mine) - set(theirs) == {"The mill has no roof.", "The mill is let in May."}
    assert len(item.evidence) == 3 and item.question.endswith("?")
    assert score(item, "The barn.") == 1 and score(item, "mill") == 0 and score(item, "the barn or the mill") == 0


def test_the_seed_shuffles_the_options_and_the_place_says_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, [task(n) for n in range(60)])
    drawn = items(path, None, 7)
    assert [one.options for one in drawn] == [one.options for one in items(path, None, 7)]
    assert [one.options for one in drawn] != [one.options for one in items(path, None, 8)]
    base = baselines(drawn)
    assert sum(base["chance"]) / 60 == pytest.approx(1 / 3) and sum(base["constant"]) / 60 < 0.6
    assert base.keys() == {"constant", "chance"}
    names = [row["answered by"] for row in table(drawn, {}, ["ours"], 7)]
    assert names[:2] == ["constant", "chance"] and len(names) == 4


def test_arms_play_it_with_less_of_the_world(tmp_path: Path) -> None:
    [item] = items(written(tmp_path, [task(1)]), None, 7)
    left = {
        name: {one.text for one in arms.ARMS[name].world(item.setting, item.instructor, item.assistant).messages}
        for name in suites.ARMS["hiddenbench"]
    }
    assert left["shared-only"] == {"The mill is cheap.", "The barn is far away."}
    assert len(left["one-sided"]) == 4 and len(left["ours"]) == len(left["all-facts"]) == 5
    assert "shared-only" not in [arm.name for arm in arms.chosen(())]


def test_other_names_of_the_fields_and_a_text_for_each_agent_are_read(tmp_path: Path) -> None:
    other = task(1, options=["mill", "barn"], hidden_info={"a": "One.", "b": ["Two."]})
    del other["possible_answers"], other["hidden_information"]
    [item] = items(written(tmp_path, {"tasks": [other]}), None, 7)
    assert set(item.options) == {"mill", "barn"} and len(item.evidence) == 2


@pytest.mark.parametrize(
    "tasks",
    [
        [], {}, [3], [task(1, correct_answer="shed")], [task(1, hidden_information=["one"])], [task(1, shared_information=[3])],
        [task(1, possible_answers=["barn"])], [{"id": 1}],
    ],
)  # fmt: skip
def test_a_file_of_another_shape_is_refused(tasks: Any, tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        items(written(tmp_path, tasks), None, 7)


def test_the_suite_takes_the_file_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, [task(1), task(2)])
    assert len(suites.draw("hiddenbench", 1, 7, "dev", [path])) == 1
    with pytest.raises(InputError, match="2 tasks"):
        suites.draw("hiddenbench", 3, 7, "dev", [path])
    for given in ((), (tmp_path / "absent.json",)):
        with pytest.raises(KithnetError):
            suites.draw("hiddenbench", None, 7, "dev", given)


def test_a_plan_that_is_off_leaves_the_tools_on() -> None:
    from kithnet.agents.settings import Settings

    without = arms.ARMS["no-infonav"].settings(Settings())
    assert not without.infonav and without.tools
