"""Run a model with and without its experts offloaded, and compare what comes out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.runtime.convert.experts import convert_experts
from kithnet.runtime.engine.context import Context, Piece
from kithnet.runtime.hook import EvalHook
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.offload.offloaded import Offloaded
from kithnet.runtime.offload.options import ExpertOptions, least_memory
from kithnet.runtime.offload.store import ExpertStore

from .tiny_moe import write_moe

Logits = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Made:
    """A tiny model and its store, opened."""

    model: Path
    store: ExpertStore


def make(folder: Path, kind: str = "llama", *, high: str = "auto", low: str = "Q4_0", **shape: Any) -> Made:
    model = write_moe(folder / f"{kind}.gguf", kind, **shape)
    made = convert_experts(model, folder / f"{kind}.experts", high=high, low=low, threads=1)
    return Made(model, ExpertStore.open(made.store))


@contextmanager
def plain(path: Path) -> Iterator[LlamaModel]:
    """The model as it runs without offloading, its weights as they are in the file."""
    model = LlamaModel.load(path, repack=False)
    try:
        yield model
    finally:
        model.close()


@contextmanager
def offloaded(store: ExpertStore, options: ExpertOptions) -> Iterator[tuple[LlamaModel, Offloaded]]:
    with plain(store.trunk) as trunk:
        experts = Offloaded(trunk, store, options, threads=1)
        try:
            yield trunk, experts
        finally:
            experts.close()


def tight(store: ExpertStore, **options: Any) -> ExpertOptions:
    """Options with the least memory that works."""
    return ExpertOptions(memory_bytes=least_memory(store, ExpertOptions(**options)), **options)


def decode(model: LlamaModel, hook: EvalHook | None, batches: Sequence[Sequence[Piece]], threads: int = 1) -> Logits:
    """The logits of every output that the batches want, in order."""
    context = Context(model, cells=512, sequences=8, threads=threads, hook=hook)
    out: Logits = []
    try:
        for pieces in batches:
            assert context.decode(pieces) == 0
            row = 0
            for piece in pieces:
                row += len(piece.tokens)
                out += [context.logits(at).copy() for at in range(row - piece.rows, row)]
    finally:
        context.close()
    return out


def tokens(count: int, seed: int = 0) -> list[int]:
    return list(map(int, np.random.default_rng(seed).integers(3, 259, count)))


def one_by_one(count: int, prompt: int = 5, seed: int = 0, sequence: int = 7, start: int = 0) -> list[list[Piece]]:
    """A prompt, then `count` tokens of the same sequence, one a batch."""
    drawn = tokens(prompt + count, seed)
    first = [Piece(sequence, start, [1, *drawn[: prompt - 1]], 1)]
    return [first, *([Piece(sequence, start + prompt + i, [drawn[prompt + i]], 1)] for i in range(count))]


def side_by_side(sequences: int, steps: int, prompt: int = 40) -> list[list[Piece]]:
    """Prompts of several sequences in one batch, then one token of each a batch."""
    drawn = [tokens(prompt + steps, seed) for seed in range(sequences)]
    batches = [[Piece(s, 0, drawn[s][:prompt], 1) for s in range(sequences)]]
    batches += [[Piece(s, prompt + i, [drawn[s][prompt + i]], 1) for s in range(sequences)] for i in range(steps)]
    return batches


def same(a: Logits, b: Logits) -> bool:
    """Equal to the last bit, and numbers."""
    return len(a) == len(b) and all(np.isfinite(x).all() and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def distance(a: Logits, b: Logits) -> float:
    """The largest difference between two outputs, relative to the first one's norm."""
    return max(float(np.linalg.norm(x - y) / np.linalg.norm(x)) for x, y in zip(a, b, strict=True))
