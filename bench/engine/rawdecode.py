"""Bare `llama_decode`: one context as the engine makes it, and sequences that get a token each with every call."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from llama_cpp import llama_cpp as lib

from kithnet.bench.engine.paired import PARALLEL, Setup
from kithnet.runtime.engine.context import BATCH, Context
from kithnet.runtime.engine.kvtypes import DEFAULT
from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.llama import Batch
from kithnet.runtime.local import KEPT, cells_for


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of one step: filling the batch, decoding it, taking the likeliest token of every output."""

    fill: float
    decode: float
    pick: float


class Raw:
    """Steps a context without anything around it."""

    def __init__(self, context: Context, batch: Batch) -> None:
        self._context, self._batch = context, batch
        self._next: list[int] = []
        self._ends: list[int] = []

    @property
    def cells(self) -> int:
        return sum(self._ends)

    def begin(self, prompts: Sequence[Sequence[int]]) -> None:
        """Evaluate the prompts in one batch, each in its own sequence."""
        tokens = [token for prompt in prompts for token in prompt]
        sequences = [number for number, prompt in enumerate(prompts) for _ in prompt]
        positions = [at for prompt in prompts for at in range(len(prompt))]
        wanted = [at == len(prompt) - 1 for prompt in prompts for at in range(len(prompt))]
        self._batch.put(tokens, positions, sequences, wanted)
        self._decode()
        self._ends = [len(prompt) for prompt in prompts]
        self._next = self._likeliest([row for row, is_last in enumerate(wanted) if is_last])

    def step(self) -> Timed:
        """Give every sequence its next token."""
        count = len(self._next)
        started = time.perf_counter()
        self._batch.put(self._next, self._ends, range(count), [True] * count)
        filled = time.perf_counter()
        self._decode()
        decoded = time.perf_counter()
        self._next = self._likeliest(range(count))
        self._ends = [end + 1 for end in self._ends]
        return Timed(filled - started, decoded - filled, time.perf_counter() - decoded)

    def _decode(self) -> None:
        status = lib.llama_decode(self._context.handle, self._batch.raw)
        if status:
            raise ModelUnavailable(f"llama.cpp failed to decode (status {status})", "measure with another model")

    def _likeliest(self, rows: Sequence[int]) -> list[int]:
        return [int(self._context.logits(row).argmax()) for row in rows]


@contextmanager
def raw(setup: Setup, context: int) -> Iterator[Raw]:
    """A context with the cells, sequences, threads and KV precision of an engine for `context` tokens."""
    cells = cells_for(setup.model, context, DEFAULT, 0)
    made = Context(setup.model, cells=cells, sequences=PARALLEL + KEPT, threads=setup.threads)
    batch = Batch(BATCH)
    try:
        yield Raw(made, batch)
    finally:
        batch.free()
        made.close()
