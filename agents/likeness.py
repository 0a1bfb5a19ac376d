"""What kind of text something is, by its meaning: a ridge regression over embeddings, fitted to examples of each kind.

Nearest examples are led astray by what a text is about; a regression finds what the examples of one kind have in common
against the others, and a hundred short sentences are fitted in milliseconds.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kithnet.memory.vectors import Embedder

RIDGE = 1.0
"""Weight of the penalty; on sentences of other wordings it is flat from 0.3 to 3."""


class Likeness:
    """Tells kinds of texts apart. kinds: examples of each; two kinds at least."""

    def __init__(self, kinds: Mapping[str, Sequence[str]], embedder: Embedder) -> None:
        texts = [text for examples in kinds.values() for text in examples]
        held = np.concatenate([np.full(len(examples), place) for place, examples in enumerate(kinds.values())])
        self.kinds = tuple(kinds)
        self._embedder = embedder
        vectors = np.asarray(embedder.embed(texts), dtype=np.float64)
        wanted = np.where(held[:, None] == np.arange(len(self.kinds)), 1.0, -1.0)
        balance = np.sqrt(len(texts) / len(self.kinds) / np.bincount(held, minlength=len(self.kinds)))[held, None]
        self._centre = np.mean(vectors, axis=0)
        rows = balance * np.hstack([vectors - self._centre, np.ones((len(texts), 1))])
        kernel = rows @ rows.T + RIDGE * np.eye(len(texts))
        self._weights = rows.T @ np.linalg.solve(kernel, balance * wanted)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """How much each text is of each kind, (len(texts), len(kinds)): about 1 for its examples, -1 for the others'."""
        if not texts:
            return np.zeros((0, len(self.kinds)))
        vectors = np.asarray(self._embedder.embed(texts), dtype=np.float64) - self._centre
        scores: np.ndarray = np.hstack([vectors, np.ones((len(texts), 1))]) @ self._weights
        return scores
