"""The share of dates and times of day in real requests that are read as they were meant."""

import json
from pathlib import Path

import pytest

from kithnet.bench.reading import requests
from kithnet.runtime.errors import InputError, RecordError


def told(utterance: str, **values: str) -> str:
    slots = [{"slot": name, "value": value} for name, value in values.items()]
    return json.dumps({"utterance": utterance, "today": "2019-03-01", "slots": slots})


def test_what_is_read_is_counted_against_what_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    lines = (
        told("A boat for the 9th at half past six in the evening", pickup_date="2019-03-09", pickup_time="18:30"),
        told("Two seats on Tuesday or so", date="2019-03-06", event_name="Low"),
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    dates, times, read = requests.rows(requests.load(path))
    assert dates == {"of": "dates", "count": 2, "right": 0.5}
    assert times == {"of": "clock times", "count": 1, "right": 1.0}
    assert read == {"of": "dates read", "count": 2, "right": 0.5}


def test_a_file_that_is_none_of_requests_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text(told("hello") + "\n{}\n", encoding="utf-8")
    with pytest.raises(RecordError, match="line 2"):
        requests.load(path)
    with pytest.raises(InputError, match="cannot read"):
        requests.load(tmp_path / "none.jsonl")


@pytest.mark.data
def test_dates_and_times_of_real_requests_are_read(shared_data: Path) -> None:
    dates, times, read = requests.rows(requests.load(shared_data / "sgd" / "times.jsonl"))
    assert dates["right"] >= 0.95 and times["right"] >= 0.99 and read["right"] >= 0.95
