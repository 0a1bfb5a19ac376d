"""Give every distinct text its vector: one indexer at a time, resumable at any point.

SQL is the truth: a text that is added or removed leaves a row in the outbox, in the same transaction. The indexer
takes a batch of rows, writes the vectors, and only then deletes the rows. Killed in between, it repeats one batch;
writing a vector twice changes nothing.
"""

import os
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout
from sqlalchemy import Connection, delete, func, insert, select

from kithnet.memory import schema
from kithnet.memory.rows import Progress
from kithnet.memory.store import Store
from kithnet.memory.vectors import Embedder, VectorIndex
from kithnet.runtime.errors import InputError, WorldBusy

BATCH = 256
LEASE_SECONDS = 120.0
MAX_CHARACTERS = 8_000  # sentence embedders read some hundred tokens; the rest of a very long text is not read

_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class IndexReport:
    """done: vectors made or removed by this run. pending: left for the next. seconds: wall clock."""

    done: int
    pending: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: tuple[int, ...]  # of the outbox
    texts: tuple[tuple[int, str], ...]  # to embed: key, body
    gone: tuple[int, ...]  # to delete


@dataclass(frozen=True, slots=True)
class Difference:
    """Keys of texts, apart from those that wait in the outbox. missing: without a vector. ghosts: only a vector."""

    missing: frozenset[int]
    ghosts: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.missing or self.ghosts)


def compare(store: Store, index: VectorIndex) -> Difference:
    """What an index should hold and does not (a new generation, a restored backup), and the reverse."""
    with store.database.read() as connection:
        queued = set(connection.scalars(select(schema.outbox.c.text)))
        keys = set(connection.scalars(select(schema.text.c.key)))
    held = index.ids()
    return Difference(frozenset(keys - queued - held), frozenset(held - keys - queued))


class Indexer:
    """Brings `index` up to date with `store`. Recall works meanwhile, with the vectors that are there."""

    def __init__(self, store: Store, index: VectorIndex, embedder: Embedder) -> None:
        if index.embedder != embedder.name:
            raise InputError(f"the vectors are made by {index.embedder}, not by {embedder.name}")
        self._store = store
        self._index = index
        self._embedder = embedder

    def pending(self) -> int:
        """How many texts wait for their vector to be made or removed."""
        with self._store.database.read() as connection:
            return _count(connection)

    def run(self, progress: Progress | None = None, seconds: float | None = None, batch: int = BATCH) -> IndexReport:
        """Index what is pending, for about `seconds` at most; the next run continues.

        Raises WorldBusy when another indexer is at work, StorageError when the vectors cannot be written, and what
        the embedder raises; what was done until then is kept.
        """
        started = time.monotonic()
        done = 0
        with self._alone():
            self._reconcile()
            total = self.pending()
            while seconds is None or time.monotonic() - started < seconds:
                work = self._next(batch)
                if not work.rows:
                    break
                self._index.delete(work.gone)
                if work.texts:
                    vectors = self._embedder.embed([body[:MAX_CHARACTERS] for _, body in work.texts])
                    self._index.upsert([key for key, _ in work.texts], vectors)
                self._finish(work)
                done += len(work.rows)
                if progress:
                    progress(done, max(total, done))
        return IndexReport(done, self.pending(), time.monotonic() - started)

    def _next(self, size: int) -> _Batch:
        outbox = schema.outbox.c
        query = (
            select(outbox.id, outbox.op, outbox.text, schema.text.c.body)
            .outerjoin(schema.text, schema.text.c.key == outbox.text)
            .order_by(outbox.id)
            .limit(size)
        )
        with self._store.database.read() as connection:
            rows = connection.execute(query).all()
        return _Batch(
            rows=tuple(row.id for row in rows),
            texts=tuple((row.text, row.body) for row in rows if row.op == "upsert" and row.body is not None),
            gone=tuple(row.text for row in rows if row.op == "delete" or row.body is None),
        )

    def _finish(self, work: _Batch) -> None:
        """Delete the outbox rows that were seen; a newer row about the same text has another id and stays."""
        with self._store.database.write() as connection:
            connection.execute(delete(schema.outbox).where(schema.outbox.c.id.in_(work.rows)))
            _lease(connection, _me())

    def _reconcile(self) -> None:
        """Queue what the index should hold and does not (a new generation, a restored backup), and the reverse."""
        self._store.note("embedder", self._embedder.name)
        with self._store.database.read() as connection:
            if _settled(connection) == self._index.count and not _count(connection):
                return
        found = compare(self._store, self._index)
        self._queue("upsert", found.missing)
        self._queue("delete", found.ghosts)

    def _queue(self, op: str, keys: Collection[int]) -> None:
        rows = [{"op": op, "text": key} for key in sorted(keys)]
        with self._store.database.write() as connection:
            for start in range(0, len(rows), _CHUNK):
                connection.execute(insert(schema.outbox), rows[start : start + _CHUNK])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the file lock (one machine) and the lease row (a database shared by machines)."""
        path = self._store.database.path
        lock = FileLock(path.with_name(path.name + ".index.lock"), blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise WorldBusy(f"another process is indexing {path}", "wait for it, or let it do the work") from error
        try:
            with self._store.database.write() as connection:
                _lease(connection, _me())
            yield
            with self._store.database.write() as connection:
                connection.execute(delete(schema.lease).where(schema.lease.c.holder == _me()))
        finally:
            lock.release()


def _me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _lease(connection: Connection, holder: str) -> None:
    """Take or renew the lease. One left by a dead process of this machine is void: the file lock is ours."""
    lease = schema.lease.c
    held = connection.execute(select(lease.holder, lease.until).where(lease.name == "indexer")).first()
    machine = holder.rpartition(":")[0]
    if held and held.holder.rpartition(":")[0] != machine and held.until > time.time():
        raise WorldBusy(f"{held.holder} is indexing this world", "wait for it, or let it do the work")
    connection.execute(delete(schema.lease).where(lease.name == "indexer"))
    row = {"name": "indexer", "holder": holder, "until": time.time() + LEASE_SECONDS}
    connection.execute(insert(schema.lease).values(row))


def _settled(connection: Connection) -> int:
    """How many texts should have their vector by now."""
    waiting = select(schema.outbox.c.text)
    settled = select(func.count()).select_from(schema.text).where(schema.text.c.key.not_in(waiting))
    return int(connection.execute(settled).scalar_one())


def _count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(schema.outbox)).scalar_one())


__all__: Sequence[str] = ["BATCH", "Difference", "IndexReport", "Indexer", "compare"]
