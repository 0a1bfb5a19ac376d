"""How far one model's predictions are from another's, on the same tokens of the same text."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kithnet.runtime.engine.context import BATCH, Context, Piece
from kithnet.runtime.errors import ConfigError, ModelUnavailable
from kithnet.runtime.llama import LlamaModel, default_threads

WINDOW = 256  # tokens of a text that are read as one sequence
_ROWS = 32  # outputs computed at once

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Over `positions`: KL(reference || other), mean and 99th percentile, in nats; the share of positions with the same
    likeliest token."""

    kl: float
    kl_p99: float
    agreement: float
    positions: int


def divergence(reference: Path, other: Path, tokens: Sequence[int], *, window: int = WINDOW) -> Divergence:
    """Read the tokens with both models, which share a vocabulary, window by window.

    Raises ConfigError for too few tokens or for vocabularies of different sizes, ModelFileError, ModelUnavailable.
    """
    if len(tokens) < window:
        raise ConfigError(f"{len(tokens)} tokens are too few to compare models by", f"give {window} or more")
    kls: list[npt.NDArray[np.float64]] = []
    same = 0
    with ExitStack() as stack:
        sides = [stack.enter_context(closing(LlamaModel.load(path))) for path in (reference, other)]
        if sides[0].vocab_size != sides[1].vocab_size:
            raise ConfigError(
                f"{reference} and {other} have different vocabularies", "compare a model with one made of it"
            )
        one, two = (stack.enter_context(closing(_context(model, window))) for model in sides)
        for part in windows(sides[0], tokens, window):
            for exact, near in zip(log_probs(one, part), log_probs(two, part), strict=True):
                kls.append(np.maximum((np.exp(exact) * (exact - near)).sum(axis=1, dtype=np.float64), 0.0))
                same += int((exact.argmax(axis=1) == near.argmax(axis=1)).sum())
    every = np.concatenate(kls)
    return Divergence(float(every.mean()), float(np.quantile(every, 0.99)), same / len(every), len(every))


def log_probs(context: Context, tokens: Sequence[int], rows: int = _ROWS) -> Iterator[Floats]:
    """(rows, vocabulary) log-probabilities after each of the tokens, a sequence of its own, `rows` at a time."""
    context.cut(0, 0)
    for start in range(0, len(tokens), rows):
        part = tokens[start : start + rows]
        if status := context.decode([Piece(0, start, part, len(part))]):
            raise ModelUnavailable(
                f"llama.cpp could not evaluate {len(part)} tokens (status {status})", "free some memory"
            )
        logits = np.stack([context.logits(row) for row in range(len(part))])
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)
        yield logits


def windows(model: LlamaModel, tokens: Sequence[int], window: int) -> Iterator[list[int]]:
    """Parts of a text, each begun as the model wants it, of `window` tokens with that."""
    begin = model.tokenise("", begin=True, special=False)
    size = window - len(begin)
    for start in range(0, len(tokens) - size + 1, size):
        yield [*begin, *tokens[start : start + size]]


def _context(model: LlamaModel, window: int) -> Context:
    return Context(model, cells=max(window, BATCH), sequences=1, threads=default_threads())
