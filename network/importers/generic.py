"""Anybody's network: people, ties and messages as CSV or JSON lines."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from kithnet.network.importers.json_lines import Cell, read_json_lines
from kithnet.network.importers.table import moment, read_table
from kithnet.network.importers.talks import PairTalks
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.errors import InputError, RecordError

COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "people": (("id", "name"), ("persona", "aliases")),
    "ties": (("a", "b"), ("kind",)),
    "messages": (("sender", "receiver", "text"), ("at", "session", "also")),
}
SILENCE = timedelta(hours=1)
"""The longest pause inside a session, where the messages do not name theirs."""
ALIAS_SEPARATOR = "|"


def read_generic(paths: Path | Sequence[Path]) -> World:
    """Read people, ties and messages from a folder or from files named so, .csv or .jsonl; only messages are needed.

    people: id, name[, persona, aliases] (aliases: a list, or in CSV texts parted by "|"); ties: a, b[, kind];
    messages: sender, receiver, text[, at, session, also], in the world's order; also: who else could read it.
    Without a people file everybody who has a
    tie or a message is a person; with one, nobody else may appear. Who exchanges messages has a tie, listed or not.
    Rows to oneself, empty messages and repeated ties are dropped and counted. Raises RecordError and InputError.
    """
    files = _files([paths] if isinstance(paths, Path) else paths)
    known = _Known(_people(files["people"]) if "people" in files else None)
    dropped: Counter[str] = Counter()
    ties = _ties(files["ties"], known, dropped) if "ties" in files else {}
    messages = _messages(files["messages"], known, ties, dropped)
    if not messages:
        raise RecordError(f"{files['messages'].name} holds no messages", "give at least one between two people")
    return World(
        people=known.everybody(),
        ties=list(ties.values()),
        messages=messages,
        dropped=dict(dropped),
        source={"format": "generic", "file": ", ".join(file.name for file in files.values())},
    )


def _files(paths: Sequence[Path]) -> dict[str, Path]:
    """Which file holds people, ties, messages."""
    files: dict[str, Path] = {}
    given = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    for file in given:
        subject = file.stem if file.suffix in (".csv", ".jsonl") else ""
        if subject not in COLUMNS:
            if file in paths:
                raise InputError(f"cannot tell what {file.name} holds", f"name the files {_names()}")
            continue  # whatever else lies in the folder
        if subject in files:
            raise InputError(f"there are two files of {subject}: {files[subject].name} and {file.name}", "give one")
        files[subject] = file
    if "messages" not in files:
        raise InputError(f"there is no file of messages in {', '.join(map(str, paths))}", f"name the files {_names()}")
    return files


def _names() -> str:
    return ", ".join(f"{subject}.csv or {subject}.jsonl" for subject in COLUMNS)


def _rows(path: Path, subject: str) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    required, optional = COLUMNS[subject]
    if path.suffix == ".jsonl":
        return read_json_lines(path, required, optional)
    return read_table(path, required, optional)


class _Known:
    """Who may appear: the people of a file, or whoever turns up."""

    def __init__(self, people: list[Person] | None) -> None:
        self._closed = people is not None
        self._people = {person.id: person for person in people or ()}

    def identity(self, cell: Cell, subject: str, row: int) -> str:
        """The id a cell means. RecordError when it is empty, or when there is a people file without it."""
        identity = _text(cell, subject, row).strip()
        if identity not in self._people:
            if not identity:
                raise RecordError(f"{subject} is empty", "every row names both people", row=row)
            if self._closed:
                raise RecordError(f"{subject} {identity!r} is not in the people file", "add the person there", row=row)
            self._people[identity] = Person(identity, identity)
        return identity

    def everybody(self) -> list[Person]:
        return list(self._people.values())


def _people(path: Path) -> list[Person]:
    people: list[Person] = []
    rows: dict[str, int] = {}
    for row, (identity, name, persona, aliases) in _rows(path, "people"):
        key = _text(identity, "id", row).strip()
        if not key:
            raise RecordError("id is empty", "every person has one", row=row)
        if key in rows:
            raise RecordError(f"the person {key!r} is there twice, first in row {rows[key]}", "remove one", row=row)
        rows[key] = row
        shown = _text(name, "name", row).strip() or key
        called = tuple(_several(aliases))
        people.append(Person(key, shown, _text(persona, "persona", row).strip(), called))
    return people


def _ties(path: Path, known: _Known, dropped: Counter[str]) -> dict[tuple[str, str], Tie]:
    ties: dict[tuple[str, str], Tie] = {}
    for row, (first, second, kind) in _rows(path, "ties"):
        a, b = sorted((known.identity(first, "a", row), known.identity(second, "b", row)))
        if a == b:
            dropped["self-tie"] += 1
        elif (a, b) in ties:
            dropped["repeated tie"] += 1
        else:
            ties[a, b] = Tie(a, b, _text(kind, "kind", row).strip())
    return ties


def _messages(path: Path, known: _Known, ties: dict[tuple[str, str], Tie], dropped: Counter[str]) -> list[ChatMessage]:
    messages: list[ChatMessage] = []
    talks = PairTalks(SILENCE)
    for row, (sender, receiver, text, at, session, also) in _rows(path, "messages"):
        a, b = known.identity(sender, "sender", row), known.identity(receiver, "receiver", row)
        said = _text(text, "text", row).strip()
        when = moment(_text(at, "at", row), row)
        if a == b or not said:
            dropped["self-tie" if a == b else "empty message"] += 1
            continue
        more = [known.identity(one, "also", row) for one in _several(also)]
        others = tuple(one for one in dict.fromkeys(more) if one not in (a, b))
        for other in (b, *others):
            pair = (a, other) if a < other else (other, a)
            ties.setdefault(pair, Tie(*pair))
        first, second, *_ = sorted((a, b, *others))
        named = _text(session, "session", row).strip() or talks.place((first, second), when)
        messages.append(ChatMessage(len(messages), a, b, said, when, named, others))
    return messages


def _several(cell: Cell) -> list[str]:
    parts = cell if isinstance(cell, list) else cell.split(ALIAS_SEPARATOR)
    return [part.strip() for part in parts if part.strip()]


def _text(cell: Cell, name: str, row: int) -> str:
    if isinstance(cell, list):
        raise RecordError(f"{name} is a list", "only aliases and also may be one", row=row)
    return cell
