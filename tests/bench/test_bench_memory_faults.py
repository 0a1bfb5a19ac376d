"""A sample of what `kith bench memory` measures at length: kills at any moment, and what an erasure leaves."""

from pathlib import Path

import pytest

from kithnet.bench.memory import faults, planted
from kithnet.bench.report import Bar


def missed(bars: list[Bar]) -> list[Bar]:
    return [bar for bar in bars if not bar.ok]


@pytest.mark.timeout(180)
def test_a_writer_killed_at_any_moment_loses_nothing_and_makes_up_nothing(tmp_path: Path) -> None:
    rows, bars = faults.kills(15, seed=3, folder=tmp_path)
    assert missed(bars) == []
    assert rows[0]["times"] == 15 and rows[0]["acknowledged"] > 15


@pytest.mark.timeout(180)
def test_an_erasure_killed_at_any_moment_leaves_all_of_it_or_nothing(tmp_path: Path) -> None:
    rows, bars = faults.erased(9, seed=5, folder=tmp_path)
    assert missed(bars) == []
    assert [row["erased"] for row in rows] == list(planted.FORMS) and rows[0]["killed"] == 3


def test_the_scan_finds_what_was_planted_in_every_form_that_is_written(tmp_path: Path) -> None:
    secret = planted.plant(tmp_path / "w", 1)
    found = planted.scan(tmp_path / "w", secret)
    assert found["text"] >= 6 and found["words"] >= 6 and found["vectors"] >= 1 and found["ids of vectors"] == 0
    assert planted.held(tmp_path / "w", secret)
    (tmp_path / "w" / "other.bin").write_bytes(b"\x00" + secret.words[0].encode("utf-16-le"))
    assert planted.scan(tmp_path / "w", secret)["words in utf-16"] == 1


def test_the_same_seed_plants_the_same_world(tmp_path: Path) -> None:
    first, second = planted.plant(tmp_path / "a", 4), planted.plant(tmp_path / "b", 4)
    assert (first.text, first.words) == (second.text, second.words)
    assert (first.vectors == second.vectors).all()
