"""What agents said in chats. It is kept for its own history and for the owner to read, and is nobody's message.

So it has a table of its own, out of reach of recall, of what is written down, of counts, export and vectors.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from kithnet.memory import schema, texts
from kithnet.memory.egocentric import inserted, partner_key, session_key
from kithnet.memory.scope import Scope
from kithnet.runtime.errors import InputError

CHAT = "kith-chat:"
"""How the ids of sessions begin in which people chat with an agent."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the owner's agent said to `partner`. answers: id of the message ("m17") it replied to. at: in UTC,
    None where that was not kept."""

    id: str
    partner: str
    session: str
    text: str
    answers: str | None
    at: datetime | None


def write(
    connection: Connection, scope: Scope, partner: str, body: str, session: str, answers: int | None
) -> int:  # fmt: skip
    """Keep one utterance of the owner's agent; returns its number. answers: the number of a message.

    Raises InputError for an empty one.
    """
    if not body.strip():
        raise InputError("an empty turn cannot be stored")
    return inserted(
        connection,
        schema.utterance,
        {
            "agent": scope.owner,
            "partner": partner_key(connection, partner),
            "session": session_key(connection, session),
            "answers": answers,
            "body": texts.clean(body),
            "at": datetime.now(UTC).replace(tzinfo=None),
        },
    )


def spoken(connection: Connection, scope: Scope, session: str | None = None) -> list[Utterance]:
    """What the owner's agent said, all or in one session, oldest first."""
    said = schema.utterance.c
    query = (
        select(said.id, schema.person.c.id.label("partner"), schema.session.c.id.label("session"), said.body,
               said.answers, said.at)
        .join(schema.person, schema.person.c.key == said.partner)
        .join(schema.session, schema.session.c.key == said.session)
        .where(said.agent == scope.owner)
        .order_by(said.id)
    )  # fmt: skip
    if session is not None:
        query = query.where(schema.session.c.id == session)
    return [
        Utterance(f"u{row.id}", row.partner, row.session, row.body, f"m{row.answers}" if row.answers else None, row.at)
        for row in connection.execute(query)
    ]
