"""Vectors of texts: what recall needs of an embedder and of an index, and an index in memory.

The index on disk is `kithnet.memory.chroma.ChromaIndex`; it is apart because importing Chroma takes a second.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors. Implementations are safe to share between threads."""

    @property
    def name(self) -> str:
        """Identifies the model and its settings: vectors of different names are never mixed."""
        ...

    @property
    def dim(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(N,) texts -> (N, dim) float32 rows of length 1."""
        ...


class VectorIndex(Protocol):
    """Vectors by integer id (the key of a text), searched by cosine. Safe to share between threads."""

    @property
    def embedder(self) -> str:
        """Name of the embedder whose vectors these are."""
        ...

    def upsert(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add or replace. ids: distinct; vectors: (N, dim) rows of length 1. The same call twice changes nothing."""
        ...

    def delete(self, ids: Collection[int]) -> None:
        """Remove those of `ids` that are there."""
        ...

    def query(self, vector: Vectors, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        """The `k` ids nearest to `vector` (dim,), with their cosines, best first; only ids in `among`, if given."""
        ...

    def ids(self) -> set[int]: ...

    @property
    def count(self) -> int: ...

    def close(self) -> None: ...


class ArrayIndex:
    """An exact index in memory, for tests and for small worlds that need no disk."""

    def __init__(self, embedder: str, dim: int) -> None:
        self.embedder = embedder
        self.dim = dim
        self._vectors: dict[int, Vectors] = {}

    def upsert(self, ids: Sequence[int], vectors: Vectors) -> None:
        check_shape(ids, vectors, self.dim)
        self._vectors.update(zip(ids, np.array(vectors, dtype=np.float32), strict=True))

    def delete(self, ids: Collection[int]) -> None:
        for item in ids:
            self._vectors.pop(item, None)

    def query(self, vector: Vectors, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        vectors = self._vectors
        ids = [item for item in (vectors if among is None else dict.fromkeys(among)) if item in vectors]
        if not ids or k <= 0:
            return []
        cosines = np.stack([vectors[item] for item in ids]) @ np.asarray(vector, dtype=np.float32)
        best = np.argsort(-cosines, kind="stable")[:k]
        return [(ids[i], float(cosines[i])) for i in best]

    def ids(self) -> set[int]:
        return set(self._vectors)

    @property
    def count(self) -> int:
        return len(self._vectors)

    def close(self) -> None:
        self._vectors.clear()


class HashEmbedder:
    """A fake embedder that needs no model: each word adds to one dimension, so texts that share words are near.

    Deterministic across processes and machines.
    """

    def __init__(self, dim: int = 64) -> None:
        self.name = f"hash-{dim}"
        self.dim = dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 1e-3  # a text without words has a direction too
            for word in re.findall(r"\w+", text.casefold()):
                row[int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big") % self.dim] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def check_shape(ids: Sequence[int], vectors: Vectors, dim: int) -> None:
    """Raise ValueError when there is not one row of `dim` finite numbers for each id."""
    if vectors.shape != (len(ids), dim):
        raise ValueError(f"expected {len(ids)} vectors of {dim} numbers, got an array of shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise ValueError("a vector holds numbers that are not finite")
