"""Worlds that get another name, and worlds that are deleted: whole or not at all, while nobody is at work on them."""

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kithnet.app import erasure
from kithnet.app.runs import all_runs
from kithnet.app.world_names import ERASING, is_world, world_folder, worlds
from kithnet.app.worlds import ASIDE, UNFINISHED, making, sweep
from kithnet.memory import database as databases
from kithnet.memory import generations
from kithnet.memory.postgres import URL_FILE, address, address_beside
from kithnet.memory.store import Store
from kithnet.runtime.errors import InputError, StorageError, UnknownWorld, WorldBusy
from kithnet.runtime.files import put_in_place, sync_file

BUSY_SECONDS = 2.0
"""That a reader of the database is waited for."""
SUFFIX = 8
"""Hexadecimal digits that end the name of a folder that is no world (`worlds` gives them the same)."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes with a world. messages: None where the database cannot be read. servers: what is kept outside its
    folder. left: whether it is only what an attempt that was stopped had left, which is gone by now."""

    name: str
    messages: int | None
    runs: int
    servers: tuple[str, ...] = ()
    left: bool = False

    def contract(self) -> dict[str, Any]:
        """As `kith world delete --json` prints it."""
        return {"deleted": self.name, "messages": self.messages, "runs": self.runs}


def rename_world(folder: Path, old: str, new: str) -> None:
    """Give a world another name, in one step; its runs, memories and vectors go with it.

    Raises UnknownWorld when there is no such world, or the new name is taken or none; WorldBusy while another process
    is at work on it; StorageError.
    """
    place, target = world_folder(folder, old), world_folder(folder, new)
    with ExitStack() as stack:
        for name in sorted({old, new}):
            stack.enter_context(making(folder, name))
            _tidy(folder, name)
        _need(folder, old)
        if target.exists() or target.is_symlink():
            raise UnknownWorld(f"the world {new!r} exists", "choose another name, or delete that world first")
        stack.enter_context(_idle(place, target))
        _name_schema(place)
        place.rename(target)
        sync_file(folder)


def foresee(folder: Path, name: str) -> Contents:
    """What `delete_world` would remove. What an attempt that was stopped had left of this name is removed now.

    Raises UnknownWorld, WorldBusy, StorageError when a server that keeps a part of it is out of reach.
    """
    place = world_folder(folder, name)
    with making(folder, name):
        left = _left(folder, UNFINISHED, name)
        for one in left:
            _vanish(one)
        _tidy(folder, name)
    if left and not is_world(place):
        return Contents(name, None, 0, left=True)
    _need(folder, name)
    if place.is_symlink():
        raise InputError(f"{place} is a link to {place.resolve()}", "remove the link and that folder by hand")
    return Contents(name, _messages(place), len(all_runs(place)), tuple(_servers(place)))


def delete_world(folder: Path, name: str) -> None:
    """Delete a world with its memories, vectors and runs, and what it keeps in servers. It cannot be undone.

    The first step takes the name away; killed after it, the next deletion or making of this name does the rest.
    Raises UnknownWorld, WorldBusy while another process is at work on it, StorageError.
    """
    place = world_folder(folder, name)
    with making(folder, name):
        _need(folder, name)
        aside = folder / f"{UNFINISHED}{name}.{uuid.uuid4().hex[:SUFFIX]}"
        with _idle(place, aside):
            _name_schema(place)
            place.rename(aside)
            sync_file(folder)
            _vanish(aside)


def _need(folder: Path, name: str) -> None:
    if not is_world(folder / name):
        known = ", ".join(worlds(folder))
        hint = (
            f"there are: {known}"
            if known
            else "make one: `kith world add NAME PATH`, or `kith world generate --name demo`"
        )
        raise UnknownWorld(f"there is no world {name!r}", hint)


def _left(folder: Path, beginning: str, name: str) -> list[Path]:
    """Folders of this name that attempts which were killed have left; the lock of a world `new-NAME` is none."""
    return sorted(folder.glob(f"{beginning}{name}.{'[0-9a-f]' * SUFFIX}"))


def _tidy(folder: Path, name: str) -> None:
    if _left(folder, UNFINISHED, name) or _left(folder, ASIDE, name):
        sweep(folder, name)


@contextmanager
def _idle(place: Path, target: Path) -> Iterator[None]:
    """Nobody is at work on a world that goes from `place` to `target`; who comes meanwhile is told that it is busy."""
    begun = erasure.pending(place)
    with erasure._alone(place):  # it sets the mark of an erasure, which whoever comes asks for
        try:
            _not_open(place / "kith.db")
            yield
        finally:
            for folder in () if begun else (place, target):
                (folder / ERASING).unlink(missing_ok=True)


def _not_open(file: Path) -> None:
    """Raises WorldBusy while another process has the database open: SQLite gives up its log only where it is alone."""
    if not file.is_file():
        return
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            if isinstance(databases.storage_error(error, file), WorldBusy):
                raise WorldBusy(
                    f"another process has {file} open", "end it (a chat, `kith serve`), then run this again"
                ) from error


def _name_schema(place: Path) -> None:
    """Have `database.url` say the schema of a world in PostgreSQL that has its folder's name so far."""
    file = place / URL_FILE
    where = address_beside(place / "kith.db")
    if where is None:
        return
    said = file.read_text("utf-8")
    if address(said, "a").schema != address(said, "b").schema:
        part = file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(f"{where.full}\n", "utf-8")
        put_in_place(part, file)


def _messages(place: Path) -> int | None:
    """How many there are; None where the database is damaged or, in PostgreSQL, gone."""
    in_server = address_beside(place / "kith.db") is not None
    try:
        with Store.open(place / "kith.db") as store:
            return store.stats().messages
    except UnknownWorld:
        return None
    except StorageError as error:
        if in_server or isinstance(error, WorldBusy):
            raise
        return None


def _servers(place: Path) -> Iterator[str]:
    """What a world keeps outside its folder. Raises StorageError when the vectors' server is out of reach."""
    if where := address_beside(place / "kith.db"):
        yield str(where)
    if generations.in_server(place / "vectors"):
        yield from _collection(place / "vectors", drop=False)


def _vanish(left: Path) -> None:
    """Remove a folder that is no world any more, and first what it keeps in servers. Stopped, it may be called again."""
    if generations.in_server(left / "vectors"):
        list(_collection(left / "vectors", drop=True))
    databases.remove(left / "kith.db")
    shutil.rmtree(left)


def _collection(vectors: Path, drop: bool) -> Iterator[str]:
    """The collection in a Chroma server, as messages name it, deleted with `drop`; nothing where it is gone already."""
    from chromadb.errors import NotFoundError  # a second's import, for worlds that have vectors in a server

    from kithnet.memory.chroma_server import ChromaServerIndex, stated

    about = None
    with suppress(StorageError):  # a damaged file names no collection
        about = stated(vectors)
    if about is None:
        return
    try:
        with ChromaServerIndex.open(vectors, about.embedder, about.dim) as index:
            if drop:
                with index._told_plainly(), suppress(NotFoundError):
                    index._client.delete_collection(about.collection)
        yield f"vectors in {about.url}, collection {about.collection}"
    except StorageError as error:
        if not isinstance(error.__cause__, NotFoundError):
            raise
