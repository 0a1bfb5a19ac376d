"""What kind of text something is, by its meaning and its words: a ridge regression fitted to examples of each kind.

Nearest examples are led astray by what a text is about; a regression finds what the examples of one kind have in common
against the others, and a thousand short sentences are fitted in a second.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from kithnet.agents.minds.rules.phrasing import Phrasings
from kithnet.memory.vectors import Embedder

RIDGE = 1.0
"""Weight of the penalty; on sentences of other wordings it is flat from 0.3 to 3."""


class Likeness:
    """Tells kinds of texts apart. kinds: examples of each; two kinds at least.

    said_for: a word that is embedded once as each of these words, as none of them is to matter: the vector is their mean.
    """

    def __init__(
        self,
        kinds: Mapping[str, Sequence[str]],
        embedder: Embedder,
        *,
        ridge: float = RIDGE,
        said_for: tuple[str, Sequence[str]] = ("", ()),
    ) -> None:
        texts = [text for examples in kinds.values() for text in examples]
        held = np.concatenate([np.full(len(examples), place) for place, examples in enumerate(kinds.values())])
        self.kinds = tuple(kinds)
        self._embedder = embedder
        self._phrasings = Phrasings(texts)
        self._word, self._said_for = re.compile(rf"\b{re.escape(said_for[0])}\b"), tuple(said_for[1])
        wanted = np.where(held[:, None] == np.arange(len(self.kinds)), 1.0, -1.0)
        balance = np.sqrt(len(texts) / len(self.kinds) / np.bincount(held, minlength=len(self.kinds)))[held, None]
        self._centre = np.mean(self._vectors(texts), axis=0)
        rows = balance * self._rows(texts)
        kernel = rows @ rows.T + ridge * np.eye(len(texts))
        self._weights = rows.T @ np.linalg.solve(kernel, balance * wanted)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """How much each text is of each kind, (len(texts), len(kinds)): about 1 for its examples, -1 for the others'."""
        if not texts:
            return np.zeros((0, len(self.kinds)))
        scores: np.ndarray = self._rows(texts) @ self._weights
        return scores

    def _rows(self, texts: Sequence[str]) -> np.ndarray:
        vectors = self._vectors(texts) - self._centre
        return np.hstack([vectors, self._phrasings.vectors(texts), np.ones((len(texts), 1))])

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) texts -> (N, dim) float64."""
        ways = [[self._word.sub(word, text) for text in texts] for word in self._said_for] or [list(texts)]
        vectors: np.ndarray = np.mean([np.asarray(self._embedder.embed(way), dtype=np.float64) for way in ways], axis=0)
        return vectors
