"""Vectors in a Chroma server: one collection for each world, ids and vectors only, never a word of text.

`server.json` in a world's `vectors/` folder names the server, the collection and whose vectors these are; every
command finds them by it. The collection's name is its own: two worlds, or two machines with a world of the same name,
never share one. Starting over means a new collection; the old one is deleted once the file names the new one.

Unlike a folder (`memory.chroma`), a server may be used by many processes at once. A query among ids fails if one of
them is not held, so the ids are known here; they are read again when their number on the server has changed, or when
a query fails for one that another process has deleted. Both questions cost 2 and 5 ms on loopback.
"""

import contextlib
import json
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

import httpx
import numpy as np
from chromadb import HttpClient
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError

from kithnet.memory.vectors import Vectors, check_shape
from kithnet.runtime.errors import InputError, StorageError

SERVER_FILE = "server.json"
SECONDS = 60.0  # that one request may take
PAGE = 5_000  # vectors read at once when a collection is copied
AGAIN = "run `kith world index WORLD --fresh` to make the vectors again; nothing else is lost"


@dataclass(frozen=True, slots=True)
class About:
    """What `server.json` says. url: of the server, like http://host:8000."""

    url: str
    collection: str
    embedder: str
    dim: int


class ChromaServerIndex:
    """A `VectorIndex` in a Chroma server. Made by `open` or `rebuild`; close it when done."""

    def __init__(self, folder: Path, about: About, *, new: bool = False) -> None:
        """Connect to the collection that `about` names; new: make it. Use `open` or `rebuild` instead."""
        self.embedder = about.embedder
        self.dim = about.dim
        self._folder = folder
        self._about = about
        self._writing = threading.Lock()
        parts = _server(about.url)
        with self._told_plainly():
            self._client: Any = HttpClient(
                host=parts.hostname or "", port=parts.port or (443 if parts.scheme == "https" else 80),
                ssl=parts.scheme == "https", settings=Settings(anonymized_telemetry=False),
            )  # fmt: skip
        self._sessions = _sessions(self._client)
        for session in self._sessions:
            session.timeout = httpx.Timeout(SECONDS)
        try:
            with self._told_plainly():
                if new:
                    self._collection = self._client.create_collection(
                        about.collection, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
                    )
                else:
                    self._collection = self._client.get_collection(about.collection, embedding_function=None)
                self._batch = self._client.get_max_batch_size()
                self._known = self.ids()
        except StorageError:
            self.close()
            raise

    @classmethod
    def open(cls, folder: Path, embedder: str, dim: int) -> Self:
        """The vectors that `server.json` in a world's `vectors/` folder names.

        Raises StorageError when the server is out of reach, or the vectors are lost or another embedder's.
        """
        about = stated(folder)
        if about is None:
            raise StorageError(f"{folder / SERVER_FILE} is not there", AGAIN)
        if (about.embedder, about.dim) != (embedder, dim):
            raise StorageError(
                f"the vectors in {about.url} were made by {about.embedder} ({about.dim} numbers), not by {embedder} "
                f"({dim})",
                f"{AGAIN}, or name the other embedder",
            )
        return cls(folder, about)

    @classmethod
    def rebuild(cls, folder: Path, url: str, world: str, embedder: str, dim: int) -> Self:
        """Start an empty collection in the server at `url` and make it the world's; an older one is deleted.

        Raises InputError for a URL that is none, StorageError when the server or the folder cannot be used.
        """
        made = cls(folder, About(url, _name(world), embedder, dim), new=True)
        made.adopt()
        return made

    def adopt(self) -> None:
        """Say in `server.json` that these are the world's vectors, and delete the collection that was."""
        with contextlib.suppress(StorageError):  # a damaged file names no older collection
            older = stated(self._folder)
            if older and older.collection != self._about.collection and older.url == self._about.url:
                _state(self._folder, self._about)
                with self._told_plainly(), contextlib.suppress(NotFoundError):
                    self._client.delete_collection(older.collection)
        _state(self._folder, self._about)

    def renewed(self, keep: Collection[int]) -> Self:
        """This index with only the vectors of `keep`, in a new collection; the old one is deleted, and this closed."""
        about = About(self._about.url, _name(self._about.collection.rpartition("-")[0]), self.embedder, self.dim)
        fresh = type(self)(self._folder, about, new=True)
        wanted = sorted(self.ids().intersection(keep))
        for start in range(0, len(wanted), PAGE):
            names = [str(item) for item in wanted[start : start + PAGE]]
            with self._told_plainly():
                found: Any = self._collection.get(ids=names, include=["embeddings"])
            fresh.upsert([int(name) for name in found["ids"]], np.asarray(found["embeddings"], dtype=np.float32))
        fresh.adopt()
        self.close()
        return fresh

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
            names = [str(item) for item in self.ids().intersection(ids)]
            self._known = self._known.difference(ids)
            for start in range(0, len(names), self._batch):
                self._collection.delete(ids=names[start : start + self._batch])

    def query(self, vector: Vectors, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        if k <= 0:
            return []
        if among is None:
            return self._nearest(vector, k, None)
        if self.count != len(self._known):
            self._known = self.ids()
        try:
            return self._nearest(vector, k, self._known.intersection(among))
        except StorageError:
            self._known = self.ids()  # another process has deleted one of them: ask again, once
            return self._nearest(vector, k, self._known.intersection(among))

    def _nearest(self, vector: Vectors, k: int, among: set[int] | None) -> list[tuple[int, float]]:
        if among is not None and not among:
            return []
        with self._told_plainly():
            found: Any = self._collection.query(
                query_embeddings=np.asarray(vector, dtype=np.float32)[None, :],
                n_results=k if among is None else min(k, len(among)),
                ids=None if among is None else [str(item) for item in among],
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
        """End the connection. Closing twice does nothing."""
        self._client.close()
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _told_plainly(self) -> Iterator[None]:
        """Chroma's client raises its own errors, httpx's, and ValueError where there is no server."""
        try:
            yield
        except NotFoundError as error:
            raise StorageError(f"{self._about.url} holds no vectors of this world: {error}", AGAIN) from error
        except (ChromaError, httpx.HTTPError, ValueError) as error:
            raise StorageError(
                f"the vectors in {self._about.url} cannot be used: {error}", "start the server: `chroma run`"
            ) from error


def stated(folder: Path) -> About | None:
    """What `server.json` in a world's `vectors/` folder says; None when there is none. Raises StorageError."""
    try:
        return About(**json.loads((folder / SERVER_FILE).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"{folder / SERVER_FILE} is damaged: {error}", AGAIN) from error


def _state(folder: Path, about: About) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{SERVER_FILE}.new"
        fresh.write_text(json.dumps(asdict(about)), "utf-8")
        fresh.replace(folder / SERVER_FILE)
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error}", "check its permissions and space") from error


def _sessions(client: Any) -> list[httpx.Client]:
    """The HTTP clients inside a Chroma client: version 1.5.9 hides two, which wait for ever and are never closed."""
    servers = [getattr(part, "_server", None) for part in (client, getattr(client, "_admin_client", None))]
    return [found for server in servers if isinstance(found := getattr(server, "_session", None), httpx.Client)]


def _name(world: str) -> str:
    """A collection's name: a letter first and last, as Chroma asks."""
    return f"kith-{world.removeprefix('kith-')}-{uuid.uuid4().hex[:8]}"


def _server(url: str) -> SplitResult:
    """Raises InputError."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"{url!r} is not the URL of a Chroma server", "write it like http://localhost:8000")
    return parts
