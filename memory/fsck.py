"""Check a world against itself: the database, its full-text indexes, its vectors, and who may see what.

SQL is the truth: what disagrees with it is made again or removed by `repair`. What only a backup can mend (a damaged
file, a text that is not what its digest says) is told.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, delete, exists, func, insert, or_, select, tuple_, update

from kithnet.memory import agent_words, generations, schema, terms, texts
from kithnet.memory.closure import Doomed
from kithnet.memory.conversations import heard_by, let_senders_read
from kithnet.memory.indexer import LEASE_SECONDS, compare
from kithnet.memory.store import Store
from kithnet.memory.withdrawing import withdraw
from kithnet.runtime.errors import StorageError, WorldBusy

if TYPE_CHECKING:
    from kithnet.memory.chroma import ChromaIndex
    from kithnet.memory.chroma_server import ChromaServerIndex


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. found: how much is wrong. repaired: of it. detail: what that is, or why it was not looked at. rows: each
    of it, where a repair moves or removes what somebody may want to read first.
    """

    name: str
    found: int = 0
    repaired: int = 0
    detail: str = ""
    rows: tuple[Doomed, ...] = ()

    @property
    def ok(self) -> bool:
        return self.repaired >= self.found


@dataclass(frozen=True, slots=True)
class Checked:
    """Every check of a world in order. seconds: wall clock."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong, or all of it was repaired."""
        return all(finding.ok for finding in self.findings)


def check(store: Store, vectors: Path, *, repair: bool = False) -> Checked:
    """Check a world. vectors: its folder of vectors, which need not be there.

    Raises StorageError for a database that cannot be read, WorldBusy when it stays locked.
    """
    started = time.monotonic()
    findings = [*_database(store), *_full_text(store, repair), _agent_words(store, repair)]
    for rule in _RULES:
        findings.append(_apply(store, rule, repair))
    findings += [*_texts(store, repair), *_lease(store, repair), *_erasures(store)]
    findings += _vectors(store, vectors, repair)
    return Checked(tuple(findings), time.monotonic() - started)


# --- the database ---


def _is_sqlite(store: Store) -> bool:
    with store.database.read() as connection:
        return connection.dialect.name == "sqlite"


def _database(store: Store) -> Iterator[Finding]:
    if not _is_sqlite(store):
        return  # the server keeps its own pages and references sound
    with store.database.read() as connection:
        damage = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(20)") if row[0] != "ok"]
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    yield Finding("database", len(damage), 0, "; ".join(damage[:3]))
    yield Finding("references", len(broken), 0, ", ".join(sorted({f"{row[0]} to {row[2]}" for row in broken})))


def _full_text(store: Store, repair: bool) -> Iterator[Finding]:
    """An index that does not hold exactly the words of its texts is made again from them."""
    if not _is_sqlite(store):
        with store.database.read() as connection:
            unlike = terms.wrong(connection)
        if unlike and repair:
            with store.database.write() as connection:
                terms.mend(connection, unlike)
        yield Finding("full text", len(unlike), len(unlike) * repair, "made again from the texts")
        return
    for name in ("message_fts", "memory_fts"):
        wrong = _unlike(store, name)
        if wrong and repair:
            with store.database.write() as connection:
                connection.exec_driver_sql(f"INSERT INTO {name}({name}) VALUES ('rebuild')")
        yield Finding(
            f"full text of {name.partition('_')[0]}", int(wrong), int(wrong and repair), "made again from the texts"
        )


