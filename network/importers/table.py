"""Delimited tables with a header, read as a stream; what is wrong with one is said with its row."""

import csv
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from kithnet.runtime.errors import InputError, RecordError

Row = tuple[int, tuple[str, ...]]
FIELD_LIMIT = 1 << 20


def read_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), ignored: Collection[str] = ()
) -> Iterator[Row]:
    """Yield (row number from 1, cells) of a UTF-8 CSV file, cells in the order `required` + `optional`.

    Absent optional columns give "". Columns in `ignored` are skipped; any other one is a `RecordError`,
    as are a missing column, a repeated one, a ragged row, a NUL byte and a byte that is not UTF-8.
    """
    try:
        with open_text(path) as lines:
            yield from _rows(path, lines, tuple(required), tuple(optional), ignored)
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error


def _rows(
    path: Path,
    lines: Iterator[str],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    ignored: Collection[str],
) -> Iterator[Row]:
    reader = csv.reader(_without_nul(path, lines), strict=True)
    csv.field_size_limit(FIELD_LIMIT)
    number = 0
    try:
        header = [name.strip() for name in next(reader, ())]
        pick = _columns(path, header, required, optional, ignored)
        width = len(header)
        for number, cells in enumerate(reader, 1):
            if len(cells) != width:
                if not cells:  # a blank line holds no row
                    continue
                raise RecordError(
                    f"{path.name} has {len(cells)} cells here, its header has {width}",
                    "quote texts that hold commas or line breaks",
                    row=number,
                )
            yield number, tuple([cells[place] if place >= 0 else "" for place in pick])
    except csv.Error as error:
        hint = 'texts with quotes are written "like ""this"""; save the file as standard CSV'
        raise RecordError(f"{path.name} is not well-formed CSV: {error}", hint, row=number + 1) from error


def _columns(
    path: Path,
    header: list[str],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    ignored: Collection[str],
) -> list[int]:
    """Where each wanted column stands in the header; -1 for an absent optional one."""
    if not header:
        raise RecordError(f"{path.name} is empty", f"its first line names the columns: {', '.join(required)}")
    wanted = ", ".join(required) + "".join(f"[, {name}]" for name in optional)
    found = ", ".join(repr(name) for name in header)
    if missing := [name for name in required if name not in header]:
        raise RecordError(f"{path.name} lacks the column {listed(missing)}; it has {found}", f"columns: {wanted}")
    if unknown := [name for name in header if name not in required + optional and name not in ignored]:
        raise RecordError(
            f"{path.name} has an unknown column: {listed(unknown)}", f"allowed are {wanted}; remove or rename it"
        )
    if len(set(header)) != len(header):
        raise RecordError(f"{path.name} names a column twice: {found}", f"columns: {wanted}")
    return [header.index(name) if name in header else -1 for name in required + optional]


def _without_nul(path: Path, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if "\0" in line:
            hint = f"it is not a plain text file, or it was damaged; `tr -d '\\000' < {path.name} > clean` removes the bytes"
            raise RecordError(f"{path.name} holds a NUL byte", hint, row=number)
        yield line


def open_text(path: Path):  # type: ignore[no-untyped-def]  # the open file, as pathlib types it
    """Open an input file as UTF-8 text with or without a byte order mark; `InputError` when it is not there."""
    if not path.is_file():
        raise InputError(f"there is no file {path}", "check the path")
    return path.open(encoding="utf-8-sig", newline="")


def not_utf8(path: Path) -> RecordError:
    """The error for a file that is not UTF-8: where its first bad byte is, and how to convert it."""
    offset = row = 0
    with path.open("rb") as lines:
        for row, line in enumerate(lines):  # noqa: B007  (the last row reached is the bad one)
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                offset += error.start
                break
            offset += len(line)
    return RecordError(
        f"{path.name} is not UTF-8: byte {offset} cannot be decoded",
        f"convert it first: `iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}`",
        row=row,
    )


def moment(text: str, row: int) -> datetime | None:
    """An ISO 8601 date and time without zone, or None for ""."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        hint = "write dates like 2024-05-31 18:20:00"
        raise RecordError(f"{text!r} is not a date and time", hint, row=row) from error
    if at.tzinfo is not None:
        raise RecordError(f"{text!r} has a time zone", "write local times without one", row=row)
    return at


def listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
