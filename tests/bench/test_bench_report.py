"""What a benchmark tells: its table, its bars with a missed one shown, the machine and the seed."""

import json

import pytest

from kithnet.bench.report import Bar, Result, as_json, as_text, machine


@pytest.mark.parametrize(
    ("bar", "ok"),
    [
        (Bar("ties", 588, 588, "higher"), True),
        (Bar("ties", 587, 588, "higher"), False),
        (Bar("seconds", 180.0, 180.0, "lower"), True),
        (Bar("seconds", 180.1, 180.0, "lower"), False),
    ],
)
def test_a_bar_is_met_on_its_better_side(bar: Bar, ok: bool) -> None:
    assert bar.ok is ok


RESULT = Result(
    "A title",
    [{"system": "baseline", "seconds": 180.0}, {"system": "this run", "seconds": 12.3456, "calls": 70_000}],
    [Bar("seconds", 12.3456, 180.0, "lower"), Bar("people", 12, 140, "higher")],
    seed=7,
    seconds=13.25,
)


def test_the_json_contract_of_bench() -> None:
    told = json.loads(json.dumps(as_json(RESULT)))
    assert told.keys() == {"table", "bars", "machine", "seed", "seconds"}
    assert told["table"] == RESULT.table
    assert told["bars"][1] == {"name": "people", "value": 12, "bar": 140, "better": "higher", "ok": False}
    assert (told["seed"], told["seconds"]) == (7, 13.25)
    assert told["machine"].keys() >= {"cores", "memory_gb", "python"}


def test_the_text_shows_every_row_and_a_missed_bar_beside_the_others() -> None:
    lines = as_text(RESULT).splitlines()
    assert lines[0] == "A title"
    assert lines[2].split() == ["system", "seconds", "calls"]
    assert lines[4].split() == ["this", "run", "12.3", "70,000"]
    assert any(line.startswith("ok") and "seconds: 12.3 (bar <= 180.0)" in line for line in lines)
    assert any(line.startswith("MISS") and "people: 12 (bar >= 140)" in line for line in lines)
    assert "seed 7" in lines[-1]


def test_the_machine_is_named() -> None:
    about = machine()
    assert about["cores"] >= 1
    assert about["memory_gb"] > 0
