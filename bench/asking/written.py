"""A file of anybody's questions over a world that is there: one `{question, from, to?, gold, evidence}` a line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kithnet.bench.asking.question import Question
from kithnet.memory.rows import StoredMessage
from kithnet.memory.store import Store
from kithnet.runtime.errors import RecordError


class _Row(BaseModel):
    """gold: one accepted answer, several, or none where there is no answer. evidence: message ids (m12) or whole texts."""

    model_config = ConfigDict(extra="ignore")
    id: str = ""
    question: str = Field(min_length=1)
    asker: str = Field(alias="from", min_length=1)
    to: str = ""
    gold: str | list[str] | None = None
    evidence: list[str] = []
    kind: str = ""


def load(path: Path, store: Store) -> tuple[Question, ...]:
    """The questions of a file, with the people and messages of the world. Without an id, a line's number is its id.

    Raises RecordError that names the line, UnknownPerson.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}", "name a file of one JSON object a line") from error
    messages = list(store.messages())
    by_id, by_text = {one.id: one for one in messages}, _by_text(messages)
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    found = [_question(_row(line, number, path), number, store, by_id, by_text) for number, line in rows]
    if not found:
        raise RecordError(f"{path} holds no question", "name a file of one JSON object a line")
    return tuple(found)


def _by_text(messages: Sequence[StoredMessage]) -> Mapping[str, list[StoredMessage]]:
    found: dict[str, list[StoredMessage]] = {}
    for one in messages:
        found.setdefault(one.text.strip(), []).append(one)
    return found


def _row(line: str, number: int, path: Path) -> _Row:
    try:
        raw: Any = json.loads(line)
        return _Row.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise RecordError(f"{path.name}: {told}", "a line holds question, from, gold, evidence", row=number) from error
    except ValueError as error:
        raise RecordError(f"{path.name}: no JSON: {error}", "a line is one JSON object", row=number) from error


def _question(
    row: _Row, number: int, store: Store, by_id: Mapping[str, StoredMessage], by_text: Mapping[str, list[StoredMessage]]
) -> Question:
    golds = [row.gold] if isinstance(row.gold, str) else row.gold or []
    evidence = []
    for named in row.evidence:
        found = [by_id[named]] if named in by_id else by_text.get(named.strip(), [])
        if not found:
            raise RecordError(f"the evidence {named!r} is no message of this world", "give ids or texts", row=number)
        evidence += found
    asker, to = store.resolve(row.asker).id, store.resolve(row.to).id if row.to else ""
    scene = evidence[0].session if evidence else ""
    numbers = tuple(dict.fromkeys(one.seq for one in evidence))
    kept = tuple(gold for gold in golds if gold.strip())
    return Question(row.id or str(number), row.question, asker, to, kept, numbers, scene, row.kind)
