"""Adapters change what a real model computes, come off without a trace, and bad files are refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.llama import Batch, LlamaModel
from kithnet.runtime.lora import AdapterFile, Adapters

from .lora_files import write_adapter

pytestmark = pytest.mark.model
Load = Callable[..., Adapters]


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LlamaModel]:
    loaded = LlamaModel.load(chat_model_path)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    for seed, name in ((1, "warm"), (2, "cold")):
        write_adapter(folder / f"{name}.gguf", seed=seed)
    return folder


@pytest.fixture
def load(model: LlamaModel, folder: Path) -> Iterator[Load]:
    """Adapters of warm.gguf and cold.gguf by `name=scale` or `name=(file, scale)`; freed after the context."""
    made: list[Adapters] = []

    def load_some(**wanted: Any) -> Adapters:
        pairs = {name: one if isinstance(one, tuple) else (name, one) for name, one in wanted.items()}
        files = [AdapterFile(name, folder / f"{file}.gguf", scale) for name, (file, scale) in pairs.items()]
        made.append(Adapters(model, files))
        return made[-1]

    yield load_some
    for adapters in made:
        adapters.close()


@pytest.fixture
def contexts(load: Load, model: LlamaModel) -> Iterator[Callable[[], Any]]:
    opened: list[Any] = []

    def open_one() -> Any:
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_threads, params.n_threads_batch = 64, 1, 1
        opened.append(lib.llama_init_from_model(model.handle, params))
        return opened[-1]

    yield open_one
    for context in opened:
        lib.llama_free(context)


def logits(model: LlamaModel, context: Any) -> Any:
    tokens = model.tokenise("The capital of France is", begin=True, special=False)
    lib.llama_memory_clear(lib.llama_get_memory(context), True)
    batch = Batch(len(tokens))
    batch.put(tokens, range(len(tokens)), [0] * len(tokens), [False] * (len(tokens) - 1) + [True])
    assert lib.llama_decode(context, batch.raw) == 0
    batch.free()
    pointer = lib.llama_get_logits_ith(context, len(tokens) - 1)
    return np.ctypeslib.as_array(pointer, (model.vocab_size,)).copy()


def test_an_adapter_changes_the_logits_and_comes_off_without_a_trace(
    load: Load, contexts: Callable[..., Any], model: LlamaModel
) -> None:
    adapters, context = load(warm=1.0), contexts()
    plain = logits(model, context)
    adapters.apply(context, "warm")
    assert np.abs(logits(model, context) - plain).max() > 0.01
    adapters.apply(context, "")
    assert np.array_equal(logits(model, context), plain)


def test_scale_nought_is_no_adapter_and_a_larger_scale_changes_more(
    load: Load, contexts: Callable[..., Any], model: LlamaModel
) -> None:
    adapters, context = load(off=("warm", 0.0), little=("warm", 0.1), much=("warm", 1.0)), contexts()
    plain = logits(model, context)
    change = {}
    for name in adapters.names:
        adapters.apply(context, name)
        change[name] = float(np.abs(logits(model, context) - plain).max())
    assert change["off"] == 0.0
    assert 0.0 < change["little"] < change["much"]


def test_two_adapters_switch_back_and_forth_and_are_never_both_on(
    load: Load, contexts: Callable[..., Any], model: LlamaModel
) -> None:
    adapters, context = load(warm=1.0, cold=1.0), contexts()
    adapters.apply(context, "warm")
    warm = logits(model, context)
    adapters.apply(context, "cold")
    cold = logits(model, context)
    assert not np.array_equal(warm, cold)
    for _ in range(2):
        for name, expected in (("warm", warm), ("cold", cold)):
            adapters.apply(context, name)
            adapters.apply(context, name)
            assert np.array_equal(logits(model, context), expected)


def test_each_context_has_its_own_adapter(load: Load, contexts: Callable[..., Any], model: LlamaModel) -> None:
    adapters = load(warm=1.0)
    plain, warm = contexts(), contexts()
    adapters.apply(warm, "warm")
    adapters.apply(plain, "")
    before = logits(model, plain)
    assert not np.array_equal(logits(model, warm), before)
    assert np.array_equal(logits(model, plain), before)


def test_a_context_made_where_another_was_freed_gets_its_adapter(
    load: Load, contexts: Callable[..., Any], model: LlamaModel
) -> None:
    adapters, kept = load(warm=1.0), contexts()
    adapters.apply(kept, "warm")
    expected = logits(model, kept)
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 64, 1, 1
    for _ in range(3):  # such contexts usually come to lie at the same address
        context = lib.llama_init_from_model(model.handle, params)
        adapters.apply(context, "warm")
        assert np.array_equal(logits(model, context), expected)
        lib.llama_free(context)


def test_an_adapter_loaded_after_the_context_works_as_well(
    load: Load, contexts: Callable[..., Any], model: LlamaModel, tmp_path: Path
) -> None:
    context = contexts()
    plain = logits(model, context)
    every_layer = write_adapter(tmp_path / "large.gguf", layers=range(30))
    adapters = Adapters(model, [AdapterFile("large", every_layer)])
    adapters.apply(context, "large")
    assert not np.array_equal(logits(model, context), plain)
    adapters.apply(context, "")
    adapters.close()
    assert np.array_equal(logits(model, context), plain)


def test_an_unknown_name_is_told_the_known_ones(load: Load, contexts: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="'tepid'; there are: warm, cold"):
        load(warm=1.0, cold=1.0).apply(contexts(), "tepid")
    with pytest.raises(ConfigError, match="none is loaded"):
        load().apply(contexts(), "warm")


def test_names_and_scales_that_cannot_be_are_refused(model: LlamaModel, folder: Path) -> None:
    warm = folder / "warm.gguf"
    for files, message in (
        ([AdapterFile("", warm)], "no name"),
        ([AdapterFile("a", warm), AdapterFile("a", warm)], "two adapters are named 'a'"),
        ([AdapterFile("a", warm, float("nan"))], "scale of adapter 'a'"),
    ):
        with pytest.raises(ConfigError, match=message):
            Adapters(model, files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "qwen2"}, "arch mismatch"),
        ({"width": 64}, "incorrect shape"),
        ({"layers": (77,)}, "does not exist in base model"),
        ({"kind": "model"}, "general.type"),
        ({"layers": ()}, "no tensors"),
        ({"invocation": (1, 2)}, "activated LoRA"),
    ],
)
def test_a_file_that_is_no_adapter_of_this_model_is_refused(
    model: LlamaModel, folder: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    bad = write_adapter(tmp_path / "bad.gguf", **options)
    with pytest.raises(ModelFileError, match=message) as caught:
        Adapters(model, [AdapterFile("good", folder / "warm.gguf"), AdapterFile("bad", bad)])
    assert str(bad) in caught.value.message
    assert caught.value.hint


def test_a_missing_a_foreign_and_a_cut_file_are_refused(model: LlamaModel, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "warm.gguf").read_bytes()
    foreign, cut, short = tmp_path / "foreign", tmp_path / "cut", tmp_path / "short"
    foreign.write_bytes(b"PK\x03\x04 something else entirely")
    cut.write_bytes(whole[: len(whole) // 2])
    short.write_bytes(whole[:200])
    for path, message in (
        (tmp_path / "missing", "cannot be read: No such file"),
        (tmp_path, "cannot be read"),
        (foreign, "not a GGUF file"),
        (cut, "not within the file bounds"),
        (short, "failed to load"),
        (model.path, "general.type"),
    ):
        with pytest.raises(ModelFileError, match=message) as caught:
            Adapters(model, [AdapterFile("bad", path)])
        assert caught.value.hint


@pytest.mark.parametrize("model_first", [False, True])
def test_adapters_and_their_model_close_in_either_order_and_twice(
    chat_model_path: Path, folder: Path, model_first: bool
) -> None:
    model = LlamaModel.load(chat_model_path)
    adapters = Adapters(model, [AdapterFile("warm", folder / "warm.gguf")])
    for closing in (model, adapters, model) if model_first else (adapters, model, adapters):
        closing.close()
    assert adapters.names == ()
