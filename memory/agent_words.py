"""What agents said, where a world of before `utterance` keeps it as messages of their owners.

Such a message is marked as `recalled`; the oldest chats have no marks, only sessions whose ids begin with `CHAT`, in which
the partner speaks first. Recall, counts and export pass over marked ones from the first opening on. `move` makes utterances
of all of them and removes what rests on them: memories, of other owners too, who were told of it.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from kithnet.memory import schema
from kithnet.memory.closure import Closure, cited, on_evidence, rows, wholes
from kithnet.memory.conversations import the_other
from kithnet.memory.erase import forget_texts
from kithnet.memory.scope import SENDER
from kithnet.memory.utterances import CHAT

RECEIVER = schema.person.alias("receiver")
_CHUNK = 500


def find(connection: Connection) -> Closure:
    """Agents' words among the messages, the memories that rest on them, and both as rows to read."""
    found = Closure()
    message = schema.message.c
    marked = connection.scalars(select(message.id).where(message.recalled))
    found.messages.update((int(key), "an agent said it") for key in marked)
    found.messages.update((key, "an agent said it") for key in _unmarked(connection))
    if not found.messages:
        return found
    on_evidence(connection, found)
    _partners_summaries(connection, found)
    while True:
        before = len(found.memories)
        for key, why in (*cited(connection, found), *wholes(connection, found)):
            found.memories.setdefault(key, why)
        if len(found.memories) == before:
            break
    found.rows = tuple(rows(connection, found))
    return found


def move(connection: Connection, found: Closure) -> None:
    """Make utterances of the messages found and remove them and the memories found; what those had replaced holds again."""
    message, memory = schema.message.c, schema.memory.c
    texts: set[int] = set()
    for chunk in _chunks(found.messages):
        texts |= set(connection.scalars(select(message.text).where(message.id.in_(chunk))))
    for chunk in _chunks(found.memories):
        texts |= set(connection.scalars(select(memory.text).where(memory.id.in_(chunk))))
    for key in sorted(found.messages):
        _to_utterance(connection, key)
    for chunk in _chunks(found.memories):
        again = {"valid_to": None, "superseded_by": None, "rev": memory.rev + 1}
        connection.execute(update(schema.memory).where(memory.superseded_by.in_(chunk)).values(again))
    for chunk in _chunks(found.memories):
        connection.execute(delete(schema.memory).where(memory.id.in_(chunk)))
    for chunk in _chunks(found.messages):
        connection.execute(delete(schema.message).where(message.id.in_(chunk)))
    forget_texts(connection, texts)


def _unmarked(connection: Connection) -> list[int]:
    """Agents' words in chats without marks. A chat whose two sides did not speak in turn was erased from, and is left."""
    message, chats = schema.message.c, defaultdict[int, list[Any]](list)
    query = (
        select(message.id, message.session, message.sender, RECEIVER.c.key.label("receiver"), message.recalled,
               SENDER.c.outside.label("typed"), RECEIVER.c.outside.label("to_typist"))
        .join(schema.session, schema.session.c.key == message.session)
        .join(SENDER, SENDER.c.key == message.sender)
        .join(RECEIVER, RECEIVER.c.key == the_other())
        .join(schema.conversation, schema.conversation.c.key == message.conversation)
        .where(schema.session.c.id.startswith(CHAT, autoescape=True), schema.conversation.c.source == "")
        .order_by(message.id)
    )  # fmt: skip
    for row in connection.execute(query):
        chats[row.session].append(row)
    words: list[int] = []
    for lines in chats.values():
        agent = lines[0].sender if lines[0].to_typist else lines[0].receiver
        spoken = [line.id for line in lines if line.sender == agent]
        sure = lines[0].typed or lines[0].to_typist or 2 * len(spoken) == len(lines)
        if sure and not any(line.recalled for line in lines):
            words += spoken
    return words


def _partners_summaries(connection: Connection, found: Closure) -> None:
    """A partner summed a chat up in the words of the agent that spoke to them."""
    message, memory = schema.message.c, schema.memory.c
    query = select(memory.id).join(schema.message, message.session == memory.session)
    query = query.where(memory.kind == "summary", memory.owner == the_other())
    for chunk in _chunks(found.messages):
        for key in connection.scalars(query.where(message.id.in_(chunk))):
            found.memories.setdefault(int(key), "a summary of it")


def _to_utterance(connection: Connection, key: int) -> None:
    """Keep one message as an utterance that answers what was said before it; usages name it from now on."""
    message, before = schema.message.c, schema.message.alias()
    query = select(message.sender, the_other().label("receiver"), message.session, schema.text.c.body)
    row = connection.execute(query.join(schema.text).where(message.id == key)).one()
    heard = select(func.max(before.c.id)).where(
        before.c.session == row.session, before.c.sender == row.receiver, before.c.id < key
    )
    said = {
        "agent": row.sender, "partner": row.receiver, "session": row.session, "body": row.body,
        "answers": connection.scalar(heard),
    }  # fmt: skip
    added = connection.execute(insert(schema.utterance).values(said)).inserted_primary_key
    assert added is not None
    usage = schema.usage.c.utterance
    connection.execute(update(schema.usage).where(usage == f"m{key}").values(utterance=f"u{added[0]}"))


def _chunks(keys: dict[int, str]) -> list[list[int]]:
    ordered = sorted(keys)
    return [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]
