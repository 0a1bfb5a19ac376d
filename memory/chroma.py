"""Vectors on disk in an embedded Chroma: ids and vectors only, never a word of text.

Layout of a world's `vectors/` folder: `gen-N/` holds a Chroma database and `about.json` (whose vectors these are);
`current` names the generation in use; `lock` is held while the folder is open. Starting over means a new generation
in a new folder, because Chroma keeps deleted vectors in its files.

What Chroma 1.5.9 makes necessary: a client does not see what another client writes later, in its own process or in
another, and then fails on queries; so a folder is open once, and whoever comes second recalls without vectors. A
query among ids fails if one of them is not held; so the ids that are held are known here.

Restricting a query to one owner's texts by Chroma's `ids` filter, measured at 40,000 vectors of 384 numbers on two
cores: 16 ms among 200, 7 ms among 2,000, 13 ms among 20,000, with the same ten best as an exact search. Reading the
owner's vectors out to multiply them here costs 6 ms for 200 and 800 ms for 20,000, so the filter is used. It takes
100 ms among 100,000 of 100,000; an owner of half the index or more is therefore searched for without it.
"""

import contextlib
import json
import shutil
import threading
from collections.abc import Collection, Iterator, Sequence, Set
from pathlib import Path
from typing import Any, Self

import numpy as np
from chromadb.api.client import Client
from chromadb.config import Settings
from filelock import FileLock, Timeout

from kithnet.memory import copying
from kithnet.memory.vectors import Vectors, check_shape
from kithnet.runtime.errors import StorageError, WorldBusy

COLLECTION = "texts"
REBUILD = "run `kith world index WORLD --fresh` to make the vectors again; nothing else is lost"
PAGE = 5_000  # vectors read at once when a generation is copied


