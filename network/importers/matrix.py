"""Matrix: the JSON that Element's "Export chat" writes, one room a file (export.json in a zip where media were included).

The file holds the room's name, who exported it and its events as the client shows them, oldest first. Names stand in membership
events, and an edit or a redaction may come long after what it changes, so the events are read twice.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
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

name = "matrix"

HEADER = ("room_name", "exported_by", "messages")
SPOKEN = frozenset({"m.text", "m.emote"})
MEDIA = frozenset({"m.image", "m.video", "m.audio", "m.file", "m.location"})
LOOKED_AT = 200
"""Files of a folder that are looked at to recognise it."""


def claims(files: Files) -> bool:
    try:
        return any(_is_export(files, file) for file in files.names[:LOOKED_AT])
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every room of the export, each with its people first. Raises RecordError."""
    exports = [file for file in files.names if _is_export(files, file)]
    if not exports:
        raise RecordError(
            f"{files.path.name} is no chat that Element exported",
            f"a JSON object with {', '.join(HEADER)} was expected",
        )
    rooms = [_survey(files, file) for file in exports]
    people: dict[str, _Person] = {}
    for room in rooms:
        for user, person in room.people.items():
            people.setdefault(user, _Person()).add(person)
    announced: set[str] = set()
    chats: set[str] = set()
    owners = {room.me() for room in rooms}
    for room in rooms:
        humans = room.humans()
        for user in humans:
            if user not in announced:
                announced.add(user)
                yield _contact(user, people[user], options, me=user in owners)
        if room.key not in chats:
            chats.add(room.key)
            yield room.chat(options)
        yield from _events(files, room, humans)


def _is_export(files: Files, file: str) -> bool:
    if not files.may_be(file, ".json"):
        return False
    top = files.top(file)
    return all(key in top for key in HEADER)


@dataclass
class _Person:
    """Somebody's names with the time of each, in milliseconds; and whether they wrote, or only a program in their name."""

    names: dict[str, float] = field(default_factory=dict)
    wrote: bool = False
    noticed: bool = False

    def call(self, shown: str, at: float) -> None:
        if shown:
            self.names[shown] = max(at, self.names.get(shown, at))

    def add(self, other: "_Person") -> None:
        for shown, at in other.names.items():
            self.call(shown, at)

    def latest(self, user: str) -> str:
        return max(self.names, key=self.names.__getitem__) if self.names else user.removeprefix("@").partition(":")[0]


@dataclass
class _Edit:
    """A message's new wording, which only its own writer may make. entry: the event that says so."""

    at: float
    text: str
    entry: str


@dataclass
class _Room:
    """What one pass over a room's events finds out."""

    file: str
    title: str
    exported_by: str
    key: str = ""
    direct: bool = False
    people: dict[str, _Person] = field(default_factory=dict)
    before: dict[str, tuple[float, bool]] = field(default_factory=dict)
    """Of those with membership events: the time of the first, and whether they were members before it."""
    edits: dict[tuple[str, str], _Edit] = field(default_factory=dict)
    redacted: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)
    """Of the edited and the redacted: those that the export holds."""

    def humans(self) -> list[str]:
        return [user for user, person in self.people.items() if person.wrote or not person.noticed]

    def me(self) -> str:
        """The owner is given by the name they show, which may be another's too: then nobody is."""
        humans = self.humans()
        found = [user for user in humans if self.exported_by in (user, self.people[user].latest(user))]
        return found[0] if len(found) == 1 else ""

    @property
    def kind(self) -> ChatKind:
        """A room of two is their own where it was begun as such, or is called after one of them, as rooms without a name are."""
        humans = self.humans()
        called = {
            shown for user in humans for shown in (user, self.people[user].latest(user), *self.people[user].names)
        }
        return "dyad" if len(humans) <= 2 and (self.direct or self.title in called) else "group"

    def chat(self, options: Options) -> Chat:
        title = "" if self.kind == "dyad" else self.title or plain_name(options.title)
        return Chat(self.key, self.kind, title, tuple(user for user in self.humans() if self.was_there(user)))

    def was_there(self, user: str) -> bool:
        """From the beginning: who is not told of as joining, was."""
        return self.before.get(user, (0.0, True))[1]


