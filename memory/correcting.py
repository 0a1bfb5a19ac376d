"""A wrong memory corrected by hand: its owner says what is right, and the old value is past."""

from sqlalchemy import select

from kithnet.memory import egocentric, schema, texts
from kithnet.memory.database import Database
from kithnet.memory.egocentric import Note, item_key, person_key
from kithnet.memory.scope import Scope
from kithnet.runtime.errors import InputError


def correct(database: Database, owner: str, item: str, text: str) -> str:
    """Put `text`, told by the owner, in the place of the memory `item` ("k12"); returns the id of the new one.

    It is about the same person and thing and for the same audience. The old one is over, replaced by the new one, and
    where it had a beginning it holds at no time: it was never right. Raises UnknownPerson, and InputError for an empty
    text, the same text, or an id that is not a memory of the owner's that still holds.
    """
    if not text.strip():
        raise InputError("a memory cannot be corrected to nothing", "`kith memory erase` takes it away")
    key = item_key(item, "k")
    memory, audience = schema.memory.c, schema.audience.c
    with database.write() as connection:
        scope = Scope(person_key(connection, owner))
        query = select(schema.memory, schema.session.c.id.label("talk"), schema.text.c.body).select_from(schema.memory)
        query = query.join(schema.text, schema.text.c.key == memory.text)
        query = query.outerjoin(schema.session, schema.session.c.key == memory.session)
        old = connection.execute(query.where(memory.owner == scope.owner, memory.id == key)).first()
        if old is None:
            raise InputError(f"{owner} has no memory {item!r}", "`kith memory show PERSON` lists them")
        if old.superseded_by is not None or old.valid_to is not None:
            instead = f"k{old.superseded_by}, which replaced it" if old.superseded_by else "one that still holds"
            raise InputError(f"{item} is over already", f"correct {instead}")
        if texts.fingerprint(text) == texts.fingerprint(old.body):
            raise InputError(f"{item} says that already", "say what is right instead")
        listed = frozenset(connection.scalars(select(audience.person).where(audience.memory == key)))
        note = Note(
            about=old.about, told_by=scope.owner, kind=old.kind, text=text, slot=old.slot, evidence=(),
            audience=listed if old.restricted else None, session=old.talk, at=old.valid_from,
            importance=max(old.importance, 0.5), supersedes=key,
        )  # fmt: skip
        new = egocentric.add(connection, scope, note)
        egocentric.close(connection, scope, key, new, old.valid_from, None)
    return f"k{new}"
