"""What else holds an erased message or memory: the rows that rest on it, or repeat it.

A memory goes with its evidence: when none is left, when it is a summary (it is made of all of it), or when it says
something that only the erased evidence said. It also goes when it repeats four words in a row, two of them telling, or
all words of a shorter text that its owner was party to, unless other evidence of its own says all of that.

What agents said in chats goes when it answers an erased message or repeats one.

Another message is never taken along: one that says the same words is told as `elsewhere`, and goes when `everywhere` is
asked for.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, or_, select

from kithnet.memory import lexical, schema
from kithnet.memory.conversations import heard_by
from kithnet.memory.egocentric import item_key, person_key
from kithnet.memory.language.text import index_words
from kithnet.runtime.errors import InputError

RUN, LONGEST, TELLING = 4, 6, 2
"""Runs of so many to so many words, with so many that are no function words, are a repetition."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Request:
    """What to erase: messages and memories by id, or all of one person's. everywhere: other messages that say it too."""

    items: tuple[str, ...] = ()
    person: str | None = None
    everywhere: bool = False

    @property
    def kind(self) -> str:
        """Of the receipt: person, message or memory."""
        if self.person is not None:
            return "person"
        return "message" if any(item.startswith("m") for item in self.items) else "memory"


@dataclass(frozen=True, slots=True)
class Doomed:
    """One row that goes. id: "m17", "k4", "u3", or a task's. kind: message, utterance, task, or a memory's. why: in a
    few words."""

    id: str
    kind: str
    why: str
    text: str


@dataclass
class Closure:
    """All that goes with a request. Keys of rows -> why; rows: the same for a person to read.

    elsewhere: ids of messages that stay and hold the same words. said: the texts that are to go, for whatever repeats
    them; of a person not those that others go on saying.
    """

    person: int | None = None
    messages: dict[int, str] = field(default_factory=dict)
    memories: dict[int, str] = field(default_factory=dict)
    utterances: dict[int, str] = field(default_factory=dict)
    tasks: dict[int, str] = field(default_factory=dict)
    rows: tuple[Doomed, ...] = ()
    elsewhere: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


class Repeats:
    """Whether a text repeats one of several others."""

    def __init__(self, bodies: Iterable[str]) -> None:
        self._runs: set[tuple[str, ...]] = set()
        self._short: set[tuple[str, ...]] = set()
        for body in bodies:
            words = index_words(body)
            if len(words) < RUN:
                self._short |= {tuple(words)} if _telling(words) else set()
            self._runs |= {run for run in _runs(words, RUN, LONGEST) if _telling(run) >= TELLING}

    def in_(self, body: str, party: bool) -> bool:
        """party: whether the text is of somebody whom the short ones concern."""
        words = index_words(body)
        if any(run in self._runs for run in _runs(words, RUN, LONGEST)):
            return True
        return party and bool(self._short) and any(run in self._short for run in _runs(words, 1, RUN - 1))


