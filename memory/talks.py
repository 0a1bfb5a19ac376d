"""With whom an owner has talked, in which sessions, and what was said there, as it was said."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from kithnet.memory import schema
from kithnet.memory.conversations import heard_by
from kithnet.memory.reading import message_hit
from kithnet.memory.recall import Hit
from kithnet.memory.scope import Scope


@dataclass(frozen=True, slots=True)
class Partner:
    """Someone the owner has exchanged messages with, alone or in a group. messages: of either that the other could read.
    last_at: of the latest."""

    person: str
    messages: int
    last_at: datetime | None


def session(connection: Connection, scope: Scope, session: str) -> list[Hit]:
    """See `OwnerMemory.session`."""
    query = scope.message_rows().where(schema.session.c.id == session).order_by(schema.message.c.seq)
    return [message_hit(row) for row in connection.execute(query)]


def sessions_with(connection: Connection, scope: Scope, partner: str) -> list[str]:
    """See `OwnerMemory.sessions_with`."""
    message = schema.message.c
    query = (
        scope.messages(schema.session.c.id)
        .join(schema.session, schema.session.c.key == message.session)
        .where(heard_by(select(schema.person.c.key).where(schema.person.c.id == partner).scalar_subquery()))
        .group_by(schema.session.c.id)
        .order_by(func.min(message.seq))
    )
    return [str(one) for one in connection.scalars(query)]


def partners(connection: Connection, scope: Scope) -> list[Partner]:
    """See `OwnerMemory.partners`."""
    message = schema.message.c
    member = schema.circle_member
    counted = scope.messages(
        member.c.person.label("other"), func.count().label("messages"), func.max(message.at).label("last")
    )
    between = or_(message.sender == scope.owner, message.sender == member.c.person)
    counted = counted.join(member, member.c.circle == message.circle).where(member.c.person != scope.owner, between)
    grouped = counted.where(~message.private).group_by(member.c.person).subquery()
    query = (
        select(schema.person.c.id, grouped.c.messages, grouped.c.last)
        .join(schema.person, schema.person.c.key == grouped.c.other)
        .order_by(grouped.c.messages.desc(), schema.person.c.id)
    )
    return [Partner(row.id, row.messages, row.last) for row in connection.execute(query)]
