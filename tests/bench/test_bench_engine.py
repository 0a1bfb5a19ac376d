"""The engine's benchmark runs every measurement on the real model and reports in the common form; no time is asserted."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kithnet.bench.engine import suite
from kithnet.bench.engine.paired import Setup, in_turns, ratio, row
from kithnet.bench.engine.plain import plain
from kithnet.bench.engine.texts import counting, endless, prose
from kithnet.bench.report import as_json, as_text
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.llama import LlamaModel, default_threads

COLUMNS = {"measure", "what", "unit", "median", "min", "max", "runs"}
BARS = {"memory": 1, "decode16": 1, "prefix": 1, "dialogue": 1, "wake": 3, "overhead": 1, "http": 3}
EXACT = (
    "wake: tokens evaluated by the first reply beyond the new ones",
    "wake: first replies unlike those of an engine that did not sleep",
    "http: lost requests",
)
"""Bars that no busy machine can miss."""


@pytest.fixture(scope="module")
def setup(chat_model_path: Path) -> Iterator[Setup]:
    with closing(LlamaModel.load(chat_model_path)) as model:
        yield Setup(model, default_threads(), 7, quick=True)


def measured(path: Path, name: str) -> dict[str, Any]:
    heard: list[tuple[int, int, str]] = []
    result = suite.run(path, only=[name], quick=True, seed=7, tell=lambda *said: heard.append(said))
    assert heard == [(0, 1, name), (1, 1, "")]
    assert "quick" in result.title and "load" in as_text(result)
    return as_json(result)


@pytest.mark.model
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", BARS)
def test_a_measurement_compares_with_the_plain_class_and_has_its_bars(name: str, chat_model_path: Path) -> None:
    told = measured(chat_model_path, name)
    assert all(one.keys() == COLUMNS and one["measure"] == name for one in told["table"])
    assert all(one["min"] <= one["median"] <= one["max"] and one["runs"] >= 1 for one in told["table"])
    assert len(told["bars"]) == BARS[name]
    assert all(bar["name"].startswith(f"{name}: ") for bar in told["bars"])
    assert [bar for bar in told["bars"] if bar["name"].startswith(EXACT) and not bar["ok"]] == []
    if name not in ("memory", "overhead"):
        assert "llama_cpp.Llama" in str(told["table"])


def test_every_measurement_is_checked_here() -> None:
    assert suite.MEASURES.keys() == BARS.keys()


def test_an_unknown_measurement_is_bad_input_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        suite.run(tmp_path / "no.gguf", only=["speed"], quick=True, seed=7, tell=lambda *said: None)
    assert "decode16" in raised.value.hint


def test_sides_take_turns_and_ratios_are_within_a_repeat() -> None:
    order: list[str] = []

    async def side(name: str, value: float, turn: int) -> float:
        order.append(f"{name}{turn}")
        return value * (turn + 1)

    found = asyncio.run(in_turns(2, lambda turn: side("a", 1, turn), lambda turn: side("b", 3, turn)))
    assert order == ["a0", "b0", "a1", "b1"]
    assert found == [[1, 2], [3, 6]]
    assert ratio(found[1], found[0]) == 3
    told = row("x", "y", "s", found[1])
    assert (told["median"], told["min"], told["max"], told["runs"]) == (4.5, 3, 6, 2)


@pytest.mark.model
def test_prompts_have_the_length_that_is_asked_for_and_the_seed_decides_them(setup: Setup) -> None:
    def made(seed: int) -> str:
        return prose(random.Random(seed), setup.model, 50)

    assert 45 <= len(setup.model.tokenise(made(1), begin=True, special=False)) <= 50
    assert made(1) == made(1) != made(2)
    assert all(setup.model.is_end(token) for token, _ in endless(setup.model))


@pytest.mark.model
def test_the_plain_class_evaluates_a_whole_prompt_afresh_and_otherwise_what_is_new(setup: Setup) -> None:
    prompt = setup.model.tokenise(counting(random.Random(1)), begin=True, special=False)
    with plain(setup, 256) as baseline:
        assert baseline.write(prompt, 3) == len(prompt)
        assert baseline.write(prompt, 3) == len(prompt)
        assert baseline.write(prompt, 3, afresh=False) == 1
