"""The rows of a MySQL dump, read by a small tokenizer: nothing in the file is executed or evaluated."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kithnet.network.importers.table import not_utf8, open_text
from kithnet.runtime.errors import RecordError

TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/)
      | (?P<text>'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*")
      | (?P<name>`[^`]*`)
      | (?P<word>[A-Za-z_@$][\w$]*)
      | (?P<number>[-+]?\d[\w.+-]*)
      | (?P<mark>[(),;=.*/+<>!:%&|^~?\-])""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
SPECIAL = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
CONSTRAINTS = frozenset({"PRIMARY", "UNIQUE", "KEY", "CONSTRAINT", "FOREIGN", "INDEX", "CHECK", "FULLTEXT", "SPATIAL"})

Cells = tuple[str | None, ...]
Token = tuple[str, str]


@dataclass(slots=True)
class Table:
    """A table's columns and rows; values as texts, None for NULL."""

    name: str
    columns: list[str] = field(default_factory=list)
    rows: list[Cells] = field(default_factory=list)


def read_tables(path: Path, names: Collection[str]) -> dict[str, Table]:
    """The tables of a dump that are named so, from its CREATE TABLE and INSERT INTO ... VALUES statements.

    Raises InputError when there is no such file, RecordError when it is not UTF-8, holds a NUL byte, or cannot be read.
    """
    try:
        with open_text(path) as file:
            script = file.read()
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    if "\0" in script:
        raise RecordError(f"{path.name} holds a NUL byte", "it is not a plain text file, or it was damaged")
    if not script.strip():
        raise RecordError(f"{path.name} is empty", "make it with `mysqldump DATABASE > dump.sql`")
    tables: dict[str, Table] = {}
    for statement in _statements(path, script):
        words = [text.upper() for kind, text in statement[:3] if kind == "word"]
        if words[:2] == ["CREATE", "TABLE"]:
            table = _created(statement)
            if table.name in names:
                tables[table.name] = table
        elif words[:2] == ["INSERT", "INTO"]:
            _insert(path, statement, tables, names)
    return tables


def _statements(path: Path, script: str) -> Iterator[list[Token]]:
    """Tokens of each statement, without comments, up to its semicolon."""
    statement: list[Token] = []
    place = 0
    for match in TOKEN.finditer(script):
        if match.start() != place:
            break
        place = match.end()
        kind, text = match.lastgroup or "", match[0]
        if kind == "space":
            continue
        if text == ";" and kind == "mark":
            yield statement
            statement = []
        else:
            statement.append((kind, text))
    if place != len(script):
        line = script.count("\n", 0, place) + 1
        raise RecordError(
            f"{path.name} cannot be read from line {line} on: {script[place : place + 40]!r}",
            "is the dump complete? Make it with `mysqldump DATABASE > dump.sql`",
        )
    if statement:
        raise RecordError(f"{path.name} ends inside a statement", "the dump is cut off; make it again")


def _created(statement: list[Token]) -> Table:
    """A table's name and columns, from CREATE TABLE name (column type ..., KEY ...)."""
    start = statement.index(("mark", "("))
    table = Table(_bare(statement[start - 1][1]).lower())
    depth = 0
    fresh = False
    for kind, text in statement[start:]:
        if kind == "mark" and text in "()":
            depth += 1 if text == "(" else -1
            fresh = text == "(" and depth == 1
        elif kind == "mark" and text == "," and depth == 1:
            fresh = True
        elif fresh:
            if kind == "name" or (kind == "word" and text.upper() not in CONSTRAINTS):
                table.columns.append(_bare(text).lower())
            fresh = False
    return table


def _insert(path: Path, statement: list[Token], tables: dict[str, Table], names: Collection[str]) -> None:
    """Add the rows of INSERT INTO name [(columns)] VALUES (...), (...)."""
    values = next((i for i, (kind, text) in enumerate(statement) if kind == "word" and text.upper() == "VALUES"), 0)
    opened = next((i for i, token in enumerate(statement[:values]) if token == ("mark", "(")), values)
    name = _bare(statement[opened - 1][1]).lower() if values else ""
    if name not in names:
        return
    columns = [_bare(text).lower() for kind, text in statement[opened:values] if kind in ("name", "word")]
    table = tables.setdefault(name, Table(name, columns))
    if columns and columns != table.columns:
        order = {column: place for place, column in enumerate(columns)}
        rows = _tuples(path, table, statement[values + 1 :])
        for cells in rows:
            table.rows.append(
                tuple(cells[order[c]] if order.get(c, len(cells)) < len(cells) else None for c in table.columns)
            )
    else:
        table.rows.extend(_tuples(path, table, statement[values + 1 :]))


def _tuples(path: Path, table: Table, tokens: list[Token]) -> list[Cells]:
    rows: list[Cells] = []
    cells: list[str | None] = []
    depth = 0
    for kind, text in tokens:
        if kind == "mark":
            if text == "(":
                depth, cells = depth + 1, []
            elif text == ")":
                depth -= 1
                rows.append(tuple(cells))
            elif text != ",":
                raise _unreadable(path, table, len(rows) + 1, text)
            if depth not in (0, 1):
                raise _unreadable(path, table, len(rows) + 1, text)
        elif depth != 1:
            break  # what follows the rows: ON DUPLICATE KEY ...
        elif kind == "text":
            cells.append(_unquoted(text))
        elif kind == "number":
            cells.append(text)
        elif text.upper() == "NULL":
            cells.append(None)
        elif not text.startswith("_"):  # a character set before a text, as _binary
            raise _unreadable(path, table, len(rows) + 1, text)
    return rows


def _unreadable(path: Path, table: Table, row: int, text: str) -> RecordError:
    hint = "only plain values are read, no expressions; make the dump with `mysqldump DATABASE`"
    return RecordError(f"{path.name}: the values for {table.name} hold {text!r}", hint, row=len(table.rows) + row)


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if "\\" not in inner and text[0] * 2 not in inner:
        return inner
    quote = text[0]

    def plain(match: re.Match[str]) -> str:
        if match[1] is None:
            return quote if match[0] == quote * 2 else match[0]
        return SPECIAL.get(match[1], match[1])

    return ESCAPE.sub(plain, inner)


def _bare(name: str) -> str:
    return name.strip("`")
