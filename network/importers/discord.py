"""Discord, as DiscordChatExporter writes it: a JSON file for each channel or thread, or several parts of one.

People are told apart by id. Their names come with every message, so the files are read twice: first for everybody's names, which
change from export to export, then for the messages.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Change,
    Chat,
    ChatKind,
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

name = "discord"

KINDS: dict[str, ChatKind] = {"DirectTextChat": "dyad", "DirectGroupTextChat": "group"}
"""Of the types of channels; all others are a server's channels and threads."""
TALK = frozenset({"Default", "Reply", "0", "19", "20", "23", "ChatInputCommand", "ContextMenuCommand"})
"""Types of messages that somebody wrote. The exporter writes those it has no name for as numbers; the rest are Discord's own."""
DIRECT = frozenset({"0", ""})
"""The id of the server of direct messages."""
LOOKED_AT = 200
"""JSON files of a folder that are looked at to recognise it."""
RAW = re.compile(r"<(?:@!?(?P<person>\d+)|#(?P<channel>\d+)|a?(?P<emoji>:\w+:)\d+)>")
"""What an export without formatting has for a mention, a channel and an emoji of the server."""


def claims(files: Files) -> bool:
    try:
        return any(_is_export(files, file) for file in _json_files(files)[:LOOKED_AT])
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every channel, each person before their first message. Raises RecordError."""
    exports = [file for file in _json_files(files) if _is_export(files, file)]
    if not exports:
        raise RecordError(f"{files.path.name} holds no Discord export", "export with DiscordChatExporter as JSON")
    crowd = _Crowd(options)
    talks = [_survey(files, file, crowd) for file in exports]
    crowd.channels = {talk.key: talk.title for talk in talks}
    whole: dict[str, _Talk] = {}
    for talk in talks:
        first = whole.setdefault(talk.key, talk)
        first.added |= talk.added
        for key, names in talk.writers.items():
            first.writers.setdefault(key, set()).update(names)
    crowd.owners = {owner for talk in whole.values() if (owner := talk.owner())}
    for talk in talks:
        if talk is whole[talk.key]:
            yield from _opening(talk, crowd)
        for number, entry in enumerate(files.items(talk.file, "messages.item"), 1):
            yield from _items(entry, talk, crowd, f"{talk.file}, message {number}")


@dataclass
class _Talk:
    """A file: a channel or a part of one. writers: ids of people, with the names they have there. added: who
    was brought in later."""

    file: str
    head: dict[str, Any] = field(default_factory=dict)
    writers: dict[str, set[str]] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        return _id(self.head.get("channel.id")) or self.title or self.file

    @property
    def title(self) -> str:
        return plain_name(self.head.get("channel.name"))

    @property
    def kind(self) -> ChatKind:
        kind = self.head.get("channel.type")
        if isinstance(kind, str) and kind in KINDS:
            return KINDS[kind]
        direct = kind is None and "guild.id" in self.head and _id(self.head["guild.id"]) in DIRECT
        return "dyad" if direct and len(self.writers) <= 2 else "channel"

    def owner(self) -> str:
        """Who made the export: in a direct talk, which Discord calls by the other's name, the one who is not called so."""
        others = [key for key, names in self.writers.items() if self.title not in names]
        known = self.kind == "dyad" and self.title and len(self.writers) - len(others) == (len(self.writers) > 1)
        return others[0] if known and len(others) == 1 else ""


@dataclass
class _Crowd:
    """Everybody, by id: names with the time they were last used, the nickname before the account's name."""

    options: Options
    names: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)

    def add(self, author: dict[str, Any], at: str) -> tuple[str, set[str]]:
        key = _id(author.get("id"))
        account, nickname = plain_name(author.get("name")), plain_name(author.get("nickname"))
        used = {shown: rank for rank, shown in enumerate((account, nickname)) if shown}
        if key:
            known = self.names.setdefault(key, {})
            for shown, rank in used.items():
                known[shown] = max(known.get(shown, ("", 0)), (at, rank))
        return key, set(used)

    def introduce(self, key: str) -> Iterator[Item]:
        if key not in self.known:
            self.known.add(key)
            known = self.names.get(key, {})
            names = sorted(known, key=lambda shown: (known[shown], shown), reverse=True)
            me = key in self.owners
            shown = (self.options.me if me else None) or (names[0] if names else f"Unknown user {key}")
            yield Contact(key, shown, tuple(other for other in names if other != shown), me=me)


def _opening(talk: _Talk, crowd: _Crowd) -> Iterator[Item]:
    """The chat; of direct messages with its members, for whoever did anything there could read all of it. The two of a direct
    talk are there even if only one of them ever wrote."""
    members = [] if talk.kind == "channel" else [key for key in talk.writers if key not in talk.added]
    if talk.kind == "dyad" and len(talk.writers) == 1:
        mine = bool(talk.owner())
        members.append(f"name:{talk.title.casefold()}" if mine else "me")
        if mine:
            crowd.names.setdefault(members[-1], {})[talk.title] = ("", 0)
        else:
            crowd.names.setdefault("me", {})["Me"] = ("", 0)
            crowd.owners.add("me")
    for key in members:
        yield from crowd.introduce(key)
    yield Chat(
        talk.key, talk.kind, "" if talk.kind == "dyad" else talk.title or crowd.options.title or "", tuple(members)
    )


