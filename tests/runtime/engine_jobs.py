"""Jobs and references for tests of the engine: teacher-forced recording, and a plain context without any sharing."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from kithnet.runtime.engine.context import BATCH, Context, Logits, Piece
from kithnet.runtime.engine.jobs import Generated, Strand
from kithnet.runtime.engine.kvtypes import KvTypes
from kithnet.runtime.llama import LlamaModel


class Forced:
    """A job that follows a given text after its prompt and keeps the logits of every step."""

    generates = True

    def __init__(self, prompt: Sequence[int], follow: Sequence[int], adapter: str = "", owner: str = "") -> None:
        self.prompt = np.array(prompt, np.int32)
        self.adapter, self.owner = adapter, owner
        self.longest = len(prompt) + len(follow)
        self.cancelled, self.evaluated, self.seconds = False, 0, 0.0
        self.result: Generated | None = None
        self.logits: list[Logits] = []
        self._follow = list(follow)
        self.freed = False

    def take(self, strand: Strand, rows: Sequence[Logits]) -> None:
        self.logits.append(rows[-1].copy())
        if self._follow:
            strand.todo.append(self._follow.pop(0))
        else:
            self.result = Generated("", "length", self.evaluated, len(self.logits))

    def forks(self, most: int) -> Sequence[tuple[int, Sequence[int]]]:
        return ()

    def free(self) -> None:
        self.freed = True


def alone(
    model: LlamaModel, prompt: Sequence[int], follow: Sequence[int], chunks: Sequence[int] = (), kv: str = "q8_0"
) -> list[Logits]:
    """What a fresh context with one sequence says: the prompt in chunks of these lengths, then token by token."""
    context = Context(model, cells=2048, sequences=1, threads=1, kv=KvTypes.parse(kv))
    seen: list[Logits] = []
    at = 0
    ends = list(accumulate(chunks or [min(BATCH, len(prompt) - i) for i in range(0, len(prompt), BATCH)]))
    pieces = [list(prompt[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    try:
        for tokens in [*pieces, *([t] for t in follow)]:
            assert context.decode([Piece(0, at, tokens, 1)]) == 0
            at += len(tokens)
            if at >= len(prompt):
                seen.append(context.logits(len(tokens) - 1).copy())
    finally:
        context.close()
    return seen
