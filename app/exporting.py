"""A world written as files that are read again: our own three, or ChatLab's interchange format."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from kithnet.app.adding import zone_noted
from kithnet.memory import schema
from kithnet.memory.store import Store
from kithnet.network.exporters import Talk, write_chatlab, write_generic
from kithnet.runtime.errors import InputError


def export_world(
    store: Store, folder: Path, form: str, tell: Callable[[int, int | None], None] | None = None
) -> list[Path]:
    """Write a world as files. form: generic or chatlab. Raises InputError, StorageError."""
    told = (lambda done: tell(done, None)) if tell else None
    if form == "generic":
        return write_generic(folder, store.people(), store.ties(), store.messages(), told)
    if form != "chatlab":
        raise InputError(f"there is no form {form!r}", "forms: generic, chatlab")
    return write_chatlab(folder, store.people(), _talks(store), store.messages(), zone_noted(store), told)


def _talks(store: Store) -> dict[str, Talk]:
    """Every conversation, with who was a member when. Raises InputError for one whose audiences are told line by line: whoever
    reads the file again would take all for members."""
    row, member, person = schema.conversation.c, schema.membership.c, schema.person.c
    talks: dict[str, Talk] = {}
    with store.database.read() as connection:
        for one in connection.execute(select(row.id, row.kind, row.title, row.source).order_by(row.key)):
            if one.kind == "mail" or (one.kind != "dyad" and not one.source):
                raise InputError(
                    f"who could read a line of {one.title or one.id} is told line by line: ChatLab's format cannot say it",
                    "`kith world export --to generic` keeps it",
                )
            talks[one.id] = Talk(one.kind, one.title, {})
        query = select(row.id, person.id.label("person"), member.since, member.until).order_by(member.id)
        query = query.join_from(schema.membership, schema.conversation, row.key == member.conversation)
        for one in connection.execute(query.join(schema.person, person.key == member.person)):
            times: list[tuple[datetime | None, datetime | None]] = talks[one.id].members.setdefault(one.person, [])
            times.append((one.since, one.until))
    return talks
