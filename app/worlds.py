"""Worlds on this machine: made whole or not at all, under one lock for each name."""

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
from filelock import FileLock, Timeout

from kithnet.app.world_names import ERASING, is_world, world_folder, worlds
from kithnet.memory import database as databases
from kithnet.memory.postgres import own_schema
from kithnet.memory.rows import Progress
from kithnet.memory.store import Store
from kithnet.network.graph import Statistics, graph_of, message_counts, statistics
from kithnet.network.records import World
from kithnet.runtime.errors import KithnetError, StorageError, UnknownWorld, WorldBusy

if TYPE_CHECKING:
    from kithnet.memory.chroma import ChromaIndex
    from kithnet.memory.chroma_server import ChromaServerIndex
    from kithnet.memory.indexer import IndexReport
    from kithnet.runtime.embed import LlamaEmbedder

__all__ = [
    "WorldReport",
    "create_world",
    "describe",
    "free_name",
    "index_world",
    "open_world",
    "stored_graph",
    "world_folder",
    "worlds",
]

UNFINISHED, ASIDE = ".new-", ".old-"
"""Beginnings of folders that are no worlds: one being made, one that is being replaced."""


@dataclass(frozen=True, slots=True)
class WorldReport:
    """What a world holds. dropped: reason -> rows left out by its importer. seconds: spent on making or reading it."""

    name: str
    messages: int
    sessions: int
    tasks: int
    dropped: Mapping[str, int]
    source: Mapping[str, str]
    shape: Statistics
    seconds: float

    def contract(self) -> dict[str, Any]:
        """As `kith world ... --json` prints it."""
        return {
            "world": self.name,
            **asdict(self.shape),
            "messages": self.messages,
            "sessions": self.sessions,
            "tasks": self.tasks,
            "dropped": dict(self.dropped),
            "source": dict(self.source),
            "seconds": round(self.seconds, 3),
        }


def open_world(folder: Path, name: str) -> Store:
    """The store of a world; close it after use. An erasure that was interrupted in it is finished first.

    Raises UnknownWorld, WorldBusy while something is being erased from it.
    """
    place = world_folder(folder, name)
    empty = (place / "kith.db").is_file() and not (place / "kith.db").stat().st_size
    if empty or not is_world(place):
        known = ", ".join(worlds(folder))
        hint = (
            f"there are: {known}"
            if known
            else "make one: `kith world add NAME PATH`, or `kith world generate --name demo`"
        )
        raise UnknownWorld(f"there is no world {name!r}", hint)
    if (place / ERASING).exists():
        from kithnet.app import erasure  # it opens the world itself

        erasure.resume(place)
    return Store.open(place / "kith.db")


def free_name(folder: Path, name: str, replace: bool) -> None:
    """Check, before any work, that a world may be made under this name. Raises UnknownWorld."""
    if is_world(world_folder(folder, name)) and not replace:
        raise UnknownWorld(f"the world {name!r} exists", "choose another name, or use --replace")


def create_world(
    folder: Path,
    name: str,
    world: World,
    progress: Progress | None = None,
    replace: bool = False,
    database: str | None = None,
) -> WorldReport:
    """Store `world` under `name` and make it appear in one step; a kill at any moment leaves none or all of it.

    replace: an older world of that name is removed, with its runs and vectors, once the new one is complete.
    database: URL of the PostgreSQL database that keeps it, in a schema of its own; None for a file in its folder.
    Raises UnknownWorld when the name is taken, WorldBusy while another process makes it, StorageError, RecordError.
    """
    started = time.monotonic()
    place = world_folder(folder, name)
    with making(folder, name):
        sweep(folder, name)
        free_name(folder, name, replace)
        suffix = uuid.uuid4().hex[:8]
        fresh = folder / f"{UNFINISHED}{name}.{suffix}"
        address = own_schema(database, name, suffix) if database else None
        try:
            with Store.create(fresh / "kith.db", world.source, address) as store:
                stored = store.ingest(world.people, world.ties, world.messages, world.tasks, world.dropped, progress)
            publish(fresh, place)
        except BaseException:
            remove_folder(fresh)
            raise
    shape = statistics(graph_of(world.people, world.ties, message_counts(world.messages)))
    return WorldReport(
        name=name,
        messages=stored.messages,
        sessions=stored.sessions,
        tasks=stored.tasks,
        dropped=stored.dropped,
        source=world.source,
        shape=shape,
        seconds=time.monotonic() - started,
    )


