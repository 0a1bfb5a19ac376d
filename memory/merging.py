"""People made one, and made two again; other names for somebody.

A merge gives everything of one person to another and notes which rows those were, so that `split` can undo it, until the next
export is added: from then on nobody can tell whose a new message would have been.
"""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from kithnet.memory import schema
from kithnet.memory.conversations import Circles, changed, forget_circles
from kithnet.memory.egocentric import person_key
from kithnet.memory.joining import ME, folded
from kithnet.memory.withdrawing import withdraw
from kithnet.runtime.errors import InputError

_OWNED: tuple[tuple[Any, str, str], ...] = (
    (schema.message, "sender", "id"), (schema.memory, "owner", "id"), (schema.memory, "about", "id"),
    (schema.memory, "told_by", "id"), (schema.membership, "person", "id"), (schema.utterance, "agent", "id"),
    (schema.utterance, "partner", "id"), (schema.usage, "partner", "id"), (schema.disclosure, "owner", "id"),
    (schema.disclosure, "partner", "id"), (schema.disclosure_grant, "owner", "id"),
    (schema.disclosure_grant, "person", "id"), (schema.grant_use, "partner", "id"),
    (schema.task, "instructor", "position"), (schema.task, "assistant", "position"),
)  # fmt: skip
"""Columns that name a person, each with the key of its table."""
_CHUNK = 500


def merge(connection: Connection, kept: str, gone: str) -> None:
    """Make two people one: `kept`, who also has the other's names from now on. Raises InputError, UnknownPerson."""
    one, other = person_key(connection, kept), person_key(connection, gone)
    if one == other:
        raise InputError(f"{kept} is one person already", "name two")
    row = connection.execute(select(schema.person).where(schema.person.c.key == other)).one()
    undo: dict[str, Any] = {"person": {**row._mapping}, "rows": {}, "ties": [], "contacts": []}
    for table, column, key in _OWNED:
        keys = list(connection.scalars(select(table.c[key]).where(table.c[column] == other)))
        undo["rows"][f"{table.name}.{column}"] = keys
        _give(connection, table, column, key, keys, one)
    undo["contacts"] = [
        list(found)
        for found in connection.execute(
            select(schema.contact.c.source, schema.contact.c.key).where(schema.contact.c.person == other)
        )
    ]
    connection.execute(update(schema.contact).where(schema.contact.c.person == other).values(person=one))
    undo["merges"] = list(connection.scalars(select(schema.merge.c.id).where(schema.merge.c.kept == other)))
    _give(connection, schema.merge, "kept", "id", undo["merges"], one)
    undo["me"] = _name_anew(connection, gone, kept)
    undo["holders"] = _move_holders(connection, gone, kept)
    undo["circles"] = _move_circles(connection, other, one)
    undo["audiences"] = _move_audiences(connection, other, one)
    undo["ties"], undo["made"] = _move_ties(connection, other, one)
    undo["aliases"] = connection.scalar(select(schema.person.c.aliases).where(schema.person.c.key == one))
    connection.execute(delete(schema.person).where(schema.person.c.key == other))
    for name in (row.name, *json.loads(row.aliases)):
        alias(connection, kept, name)
    forget_circles(connection)
    values = {"kept": one, "name": row.name, "at": datetime.now(UTC).replace(tzinfo=None)}
    connection.execute(insert(schema.merge).values({**values, "undo": json.dumps(undo, default=str)}))
    changed(connection)


def split(connection: Connection, person: str) -> str:
    """Undo the latest merge into a person; returns the id of the one who is there again. Raises InputError, UnknownPerson."""
    one, row = person_key(connection, person), schema.merge.c
    last = connection.execute(select(row.id, row.undo).where(row.kept == one).order_by(row.id.desc())).first()
    if last is None:
        raise InputError(f"nobody was merged into {person}", "see `kith world people WORLD`")
    if not last.undo:
        raise InputError(
            "an export was added since they were merged", "a message of theirs can no longer be told from the other's"
        )
    undo = json.loads(last.undo)
    connection.execute(insert(schema.person).values(undo["person"]))
    other = int(undo["person"]["key"])
    for table, column, key in _OWNED:
        _give(connection, table, column, key, undo["rows"][f"{table.name}.{column}"], other)
    contact = schema.contact.c
    for source, key in undo["contacts"]:
        mine = (contact.source == source) & (contact.key == key)
        connection.execute(update(schema.contact).where(mine).values(person=other))
    _give(connection, schema.merge, "kept", "id", undo["merges"], other)
    if undo["me"]:
        _name_anew(connection, person, str(undo["person"]["id"]))
    for position, holders in undo["holders"]:
        connection.execute(update(schema.task).where(schema.task.c.position == position).values(holders=holders))
    lost = _part_circles(connection, undo["circles"], one)
    _part_audiences(connection, undo["audiences"], one, other)
    _part_ties(connection, undo["ties"], undo["made"])
    connection.execute(update(schema.person).where(schema.person.c.key == one).values(aliases=undo["aliases"]))
    connection.execute(delete(schema.merge).where(row.id == last.id))
    forget_circles(connection)
    changed(connection)
    withdraw(connection, lost)
    return str(undo["person"]["id"])


def settle(connection: Connection) -> None:
    """An export is being added: merges of before can no longer be undone."""
    connection.execute(update(schema.merge).values(undo=""))


def rename(connection: Connection, person: str, name: str) -> None:
    """Show somebody under another name; the old one stays an alias. Raises InputError, UnknownPerson."""
    key, shown = person_key(connection, person), " ".join(name.split())
    if not shown:
        raise InputError("a name cannot be empty", "give one")
    old = str(connection.scalar(select(schema.person.c.name).where(schema.person.c.key == key)))
    connection.execute(update(schema.person).where(schema.person.c.key == key).values(name=shown))
    alias(connection, person, old)
    changed(connection)


def alias(connection: Connection, person: str, name: str) -> bool:
    """Give somebody one more name; returns False where it is known. Raises InputError, UnknownPerson."""
    key, called = person_key(connection, person), " ".join(name.split())
    if not called:
        raise InputError("a name cannot be empty", "give one")
    row = connection.execute(
        select(schema.person.c.name, schema.person.c.aliases).where(schema.person.c.key == key)
    ).one()
    aliases = json.loads(row.aliases)
    if folded(called) in {folded(one) for one in (row.name, *aliases)}:
        return False
    told = json.dumps([*aliases, called], ensure_ascii=False)
    connection.execute(update(schema.person).where(schema.person.c.key == key).values(aliases=told))
    changed(connection)
    return True


def _give(connection: Connection, table: Any, column: str, key: str, keys: list[int], to: int) -> None:
    for start in range(0, len(keys), _CHUNK):
        some = table.c[key].in_(keys[start : start + _CHUNK])
        connection.execute(update(table).where(some).values({column: to}))


def _move_circles(connection: Connection, gone: int, kept: int) -> list[tuple[list[int], list[int]]]:
    """Put `kept` in the place of `gone` in every audience; returns the people of the old ones and their messages."""
    member, message, circles = schema.circle_member.c, schema.message.c, Circles(connection)
    moved = []
    for circle in list(connection.scalars(select(member.circle).where(member.person == gone))):
        people = sorted(connection.scalars(select(member.person).where(member.circle == circle)))
        messages = list(connection.scalars(select(message.id).where(message.circle == circle)))
        moved.append((people, messages))
        _give(connection, schema.message, "circle", "id", messages, circles.key({*people, kept} - {gone}))
    connection.execute(delete(schema.circle_member).where(member.person == gone))
    return moved


def _part_circles(connection: Connection, before: list[tuple[list[int], list[int]]], one: int) -> dict[int, set[int]]:
    """Give messages the audiences of before, without those who have been erased since; returns those that `one` loses."""
    there, circles = set(connection.scalars(select(schema.person.c.key))), Circles(connection)
    lost: dict[int, set[int]] = {}
    for people, messages in before:
        if left := there.intersection(people):
            _give(connection, schema.message, "circle", "id", messages, circles.key(left))
            lost |= {message: {one} for message in messages if one not in left}
    return lost


def _part_audiences(connection: Connection, before: list[tuple[int, bool]], one: int, other: int) -> None:
    """The same for audiences of memories that are still there."""
    listed, there = schema.audience.c, set(connection.scalars(select(schema.memory.c.id)))
    for memory, both in before:
        if memory in there:
            if not both:
                connection.execute(delete(schema.audience).where(listed.memory == memory, listed.person == one))
            connection.execute(insert(schema.audience).values(memory=memory, person=other))


def _part_ties(connection: Connection, before: list[dict[str, Any]], made: list[tuple[int, int]]) -> None:
    tie, there = schema.tie.c, set(connection.scalars(select(schema.person.c.key)))
    for a, b in made:
        connection.execute(delete(schema.tie).where(tie.a == a, tie.b == b))
    if rows := [row for row in before if {row["a"], row["b"]} <= there]:
        connection.execute(insert(schema.tie), rows)


def _name_anew(connection: Connection, old: str, new: str) -> bool:
    """Note under a new id whose devices exports came from, if it was `old`; returns whether it was."""
    mine = (schema.meta.c.key == ME) & (schema.meta.c.value == old)
    return bool(connection.execute(update(schema.meta).where(mine).values(value=new)).rowcount)


def _move_holders(connection: Connection, gone: str, kept: str) -> list[tuple[int, str]]:
    """Who holds the answers of tasks, by id; returns those that named `gone`, as they were."""
    task, moved = schema.task.c, []
    for row in connection.execute(select(task.position, task.holders)).all():
        holders = json.loads(row.holders)
        if gone in holders:
            moved.append((row.position, row.holders))
            told = json.dumps(list(dict.fromkeys(kept if one == gone else one for one in holders)))
            connection.execute(update(schema.task).where(task.position == row.position).values(holders=told))
    return moved


def _move_audiences(connection: Connection, gone: int, kept: int) -> list[tuple[int, bool]]:
    """The same for audiences of memories: each, and whether both were listed."""
    listed, moved = schema.audience.c, []
    for memory in list(connection.scalars(select(listed.memory).where(listed.person == gone))):
        both = (
            connection.scalar(select(listed.memory).where(listed.memory == memory, listed.person == kept)) is not None
        )
        moved.append((memory, both))
        if not both:
            connection.execute(insert(schema.audience).values(memory=memory, person=kept))
    connection.execute(delete(schema.audience).where(listed.person == gone))
    return moved


def _move_ties(connection: Connection, gone: int, kept: int) -> tuple[list[dict[str, Any]], list[tuple[int, int]]]:
    """Ties of `gone` as they were, and those that `kept` has from them."""
    tie = schema.tie.c
    old = [
        dict(row._mapping) for row in connection.execute(select(schema.tie).where((tie.a == gone) | (tie.b == gone)))
    ]
    there = {frozenset((row.a, row.b)) for row in connection.execute(select(tie.a, tie.b))}
    connection.execute(delete(schema.tie).where((tie.a == gone) | (tie.b == gone)))
    made: list[tuple[int, int]] = []
    for row in old:
        other = row["b"] if row["a"] == gone else row["a"]
        if other != kept and frozenset((kept, other)) not in there:
            pair = (min(kept, other), max(kept, other))
            connection.execute(insert(schema.tie).values(a=pair[0], b=pair[1], kind=row["kind"]))
            made.append(pair)
    return old, made
