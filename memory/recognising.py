"""A conversation known again by what was said in it: the same talk, exported from another device under another name."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, func, select

from kithnet.memory import schema, texts
from kithnet.memory.exports import LineLike

SAMPLE = 2_000
"""Lines that are looked for."""
LEAST, SHARE = 3, 0.5
"""So many lines, and so much of what falls into the time of the other, have to be the same at the same minute."""
TELLING = 4
"""Characters of a line that does not come about by chance."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """key: of the conversation that is there. people: contacts of the export -> people who said the same lines."""

    key: int
    people: dict[str, int]


def same_talk(connection: Connection, source: str, lines: Iterator[LineLike], below: int) -> Recognised | None:
    """The conversation of this source in which most of these lines were said at the same minutes, if there is one with a key
    `below` a bound: what one export tells apart is apart."""
    message, row = schema.message.c, schema.conversation.c
    if connection.scalar(select(row.key).where(row.source == source, row.key < below).limit(1)) is None:
        return None
    some = [line for line in islice(lines, SAMPLE) if line.at is not None and len(line.text) >= TELLING]
    wanted: defaultdict[bytes, list[LineLike]] = defaultdict(list)
    for line in some:
        wanted[texts.digest(texts.clean(line.text))].append(line)
    said = select(message.conversation, message.sender, message.at, schema.text.c.digest)
    said = said.join(schema.text, schema.text.c.key == message.text).join(
        schema.conversation, row.key == message.conversation
    )
    found: defaultdict[int, list[tuple[LineLike, int]]] = defaultdict(list)
    digests = list(wanted)
    for start in range(0, len(digests), 500):
        query = said.where(
            row.source == source,
            row.key < below,
            row.kind != "mail",
            schema.text.c.digest.in_(digests[start : start + 500]),
        )
        for there in connection.execute(query):
            for line in wanted[bytes(there.digest)]:
                if _minute(line.at) == _minute(there.at):
                    found[there.conversation].append((line, there.sender))
                    break
    best = max(found, key=lambda key: len(found[key]), default=None)
    if best is None or len(found[best]) < LEAST:
        return None
    first, last = connection.execute(
        select(func.min(message.at), func.max(message.at)).where(message.conversation == best)
    ).one()
    within = sum(first <= line.at <= last for line in some if line.at is not None)
    if len(found[best]) < SHARE * within:
        return None
    votes: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for line, sender in found[best]:
        votes[line.sender][sender] += 1
    return Recognised(best, {contact: count.most_common(1)[0][0] for contact, count in votes.items()})


def _minute(at: datetime | None) -> datetime | None:
    return at.replace(second=0, microsecond=0) if at else None
