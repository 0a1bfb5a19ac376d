"""`LlamaReader`: a small trained reader of talk on llama.cpp: which line answers, which words of it, what a message is.

One adapted encoder (MiniLM with merged LoRA adapters, `kith model fetch` makes it) and several linear heads over the vectors of
its tokens. Trained by `bench/reading/train.py`; the card is `bench/reading/data/README.md`.
"""

import io
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from kithnet.runtime.convert.minilm import READER_VERSION
from kithnet.runtime.engine.encoder import Encoder
from kithnet.runtime.errors import ModelFileError, ModelUnavailable
from kithnet.runtime.llama import LlamaModel, default_threads
from kithnet.runtime.packing import Line, Packer, Row, with_before
from kithnet.runtime.weights import READER_WEIGHTS

Floats = npt.NDArray[np.float32]

KINDS = ("fact", "preference", "plan", "event", "none")
STANCES = ("holds", "ended", "denied", "asked", "wished", "quoted")
SECRECY = ("ordinary", "delicate", "confidence")
RELATIONS = ("replaces", "same", "adds", "unrelated")
TOOLS = (
    "none", "give_up", "together", "longest", "shortest", "free", "clashes", "total", "count", "first", "last", "busiest",
    "alike", "apart",
)  # fmt: skip
"""What the heads tell apart; `memory/language/reader.py`, which runtime cannot import, says what each means."""
LONGEST_SPAN = 24
"""Words."""
KNOWN_WORDS = 30_000
"""Words whose tokens are kept."""


class Span(NamedTuple):
    """Words that answer. line: number of the line in its window. start, end: characters of its text, both -1 for the name of
    who says it. odds: log-odds that they answer against that nothing in the window does."""

    line: int
    start: int
    end: int
    odds: float


class Judged(NamedTuple):
    """What a message is: how likely each of KINDS, STANCES and SECRECY, in their order."""

    kind: Floats
    stance: Floats
    secrecy: Floats


@dataclass(frozen=True)
class Heads:
    """weights: head -> (outputs, dim); biases: head -> (outputs,). card: what the file says of itself. encoder: sha256 of the
    encoder's file that belongs to it, "" where it says none."""

    weights: Mapping[str, Floats]
    biases: Mapping[str, Floats]
    card: Mapping[str, Any]

    def of(self, name: str, vectors: Floats) -> Floats:
        """(..., dim) to (..., outputs)."""
        return vectors @ self.weights[name].T + self.biases[name]


