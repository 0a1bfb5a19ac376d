"""A conversation known again by what was said in it: the same talk, exported from another device under another name."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import Random

from sqlalchemy import ColumnElement, Connection, func, select

from kithnet.memory import schema, texts
from kithnet.memory.exports import LineLike

SAMPLE = 2_000
"""Lines that are looked for."""
LEAST, SHARE = 3, 0.5
"""So many lines, and so much of what falls into the time of the other, have to be the same at the same minute."""
LEAST_WRITERS = 2
"""People of whom lines are the same. Nobody who wrote meanwhile may be missing on either side: the same may be said in two groups,
and neither reads the other."""
NEVER = datetime.min
TELLING = 4
"""Characters of a line that does not come about by chance."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """key: of the conversation that is there. people: contacts of the export -> people who said the same lines."""

    key: int
    people: dict[str, int]


def same_talk(
    connection: Connection, source: str, lines: Iterator[LineLike], below: int, only: int | None = None
) -> Recognised | None:
    """The conversation of this source in which most of these lines were said at the same minutes, if there is one with a key
    `below` a bound: what one export tells apart is apart. only: the one conversation that is looked at."""
    row, message = schema.conversation.c, schema.message.c
    fitting = [row.source == source, row.key < below, row.kind != "mail"]
    fitting += [row.key == only] if only is not None else []
    told = select(func.min(message.at), func.max(message.at)).join(schema.conversation, row.key == message.conversation)
    since, until = map(minute, connection.execute(told.where(*fitting)).one())
    if since is None or until is None:
        return None
    some = _some(line for line in lines if len(line.text) >= TELLING and since <= (minute(line.at) or NEVER) <= until)
    found = _found(connection, some, fitting)
    best = max(found, key=lambda key: len(found[key]), default=None)
    if best is None or len(found[best]) < LEAST:
        return None
    spoken = select(func.min(message.at), func.max(message.at)).where(message.conversation == best)
    first, last = map(minute, connection.execute(spoken).one())
    within = Counter(line.sender for line in some if first <= minute(line.at) <= last)  # type: ignore[operator]
    if len(found[best]) < SHARE * within.total():
        return None
    votes: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for line, sender in found[best]:
        votes[line.sender][sender] += 1
    elected = {contact: count.most_common(1)[0] for contact, count in votes.items()}
    people = {one: who for one, (who, count) in elected.items() if count >= SHARE * within[one]}
    if only is None and (len(people) < LEAST_WRITERS or (len(some) < SAMPLE and within.keys() != people.keys())):
        return None
    theirs = _writers(connection, best, some) if only is None and len(some) < SAMPLE else set[int]()
    return Recognised(best, people) if theirs <= set(people.values()) else None


def _writers(connection: Connection, conversation: int, lines: list[LineLike]) -> set[int]:
    """Who said something telling in a conversation while these lines were said."""
    message, times = schema.message.c, [line.at for line in lines if line.at is not None]
    first, last = min(times).replace(second=0, microsecond=0), max(times).replace(second=0, microsecond=0)
    query = select(message.sender).join(schema.text, schema.text.c.key == message.text).distinct()
    query = query.where(message.conversation == conversation, func.length(schema.text.c.body) >= TELLING)
    return set(connection.scalars(query.where(message.at >= first, message.at <= last)))


def _some(lines: Iterator[LineLike]) -> list[LineLike]:
    """Some of the lines, from all of their time, always the same ones."""
    chance, some = Random(0), list(islice(lines, SAMPLE))
    for count, line in enumerate(lines, len(some) + 1):
        place = int(chance.random() * count)
        if place < SAMPLE:
            some[place] = line
    return some


def _found(
    connection: Connection, some: list[LineLike], fitting: list[ColumnElement[bool]]
) -> dict[int, list[tuple[LineLike, int]]]:
    """Conversation -> lines that were said in it at the same minute, each with who said it."""
    wanted: defaultdict[bytes, list[LineLike]] = defaultdict(list)
    for line in some:
        wanted[texts.digest(texts.clean(line.text))].append(line)
    message, said = schema.message.c, schema.text.c
    query = select(message.conversation, message.sender, message.at, said.digest)
    query = query.join(schema.text, said.key == message.text)
    query = query.join(schema.conversation, schema.conversation.c.key == message.conversation).where(*fitting)
    found: defaultdict[int, list[tuple[LineLike, int]]] = defaultdict(list)
    digests = list(wanted)
    for start in range(0, len(digests), 500):
        for there in connection.execute(query.where(said.digest.in_(digests[start : start + 500]))):
            for line in wanted[bytes(there.digest)]:
                if minute(line.at) == minute(there.at):
                    found[there.conversation].append((line, there.sender))
                    break
    return found


def same_numbers(connection: Connection, source: str, lines: Iterator[LineLike]) -> int | None:
    """The conversation that holds the messages of these numbers: of mail, whose numbers are the world's own. A thread is called
    by its first mail, so it has another key when an export knows an earlier one."""
    numbers = [line.source_id for line in islice(lines, SAMPLE) if line.source_id]
    message, row = schema.message.c, schema.conversation.c
    found: Counter[int] = Counter()
    for start in range(0, len(numbers), 500):
        query = select(message.conversation, func.count()).join(schema.conversation, row.key == message.conversation)
        query = query.where(row.source == source, message.source_id.in_(numbers[start : start + 500]))
        for key, count in connection.execute(query.group_by(message.conversation)):
            found[key] += count
    return found.most_common(1)[0][0] if found else None


def minute(at: datetime | None) -> datetime | None:
    """The minute of a time: one device writes seconds, another does not."""
    return at.replace(second=0, microsecond=0) if at else None
