"""`LlamaEmbedder`: sentence embeddings on llama.cpp (MiniLM and other mean-pooled encoders in GGUF)."""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import ModelFileError, ModelUnavailable
from kithnet.runtime.llama import Batch, LlamaModel, default_threads, forget_errors, last_error

MAX_TOKENS = 256  # of one text; the MiniLM family was trained on no more, the rest is cut off
BATCH_TOKENS = 256  # small batches stay in the processor's cache: far faster than large ones
BATCH_TEXTS = 64
_MEAN = 1  # LLAMA_POOLING_TYPE_MEAN

Vectors = npt.NDArray[np.float32]


class LlamaEmbedder:
    """Texts to unit vectors. Thread-safe; calls run one after another. Build it with `LlamaEmbedder.load`.

    name: file stem of the model. dim: length of a vector. seconds: spent embedding so far.

    Batches are spread over workers of one thread each. One context with several threads makes them wait for
    each other at every operation, which collapses when other programs use the processor too.
    """

    def __init__(self, model: LlamaModel, contexts: Sequence[Any]) -> None:
        self.name = model.path.stem
        self.dim = int(lib.llama_model_n_embd(model.handle))
        self._model = model
        self._limit = min(MAX_TOKENS, model.trained_context or MAX_TOKENS)
        self._workers = [_Worker(context, self.dim) for context in contexts]
        self._pool = ThreadPoolExecutor(len(contexts), thread_name_prefix="embed")
        self._lock = threading.Lock()
        self._closed = False
        self.seconds = 0.0

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threads: int | None = None) -> "LlamaEmbedder":
        """Load an encoder's GGUF. ModelFileError when the file is unusable or holds a chat model."""
        model = LlamaModel.load(path)
        if model.generates:
            model.close()
            raise ModelFileError(
                f"{path} is a chat model, not an embedding model", "give the path of a sentence encoder's GGUF"
            )
        return cls(model, [_open_context(model) for _ in range(threads or default_threads())])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts: (N,) to (N, dim) float32, each row of length 1. Equal texts are computed once.

        A text beyond the model's window (256 tokens) is cut off. Raises ModelUnavailable after `close`.
        """
        distinct = list(dict.fromkeys(texts))
        place = {text: i for i, text in enumerate(distinct)}
        with self._lock:
            if self._closed:
                raise ModelUnavailable(f"embedder {self.name} has been closed", "load it again")
            started = time.perf_counter()
            rows = self._embed_distinct(distinct)
            self.seconds += time.perf_counter() - started
        return rows[[place[text] for text in texts]] if texts else rows

    def close(self) -> None:
        """Free the model. A second call does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._pool.shutdown()
                for worker in self._workers:
                    worker.free()
                self._model.close()

    def _embed_distinct(self, texts: Sequence[str]) -> Vectors:
        tokens = [self._tokenise(text) for text in texts]
        rows = np.zeros((len(texts), self.dim), np.float32)
        groups = queue.SimpleQueue[list[int]]()
        for group in _batches([len(t) for t in tokens]):
            groups.put(group)

        def work(worker: _Worker) -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    group = groups.get_nowait()
                    rows[group] = worker.encode([tokens[i] for i in group])

        for done in [self._pool.submit(work, worker) for worker in self._workers]:
            done.result()
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return rows

    def _tokenise(self, text: str) -> list[int]:
        tokens = self._model.tokenise(text, begin=True, special=False)
        # The closing token (SEP) stays when the rest is cut.
        return tokens if len(tokens) <= self._limit else [*tokens[: self._limit - 1], tokens[-1]]


class _Worker:
    """One single-threaded context and its batch."""

    def __init__(self, context: Any, dim: int) -> None:
        self._context = context
        self._dim = dim
        self._batch = Batch(BATCH_TOKENS)

    def encode(self, group: Sequence[Sequence[int]]) -> Vectors:
        """Mean-pooled vectors of tokenised texts that fit one batch: (N, dim), not normalised."""
        flat = [token for tokens in group for token in tokens]
        positions = [i for tokens in group for i in range(len(tokens))]
        lanes = [lane for lane, tokens in enumerate(group) for _ in tokens]
        self._batch.put(flat, positions, lanes, [True] * len(flat))
        forget_errors()
        status = lib.llama_decode(self._context, self._batch.raw)
        if status != 0:
            raise ModelUnavailable(
                f"llama.cpp failed to embed (status {status}): {last_error('no reason given')}", "load the model again"
            )
        pointers = [lib.llama_get_embeddings_seq(self._context, lane) for lane in range(len(group))]
        return np.stack([np.ctypeslib.as_array(p, shape=(self._dim,)) for p in pointers])

    def free(self) -> None:
        lib.llama_free(self._context)
        self._batch.free()


def _open_context(model: LlamaModel) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.n_seq_max = BATCH_TEXTS
    params.n_threads = params.n_threads_batch = 1
    params.embeddings = True
    params.pooling_type = _MEAN
    params.kv_unified = True
    params.no_perf = True
    forget_errors()
    context = lib.llama_init_from_model(model.handle, params)
    if not context:
        raise ModelUnavailable(
            f"{model.path} could not be made ready: {last_error('out of memory?')}", "free memory and try again"
        )
    return context


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group texts of like length into batches of at most BATCH_TOKENS tokens and BATCH_TEXTS texts."""
    group: list[int] = []
    total = 0
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (total + lengths[i] > BATCH_TOKENS or len(group) == BATCH_TEXTS):
            yield group
            group, total = [], 0
        group.append(i)
        total += lengths[i]
    if group:
        yield group
