"""A hook sees the nodes of a real model's graph in order, may change them, and its exceptions arrive."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import SetupError
from kithnet.runtime.hook import HookCallback, TensorView
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.llama import Batch, LlamaModel

TEXT = "The capital of France is"


@dataclass
class Recorder:
    """Keeps a copy of every wanted node, and runs `then` on it."""

    names: tuple[str, ...] = ()
    then: Callable[[TensorView], None] = lambda tensor: None
    asked: list[str] = field(default_factory=list)
    seen: list[tuple[str, Any]] = field(default_factory=list)

    def wants(self, name: str) -> bool:
        self.asked.append(name)
        return name in self.names

    def computed(self, tensor: TensorView) -> None:
        self.seen.append((tensor.name, tensor.numpy().copy()))
        self.then(tensor)


class Context:
    """A llama_context of the low-level API, with or without a hook."""

    def __init__(self, model: LlamaModel, hook: Any = None) -> None:
        self.model = model
        self.callback = HookCallback(hook) if hook else None
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_threads, params.n_threads_batch = 64, 1, 1
        if self.callback:
            self.callback.attach(params)
        self.raw = lib.llama_init_from_model(model.handle, params)

    def logits(self, text: str = TEXT) -> Any:
        """Those of the text's last token, evaluated from an empty memory."""
        tokens = self.model.tokenise(text, begin=True, special=False)
        lib.llama_memory_clear(lib.llama_get_memory(self.raw), True)
        batch = Batch(len(tokens))
        last = [False] * (len(tokens) - 1) + [True]
        batch.put(tokens, range(len(tokens)), [0] * len(tokens), last)
        try:
            assert lib.llama_decode(self.raw, batch.raw) == 0
        finally:
            batch.free()
        if self.callback:
            self.callback.raise_pending()
        pointer = lib.llama_get_logits_ith(self.raw, len(tokens) - 1)
        return np.ctypeslib.as_array(pointer, (self.model.vocab_size,)).copy()


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LlamaModel]:
    loaded = LlamaModel.load(chat_model_path)
    yield loaded
    loaded.close()


@pytest.fixture
def open_context(model: LlamaModel) -> Iterator[Callable[..., Context]]:
    opened: list[Context] = []

    def open_one(hook: Any = None) -> Context:
        opened.append(Context(model, hook))
        return opened[-1]

    yield open_one
    for context in opened:
        lib.llama_free(context.raw)


def tensor(values: Any, kind: int, ne: tuple[int, ...], nb: tuple[int, ...], name: bytes = b"made") -> Any:
    raw = GgmlTensor(type=kind, ne=ne, nb=nb, name=name, data=values.ctypes.data)
    view = TensorView(ctypes.addressof(raw))
    return raw, view


@pytest.mark.model
def test_a_hook_sees_the_wanted_nodes_in_the_order_they_are_computed(open_context: Callable[..., Context]) -> None:
    hook = Recorder(("l_out-3", "ffn_out-0", "l_out-0"))
    open_context(hook).logits()
    assert [name for name, _ in hook.seen] == ["ffn_out-0", "l_out-0", "l_out-3"]
    assert hook.asked.index("attn_norm-0") < hook.asked.index("l_out-0") < hook.asked.index("l_out-29")
    assert len(hook.asked) == len(set(hook.asked))


@pytest.mark.model
def test_the_hidden_states_of_a_layer_have_a_row_for_each_token(
    open_context: Callable[..., Context], model: LlamaModel
) -> None:
    hook = Recorder(("l_out-0", "l_out-29"))
    open_context(hook).logits()
    tokens = len(model.tokenise(TEXT, begin=True, special=False))
    (_, first), (_, last) = hook.seen
    assert first.shape == (tokens, 576)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert first.std() > 0
    assert last.shape == (1, 576)  # the last layer computes only the rows whose output is wanted


@pytest.mark.model
def test_a_hook_that_only_looks_leaves_the_logits_as_they_are_to_the_last_bit(
    open_context: Callable[..., Context],
) -> None:
    expected = open_context().logits()
    assert np.array_equal(open_context(Recorder()).logits(), expected)
    assert np.array_equal(open_context(Recorder(("l_out-0",))).logits(), expected)
    everything = Recorder()
    open_context(everything).logits()
    floats = tuple(name for name in everything.asked if name.startswith(("l_out", "ffn_out", "attn_norm", "Qcur")))
    assert np.array_equal(open_context(Recorder(floats)).logits(), expected)