def describe(folder: Path, name: str) -> WorldReport:
    """What a stored world holds. Raises UnknownWorld."""
    started = time.monotonic()
    with open_world(folder, name) as store:
        counts = store.stats()
        graph = stored_graph(store)
    return WorldReport(
        name=name,
        messages=counts.messages,
        sessions=counts.sessions,
        tasks=counts.tasks,
        dropped=counts.dropped,
        source=counts.source,
        shape=statistics(graph),
        seconds=time.monotonic() - started,
    )


def index_world(
    folder: Path,
    name: str,
    models: Path,
    embedder: str,
    progress: Progress | None = None,
    fresh: bool = False,
    chroma: str | None = None,
) -> "IndexReport":
    """Embed what has no vector yet; the next call continues.

    fresh: make all vectors again beside those there are, and go over to them once they are complete.
    chroma: URL of the Chroma server that keeps them from now on; None: where they are kept already, at first a folder.
    Raises UnknownWorld, UnknownModel, InputError, WorldBusy, StorageError.
    """
    from kithnet.memory.indexer import Indexer, compare  # these three take a second to import
    from kithnet.runtime.embed import LlamaEmbedder
    from kithnet.runtime.registry import Registry

    vectors = world_folder(folder, name) / "vectors"
    with (
        open_world(folder, name) as store,
        closing(LlamaEmbedder.load(Registry(models).resolve(embedder))) as loaded,
        closing(_index(vectors, name, loaded, fresh, chroma)) as index,
    ):
        report = Indexer(store, index, loaded).run(progress)
        if fresh:
            if compare(store, index):
                raise StorageError(f"the new vectors in {vectors} are not complete", "run the same command again")
            index.adopt()
        return report


def _index(
    vectors: Path, name: str, loaded: "LlamaEmbedder", fresh: bool, url: str | None
) -> "ChromaIndex | ChromaServerIndex":
    """The index to fill. Vectors that go from a folder to a server, or to another one, are made again there."""
    from kithnet.memory.chroma import ChromaIndex
    from kithnet.memory.chroma_server import ChromaServerIndex, stated

    about = None if fresh and url else stated(vectors)
    url = url or (about.url if about else None)
    if url is None:
        return (ChromaIndex.beside if fresh else ChromaIndex.open)(vectors, loaded.name, loaded.dim)
    if about and about.url == url and not fresh:
        return ChromaServerIndex.open(vectors, loaded.name, loaded.dim)
    index = ChromaServerIndex.rebuild(vectors, url, name, loaded.name, loaded.dim)
    (vectors / "current").unlink(missing_ok=True)
    for generation in vectors.glob("gen-*"):
        shutil.rmtree(generation, ignore_errors=True)
    return index


def stored_graph(store: Store) -> nx.Graph:
    """The network of a stored world, as graph.graph_of gives it."""
    ties = store.ties()
    counts = {(min(tie.a, tie.b), max(tie.a, tie.b)): tie.weight for tie in ties}
    return graph_of(store.people(), ties, counts)


@contextmanager
def making(folder: Path, name: str) -> Iterator[None]:
    """One process makes a world of this name; the lock goes with the process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock", blocking=False)
        lock.acquire()
    except Timeout as error:
        raise WorldBusy(f"another process is making the world {name!r}", "wait until it has ended") from error
    except OSError as error:
        raise StorageError(
            f"cannot write in {folder}: {error.strerror}", "make it writable, or set KITHNET_HOME"
        ) from error
    try:
        yield
    finally:
        lock.release()


def sweep(folder: Path, name: str) -> None:
    """Tidy up after attempts at this world that were killed; called under its lock, so nobody is at work on them.

    An older world that had stepped aside for one that never came goes back to its place.
    """
    digits = "[0-9a-f]" * 8  # not `.old-NAME.lock`, the lock of a world that is called `old-NAME`
    for left in sorted(folder.glob(f"{ASIDE}{name}.{digits}")):
        if (folder / name).exists():
            remove_folder(left)
        else:
            left.rename(folder / name)
    for left in sorted(folder.glob(f"{UNFINISHED}{name}.{digits}")):
        remove_folder(left)


def publish(fresh: Path, place: Path) -> None:
    """Put a finished folder in its place. An older one steps aside first and is removed last."""
    aside = place.with_name(f"{ASIDE}{place.name}.{uuid.uuid4().hex[:8]}")
    if place.exists():
        place.rename(aside)
    fresh.rename(place)
    if aside.exists():
        remove_folder(aside)


def remove_folder(folder: Path) -> None:
    """Delete a world's folder, and first what it keeps in PostgreSQL; without its server it stays, for another time."""
    try:
        databases.remove(folder / "kith.db")
    except KithnetError:
        return
    shutil.rmtree(folder, ignore_errors=True)
