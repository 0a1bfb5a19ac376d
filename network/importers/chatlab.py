"""ChatLab's interchange format, as one JSON object or as JSON lines (versions 0.0.1 and 0.0.2).

Both hold a header (`chatlab`), what the chat is (`meta`), its members and its messages; a message names its sender by
`platformId` and says what it is by a number. An account may be renamed, and members may be left out altogether, so the messages
are read twice: once for who takes part under which names, once for what was said.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

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

name = "chatlab"

WORDS = frozenset({0, 25})
"""Text and replies: always what somebody wrote."""
PERHAPS_WORDS = frozenset({1, 2, 3, 7, 26})
"""Pictures, voice, video, links, forwarded: their content is a caption, or only a placeholder, a file's name, an address."""
OTHERS: dict[int, LeftOut] = {
    **dict.fromkeys((4, 5, 8, 24, 27), "media"),
    **dict.fromkeys((20, 21, 22, 23, 80, 99), "system"),
    81: "deleted",
}
PLACEHOLDER = re.compile(
    r"[\[【(][^\[\]【】()]*[\])】]|<.*>|\w+://\S+|data:.*|[^\n]{1,200}\.[A-Za-z][A-Za-z0-9]{1,4}", re.DOTALL
)
CARD = re.compile(r"[\[【][^\[\]【】]{1,40}[\]】].*", re.DOTALL)
"""A shared link's or a forwarded talk's card: its kind in brackets, then a title that somebody else wrote."""
LOOKED_AT = 200
"""Files of a folder that are looked at to recognise it."""
MILLISECONDS = 100_000_000_000
"""A time from here on is not in seconds: it would lie beyond the year 5000."""


def claims(files: Files) -> bool:
    try:
        return any(_shape(files, file) for file in files.names[:LOOKED_AT])
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every chat of the export, each with its members first. Raises RecordError."""
    shapes = {file: shape for file in files.names if (shape := _shape(files, file))}
    if not shapes:
        raise RecordError(
            f"{files.path.name} has no ChatLab header", 'it begins with {"chatlab": {"version": ...}, ...}'
        )
    talks = [_survey(files, file, lines=shape == "lines") for file, shape in shapes.items()]
    people: dict[str, _Person] = {}
    for talk in talks:
        for key, person in talk.people.items():
            people.setdefault(key, _Person()).add(person)
    for talk in talks:  # an owner who never wrote is there all the same, if another file gives the name
        owner = talk.person(talk.meta, "ownerId")
        if owner in people:
            people[owner].me = True
            talk.people.setdefault(owner, people[owner])
    announced: set[str] = set()
    chats: set[str] = set()
    for talk in talks:
        for key in talk.people:
            if key not in announced:
                yield people[key].contact(key, options)
        announced.update(talk.people)
        if talk.key not in chats:
            chats.add(talk.key)
            yield talk.chat(options)
            yield from talk.changes()
        yield from _messages(files, talk)


@dataclass
class _Person:
    """The names of an account, each with the last time it was used: that in the list of members is the one it has now."""

    names: dict[str, float] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)
    me: bool = False

    def call(self, entry: dict[str, Any], at: float) -> None:
        if account := plain_name(entry.get("accountName")):
            self.names[account] = max(at, self.names.get(account, at))
        aliases = entry.get("aliases")
        for other in (entry.get("groupNickname"), *(aliases if isinstance(aliases, list) else ())):
            if shown := plain_name(other):
                self.others[shown] = None

    def add(self, other: "_Person") -> None:
        for shown, at in other.names.items():
            self.names[shown] = max(at, self.names.get(shown, at))
        self.others.update(other.others)
        self.me = self.me or other.me

    def contact(self, key: str, options: Options) -> Contact:
        known = [*sorted(self.names, key=self.names.__getitem__, reverse=True), *self.others] or [key.partition(":")[2]]
        shown = (self.me and plain_name(options.me)) or known[0]
        return Contact(key, shown, tuple(other for other in dict.fromkeys(known) if other != shown), me=self.me)


@dataclass
class _Talk:
    """One file's chat: what its header says, and who takes part."""

    file: str
    lines: bool
    meta: dict[str, Any]
    people: dict[str, _Person] = field(default_factory=dict)
    periods: dict[str, Any] = field(default_factory=dict)
    """Of members who came or went, as our own exporter adds it."""

    @cached_property
    def platform(self) -> str:
        return plain_name(self.meta.get("platform")).casefold() or "chat"

    @property
    def key(self) -> str:
        """The group's id where there is one; of a private chat its two accounts; else the name."""
        group = _id(self.meta.get("groupId"))
        pair = "+".join(sorted(self.people)) if self.kind == "dyad" and len(self.people) == 2 else ""
        return f"{self.platform}/{group or pair or plain_name(self.meta.get('name')).casefold()}"

    @property
    def kind(self) -> ChatKind:
        return "dyad" if self.meta.get("type") == "private" and len(self.people) <= 2 else "group"

    def chat(self, options: Options) -> Chat:
        title = "" if self.kind == "dyad" else plain_name(self.meta.get("name")) or plain_name(options.title)
        return Chat(self.key, self.kind, title, tuple(self.people))

    def changes(self) -> Iterator[Change]:
        """Who joined or left when."""
        for key, periods in self.periods.items():
            for period in periods if isinstance(periods, list) else ():
                for joined, moment in zip((True, False), period if isinstance(period, list) else (), strict=False):
                    if (at := _moment(moment)) is not None:
                        yield Change(self.key, key, joined, at)

    def person(self, entry: dict[str, Any], field: str) -> str:
        """The key of an account. Two platforms may give one number to two people."""
        account = _id(entry.get(field))
        return f"{self.platform}:{account}" if account else ""


