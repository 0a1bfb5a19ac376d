"""What an owner writes: memories from the owner's point of view, turns of a chat, and what was told to whom.

All functions work inside the caller's write transaction and in the owner's `Scope`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, or_, select, update

from kithnet.memory import schema, texts
from kithnet.memory.conversations import Circles, Conversations
from kithnet.memory.dialects import larger, smaller
from kithnet.memory.scope import Scope
from kithnet.runtime.errors import InputError, UnknownPerson

Kind = Literal["summary", "fact", "event", "preference", "plan"]
Action = Literal["tell", "ask", "refuse"]
_KINDS = {"m": "message", "k": "memory", "u": "utterance", "g": "grant"}


@dataclass(frozen=True, slots=True)
class Remembered:
    """id: of the memory ("k4"). reinforced: it was known already and counts more now; nothing was added."""

    id: str
    reinforced: bool


@dataclass(frozen=True, slots=True)
class Note:
    """A statement to keep. audience: keys of the people it may be told, None for everybody; see `remember`.

    starts, ends: of an event or a plan. read_by: the reader that judged what its message says, "" for none.
    """

    about: int
    told_by: int
    kind: Kind
    text: str
    slot: str | None
    evidence: tuple[int, ...]
    audience: frozenset[int] | None
    session: str | None
    at: datetime | None
    importance: float
    supersedes: int | None
    handles: tuple[str, ...] = ()
    starts: datetime | None = None
    ends: datetime | None = None
    read_by: str = ""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What was told, asked or refused: items ("m17", "k4") of the owner's, towards `partner`, at (UTC)."""

    items: tuple[str, ...]
    partner: str
    task: str
    rule: str
    action: Action
    at: datetime


def person_key(connection: Connection, person: str) -> int:
    """The key of the person with this id. Raises UnknownPerson."""
    key = connection.scalar(select(schema.person.c.key).where(schema.person.c.id == person))
    if key is None:
        raise UnknownPerson(f"no person {person!r} in this world", "`kith world show WORLD` lists the people")
    return int(key)


def partner_key(connection: Connection, person: str) -> int:
    """The same, adding somebody from outside the network, such as the human at the keyboard, when there is none."""
    key = connection.scalar(select(schema.person.c.key).where(schema.person.c.id == person))
    if key is None:
        row = {"id": person, "name": person, "persona": "", "aliases": "[]", "outside": True}
        key = inserted(connection, schema.person, row)
    return int(key)


def item_key(item: str, kind: str) -> int:
    """The number of an id such as "m17" (kind "m"), "k4" (kind "k"), "u3" (kind "u") or "g2" (kind "g"). Raises InputError."""
    if not (item.startswith(kind) and item[1:].isascii() and item[1:].isdigit()):
        raise InputError(
            f"{item!r} is not an id of a {_KINDS[kind]}", "ids are like m17 (a message), k4 (a memory), g2 (a grant)"
        )
    return int(item[1:])


def remember(connection: Connection, scope: Scope, note: Note) -> Remembered:
    """Keep a note; the same statement again reinforces, a new value for the same slot closes the old one."""
    _check_evidence(connection, scope, note)
    same = _same(connection, scope, note)
    if same is not None:
        reinforce(connection, scope, same, note)
        return Remembered(f"k{same}", True)
    replaced = _replaced(connection, scope, note)
    memory = add(connection, scope, note)
    for old in replaced:
        close(connection, scope, old, memory, note.at, note.evidence[0] if note.evidence else None)
    return Remembered(f"k{memory}", False)


def add(connection: Connection, scope: Scope, note: Note) -> int:
    """Write a note as a new memory, whatever else says the same; returns its number."""
    memory = inserted(
        connection,
        schema.memory,
        {
            "owner": scope.owner,
            "about": note.about,
            "told_by": note.told_by,
            "restricted": note.audience is not None,
            "kind": note.kind,
            "slot": note.slot,
            "text": texts.keep(connection, note.text),
            "fingerprint": texts.fingerprint(note.text),
            "session": session_key(connection, note.session) if note.session is not None else None,
            "valid_from": note.at,
            "recorded_at": datetime.now(UTC).replace(tzinfo=None),
            "importance": min(max(note.importance, 0.0), 1.0),
            "uses": 0,
            "rev": 1,
            "handles": json.dumps(note.handles),
            "starts": note.starts,
            "ends": note.ends,
            "read_by": note.read_by or None,
        },
    )
    _add_evidence(connection, memory, note.evidence)
    for person in sorted(note.audience or ()):
        connection.execute(insert(schema.audience).values(memory=memory, person=person))
    return memory


