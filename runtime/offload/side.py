"""Experts computed beside the model's graph: by llama.cpp's own kernels, on weights wherever they lie.

Used for copies of lower precision, and for experts that a long prompt selects beyond what memory can hold at once.
The same operations as in the model's graph on the same rows give the same bits.
"""

import ctypes
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import _ggml

from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.offload.graph import MoeLayer

Rows = npt.NDArray[np.float32]
_F32, _I32 = 0, 26
_ROOM = 1 << 16  # bytes for the description of one graph; its data lies elsewhere
_NODES = 32  # of one graph, leaves included; there are at most a dozen
_ALIGNMENT = 64
_PARAMS_AT: int = GgmlTensor.op_params.offset  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Matrices:
    """The same matrix of every expert of a layer: (rows, cols) of ggml type `type`, `step` bytes apart."""

    type: int
    rows: int
    cols: int
    address: int
    step: int


class _InitParams(ctypes.Structure):
    """`struct ggml_init_params`."""

    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


class Side:
    """Computes selected experts of a layer. For one thread at a time; `close` it at the end.

    biases: see MoeLayer; where experts have them, their rows are added as the model's graph adds them.
    """

    def __init__(self, threads: int) -> None:
        self._api = _api()
        self._backend = self._api["ggml_backend_cpu_init"]()
        self._api["ggml_backend_cpu_set_n_threads"](self._backend, threads)
        self._scratch = np.empty(0, np.uint8)

    def close(self) -> None:
        """A second call does nothing."""
        if self._backend:
            self._api["ggml_backend_free"](self._backend)
            self._backend = None

    def run(self, layer: MoeLayer, weights: Mapping[str, Matrices], x: Rows, experts: Sequence[int]) -> Rows:
        """What `experts[i]` says to input `x[i]`, before it is weighed.

        x: (n, width) inputs of the experts; weights: by role, as in `layer`. Returns (n, width).
        """
        x = np.ascontiguousarray(x, np.float32)
        chosen = np.ascontiguousarray(experts, np.int32)
        context = self._api["ggml_init"](_InitParams(_ROOM, None, True))
        try:
            graph = _Build(self._api, context, layer, weights, x, chosen)
            self._allocate(graph.made)
            self._api["ggml_backend_graph_compute"](self._backend, graph.handle)
            out = GgmlTensor.from_address(graph.result)
            memory: Any = (ctypes.c_float * (out.ne[0] * len(x))).from_address(out.data or 0)
            return np.frombuffer(memory, np.float32).reshape(len(x), out.ne[0]).copy()
        finally:
            self._api["ggml_free"](context)

    def _allocate(self, tensors: Sequence[int]) -> None:
        """Give each tensor memory of its own out of one buffer, which grows to the largest graph so far."""
        sizes = [-(-int(self._api["ggml_nbytes"](tensor)) // _ALIGNMENT) * _ALIGNMENT for tensor in tensors]
        if sum(sizes) + _ALIGNMENT > len(self._scratch):
            self._scratch = np.empty(sum(sizes) + _ALIGNMENT, np.uint8)
        at = -(-self._scratch.ctypes.data // _ALIGNMENT) * _ALIGNMENT
        for tensor, size in zip(tensors, sizes, strict=True):
            GgmlTensor.from_address(tensor).data = at
            at += size


class _Build:
    """The graph of one `run`. made: tensors that need memory. result: the tensor with the answer."""

    def __init__(
        self, api: Mapping[str, Any], context: int, layer: MoeLayer, weights: Mapping[str, Matrices], x: Rows,
        chosen: "npt.NDArray[np.int32]",
    ) -> None:  # fmt: skip
        self._api, self._context, self._layer, self._weights = api, context, layer, weights
        self.made: list[int] = []
        self._ids = self._leaf(_I32, (1, len(chosen), 1), chosen.ctypes.data)
        entered = self._leaf(_F32, (x.shape[1], 1, len(x)), x.ctypes.data)
        kind = int.from_bytes(layer.params[:4], "little")
        if "gate_up" in weights:
            act = self._node("ggml_glu", self._product("gate_up", entered), kind, False)
        else:
            gate, up = self._product("gate", entered), self._product("up", entered)
            act = self._node("ggml_glu_split", gate, up, kind)
        ctypes.memmove(act + _PARAMS_AT, layer.params, len(layer.params))
        self.result = self._product("down", act)
        self.handle = api["ggml_new_graph_custom"](context, _NODES, False)
        api["ggml_build_forward_expand"](self.handle, self.result)

    def _product(self, role: str, entered: int) -> int:
        matrices = self._weights[role]
        shape = (matrices.cols, matrices.rows, self._layer.experts)
        weight = self._leaf(matrices.type, shape, matrices.address)
        raw = GgmlTensor.from_address(weight)
        raw.nb[2], raw.nb[3] = matrices.step, matrices.step * self._layer.experts
        product = self._node("ggml_mul_mat_id", weight, entered, self._ids)
        if role not in self._layer.biases:
            return product
        return self._node("ggml_add_id", product, self._layer.biases[role], self._ids)

    def _leaf(self, kind: int, shape: tuple[int, int, int], address: int) -> int:
        leaf: int = self._api["ggml_new_tensor_3d"](self._context, kind, *shape)
        GgmlTensor.from_address(leaf).data = address
        return leaf

    def _node(self, function: str, *arguments: int) -> int:
        node: int = self._api[function](self._context, *arguments)
        self.made.append(node)
        return node


@functools.cache
def _api() -> Mapping[str, Any]:
    """The functions used here, with their types."""
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    wide = ctypes.c_int64
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "ggml_init": (pointer, (_InitParams,)),
        "ggml_free": (None, (pointer,)),
        "ggml_new_tensor_3d": (pointer, (pointer, number, wide, wide, wide)),
        "ggml_nbytes": (size, (pointer,)),
        "ggml_mul_mat_id": (pointer, (pointer,) * 4),
        "ggml_add_id": (pointer, (pointer,) * 4),
        "ggml_glu": (pointer, (pointer, pointer, number, ctypes.c_bool)),
        "ggml_glu_split": (pointer, (pointer, pointer, pointer, number)),
        "ggml_new_graph_custom": (pointer, (pointer, size, ctypes.c_bool)),
        "ggml_build_forward_expand": (None, (pointer, pointer)),
        "ggml_backend_cpu_init": (pointer, ()),
        "ggml_backend_cpu_set_n_threads": (None, (pointer, number)),
        "ggml_backend_graph_compute": (number, (pointer, pointer)),
        "ggml_backend_free": (None, (pointer,)),
    }
    found = {}
    for name, (result, arguments) in signatures.items():
        found[name] = _ggml.libggml[name]
        found[name].restype, found[name].argtypes = result, arguments
    return found