def _shape(files: Files, file: str) -> str:
    """ "object", "lines", or "" for a file that is no ChatLab export."""
    if not files.may_be(file, ".json", ".jsonl", ".ndjson"):
        return ""
    if "_type" not in (top := files.top(file)):
        return "object" if "chatlab" in top and ("messages" in top or "meta" in top) else _late_header(files, file)
    return "lines" if top["_type"] == "header" and "chatlab" in top else ""


def _late_header(files: Files, file: str) -> str:
    """JSON lines may begin with comments, which are no JSON."""
    head = files.head(file).decode("utf-8", "replace").removeprefix("\ufeff")
    for line in head.split("\n") if head.lstrip().startswith("#") else ():
        if line.strip() and not line.startswith("#"):
            header = _json(line)
            right = isinstance(header, dict) and header.get("_type") == "header" and "chatlab" in header
            return "lines" if right else ""
    return ""


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _survey(files: Files, file: str, *, lines: bool) -> _Talk:
    if lines:
        header = next((entry for _, entry in _rows(files, file) if entry.get("_type") == "header"), {})
        meta: Any = header.get("meta")
        members = (entry for _, entry in _rows(files, file) if entry.get("_type") == "member")
    else:
        meta = next(files.items(file, "meta"), {})
        members = (entry for entry in files.items(file, "members.item") if isinstance(entry, dict))
    talk = _Talk(file, lines, meta if isinstance(meta, dict) else {})
    owner = talk.person(talk.meta, "ownerId")
    for member in members:
        if key := talk.person(member, "platformId"):
            talk.people.setdefault(key, _Person()).call(member, float("inf"))
            if isinstance(added := member.get("kithnet"), dict):
                talk.periods[key] = added.get("periods")
    for _, entry in _entries(files, talk):
        if isinstance(entry, dict) and _speaks(entry) and (key := talk.person(entry, "sender")):
            at = _moment(entry.get("timestamp"))
            talk.people.setdefault(key, _Person()).call(entry, at.timestamp() if at else 0.0)
    if owner in talk.people:
        talk.people[owner].me = True
    return talk


def _rows(files: Files, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines with their numbers; of one that is no JSON object, {"": the line}."""
    for number, line in enumerate(files.lines(file), 1):
        if line.strip() and not line.startswith("#"):
            row = _json(line)
            yield number, row if isinstance(row, dict) else {"": line}


def _entries(files: Files, talk: _Talk) -> Iterator[tuple[str, Any]]:
    """(where, entry) of each message, in the order of the file."""
    if not talk.lines:
        yield from ((f"message {n}", entry) for n, entry in enumerate(files.items(talk.file, "messages.item"), 1))
        return
    for number, row in _rows(files, talk.file):
        if row.get("_type") not in ("header", "member"):
            yield f"line {number}", row if row.get("_type") == "message" else row.get("", row)


def _messages(files: Files, talk: _Talk) -> Iterator[Item]:
    chat = talk.key
    for where, entry in _entries(files, talk):
        kind = _kind(entry) if isinstance(entry, dict) else None
        if kind is None:
            yield _unread(talk, where, entry)
        elif kind == "words":
            sender, at = talk.person(entry, "sender"), _moment(entry.get("timestamp"))
            if not sender or at is None:
                yield _unread(talk, where, entry)
                continue
            number, reply = _id(entry.get("platformMessageId")), _id(entry.get("replyToMessageId"))
            yield Line(chat, sender, plain_text(entry["content"]), at, source_id=number, reply_to=reply)
        else:
            yield Skipped(chat, kind)


def _unread(talk: _Talk, where: str, entry: Any) -> Unread:
    shown = entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False, default=str)
    return Unread(f"{talk.file}, {where}", plain_text(shown[:200]))


def _speaks(entry: dict[str, Any]) -> bool:
    """Whether the sender takes part as a person: what the system said or took back is nobody's."""
    return _kind(entry) in ("words", "media")


def _kind(entry: dict[str, Any]) -> LeftOut | Literal["words"] | None:
    """ "words", what the entry is instead, or None where its type is none of the format's."""
    number = entry.get("type")
    if isinstance(number, bool) or not isinstance(number, int | float | str):
        return None
    try:
        number = int(number)
    except (ValueError, OverflowError):
        return None
    text = plain_text(entry.get("content"))
    if number in WORDS:
        return "words" if text else "system"
    if number in PERHAPS_WORDS:
        return "media" if not text or _is_placeholder(text, card=number in (7, 26)) else "words"
    return OTHERS.get(number)


def _is_placeholder(text: str, *, card: bool) -> bool:
    """Whether `text` only stands for what cannot be shown: "[图片]", "IMG_1.jpg". A shared link's address is what was sent."""
    return bool((CARD if card else PLACEHOLDER).fullmatch(text))


def _id(value: Any) -> str:
    """An id, which some converters write as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else plain_text(value)


def _moment(value: Any) -> datetime | None:
    try:
        seconds = float(value) if not isinstance(value, bool) else None
        if seconds is None:
            return None
        return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= MILLISECONDS else seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
