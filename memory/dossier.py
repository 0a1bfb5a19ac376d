"""What stands behind one item of an owner's, and who was told what about a person: for `kith memory show|explain`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from kithnet.memory import links, schema
from kithnet.memory.conversations import heard_by
from kithnet.memory.database import Database
from kithnet.memory.egocentric import Action, item_key, person_key
from kithnet.memory.links import Link
from kithnet.memory.scope import Scope


@dataclass(frozen=True, slots=True)
class Use:
    """An utterance to `partner` that was made from a memory."""

    utterance: str
    partner: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Behind:
    """Of a memory: when it was noted, how often it counted, what replaced it, its links and uses; empty for a message."""

    recorded_at: datetime | None = None
    importance: float | None = None
    uses: int = 0
    superseded_by: str | None = None
    links: tuple[Link, ...] = ()
    used: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of a disclosure ledger: `teller` told `person` an item, asked whether it may, or refused.

    item: None when it has been erased since. text: None when it is not the asking person's own to read.
    """

    person: str
    teller: str
    action: Action
    item: str | None
    text: str | None
    rule: str
    task: str
    at: datetime


def behind(database: Database, owner: str, item: str) -> Behind:
    """What stands behind an item of the owner's; an item that is not theirs has nothing. Raises UnknownPerson."""
    if not item.startswith("k"):
        return Behind()
    memory, usage, key = schema.memory.c, schema.usage.c, item_key(item, "k")
    with database.read() as connection:
        scope = Scope(person_key(connection, owner))
        query = scope.memories(memory.recorded_at, memory.importance, memory.uses, memory.superseded_by)
        row = connection.execute(query.where(memory.id == key)).first()
        if row is None:
            return Behind()
        used = (
            select(usage.utterance, schema.person.c.id, usage.at)
            .join(schema.person, schema.person.c.key == usage.partner)
            .where(usage.memory == key)
            .order_by(usage.id)
        )
        return Behind(
            recorded_at=row.recorded_at,
            importance=row.importance,
            uses=row.uses,
            superseded_by=None if row.superseded_by is None else f"k{row.superseded_by}",
            links=tuple(links.of(connection, scope, key, None, None)),
            used=tuple(Use(*one) for one in connection.execute(used)),
        )


def told(database: Database, person: str) -> list[Told]:
    """Who was told, asked about or refused what about a person, by anybody, oldest first. Raises UnknownPerson.

    About a person is what they said or heard, and every memory of, about or by them. The ledgers of others are read
    for this; the text of an item that is not the person's own is not.
    """
    entry, item = schema.disclosure.c, schema.disclosed.c
    message, memory = schema.message.c, schema.memory.c
    with database.read() as connection:
        key = person_key(connection, person)
        query = (
            select(schema.disclosure, item.message, item.memory)
            .outerjoin(schema.disclosed, item.disclosure == entry.id)
            .outerjoin(schema.message, message.id == item.message)
            .outerjoin(schema.memory, memory.id == item.memory)
            .where(
                or_(
                    entry.owner == key, message.id.is_not(None) & heard_by(key),
                    memory.owner == key, memory.about == key, memory.told_by == key,
                )
            )
            .order_by(entry.id, item.message, item.memory)
        )  # fmt: skip
        rows = connection.execute(query).all()
        people = connection.execute(select(schema.person.c.key, schema.person.c.id))
        names = {int(row.key): str(row.id) for row in people}
        spoken = _own_texts(connection, Scope(key), rows)
    return [_told(row, names, spoken) for row in rows]


def _told(row: Any, names: dict[int, str], spoken: dict[str, str]) -> Told:
    item = f"m{row.message}" if row.message is not None else f"k{row.memory}" if row.memory is not None else None
    return Told(
        person=names[row.partner],
        teller=names[row.owner],
        action=row.action,
        item=item,
        text=spoken.get(item) if item else None,
        rule=row.rule,
        task=row.task,
        at=row.at,
    )


def _own_texts(connection: Connection, scope: Scope, rows: Sequence[Any]) -> dict[str, str]:
    """The texts of those items that are the owner's own."""
    own = {}
    messages = scope.message_rows().where(schema.message.c.id.in_({row.message for row in rows} - {None}))
    own.update({f"m{row.id}": str(row.body) for row in connection.execute(messages)})
    memories = scope.memory_rows().where(schema.memory.c.id.in_({row.memory for row in rows} - {None}))
    own.update({f"k{row.id}": str(row.body) for row in connection.execute(memories)})
    return own
