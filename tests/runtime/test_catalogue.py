"""The table of models: what it says agrees with what was published, and computing is by hand where it can be."""

import re

import pytest

from kithnet.runtime.catalogue import BITS, CATALOGUE, Bits, Listed, Size, find

SMALL = Listed(
    "small", "Small", "olmoe", "mit", 1024, 100, 10, 2, 4, 2, 5, 8, False, "hf:a/b/c-{type}.gguf", "made up", 6, 3
)
"""Embedding 1,000; in each layer attention 2 * 10 * 5 * (4 + 2) = 600, a router of 60, experts of 240 each."""


def test_parameters_and_keys_by_hand() -> None:
    assert SMALL.parameters == 2 * 1000 + 2 * 660 + 2 * 6 * 240
    assert SMALL.active == 2 * 1000 + 2 * 660 + 2 * 3 * 240
    assert SMALL.kv_bytes_per_token == 2 * 2 * 2 * 5 * 2


def test_bytes_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BITS, "T", Bits(experts=4, layers=8, output=16, embedding=32))
    layers, output, embedding = 2 * 660, 2 * 1000, 4 * 1000
    assert SMALL.size("T") == Size(layers + output + embedding, 1440, layers + output, 720)
    assert SMALL.size("T").total == layers + output + embedding + 1440


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("smollm2-360m", 361_821_120), ("llama-3.2-1b", 1_235_814_400), ("llama-3.2-3b", 3_212_749_824),
        ("gemma-3-1b", 999_885_952), ("gemma-3-4b", 3_880_099_328), ("mistral-7b", 7_248_023_552),
        ("qwen3-8b", 8_190_735_360), ("qwen3-14b", 14_768_307_200), ("olmoe-1b-7b", 6_919_161_856),
        ("qwen3-30b-a3b", 30.5e9), ("phi-4-mini", 3_836_021_760), ("gpt-oss-20b", 20.9e9),
    ],
)  # fmt: skip
def test_parameters_are_those_of_the_model_cards(name: str, parameters: float) -> None:
    model = find(name)
    assert model
    assert model.parameters == pytest.approx(parameters, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "kind", "gigabytes"),
    [
        ("qwen3-4b", "Q4_K_M", 2.50), ("qwen3-4b", "Q8_0", 4.28), ("qwen3-8b", "Q8_0", 8.71),
        ("llama-3.2-1b", "Q4_K_M", 0.81), ("llama-3.2-1b", "Q8_0", 1.32), ("qwen3-30b-a3b", "Q8_0", 32.48),
        ("gpt-oss-20b", "MXFP4", 12.1), ("qwen3-0.6b", "Q4_K_M", 0.3967), ("qwen3-14b", "Q4_K_M", 9.0018),
        ("llama-3.2-3b", "Q4_K_M", 2.0194), ("phi-4-mini", "Q4_K_M", 2.4919), ("gemma-3-1b", "Q8_0", 1.07),
        ("granite-3.1-1b-a400m", "Q4_K_M", 0.8218), ("granite-3.1-3b-a800m", "Q4_K_M", 2.0169),
        ("olmoe-1b-7b", "Q4_K_M", 4.2135), ("smollm2-360m", "Q8_0", 0.386), ("smollm2-1.7b", "Q4_K_M", 1.056),
    ],
)  # fmt: skip
def test_computed_sizes_are_near_published_lengths(name: str, kind: str, gigabytes: float) -> None:
    """Lengths as the cards of GGUF repositories and those who fetched the files list them."""
    model = find(name)
    assert model
    assert model.size(kind).total / 1e9 == pytest.approx(gigabytes, rel=0.02)


def test_known_keys_and_values() -> None:
    found = {model.name: model.kv_bytes_per_token for model in CATALOGUE}
    assert found["qwen3-8b"] == 2 * 36 * 8 * 128 * 2
    assert found["llama-3.2-1b"] == 32_768
    assert found["olmoe-1b-7b"] == 2 * 16 * 16 * 128 * 2


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_every_model_can_be_named_fetched_and_looked_up(model: Listed) -> None:
    assert find(model.name) is model
    assert re.fullmatch(r"[a-z0-9.-]+", model.name)
    assert model.source.startswith("https://huggingface.co/")
    assert model.license
    assert 300e6 < model.active <= model.parameters < 35e9
    for kind in model.types:
        assert re.fullmatch(r"hf:[\w.-]+/[\w.-]+/[\w.-]+\.gguf", model.reference(kind))
        assert kind.lower() in model.reference(kind).lower()
        packs = not (model.width % 256 or model.neurons % 256)
        assert packs or kind != "Q4_K_M", "other types take the place of the K types there"


def test_names_are_used_once() -> None:
    assert len({model.name for model in CATALOGUE}) == len(CATALOGUE)
    assert find("nothing") is None