def read_heads(path: Path) -> Heads:
    """The heads of a weights file. Raises ModelFileError for one that is damaged or none."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
            names = [name.split(".")[1] for name in held.files if name.startswith("head.") and name.endswith(".weight")]
            weights = {name: held[f"head.{name}.weight"].astype(np.float32) for name in names}
            biases = {name: held[f"head.{name}.bias"].astype(np.float32) for name in names}
            card = json.loads(str(held["card"]))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ModelFileError(
            f"{path.name} is no weights file of the reader: {error}", "install kithnet again"
        ) from error
    return Heads(weights, biases, card)


class LlamaReader:
    """See the module. Thread-safe. Build it with `LlamaReader.load`."""

    def __init__(self, model: LlamaModel, heads: Heads, workers: int) -> None:
        self.name = f"{model.path.stem}-{heads.card.get('version', '')}"
        self._model, self._heads, self._workers = model, heads, workers
        self._encoder = Encoder(model, workers, pooled=False)
        self._pieces: dict[str, list[int]] = {}
        begin, *_, end = model.tokenise("a", begin=True, special=False)
        self._packer = Packer(self._tokens, begin, end)
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, threads: int | None = None, weights: Path | None = None
    ) -> "LlamaReader":
        """Load the reader's GGUF and its heads. Raises ModelFileError for a damaged file or one of another version."""
        heads = read_heads(weights or READER_WEIGHTS)
        model = LlamaModel.load(path)
        made_of = model.metadata(READER_VERSION)
        if made_of != heads.card["version"]:
            model.close()
            raise ModelFileError(
                f"{Path(path).name} was made of reader {made_of or 'unknown'}, the heads are of {heads.card['version']}",
                "run `kith model fetch` again",
            )
        return cls(model, heads, threads or default_threads())

    def relevance(self, question: str, lines: Sequence[tuple[Line | None, Line]]) -> Floats:
        """(N,) log-odds that each line answers the question. lines: (the line before, the line)."""
        rows = [self._packer.window(question, with_before(before, line)) for before, line in lines]
        firsts = self._firsts(rows)
        return self._heads.of("answers", firsts)[:, 0] if rows else np.zeros(0, np.float32)

    def spans(self, question: str, windows: Sequence[Sequence[Line]]) -> list[Span | None]:
        """The best span of each window; None where there is no word to take."""
        rows = [self._packer.window(question, lines) for lines in windows]
        vectors = self._alive().encode([row.tokens for row in rows])
        return [best_span(row, self._heads.of("span", one)) for row, one in zip(rows, vectors, strict=True)]

    def judged(self, messages: Sequence[tuple[Line | None, Line]]) -> list[Judged]:
        """What each message is. messages: (the line before, the message)."""
        rows = [self._packer.message(before or ("", ""), line) for before, line in messages]
        firsts = self._firsts(rows)
        found = [_softmax(self._heads.of(name, firsts)) for name in ("kind", "stance", "secrecy")] if rows else []
        return [Judged(*(odds[at] for odds in found)) for at in range(len(rows))]

    def relations(self, pairs: Sequence[tuple[Line, Line]]) -> Floats:
        """(N, RELATIONS): what the newer of two messages likely does to the older. pairs: (older, newer)."""
        rows = [self._packer.relation(old, new) for old, new in pairs]
        return _softmax(self._heads.of("relation", self._firsts(rows))) if rows else np.zeros((0, 4), np.float32)

    def tools(self, tasks: Sequence[str]) -> Floats:
        """(N, TOOLS): which tool each task likely wants, or none."""
        rows = [self._packer.message(("", ""), ("", task)) for task in tasks]
        return _softmax(self._heads.of("task", self._firsts(rows))) if rows else np.zeros((0, len(TOOLS)), np.float32)

    def close(self) -> None:
        """Free the model. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._encoder.close()
        self._model.close()

    def _firsts(self, rows: Sequence[Row]) -> Floats:
        """(rows, dim): the vector of each row's first token."""
        found = self._alive().encode([row.tokens for row in rows])
        return np.stack([one[0] for one in found]) if rows else np.zeros((0, self._encoder.dim), np.float32)

    def _alive(self) -> Encoder:
        """The encoder, a fresh one where the last has died."""
        with self._lock:
            if self._closed:
                raise ModelUnavailable(f"the reader {self.name} has been closed", "load it again")
            if self._encoder.dead:
                self._encoder.close()
                self._encoder = Encoder(self._model, self._workers, pooled=False)
            return self._encoder

    def _tokens(self, word: str) -> Sequence[int]:
        known = self._pieces.get(word)
        if known is None:
            self._alive()  # the tokeniser of a model that was freed is gone
            known = self._model.tokenise(word, begin=True, special=False)[1:-1]
            if len(self._pieces) < KNOWN_WORDS:
                self._pieces[word] = known
        return known


LIKELIEST = 40
"""Spans of a window that are weighed against each other."""


def best_span(row: Row, scores: Floats) -> Span | None:
    """The span inside one line that has most in common, in words, with the likeliest ones (minimum Bayes risk: Kumar and Byrne,
    2004): of many that overlap none may be likely by itself. scores: (tokens, 2), where it starts and where it ends; the first
    token is for "nothing here". odds are of the likeliest. A name stands for itself, never with words of the text."""
    if not row.words:
        return None
    firsts = np.array([word.first for word in row.words])
    lasts = np.array([word.last for word in row.words])
    parts = np.array([2 * word.line + (word.start >= 0) for word in row.words])
    pairs = scores[firsts, 0][:, None] + scores[lasts, 1][None, :]
    place = np.arange(len(row.words))
    reach = place[None, :] - place[:, None]
    allowed = (reach >= 0) & (reach < LONGEST_SPAN) & (parts[:, None] == parts[None, :])
    pairs = np.where(allowed, pairs, -np.inf)
    best = np.argsort(-pairs, axis=None, kind="stable")[: min(LIKELIEST, int(allowed.sum()))]
    first, last = np.unravel_index(best, pairs.shape)
    likely = _softmax(pairs[first, last])
    both = np.minimum.outer(last, last) - np.maximum.outer(first, first) + 1
    length = last - first + 1
    shared = 2 * np.maximum(both, 0) / np.add.outer(length, length)
    chosen = int(np.argmax(shared @ likely))
    begin, end = row.words[first[chosen]], row.words[last[chosen]]
    return Span(begin.line, begin.start, end.end, float(pairs[first[0], last[0]] - scores[0].sum()))


def _softmax(scores: Floats) -> Floats:
    odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return cast(Floats, odds / odds.sum(axis=-1, keepdims=True))
