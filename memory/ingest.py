"""Fill an empty world in one transaction: after a kill the world is empty, never half full."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, insert, select

from kithnet.memory import schema, terms, texts
from kithnet.memory.database import Database
from kithnet.memory.dialects import filled
from kithnet.memory.rows import IngestReport, MessageLike, PersonLike, Progress, TaskLike, TieLike
from kithnet.runtime.errors import RecordError, UnknownPerson, UnknownWorld

BATCH = 5_000

_T = TypeVar("_T")


def ingest(
    database: Database,
    people: Iterable[PersonLike],
    ties: Iterable[TieLike],
    messages: Iterable[MessageLike],
    tasks: Iterable[TaskLike],
    dropped: Mapping[str, int],
    progress: Progress | None,
) -> IngestReport:
    """See `Store.ingest`."""
    started = time.monotonic()
    with database.write() as connection:
        if connection.scalar(select(func.count()).select_from(schema.person)):
            raise UnknownWorld("this world already holds people", "import under another name, or delete it first")
        person_keys = _people(connection, people)
        tie_count = _insert(connection, schema.tie, _tie_rows(ties, person_keys))
        filling = _Filling(connection, person_keys)
        total = len(messages) if isinstance(messages, Sized) else None
        for chunk in _chunks(messages, BATCH):
            filling.add(chunk)
            if progress:
                progress(filling.messages, total)
        task_count = _insert(connection, schema.task, _task_rows(tasks, person_keys, filling.seqs))
        _insert(connection, schema.meta, [{"key": "dropped", "value": json.dumps(dict(dropped))}])
        kept = (schema.person, schema.session, schema.text, schema.conversation, schema.membership, schema.circle)
        filled(connection, (*kept, schema.message))
    return IngestReport(
        people=len(person_keys),
        ties=tie_count,
        messages=filling.messages,
        sessions=len(filling.sessions),
        texts=len(filling.texts),
        tasks=task_count,
        dropped=dict(dropped),
        seconds=time.monotonic() - started,
    )


class _Filling:
    """Messages on their way in, and the keys given to their texts and sessions so far."""

    def __init__(self, connection: Connection, people: Mapping[str, int]) -> None:
        self._connection = connection
        self._people = people
        self._talks = _Talks({key: one for one, key in people.items()})
        self.texts: dict[bytes, int] = {}
        self.sessions: dict[str, int] = {}
        self.seqs: set[int] = set()
        self.messages = 0
        self._last_seq = -1

    def add(self, chunk: list[MessageLike]) -> None:
        new_texts: list[dict[str, Any]] = []
        new_sessions: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for message in chunk:
            rows.append(self._row(message, new_texts, new_sessions))
        _insert(self._connection, schema.text, new_texts)
        terms.keep(self._connection, [(text["key"], text["body"]) for text in new_texts])
        _insert(self._connection, schema.session, new_sessions)
        self._talks.write(self._connection)
        _insert(self._connection, schema.message, rows)
        self.messages += len(rows)

    def _row(
        self, message: MessageLike, new_texts: list[dict[str, Any]], new_sessions: list[dict[str, Any]]
    ) -> dict[str, Any]:
        self._check(message)
        self._last_seq = message.seq
        self.seqs.add(message.seq)
        text = texts.row(texts.clean(message.text))
        digest = text["digest"]
        if digest not in self.texts:
            self.texts[digest] = len(self.texts) + 1
            new_texts.append({"key": self.texts[digest], **text})
        if message.session not in self.sessions:
            self.sessions[message.session] = len(self.sessions) + 1
            new_sessions.append({"key": self.sessions[message.session], "id": message.session})
        where = f"message {message.seq}: "
        parties = [_key(self._people, one, where) for one in (message.sender, *message.receivers)]
        return {
            "id": len(self.seqs),
            "seq": message.seq,
            "sender": parties[0],
            "conversation": self._talks.conversation(parties, message.session),
            "circle": self._talks.circle(parties),
            "text": self.texts[digest],
            "session": self.sessions[message.session],
            "at": message.at.replace(tzinfo=None) if message.at else None,
        }

    def _check(self, message: MessageLike) -> None:
        if not message.text.strip():
            raise RecordError(f"message {message.seq} is empty", "leave it out and count it as dropped")
        if message.sender in message.receivers or not message.receivers:
            raise RecordError(
                f"message {message.seq}: {message.sender} writes to themself", "leave it out and count it as dropped"
            )
        if message.seq <= self._last_seq:
            raise RecordError(
                f"message {message.seq} comes after message {self._last_seq}",
                "give the messages in the world's order, numbered 0, 1, 2, ...",
            )


class _Talks:
    """Conversations and audiences of an empty world: they get their keys as they are met, and are written many at a time."""

    def __init__(self, ids: Mapping[int, str]) -> None:
        """ids: of people, by their keys."""
        self._ids = ids
        self._circles: dict[tuple[int, ...], int] = {}
        self._conversations: dict[tuple[str, str], int] = {}
        self._taken: set[str] = set()
        self._members: set[tuple[int, int]] = set()
        self._new: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (schema.conversation, schema.membership, schema.circle, schema.circle_member)
        }

    def circle(self, people: Iterable[int]) -> int:
        """The key of an audience."""
        wanted = tuple(sorted(set(people)))
        if wanted not in self._circles:
            key = self._circles[wanted] = len(self._circles) + 1
            self._new[schema.circle].append({"key": key, "who": " ".join(f"p{person}" for person in wanted)})
            self._new[schema.circle_member] += [{"circle": key, "person": person} for person in wanted]
        return self._circles[wanted]

    def conversation(self, people: Iterable[int], group: str) -> int:
        """The key of the conversation of two people, or of the group of this name; see `conversations.Conversations`."""
        there = set(people)
        dyad = len(there) == 2
        name = (" & ".join(sorted(self._ids[one] for one in there)), "dyad") if dyad else (group, "group")
        if name not in self._conversations:
            key = self._conversations[name] = len(self._conversations) + 1
            called, kind = name
            identity, number = called, 1
            while identity in self._taken:
                number += 1
                identity = f"{called} ({number})"
            self._taken.add(identity)
            title = "" if dyad else called
            row = {"key": key, "id": identity, "kind": kind, "title": title, "source": "", "source_key": ""}
            self._new[schema.conversation].append(row)
        key = self._conversations[name]
        for person in there:
            if (key, person) not in self._members:
                self._members.add((key, person))
                row = {"id": len(self._members), "conversation": key, "person": person, "since": None, "until": None}
                self._new[schema.membership].append(row)
        return key

    def write(self, connection: Connection) -> None:
        """Write those that are new."""
        for table, rows in self._new.items():
            _insert(connection, table, rows)
            rows.clear()


def _people(connection: Connection, people: Iterable[PersonLike]) -> dict[str, int]:
    rows: list[dict[str, Any]] = [
        {
            "key": key,
            "id": person.id,
            "name": person.name,
            "persona": texts.clean(person.persona),
            "aliases": json.dumps(list(person.aliases), ensure_ascii=False),
            "outside": False,
        }
        for key, person in enumerate(people, start=1)
    ]
    keys: dict[str, int] = {}
    for row in rows:
        if row["id"] in keys:
            raise RecordError(f"two people have the id {row['id']!r}", "give each person an id of their own")
        keys[row["id"]] = row["key"]
    _insert(connection, schema.person, rows)
    return keys


def _tie_rows(ties: Iterable[TieLike], people: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for tie in ties:
        yield {"a": _key(people, tie.a), "b": _key(people, tie.b), "kind": tie.kind}


def _task_rows(tasks: Iterable[TaskLike], people: Mapping[str, int], seqs: set[int]) -> Iterator[dict[str, Any]]:
    for position, task in enumerate(tasks):
        missing = [seq for seq in task.evidence if seq not in seqs]
        if missing:
            raise RecordError(f"task {task.id} cites message {missing[0]}, which does not exist")
        yield {
            "position": position,
            "id": task.id,
            "question": task.question,
            "answer": task.answer,
            "aliases": json.dumps(list(task.aliases)),
            "instructor": _key(people, task.instructor),
            "assistant": _key(people, task.assistant),
            "holders": json.dumps(list(task.holders)),
            "evidence": json.dumps(list(task.evidence)),
            "kind": task.kind,
        }


def _key(people: Mapping[str, int], person: str, where: str = "") -> int:
    key = people.get(person)
    if key is None:
        raise UnknownPerson(f"{where}no person {person!r} in this world", "list everyone who writes or is written to")
    return key


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    for chunk in _chunks(rows, BATCH):
        connection.execute(insert(table), chunk)
        count += len(chunk)
    return count


def _chunks(rows: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk
