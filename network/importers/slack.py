"""Slack: a workspace's export, as the zip or the folder it was unpacked to.

users.json names the people, channels.json, groups.json, mpims.json and dms.json the conversations, and each conversation has a
folder of day files, every one a JSON array of messages, oldest first. Exports leave out people (guests, other workspaces, whoever
was deleted long ago), and an edit or a deletion may be an entry of its own, so the day files are read twice.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Change,
    Chat,
    ChatKind,
    Contact,
    Item,
    LeftOut,
    Line,
    Options,
    Skipped,
    Unread,
    plain_name,
    plain_text,
)
from kithnet.runtime.errors import RecordError

name = "slack"

USERS = ("users.json", "org_users.json")
LISTS: dict[str, ChatKind] = {
    "channels.json": "channel",
    "groups.json": "group",
    "mpims.json": "group",
    "dms.json": "dyad",
}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json", re.ASCII)
SPOKEN = frozenset({"", "me_message", "thread_broadcast", "file_share", "file_comment", "file_mention"})
SUBTYPES: dict[str, LeftOut] = {"bot_message": "bots", "slackbot_response": "bots", "tombstone": "deleted"}
"""What the others are that are nobody's words; all the rest is the system's."""
JOINS: dict[str, bool] = {"channel_join": True, "group_join": True, "channel_leave": False, "group_leave": False}
MARKED = re.compile(r"<([^<>]*)>")
MARKS_OF = {"user": "@user_id", "channel": "#channel_id", "broadcast": "!range"}
"""How a text marks what a block has as an element, and where that keeps it."""
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
"""The three characters that Slack escapes; "&amp;" last, for "&amp;lt;" stands for "&lt;"."""


def claims(files: Files) -> bool:
    try:
        bases = {PurePosixPath(file).name for file in files.names}
        if day := next(iter(_days(files)), None):
            head = files.head(day).lstrip(b"\xef\xbb\xbf \t\r\n")
            return head.startswith(b"[") and (b'"ts"' in head or bool(bases & {*USERS, *LISTS}))
        return "channels.json" in bases and bool(bases & {*USERS})
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every conversation that has day files, the people of all of them first. Raises RecordError."""
    export = _Export()
    _read_people(files, export)
    rooms = _rooms(files, export, options)
    if not rooms:
        hint = (
            "give the zip as Slack made it, or the folder it unpacks to, with users.json and a folder for each channel"
        )
        raise RecordError(f"{files.path.name} holds no day files (2024-03-12.json) of Slack", hint)
    for room in rooms:
        _survey(files, export, room)
    members = {room.key: _members(export, room) for room in rooms}
    for user in dict.fromkeys(user for room in rooms for user in (*members[room.key], *room.first)):
        if not export.is_bot(user):
            yield export.person(user).contact(user)
    for room in rooms:
        title = room.title
        if room.title.startswith("mpdm-"):
            title = (
                ", ".join(sorted(export.person(user).name for user in room.members if not export.is_bot(user))) or title
            )
        yield Chat(room.key, room.kind, title, members[room.key])
        yield from _messages(files, export, room)


@dataclass
class _Person:
    name: str
    aliases: tuple[str, ...] = ()
    address: str = ""
    bot: bool = False

    def contact(self, user: str) -> Contact:
        return Contact(user, self.name, self.aliases, self.address)


@dataclass
class _Export:
    people: dict[str, _Person] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    """Names by id, for what mentions them."""

    def person(self, user: str) -> _Person:
        return self.people.get(user) or _Person(user)

    def is_bot(self, user: str) -> bool:
        return user == "USLACKBOT" or self.person(user).bot


@dataclass
class _Room:
    """A conversation: its day files in order, and what one pass over them finds out."""

    key: str
    kind: ChatKind
    title: str = ""
    members: tuple[str, ...] = ()
    days: list[str] = field(default_factory=list)
    first: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Of those who joined, left or wrote: the `ts` of the first time, and whether they were members before it."""
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of an edited message: when it was last changed, and the `ts` of the entry that says so with the new wording."""
    wordings: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    """Of the edited and the deleted: those that the export holds."""


