"""Vectors on disk in an embedded Chroma: ids and vectors only, never a word of text.

Layout of a world's `vectors/` folder: `gen-N/` holds a Chroma database and `about.json` (whose vectors these are);
`current` names the generation in use. Starting over means a new generation in a new folder, because Chroma keeps
deleted vectors in its files. A folder is opened once per process: two clients on one folder see different states.
"""

import contextlib
import json
import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings

from kithnet.memory.vectors import Vectors, check_shape
from kithnet.runtime.errors import StorageError, WorldBusy

COLLECTION = "texts"
REBUILD = "run `kith memory reindex` to make the vectors again; nothing else is lost"

_open: set[Path] = set()
_opening = threading.Lock()


class ChromaIndex:
    """A `VectorIndex` in a folder. Made by `open` or `rebuild`; close it when done."""

    def __init__(self, generation: Path, embedder: str, dim: int) -> None:
        """Open one generation's folder, whose `about.json` must agree. Use `open` or `rebuild` instead."""
        self.embedder = embedder
        self.dim = dim
        self._folder = generation.resolve()
        with _opening:
            if self._folder in _open:
                raise WorldBusy(f"{self._folder} is open already in this process", "share one index between its users")
            _open.add(self._folder)
        try:
            with self._told_plainly():
                self._client = Client(
                    settings=Settings(
                        is_persistent=True, persist_directory=str(self._folder), anonymized_telemetry=False
                    )
                )
                self._collection = self._client.get_or_create_collection(
                    COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
                )
                self._batch = self._client.get_max_batch_size()
                self._collection.count()
        except BaseException:
            _open.discard(self._folder)
            raise

    @classmethod
    def open(cls, folder: Path, embedder: str, dim: int) -> Self:
        """Open the current generation in a world's `vectors/` folder, making the first if there is none.

        Raises StorageError when the vectors are another embedder's or damaged, WorldBusy when they are open already.
        """
        current = _current(folder)
        if current is None:
            return cls.rebuild(folder, embedder, dim)
        try:
            about = json.loads((current / "about.json").read_text("utf-8"))
            found = (about["embedder"], about["dim"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(f"the vectors in {current} are damaged: {error}", REBUILD) from error
        if found != (embedder, dim):
            raise StorageError(
                f"the vectors in {folder} were made by {found[0]} ({found[1]} numbers), not by {embedder} ({dim})",
                f"{REBUILD}, or name the other embedder",
            )
        return cls(current, embedder, dim)

    @classmethod
    def rebuild(cls, folder: Path, embedder: str, dim: int) -> Self:
        """Start an empty generation, make it the current one, and remove the others. The indexer fills it."""
        with _opening:
            if any(opened.parent == folder.resolve() for opened in _open):
                raise WorldBusy(f"the vectors in {folder} are in use", "close them first")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            older = sorted(folder.glob("gen-*"))
            number = max((int(path.name[4:]) for path in older if path.name[4:].isdigit()), default=0) + 1
            generation = folder / f"gen-{number}"
            generation.mkdir()
            (generation / "about.json").write_text(json.dumps({"embedder": embedder, "dim": dim}), "utf-8")
            index = cls(generation, embedder, dim)
            pointer = folder / "current.new"
            pointer.write_text(generation.name, "utf-8")
            pointer.replace(folder / "current")
        except OSError as error:
            raise StorageError(f"cannot write in {folder}: {error}", "check its permissions and space") from error
        for path in older:
            shutil.rmtree(path, ignore_errors=True)  # what remains is not pointed to, and goes next time
        return index

    def upsert(self, ids: Sequence[int], vectors: Vectors) -> None:
        check_shape(ids, vectors, self.dim)
        names = [str(item) for item in ids]
        with self._told_plainly():
            for start in range(0, len(names), self._batch):
                end = start + self._batch
                self._collection.upsert(ids=names[start:end], embeddings=np.asarray(vectors[start:end]))

    def delete(self, ids: Collection[int]) -> None:
        names = [str(item) for item in ids]
        with self._told_plainly():
            for start in range(0, len(names), self._batch):
                self._collection.delete(ids=names[start : start + self._batch])

    def query(self, vector: Vectors, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        if k <= 0 or (among is not None and not among):
            return []
        with self._told_plainly():
            found: Any = self._collection.query(
                query_embeddings=np.asarray(vector, dtype=np.float32)[None, :],
                n_results=k,
                ids=None if among is None else [str(item) for item in set(among)],
                include=["distances"],
            )
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [(int(name), 1.0 - float(distance)) for name, distance in pairs]

    def ids(self) -> set[int]:
        with self._told_plainly():
            return {int(name) for name in self._collection.get(include=[])["ids"]}

    @property
    def count(self) -> int:
        with self._told_plainly():
            return int(self._collection.count())

    def close(self) -> None:
        """Let go of the folder; it may be opened again afterwards. Closing twice does nothing."""
        with _opening:
            if self._folder in _open:
                self._client.close()
                _open.discard(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _told_plainly(self) -> Iterator[None]:
        """Chroma raises its own errors, ValueError and RuntimeError for a folder it cannot read."""
        try:
            yield
        except Exception as error:
            raise StorageError(f"the vectors in {self._folder} cannot be used: {error}", REBUILD) from error


def _current(folder: Path) -> Path | None:
    """The generation in use, or None when there is none yet. Raises StorageError when the pointer leads nowhere."""
    try:
        name = (folder / "current").read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {folder / 'current'}: {error}", REBUILD) from error
    generation = folder / name
    if not name.startswith("gen-") or not generation.is_dir():
        raise StorageError(f"{folder / 'current'} names {name!r}, which is not there", REBUILD)
    return generation
