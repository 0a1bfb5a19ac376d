"""Chats that somebody brings: exports read, put in order and added to a world, whole or not at all, file by file."""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from kithnet.app.world_names import is_world, world_folder
from kithnet.app.worlds import UNFINISHED, making, open_world, publish, remove_folder, sweep
from kithnet.memory import adding, schema
from kithnet.memory.exports import Added
from kithnet.memory.store import Store
from kithnet.network.importers import formats
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Options
from kithnet.network.importers.staging import COUNTED, Staged, stage
from kithnet.runtime.errors import InputError, UnknownPerson

ZONE = "zone"
"""The key in `meta` of the zone that the times of a world are told in."""

Tell = Callable[[int, int | None], None]


class _Undone(Exception):
    """Raised to leave a transaction without its changes; nobody sees it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user says. source: the format, None to recognise it. zone: by its name; None: the world's, else the machine's."""

    source: str | None = None
    dates: str | None = None
    zone: str | None = None
    me: str | None = None
    title: str | None = None


@dataclass
class Report:
    """What adding files to a world came to. The fields of `contract`."""

    world: str
    dry: bool
    formats: list[str] = field(default_factory=list)
    talks: set[int] = field(default_factory=set)
    people: dict[int, str] = field(default_factory=dict)
    before: set[int] = field(default_factory=set)
    alike: list[tuple[str, str]] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=dict)
    edited: int = 0
    unread: list[str] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    zone: str = ""
    assumed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def conversations(self) -> int:
        """How many the exports are of; several may be of one."""
        return len(self.talks)

    @property
    def new(self) -> list[str]:
        """Names of the people who were not there before."""
        return list(self.people.values())

    @property
    def known(self) -> int:
        """How many were there before."""
        return len(self.before - self.people.keys())

    def contract(self) -> dict[str, Any]:
        """As `kith world add --json` prints it."""
        return {
            "world": self.world,
            "format": ", ".join(dict.fromkeys(self.formats)),
            "conversations": self.conversations,
            "people": {"new": self.new, "known": self.known, "alike": [list(pair) for pair in self.alike]},
            "messages": self.messages,
            "first": self.first.isoformat(" ") if self.first else None,
            "last": self.last.isoformat(" ") if self.last else None,
            "zone": self.zone,
            "assumed": self.assumed,
            "seconds": round(self.seconds, 3),
            "dry_run": self.dry,
            "edited": self.edited,
            "unread": self.unread,
        }

    def take(self, staged: Staged, added: Added) -> None:
        """Count one export in."""
        self.formats.append(staged.source)
        self.talks |= added.talks
        self.people |= added.people
        self.before |= added.known
        self.alike += [pair for pair in added.alike if pair not in self.alike]
        counts = {
            "new": added.messages,
            "seen": added.seen,
            **{kind: staged.counts[kind] for kind in (*COUNTED, "unread")},
        }
        self.messages = {kind: self.messages.get(kind, 0) + count for kind, count in counts.items()}
        self.edited += added.edited
        self.unread += [f"{one.where}: {one.text}" for one in staged.unread]
        self.assumed += [text for text in (*staged.assumed, *added.assumed) if text not in self.assumed]
        for moment in (added.first, added.last):
            if moment is not None:
                self.first = moment if self.first is None else min(self.first, moment)
                self.last = moment if self.last is None else max(self.last, moment)


def add(
    folder: Path, name: str, paths: Sequence[Path], wanted: Wanted, *, dry: bool = False, database: str | None = None,
    tell: Tell | None = None,
) -> Report:  # fmt: skip
    """Add exports to the world `name`, which is made when there is none. dry: look what would come of it, and change nothing.

    Each file is added in one transaction. Raises InputError and RecordError for what cannot be read, UnknownPerson, WorldBusy,
    StorageError.
    """
    started = time.monotonic()
    report = Report(name, dry)
    found = [one for path in paths for one in formats.exports(path)]
    place = world_folder(folder, name)
    with making(folder, name):
        sweep(folder, name)
        if is_world(place):
            with open_world(folder, name) as store:
                _add_all(store, found, wanted, report, tell)
        else:
            from kithnet.memory.postgres import own_schema

            suffix = uuid.uuid4().hex[:8]
            fresh = folder / f"{UNFINISHED}{name}.{suffix}"
            address = own_schema(database, name, suffix) if database else None
            try:
                with Store.create(fresh / "kith.db", {"format": "chats", "file": found[0].name}, address) as store:
                    _add_all(store, found, wanted, report, tell)
                if not dry:
                    publish(fresh, place)
            finally:
                if fresh.exists():
                    remove_folder(fresh)
    return replace(report, seconds=time.monotonic() - started)


def _add_all(store: Store, paths: Sequence[Path], wanted: Wanted, report: Report, tell: Tell | None) -> None:
    """Add exports one after the other; a dry run takes all of it back."""
    zone, name = _zone(store, wanted, report)
    try:
        with _Whole(store, report.dry) as whole:
            for path in paths:
                whole.add(path, wanted, zone, name, report, tell)
    except _Undone:
        pass