def _days(files: Files) -> Iterator[str]:
    for file in files.names:
        if DAY.fullmatch(PurePosixPath(file).name) and not file.startswith("__MACOSX/"):
            yield file


def _is_named(file: str, base: str) -> bool:
    return PurePosixPath(file).name == base and not file.startswith("__MACOSX/")


def _entries(files: Files, file: str) -> Iterator[dict[str, Any]]:
    return (entry for entry in files.items(file, "item") if isinstance(entry, dict))


def _read_people(files: Files, export: _Export) -> None:
    for file in (file for base in USERS for file in files.names if _is_named(file, base)):
        for user in _entries(files, file):
            if key := plain_name(user.get("id")):
                profile = {**_map(user, "profile"), "handle": user.get("name")}
                profile.setdefault("real_name", user.get("real_name"))
                export.people[key] = _named(key, profile, bot=user.get("is_bot") is True)


def _named(user: str, profile: Mapping[str, Any], *, bot: bool = False) -> _Person:
    """A person by what Slack shows: the display name, else the real name, else the handle."""
    names = dict.fromkeys(
        plain_name(_unescaped(plain_name(profile.get(key)))) for key in ("display_name", "real_name", "handle", "name")
    )
    shown, *others = [each for each in names if each] or [user]
    address = plain_name(profile.get("email")) or plain_name(profile.get("phone"))
    return _Person(shown, tuple(others), address, bot)


def _rooms(files: Files, export: _Export, options: Options) -> list[_Room]:
    """The conversations with day files, in the order of the lists; then those that no list names."""
    folders: dict[str, list[str]] = {}
    for file in _days(files):
        folder = PurePosixPath(file).parent.name or (files.path.name if files.path.is_dir() else "")
        folders.setdefault(_unmangled(folder), []).append(file)
    rooms: list[_Room] = []
    for file, kind in ((file, LISTS[base]) for base in LISTS for file in files.names if _is_named(file, base)):
        for entry in _entries(files, file):
            key, title = plain_name(entry.get("id")), plain_name(entry.get("name"))
            export.channels[key] = title
            if key and (days := folders.pop(title, None) or folders.pop(key, None)):
                listed = entry.get("members")
                members = [plain_name(user) for user in listed] if isinstance(listed, list) else []
                name = "" if kind == "dyad" else title
                rooms.append(_Room(key, kind, name, tuple(user for user in members if user), days))
    for folder, days in sorted(folders.items()):
        title = folder or plain_name(options.title)
        dyad = bool(re.fullmatch(r"D[A-Z0-9]{8,}", folder))
        others: ChatKind = "group" if folder.startswith("mpdm-") else "channel"
        rooms.append(_Room(title or "slack", "dyad" if dyad else others, "" if dyad else title, days=days))
    for room in rooms:
        room.days.sort(key=lambda file: PurePosixPath(file).name)
    return rooms


def _unmangled(folder: str) -> str:
    """A folder's name. Slack's zips hold UTF-8 without saying so, which is then read in the code page of DOS."""
    try:
        return plain_name(folder.encode("cp437").decode("utf-8"))
    except UnicodeError:
        return plain_name(folder)


def _survey(files: Files, export: _Export, room: _Room) -> None:
    entries: set[str] = set()
    for file in room.days:
        for entry in _entries(files, file):
            stamp, subtype = plain_name(entry.get("ts")), plain_name(entry.get("subtype"))
            if subtype == "message_changed":
                _survey_edit(room, entry, stamp)
            elif subtype == "message_deleted":
                room.deleted.add(_target(entry))
            else:
                entries.add(stamp)
                if subtype in JOINS or subtype in SPOKEN:
                    _survey_sender(export, room, entry, stamp, joined=JOINS.get(subtype, False))
    room.deleted.discard("")
    room.present = entries & (room.deleted | room.edits.keys())
    for target in room.edits.keys() - room.present - room.deleted:
        message = room.wordings[target]
        if plain_name(message.get("subtype")) in SPOKEN:
            _survey_sender(export, room, message, target, joined=False)


