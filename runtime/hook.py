"""Evaluation hooks: see, and change, what llama.cpp computes, node by node, without a fork of it.

llama.cpp asks before each node of the compute graph whether somebody wants it, computes up to a wanted node, and calls
back with that node's tensor. `HookCallback` turns an `EvalHook` into that C callback:

    callback = HookCallback(hook)
    callback.attach(params)                      # llama_context_params; keep `callback` as long as the context
    context = lib.llama_init_from_model(model, params)
    lib.llama_decode(context, batch)
    callback.raise_pending()                     # what the hook raised, if it did

The callback runs once per node, about 900 to 1,500 times per decoded batch, so the path of an unwanted node is one read
of its name and one look-up.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from llama_cpp import _ggml
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import SetupError
from kithnet.runtime.layout import GgmlTensor

_DTYPES: dict[int, type[np.generic]] = {0: np.float32, 26: np.int32}  # GGML_TYPE_F32, GGML_TYPE_I32


class EvalHook(Protocol):
    """Something that looks at nodes of the graph while it is computed, in the thread that decodes.

    Either method may raise: the node's computation goes on, the hook is not called again in this decode, and the
    decoding thread gets the exception from `HookCallback.raise_pending`.
    """

    def wants(self, name: str) -> bool:
        """Whether nodes of exactly this name are to be seen: `l_out-0` is not `l_out-0 (view)`.

        Asked before the first such node is computed; the answer is remembered until `HookCallback.ask_again`.
        Every wanted node costs a synchronisation, since the graph is computed in pieces that end there.
        """

    def computed(self, tensor: "TensorView") -> None:
        """A wanted node has its values now; nothing that depends on it has been computed yet.

        The tensor is valid until this method returns: its memory is used again by later nodes.
        """


@dataclass(frozen=True, slots=True)
class BatchAhead:
    """What is about to be decoded, token by token: position, sequence, and whether its output is wanted.

    stopped: turns True when the decode is to end early; its results are dropped then.
    """

    positions: Sequence[int]
    sequences: Sequence[int]
    wanted: Sequence[bool]
    stopped: Callable[[], bool]


@runtime_checkable
class BatchHook(EvalHook, Protocol):
    """A hook that is also told of every batch, before it is decoded and after, whatever came of it."""

    def begin(self, batch: BatchAhead) -> bool:
        """Get ready. True: ask again which nodes are wanted. What it raises ends that decode."""

    def end(self) -> None:
        """The decode is over, stopped or failed perhaps: leave the graph as it was, llama.cpp may use it again."""


class Both:
    """Two hooks as one: each sees the nodes that it wants, the first one first."""

    def __init__(self, first: EvalHook, second: EvalHook) -> None:
        self._hooks = (first, second)
        self._wanted: dict[str, tuple[EvalHook, ...]] = {}

    def wants(self, name: str) -> bool:
        self._wanted[name] = tuple(hook for hook in self._hooks if hook.wants(name))
        return bool(self._wanted[name])

    def computed(self, tensor: "TensorView") -> None:
        for hook in self._wanted[tensor.name]:
            hook.computed(tensor)

    def begin(self, batch: BatchAhead) -> bool:
        again = False
        for hook in self._hooks:
            if isinstance(hook, BatchHook):
                again = hook.begin(batch) or again
        return again

    def end(self) -> None:
        for hook in self._hooks:
            if isinstance(hook, BatchHook):
                hook.end()


class TensorView:
    """One tensor of a graph that is being computed: its shape, and its memory while the hook is called."""

    __slots__ = ("_raw", "address")

    def __init__(self, address: int) -> None:
        self.address = address  # of the ggml_tensor, not of its data
        self._raw = GgmlTensor.from_address(address)

    def __repr__(self) -> str:
        return f"TensorView({self.name!r}, type={self.type}, ne={self.ne}, nb={self.nb})"

    @property
    def name(self) -> str:
        """Its name in the graph, such as `ffn_moe_topk-3`."""
        return self._raw.name.decode("utf-8", "replace")

    @property
    def type(self) -> int:
        """The ggml type: 0 is F32, 26 is I32."""
        return self._raw.type

    @property
    def ne(self) -> tuple[int, int, int, int]:
        """Elements per dimension, the fastest first: (n_embd, n_tokens, 1, 1) for hidden states."""
        a, b, c, d = self._raw.ne
        return a, b, c, d

    @property
    def nb(self) -> tuple[int, int, int, int]:
        """Strides in bytes, in the order of `ne`."""
        a, b, c, d = self._raw.nb
        return a, b, c, d

    @property
    def data(self) -> int:
        """The address of the first element; 0 when nothing is allocated."""
        return self._raw.data or 0

    def numpy(self) -> "npt.NDArray[Any]":
        """The values as an array that shares the tensor's memory: writing to it changes what is computed from it.

        Dimensions come in numpy's order, the reverse of `ne`, and leading ones of length 1 are left out down to two:
        hidden states are (n_tokens, n_embd). Strides are honoured, so rows of a view lie where they lie. The array
        must not outlive the hook's call; copy what is to be kept.

        TypeError for a type other than F32 and I32, SetupError for memory that the CPU cannot read.
        """
        dtype = _DTYPES.get(self.type)
        if dtype is None:
            raise TypeError(f"{self.name} is of ggml type {self.type}; only F32 (0) and I32 (26) can be viewed")
        raw = self._raw
        if not raw.data or (raw.buffer and not _buffer_is_host(raw.buffer)):
            raise SetupError(f"{self.name} is not in memory the CPU can read", "load the model with n_gpu_layers=0")
        shape, strides = self.ne[::-1], self.nb[::-1]
        if 0 in shape:
            return np.empty(shape, dtype)
        span = sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 4
        memory: Any = (ctypes.c_char * span).from_address(raw.data)
        whole = np.ndarray(shape, dtype, memory, strides=strides)
        return whole[0, 0] if shape[:2] == (1, 1) else whole[0] if shape[0] == 1 else whole


class HookCallback:
    """The C callback of one hook. It must live as long as any context it was attached to."""

    def __init__(self, hook: EvalHook) -> None:
        self._told = hook if isinstance(hook, BatchHook) else None
        self._wanted: dict[bytes, bool] = {}
        self._pending: list[BaseException] = []
        self._function = lib.ggml_backend_sched_eval_callback(_callback(hook, self._wanted, self._pending))

    def attach(self, params: lib.llama_context_params) -> None:
        """Make contexts that are created from `params` call the hook."""
        params.cb_eval = self._function
        params.cb_eval_user_data = ctypes.c_void_p(None)

    def begin(self, batch: BatchAhead) -> None:
        """Tell the hook what comes, if it wants to know. Call it before every decode."""
        if self._told is not None and self._told.begin(batch):
            self.ask_again()

    def end(self) -> None:
        """Tell the hook that the decode is over. Call it after every decode."""
        if self._told is not None:
            self._told.end()

    def ask_again(self) -> None:
        """Forget what the hook answered to `wants`: for a hook that has changed its mind between two decodes."""
        self._wanted.clear()

    def raise_pending(self) -> None:
        """Raise what the hook raised since the last call, if anything. Call it after every decode.

        The logits of such a decode are those of a hook that fell silent; the next decode calls the hook again.
        """
        if self._pending:
            error = self._pending[0]
            self._pending.clear()
            raise error


def _callback(
    hook: EvalHook, wanted: dict[bytes, bool], pending: list[BaseException]
) -> Callable[[int, bool, int | None], bool]:
    """The function behind the C pointer: local names only, since it runs for every node of every decode."""
    # A PYFUNCTYPE call keeps the GIL and takes 0.1 us, a third of what ctypes.string_at takes.
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(("ggml_get_name", _ggml.libggml))
    wants, computed = hook.wants, hook.computed

    def call(address: int, ask: bool, _data: int | None) -> bool:
        try:
            if pending:
                return not ask
            if ask:
                name = name_of(address)
                answer = wanted.get(name)
                if answer is None:
                    answer = wanted[name] = bool(wants(name.decode("utf-8", "replace")))
                return answer
            computed(TensorView(address))
        except BaseException as error:  # ctypes would print and drop it; Ctrl-C may arrive here as well
            pending.append(error)
            return not ask
        return True  # False would stop the graph half-way

    return call


def _buffer_is_host(buffer: int) -> bool:
    function = _ggml.libggml["ggml_backend_buffer_is_host"]
    function.argtypes, function.restype = (ctypes.c_void_p,), ctypes.c_bool
    return bool(function(buffer))