def _runs(words: Sequence[str], least: int, most: int) -> Iterator[tuple[str, ...]]:
    for size in range(least, most + 1):
        yield from (tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _telling(words: Iterable[str]) -> int:
    return sum(word not in lexical.STOP_WORDS for word in words)


def gather(connection: Connection, request: Request) -> Closure:
    """The closure of a request. Raises InputError for an id that there is not, UnknownPerson."""
    found = Closure()
    if request.person is not None:
        _of_person(connection, request.person, found)
    for item in request.items:
        _asked(connection, item, found)
    if found.person is None:  # what a person said is all there; what they heard of others stays with those others
        for key in _same_line(connection, found.messages):
            found.messages.setdefault(key, "the same line, heard by another")
    found.elsewhere = tuple(f"m{key}" for key in sorted(_elsewhere(connection, found)))
    if request.everywhere:
        found.messages.update((item_key(item, "m"), "says the same") for item in found.elsewhere)
        found.elsewhere = ()
    asked = [*_bodies(connection, schema.message, found.messages), *_bodies(connection, schema.memory, found.memories)]
    stays: set[str] = set()
    if found.person is not None:
        stays.update(_bodies(connection, schema.message, [item_key(item, "m") for item in found.elsewhere]))
    found.said = tuple(body for body in dict.fromkeys(asked) if body not in stays)
    _derived(connection, found)
    _utterances(connection, found)
    _tasks(connection, found)
    found.rows = tuple(rows(connection, found))
    return found


def _asked(connection: Connection, item: str, found: Closure) -> None:
    kinds: dict[str, tuple[Table, dict[int, str]]] = {
        "k": (schema.memory, found.memories), "u": (schema.utterance, found.utterances),
    }  # fmt: skip
    kind = item[:1] if item[:1] in kinds else "m"
    table, into = kinds.get(kind, (schema.message, found.messages))
    key = item_key(item, kind)
    if connection.scalar(select(table.c.id).where(table.c.id == key)) is None:
        raise InputError(f"this world has no {table.name} {item!r}", "see `kith memory search`")
    into[key] = "asked for"


def _of_person(connection: Connection, person: str, found: Closure) -> None:
    found.person = key = person_key(connection, person)
    message, memory = schema.message.c, schema.memory.c
    alone = message.circle.in_(_of_two_at_most(key))
    talk = select(message.id).where(or_(message.sender == key, alone))
    found.messages.update((one, "sent or received") for one in connection.scalars(talk))
    notes = select(memory.id).where(or_(memory.owner == key, memory.about == key, memory.told_by == key))
    found.memories.update((one, "of, about or by the person") for one in connection.scalars(notes))


def _of_two_at_most(person: int) -> Select[Any]:
    """The circles in which a person is with one other or alone; what others say in a larger one stays theirs."""
    member, own = schema.circle_member.alias(), schema.circle_member.alias("own")
    query = select(member.c.circle).join(own, own.c.circle == member.c.circle).where(own.c.person == person)
    return query.group_by(member.c.circle).having(func.count() <= 2)


def _same_line(connection: Connection, messages: Collection[int]) -> set[int]:
    """One line heard by several people is several messages where a world was made of rows with one receiver each."""
    one, other = schema.message.alias(), schema.message.alias()
    made = select(schema.conversation.c.key).where(schema.conversation.c.source == "")
    together = or_(other.c.session == one.c.session, other.c.at == one.c.at) & (other.c.circle != one.c.circle)
    together &= one.c.conversation.in_(made) & other.c.conversation.in_(made)
    line = (other.c.text == one.c.text) & (other.c.sender == one.c.sender) & together
    query = select(other.c.id).join_from(other, one, line)
    return {int(key) for key in _within(connection, query, one.c.id, messages)}


def _elsewhere(connection: Connection, found: Closure) -> set[int]:
    """Other messages with the same text; of single items also those that hold it among more words."""
    message = schema.message.c
    held = {
        *_within(connection, select(message.text), message.id, found.messages),
        *_within(connection, select(schema.memory.c.text), schema.memory.c.id, found.memories),
    }
    same = set(_within(connection, select(message.id), message.text, held))
    if found.person is None:
        for body in _within(connection, select(schema.text.c.body), schema.text.c.key, held):
            if _telling(index_words(body)):
                holding = select(message.id).join(schema.text).where(_contains(schema.text.c.body, body))
                same.update(connection.scalars(holding))
    return same - found.messages.keys()


def _contains(column: ColumnElement[str], body: str) -> ColumnElement[bool]:
    return func.replace(column, body, "") != column  # LIKE takes no long patterns, and its case is the database's


def _derived(connection: Connection, found: Closure) -> None:
    """Memories that rest on what goes, and what rests on those, until nothing new is found."""
    parties, repeats, names = _parties(connection, found), Repeats(found.said), _names(connection)
    said: set[str] = set().union(*(lexical.stems(text) for text in found.said))
    for row in connection.execute(_NOTES).all():
        if row.id not in found.memories and repeats.in_(row.body, row.owner in parties):
            _, left = _evidence(connection, row.id, found)
            if not left or _beyond(connection, row.body, left, names) & said:
                found.memories[row.id] = "repeats it"
    on_evidence(connection, found)
    of_sessions(connection, found)
    while True:
        before = len(found.memories)
        for key, why in (*cited(connection, found), *wholes(connection, found), *_same_text(connection, found)):
            found.memories.setdefault(key, why)
        if len(found.memories) == before:
            return


def _parties(connection: Connection, found: Closure) -> set[int]:
    """Whose messages and memories go."""
    owners = _within(connection, select(schema.memory.c.owner), schema.memory.c.id, found.memories)
    return {*_present(connection, found.messages), *owners}


_NOTES = select(schema.memory.c.id, schema.memory.c.owner, schema.text.c.body).join(
    schema.text, schema.text.c.key == schema.memory.c.text
)


def on_evidence(connection: Connection, found: Closure, owner: int | None = None) -> None:
    """Add the memories, of one owner or of all, that rest on messages that go."""
    memory, evidence, names = schema.memory.c, schema.evidence.c, _names(connection)
    resting = set(_within(connection, _owned(select(evidence.memory), owner), evidence.message, found.messages))
    query = select(memory.id, memory.kind, schema.text.c.body).join(schema.text, schema.text.c.key == memory.text)
    for row in _rows_within(connection, query, memory.id, resting - found.memories.keys()):
        gone, left = _evidence(connection, row.id, found)
        if not left:
            found.memories[row.id] = "its evidence is gone"
        elif row.kind == "summary":
            found.memories[row.id] = "a summary of it and more"
        else:
            lost: set[str] = set().union(*(lexical.stems(text) for text in _bodies(connection, schema.message, gone)))
            if _beyond(connection, row.body, left, names) & lost:
                found.memories[row.id] = "says what only it said"


def _owned(query: Select[Any], owner: int | None) -> Select[Any]:
    """A query over evidence, narrowed to memories of one owner."""
    if owner is None:
        return query
    return query.join(schema.memory, schema.memory.c.id == schema.evidence.c.memory).where(
        schema.memory.c.owner == owner
    )


def _evidence(connection: Connection, memory: int, found: Closure) -> tuple[list[int], list[int]]:
    """The messages that a memory rests on: those that go, and those that stay."""
    stated = connection.scalars(select(schema.evidence.c.message).where(schema.evidence.c.memory == memory)).all()
    return [key for key in stated if key in found.messages], [key for key in stated if key not in found.messages]


def _beyond(connection: Connection, body: str, left: Sequence[int], names: set[str]) -> set[str]:
    """The words of a memory that the messages left to it do not say; a name may come from who said them."""
    kept: set[str] = set().union(*(lexical.stems(text) for text in _bodies(connection, schema.message, left)))
    return lexical.stems(body) - kept - names


def _names(connection: Connection) -> set[str]:
    person = schema.person.c
    rows = connection.execute(select(person.id, person.name, person.aliases))
    return set().union(*(lexical.stems(f"{row.id.replace('_', ' ')} {row.name} {row.aliases}") for row in rows))


def of_sessions(connection: Connection, found: Closure, owner: int | None = None) -> None:
    """A summary without evidence rests on all that its owner said and heard in its session. owner: who may not have heard
    these messages; None: everybody who did."""
    message, memory = schema.message.c, schema.memory.c
    query = select(memory.id).join(schema.message, message.session == memory.session)
    cited = select(schema.evidence.c.memory).where(schema.evidence.c.memory == memory.id).exists()
    query = query.where(memory.kind == "summary", ~cited)
    query = query.where(heard_by(memory.owner) if owner is None else memory.owner == owner)
    for key in _within(connection, query, message.id, found.messages):
        found.memories.setdefault(key, "a summary of its session")


def cited(connection: Connection, found: Closure) -> Iterator[tuple[int, str]]:
    """What others noted who were told of it: they keep its id as a handle."""
    memory = schema.memory.c
    gone = {f"m{key}" for key in found.messages} | {f"k{key}" for key in found.memories}
    for row in connection.execute(select(memory.id, memory.handles).where(memory.handles != "[]")).all():
        if not gone.isdisjoint(json.loads(row.handles)):
            yield row.id, "was told of it"


def wholes(connection: Connection, found: Closure) -> Iterator[tuple[int, str]]:
    """Summaries that memories that go are part of."""
    link, memory = schema.link.c, schema.memory.c
    query = select(link.b).join(schema.memory, memory.id == link.b)
    query = query.where(link.type == "part_of", memory.kind == "summary")
    yield from ((key, "a summary of it and more") for key in _within(connection, query, link.a, found.memories))


def _same_text(connection: Connection, found: Closure) -> Iterator[tuple[int, str]]:
    memory = schema.memory.c
    held = set(_within(connection, select(memory.text), memory.id, found.memories))
    yield from ((key, "repeats it") for key in _within(connection, select(memory.id), memory.text, held))


def _utterances(connection: Connection, found: Closure) -> None:
    """What agents said in reply to what goes, what repeats it, and of a person what that person's agent said or heard."""
    said = schema.utterance.c
    for key in _within(connection, select(said.id), said.answers, found.messages):
        found.utterances.setdefault(key, "answers it")
    repeats, parties = Repeats(found.said), _parties(connection, found)
    for row in connection.execute(select(said.id, said.agent, said.partner, said.body)).all():
        if found.person in (row.agent, row.partner):
            found.utterances.setdefault(row.id, "by or to the person's agent")
        elif repeats.in_(row.body, not parties.isdisjoint((row.agent, row.partner))):
            found.utterances.setdefault(row.id, "repeats it")


def _tasks(connection: Connection, found: Closure) -> None:
    """Questions with known answers whose evidence goes, whose words repeat it, or that the person takes part in."""
    seqs = set(_within(connection, select(schema.message.c.seq), schema.message.c.id, found.messages))
    repeats = Repeats(found.said)
    name = None
    if found.person is not None:
        name = connection.scalar(select(schema.person.c.id).where(schema.person.c.key == found.person))
    for row in connection.execute(select(schema.task)):
        if not seqs.isdisjoint(json.loads(row.evidence)):
            found.tasks[row.position] = "its evidence is gone"
        elif found.person in (row.instructor, row.assistant) or name in json.loads(row.holders):
            found.tasks[row.position] = "of the person"
        elif any(repeats.in_(body, False) for body in (row.question, row.answer, *json.loads(row.aliases))):
            found.tasks[row.position] = "repeats it"


def rows(connection: Connection, found: Closure) -> Iterator[Doomed]:
    """All that goes, for a person to read."""
    message, memory, task = schema.message.c, schema.memory.c, schema.task.c
    said: Select[Any] = select(message.id, schema.text.c.body).join(schema.text, schema.text.c.key == message.text)
    for row in _rows_within(connection, said, message.id, found.messages):
        yield Doomed(f"m{row.id}", "message", found.messages[row.id], row.body)
    noted: Select[Any] = select(memory.id, memory.kind, schema.text.c.body)
    noted = noted.join(schema.text, schema.text.c.key == memory.text)
    for row in _rows_within(connection, noted, memory.id, found.memories):
        yield Doomed(f"k{row.id}", row.kind, found.memories[row.id], row.body)
    spoken: Select[Any] = select(schema.utterance.c.id, schema.utterance.c.body)
    for row in _rows_within(connection, spoken, schema.utterance.c.id, found.utterances):
        yield Doomed(f"u{row.id}", "utterance", found.utterances[row.id], row.body)
    asked: Select[Any] = select(task.position, task.id, task.question)
    for row in _rows_within(connection, asked, task.position, found.tasks):
        yield Doomed(row.id, "task", found.tasks[row.position], row.question)


def _bodies(connection: Connection, table: Any, keys: Collection[int]) -> list[str]:
    query = select(schema.text.c.body).join(table, table.c.text == schema.text.c.key)
    return [str(body) for body in _within(connection, query, table.c.id, keys)]


def _present(connection: Connection, keys: Collection[int]) -> set[int]:
    """Who could read any of these messages."""
    message = schema.message.c
    member = schema.circle_member.c
    there = select(member.person).join(schema.message, message.circle == member.circle).distinct()
    return set(_within(connection, there, message.id, keys))


def _within(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], keys: Collection[int]
) -> Iterator[Any]:
    """The first column of the rows of `query` whose `column` is one of any number of keys."""
    return (row[0] for row in _rows_within(connection, query, column, keys))


def _rows_within(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], keys: Collection[int]
) -> Iterator[Row[Any]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        yield from connection.execute(query.where(column.in_(ordered[start : start + _CHUNK]))).all()
