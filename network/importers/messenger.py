"""Messenger and Instagram: `message_1.json` and so on of a download, and the files of Messenger's end-to-end encrypted chats.

Facebook writes each byte of its UTF-8 as a character of its own, and lists the newest message first, in files of ten thousand
of which the first is the newest. The encrypted chats' files are clean. Neither has ids: people are known by their names.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files as resources
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Change,
    Chat,
    Contact,
    Item,
    Line,
    Options,
    Skipped,
    Unread,
    plain_name,
    plain_text,
)
from kithnet.runtime.errors import RecordError

name = "messenger"

LOOKED_AT = 200
"""JSON files of a folder that are looked at to recognise it."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SYSTEM_TYPES = frozenset({"Call", "Subscribe", "Unsubscribe", "Plan", "Payment"})
NOBODY = frozenset(
    {"facebook user", "instagram user", "instagrammer", "messenger user", "facebook-nutzer", "instagram-nutzer"}
)
"""What accounts are called that are no more: many people, so that they are kept apart by conversation."""


def claims(files: Files) -> bool:
    try:
        names = [file for file in files.names if files.may_be(file, ".json")]
        names.sort(key=lambda file: not PurePosixPath(file).name.startswith("message_"))
        return any(_is_talk(files, file) for file in names[:LOOKED_AT])
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every conversation, oldest file first, each with its people before its messages. Raises RecordError."""
    names = sorted(file for file in files.names if files.may_be(file, ".json"))
    talks: dict[str, _Talk] = {}
    for file in names:
        if _is_talk(files, file):
            talk = _survey(files, file)
            talks.setdefault(talk.key, talk).add(talk)
    if not talks:
        raise RecordError(
            f"{files.path.name} holds no Messenger or Instagram chats", "ask for a download as JSON, not HTML"
        )
    me = _owner(files, list(talks.values()))
    known: set[str] = set()
    for talk in talks.values():
        yield from _Reading(files, talk, me, options, known).items()


@dataclass
class _Talk:
    """A conversation as the first reading finds it."""

    key: str
    title: str
    people: tuple[str, ...]
    group: bool
    files: list[str] = field(default_factory=list)

    def add(self, other: "_Talk") -> None:
        """Take the files of another part of it, the oldest first."""
        if other is not self:
            self.files = sorted({*self.files, *other.files}, key=_part, reverse=True)
            self.people = tuple(dict.fromkeys((*self.people, *other.people)))
            self.group = self.group or other.group


def _part(file: str) -> tuple[int, str]:
    """The number in `message_12.json`."""
    number = PurePosixPath(file).stem.rpartition("_")[2]
    return (int(number) if number.isdecimal() and len(number) < 10 else 0), file


def _is_talk(files: Files, file: str) -> bool:
    top = files.top(file)
    if "participants" not in top and "messages" not in top:
        return False
    if {"participants", "messages", "threadName"} <= set(top):
        return True
    head = files.head(file)
    marks = (b'"sender_name"', b'"timestamp_ms"', b'"senderName"', b'"is_still_participant"', b'"threadName"')
    return any(mark in head for mark in marks)


def mended(value: object) -> str:
    """A text whose UTF-8 was read as Latin-1, as it was meant; any other text as it is."""
    if isinstance(value, str) and not value.isascii():
        # Before its ends are stripped: the last byte of a letter may look like a space.
        with suppress(UnicodeError):
            return plain_text(value.encode("latin-1").decode("utf-8"))
    return plain_text(value)


def _survey(files: Files, file: str) -> _Talk:
    """What a file says of its conversation before and after its messages."""
    head: dict[str, str] = {}
    people: list[str] = []
    senders: set[str] = set()
    for path, event, value in files.events(file):
        if event != "string":
            continue
        if path in ("participants.item.name", "participants.item"):
            people.append(plain_name(mended(value) if path.endswith("name") else value))
        elif path in ("messages.item.sender_name", "messages.item.senderName"):
            senders.add(value)
        elif path in ("title", "thread_path", "threadName", "thread_type", "joinable_mode.link"):
            head[path] = value
    people = [one for one in dict.fromkeys(people) if one]
    folder = PurePosixPath(file).parent.name
    if "threadName" in head:
        thread = plain_name(head["threadName"])
        title, _, number = thread.rpartition("_")
        key, title = thread, title if number.isdecimal() else thread
    else:
        thread = plain_name(head.get("thread_path", "")).rpartition("/")[2]
        key, title = thread or folder or PurePosixPath(file).stem, plain_name(mended(head.get("title")))
    wrote = {plain_name(one if "threadName" in head else mended(one)) for one in senders} - {""}
    # Whoever has left a group is no longer among its participants.
    group = len(wrote.union(people)) > 2 or "Group" in head.get("thread_type", "") or "joinable_mode.link" in head
    return _Talk(key, title, tuple(people), group, [file])


def _owner(files: Files, talks: list[_Talk]) -> str:
    """The key of whose download it is: their profile says so, or else the talks of two, which bear the other's name."""
    for file in files.names:
        place = PurePosixPath(file).name
        if place not in ("profile_information.json", "personal_information.json"):
            continue
        with suppress(RecordError):
            for path, event, value in files.events(file):
                if event == "string" and path in PROFILE_NAMES and plain_name(mended(value)):
                    return plain_name(mended(value)).casefold()
    found: Counter[str] = Counter()
    for talk in talks:
        if not talk.group and len(talk.people) == 2 and talk.title in talk.people:
            found.update(one.casefold() for one in talk.people if one != talk.title)
    return max(found, key=lambda key: (found[key], key)) if found else ""


PROFILE_NAMES = frozenset(
    {"profile_v2.name.full_name", "profile.name.full_name", "profile_user.item.string_map_data.Name.value"}
)


@dataclass
class _Reading:
    """Reads one conversation. known: keys of who was introduced before."""

    files: Files
    talk: _Talk
    me: str
    options: Options
    known: set[str]

    def items(self) -> Iterator[Item]:
        talk = self.talk
        members = tuple(dict.fromkeys(self._key(one) for one in talk.people))
        for one in talk.people:
            yield from self._introduce(one)
        title = talk.title or self.options.title or ""
        yield Chat(talk.key, "group" if talk.group else "dyad", title if talk.group else "", members)
        for file in talk.files:
            numbered = enumerate(self.files.items(file, "messages.item"), 1)
            for number, entry in _oldest_first(numbered):
                yield from self._entry(entry, f"{file}, message {number}")

    def _key(self, shown: str) -> str:
        key = shown.casefold()
        return f"{key} in {self.talk.key}" if key in NOBODY else key

    def _introduce(self, shown: str) -> Iterator[Item]:
        key = self._key(shown)
        if key not in self.known:
            self.known.add(key)
            me = key == self.me
            yield Contact(key, (self.options.me or shown) if me else shown, me=me)

    def _entry(self, entry: object, where: str) -> Iterator[Item]:
        """One message: exactly one line, one skipped or one unread, and what it says of memberships."""
        sender = _sender(entry) if isinstance(entry, dict) else ""
        if not isinstance(entry, dict) or not sender:
            yield Unread(where, str(entry)[:200])
            return
        clean = "senderName" in entry
        text = plain_text(entry.get("text")) if clean else mended(entry.get("content"))
        try:
            at = _moment(entry)
        except ValueError:
            yield Unread(where, text[:200] or str(entry)[:200])
            return
        said = _notice(text, sender)
        if entry.get("is_unsent") is True or entry.get("isUnsent") is True or said == "unsent":
            yield Skipped(self.talk.key, "deleted")
        elif _is_system(entry) or said in ("system", "left", "joined"):
            yield from self._changes(entry, sender, said, at)
            yield Skipped(self.talk.key, "system")
        elif not text or said == "attachment" or entry.get("type") == "placeholder":
            yield Skipped(self.talk.key, "media")
        else:
            yield from self._introduce(sender)
            yield Line(self.talk.key, self._key(sender), text, at)

    def _changes(self, entry: dict[str, Any], sender: str, said: str, at: datetime | None) -> Iterator[Item]:
        kind, users = entry.get("type"), entry.get("users")
        names = [sender] if said in ("left", "joined") else []
        if kind in ("Subscribe", "Unsubscribe") and isinstance(users, list):
            names = [plain_name(mended(user.get("name"))) for user in users if isinstance(user, dict)]
        for shown in dict.fromkeys(names):
            if shown:
                yield from self._introduce(shown)
                yield Change(self.talk.key, self._key(shown), said != "left" and kind != "Unsubscribe", at)


def _sender(entry: dict[str, Any]) -> str:
    return plain_name(entry["senderName"]) if "senderName" in entry else plain_name(mended(entry.get("sender_name")))


def _is_system(entry: dict[str, Any]) -> bool:
    kind = entry.get("type")
    return (isinstance(kind, str) and kind in SYSTEM_TYPES) or "call_duration" in entry or bool(entry.get("users"))


@cache
def _sentences() -> dict[str, list[str]]:
    """The sentences of Messenger's own by their kind; under "you", what it calls the owner of a download."""
    table: dict[str, list[str]] = tomllib.loads(
        resources("kithnet.network.importers").joinpath("messenger.toml").read_text("utf-8")
    )
    return table


@lru_cache(maxsize=1000)
def _notices(sender: str) -> re.Pattern[str]:
    """The sentences as they stand in the place of this sender's messages, a group for each kind."""
    table = _sentences()
    who = "|".join(re.escape(one) for one in dict.fromkeys((sender, sender.split()[0], *table["you"])))

    def pattern(sentence: str) -> str:
        return re.escape(sentence).replace(r"\{who\}", f"(?:{who})").replace(r"\{any\}", ".{1,500}")

    kinds = {kind: "|".join(map(pattern, sentences)) for kind, sentences in table.items() if kind != "you"}
    return re.compile("|".join(f"(?P<{kind}>{patterns})" for kind, patterns in kinds.items()))


def _notice(text: str, sender: str) -> str:
    """The kind of sentence that Messenger wrote in the sender's place, "" where the words are the sender's own."""
    found = _notices(sender).fullmatch(text) if 0 < len(text) < 1000 else None
    return (found and found.lastgroup) or ""


def _moment(entry: dict[str, Any]) -> datetime | None:
    """Raises ValueError."""
    stamp = entry.get("timestamp") if "senderName" in entry else entry.get("timestamp_ms")
    if stamp is None:
        return None
    if not isinstance(stamp, int) or isinstance(stamp, bool) or not 0 < stamp < 253_000_000_000_000:
        raise ValueError(f"no time: {stamp}")
    return EPOCH + timedelta(milliseconds=stamp)


def _oldest_first(numbered: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Entries of a file whose equal times are in the order they were written in. Whoever stores them goes by time; so only what
    was written in the same millisecond has to be turned, and only where the file lists the newest first."""
    waiting: list[tuple[int, Any]] = []
    before: Any = None
    turned = True
    for stamp, group in groupby(numbered, key=lambda one: _stamp(one[1])):
        if before is not None and stamp is not None:
            turned = before > stamp
        yield from reversed(waiting) if turned else waiting
        waiting, before = list(group), stamp if stamp is not None else before
    yield from reversed(waiting) if turned else waiting


def _stamp(entry: object) -> int | None:
    stamp = (entry.get("timestamp_ms") or entry.get("timestamp")) if isinstance(entry, dict) else None
    return stamp if isinstance(stamp, int) else None
