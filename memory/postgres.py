"""A world in PostgreSQL: one schema of a database that a URL names, and PostgreSQL's errors told as ours.

The URL stands in `database.url` in the world's folder, in the place of `kith.db`. Its `schema` parameter is ours and
names the schema; without one the schema has the name of the folder. A password need not stand there: PostgreSQL's
client library also reads `PGPASSWORD` and the user's `.pgpass`. No message names it.

Readers see one snapshot (REPEATABLE READ, READ ONLY). Writers of one world take an advisory lock at the start of their
transaction, so they wait for each other, for a bounded time, and for nobody else.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from kithnet.runtime.errors import InputError, SetupError, StorageError, UnknownWorld, WorldBusy

URL_FILE = "database.url"
EXAMPLE = "write it like postgresql://user@host:5432/database"
CONNECT_SECONDS = 5
SCRUB_MILLISECONDS = 5_000  # that a table's readers are waited for
LONGEST_NAME = 63  # bytes of a name in PostgreSQL

_HINTS = {
    "42501": "the user of database.url needs the right to create a schema in this database",
    "53100": "free some disk space on the server, then run this again",
    "53": "wait until the server has fewer connections or more memory, then run this again",
    "57P": "wait until the server is up again, then run this again",
    "XX": "look into the server's log, and restore the database from a backup",
}
_BUSY = {"55P03", "40001", "40P01"}  # a lock that was not given in time, a conflict, a deadlock


@dataclass(frozen=True, slots=True)
class Address:
    """A database and the schema in it that holds one world."""

    url: URL
    schema: str

    def __str__(self) -> str:
        """As messages name it: no user, no password."""
        where = self.url.host or self.url.query.get("host") or "this machine"
        port = f":{self.url.port}" if self.url.port else ""
        return f"PostgreSQL {where}{port}/{self.url.database or ''}, schema {self.schema}"

    @property
    def full(self) -> str:
        """As `database.url` holds it, with the password if it has one."""
        named = self.url.update_query_dict({"schema": self.schema})
        return named.render_as_string(hide_password=False)


def address(url: str, world: str) -> Address:
    """What a URL names. world: the schema, where the URL names none. Raises InputError."""
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError) as error:
        raise InputError("the database is not given as a URL", EXAMPLE) from error
    if parsed.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise InputError(f"a world cannot be kept in {parsed.drivername!r}", f"{EXAMPLE}, or leave it out for SQLite")
    schema = parsed.query.get("schema", world)
    if not isinstance(schema, str) or not schema or len(schema.encode()) > LONGEST_NAME or "\0" in schema:
        raise InputError(f"{schema!r} cannot name a schema", f"use at most {LONGEST_NAME} letters, digits, - and _")
    return Address(parsed.difference_update_query(["schema"]).set(drivername="postgresql+psycopg"), schema)


def address_beside(path: Path) -> Address | None:
    """Where the world of this `kith.db` is kept instead, if its folder says so. Raises StorageError, InputError."""
    file = path.with_name(URL_FILE)
    try:
        return address(file.read_text("utf-8"), path.parent.name)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {file}: {error}", "check its permissions") from error


def write_address(path: Path, where: Address) -> None:
    """Say in `database.url` that the world of this `kith.db` is kept in `where`; only the user may read it.

    Raises StorageError.
    """
    file = path.with_name(URL_FILE)
    try:
        file.touch(mode=0o600)
        file.write_text(f"{where.full}\n", "utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error}", "check the folder and its permissions") from error


def own_schema(url: str, world: str, suffix: str) -> Address:
    """`url` with a schema of its own for a world that is about to be made, named after it. Raises InputError."""
    found = address(url, f"{world[: LONGEST_NAME - len(suffix) - 1]}_{suffix}")
    if not found.schema.endswith(suffix):
        raise InputError("a new world gets a schema of its own", "leave `schema` out of the URL")
    return found


class PostgresPlace:
    """A `database.Place` on a PostgreSQL server."""

    def __init__(self, where: Address, new: bool = False) -> None:
        """new: the schema is made where it is missing. Raises SetupError where psycopg is not installed."""
        try:
            import psycopg
        except ImportError as error:
            raise SetupError(
                f"PostgreSQL needs psycopg, which is not here: {error}", "pip install 'kithnet[postgres]'"
            ) from error
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self._defects: tuple[type[Exception], ...] = (psycopg.IntegrityError, psycopg.DataError)
        self._where = where
        self._new = new
        self._quoted = '"' + where.schema.replace('"', '""') + '"'
        digest = hashlib.blake2b(where.schema.encode(), digest_size=8).digest()
        self._lock = int.from_bytes(digest, "big", signed=True)

    def __str__(self) -> str:
        return str(self._where)

    def engine(self, read_only: bool, busy_seconds: float, *, changing: bool = False) -> Engine:
        engine = create_engine(
            self._where.url,
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
            execution_options={"postgresql_readonly": read_only},
            connect_args={"connect_timeout": CONNECT_SECONDS, **self._where.url.query, "client_encoding": "utf8"},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            _take_any_text(connection)
            connection.execute(f"SET search_path TO {self._quoted}")
            connection.commit()

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            if not read_only:
                # READ COMMITTED: what the last writer committed is seen after the wait for its lock.
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(busy_seconds * 1000))}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({self._lock})")

        return engine

    def prepare(self, connection: Connection) -> None:
        """Make the schema, in the transaction that makes its tables. Raises UnknownWorld where a world should be."""
        there = connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"))
        if not there and not self._new:
            raise UnknownWorld(f"there is no world in {self}", "mend the world's database.url, or make the world again")
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {self._quoted}")

    def remove(self, connection: Connection) -> None:
        """Remove the schema with all that it holds."""
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {self._quoted} CASCADE")

    def scrub(self, engine: Engine) -> None:
        """Write every table and index anew. The server's write-ahead log and its backups are its administrator's."""
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))
            connection.exec_driver_sql(f"SET lock_timeout = {SCRUB_MILLISECONDS}")
            for table in tables.all():
                connection.exec_driver_sql(f'VACUUM (FULL, ANALYZE) "{table}"')

    def told(self, error: BaseException) -> StorageError | None:
        """What a failure means to a person; None for a broken rule of ours, which is a defect."""
        if not isinstance(error, self.errors) or isinstance(error, self._defects):
            return None
        state = getattr(error, "sqlstate", None) or ""
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        for secret in (self._where.url.password, self._where.url.query.get("password")):
            said = said.replace(str(secret), "***") if secret else said
        if state in _BUSY:
            return WorldBusy(f"another process is writing to {self}", "wait for it to finish, then run this again")
        if state == "25006":
            return StorageError(f"cannot open or write {self}: {said}", "this connection is for reading")
        if state in ("42P01", "3F000"):
            return StorageError(f"{self} lacks a table: {said}", "restore it from a backup, or make the world again")
        for beginning, hint in _HINTS.items():
            if state.startswith(beginning):
                return StorageError(f"{self}: {said}", hint)
        if state.startswith("42"):
            return None  # a statement that is wrong
        return StorageError(
            f"cannot reach {self}: {said}", "start the server, or mend the URL (its password: PGPASSWORD or ~/.pgpass)"
        )


def _take_any_text(connection: Any) -> None:
    """PostgreSQL stores no NUL character: one in an id or a name is replaced, as `texts.clean` does in a text."""
    from psycopg.adapt import Dumper

    class Nulless(Dumper):
        def dump(self, obj: str) -> bytes:
            return obj.replace("\0", "\ufffd").encode()

    connection.adapters.register_dumper(str, Nulless)
