"""A world as files that `read_generic` reads again."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
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
