"""JSONL files of records: one JSON object a line; what is wrong with one is said with its line."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kithnet.runtime.errors import InputError, RecordError

_MESSAGE = re.compile(r"from (?P<sender>\S.*?) to (?P<receiver>\S.*?) ?: ?(?P<text>.*)", re.DOTALL)


def lines_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, record) of a JSONL file. Raises InputError, RecordError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path given with --data") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path.name} is not UTF-8", "give a JSONL file in UTF-8") from error
    found = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = True
        try:
            record = json.loads(line)
        except ValueError as error:
            hint = "each line holds one JSON object (docs/bench-informative.md)"
            raise RecordError(f"{path.name}: this is not JSON: {error}", hint, row=number) from error
        if not isinstance(record, dict):
            raise RecordError(f"{path.name}: this is no JSON object", "each line holds one record", row=number)
        yield number, record
    if not found:
        raise RecordError(f"{path.name} holds no records", "each line holds one JSON object")


def need(record: Mapping[str, Any], name: str, kind: type | tuple[type, ...], row: int) -> Any:
    """A field that a record must have. Raises RecordError."""
    if name not in record:
        raise RecordError(f"the field {name!r} is missing", "docs/bench-informative.md lists the fields", row=row)
    if not isinstance(record[name], kind) or isinstance(record[name], bool):
        raise RecordError(
            f"the field {name!r} is {record[name]!r}, which is of the wrong type", "see its docs", row=row
        )
    return record[name]


def messages_of(record: Mapping[str, Any], people: Sequence[str], row: int) -> list[tuple[str, str, str]]:
    """(sender, receiver, text) of the field `message`. Raises RecordError: empty, of another form, by a stranger."""
    raw = need(record, "message", list, row)
    if not raw:
        raise RecordError("the dialogue is empty", "`message` lists 'from A0 to B0 : text'", row=row)
    found = []
    for one in raw:
        match = _MESSAGE.fullmatch(one) if isinstance(one, str) else None
        if not match or not match["text"].strip():
            raise RecordError(f"{one!r} is no message", "write 'from A0 to B0 : text'", row=row)
        sender, receiver = match["sender"], match["receiver"]
        for person in (sender, receiver):
            if person not in people:
                raise RecordError(
                    f"{person!r} writes or is written to and is not one of {', '.join(people)}", "", row=row
                )
        if sender == receiver:
            raise RecordError(f"{sender!r} writes to themself", "leave the message out", row=row)
        found.append((sender, receiver, match["text"].strip()))
    return found


def write_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records, one a line."""
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")


def asked_of(record: Mapping[str, Any], people: Sequence[str], row: int) -> tuple[str, str]:
    """The two of the field `QA agents`: who instructs and who assists. Raises RecordError."""
    pair = need(record, "QA agents", list, row)
    if len(pair) != 2 or pair[0] == pair[1] or any(one not in people for one in pair):
        raise RecordError(f"'QA agents' is {pair}, which are not two of {', '.join(people)}", "", row=row)
    return pair[0], pair[1]
