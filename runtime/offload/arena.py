"""Address space for every expert of a model, of which only what is held takes memory.

An anonymous mapping without reservation stands in for the weights: each expert has a place of its own in it, where its
record from the store is read to, gate, up and down together. The tensors of the model point into that space
(`Binding`), with the size of a place as the stride from one expert to the next, so llama.cpp computes on what lies
there as on weights it had loaded itself. A place that is not held reads as zeros and costs nothing.
"""

import ctypes
import functools
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kithnet.runtime.errors import StorageError
from kithnet.runtime.layout import GgmlTensor

Place = tuple[int, int]  # (layer, expert)
PAGE = mmap.PAGESIZE
_MOVE = 1 | 2 | 4  # MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP: pages go, the address range stays ours
_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python names it from 3.13 on; the value is Linux's


class Arena:
    """Places for (layer, expert), within a hard budget of bytes. Layers are counted from 0.

    places: the size of a place in each layer, a multiple of the page size. For one thread at a time.
    """

    def __init__(self, places: Sequence[int], experts: int, budget: int) -> None:
        assert all(size > 0 and size % PAGE == 0 for size in places)
        self.places = tuple(places)
        self.budget = budget
        self.used = 0
        self.peak = 0
        self._starts = [0]
        for size in places:
            self._starts.append(self._starts[-1] + size * experts)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE
        self._space = mmap.mmap(-1, self._starts[-1], flags=flags)
        # Huge pages would take memory beyond the places that are held: the budget is meant to the page.
        self._space.madvise(mmap.MADV_NOHUGEPAGE)
        self._held: set[Place] = set()
        self._pin = (ctypes.c_char * 1).from_buffer(self._space)
        self.base = ctypes.addressof(self._pin)

    def address(self, layer: int, expert: int) -> int:
        """Where a place begins; a multiple of the page size."""
        return self.base + self._starts[layer] + expert * self.places[layer]

    def fits(self, layer: int) -> bool:
        """Whether one more place of this layer is within the budget."""
        return self.used + self.places[layer] <= self.budget

    def take(self, layer: int, expert: int) -> int:
        """Count a place as held from now on, before anything is written there; returns its address."""
        assert (layer, expert) not in self._held, "a place is taken once"
        if not self.fits(layer):
            raise StorageError(
                f"expert {expert} of layer {layer} would exceed the budget of {self.budget:,} bytes",
                "this is a defect: report it with the settings in use",
            )
        self._held.add((layer, expert))
        self.used += self.places[layer]
        self.peak = max(self.peak, self.used)
        return self.address(layer, expert)

    def move(self, old: Place, new: Place) -> int:
        """Hold `new` in place of `old`, of the same size, in the very same memory; returns the new address.

        What lies there is the old one's until it is written over. Moving pages spares the system from clearing fresh
        ones, which costs more than reading into them; where it cannot move, the old ones are given back.
        """
        assert old in self._held and new not in self._held and self.places[old[0]] == self.places[new[0]]
        size, target = self.places[new[0]], self.address(*new)
        if _mremap()(self.address(*old), size, size, _MOVE, target) != target:
            self.give_back(*old)
            return self.take(*new)
        self._held.remove(old)
        self._held.add(new)
        return target

    def give_back(self, layer: int, expert: int) -> None:
        """Return a place's memory to the system; it reads as zeros from now on."""
        self._held.remove((layer, expert))
        self._space.madvise(mmap.MADV_DONTNEED, self._starts[layer] + expert * self.places[layer], self.places[layer])
        self.used -= self.places[layer]

    def close(self) -> None:
        """Unmap. No tensor may point here any more. A second call does nothing."""
        if not self._space.closed:
            del self._pin
            self._space.close()
            self._held.clear()
            self.used = 0


@functools.cache
def _mremap() -> Callable[[int, int, int, int, int], int | None]:
    """The system call; one that always fails where there is none."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mremap"):
        return lambda *_: None
    function: Any = library.mremap
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p)
    function.restype = ctypes.c_void_p
    return function  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a tensor of experts lies, and in which type: the address of the first expert's, the bytes from one expert to
    the next, the ggml type, and the bytes of a block and of a row of it."""

    address: int
    step: int
    type: int
    block: int
    row: int


class Binding:
    """Tensors of a loaded model made to point somewhere else, until `undo`."""

    def __init__(self, spots: Mapping[int, Spot]) -> None:
        """spots: by the address of the `ggml_tensor`, whose dimensions stay as they are."""
        self._before: list[tuple[int, int, int | None, tuple[int, ...]]] = []
        for tensor, spot in spots.items():
            raw = GgmlTensor.from_address(tensor)
            self._before.append((tensor, raw.type, raw.data, tuple(raw.nb)))
            _point(raw, spot.type, spot.address, (spot.block, spot.row, spot.step, spot.step * raw.ne[2]))

    @property
    def left(self) -> tuple[tuple[int, int], ...]:
        """(address, bytes) that the tensors pointed to before."""
        return tuple((data, strides[3]) for _, _, data, strides in self._before if data)

    def undo(self) -> None:
        """Point back to where the tensors were. A second call does nothing."""
        while self._before:
            tensor, kind, data, strides = self._before.pop()
            _point(GgmlTensor.from_address(tensor), kind, data, strides)


def _point(raw: GgmlTensor, kind: int, data: int | None, strides: Sequence[int]) -> None:
    raw.type, raw.data = kind, data
    for dimension, stride in enumerate(strides):
        raw.nb[dimension] = stride