class _Whole:
    """Transactions: one for each file, or one for all of a dry run, which is not committed."""

    def __init__(self, store: Store, dry: bool) -> None:
        self._store, self._dry = store, dry
        self._open: Any = None

    def __enter__(self) -> "_Whole":
        if self._dry:
            self._open = self._store.database.write()
            self._connection = self._open.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._open is not None:
            undone = error or _Undone()
            self._open.__exit__(type(undone), undone, trace)

    def add(
        self, path: Path, wanted: Wanted, zone: tuple[tzinfo, tzinfo], name: str, report: Report, tell: Tell | None
    ) -> None:  # fmt: skip
        """Add one export."""
        given, world = zone
        options = Options(given, wanted.dates, wanted.me, wanted.title)  # type: ignore[arg-type]  # the command line checks it
        with Files(path) as files:
            reader = formats.named(wanted.source) if wanted.source else formats.recognised(files)
            read = (lambda lines: tell(lines, None)) if tell else None
            with stage(reader, files, options, world, read) as staged:
                if not staged.lines and not sum(staged.counts[kind] for kind in COUNTED):
                    raise formats.not_understood(files)
                if staged.naive and not wanted.zone:
                    report.assumed.append(f"times without a zone are {name} times: else say --zone")
                stored = (lambda lines: tell(lines, staged.lines)) if tell else None
                if self._dry:
                    added = adding.add(self._connection, staged, wanted.me, stored)
                else:
                    with self._store.database.write() as connection:
                        added = adding.add(connection, staged, wanted.me, stored)
                report.take(staged, added)


def _zone(store: Store, wanted: Wanted, report: Report) -> tuple[tuple[tzinfo, tzinfo], str]:
    """The zone of times that come without one, and the zone that the world tells its times in, which its first export sets."""
    with store.database.read() as connection:
        noted = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == ZONE))
    name = wanted.zone or noted or machine_zone()
    given = zone_of(name)
    report.zone = noted or name
    if noted is None and not report.dry:
        store.note(ZONE, name)
    return (given, zone_of(report.zone)), name


def zone_noted(store: Store) -> tzinfo:
    """The zone that a world tells its times in; this machine's where it has had no export yet."""
    with store.database.read() as connection:
        noted = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == ZONE))
    return zone_of(noted or machine_zone())


def zone_of(name: str) -> tzinfo:
    """The zone of this name, as the IANA database has it. Raises InputError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(f"there is no time zone {name!r}", "write it like Europe/Berlin or UTC") from error


def machine_zone() -> str:
    """The name of this machine's zone, "UTC" where it has none."""
    import os

    named = os.environ.get("TZ", "").lstrip(":")
    if not named:
        link = Path("/etc/localtime")
        parts = link.resolve().parts if link.exists() else ()
        named = "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else ""
    try:
        return ZoneInfo(named).key if named else "UTC"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def people(store: Store) -> list[dict[str, Any]]:
    """Every person: id, name, aliases, messages sent, sources, and ids of those who may be the same."""
    from sqlalchemy import func

    from kithnet.memory.joining import alike

    person, contact, message = schema.person.c, schema.contact.c, schema.message.c
    with store.database.read() as connection:
        pairs = alike(connection)
        counted = select(message.sender, func.count()).where(schema.OF_THE_WORLD).group_by(message.sender)
        counts: dict[int, int] = {row[0]: row[1] for row in connection.execute(counted)}
        sources: dict[int, set[str]] = {}
        for row in connection.execute(select(contact.person, contact.source)):
            sources.setdefault(row.person, set()).add(row.source)
        mine = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "me"))
        rows = connection.execute(select(schema.person).where(person.outside.is_(False)).order_by(person.key)).all()
    return [
        {
            "id": row.id, "name": row.name, "aliases": json.loads(row.aliases), "messages": counts.get(row.key, 0),
            "sources": sorted(sources.get(row.key, ())), "me": row.id == mine,
            "alike": [b if a == row.id else a for a, b in pairs if row.id in (a, b)],
        }
        for row in rows
    ]  # fmt: skip


def messages(store: Store, conversation: str | None, person: str | None, limit: int | None) -> list[dict[str, Any]]:
    """Messages in the world's order, as `kith world messages` lists them. Raises InputError, UnknownPerson."""
    who = store.resolve(person).id if person else None
    if conversation is not None:
        with store.database.read() as connection:
            known = adding.conversations(connection)
        fitting = [one for one, about in known.items() if conversation in (one, about["title"])]
        if not fitting:
            close = ", ".join(list(known)[:5])
            raise InputError(f"there is no conversation {conversation!r}", f"there are: {close}")
    else:
        fitting = []
    with store.database.read() as connection:
        titles = {one: about["title"] or one for one, about in adding.conversations(connection).items()}
    names = {one.id: one.name for one in store.people()}
    found = []
    for one in store.messages():
        if (fitting and one.conversation not in fitting) or (who is not None and one.sender != who):
            continue
        at = one.at.isoformat(" ") if one.at else None
        said = {
            "id": one.id,
            "conversation": titles[one.conversation],
            "sender": names[one.sender],
            "at": at,
            "text": one.text,
        }
        found.append({**said, "conversation_id": one.conversation, "sender_id": one.sender})
        if limit and len(found) == limit:
            break
    return found


__all__ = ["Report", "UnknownPerson", "Wanted", "add", "machine_zone", "messages", "people", "zone_of"]
