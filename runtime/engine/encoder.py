"""Batched embedding: texts of all callers share batches, workers of one thread each take them in turn.

One context with several threads makes them wait for each other at every operation, which collapses when other
programs use the processor too; several contexts of one thread do not.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import KithnetError, ModelUnavailable
from kithnet.runtime.llama import Batch, LlamaModel, forget_errors, last_error

BATCH_TOKENS = 256  # small batches stay in the processor's cache: far faster than large ones
BATCH_TEXTS = 64
_NONE, _MEAN = 0, 1  # LLAMA_POOLING_TYPE_...

Vectors = npt.NDArray[np.float32]


@dataclass(eq=False, slots=True)
class _Call:
    """One caller's texts. todo: their numbers, the shortest first, so that texts of like length share a batch."""

    tokens: Sequence[Sequence[int]]
    rows: list[Vectors]
    todo: deque[int]
    left: int
    error: KithnetError | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Encoder:
    """Tokenised texts to vectors. Thread-safe; `workers` threads, each with a context of its own.

    pooled: one vector a text, the mean over its tokens; else one for each token, in its context.
    """

    def __init__(self, model: LlamaModel, workers: int, *, pooled: bool = True) -> None:
        self._pooled = pooled
        self.dim = int(lib.llama_model_n_embd(model.handle))
        self._wake = threading.Condition()
        self._calls: deque[_Call] = deque()
        self._open: set[_Call] = set()
        self._ended: KithnetError | None = None
        self._threads = []
        for context in [_open(model, pooled) for _ in range(workers)]:
            thread = threading.Thread(target=self._run, args=(context,), name="embed", daemon=True)
            self._threads.append(thread)
            thread.start()

    def encode(self, tokens: Sequence[Sequence[int]]) -> list[Vectors]:
        """For each text a vector (dim,), or (its tokens, dim) where not pooled; none is normalised.

        Each text is at most BATCH_TOKENS long. Raises ModelUnavailable.
        """
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        call = _Call(tokens, [np.zeros(0, np.float32)] * len(tokens), deque(order), len(tokens))
        if not tokens:
            return call.rows
        with self._wake:
            if self._ended is not None:
                raise self._ended
            self._calls.append(call)
            self._open.add(call)
            self._wake.notify_all()
        call.done.wait()
        if call.error is not None:
            raise call.error
        return call.rows

    @property
    def dead(self) -> bool:
        """Whether it has ended, by itself or by `close`."""
        return self._ended is not None

    @property
    def busy(self) -> bool:
        """Whether anybody waits for vectors."""
        return bool(self._open)

    def close(self) -> None:
        """Give those who wait ModelUnavailable and free the contexts."""
        self._end(ModelUnavailable("the embedder has been closed", "load it again"))
        for thread in self._threads:
            thread.join()

    def _run(self, context: Any) -> None:
        batch = Batch(BATCH_TOKENS)
        try:
            while group := self._next():
                vectors = self._evaluate(context, batch, [call.tokens[i] for call, i in group])
                self._deliver(group, vectors)
        except BaseException as failure:
            if not isinstance(failure, KithnetError):
                failure = ModelUnavailable(f"the embedder died: {failure!r}", "embed again: a fresh one is made")
            self._end(failure)
        finally:
            lib.llama_free(context)
            batch.free()

    def _next(self) -> list[tuple[_Call, int]]:
        """Texts for one batch: of the caller whose turn it is, then of the others as far as there is room."""
        with self._wake:
            while not self._calls and self._ended is None:
                self._wake.wait()
            if self._ended is not None:
                return []
            group: list[tuple[_Call, int]] = []
            room = BATCH_TOKENS
            for call in tuple(self._calls):
                while call.todo and len(group) < BATCH_TEXTS and len(call.tokens[call.todo[0]]) <= room:
                    at = call.todo.popleft()
                    room -= len(call.tokens[at])
                    group.append((call, at))
            self._calls.rotate(-1)
            self._calls = deque(call for call in self._calls if call.todo)
            return group

    def _evaluate(self, context: Any, batch: Batch, group: Sequence[Sequence[int]]) -> list[Vectors]:
        flat = [token for tokens in group for token in tokens]
        positions = [i for tokens in group for i in range(len(tokens))]
        lanes = [lane for lane, tokens in enumerate(group) for _ in tokens]
        batch.put(flat, positions, lanes, [True] * len(flat))
        forget_errors()
        status = lib.llama_decode(context, batch.raw)
        if status != 0:
            raise ModelUnavailable(
                f"llama.cpp failed to embed (status {status}): {last_error('no reason given')}", "load the model again"
            )
        if self._pooled:
            pointers = [lib.llama_get_embeddings_seq(context, lane) for lane in range(len(group))]
            return [np.ctypeslib.as_array(p, shape=(self.dim,)).copy() for p in pointers]
        rows = np.ctypeslib.as_array(lib.llama_get_embeddings(context), shape=(len(flat), self.dim)).copy()
        return np.split(rows, np.cumsum([len(tokens) for tokens in group])[:-1])

    def _deliver(self, group: Sequence[tuple[_Call, int]], vectors: Sequence[Vectors]) -> None:
        with self._wake:
            for (call, at), vector in zip(group, vectors, strict=True):
                call.rows[at] = vector
                call.left -= 1
                if not call.left:
                    call.done.set()
                    self._open.discard(call)

    def _end(self, error: KithnetError) -> None:
        with self._wake:
            if self._ended is None:
                self._ended = error
            for call in self._open:
                call.error = self._ended
                call.done.set()
            self._open.clear()
            self._wake.notify_all()


def _open(model: LlamaModel, pooled: bool) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.n_seq_max = BATCH_TEXTS
    params.n_threads = params.n_threads_batch = 1
    params.embeddings = True
    params.pooling_type = _MEAN if pooled else _NONE
    params.kv_unified = True
    params.no_perf = True
    forget_errors()
    context = lib.llama_init_from_model(model.handle, params)
    if not context:
        raise ModelUnavailable(
            f"{model.path} could not be made ready: {last_error('out of memory?')}", "free memory and try again"
        )
    return context