def _survey_sender(export: _Export, room: _Room, entry: dict[str, Any], stamp: str, *, joined: bool) -> None:
    user, profile = _sender(entry), _map(entry, "user_profile")
    if not user or _is_bots(export, entry, user):
        return
    if profile and user not in export.people:
        export.people[user] = _named(user, profile)
    known = (stamp, not joined)
    room.first[user] = min(room.first.get(user, known), known, key=lambda first: _seconds(first[0]))


def _survey_edit(room: _Room, entry: dict[str, Any], stamp: str) -> None:
    message = _map(entry, "message")
    target, when = plain_name(message.get("ts")), plain_name(_map(message, "edited").get("ts")) or stamp
    earlier = room.edits.get(target)
    if target and (earlier is None or _seconds(when) >= _seconds(earlier[0])):
        room.edits[target] = (when, stamp)
        room.wordings[target] = message


def _members(export: _Export, room: _Room) -> tuple[str, ...]:
    """Who took part from the beginning: the listed ones and those who left, less those whose joining the export tells of."""
    everyone = dict.fromkeys((*room.members, *(user for user, (_, was) in room.first.items() if was)))
    return tuple(user for user in everyone if room.first.get(user, ("", True))[1] and not export.is_bot(user))


def _messages(files: Files, export: _Export, room: _Room) -> Iterator[Item]:
    threaded: set[str] = set()
    for file in room.days:
        for number, entry in enumerate(files.items(file, "item"), 1):
            where = f"{file}, message {number}"
            stamp = plain_name(entry.get("ts")) if isinstance(entry, dict) else ""
            at = _moment(stamp)
            if at is None:
                yield _unread(where, entry)
                continue
            subtype = plain_name(entry.get("subtype"))
            if entry.get("thread_ts") and subtype in SPOKEN:
                # A reply that was sent to the channel too may stand twice in an export; it was said once.
                if stamp in threaded:
                    yield Skipped(room.key, "system")
                    continue
                threaded.add(stamp)
            yield _message(export, room, entry, stamp, at, where)
            user = _sender(entry)
            if subtype in JOINS and user and not _is_bots(export, entry, user):
                yield Change(room.key, user, JOINS[subtype], at)


def _message(export: _Export, room: _Room, entry: dict[str, Any], stamp: str, at: datetime, where: str) -> Item:
    subtype = plain_name(entry.get("subtype"))
    if subtype == "message_changed":
        return _changed(export, room, entry, stamp, where)
    if subtype == "message_deleted":
        # What is gone is counted once: at its place where the export shows that, else here.
        return Skipped(room.key, "system" if _target(entry) in room.present else "deleted")
    if subtype not in SPOKEN:
        return Skipped(room.key, SUBTYPES.get(subtype, "system"))
    user = _sender(entry)
    if _is_bots(export, entry, user):
        return Skipped(room.key, "bots")
    if stamp in room.deleted:
        return Skipped(room.key, "deleted")
    if not user:
        return _unread(where, entry)
    source = room.wordings.get(stamp, entry)
    edited_at = _moment(plain_name(_map(source, "edited").get("ts")))
    text = _written(_spoken(source), export)
    if not text:
        return Skipped(
            room.key, "media" if any(source.get(key) for key in ("files", "file", "attachments")) else "system"
        )
    thread = plain_name(entry.get("thread_ts"))
    return Line(room.key, user, text, at, stamp, thread if thread != stamp else "", edited_at)


def _changed(export: _Export, room: _Room, entry: dict[str, Any], stamp: str, where: str) -> Item:
    """An edit is an entry of the system where what it changes is there too; else its new wording is all that there is."""
    message = room.wordings.get(target := plain_name(_map(entry, "message").get("ts")), {})
    at = _moment(target)
    if at is None or target in room.present or target in room.deleted or room.edits[target][1] != stamp:
        return Skipped(room.key, "system")
    if plain_name(message.get("subtype")) in ("message_changed", "message_deleted"):
        return Skipped(room.key, "system")
    return _message(export, room, message, target, at, where)


def _target(entry: dict[str, Any]) -> str:
    """The message that an entry says was deleted."""
    previous = _map(entry, "previous_message") or _map(entry, "original")
    return plain_name(entry.get("deleted_ts")) or plain_name(previous.get("ts"))


def _sender(entry: dict[str, Any]) -> str:
    return plain_name(entry.get("user")) or plain_name(_map(entry, "comment").get("user"))


def _is_bots(export: _Export, entry: dict[str, Any], user: str) -> bool:
    """Whether a program wrote it: a known one, or one that no list names. Known people stay people where an app wrote for them."""
    if user in export.people or user == "USLACKBOT":
        return export.is_bot(user)
    return bool(entry.get("bot_id") or entry.get("bot_profile"))


def _spoken(entry: dict[str, Any]) -> str:
    """The words of an entry. Until 2018 a file's entry said so in English and kept the person's comment elsewhere."""
    subtype = plain_name(entry.get("subtype"))
    if subtype == "file_comment":
        return plain_text(_map(entry, "comment").get("comment"))
    if subtype == "file_mention" or (subtype == "file_share" and isinstance(entry.get("file"), dict)):
        return plain_text(_map(_map(entry, "file"), "initial_comment").get("comment"))
    return plain_text(entry.get("text")) or plain_text("".join(_block_text(entry.get("blocks"))))


def _block_text(blocks: Any) -> Iterator[str]:
    """What the blocks of an entry say that has no text of its own, written as a text is."""
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, dict):
            continue
        what, text = plain_name(block.get("type")), block.get("text")
        if what in ("user", "channel", "broadcast"):
            yield f"<{MARKS_OF[what][0]}{plain_name(block.get(MARKS_OF[what][1:]))}>"
        elif what == "emoji":
            yield f":{plain_name(block.get('name'))}:"
        elif isinstance(text, dict):
            yield f"{plain_text(text.get('text'))}\n"
        elif isinstance(text, str) or what == "link":
            said = text if isinstance(text, str) and text else str(block.get("url", ""))
            yield said.replace("&", "&amp;").replace("<", "&lt;")
        yield from _block_text(block.get("elements"))
        yield "\n" if what.startswith("rich_text_") else ""


def _written(text: str, export: _Export) -> str:
    """A text as people see it: mentions by name, links by their words, the escaped characters themselves."""
    pieces = MARKED.split(text)
    pieces[::2] = [_unescaped(piece) for piece in pieces[::2]]
    pieces[1::2] = [_mention(piece, export) for piece in pieces[1::2]]
    return "".join(pieces).strip()


def _mention(mark: str, export: _Export) -> str:
    what, _, label = (_unescaped(part) for part in mark.partition("|"))
    if what.startswith("@"):
        person = export.people.get(what[1:])
        return "@" + (person.name if person else label.removeprefix("@") or what[1:])
    if what.startswith("#"):
        return "#" + (label or export.channels.get(what[1:]) or what[1:])
    if what.startswith("!"):
        plain = what[1:].partition("^")[0]
        return "@" + plain if plain in ("here", "channel", "everyone") else label or "@" + plain
    return label or what.removeprefix("mailto:").removeprefix("tel:")


def _unescaped(text: str) -> str:
    for escaped, plain in ENTITIES if "&" in text else ():
        text = text.replace(escaped, plain)
    return text


def _moment(stamp: str) -> datetime | None:
    """A `ts`: seconds since 1970, a point, and six digits that tell the messages of a second apart."""
    seconds, _, fraction = stamp.partition(".")
    if not (stamp.isascii() and seconds.isdigit() and (fraction or "0").isdigit()):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(f"{fraction:0<6.6}"))
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(stamp: str) -> float:
    """To compare two of them."""
    try:
        return float(stamp) if stamp[:1].isdigit() else 0.0
    except ValueError:
        return 0.0


def _map(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _unread(where: str, entry: Any) -> Unread:
    return Unread(where, plain_text(json.dumps(entry, ensure_ascii=False, default=str)[:200]))