def _contact(user: str, person: _Person, options: Options, *, me: bool) -> Contact:
    shown, names = person.latest(user), dict.fromkeys(person.names)
    if me and options.me:
        names[shown] = None
        shown = plain_name(options.me)
    return Contact(user, shown, tuple(other for other in names if other != shown), me=me)


def _survey(files: Files, file: str) -> _Room:
    top = files.top(file)
    room = _Room(file, plain_name(top.get("room_name")), plain_name(top.get("exported_by")))
    entries: set[str] = set()
    for event in map(_decrypted, files.items(file, "messages.item")):
        if not isinstance(event, dict):
            continue
        sender, content = plain_name(event.get("sender")), _map(event, "content")
        room.key = room.key or plain_name(event.get("room_id"))
        kind, at = event.get("type"), _number(event.get("origin_server_ts"))
        if kind == "m.room.member":
            _survey_member(room, event, content, at)
        elif kind == "m.room.redaction":
            room.redacted.add(plain_name(event.get("redacts")) or plain_name(content.get("redacts")))
        elif sender and kind == "m.room.message":
            person = room.people.setdefault(sender, _Person())
            bot = content.get("msgtype") == "m.notice"
            person.wrote, person.noticed = person.wrote or not bot, person.noticed or bot
            entries.add(plain_name(event.get("event_id")))
            _survey_edit(room, event, content, sender, at)
        elif sender and kind == "m.sticker":
            room.people.setdefault(sender, _Person()).wrote = True
    room.key = room.key or room.title or file
    room.redacted.discard("")
    room.edits = {key: edit for key, edit in room.edits.items() if edit.entry not in room.redacted}
    room.present = entries & (room.redacted | {target for target, _ in room.edits})
    return room


def _survey_member(room: _Room, event: dict[str, Any], content: dict[str, Any], at: float) -> None:
    """Names and who was there, of those who were ever in the room: who was only invited takes no part."""
    user, membership = plain_name(event.get("state_key")), content.get("membership")
    room.direct = room.direct or content.get("is_direct") is True
    was = _was_member(event, membership in ("leave", "ban"))
    if not user or not (membership == "join" or was):
        return
    person = room.people.setdefault(user, _Person())
    person.call(plain_name(_earlier(event).get("displayname")), at - 1)
    if membership == "join":
        person.call(plain_name(content.get("displayname")), at)
    room.before[user] = min(room.before.get(user, (at, was)), (at, was))


def _survey_edit(room: _Room, event: dict[str, Any], content: dict[str, Any], sender: str, at: float) -> None:
    target = _edited(content)
    text = plain_text(_map(content, "m.new_content").get("body"))
    if target and text and not _is_redacted(event):
        earlier = room.edits.get((target, sender))
        if earlier is None or at >= earlier.at:
            room.edits[target, sender] = _Edit(at, text, plain_name(event.get("event_id")))


def _events(files: Files, room: _Room, humans: list[str]) -> Iterator[Item]:
    members = {user: room.was_there(user) for user in humans}
    for number, raw in enumerate(files.items(room.file, "messages.item"), 1):
        event = _decrypted(raw)
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            yield _unread(room, number, raw)
        elif event["type"] == "m.room.member":
            yield Skipped(room.key, "system")
            yield from _change(room, event, members)
        elif event["type"] in ("m.room.message", "m.sticker", "m.room.encrypted"):
            yield _message(room, number, event)
        elif event["type"] == "m.room.redaction":
            # What is gone is counted once: at its place where the export shows that, else here.
            target = plain_name(event.get("redacts")) or plain_name(_map(event, "content").get("redacts"))
            yield Skipped(room.key, "system" if target in room.present else "deleted")
        else:
            yield Skipped(room.key, "system")


def _change(room: _Room, event: dict[str, Any], members: dict[str, bool]) -> Iterator[Change]:
    user, membership = plain_name(event.get("state_key")), _map(event, "content").get("membership")
    there = membership == "join"
    if user in members and (there or membership in ("leave", "ban")) and _was_member(event, members[user]) != there:
        yield Change(room.key, user, there, _moment(event.get("origin_server_ts")))
    if user in members:
        members[user] = there


def _was_member(event: dict[str, Any], otherwise: bool) -> bool:
    """Whether the person was in the room until this event; `otherwise` where the event does not say."""
    earlier = _earlier(event).get("membership")
    return earlier == "join" if isinstance(earlier, str) else otherwise


