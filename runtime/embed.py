"""`LlamaEmbedder`: sentence embeddings on llama.cpp (MiniLM and other mean-pooled encoders in GGUF)."""

import os
import threading
import time
from collections.abc import Sequence

import numpy as np

from kithnet.runtime.engine.encoder import BATCH_TOKENS, Encoder, Vectors
from kithnet.runtime.errors import ModelFileError, ModelUnavailable
from kithnet.runtime.llama import LlamaModel, default_threads

KEPT, KEPT_VECTORS = 20_000, 16_384
"""Words whose tokens are kept, and texts whose vectors are (25 MB): the same memories are read for one question after the other."""
MAX_TOKENS = BATCH_TOKENS  # of one text; the MiniLM family was trained on no more, the rest is cut off


class LlamaEmbedder:
    """Texts to unit vectors. Thread-safe: texts of several callers share batches. Build it with `LlamaEmbedder.load`.

    name: file stem of the model. dim: length of a vector. seconds: that callers waited for vectors so far.
    """

    def __init__(self, model: LlamaModel, workers: int) -> None:
        self.name = model.path.stem
        self._model = model
        self._workers = workers
        self._limit = min(MAX_TOKENS, model.trained_context or MAX_TOKENS)
        self._encoder = Encoder(model, workers)
        self._of_words: Encoder | None = None
        self._pieces: dict[str, list[int]] = {}
        self._known: dict[str, Vectors] = {}
        self.dim = self._encoder.dim
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
        return cls(model, threads or default_threads())

    @property
    def busy(self) -> bool:
        """Whether texts are being embedded."""
        return self._encoder.busy

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts: (N,) to (N, dim) float32, each row of length 1. What was embedded lately is not computed again.

        A text beyond the model's window (256 tokens) is cut off. Raises ModelUnavailable after `close`.
        """
        encoder, known = self._alive(), self._known
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if len(known) + len(new) > KEPT_VECTORS:
            known, new = {}, list(dict.fromkeys(texts))
        if new:
            started = time.perf_counter()
            rows = np.stack(encoder.encode([self._tokenise(text) for text in new]))
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            known.update(zip(new, rows, strict=True))
            with self._lock:
                self._known = known
                self.seconds += time.perf_counter() - started
        return np.stack([known[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def word_vectors(self, texts: Sequence[Sequence[str]]) -> list[Vectors]:
        """A vector for each word of each text, as it is meant among the others: (words, dim) float32, not normalised.

        texts: words in their order. The vector of a word is the mean over its tokens. Words beyond the model's window
        (256 tokens) get zeros. Raises ModelUnavailable after `close`.
        """
        encoded = [self._by_word(words) for words in texts]
        found = self._alive_of_words().encode([tokens for tokens, _ in encoded])
        rows = [np.zeros((len(words), self.dim), np.float32) for words in texts]
        for row, vectors, (_, spans) in zip(rows, found, encoded, strict=True):
            for place, (first, last) in enumerate(spans):
                row[place] = vectors[first:last].mean(axis=0)
        return rows

    def _by_word(self, words: Sequence[str]) -> tuple[list[int], list[tuple[int, int]]]:
        """The tokens of a text given in words, and which of them each word has, as far as there is room."""
        begin, *_, end = self._model.tokenise("a", begin=True, special=False)
        tokens, spans = [begin], []
        for word in words:
            pieces = self._pieces.get(word)
            if pieces is None:
                pieces = self._model.tokenise(word, begin=True, special=False)[1:-1]
                if len(self._pieces) < KEPT:
                    self._pieces[word] = pieces
            if not pieces or len(tokens) + len(pieces) + 1 > self._limit:
                break
            spans.append((len(tokens), len(tokens) + len(pieces)))
            tokens += pieces
        return [*tokens, end], spans

    def close(self) -> None:
        """Free the model. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._encoder.close()
        if self._of_words is not None:
            self._of_words.close()
        self._model.close()

    def _alive(self) -> Encoder:
        """The encoder of texts, a fresh one where the last has died."""
        with self._lock:
            self._encoder = self._renewed(self._encoder, pooled=True)
            return self._encoder

    def _alive_of_words(self) -> Encoder:
        """The encoder of words, made when it is first asked for."""
        with self._lock:
            self._of_words = self._renewed(self._of_words, pooled=False)
            return self._of_words

    def _renewed(self, encoder: Encoder | None, *, pooled: bool) -> Encoder:
        if self._closed:
            raise ModelUnavailable(f"embedder {self.name} has been closed", "load it again")
        if encoder is not None and not encoder.dead:
            return encoder
        if encoder is not None:
            encoder.close()
        return Encoder(self._model, self._workers, pooled=pooled)

    def _tokenise(self, text: str) -> list[int]:
        tokens = self._model.tokenise(text, begin=True, special=False)
        # The closing token (SEP) stays when the rest is cut.
        return tokens if len(tokens) <= self._limit else [*tokens[: self._limit - 1], tokens[-1]]
