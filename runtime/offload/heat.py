"""Is it worth reading an expert in high precision, though its low copy is here and would do? What was used lately tells.

Nothing waits for such a promotion, but it reads the disk, takes pages and drives another expert out, all beside the
cores that decode. So it has to be expected to be of use for longer than what leaves.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

HALF_LIFE = 32
"""Tokens after which a use counts half."""
MARGIN = 2.0
"""Times as hot as what would leave: less is chance, and the two would take turns."""
LAYERS = 2
"""Layers whose selections the shelf must have room for: in less, nothing stays until it is wanted again."""


class Heat:
    """Gate weight that each expert has had lately, (layers, experts); a weight counts half after `HALF_LIFE` passes."""

    def __init__(self, layers: int, experts: int) -> None:
        self._heat = np.zeros((layers, experts))
        self._grown = 1.0  # what a use counts now: later ones count more, which is the same as earlier ones fading
        self._growth = 2.0 ** (1 / HALF_LIFE)

    def begin_pass(self) -> None:
        self._grown *= self._growth
        if self._grown > 1e100:
            self._heat /= self._grown
            self._grown = 1.0

    def use(self, layer: int, experts: npt.NDArray[Any], weights: npt.NDArray[Any]) -> None:
        """experts, weights: of any shape, the same."""
        np.add.at(self._heat[layer], experts, weights * self._grown)

    def of(self, layer: int, expert: int) -> float:
        """Gate weight, faded to now."""
        return float(self._heat[layer, expert] / self._grown)

    def hottest(self, layer: int, experts: Iterable[int]) -> int:
        return max(experts, key=lambda expert: self.of(layer, expert))

    def pays(self, wanted: tuple[int, int], leaves: tuple[int, int] | None) -> bool:
        """Whether `wanted` may take the place of `leaves`, (layer, expert) both. None: nothing may leave."""
        return leaves is not None and self.of(*wanted) > MARGIN * self.of(*leaves)
