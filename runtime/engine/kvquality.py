"""What a lower precision of keys and values costs: KL divergence from 16 bits, measured on a text.

The same tokens go through a context of each precision in the same chunks, so that nothing but the precision differs.
Quantised keys hurt more the longer the context is: a text is read as windows of the whole context, and only the last
half of each is judged. Logits are compared chunk by chunk; nothing of the size (positions, vocabulary) is kept.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.engine.context import BATCH, Context, Piece
from kithnet.runtime.engine.kvtypes import KvTypes
from kithnet.runtime.errors import ConfigError, ModelFileError, ModelUnavailable
from kithnet.runtime.files import OnProgress
from kithnet.runtime.llama import LlamaModel, default_threads, last_error

EXACT = KvTypes("f16", "f16")
"""What the others are compared with."""
PAIRS = tuple(
    map(KvTypes.parse, ("f16", "q8_0", "q8_0/q5_1", "q8_0/q4_0", "q4_0/q8_0", "q5_1", "q5_0", "q5_1/q4_0", "q4_1", "q4_0"))
)  # fmt: skip
"""Measured by default: from exact to small, keys and values alike and apart."""
TOKENS = 4096
"""Of a text that are evaluated by default."""
MEMORY = 2 << 30
"""Bytes that contexts side by side may take by default."""
SHORTEST = 16
"""Tokens of a context that can be measured at all."""

_JUDGED = 64  # positions whose logits are compared at once
_STEPS = 12  # single tokens decoded to time it
_BLOCK = 16  # neighbouring positions that the bootstrap draws together
_DRAWS = 400

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KvFigures:
    """Measured over `positions`, in nats: KL(f16 || this), its mean with a 95% interval, its 99th percentile, its
    largest. agreement: share of positions whose likeliest token is the same. state_bytes_per_token: of a saved
    sequence. tokens_per_second: one sequence decoding at the end of the context."""

    positions: int
    kl_mean: float
    kl_low: float
    kl_high: float
    kl_p99: float
    kl_max: float
    agreement: float
    state_bytes_per_token: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class KvRow:
    """One precision of a model. figures: None where llama.cpp refuses it, and `refused` says why. reason: why it was
    chosen, "" where it was not."""

    types: KvTypes
    bytes_per_token: int
    figures: KvFigures | None
    refused: str = ""
    reason: str = ""


def measure(
    model: LlamaModel,
    tokens: Sequence[int],
    pairs: Sequence[KvTypes] = PAIRS,
    *,
    context: int,
    windows: int = 0,
    threads: int = 0,
    memory: int = MEMORY,
    progress: OnProgress | None = None,
) -> list[KvRow]:
    """A row for each of `pairs`, in their order.

    tokens: a text without BOS. windows: how many parts of `context` tokens are read, spread evenly over the text; 0
    for as many as make TOKENS. memory: bytes; it bounds how many precisions are evaluated beside the reference at
    once. progress: told of evaluated tokens. Raises ConfigError for a context or a text of the wrong length,
    ModelFileError for a model without a KV cache, ModelUnavailable.
    """
    if not sum(model.kv_widths):
        raise ModelFileError(f"{model.path} keeps no KV cache", "nothing is to be chosen for this model")
    parts = _windows(model, tokens, context, windows or max(TOKENS // max(context, 1), 1))
    groups = list(_groups(model, pairs, context, memory))
    told = _Told(progress, len(parts) * context * sum(len(group) + 1 for group in groups))
    rows: list[KvRow] = []
    for group in groups:
        rows += _measure_group(model, parts, group, threads or default_threads(), told)
    return rows


def check_context(model: LlamaModel, context: int) -> None:
    """Raises ConfigError for a context that is too short to measure, or longer than the model was trained for."""
    most = model.trained_context or context
    if context < SHORTEST:
        raise ConfigError(f"a context of {context} tokens is too short to measure", f"choose from {SHORTEST} to {most}")
    if context > most:
        raise ConfigError(
            f"{model.path.stem} was trained for {most} tokens, and a context of {context} is beyond that",
            f"choose from {SHORTEST} to {most}",
        )


def _windows(model: LlamaModel, tokens: Sequence[int], context: int, wanted: int) -> list[list[int]]:
    check_context(model, context)
    begin = model.tokenise("", begin=True, special=False)
    size = context - len(begin)
    count = min(len(tokens) // size, wanted)
    if not count:
        raise ConfigError(
            f"the text has {len(tokens)} tokens, and a context of {context} needs {size}",
            "give a longer text, or a smaller context",
        )
    starts = np.linspace(0, len(tokens) - size, count).astype(int)
    return [[*begin, *tokens[start : start + size]] for start in starts]


def _groups(model: LlamaModel, pairs: Sequence[KvTypes], context: int, memory: int) -> Iterator[list[KvTypes]]:
    """Pairs that are evaluated side by side, beside the reference; one at least."""
    scratch = BATCH * model.vocab_size * 4
    room = memory - scratch - context * EXACT.bytes_per_token(*model.kv_widths)
    group: list[KvTypes] = []
    left = room
    for types in pairs:
        needed = scratch + context * types.bytes_per_token(*model.kv_widths)
        if group and needed > left:
            yield group
            group, left = [], room
        group.append(types)
        left -= needed
    if group:
        yield group


class _Told:
    """Counts evaluated tokens."""

    def __init__(self, progress: OnProgress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, tokens: int, note: str = "") -> None:
        self._done += tokens
        if self._progress:
            self._progress(self._done, self._total, note)


class _Gauge:
    """One precision under measurement."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._divergences: list[npt.NDArray[np.float64]] = []
        self._same = 0

    def compare(self, exact: Floats, chances: Floats, piece: Piece) -> None:
        """exact: (rows, vocabulary) log-probabilities of the reference; chances: its probabilities."""
        mine = _log_probs(self.context, piece)
        if piece.rows:
            self._same += int((exact.argmax(axis=1) == mine.argmax(axis=1)).sum())
            np.subtract(exact, mine, out=mine)
            np.multiply(mine, chances, out=mine)
            self._divergences.append(np.maximum(mine.sum(axis=1, dtype=np.float64), 0.0))

    def figures(self, tokens: int, seconds: float) -> KvFigures:
        """tokens: that the context holds. seconds: of one step."""
        every = np.concatenate(self._divergences)
        low, high = _interval(every)
        held = int(lib.llama_state_seq_get_size(self.context.handle, 0))
        return KvFigures(
            len(every), float(every.mean()), low, high, float(np.quantile(every, 0.99)), float(every.max()),
            self._same / len(every), held / tokens, 1 / seconds,
        )  # fmt: skip


