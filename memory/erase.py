"""Erase messages, memories or a person so that the database holds nothing of them, and keep a receipt.

In two steps. `begin` deletes the rows and all that rests on them (`closure`) in one transaction, which also notes what
the other files of the world must lose: from then on nobody recalls it. Whoever keeps those files removes it there and
calls `settle`, which writes the database anew without the bytes. Killed in between, `unfinished` says what is left.

The receipt says when, of what kind and how many; not what.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from kithnet.memory import naming, schema
from kithnet.memory.closure import Closure, Repeats, Request, gather
from kithnet.memory.conversations import forget_circles, leave_circles
from kithnet.memory.store import Store

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Receipt:
    """finished: None while files are still to be cleared. removed: what -> how many."""

    id: int
    kind: str
    begun: datetime
    finished: datetime | None
    removed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An erasure whose rows are gone. texts, ids: what its files must lose; both empty once that is done."""

    receipt: Receipt
    texts: tuple[str, ...]
    ids: frozenset[str]


def plan(store: Store, request: Request) -> Closure:
    """What `begin` would delete. Raises InputError for an id that there is not, UnknownPerson."""
    with store.database.read() as connection:
        return gather(connection, request)


def begin(store: Store, request: Request) -> Unfinished:
    """Delete the closure of a request; all of it is gone when this returns, or nothing. Raises like `plan`."""
    with store.database.write() as connection:
        found = gather(connection, request)
        removed, gone = _delete(connection, found)
        ids = [row.id for row in found.rows if row.kind != "task"]
        now = datetime.now(UTC).replace(tzinfo=None)
        row = {"kind": request.kind, "begun": now, "removed": json.dumps(removed)}
        work = json.dumps({"texts": gone, "ids": ids})
        key = connection.execute(insert(schema.erasure).values({**row, "work": work})).inserted_primary_key
        assert key is not None
        return Unfinished(Receipt(int(key[0]), request.kind, now, None, removed), tuple(gone), frozenset(ids))


def receipts(store: Store) -> list[Receipt]:
    """Every erasure of this world, oldest first."""
    with store.database.read() as connection:
        return [_receipt(row) for row in connection.execute(select(schema.erasure).order_by(schema.erasure.c.id))]


def unfinished(store: Store) -> list[Unfinished]:
    """Erasures that were begun and not settled."""
    query = select(schema.erasure).where(schema.erasure.c.finished.is_(None)).order_by(schema.erasure.c.id)
    with store.database.read() as connection:
        found = []
        for row in connection.execute(query):
            work = json.loads(row.work) if row.work else {"texts": [], "ids": []}
            found.append(Unfinished(_receipt(row), tuple(work["texts"]), frozenset(work["ids"])))
        return found


def settle(store: Store, receipt: Receipt, files: Mapping[str, int]) -> Receipt:
    """The files are clear: forget what was looked for, write the database anew, and close the receipt.

    files: what was removed of them -> how many. Raises WorldBusy while another process reads or writes.
    """
    row = schema.erasure.c
    removed = {**receipt.removed, **files}
    with store.database.write() as connection:
        connection.execute(
            update(schema.erasure).where(row.id == receipt.id).values(work="", removed=json.dumps(removed))
        )
    store.database.scrub()
    finished = datetime.now(UTC).replace(tzinfo=None)
    with store.database.write() as connection:
        connection.execute(update(schema.erasure).where(row.id == receipt.id).values(finished=finished))
    return Receipt(receipt.id, receipt.kind, receipt.begun, finished, removed)


def still_said(store: Store, pieces: Iterable[str]) -> set[str]:
    """Those of `pieces` that also stand in a text that stays."""
    wanted = set(pieces)
    with store.database.read() as connection:
        stays = (*connection.scalars(select(schema.text.c.body)), *connection.scalars(select(schema.utterance.c.body)))
    bodies = "\n".join(stays)
    return {piece for piece in wanted if piece in bodies}


def vectors_settled(store: Store) -> set[int]:
    """The index holds only texts that there are: drop deletions that wait, and return the keys that it may hold."""
    text, outbox = schema.text.c, schema.outbox.c
    with store.database.write() as connection:
        connection.execute(delete(schema.outbox).where(outbox.op == "delete", ~exists().where(text.key == outbox.text)))
        return {int(key) for key in connection.scalars(select(text.key))}


def _receipt(row: Any) -> Receipt:
    return Receipt(row.id, row.kind, row.begun, row.finished, json.loads(row.removed))