def close(
    connection: Connection, scope: Scope, old: int, successor: int, at: datetime | None, evidence: int | None
) -> None:
    """End the validity of `old`, which `successor` takes the place of, and link the two.

    A clock that went back ends it at its own beginning: no memory stops holding before it starts.
    """
    since = connection.scalar(scope.memories(schema.memory.c.valid_from).where(schema.memory.c.id == old))
    end = at or datetime.now(UTC).replace(tzinfo=None)
    closed = {
        "valid_to": end if since is None else max(end, since),
        "superseded_by": successor,
        "rev": schema.memory.c.rev + 1,
    }
    connection.execute(_own(update(schema.memory), scope, schema.memory.c.id == old).values(closed))
    connection.execute(insert(schema.link).values(a=successor, b=old, type="updates", evidence=evidence))


def _own(statement: Any, scope: Scope, *conditions: ColumnElement[bool]) -> Any:
    """Narrow an UPDATE or DELETE of memories to the owner's."""
    return statement.where(schema.memory.c.owner == scope.owner, *conditions)


def _check_evidence(connection: Connection, scope: Scope, note: Note) -> None:
    query = scope.messages(schema.message.c.id).where(schema.message.c.id.in_(note.evidence))
    missing = set(note.evidence) - set(connection.scalars(query))
    if missing:
        raise InputError(f"m{min(missing)} is not a message that the owner has sent or received")


def _same(connection: Connection, scope: Scope, note: Note) -> int | None:
    """The current memory that says the same, from the same teller, for the same audience.

    A fact heard in confidence and again in the open is two memories: neither audience may widen the other.
    """
    memory = schema.memory.c
    query = scope.memories(memory.id).where(
        memory.fingerprint == texts.fingerprint(note.text),
        memory.about == note.about,
        memory.told_by == note.told_by,
        memory.kind == note.kind,
        memory.slot.is_not_distinct_from(note.slot),
        memory.restricted.is_(note.audience is not None),
        memory.valid_to.is_(None),
        memory.superseded_by.is_(None),
    )
    for found in connection.scalars(query.order_by(memory.id)):
        listed = select(schema.audience.c.person).where(schema.audience.c.memory == found)
        if note.audience is None or set(connection.scalars(listed)) == note.audience:
            return int(found)
    return None


def _replaced(connection: Connection, scope: Scope, note: Note) -> list[int]:
    """Current memories that this one takes the place of: the one it names, and those of its slot."""
    memory = schema.memory.c
    conditions = []
    if note.supersedes is not None:
        known = connection.scalar(scope.memories(memory.id).where(memory.id == note.supersedes))
        if known is None:
            raise InputError(f"the owner has no memory k{note.supersedes}")
        conditions.append(memory.id == note.supersedes)
    if note.slot is not None:
        conditions.append((memory.slot == note.slot) & (memory.about == note.about))
    if not conditions:
        return []
    query = scope.memories(memory.id).where(or_(*conditions), memory.superseded_by.is_(None))
    return [int(found) for found in connection.scalars(query)]


def reinforce(connection: Connection, scope: Scope, memory: int, note: Note) -> None:
    """Count a memory that was heard again for more, with the evidence it did not have yet.

    What other agents passed on counts for no more than the best of it: an echo is no second witness.
    """
    more = 0.0 if note.handles and not note.evidence else 0.05
    stronger = smaller(1.0, larger(schema.memory.c.importance, note.importance) + more)
    values = {"importance": stronger, "rev": schema.memory.c.rev + 1}
    connection.execute(_own(update(schema.memory), scope, schema.memory.c.id == memory).values(values))
    known = connection.scalars(select(schema.evidence.c.message).where(schema.evidence.c.memory == memory))
    _add_evidence(connection, memory, sorted(set(note.evidence) - set(known)))


def _add_evidence(connection: Connection, memory: int, messages: Sequence[int]) -> None:
    for message in dict.fromkeys(messages):
        connection.execute(insert(schema.evidence).values(memory=memory, message=message))


def outdated(connection: Connection, scope: Scope, messages: Sequence[int]) -> set[int]:
    """Which of the messages are evidence of a memory of the owner's that is superseded."""
    query = (
        scope.memories(schema.evidence.c.message)
        .join(schema.evidence, schema.evidence.c.memory == schema.memory.c.id)
        .where(schema.evidence.c.message.in_(messages), schema.memory.c.superseded_by.is_not(None))
    )
    return {int(message) for message in connection.scalars(query)}


def forget(connection: Connection, scope: Scope, memory: int) -> bool:
    """Delete a memory, what hangs on it, and its text if nothing else says it. False when there is none."""
    text = connection.scalar(scope.memories(schema.memory.c.text).where(schema.memory.c.id == memory))
    if text is None:
        return False
    connection.execute(_own(delete(schema.memory), scope, schema.memory.c.id == memory))
    used = or_(
        exists().where(schema.message.c.text == text),
        exists().where(schema.memory.c.text == text),
    )
    connection.execute(delete(schema.text).where(schema.text.c.key == text, ~used))
    return True