def _measure_group(
    model: LlamaModel, parts: Sequence[Sequence[int]], group: Sequence[KvTypes], threads: int, told: _Told
) -> list[KvRow]:
    size = len(parts[0])
    with ExitStack() as stack:

        def opened(types: KvTypes) -> Context:
            made = Context(model, cells=size + _STEPS, sequences=1, threads=threads, kv=types)
            return stack.enter_context(closing(made))

        reference = opened(EXACT)
        gauges: dict[KvTypes, _Gauge] = {}
        refused: dict[KvTypes, str] = {}
        for types in group:
            gauge = _Gauge(opened(types))
            if gauge.context.kv == types:
                gauges[types] = gauge
            else:  # it fell back to 16 bits
                refused[types] = last_error("llama.cpp gave no reason").removeprefix("llama_init_from_model: ")
                gauge.context.close()
                told.add(len(parts) * size)
        for number, part in enumerate(parts):
            if number:
                for context in (reference, *(gauge.context for gauge in gauges.values())):
                    context.cut(0, 0)
            _compare(reference, list(gauges.values()), part, told)
        seconds = _step_seconds([gauge.context for gauge in gauges.values()], parts[-1])
        figures = {
            types: gauge.figures(size + _STEPS, each)
            for (types, gauge), each in zip(gauges.items(), seconds, strict=True)
        }
    widths = model.kv_widths
    return [KvRow(t, t.bytes_per_token(*widths), figures.get(t), refused.get(t, "")) for t in group]


def _compare(reference: Context, gauges: Sequence[_Gauge], part: Sequence[int], told: _Told) -> None:
    for start, end, rows in _chunks(len(part)):
        piece = Piece(0, start, part[start:end], rows)
        exact = _log_probs(reference, piece)
        chances = np.exp(exact)
        for gauge in gauges:
            gauge.compare(exact, chances, piece)
        told.add((end - start) * (len(gauges) + 1))


def _chunks(size: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, outputs wanted): large steps over the first half, whose outputs nobody reads, then small ones."""
    half = size // 2
    for start in range(0, half, BATCH):
        yield start, min(start + BATCH, half), 0
    for start in range(half, size, _JUDGED):
        end = min(start + _JUDGED, size)
        yield start, end, end - start


def _log_probs(context: Context, piece: Piece) -> Floats:
    """(piece.rows, vocabulary) log-probabilities after each of the last tokens of `piece`."""
    _decode(context, piece)
    if not piece.rows:
        return np.empty((0, context.model.vocab_size), np.float32)
    count = len(piece.tokens)
    logits = np.stack([context.logits(row) for row in range(count - piece.rows, count)])
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True, dtype=np.float64))
    return logits


def _decode(context: Context, piece: Piece) -> None:
    if status := context.decode([piece]):
        raise ModelUnavailable(
            f"llama.cpp could not evaluate {len(piece.tokens)} tokens at {context.kv} (status {status})",
            "try a smaller context",
        )


def _step_seconds(contexts: Sequence[Context], part: Sequence[int]) -> list[float]:
    """Median seconds of one token more in each context; in turns, so that other programs disturb all alike."""
    taken = np.empty((_STEPS, len(contexts)))
    for step in range(_STEPS):
        for number, context in enumerate(contexts):
            started = time.perf_counter()
            _decode(context, Piece(0, len(part) + step, part[step : step + 1], 1))
            taken[step, number] = time.perf_counter() - started
    return [float(seconds) for seconds in np.median(taken, axis=0)]


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """95% of the mean, by a bootstrap over blocks: neighbouring positions err together."""
    blocks = np.array([block.mean() for block in np.array_split(values, max(len(values) // _BLOCK, 1))])
    drawn = np.random.default_rng(0).integers(len(blocks), size=(_DRAWS, len(blocks)))
    low, high = np.quantile(blocks[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
