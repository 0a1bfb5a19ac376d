"""Experts of a mapped GGUF asked for as soon as they are selected: what the system's page cache can do by itself.

One `madvise(WILLNEED)` for each selected expert turns page faults, one after the other, into reads of whole experts at
once. No store, no budget, no copy: the honest opponent of everything else here.
"""

import ctypes
import mmap
from collections.abc import Sequence

import numpy as np

from kithnet.runtime.hook import TensorView
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.offload.graph import MoeLayer, follow, moe_layers, probe

_PAGE = mmap.PAGESIZE


class AdviseHook:
    """See the module. asked: experts that were asked for."""

    def __init__(self, layers: Sequence[MoeLayer]) -> None:
        self._layers = {layer.decided: layer for layer in layers}
        self._advise = _madvise()
        self.asked = 0

    @classmethod
    def of(cls, model: LlamaModel) -> "AdviseHook":
        """For a loaded model. Raises ModelFileError where it has no experts, or of a kind that is not known."""
        return cls(moe_layers(probe(model), model.path.name))

    def wants(self, name: str) -> bool:
        return name in self._layers

    def computed(self, tensor: TensorView) -> None:
        layer = self._layers[tensor.name]
        experts = np.unique(TensorView(follow(tensor.address, layer.to_ids)).numpy())
        for weight in layer.weights.values():
            raw = GgmlTensor.from_address(weight)
            for expert in map(int, experts):
                start = (raw.data or 0) + expert * raw.nb[2]
                first = start // _PAGE * _PAGE
                self._advise(first, start + raw.nb[2] - first, mmap.MADV_WILLNEED)
        self.asked += len(experts)


def drop_pages(address: int, size: int) -> None:
    """Take the pages that lie wholly within a range of a mapped file out of this process's memory."""
    first = -(-address // _PAGE) * _PAGE
    length = (address + size) // _PAGE * _PAGE - first
    if length > 0:
        _madvise()(first, length, mmap.MADV_DONTNEED)


def _madvise() -> "ctypes._NamedFuncPointer":
    function = ctypes.CDLL(None).madvise
    function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
    return function
