"""What measurements share: their setting, figures taken in turns with a baseline's, rows of the table."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from kithnet.bench.report import Bar
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.local import LocalModel, LocalOptions

PARALLEL = 16  # requests side by side wherever a measurement does not say otherwise

Side = Callable[[int], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured: `model` is the file's weights, for its vocabulary and for raw decoding. quick: small sizes,
    to see that everything works rather than for figures."""

    model: LlamaModel
    threads: int
    seed: int
    quick: bool

    def size(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole


@dataclass(frozen=True, slots=True)
class Found:
    """What one measurement adds to the table and to the bars."""

    rows: Sequence[dict[str, Any]]
    bars: Sequence[Bar]


@asynccontextmanager
async def opened(setup: Setup, context: int) -> AsyncIterator[LocalModel]:
    """An engine of its own for one run, with nothing in its cache."""
    options = LocalOptions(context=context, parallel=PARALLEL, threads=setup.threads)
    model = await asyncio.to_thread(LocalModel.load, setup.model.path, options)
    try:
        yield model
    finally:
        await model.close()


async def in_turns(repeats: int, *sides: Side) -> list[list[float]]:
    """Take a figure of every side, then again of every side: what slows the machine for a while slows all of them.

    A side gets the number of the repeat. Returns the figures of each side.
    """
    found: list[list[float]] = [[] for _ in sides]
    for turn in range(repeats):
        for figures, side in zip(found, sides, strict=True):
            figures.append(await side(turn))
    return found


def ratio(figures: Sequence[float], baseline: Sequence[float]) -> float:
    """Median of the ratios within each repeat."""
    return statistics.median(a / b for a, b in zip(figures, baseline, strict=True))


def row(measure: str, what: str, unit: str, figures: Sequence[float]) -> dict[str, Any]:
    """One row of the table: the median of some figures and their range."""
    return {
        "measure": measure, "what": what, "unit": unit, "median": statistics.median(figures), "min": min(figures),
        "max": max(figures), "runs": len(figures),
    }  # fmt: skip