def session_key(connection: Connection, session: str) -> int:
    """The key of a session, which is added if it is new."""
    key = connection.scalar(select(schema.session.c.key).where(schema.session.c.id == session))
    return int(key) if key is not None else inserted(connection, schema.session, {"id": session})


def write_message(
    connection: Connection,
    sender: int,
    receiver: int,
    body: str,
    session: str,
    at: datetime | None,
) -> int:
    """Add one message at the end of the world; return its number. It is private where one side is from outside the
    network: somebody at the keyboard, who talks with the own agent. Raises InputError for an empty one.
    """
    if not body.strip():
        raise InputError("an empty turn cannot be stored")
    aside = select(schema.person.c.key).where(schema.person.c.key.in_((sender, receiver)), schema.person.c.outside)
    last = connection.scalar(select(func.max(schema.message.c.seq)))
    named = select(schema.person.c.key, schema.person.c.id).where(schema.person.c.key.in_((sender, receiver)))
    ids = {int(row.key): str(row.id) for row in connection.execute(named)}
    return inserted(
        connection,
        schema.message,
        {
            "seq": 0 if last is None else last + 1,
            "sender": sender,
            "conversation": Conversations(connection, ids).of((sender, receiver), session),
            "circle": Circles(connection).key((sender, receiver)),
            "text": texts.keep(connection, body),
            "session": session_key(connection, session),
            "at": at,
            "private": connection.scalar(aside) is not None,
        },
    )


def disclose(
    connection: Connection, scope: Scope, items: Sequence[str], partner: str, task: str, rule: str, action: Action
) -> None:
    """Record a decision about items of the owner. Raises InputError for an item that the owner does not have."""
    messages = [item_key(item, "m") for item in items if not item.startswith("k")]
    memories = [item_key(item, "k") for item in items if item.startswith("k")]
    own = set(connection.scalars(scope.messages(schema.message.c.id).where(schema.message.c.id.in_(messages))))
    noted = set(connection.scalars(scope.memories(schema.memory.c.id).where(schema.memory.c.id.in_(memories))))
    if strange := [*(set(messages) - own), *(set(memories) - noted)]:
        raise InputError(f"the owner has no message or memory with number {strange[0]}")
    values = {"owner": scope.owner, "partner": partner_key(connection, partner), "task": task, "rule": rule}
    now = datetime.now(UTC).replace(tzinfo=None)
    disclosure = inserted(connection, schema.disclosure, {**values, "action": action, "at": now})
    rows: list[dict[str, int | None]] = [
        *({"disclosure": disclosure, "message": item, "memory": None} for item in dict.fromkeys(messages)),
        *({"disclosure": disclosure, "message": None, "memory": item} for item in dict.fromkeys(memories)),
    ]
    if rows:
        connection.execute(insert(schema.disclosed), rows)


def disclosures(connection: Connection, scope: Scope) -> list[Disclosure]:
    """All decisions about the owner's items, oldest first."""
    row = schema.disclosure.c
    query = (
        select(row.id, schema.person.c.id.label("partner"), row.task, row.rule, row.action, row.at)
        .join(schema.person, schema.person.c.key == row.partner)
        .where(row.owner == scope.owner)
        .order_by(row.id)
    )
    decided = connection.execute(query).all()
    items: dict[int, list[str]] = {}
    told = (
        select(schema.disclosed)
        .join(schema.disclosure, row.id == schema.disclosed.c.disclosure)
        .where(row.owner == scope.owner)
    )
    for disclosure, message, memory in connection.execute(told):
        items.setdefault(disclosure, []).append(f"k{memory}" if message is None else f"m{message}")
    return [Disclosure(tuple(items.get(d.id, ())), d.partner, d.task, d.rule, d.action, d.at) for d in decided]


def record_usage(connection: Connection, scope: Scope, utterance: str, memories: Sequence[int], partner: str) -> None:
    """Note that an utterance to `partner` used these memories; ids that are not the owner's are an InputError."""
    column = schema.memory.c
    own = set(connection.scalars(scope.memories(column.id).where(column.id.in_(memories))))
    if strange := set(memories) - own:
        raise InputError(f"the owner has no memory k{min(strange)}")
    now = datetime.now(UTC).replace(tzinfo=None)
    listener = partner_key(connection, partner)
    for memory in dict.fromkeys(memories):
        values = {"utterance": texts.clean(utterance), "memory": memory, "partner": listener, "at": now}
        connection.execute(insert(schema.usage).values(values))
    used = {"uses": column.uses + 1, "last_used": now}
    connection.execute(_own(update(schema.memory), scope, column.id.in_(memories)).values(used))


def inserted(connection: Connection, table: Any, values: dict[str, Any]) -> int:
    """Add a row; returns its key."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])