class ChromaIndex:
    """A `VectorIndex` in a folder. Made by `open`, `rebuild` or `beside`; close it when done."""

    def __init__(self, generation: Path, embedder: str, dim: int, lock: FileLock) -> None:
        """Take over one generation's folder and its held lock. Use the class's methods instead."""
        self.embedder = embedder
        self.dim = dim
        self._folder = generation.resolve()
        self._lock = lock
        self._writing = threading.Lock()
        with self._told_plainly():
            self._client = Client(
                settings=Settings(is_persistent=True, persist_directory=str(self._folder), anonymized_telemetry=False)
            )
        try:
            with self._told_plainly():
                self._collection = self._client.get_or_create_collection(
                    COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
                )
                self._batch = self._client.get_max_batch_size()
                self._known = self.ids()
        except BaseException:
            self._client.close()
            raise

    @classmethod
    def open(cls, folder: Path, embedder: str, dim: int) -> Self:
        """Open the current generation in a world's `vectors/` folder, making the first if there is none.

        Raises StorageError when the vectors are another embedder's or damaged, WorldBusy when they are open already,
        here or in another process.
        """
        with _locked(folder) as lock:
            generation = _current(folder)
            if generation is None:
                return cls(_begin(folder, embedder, dim), embedder, dim, lock)
            found = _about(generation)
            if found != (embedder, dim):
                raise StorageError(
                    f"the vectors in {folder} were made by {found[0]} ({found[1]} numbers), not by {embedder} ({dim})",
                    f"{REBUILD}, or name the other embedder",
                )
            return cls(generation, embedder, dim, lock)

    @classmethod
    def rebuild(cls, folder: Path, embedder: str, dim: int) -> Self:
        """Start an empty generation, make it the current one, and remove the others. The indexer fills it.

        Raises StorageError when the folder cannot be written, WorldBusy when it is open.
        """
        with _locked(folder) as lock:
            return cls(_begin(folder, embedder, dim), embedder, dim, lock)

    @classmethod
    def beside(cls, folder: Path, embedder: str, dim: int) -> Self:
        """A generation beside the current one, which stays in use until `adopt`; one that was begun so is continued.

        Raises StorageError when the folder cannot be written, WorldBusy when it is open.
        """
        with _locked(folder) as lock:
            for generation in strays(folder):
                with contextlib.suppress(StorageError):
                    if _about(generation) == (embedder, dim):
                        return cls(generation, embedder, dim, lock)
                shutil.rmtree(generation, ignore_errors=True)
            return cls(_new(folder, embedder, dim), embedder, dim, lock)

    def adopt(self) -> None:
        """Make this generation the current one and remove the others. Raises StorageError."""
        _point_to(self._folder)

    def renew(self, keep: Collection[int]) -> None:
        """Go over to a new generation with only the vectors of `keep`; the old one's folder is removed.

        The way to be rid of a vector: Chroma keeps what was deleted in its files. This object is closed; a process that
        wants no trace of the others on disk opens the folder no more (`copying` says why).
        Raises StorageError; the old generation is then still the current one.
        """
        generation = _new(self._folder.parent, self.embedder, self.dim)
        wanted = sorted(self._known.intersection(keep))
        if not copying.copy(self._pages(wanted), generation, self.embedder, self.dim, len(wanted)):
            raise StorageError(f"the vectors in {self._folder} could not be copied", REBUILD)
        self._client.close()
        _point_to(generation)
        self._lock.release()
        if left := strays(generation.parent):
            raise StorageError(f"could not remove {left[0]}", "check its permissions, then run this again")

    def _pages(self, wanted: Sequence[int]) -> Iterator[tuple[list[int], Vectors]]:
        for start in range(0, len(wanted), PAGE):
            names = [str(item) for item in wanted[start : start + PAGE]]
            with self._told_plainly():
                found: Any = self._collection.get(ids=names, include=["embeddings"])
            yield [int(name) for name in found["ids"]], np.asarray(found["embeddings"], dtype=np.float32)

    def upsert(self, ids: Sequence[int], vectors: Vectors) -> None:
        check_shape(ids, vectors, self.dim)
        names = [str(item) for item in ids]
        with self._writing, self._told_plainly():
            for start in range(0, len(names), self._batch):
                end = start + self._batch
                self._collection.upsert(ids=names[start:end], embeddings=np.asarray(vectors[start:end]))
            self._known = self._known.union(ids)

    def delete(self, ids: Collection[int]) -> None:
        with self._writing, self._told_plainly():
            names = [str(item) for item in self._known.intersection(ids)]
            self._known = self._known.difference(ids)
            for start in range(0, len(names), self._batch):
                self._collection.delete(ids=names[start : start + self._batch])

    def query(self, vector: Vectors, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        if k <= 0:
            return []
        if among is None:
            return self._nearest(vector, k, None)
        if 2 * len(among) >= len(self._known):  # to leave the others out afterwards is cheaper than to name all these
            wanted = among if isinstance(among, Set) else frozenset(among)
            near = [pair for pair in self._nearest(vector, 3 * k, None) if pair[0] in wanted]
            if len(near) >= k:
                return near[:k]
        while True:
            known = self._known
            try:
                return self._nearest(vector, k, [str(item) for item in known.intersection(among)])
            except StorageError:
                if self._known is known:  # else another thread has deleted an id of ours meanwhile: ask again
                    raise

    def _nearest(self, vector: Vectors, k: int, among: list[str] | None) -> list[tuple[int, float]]:
        if among == []:
            return []
        with self._told_plainly():
            found: Any = self._collection.query(
                query_embeddings=np.asarray(vector, dtype=np.float32)[None, :],
                n_results=k if among is None else min(k, len(among)),
                ids=among,
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
        if self._lock.is_locked:
            self._client.close()
            self._lock.release()

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


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[FileLock]:
    """Hold the folder's lock; it is kept when the block succeeds, for `close` to release."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", blocking=False, thread_local=False)
        lock.acquire()
    except Timeout as error:
        raise WorldBusy(
            f"the vectors in {folder} are in use by another process or index",
            "wait for it; until then memories are found by their words alone",
        ) from error
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error}", "check its permissions and space") from error
    try:
        yield lock
    except BaseException:
        lock.release()
        raise


def _begin(folder: Path, embedder: str, dim: int) -> Path:
    """Make an empty generation the current one and remove the others."""
    generation = _new(folder, embedder, dim)
    _point_to(generation)
    return generation


def _new(folder: Path, embedder: str, dim: int) -> Path:
    """An empty generation that nothing points to yet."""
    try:
        numbers = (path.name[4:] for path in folder.glob("gen-*"))
        generation = folder / f"gen-{max((int(n) for n in numbers if n.isdigit()), default=0) + 1}"
        generation.mkdir()
        (generation / "about.json").write_text(json.dumps({"embedder": embedder, "dim": dim}), "utf-8")
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error}", "check its permissions and space") from error
    return generation


def _point_to(generation: Path) -> None:
    folder = generation.parent
    try:
        pointer = folder / "current.new"
        pointer.write_text(generation.name, "utf-8")
        pointer.replace(folder / "current")
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error}", "check its permissions and space") from error
    for path in strays(folder):
        shutil.rmtree(path, ignore_errors=True)  # what remains is not pointed to, and goes next time


def strays(folder: Path) -> list[Path]:
    """Generations that nothing points to: begun and not finished, or not quite removed."""
    pointer = folder / "current"
    current = pointer.read_bytes().strip() if pointer.is_file() else b""
    return [path for path in sorted(folder.glob("gen-*")) if path.name.encode() != current]


def about(folder: Path) -> tuple[str, int] | None:
    """Embedder and dimension of the current generation of a world's `vectors/` folder; None when there is none.

    Raises StorageError when it is damaged.
    """
    generation = _current(folder)
    return None if generation is None else _about(generation)


def discard(folder: Path) -> None:
    """Remove every generation and the pointer: the next index begins again. Raises WorldBusy when the folder is open."""
    with _locked(folder) as lock:
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "lock":
                path.unlink()
        lock.release()


def _about(generation: Path) -> tuple[str, int]:
    """Name and dimension of the embedder whose vectors a generation holds."""
    try:
        about = json.loads((generation / "about.json").read_text("utf-8"))
        return str(about["embedder"]), int(about["dim"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"the vectors in {generation} are damaged: {error}", REBUILD) from error


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
