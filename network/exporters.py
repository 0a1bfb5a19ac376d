"""A world as files: those that `read_generic` reads again, or one of ChatLab's interchange format for each conversation."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Protocol

from kithnet.network.graph import PersonLike as Named
from kithnet.network.graph import TieLike
from kithnet.runtime.errors import StorageError

TELL_EVERY = 1_000


class PersonLike(Named, Protocol):
    @property
    def persona(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...


class MessageLike(Protocol):
    @property
    def sender(self) -> str: ...
    @property
    def receivers(self) -> Sequence[str]: ...
    @property
    def text(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def session(self) -> str: ...


def write_generic(
    folder: Path,
    people: Iterable[PersonLike],
    ties: Iterable[TieLike],
    messages: Iterable[MessageLike],
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write people.jsonl, ties.jsonl and messages.jsonl into `folder`, made if absent; returns the three files.

    Questions with known answers (Task) are not written: they belong to the world that was generated.
    Raises StorageError.
    """
    rows: Mapping[str, Iterator[dict[str, Any]]] = {
        "people": (
            {"id": person.id, "name": person.name, "persona": person.persona, "aliases": list(person.aliases)}
            for person in people
        ),
        "ties": ({"a": tie.a, "b": tie.b, "kind": tie.kind} for tie in ties),
        "messages": _message_rows(messages, progress),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / f"{subject}.jsonl", lines) for subject, lines in rows.items()]
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror}", "check its permissions and space") from error


class StoredLike(MessageLike, Protocol):
    @property
    def id(self) -> str: ...
    @property
    def conversation(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation. members: ids of people, each with the times from when to when they were there; None: from the beginning,
    still."""

    kind: str
    title: str
    members: dict[str, list[tuple[datetime | None, datetime | None]]]


def write_chatlab(
    folder: Path,
    people: Iterable[PersonLike],
    talks: Mapping[str, Talk],
    messages: Iterable[StoredLike],
    zone: tzinfo,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write one file of JSON lines for each conversation that holds messages into `folder`, made if absent; returns them.

    zone: of the times of the world; a message without a time is left out, as the format has no place for it. Members who came or
    went have `kithnet.periods`, an addition of ours that others pass over. Raises StorageError.
    """
    known = {person.id: person for person in people}
    files: dict[str, tuple[Path, list[str]]] = {}
    for count, message in enumerate(messages, 1):
        if progress and count % TELL_EVERY == 0:
            progress(count)
        if message.at is None:
            continue
        path = folder / f"{len(files) + 1:04d}.jsonl"
        _, rows = files.setdefault(message.conversation, (path, []))
        said = {"sender": message.sender, "accountName": known[message.sender].name, "type": 0, "content": message.text}
        when = {"timestamp": _stamp(message.at, zone), "platformMessageId": message.id}
        rows.append(json.dumps({"_type": "message", **said, **when}, ensure_ascii=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for identity, (path, rows) in files.items():
            talk = talks[identity]
            members = (_member(known[one], times, zone) for one, times in talk.members.items() if one in known)
            head = [_header(identity, talk.kind, talk.title), *members]
            path.write_text("\n".join([*head, *rows, ""]), encoding="utf-8", newline="\n")
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror}", "check its permissions and space") from error
    return [path for path, _ in files.values()]


def _stamp(at: datetime | None, zone: tzinfo) -> float | None:
    """Seconds since 1970 of a time of the world."""
    return at.replace(tzinfo=zone).timestamp() if at else None


def _header(identity: str, kind: str, title: str) -> str:
    private = kind == "dyad"
    about = {"name": title or identity, "platform": "kithnet", "type": "private" if private else "group"}
    meta = about if private else {**about, "groupId": identity}
    return json.dumps({"_type": "header", "chatlab": {"version": "0.0.2"}, "meta": meta}, ensure_ascii=False)


def _member(person: PersonLike, times: Sequence[tuple[datetime | None, datetime | None]], zone: tzinfo) -> str:
    row = {"_type": "member", "platformId": person.id, "accountName": person.name, "aliases": list(person.aliases)}
    periods = [[_stamp(since, zone), _stamp(until, zone)] for since, until in times]
    more = {} if periods == [[None, None]] else {"kithnet": {"periods": periods}}
    return json.dumps({**row, **more}, ensure_ascii=False)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def _message_rows(messages: Iterable[MessageLike], progress: Callable[[int], None] | None) -> Iterator[dict[str, Any]]:
    for count, message in enumerate((one for one in messages if one.receivers), 1):
        if progress and count % TELL_EVERY == 0:
            progress(count)
        yield {
            "sender": message.sender,
            "receiver": message.receivers[0],
            **({"also": list(message.receivers[1:])} if len(message.receivers) > 1 else {}),
            "text": message.text,
            "at": message.at.isoformat(" ") if message.at else None,
            "session": message.session,
        }
