"""Conversations and the audiences of their messages: a message is stored once, however many people could read it."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from kithnet.memory import schema


class Circles:
    """The keys of audiences, each a set of people, added as they are met. Keys that were given out are remembered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keys: dict[frozenset[int], int] = {}

    def key(self, people: Collection[int]) -> int:
        """The key of the audience that is exactly these people."""
        wanted = frozenset(people)
        if wanted not in self._keys:
            self._keys[wanted] = self._found(wanted)
        return self._keys[wanted]

    def _found(self, people: frozenset[int]) -> int:
        who = " ".join(f"p{person}" for person in sorted(people))
        found = self._connection.scalar(select(schema.circle.c.key).where(schema.circle.c.who == who))
        if found is not None:
            return int(found)
        added = self._connection.execute(insert(schema.circle).values(who=who)).inserted_primary_key
        assert added is not None
        rows = [{"circle": int(added[0]), "person": person} for person in sorted(people)]
        self._connection.execute(insert(schema.circle_member), rows)
        return int(added[0])


class Conversations:
    """The keys of conversations that are known by their ids, added as they are met, with their members."""

    def __init__(self, connection: Connection, ids: Mapping[int, str]) -> None:
        """ids: of people, by their keys."""
        self._connection, self._ids = connection, ids
        self._keys: dict[tuple[str, str], int] = {}
        self._members: dict[int, set[int]] = {}

    def of(self, people: Collection[int], group: str) -> int:
        """The conversation of two people, or the group of this id; whoever takes part is a member from then on."""
        name, kind = (
            (" & ".join(sorted(self._ids[one] for one in people)), "dyad") if len(people) == 2 else (group, "group")
        )
        key = self._keys.get((name, kind))
        if key is None:
            key = self._keys[name, kind] = self._found(name, kind)
            rows = select(schema.membership.c.person).where(schema.membership.c.conversation == key)
            self._members[key] = set(self._connection.scalars(rows))
        if new := set(people) - self._members[key]:
            self._members[key] |= new
            rows_ = [{"conversation": key, "person": person} for person in sorted(new)]
            self._connection.execute(insert(schema.membership), rows_)
        return key

    def _found(self, name: str, kind: str) -> int:
        """One that was made here, never what an export calls by the same name: that has members of its own."""
        row = schema.conversation.c
        identity, number = name, 1
        while (
            found := self._connection.execute(select(schema.conversation).where(row.id == identity)).first()
        ) is not None:
            if (found.source, found.kind) == ("", kind):
                return int(found.key)
            number += 1
            identity = f"{name} ({number})"
        values = {"id": identity, "kind": kind, "title": "" if kind == "dyad" else name, "source": "", "source_key": ""}
        added = self._connection.execute(insert(schema.conversation).values(values)).inserted_primary_key
        assert added is not None
        return int(added[0])


REVISION = "order"
"""The key in `meta` that counts how often the order of the world has changed, or who may read what."""
_APART = "\x1f"


def receivers() -> ColumnElement[str]:
    """A column of a query over `message`: the ids of those who could read it beside its sender, for `read_receivers`."""
    member, person = schema.circle_member.alias("hearing"), schema.person.alias("hearer")
    told = select(func.aggregate_strings(person.c.id, _APART)).join_from(
        member, person, person.c.key == member.c.person
    )
    others = told.where(member.c.circle == schema.message.c.circle, member.c.person != schema.message.c.sender)
    return others.correlate_except(member, person).scalar_subquery()


def read_receivers(told: str | None) -> tuple[str, ...]:
    """What `receivers` gives, in order; nobody in a talk with oneself."""
    return tuple(sorted(told.split(_APART))) if told else ()


def talk_between(connection: Connection) -> dict[tuple[int, int], tuple[int, float]]:
    """Of every two people by their keys, the smaller first: how many messages of one the other could read, and the same with
    a message to n people counting 1/n."""
    message, member = schema.message.c, schema.circle_member.c
    people: dict[int, list[int]] = {}
    for circle, person in connection.execute(select(member.circle, member.person)):
        people.setdefault(circle, []).append(person)
    talked = select(message.sender, message.circle, func.count()).where(schema.OF_THE_WORLD)
    found: dict[tuple[int, int], tuple[int, float]] = {}
    for sender, circle, count in connection.execute(talked.group_by(message.sender, message.circle)):
        heard = [one for one in people.get(circle, ()) if one != sender]
        for one in heard:
            pair = (min(sender, one), max(sender, one))
            messages, weight = found.get(pair, (0, 0.0))
            found[pair] = messages + count, weight + count / len(heard)
    return found


def heard_by(person: Any, message: Any = schema.message) -> ColumnElement[bool]:
    """A condition on `message`: this person, a key or a column, could read it."""
    member = schema.circle_member.alias("heard")
    there = select(member.c.person).where(member.c.circle == message.c.circle, member.c.person == person)
    return there.correlate_except(member).exists()


def the_other() -> ColumnElement[int]:
    """A column of a query over `message`: of a talk of two, the key of the one who did not send it."""
    member = schema.circle_member.alias("other")
    one = select(func.min(member.c.person)).where(
        member.c.circle == schema.message.c.circle, member.c.person != schema.message.c.sender
    )
    return one.correlate_except(member).scalar_subquery()


def changed(connection: Connection) -> None:
    """Say that the order of messages has changed, or who may read them: arrays that were read before are read anew."""
    row = schema.meta.c
    count = int(connection.scalar(select(row.value).where(row.key == REVISION)) or 0)
    connection.execute(delete(schema.meta).where(row.key == REVISION))
    connection.execute(insert(schema.meta).values(key=REVISION, value=str(count + 1)))


def _leave(connection: Connection, person: int) -> None:
    """Give every message that a person could read to the others of its audience; the old ones stay until `forget_circles`."""
    member, circles = schema.circle_member.c, Circles(connection)
    for circle in list(connection.scalars(select(member.circle).where(member.person == person))):
        people = set(connection.scalars(select(member.person).where(member.circle == circle))) - {person}
        own = schema.message.c.circle == circle
        connection.execute(update(schema.message).where(own).values(circle=circles.key(people)))
    changed(connection)


def leave_circles(connection: Connection, person: int) -> None:
    """Take a person out of every audience and forget those that nobody uses, the person's own among them. Nothing that the
    person said is there any more."""
    forget_circles(connection)
    _leave(connection, person)
    forget_circles(connection)


def forget_circles(connection: Connection) -> None:
    """Delete audiences that no message has."""
    unused = ~select(schema.message.c.id).where(schema.message.c.circle == schema.circle.c.key).exists()
    connection.execute(delete(schema.circle).where(unused))


def let_senders_read(connection: Connection, messages: Collection[int]) -> None:
    """Put the senders of these messages into their audiences."""
    message, member, circles = schema.message.c, schema.circle_member.c, Circles(connection)
    for row in connection.execute(
        select(message.id, message.sender, message.circle).where(message.id.in_(messages))
    ).all():
        people = set(connection.scalars(select(member.person).where(member.circle == row.circle))) | {row.sender}
        connection.execute(update(schema.message).where(message.id == row.id).values(circle=circles.key(people)))
    changed(connection)
