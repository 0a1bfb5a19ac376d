"""What was noted of messages that say something else now, or that the one who noted it may no longer read.

A later export tells that somebody joined after all, an edit takes the place of what was said, people who were made one are two
again: a memory that rests on such a message goes as if the message were erased (`closure.on_evidence`), and so does what others
noted who were told of it and could not know it otherwise. The message stays with those who could read it.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, delete, select, update

from kithnet.memory import schema
from kithnet.memory.closure import Closure, of_sessions, on_evidence, wholes
from kithnet.memory.erase import forget_texts
from kithnet.memory.provenance import copies

_CHUNK = 500


def withdraw(connection: Connection, lost: Mapping[int, Collection[int]]) -> int:
    """Forget what people noted of messages that they could read before and cannot now. lost: messages -> those people.
    Returns how many memories went."""
    by_person: dict[int, list[int]] = {}
    for message, people in lost.items():
        for person in people:
            by_person.setdefault(person, []).append(message)
    count, cited = 0, _cited(connection)
    for person, messages in sorted(by_person.items()):
        found = _resting(connection, messages, person)
        handles = [f"m{key}" for key in messages] + [f"k{key}" for key in found.memories]
        second = copies(connection, person, dict.fromkeys(cited.intersection(handles), datetime.min))
        count += _forget(connection, {*found.memories, *second})
        for chunk in _chunks(messages):
            _unstate(connection, person, chunk)
    return count


def reworded(connection: Connection, message: int) -> int:
    """Forget what anybody noted of a message that is about to say something else. Returns how many memories went."""
    return _forget(connection, set(_resting(connection, [message], None).memories))


def _resting(connection: Connection, messages: Iterable[int], owner: int | None) -> Closure:
    """The memories of one owner, or of all, that rest on these messages."""
    found = Closure(messages=dict.fromkeys(messages, "not to be read"))
    on_evidence(connection, found, owner)
    of_sessions(connection, found, owner)
    while True:
        before = len(found.memories)
        found.memories.update(wholes(connection, found))
        if len(found.memories) == before:
            return found


def _cited(connection: Connection) -> set[str]:
    """All ids that memories keep of what was passed on to their owners."""
    handles = schema.memory.c.handles
    return {one for told in connection.scalars(select(handles).where(handles != "[]")) for one in json.loads(told)}


def _forget(connection: Connection, memories: Collection[int]) -> int:
    """Delete memories; what they had replaced holds again."""
    memory, texts = schema.memory.c, set[int]()
    for chunk in _chunks(memories):
        texts |= set(connection.scalars(select(memory.text).where(memory.id.in_(chunk))))
        again = {"valid_to": None, "superseded_by": None, "rev": memory.rev + 1}
        connection.execute(update(schema.memory).where(memory.superseded_by.in_(chunk)).values(again))
    for chunk in _chunks(memories):
        connection.execute(delete(schema.memory).where(memory.id.in_(chunk)))
    forget_texts(connection, texts)
    return len(memories)


def _unstate(connection: Connection, owner: int, messages: list[int]) -> None:
    """Let nothing of an owner's point to messages any more: what is left of evidence, links, grants and the ledger."""
    own = select(schema.memory.c.id).where(schema.memory.c.owner == owner)
    stated, link, grant = schema.evidence.c, schema.link.c, schema.disclosure_grant.c
    connection.execute(delete(schema.evidence).where(stated.message.in_(messages), stated.memory.in_(own)))
    of_links = and_(link.evidence.in_(messages), link.a.in_(own))
    connection.execute(update(schema.link).where(of_links).values(evidence=None))
    connection.execute(delete(schema.disclosure_grant).where(grant.owner == owner, grant.message.in_(messages)))
    told = select(schema.disclosure.c.id).where(schema.disclosure.c.owner == owner)
    item = schema.disclosed.c
    connection.execute(delete(schema.disclosed).where(item.message.in_(messages), item.disclosure.in_(told)))


def _chunks(keys: Iterable[int]) -> list[list[int]]:
    ordered = sorted(keys)
    return [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]
