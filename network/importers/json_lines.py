"""JSON lines: one object a line, read as a stream; what is wrong with one is said with its row."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from kithnet.network.importers.table import listed, not_utf8, open_text
from kithnet.runtime.errors import RecordError

Cell = str | list[str]


def read_json_lines(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    """Yield (row number from 1, values) of a UTF-8 file, values in the order `required` + `optional`.

    Values are texts or lists of texts; null or absent optional ones give "". Anything else is a `RecordError`.
    """
    names = (*required, *optional)
    known = frozenset(names)
    number = 0
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.isspace():
                    continue
                row = _object(path, line, number)
                if unknown := [name for name in row if name not in known]:
                    hint = f"allowed are {', '.join(names)}"
                    raise RecordError(f"{path.name} has an unknown field: {listed(unknown)}", hint, row=number)
                yield number, tuple([_cell(row, name, name in required, number) for name in names])
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    if not number:
        raise RecordError(f"{path.name} is empty", f"each line is an object with {', '.join(required)}")


def _object(path: Path, line: str, number: int) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RecordError(
            f"{path.name}: this line is not JSON: {error}", "write one JSON object a line", row=number
        ) from error
    if not isinstance(row, dict):
        raise RecordError(f"{path.name}: this line is not an object", 'write lines like {"id": "ada"}', row=number)
    return row


def _cell(row: dict[str, object], name: str, needed: bool, number: int) -> Cell:
    value = row.get(name)
    if value is None:
        if needed:
            raise RecordError(f"the field {name!r} is missing; there are {listed(list(row))}", "add it", row=number)
        return ""
    if isinstance(value, str):
        if "\0" in value:
            raise RecordError(f"{name} holds a NUL byte", "remove it", row=number)
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return value
    raise RecordError(f"{name} is not a text", "put it in quotes", row=number)