def _unlike(store: Store, name: str) -> bool:
    try:
        with store.database.write() as connection:
            connection.exec_driver_sql(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")
    except WorldBusy:
        raise
    except StorageError:  # how FTS5 says that index and texts differ
        return True
    return False


def _agent_words(store: Store, repair: bool) -> Finding:
    """Worlds of before `utterance` hold what agents said as messages of their owners."""
    with store.database.read() as connection:
        found = agent_words.find(connection)
    if found.rows and repair:
        with store.database.write() as connection:
            agent_words.move(connection, agent_words.find(connection))
    count = len(found.rows)
    return Finding(
        "agents' words", count, count * repair, "kept as their owners' messages: moved, and what rests on them removed",
        found.rows,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    """What may not be: rows, by their keys; mend: what is done with a list of them."""

    name: str
    detail: str
    wrong: Select[Any]
    mend: Callable[[Connection, list[Any]], object]


def _apply(store: Store, rule: _Rule, repair: bool) -> Finding:
    with store.database.read() as connection:
        rows = list(connection.execute(rule.wrong))
    if rows and repair:
        with store.database.write() as connection:
            for start in range(0, len(rows), 200):
                rule.mend(connection, [tuple(row) for row in rows[start : start + 200]])
    return Finding(rule.name, len(rows), len(rows) if repair else 0, rule.detail)


_MEMORY, _MESSAGE, _OTHER = schema.memory, schema.message, schema.memory.alias("other")
_OWNER_HEARD = heard_by(_MEMORY.c.owner)


def _deleting(table: Any, *columns: Any) -> Callable[[Connection, list[Any]], object]:
    if len(columns) == 1:
        return lambda connection, keys: connection.execute(
            delete(table).where(columns[0].in_([key[0] for key in keys]))
        )
    return lambda connection, keys: connection.execute(delete(table).where(tuple_(*columns).in_(keys)))


def _unlearn(connection: Connection, stated: list[Any]) -> None:
    """Forget what owners noted of messages that were never theirs to read."""
    owners = select(_MEMORY.c.id, _MEMORY.c.owner).where(_MEMORY.c.id.in_([memory for memory, _ in stated]))
    owner = {row.id: row.owner for row in connection.execute(owners)}
    lost: dict[int, set[int]] = {}
    for memory, message in stated:
        if memory in owner:
            lost.setdefault(message, set()).add(owner[memory])
    withdraw(connection, lost)


_EVIDENCE, _LINK, _ITEM, _GRANT = schema.evidence.c, schema.link.c, schema.disclosed.c, schema.disclosure_grant.c

_RULES = (
    _Rule(
        "evidence",
        "of a message that the owner neither sent nor received: taken away, with what rests on it",
        select(_EVIDENCE.memory, _EVIDENCE.message)
        .join(_MEMORY, _MEMORY.c.id == _EVIDENCE.memory)
        .join(_MESSAGE, _MESSAGE.c.id == _EVIDENCE.message)
        .where(~_OWNER_HEARD),
        lambda connection, keys: _unlearn(connection, keys),
    ),
    _Rule(
        "audience",
        "a memory for some that is open to all: closed again",
        select(_MEMORY.c.id).where(
            _MEMORY.c.restricted.is_(False), exists().where(schema.audience.c.memory == _MEMORY.c.id)
        ),
        lambda connection, keys: connection.execute(
            update(_MEMORY).where(_MEMORY.c.id.in_([key[0] for key in keys])).values(restricted=True)
        ),
    ),
    _Rule(
        "links",
        "between memories of two owners, or of one with itself",
        select(_LINK.a, _LINK.b, _LINK.type)
        .join(_MEMORY, _MEMORY.c.id == _LINK.a)
        .join(_OTHER, _OTHER.c.id == _LINK.b)
        .where(or_(_MEMORY.c.owner != _OTHER.c.owner, _LINK.a == _LINK.b)),
        _deleting(schema.link, _LINK.a, _LINK.b, _LINK.type),
    ),
    _Rule(
        "evidence of links",
        "a message that the owner neither sent nor received",
        select(_LINK.a, _LINK.b, _LINK.type)
        .join(_MEMORY, _MEMORY.c.id == _LINK.a)
        .join(_MESSAGE, _MESSAGE.c.id == _LINK.evidence)
        .where(~_OWNER_HEARD),
        lambda connection, keys: connection.execute(
            update(schema.link).where(tuple_(_LINK.a, _LINK.b, _LINK.type).in_(keys)).values(evidence=None)
        ),
    ),
    _Rule(
        "succession",
        "a memory that is replaced by itself or by another owner's",
        select(_MEMORY.c.id)
        .join(_OTHER, _OTHER.c.id == _MEMORY.c.superseded_by)
        .where(or_(_MEMORY.c.owner != _OTHER.c.owner, _MEMORY.c.id == _OTHER.c.id)),
        lambda connection, keys: connection.execute(
            update(_MEMORY).where(_MEMORY.c.id.in_([key[0] for key in keys])).values(superseded_by=None)
        ),
    ),
    _Rule(
        "disclosures",
        "of a message or memory that was not the teller's",
        select(_ITEM.disclosure, _ITEM.message, _ITEM.memory)
        .join(schema.disclosure, schema.disclosure.c.id == _ITEM.disclosure)
        .outerjoin(_MESSAGE, _MESSAGE.c.id == _ITEM.message)
        .outerjoin(_MEMORY, _MEMORY.c.id == _ITEM.memory)
        .where(
            or_(
                _MEMORY.c.owner != schema.disclosure.c.owner,
                _MESSAGE.c.id.is_not(None) & ~heard_by(schema.disclosure.c.owner),
            )
        ),
        lambda connection, keys: [
            connection.execute(
                delete(schema.disclosed).where(
                    _ITEM.disclosure == key[0],
                    _ITEM.message.is_not_distinct_from(key[1]),
                    _ITEM.memory.is_not_distinct_from(key[2]),
                )
            )
            for key in keys
        ],
    ),
    _Rule(
        "grants",
        "of a message or memory that is not the owner's",
        select(_GRANT.id)
        .outerjoin(_MESSAGE, _MESSAGE.c.id == _GRANT.message)
        .outerjoin(_MEMORY, _MEMORY.c.id == _GRANT.memory)
        .where(
            or_(
                _MEMORY.c.owner != _GRANT.owner,
                _MESSAGE.c.id.is_not(None) & ~heard_by(_GRANT.owner),
            )
        ),
        _deleting(schema.disclosure_grant, _GRANT.id),
    ),
    _Rule(
        "senders",
        "of a message whose audience leaves its own sender out: put in",
        select(_MESSAGE.c.id).where(~heard_by(_MESSAGE.c.sender)),
        lambda connection, keys: let_senders_read(connection, [key[0] for key in keys]),
    ),
    _Rule(
        "unused texts",
        "that no message or memory says",
        select(schema.text.c.key).where(
            ~exists().where(_MESSAGE.c.text == schema.text.c.key), ~exists().where(_MEMORY.c.text == schema.text.c.key)
        ),
        _deleting(schema.text, schema.text.c.key),
    ),
    _Rule(
        "outbox",
        "a vector is to be removed whose text is there",
        select(schema.outbox.c.id, schema.outbox.c.text)
        .join(schema.text, schema.text.c.key == schema.outbox.c.text)
        .where(schema.outbox.c.op == "delete"),
        lambda connection, keys: connection.execute(
            update(schema.outbox).where(schema.outbox.c.id.in_([key[0] for key in keys])).values(op="upsert")
        ),
    ),
)


def _texts(store: Store, repair: bool) -> Iterator[Finding]:
    text, altered, last = schema.text.c, 0, 0
    while True:
        with store.database.read() as connection:
            query = select(text.key, text.digest, text.body).where(text.key > last).order_by(text.key).limit(5_000)
            rows = connection.execute(query).all()
        if not rows:
            break
        altered += sum(texts.digest(row.body) != row.digest for row in rows)
        last = rows[-1].key
    yield Finding("texts", altered, 0, "not what their digests say: put a backup back")


def _lease(store: Store, repair: bool) -> Iterator[Finding]:
    """A lease that outlasts any renewal was taken under another clock; it would hold every indexer off."""
    lease = schema.lease.c
    far = lease.until > time.time() + 2 * LEASE_SECONDS
    with store.database.read() as connection:
        wrong = int(connection.execute(select(func.count()).select_from(schema.lease).where(far)).scalar_one())
    if wrong and repair:
        with store.database.write() as connection:
            connection.execute(delete(schema.lease).where(far))
    yield Finding("lease", wrong, wrong if repair else 0, "of an indexer whose clock is ahead")


def _erasures(store: Store) -> Iterator[Finding]:
    with store.database.read() as connection:
        query = select(func.count()).select_from(schema.erasure).where(schema.erasure.c.finished.is_(None))
        left = int(connection.execute(query).scalar_one())
    yield Finding("erasures", left, 0, "begun and not finished: `kith memory erase --resume`")


# --- vectors ---


def _vectors(store: Store, folder: Path, repair: bool) -> Iterator[Finding]:
    try:
        index = generations.opened(folder)
        if index is None:
            yield Finding("vectors", detail="none made yet")
            return
        with closing(index):
            yield from _compared(store, index, repair)
    except WorldBusy as busy:
        yield Finding("vectors", detail=f"not looked at: {busy.message}")
        return
    except StorageError as damage:
        if mend := repair and not generations.in_server(folder):
            from kithnet.memory import chroma  # a second's import, for worlds that have vectors

            chroma.discard(folder)
        yield Finding("vectors", 1, int(mend), "`kith world index` makes them again" if mend else damage.message)
        return
    if not generations.in_server(folder):
        yield _unused(folder, repair)


def _compared(store: Store, index: "ChromaIndex | ChromaServerIndex", repair: bool) -> Iterator[Finding]:
    stated = store.stats().embedder
    other = stated is not None and stated != index.embedder
    yield Finding("embedder", int(other), 0, f"the vectors are by {index.embedder}, not by {stated}" if other else "")
    found = compare(store, index)
    if repair and found.missing:
        rows = [{"op": "upsert", "text": key} for key in sorted(found.missing)]
        with store.database.write() as connection:
            for start in range(0, len(rows), 5_000):
                connection.execute(insert(schema.outbox), rows[start : start + 5_000])
    if repair and found.ghosts:
        generations.keep_only(index, index.ids() - found.ghosts)
    yield _finding("vectors that are missing", found.missing, repair, "`kith world index` makes them")
    yield _finding("vectors of nothing", found.ghosts, repair, "their texts are gone")


def _finding(name: str, keys: frozenset[int], repair: bool, detail: str) -> Finding:
    return Finding(name, len(keys), len(keys) if repair else 0, detail)


def _unused(folder: Path, repair: bool) -> Finding:
    from kithnet.memory import chroma

    unused = chroma.strays(folder)
    if repair:
        for path in unused:
            shutil.rmtree(path, ignore_errors=True)
    return Finding("generations", len(unused), len(unused) if repair else 0, "not in use")
