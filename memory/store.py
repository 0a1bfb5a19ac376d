"""The SQL truth of one world: people, ties, messages, memories and tasks in one database."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection, Row, Table, delete, func, insert, select

from kithnet.memory import ingest as filling
from kithnet.memory import people as names
from kithnet.memory import schema
from kithnet.memory.conversations import read_receivers, receivers, talk_between
from kithnet.memory.database import Database
from kithnet.memory.migrations import MIGRATIONS
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.postgres import URL_FILE, Address, PostgresPlace, write_address
from kithnet.memory.rows import (
    IngestReport,
    MessageLike,
    Person,
    PersonLike,
    Progress,
    StoredMessage,
    StoreStats,
    Task,
    TaskLike,
    Tie,
    TieLike,
)
from kithnet.runtime.errors import KithnetError, StorageError, UnknownPerson, UnknownWorld

if TYPE_CHECKING:
    from kithnet.memory.vectors import Embedder, VectorIndex


class Store:
    """One world on disk. Safe to share between threads; close it, or use it as a context manager."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def create(cls, path: Path, source: Mapping[str, str] | None = None, address: Address | None = None) -> Self:
        """Make a new, empty world at `path`. source: what its data comes from, kept as given. address: keep it in
        PostgreSQL instead, which a `database.url` beside `path` then says.

        Raises UnknownWorld when there is one already, StorageError when the folder cannot be written.
        """
        if (path.exists() and path.stat().st_size) or path.with_name(URL_FILE).exists():
            raise UnknownWorld(f"{path} exists already", "choose another name, or delete the world first")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make the folder {path.parent}: {error}", "check its permissions") from error
        store = cls(_new_database(path, address))
        try:
            if store.stats().source:
                raise UnknownWorld(f"there is a world in {address} already", "name another schema")
            store.note("source", json.dumps(dict(source or {})))
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the world at `path`, applying the migrations that it lacks. A `database.url` beside it leads elsewhere.

        Raises UnknownWorld when there is none, StorageError when it is damaged, foreign or too new.
        """
        if not path.is_file() and not path.with_name(URL_FILE).is_file():
            raise UnknownWorld(f"there is no world at {path}", "`kith world add`, `import` or `generate` makes one")
        return cls(Database(path))

    def close(self) -> None:
        """Close the database. Handles given out by `owner` stop working."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- filling and exporting ---

    def ingest(
        self,
        people: Iterable[PersonLike],
        ties: Iterable[TieLike],
        messages: Iterable[MessageLike],
        tasks: Iterable[TaskLike] = (),
        dropped: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Fill this empty world in one transaction: all of it is there afterwards, or nothing.

        Raises UnknownWorld when it already holds people, RecordError for a message that cannot be stored,
        UnknownPerson for a row that names nobody, StorageError for a full disk, WorldBusy for a locked file.
        """
        return filling.ingest(self.database, people, ties, messages, tasks, dropped or {}, progress)

    def messages(self) -> Iterator[StoredMessage]:
        """Every message of one person of the network to another, in the world's order, a thousand at a time (each page
        is a snapshot of its own). What is said to and by agents is none.
        """
        last = -1
        while True:
            with self.database.read() as connection:
                rows = connection.execute(_MESSAGES.where(schema.message.c.seq > last).limit(1_000)).all()
            if not rows:
                return
            for row in rows:
                heard = read_receivers(row.receivers)
                said = row.body, row.at, row.session, row.conversation
                yield StoredMessage(f"m{row.id}", row.seq, row.sender, heard, *said)
            last = rows[-1].seq

    # --- people and what is known of them ---

    def people(self, *, outside: bool = False) -> list[Person]:
        """The people of the network in the order of the import; with `outside`, other chat partners too."""
        query = select(schema.person).order_by(schema.person.c.key)
        if not outside:
            query = query.where(schema.person.c.outside.is_(False))
        with self.database.read() as connection:
            return [_person(row) for row in connection.execute(query)]

    def person(self, person_id: str) -> Person:
        """The person with exactly this id. Raises UnknownPerson."""
        with self.database.read() as connection:
            row = connection.execute(select(schema.person).where(schema.person.c.id == person_id)).first()
        if row is None:
            raise UnknownPerson(f"no person {person_id!r} in this world", "`kith world show WORLD` lists the people")
        return _person(row)

    def resolve(self, name: str) -> Person:
        """The person whom `name` means: an id, a name, an alias, or a unique beginning. Raises UnknownPerson."""
        return names.resolve(self.people(), name)

    def ties(self) -> list[Tie]:
        """All ties, each with the number of messages sent between the two."""
        with self.database.read() as connection:
            counts = talk_between(connection)
            ids = {row.key: row.id for row in connection.execute(select(schema.person.c.key, schema.person.c.id))}
            return [
                Tie(ids[row.a], ids[row.b], row.kind, *counts.get((min(row.a, row.b), max(row.a, row.b)), (0, 0.0)))
                for row in connection.execute(select(schema.tie).order_by(schema.tie.c.a, schema.tie.c.b))
            ]

    def tasks(self) -> list[Task]:
        """The questions with known answers, for simulation and measuring. No OwnerMemory can read them."""
        with self.database.read() as connection:
            rows = connection.execute(select(schema.task).order_by(schema.task.c.position)).all()
            if not rows:
                return []
            ids = {row.key: row.id for row in connection.execute(select(schema.person.c.key, schema.person.c.id))}
            cited = sorted({seq for row in rows for seq in json.loads(row.evidence)})
            numbers: dict[int, int] = {}
            for start in range(0, len(cited), 1_000):
                query = select(schema.message.c.seq, schema.message.c.id)
                chunk = schema.message.c.seq.in_(cited[start : start + 1_000])
                numbers.update((row.seq, row.id) for row in connection.execute(query.where(chunk)))
        return [
            Task(
                id=row.id,
                question=row.question,
                answer=row.answer,
                aliases=tuple(json.loads(row.aliases)),
                instructor=ids[row.instructor],
                assistant=ids[row.assistant],
                holders=tuple(json.loads(row.holders)),
                evidence=tuple(f"m{numbers[seq]}" for seq in json.loads(row.evidence) if seq in numbers),
                kind=row.kind,
            )
            for row in rows
        ]

    def stats(self) -> StoreStats:
        """How much of everything there is; messages and sessions as `messages` gives them."""
        tables = ("tie", "text", "memory", "task", "outbox")
        message = schema.message.c
        talked = select(func.count(), func.count(message.session.distinct())).where(schema.OF_THE_WORLD)
        with self.database.read() as connection:
            counts = {
                name: int(
                    connection.execute(select(func.count()).select_from(schema.metadata.tables[name])).scalar_one()
                )
                for name in tables
            }
            messages, sessions = connection.execute(talked).one()
            inside = select(func.count()).where(schema.person.c.outside.is_(False))
            people = int(connection.execute(inside).scalar_one())
            notes = {row.key: row.value for row in connection.execute(select(schema.meta))}
        return StoreStats(
            people=people,
            ties=counts["tie"],
            messages=messages,
            sessions=sessions,
            texts=counts["text"],
            memories=counts["memory"],
            tasks=counts["task"],
            pending=counts["outbox"],
            dropped=json.loads(notes.get("dropped", "{}")),
            source=json.loads(notes.get("source", "{}")),
            embedder=notes.get("embedder"),
            schema=len(MIGRATIONS),
        )

    def note(self, key: str, value: str) -> None:
        """Keep a fact about the world itself (its source, its embedder)."""
        with self.database.write() as connection:
            connection.execute(delete(schema.meta).where(schema.meta.c.key == key))
            connection.execute(insert(schema.meta).values(key=key, value=value))

    def owner(
        self, person_id: str, index: "VectorIndex | None" = None, embedder: "Embedder | None" = None
    ) -> OwnerMemory:
        """What this one person has sent, received and noted. With `index` and `embedder`, recall is hybrid.

        Raises UnknownPerson.
        """
        self.person(person_id)
        return OwnerMemory(self.database, person_id, index=index, embedder=embedder)


_SENDER = schema.person.alias("sender")
_MESSAGES = (
    select(
        schema.message.c.id,
        schema.message.c.seq,
        _SENDER.c.id.label("sender"),
        receivers().label("receivers"),
        schema.text.c.body,
        schema.message.c.at,
        schema.session.c.id.label("session"),
        schema.conversation.c.id.label("conversation"),
    )
    .join_from(schema.message, _SENDER, _SENDER.c.key == schema.message.c.sender)
    .join(schema.conversation, schema.conversation.c.key == schema.message.c.conversation)
    .join(schema.text, schema.text.c.key == schema.message.c.text)
    .join(schema.session, schema.session.c.key == schema.message.c.session)
    .where(schema.OF_THE_WORLD)
    .order_by(schema.message.c.seq)
)


def _new_database(path: Path, address: Address | None) -> Database:
    """The file says where the schema is before there is one, so that a process that is killed leaves a trace of it."""
    if address is None:
        return Database(path)
    write_address(path, address)
    try:
        return Database(path, place=PostgresPlace(address, new=True))
    except KithnetError:
        path.with_name(URL_FILE).unlink()
        raise


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _person(row: Row[tuple[object, ...]]) -> Person:
    return Person(row.id, row.name, row.persona, tuple(json.loads(row.aliases)), bool(row.outside))