@pytest.mark.model
def test_what_a_hook_writes_is_what_the_next_nodes_read(open_context: Callable[..., Context]) -> None:
    expected = open_context().logits()
    scaled = Recorder(("l_out-5",), then=lambda tensor: np.multiply(tensor.numpy(), 0.5, out=tensor.numpy()))
    assert not np.array_equal(open_context(scaled).logits(), expected)


@pytest.mark.model
def test_names_match_exactly_and_a_permuted_view_is_read_along_its_strides(
    open_context: Callable[..., Context], model: LlamaModel
) -> None:
    hook = Recorder(("Qcur-0 (view)", "Qcur-0 (view) (permuted)"))
    open_context(hook).logits()
    assert {name for name, _ in hook.seen} == set(hook.names)
    assert "Qcur-0" in hook.asked
    plain, permuted = (values for _, values in hook.seen)
    tokens = len(model.tokenise(TEXT, begin=True, special=False))
    assert plain.shape == (tokens, 9, 64)
    assert np.array_equal(permuted, plain.transpose(1, 0, 2))


@pytest.mark.model
@pytest.mark.parametrize("error", [ZeroDivisionError("in the hook"), KeyboardInterrupt()])
def test_an_exception_in_the_hook_reaches_the_decoding_thread_and_the_next_decode_works(
    open_context: Callable[..., Context], error: Any
) -> None:
    def fail(tensor: TensorView) -> None:
        raise error

    expected = open_context().logits()
    hook = Recorder(("l_out-0", "l_out-1"), then=fail)
    context = open_context(hook)
    with pytest.raises(type(error)) as caught:
        context.logits()
    assert caught.value is error
    assert [name for name, _ in hook.seen] == ["l_out-0"], "after an exception the hook is left alone"
    hook.then = lambda tensor: None
    assert np.array_equal(context.logits(), expected)
    assert [name for name, _ in hook.seen] == ["l_out-0", "l_out-0", "l_out-1"]


@pytest.mark.model
def test_an_exception_while_asking_reaches_the_decoding_thread_too(open_context: Callable[..., Context]) -> None:
    class Refuses(Recorder):
        def wants(self, name: str) -> bool:
            raise LookupError(name)

    with pytest.raises(LookupError, match="embd"):
        open_context(Refuses()).logits()


@pytest.mark.model
def test_a_hook_that_changes_its_mind_is_asked_again(open_context: Callable[..., Context]) -> None:
    hook = Recorder(("l_out-0",))
    context = open_context(hook)
    context.logits()
    hook.names = ("l_out-1",)
    context.logits()
    assert [name for name, _ in hook.seen] == ["l_out-0", "l_out-0"]
    assert context.callback is not None
    context.callback.ask_again()
    context.logits()
    assert [name for name, _ in hook.seen] == ["l_out-0", "l_out-0", "l_out-1"]


def test_a_strided_integer_tensor_is_a_view_of_its_memory() -> None:
    table = np.arange(24, dtype=np.int32).reshape(4, 6)
    _raw, view = tensor(table, 26, (2, 4, 1, 1), (4, 24, 96, 96), b"ffn_moe_topk-0")
    assert np.array_equal(view.numpy(), table[:, :2])
    view.numpy()[1, 0] = -1
    assert table[1, 0] == -1
    assert (view.name, view.ne, view.nb, view.data) == (
        "ffn_moe_topk-0",
        (2, 4, 1, 1),
        (4, 24, 96, 96),
        table.ctypes.data,
    )


def test_other_types_and_missing_memory_are_refused() -> None:
    half = np.zeros(4, np.float16)
    _raw, view = tensor(half, 1, (4, 1, 1, 1), (2, 8, 8, 8))
    with pytest.raises(TypeError, match="ggml type 1"):
        view.numpy()
    raw, view = tensor(half, 0, (1, 1, 1, 1), (4, 4, 4, 4))
    raw.data = None
    with pytest.raises(SetupError, match="not in memory"):
        view.numpy()