def _json_files(files: Files) -> list[str]:
    return sorted(file for file in files.names if files.may_be(file, ".json"))


def _is_export(files: Files, file: str) -> bool:
    top = files.top(file)
    return {"guild", "channel"} <= set(top) and bool({"messages", "dateRange", "exportedAt"} & set(top))


def _survey(files: Files, file: str, crowd: _Crowd) -> _Talk:
    """Read a file for what its channel is and who writes in it under which names."""
    talk = _Talk(file)
    head = {f"{what}.{key}" for what in ("guild", "channel") for key in ("id", "name", "type")}
    of_author = {f"messages.item.author.{what}": what for what in ("id", "name", "nickname", "isBot")}
    of_author |= {"messages.item.timestamp": "timestamp", "messages.item.type": "type"}
    of_author["messages.item.mentions.item.id"] = "mentioned"
    said: dict[str, Any] = {}
    for path, event, value in files.events(file):
        if path in of_author:
            said[of_author[path]] = value
        elif path == "messages.item" and event == "end_map":
            stamp = said.get("timestamp")
            if said.get("isBot") is not True:
                key, names = crowd.add(said, stamp if isinstance(stamp, str) else "")
                if key:
                    talk.writers.setdefault(key, set()).update(names)
            if said.get("type") in ("RecipientAdd", "1"):
                talk.added.add(_id(said.get("mentioned")))
            said = {}
        elif path in head and event in ("string", "number"):
            talk.head[path] = value
    return talk


def _items(entry: object, talk: _Talk, crowd: _Crowd, where: str) -> Iterator[Item]:
    """One message: exactly one line, one skipped or one unread, and what it says of memberships."""
    author = entry.get("author") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(author, dict) or not _id(author.get("id")):
        yield Unread(where, str(entry)[:200])
        return
    try:
        at = _moment(entry.get("timestamp"))
    except ValueError:
        yield Unread(where, plain_text(entry.get("content"))[:200] or str(entry)[:200])
        return
    bot = author.get("isBot") is True
    if _kind(entry) not in TALK:
        yield from _changes(entry, author, at, talk, crowd)
        yield Skipped(talk.key, "system")
    elif bot:
        yield Skipped(talk.key, "bots")
    elif not (text := _text(entry, crowd)):
        yield Skipped(talk.key, "media")
    else:
        sender = _id(author["id"])
        yield from crowd.introduce(sender)
        edited = None
        with suppress(ValueError):
            edited = _moment(entry.get("timestampEdited"))
        yield Line(talk.key, sender, text, at, _id(entry.get("id")), _reply(entry, talk), edited)


def _kind(entry: dict[str, Any]) -> str:
    kind = entry.get("type", "Default")
    return str(kind) if isinstance(kind, int | str) else ""


def _reply(entry: dict[str, Any], talk: _Talk) -> str:
    """The message it answers. A thread's opening and a forwarded message have a reference too."""
    reference = entry.get("reference")
    if _kind(entry) not in ("Reply", "19") or not isinstance(reference, dict):
        return ""
    return _id(reference.get("messageId")) if _id(reference.get("channelId")) in ("", talk.key) else ""


def _text(entry: dict[str, Any], crowd: _Crowd) -> str:
    """The text as its readers saw it; of a forwarded message, what was forwarded."""
    source, forwarded = entry, entry.get("forwardedMessage")
    if not plain_text(entry.get("content")) and isinstance(forwarded, dict):
        source = forwarded
    mentions = entry.get("mentions")
    called = {}
    for one in mentions if isinstance(mentions, list) else []:
        if isinstance(one, dict):
            called[_id(one.get("id"))] = plain_name(one.get("nickname")) or plain_name(one.get("name"))

    def shown(found: re.Match[str]) -> str:
        if found["emoji"]:
            return found["emoji"]
        person, channel = found["person"], found["channel"]
        known = called.get(person) if person else crowd.channels.get(channel)
        return f"{'@' if person else '#'}{known}" if known else found[0]

    return RAW.sub(shown, plain_text(source.get("content")))


def _changes(
    entry: dict[str, Any], author: dict[str, Any], at: datetime | None, talk: _Talk, crowd: _Crowd
) -> Iterator[Item]:
    """Who came or went: into a server, or into a group of direct messages and out of it."""
    kind, mentions = _kind(entry), entry.get("mentions")
    people = [author] if kind in ("GuildMemberJoin", "7") else []
    if kind in ("RecipientAdd", "1", "RecipientRemove", "2") and isinstance(mentions, list):
        people = [one for one in mentions if isinstance(one, dict)]
    for person in people:
        if person.get("isBot") is not True and (key := _id(person.get("id"))):
            if key not in crowd.names:
                crowd.add(person, "")
            yield from crowd.introduce(key)
            yield Change(talk.key, key, kind not in ("RecipientRemove", "2"), at)


def _id(value: object) -> str:
    return plain_name(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _moment(value: object) -> datetime | None:
    """Its time with the offset it was written with. Raises ValueError."""
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise ValueError(f"no time: {value}")
    at = datetime.fromisoformat(value)
    if not 1970 < at.year < 9999:
        raise ValueError(f"no time: {value}")
    return at
