"""An export read once and put in order: by time, then as the source lists it. Nothing is held in memory but people and chats.

The lines lie in a temporary SQLite database that goes when it is closed; SQLite sorts more than fits into memory.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Assumed, Change, Chat, Contact, Line, Options, Reader, Skipped, Unread

SHOWN = 10
"""Unread lines that are kept to be shown."""
BATCH = 5_000
COUNTED = ("system", "deleted", "media", "bots")

_TABLE = """CREATE TABLE line (n INTEGER PRIMARY KEY, chat TEXT, sender TEXT, text TEXT, at TEXT, sorted TEXT, zone TEXT,
    source_id TEXT, reply_to TEXT, edited_at TEXT, audience TEXT)"""
_ORDER = """SELECT chat, sender, text, at, zone, source_id, reply_to, edited_at, audience FROM line ORDER BY sorted,
    CASE WHEN source_id <> '' AND source_id NOT GLOB '*[^0-9]*' THEN CAST(source_id AS INTEGER) END, n"""


@dataclass(frozen=True, slots=True)
class StagedLine:
    """A `Line` with its time in the zone of the world, without zone. zone: the offset where it was written, None unknown."""

    chat: str
    sender: str
    text: str
    at: datetime | None
    zone: str | None
    source_id: str
    reply_to: str
    edited_at: datetime | None
    audience: tuple[str, ...] | None


class Staged:
    """What a reader found in one export. Close it, or use it in `with`.

    chats, contacts: by their keys, in order of appearance. changes: who joined or left when. counts: of what is no line;
    unread: the first of those that were not understood.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source, self.name = source, name
        self.chats: dict[str, Chat] = {}
        self.contacts: dict[str, Contact] = {}
        self.changes: list[Change] = []
        self.counts: Counter[str] = Counter()
        self.unread: list[Unread] = []
        self.assumed: list[str] = []
        self.lines = 0
        self.naive = False
        """Whether any line came with a time without zone."""
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(_TABLE)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def ordered(self, chat: str | None = None) -> Iterator[StagedLine]:
        """The lines, oldest first; of one chat only, if given."""
        if chat:
            self._database.execute("CREATE INDEX IF NOT EXISTS of_chat ON line (chat)")
        query, values = (_ORDER.replace("FROM line", "FROM line WHERE chat = ?"), (chat,)) if chat else (_ORDER, ())
        cursor = self._database.execute(query, values)
        while rows := cursor.fetchmany(BATCH):
            for row in rows:
                yield _line(row)

    def store(self, rows: list[tuple[object, ...]]) -> None:
        """Take in rows of the table; called by `stage`."""
        readable = ([_readable(one) if isinstance(one, str) else one for one in row] for row in rows)
        self._database.executemany(f"INSERT INTO line VALUES ({', '.join('?' * 11)})", readable)


def stage(
    reader: Reader, files: Files, options: Options, world: tzinfo, progress: Callable[[int], None] | None = None
) -> Staged:
    """Read an export. world: the zone that times are told in. Raises InputError and RecordError."""
    with ExitStack() as stack:
        staged = stack.enter_context(Staged(reader.name, files.path.name))
        _fill(staged, reader, files, options, world, progress)
        stack.pop_all()
    return staged


def _fill(
    staged: Staged, reader: Reader, files: Files, options: Options, world: tzinfo, progress: Callable[[int], None] | None
) -> None:  # fmt: skip
    rows: list[tuple[object, ...]] = []
    last: dict[str, str] = {}
    for item in reader.read(files, options):
        match item:
            case Line():
                said = _told_again(item.at, options.zone, last.get(item.chat))
                at, zone = _placed(said, options.zone, world)
                instant = _instant(said, options.zone)
                staged.naive = staged.naive or (item.at is not None and item.at.tzinfo is None)
                if instant:
                    last[item.chat] = instant
                edited = _text(_placed(item.edited_at, options.zone, world)[0])
                audience = None if item.audience is None else json.dumps(item.audience)
                staged.lines += 1
                place = (staged.lines, item.chat, item.sender, item.text, _text(at), last.get(item.chat, ""), zone)
                rows.append((*place, item.source_id, item.reply_to, edited, audience))
                if len(rows) == BATCH:
                    staged.store(rows)
                    rows.clear()
                    if progress:
                        progress(staged.lines)
            case Chat():
                staged.chats[item.key] = item
            case Contact():
                staged.contacts[item.key] = item
            case Change():
                staged.changes.append(
                    Change(item.chat, item.contact, item.joined, _placed(item.at, options.zone, world)[0])
                )
            case Skipped():
                staged.counts[item.kind] += 1
            case Unread():
                staged.counts["unread"] += 1
                if len(staged.unread) < SHOWN:
                    staged.unread.append(item)
            case Assumed():
                staged.assumed.append(item.text)
    staged.store(rows)


def _readable(text: str) -> str:
    """Lone surrogates have no form in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _placed(at: datetime | None, zone: tzinfo, world: tzinfo) -> tuple[datetime | None, str | None]:
    """A time in the zone of the world, without zone, and the offset that it came with."""
    if at is None:
        return None, None
    offset = None
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    else:
        offset = at.isoformat()[-6:] if at.utcoffset() else "+00:00"
    try:
        return at.astimezone(world).replace(tzinfo=None), offset
    except (OverflowError, ValueError):  # the year 1 or 9999
        return at.replace(tzinfo=None), offset


def _instant(at: datetime | None, zone: tzinfo) -> str | None:
    """A time as it is ordered: in UTC, for an hour comes twice a year on the clock."""
    if at is None:
        return None
    try:
        return _text((at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).replace(tzinfo=None))
    except (OverflowError, ValueError):
        return _text(at.replace(tzinfo=None))


def _told_again(at: datetime | None, zone: tzinfo, last: str | None) -> datetime | None:
    """A time of the hour that the clock tells twice, when it goes back in autumn: of the second, if the first is past."""
    if at is None or at.tzinfo or last is None or (_instant(at, zone) or "") >= last:
        return at
    again = at.replace(fold=1)
    return again if (_instant(again, zone) or "") >= last else at


def _text(at: datetime | None) -> str | None:
    return at.isoformat(timespec="microseconds") if at else None


def _line(row: tuple[str, ...]) -> StagedLine:
    chat, sender, text, at, zone, source_id, reply_to, edited, audience = row
    return StagedLine(
        chat, sender, text, _moment(at), zone, source_id, reply_to, _moment(edited),
        None if audience is None else tuple(json.loads(audience)),
    )  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