def _delete(connection: Connection, found: Closure) -> tuple[dict[str, int], list[str]]:
    """Delete the rows; returns what -> how many, and the texts that nothing says any more."""
    memory, message = schema.memory.c, schema.message.c
    held = {
        *_column(connection, memory.text, memory.id, found.memories),
        *_column(connection, message.text, message.id, found.messages),
    }
    spoken = schema.utterance.c
    said = _column(connection, spoken.body, spoken.id, found.utterances)
    removed = {
        "messages": len(found.messages),
        "memories": len(found.memories),
        "utterances": len(found.utterances),
        "tasks": len(found.tasks),
        "links": _forget_links(connection, found),
        "usages": _forget_usages(connection, found),
        "disclosures": _blank_disclosures(connection, found),
        "grants": _forget_grants(connection, found),
    }
    for table, column, keys in (
        (schema.utterance, spoken.id, found.utterances),
        (schema.memory, memory.id, found.memories),
        (schema.message, message.id, found.messages),
        (schema.task, schema.task.c.position, found.tasks),
    ):
        for chunk in _chunks(keys):
            connection.execute(delete(table).where(column.in_(chunk)))
    if found.person is not None:
        removed |= {"people": 1, "ties": _forget_person(connection, found.person)}
    gone = forget_texts(connection, held)
    sessions = (message.session, memory.session, spoken.session)
    used = or_(*(exists().where(session == schema.session.c.key) for session in sessions))
    connection.execute(delete(schema.session).where(~used))
    conversation = schema.conversation.c.key
    talked = exists().where(message.conversation == conversation)
    connection.execute(delete(schema.conversation).where(~talked))
    forget_circles(connection)
    return {what: count for what, count in removed.items() if count}, [*gone, *said]


def _forget_links(connection: Connection, found: Closure) -> int:
    """Links of what goes, and the evidence of others."""
    link, count = schema.link.c, 0
    for chunk in _chunks(found.memories):
        count += connection.execute(delete(schema.link).where(or_(link.a.in_(chunk), link.b.in_(chunk)))).rowcount
    for chunk in _chunks(found.messages):
        connection.execute(update(schema.link).where(link.evidence.in_(chunk)).values(evidence=None))
    return count


def _forget_usages(connection: Connection, found: Closure) -> int:
    """Usages of memories that go, and those whose utterance repeats what goes."""
    usage, repeats = schema.usage.c, Repeats(found.said)
    gone = set(_column(connection, usage.id, usage.memory, found.memories))
    gone |= {
        row.id for row in connection.execute(select(usage.id, usage.utterance)) if repeats.in_(row.utterance, False)
    }
    for chunk in _chunks(gone):
        connection.execute(delete(schema.usage).where(usage.id.in_(chunk)))
    return len(gone)


def _blank_disclosures(connection: Connection, found: Closure) -> int:
    """That something was told to somebody stays on record; what it was, and the task that quotes it, do not."""
    row, item, repeats = schema.disclosure.c, schema.disclosed.c, Repeats(found.said)
    about = {
        *_column(connection, item.disclosure, item.message, found.messages),
        *_column(connection, item.disclosure, item.memory, found.memories),
    }
    about |= {
        one.id for one in connection.execute(select(row.id, row.task)) if one.task and repeats.in_(one.task, True)
    }
    for chunk in _chunks(about):
        connection.execute(update(schema.disclosure).where(row.id.in_(chunk)).values(task=""))
    return len(about)


def _forget_grants(connection: Connection, found: Closure) -> int:
    """Grants whose words repeat what goes; those of an item go with it."""
    grant, repeats = schema.disclosure_grant.c, Repeats(found.said)
    rows = connection.execute(select(grant.id, grant.topic, grant.purpose)).all()
    gone = {row.id for row in rows if any(text and repeats.in_(text, True) for text in (row.topic, row.purpose))}
    gone |= {*_column(connection, grant.id, grant.message, found.messages)}
    gone |= {*_column(connection, grant.id, grant.memory, found.memories)}
    for chunk in _chunks(gone):
        connection.execute(delete(schema.disclosure_grant).where(grant.id.in_(chunk)))
    return len(gone)


def _forget_person(connection: Connection, person: int) -> int:
    """The row of a person and what else names it; returns how many ties. In groups, others go on having said what they said."""
    tie, row = schema.tie.c, schema.disclosure.c
    naming.forget(connection, person)
    leave_circles(connection, person)
    connection.execute(delete(schema.membership).where(schema.membership.c.person == person))
    connection.execute(delete(schema.contact).where(schema.contact.c.person == person))
    connection.execute(delete(schema.audience).where(schema.audience.c.person == person))
    connection.execute(delete(schema.usage).where(schema.usage.c.partner == person))
    connection.execute(delete(schema.disclosure).where(or_(row.owner == person, row.partner == person)))
    grant = schema.disclosure_grant.c
    connection.execute(delete(schema.grant_use).where(schema.grant_use.c.partner == person))
    connection.execute(delete(schema.disclosure_grant).where(or_(grant.owner == person, grant.person == person)))
    ties = connection.execute(delete(schema.tie).where(or_(tie.a == person, tie.b == person))).rowcount
    connection.execute(delete(schema.person).where(schema.person.c.key == person))
    return ties


def forget_texts(connection: Connection, keys: Iterable[int]) -> list[str]:
    """Delete those texts that nothing says any more; returns them. Their vectors are queued for deletion with them."""
    text, gone = schema.text.c, []
    used = or_(
        exists().where(schema.message.c.text == text.key),
        exists().where(schema.memory.c.text == text.key),
    )
    for chunk in _chunks(keys):
        unused = text.key.in_(chunk) & ~used
        gone += [str(body) for body in connection.scalars(select(text.body).where(unused))]
        connection.execute(delete(schema.text).where(unused))
    return gone


def _column(connection: Connection, column: Any, where: Any, keys: Iterable[int]) -> list[Any]:
    found: list[Any] = []
    for chunk in _chunks(keys):
        found += connection.scalars(select(column).where(where.in_(chunk)))
    return found


def _chunks(keys: Iterable[int]) -> list[list[int]]:
    ordered = sorted(keys)
    return [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]