def _message(room: _Room, number: int, event: dict[str, Any]) -> Item:
    content, sender = _map(event, "content"), plain_name(event.get("sender"))
    entry, at = plain_name(event.get("event_id")), _moment(event.get("origin_server_ts"))
    kind = plain_name(content.get("msgtype"))
    if _is_redacted(event) or entry in room.redacted:
        return Skipped(room.key, "deleted")
    if kind == "m.notice":
        return Skipped(room.key, "bots")
    if event["type"] == "m.sticker":
        return Skipped(room.key, "media")
    if event["type"] == "m.room.encrypted" or kind == "m.bad.encrypted" or not sender or at is None:
        return _unread(room, number, event)
    if target := _edited(content):
        edit = room.edits.get((target, sender))
        if not edit or edit.entry != entry or target in room.present or target in room.redacted:
            return Skipped(room.key, "system")
        # The export begins after what this changes: its new wording is all that there is.
        return Line(room.key, sender, edit.text, at, source_id=target, edited_at=at)
    if kind not in SPOKEN and kind not in MEDIA:
        return Skipped(room.key, "system")
    text, edited_at = _wording(room, event, content, sender)
    reply = plain_name(_map(_relation(content), "m.in_reply_to").get("event_id"))
    text = _without_quote(text) if reply else text
    if not text:
        return Skipped(room.key, "media" if kind in MEDIA else "system")
    return Line(room.key, sender, text, at, source_id=entry, reply_to=reply, edited_at=edited_at)


def _wording(room: _Room, event: dict[str, Any], content: dict[str, Any], sender: str) -> tuple[str, datetime | None]:
    """The last wording and when it was made: of an edit among the events, or of one that the server put into the event."""
    if edit := room.edits.get((plain_name(event.get("event_id")), sender)):
        return edit.text, _moment(edit.at)
    bundled = _map(_map(_map(event, "unsigned"), "m.relations"), "m.replace")
    new = plain_text(_map(_map(bundled, "content"), "m.new_content").get("body"))
    return new or _words(content), _moment(bundled.get("origin_server_ts"))


def _words(content: dict[str, Any]) -> str:
    """What was written: the body, but of media only where it is a caption and not the file's name."""
    body = plain_text(content.get("body"))
    if content.get("msgtype") not in MEDIA:
        return body
    file = plain_text(content.get("filename"))
    return body if file and body != file and content.get("msgtype") != "m.location" else ""


def _without_quote(text: str) -> str:
    """A reply without the quote that older clients put before it: lines with "> ", the first naming who is quoted."""
    if not text.startswith(("> <@", "> * <@")):
        return text
    lines = text.split("\n")
    first = next((n for n, line in enumerate(lines) if not (line.startswith("> ") or line == ">")), len(lines))
    return "\n".join(lines[first:]).strip()


def _is_redacted(event: dict[str, Any]) -> bool:
    """Of a message that was taken back nothing is left but that it was."""
    gone = event.get("redacted_because") or _map(event, "unsigned").get("redacted_because")
    return bool(gone) or (event["type"] == "m.room.message" and not event.get("content"))


def _decrypted(event: Any) -> Any:
    """The event itself, which some versions wrap together with its encrypted form."""
    inner = event.get("decrypted") if isinstance(event, dict) else None
    return inner if isinstance(inner, dict) else event


def _relation(content: dict[str, Any]) -> dict[str, Any]:
    return _map(content, "m.relates_to")


def _edited(content: dict[str, Any]) -> str:
    """The event that this one is a new wording of, or ""."""
    relation = _relation(content)
    return plain_name(relation.get("event_id")) if relation.get("rel_type") == "m.replace" else ""


def _earlier(event: dict[str, Any]) -> dict[str, Any]:
    """The membership that an event changed."""
    return _map(_map(event, "unsigned"), "prev_content") or _map(event, "prev_content")


def _map(value: dict[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0


def _moment(value: Any) -> datetime | None:
    """A time in milliseconds since 1970."""
    try:
        return None if isinstance(value, bool) else datetime.fromtimestamp(value / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _unread(room: _Room, number: int, event: Any) -> Unread:
    return Unread(
        f"{room.file}, message {number}", plain_text(json.dumps(event, ensure_ascii=False, default=str)[:200])
    )
