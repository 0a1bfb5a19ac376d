"""`kith bench memory`: it measures what it says, beside the baseline, and small sizes run through."""

from pathlib import Path

import pytest

from kithnet.bench.memory import changing, keeping, leaking, suite
from kithnet.bench.memory.flat import FlatMemory
from kithnet.bench.memory.played import Tools, f1, opened
from kithnet.memory.language.reader import WordReader
from kithnet.memory.vectors import HashEmbedder
from kithnet.memory.writing.extract import Statement
from kithnet.network.generate.mixed import mixed_episode
from kithnet.runtime.errors import InputError


@pytest.fixture(scope="module")
def tools() -> Tools:
    return Tools(HashEmbedder(), WordReader())


def test_gold_memories_links_and_tags_are_counted_beside_the_baseline(tools: Tools) -> None:
    rows, bars = keeping.kept(1, seed=3, phrases="default", tools=tools)
    by_name = {row["what"]: row for row in rows}
    assert 0.9 <= by_name["gold memories: recall"]["kithnet"] <= 1
    assert 0 < by_name["gold memories: precision"]["kithnet"] <= 1
    assert {"kithnet", "emma"} <= by_name["tag R@1"].keys()
    assert all(bar.better == "higher" for bar in bars)


def test_no_probe_of_the_development_wordings_leaks(tools: Tools) -> None:
    rows, bars = leaking.leaks(60, seed=3, phrases="default", tools=tools, episodes=2)
    assert rows[0]["n"] == 60 and rows[0]["emma"] > 0
    assert bars[0].ok


def test_updates_are_answered_and_replays_add_nothing(tools: Tools) -> None:
    rows, (bar,) = changing.stale(6, seed=3, phrases="default", tools=tools)
    assert rows[0]["n"] == 6 and bar.ok
    rows, (bar,) = changing.replayed(1, seed=3, phrases="default", tools=tools)
    assert rows[0]["kithnet"] == 0 and rows[0]["emma"] == 10 and bar.ok


def test_the_baseline_serves_the_nearest_whatever_holds(tools: Tools) -> None:
    flat = FlatMemory(tools)
    assert flat.top("Where does Carol live?") is None
    for text in ("Carol lives in Porto.", "Carol lives in Hanoi now."):
        flat.write([Statement("carol", "carol", "fact", text, 1, None)])
    assert flat.top("Carol lives in Porto.") == 0 and flat.links == [(1, 0)]


def test_the_gold_of_an_episode_is_found_in_what_was_written(tools: Tools, tmp_path: Path) -> None:
    episode = mixed_episode(5)
    with opened(episode, tmp_path, tools) as played:
        for session in range(6):
            played.write(session)
        played.look()
    assert sum(bool(ids) for ids in played.of_gold.values()) >= 0.9 * len(episode.memories)


def test_f1_of_nothing_is_zero() -> None:
    assert f1(0, 0, 0) == (0.0, 0.0, 0.0)
    assert list(f1(1, 2, 1)) == pytest.approx([0.5, 1.0, 2 / 3])


def test_an_unknown_measurement_or_wording_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        suite.run(tmp_path / "none.gguf", tmp_path / "none.gguf", only=["nonsense"])
    with pytest.raises(InputError):
        suite.run(tmp_path / "none.gguf", tmp_path / "none.gguf", phrases="nonsense")


@pytest.mark.model
def test_small_sizes_run_through_with_the_real_models(embedder_path: Path, reader_path: Path) -> None:
    result = suite.run(embedder_path, reader_path, only=["replay"], quick=True)
    assert result.bars[0].ok and "held-out" in result.title
