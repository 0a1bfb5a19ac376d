"""One world's database: connections, transactions, and the database's errors told as ours.

A world is kept in one SQLite file. Readers cannot write (`query_only`) and see one snapshot; writers take the write
lock at the start of their transaction, so that a transaction never fails half-way for a lock. A commit is on the disk
when it returns (`synchronous=FULL`): a chat turn or a disclosure costs one fsync. A world in PostgreSQL
(`memory.postgres`) keeps the same promises.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext

from kithnet.memory.migrations import MIGRATIONS, migrate, version
from kithnet.memory.postgres import PostgresPlace, address_beside
from kithnet.runtime.errors import StorageError, WorldBusy

BUSY_SECONDS = 5.0

SCRUB = (
    "PRAGMA temp_store=MEMORY",
    "INSERT INTO message_fts(message_fts) VALUES ('rebuild')",
    "INSERT INTO memory_fts(memory_fts) VALUES ('rebuild')",
    "VACUUM",
)

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


def storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """What a failure of SQLite means to a person, and what to do next."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # the low byte is the primary code
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return WorldBusy(f"another process is writing to {path}", "wait for it to finish, then run this again")
    if code in _DAMAGED:
        return StorageError(f"{path} is damaged: {error}", "restore it from a backup, or import the world again")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StorageError(f"could not write {path}: {error}", "free some disk space, then run this again")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StorageError(f"cannot open or write {path}: {error}", "check the folder and its permissions")
    return StorageError(
        f"{path}: {error}", "put a copy of the world's folder back, or make the world again with --replace"
    )


class Place(Protocol):
    """Where a database is: how it is reached and what its errors mean. Shown by its name in messages."""

    errors: tuple[type[Exception], ...]
    """What the driver raises."""

    def engine(self, read_only: bool, busy_seconds: float, *, changing: bool = False) -> Engine:
        """Connections whose transactions are snapshots that cannot write, or begin with the write lock. changing: for a
        change of the schema, in which tables that others refer to are made anew."""
        ...

    def prepare(self, connection: Connection) -> None:
        """Called before tables are made or changed."""
        ...

    def remove(self, connection: Connection) -> None:
        """Remove what is kept outside the world's folder."""
        ...

    def scrub(self, engine: Engine) -> None:
        """Write everything anew, without the bytes of what was deleted."""
        ...

    def told(self, error: BaseException) -> StorageError | None:
        """The error as ours; None for a broken rule (a key twice, a wrong statement), which is a defect."""
        ...


class SqlitePlace:
    """A `Place` that is one SQLite file."""

    errors: tuple[type[Exception], ...] = (sqlite3.DatabaseError,)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def engine(self, read_only: bool, busy_seconds: float, *, changing: bool = False) -> Engine:
        url = URL.create("sqlite", database=str(self._path))
        engine = create_engine(url, connect_args={"timeout": busy_seconds})

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None  # the "begin" below decides, not the driver
            last = "query_only=ON" if read_only else "journal_mode=WAL"
            keys = "OFF" if changing else "ON"  # dropping a table would take along what refers to it
            for pragma in (f"foreign_keys={keys}", "synchronous=FULL", "secure_delete=ON", last):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine

    def prepare(self, connection: Connection) -> None:
        pass  # SQLite has made the file

    def remove(self, connection: Connection) -> None:
        pass  # it goes with the folder

    def scrub(self, engine: Engine) -> None:
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            for statement in SCRUB:
                cursor.execute(statement)
            if cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise WorldBusy(f"another process is reading {self}", "wait for it to finish, then run this again")
        finally:
            raw.close()

    def told(self, error: BaseException) -> StorageError | None:
        # A broken rule of ours (IntegrityError, ProgrammingError) is a defect and stays what it is.
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)
        ):
            return storage_error(error, self._path)
        return None


class Database:
    """Connections to one world's database. Safe to share between threads."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS, place: Place | None = None) -> None:
        """Open the database of the world whose `kith.db` is or would be `path`, and bring its schema up to date.

        place: where it is; else where a `database.url` beside `path` says, else the file `path`, which is made when
        absent. Raises StorageError for a database that is damaged, foreign, newer or out of reach, WorldBusy when it
        stays locked, UnknownWorld when `database.url` leads to no world.
        """
        self.path = path
        self._busy_seconds = busy_seconds
        self._writing = threading.Lock()
        self._place = place or _place(path)
        self._readers = self._engine(read_only=True)
        self._writer = self._engine(read_only=False)
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def _engine(self, read_only: bool, changing: bool = False) -> Engine:
        engine = self._place.engine(read_only, self._busy_seconds, changing=changing)
        event.listen(engine, "handle_error", self._translate, retval=True)
        return engine

    def _translate(self, context: ExceptionContext) -> StorageError | None:
        if context.is_pre_ping:
            return None  # a connection that was lost while nobody used it is made again
        return self._place.told(context.original_exception)

    def _upgrade(self) -> None:
        with self.read() as connection:
            behind = version(connection) < len(MIGRATIONS)
            if not behind:
                migrate(connection)  # applies nothing: refuses a newer or foreign file
        if behind:
            changer = self._engine(read_only=False, changing=True)
            try:
                with self._alone(), self._told_plainly(), changer.begin() as connection:
                    self._place.prepare(connection)
                    migrate(connection)
            finally:
                changer.dispose()

    @contextlib.contextmanager
    def _told_plainly(self) -> Iterator[None]:
        """Errors raised while a connection is prepared do not pass SQLAlchemy's error event."""
        try:
            yield
        except self._place.errors as error:
            told = self._place.told(error)
            if told is None:
                raise
            raise told from error

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot that cannot be written through."""
        with self._told_plainly(), self._readers.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start and commits at its end, or not at all.

        Raises WorldBusy when another thread or process holds the lock longer than the bounded wait.
        """
        with self._alone(), self._told_plainly(), self._writer.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._writing.acquire(timeout=self._busy_seconds):
            raise WorldBusy(f"another thread is writing to {self._place}", "wait for it to finish, then try again")
        try:
            yield
        finally:
            self._writing.release()

    def scrub(self) -> None:
        """Write the full-text indexes and the file anew, so that neither holds a byte of what was deleted.

        Raises WorldBusy while another process reads or writes.
        """
        with self._alone(), self._told_plainly():
            self._place.scrub(self._writer)

    def close(self) -> None:
        """Close every connection. The last one folds the write-ahead log into the file."""
        self._readers.dispose()
        self._writer.dispose()


def _place(path: Path) -> Place:
    elsewhere = address_beside(path)
    return SqlitePlace(path) if elsewhere is None else PostgresPlace(elsewhere)


def remove(path: Path) -> None:
    """Remove what the world of this `kith.db` keeps outside its folder, before the folder is deleted.

    Raises StorageError when the server is out of reach, WorldBusy when the world is in use.
    """
    elsewhere = address_beside(path)
    if elsewhere is None:
        return
    place = PostgresPlace(elsewhere, new=True)
    with contextlib.closing(Database(path, place=place)) as database, database.write() as connection:
        place.remove(connection)
