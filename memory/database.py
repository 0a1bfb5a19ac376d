"""One SQLite file: connections, transactions, and SQLite's errors told as ours.

Readers cannot write (`query_only`) and see one snapshot; writers take the write lock at the start of their
transaction, so that a transaction never fails half-way for a lock. A commit is on the disk when it returns
(`synchronous=FULL`): a chat turn or a disclosure costs one fsync.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext

from kithnet.memory.migrations import MIGRATIONS, migrate, version
from kithnet.runtime.errors import StorageError, WorldBusy

BUSY_SECONDS = 5.0

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


class Database:
    """Connections to one database file. Safe to share between threads."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open `path`, which is made when absent, and bring its schema up to date.

        Raises StorageError for a damaged, foreign or newer file, WorldBusy when it stays locked.
        """
        self.path = path
        self._busy_seconds = busy_seconds
        self._writing = threading.Lock()
        self._readers = self._engine(query_only=True)
        self._writer = self._engine(query_only=False)
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def _engine(self, query_only: bool) -> Engine:
        url = URL.create("sqlite", database=str(self.path))
        engine = create_engine(url, connect_args={"timeout": self._busy_seconds})
        event.listen(engine, "handle_error", self._translate, retval=True)

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None  # the "begin" below decides, not the driver
            last = "query_only=ON" if query_only else "journal_mode=WAL"
            for pragma in ("foreign_keys=ON", "synchronous=FULL", last):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN" if query_only else "BEGIN IMMEDIATE")

        return engine

    def _translate(self, context: ExceptionContext) -> StorageError | None:
        original = context.original_exception
        # A broken rule of ours (IntegrityError, ProgrammingError) is a defect and stays what it is.
        if isinstance(original, sqlite3.DatabaseError) and not isinstance(
            original, (sqlite3.IntegrityError, sqlite3.ProgrammingError)
        ):
            return storage_error(original, self.path)
        return None

    def _upgrade(self) -> None:
        with self.read() as connection:
            behind = version(connection) < len(MIGRATIONS)
            if not behind:
                migrate(connection)  # applies nothing: refuses a newer or foreign file
        if behind:
            with self.write() as connection:
                migrate(connection)

    @contextlib.contextmanager
    def _told_plainly(self) -> Iterator[None]:
        """Errors raised while a connection is prepared do not pass SQLAlchemy's error event."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise storage_error(error, self.path) from error

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
        if not self._writing.acquire(timeout=self._busy_seconds):
            raise WorldBusy(f"another thread is writing to {self.path}", "wait for it to finish, then try again")
        try:
            with self._told_plainly(), self._writer.begin() as connection:
                yield connection
        finally:
            self._writing.release()

    def close(self) -> None:
        """Close every connection. The last one folds the write-ahead log into the file."""
        self._readers.dispose()
        self._writer.dispose()
