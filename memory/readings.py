"""Which reader judged what a talk says: the notes of its owner that another one would read anew."""

from collections.abc import Iterable

from sqlalchemy import Connection, select, update

from kithnet.memory import egocentric, schema, texts
from kithnet.memory.database import Database
from kithnet.memory.scope import Scope


class Readings:
    """Of one owner."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def by_another(self, reader: str) -> list[str]:
        """Ids of the sessions, oldest first, that another reader than this one read."""
        memory, session = schema.memory.c, schema.session.c
        query = self._scope.memories(session.id).join(schema.session, session.key == memory.session)
        query = query.where(memory.read_by.is_not(None), memory.read_by != reader)
        with self._database.read() as connection:
            return list(connection.scalars(query.group_by(session.id, session.key).order_by(session.key)))

    def noted_otherwise(self, session: str) -> set[str]:
        """Ids of the messages of which something was noted in a session that no reader judged."""
        memory = schema.memory.c
        query = self._scope.memories(schema.evidence.c.message).join(
            schema.evidence, schema.evidence.c.memory == memory.id
        )
        query = query.join(schema.session, schema.session.c.key == memory.session)
        query = query.where(schema.session.c.id == session, memory.read_by.is_(None))
        with self._database.read() as connection:
            return {f"m{key}" for key in connection.scalars(query)}


def take_away(
    connection: Connection, scope: Scope, session: str, said: Iterable[egocentric.Note], reader: str
) -> list[int]:  # fmt: skip
    """Take away what was read of a session and is not said in these notes; what it had put an end to holds again. The rest is
    from now on read by `reader`. Returns the numbers of the memories that are gone."""
    wanted = {(note.about, note.kind, texts.fingerprint(note.text), note.audience) for note in said}
    memory, listed = schema.memory.c, schema.audience.c
    key = select(schema.session.c.key).where(schema.session.c.id == session).scalar_subquery()
    query = scope.memories(memory.id, memory.about, memory.kind, memory.fingerprint, memory.restricted)
    gone = []
    read = (memory.session == key, memory.read_by.is_not(None))  # its summary says so too, where nothing else was noted
    for row in connection.execute(query.where(*read, memory.kind != "summary")).all():
        people = connection.scalars(select(listed.person).where(listed.memory == row.id))
        audience = frozenset(people) if row.restricted else None
        if (row.about, row.kind, row.fingerprint, audience) not in wanted:
            gone.append(int(row.id))
    own = update(schema.memory).where(memory.owner == scope.owner)
    opened = {"valid_to": None, "superseded_by": None, "rev": memory.rev + 1}
    connection.execute(own.where(memory.superseded_by.in_(gone)).values(opened))
    for one in gone:
        egocentric.forget(connection, scope, one)
    connection.execute(own.where(*read).values({"read_by": reader}))
    return gone
