"""The names of an erased person taken out of what others share: titles and ids of groups, and what the world says of itself."""

import json
import re
from typing import Any

from sqlalchemy import Connection, delete, select, update

from kithnet.memory import schema
from kithnet.memory.joining import ME

_LEAST = 2
"""Characters of a name that is looked for."""
_NOBODY = "…"


def forget(connection: Connection, person: int) -> None:
    """Take a person's names out of the groups that go on without, and out of the notes on where the world comes from."""
    names = _names(connection, person)
    parts = "|".join(re.escape(one) for one in sorted(names, key=len, reverse=True))
    called = rf"(?i)(?<!\w)(?:{parts})(?!\w)"
    row, member = schema.conversation.c, schema.membership.c
    there = select(member.conversation).where(member.person == person)
    for talk in connection.execute(select(schema.conversation).where(row.key.in_(there))).all():
        fresh = {name: re.sub(called, _NOBODY, getattr(talk, name)) for name in ("id", "title", "source_key")}
        if fresh["id"] != talk.id:
            fresh["id"] = _free(connection, row.id, fresh["id"])
        connection.execute(update(schema.conversation).where(row.key == talk.key).values(fresh))
        _sessions(connection, talk.key, called)
    _notes(connection, person, called)


def _names(connection: Connection, person: int) -> set[str]:
    """All that a person is called by, in the world and in exports."""
    about, contact = schema.person.c, schema.contact.c
    row = connection.execute(select(about.id, about.name, about.aliases).where(about.key == person)).one()
    names = {row.id, row.name, *json.loads(row.aliases)}
    for one in connection.execute(select(contact.key, contact.name, contact.address).where(contact.person == person)):
        names.update(one)
    return {name for name in names if len(name) >= _LEAST} or {row.id}


def _sessions(connection: Connection, talk: int, called: str) -> None:
    session, message = schema.session.c, schema.message.c
    within = select(message.session).where(message.conversation == talk)
    for row in connection.execute(select(session.key, session.id).where(session.key.in_(within))).all():
        fresh = re.sub(called, _NOBODY, row.id)
        if fresh != row.id:
            free = _free(connection, session.id, fresh)
            connection.execute(update(schema.session).where(session.key == row.key).values(id=free))


def _free(connection: Connection, column: Any, wanted: str) -> str:
    """An id that nothing else has."""
    number, free = 1, wanted
    while connection.scalar(select(column).where(column == free)) is not None:
        number += 1
        free = f"{wanted} ({number})"
    return free


def _notes(connection: Connection, person: int, called: str) -> None:
    """That the devices were theirs, and the names of files that name them."""
    note = schema.meta.c
    known = connection.scalar(select(schema.person.c.id).where(schema.person.c.key == person))
    connection.execute(delete(schema.meta).where(note.key == ME, note.value == known))
    source = json.loads(connection.scalar(select(note.value).where(note.key == "source")) or "{}")
    told = {key: re.sub(called, _NOBODY, value) if isinstance(value, str) else value for key, value in source.items()}
    if told != source:
        connection.execute(update(schema.meta).where(note.key == "source").values(value=json.dumps(told)))
