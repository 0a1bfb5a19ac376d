"""Which expert leaves when another needs its room? What is remembered of uses, and the policies that rank it.

A policy is a pure function from the record to a priority for every expert; the lowest leaves. Sources: HOBBIT (arXiv
2411.01433) section 3.4, MoE-APEX (ASPLOS 2026) section 4.3, whose policy is the default.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.runtime.errors import ConfigError

_MOST_NOTED = 1024
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Records:
    """Uses of each expert since the sequence began. Layers are counted from 0 among those that have experts.

    cost: what a low-precision use counts beside a high one, B_low/B_high. Uses are noted as they come and counted when
    somebody asks, since decoding from memory never does.
    """

    def __init__(self, layers: int, experts: int, cost: float) -> None:
        self.cost = cost
        self.layers = layers
        self.time = 0
        self.passes = 0
        self._experts = experts
        self._noted: list[tuple[int, Sequence[int], Sequence[int], int, int]] = []
        # high uses, low uses, time of the last one, pass of the last one
        self._counts: Ints = np.zeros((4, layers * experts), np.int64)

    @property
    def high(self) -> Ints:
        """(layers, experts) uses in high precision."""
        return self._counted(0)

    @property
    def low(self) -> Ints:
        """(layers, experts) uses in low precision."""
        return self._counted(1)

    @property
    def used(self) -> Ints:
        """(layers, experts) time of the last use, 0 for never. Time counts uses of layers."""
        return self._counted(2)

    @property
    def seen(self) -> Ints:
        """(layers, experts) pass of the last use, 0 for never."""
        return self._counted(3)

    def begin_pass(self) -> None:
        """Another token, or batch of them, goes through the layers."""
        self.passes += 1

    def use(self, layer: int, high: Sequence[int], low: Sequence[int] = ()) -> None:
        """These experts of a layer are used now, in the precision they are used in. The lists must not change later."""
        self.time += 1
        self._noted.append((layer, high, low, self.time, self.passes))
        if len(self._noted) >= _MOST_NOTED:
            self._count()

    def reset(self) -> None:
        """A new sequence begins: what was used is forgotten, what is held stays (MoE-APEX, section 4.3)."""
        self._noted.clear()
        self._counts[:] = 0
        self.time = self.passes = 0

    def _counted(self, what: int) -> Ints:
        if self._noted:
            self._count()
        counted: Ints = self._counts[what].reshape(self.layers, self._experts)
        return counted

    def _count(self) -> None:
        noted = [
            (layer * self._experts + expert, precision, time, seen)
            for layer, high, low, time, seen in self._noted
            for precision, experts in enumerate((high, low))
            for expert in experts
        ]
        self._noted.clear()
        if noted:
            at, precision, time, seen = np.array(noted, np.int64).T
            np.add.at(self._counts, (precision, at), 1)
            np.maximum.at(self._counts[2], at, time)
            np.maximum.at(self._counts[3], at, seen)


Policy = Callable[[Records, int], Floats]
"""(record, layer at work now) -> (layers, experts) priorities. Only their order matters."""


def lru(records: Records, layer: int) -> Floats:
    """Least recently used."""
    return records.used.astype(np.float64)


def lfu(records: Records, layer: int) -> Floats:
    """Least frequently used; of those, least recently."""
    return (records.high + records.low) + records.used / (records.time + 1.0)


def lcu(records: Records, layer: int) -> Floats:
    """MoE-APEX's: C/T of a use that counts less in low precision, and 1/D for what the last pass used.

    C = H + (B_low/B_high) L, T the passes so far, D = ((l_t - l_i + l_n) mod l_n) + 0.1 with l_t the layer at work.
    """
    frequency = (records.high + records.cost * records.low) / max(records.passes, 1)
    layers = records.layers
    distance = (layer - np.arange(layers) + layers) % layers + 0.1
    recent = (records.seen > 0) & (records.seen >= records.passes - 1)
    return frequency + np.where(recent, (1.0 / distance)[:, None], 0.0)


def hobbit(records: Records, layer: int, weights: tuple[float, float, float, float] = (0.25,) * 4) -> Floats:
    """HOBBIT's weighted sum of LRU, LFU, LHU (least used in high precision) and FLD (farthest layer ahead).

    Each is brought to [0, 1]. The published text does not state the weights; equal ones are assumed.
    """
    passes, layers = max(records.passes, 1), records.layers
    ahead = (np.arange(layers) - layer - 1 + layers) % layers
    recency = records.used / max(records.time, 1)
    nearness = np.broadcast_to((1.0 - ahead / layers)[:, None], recency.shape)
    parts = (recency, (records.high + records.low) / passes, records.high / passes, nearness)
    return np.asarray(sum(weight * part for weight, part in zip(weights, parts, strict=True)), np.float64)


POLICIES: Mapping[str, Policy] = {"lcu": lcu, "lru": lru, "lfu": lfu, "hobbit": hobbit}


def policy(name: str) -> Policy:
    """The policy called `name`. Raises ConfigError."""
    if name not in POLICIES:
        raise ConfigError(f"there is no eviction policy {name!r}", f"choose from {', '.join(POLICIES)}")
    return POLICIES[name]


def victim(priorities: Floats, may_leave: Mask) -> tuple[int, int] | None:
    """(layer, expert) of the lowest priority among those that may leave; None where none may. Ties: the first."""
    if not may_leave.any():
        return None
    at = int(np.argmin(np.where(may_leave, priorities, np.inf)))
    experts = priorities.shape[1]
    return at // experts, at % experts


@dataclass(slots=True)
class Tally:
    """Selections of experts by what became of them. penalty: misses weighed by the bytes they cost (MoE-APEX, 6.4):
    1 for a high-precision load, B_low/B_high for a low one."""

    hits: int = 0
    low_hits: int = 0
    misses: int = 0
    low_misses: int = 0
    skipped: int = 0

    def penalty(self, cost: float) -> float:
        return self.misses + cost * self.low_misses

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}
