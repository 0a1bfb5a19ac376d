"""Google Chat, as Google Takeout exports it.

Each conversation has a folder ("DM ..." or "Space ...") with messages.json and group_info.json, its members; Users/*/user_info.json
says whose account it is. People are their mail addresses. Times are prose in the language of the account, in UTC: the numbers in
them come in one order or the other, and only the month has to be known by its name (googlechat.toml).
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files as resources
from pathlib import PurePosixPath
from typing import Any

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
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

name = "googlechat"

MESSAGES, GROUP, USER = "messages.json", "group_info.json", "user_info.json"
SIGNS = (b'"creator"', b'"topic_id"', b'"message_id"', b'"created_date"', b'"deletion_metadata"')
"""Two of these keys are at the top of every messages.json, and in no other messenger's file of that name."""
LOOKED_AT = 200
"""Conversations that are looked at to recognise an export."""
BUDDHIST = 543
"""Years that Thai dates are ahead."""


def claims(files: Files) -> bool:
    try:
        talks = list(_named(files, MESSAGES))[:LOOKED_AT]
        if any(_is_talk(files, file) for file in talks):
            return True
        return len(talks) > 0 and any(PurePosixPath(file).parent.name.startswith(("DM ", "Space ")) for file in talks)
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every conversation, each with its people first. Raises RecordError."""
    talks = [_survey(files, file) for file in _named(files, MESSAGES)]
    if not talks:
        hint = "give the zip of the Takeout or its folder Google Chat, with the files messages.json and group_info.json"
        raise RecordError(f"{files.path.name} holds no messages.json of Google Chat", hint)
    owner = _owner(files)
    people: dict[str, _Person] = {}
    for talk in talks:
        for key, person in talk.people.items():
            people.setdefault(key, _Person(person.address)).names.update(person.names)
    announced: set[str] = set()
    chats: set[str] = set()
    for talk in talks:
        for key in talk.people:
            if key not in announced:
                announced.add(key)
                yield people[key].contact(key, options, me=key == owner)
        if talk.key not in chats:
            chats.add(talk.key)
            yield talk.chat(options)
        yield from _messages(files, talk)


@dataclass
class _Person:
    address: str = ""
    names: dict[str, None] = field(default_factory=dict)

    def contact(self, key: str, options: Options, *, me: bool) -> Contact:
        shown, *others = [*self.names] or [self.address or key]
        if me and options.me:
            shown, others = plain_name(options.me), [shown, *others]
        return Contact(key, shown, tuple(other for other in others if other != shown), self.address, me)


@dataclass
class _Talk:
    """One folder's conversation and who takes part."""

    file: str
    title: str
    key: str = ""
    direct: bool | None = None
    """As the folder's name says; None where it says nothing."""
    people: dict[str, _Person] = field(default_factory=dict)
    members: tuple[str, ...] = ()

    @property
    def kind(self) -> ChatKind:
        direct = self.direct if self.direct is not None else not self.title
        return "dyad" if direct and len(self.people) <= 2 else "group"

    def chat(self, options: Options) -> Chat:
        title = "" if self.kind == "dyad" else self.title or plain_name(options.title)
        return Chat(self.key, self.kind, title, self.members)

    def meet(self, user: dict[str, Any]) -> str:
        """The key of somebody, who is noted as taking part. "" for nobody, and for a program."""
        address, shown = plain_name(user.get("email")), plain_name(user.get("name"))
        key = address.casefold() or shown.casefold()
        if not key or _is_bot(user):
            return ""
        person = self.people.setdefault(key, _Person(address))
        if shown:
            person.names[shown] = None
        return key


def _named(files: Files, base: str) -> Iterator[str]:
    """The files of a name, wherever they are: the folders' names are of the account's language."""
    return (file for file in files.names if PurePosixPath(file).name == base and not file.startswith("__MACOSX/"))


def _is_talk(files: Files, file: str) -> bool:
    head = files.head(file)
    return b'"messages"' in head and sum(sign in head for sign in SIGNS) >= 2


def _owner(files: Files) -> str:
    """The key of whose Takeout it is. Of several, laid together by hand, nobody is."""
    users = [user for file in _named(files, USER) for user in files.items(file, "user") if isinstance(user, dict)]
    keys = {plain_name(user.get("email")).casefold() or plain_name(user.get("name")).casefold() for user in users}
    return keys.pop() if len(keys) == 1 else ""


def _survey(files: Files, file: str) -> _Talk:
    folder = PurePosixPath(file).parent
    word, _, number = folder.name.partition(" ")
    beside = folder / GROUP
    info: Any = next(files.items(beside.as_posix(), ""), {}) if beside.as_posix() in files.names else {}
    info = info if isinstance(info, dict) else {}
    talk = _Talk(file, plain_name(info.get("name")), direct={"DM": True, "Space": False}.get(word))
    listed = info.get("members")
    users = [user for user in listed if isinstance(user, dict)] if isinstance(listed, list) else []
    talk.members = tuple(key for user in users if (key := talk.meet(user)))
    for entry in files.items(file, "messages.item"):
        if isinstance(entry, dict):
            talk.key = talk.key or plain_name(entry.get("message_id")).partition("/")[0]
            if not _is_deleted(entry):
                talk.meet(_map(entry, "creator"))
    if not talk.members:
        talk.members = tuple(talk.people)
    # A message's id begins with its conversation's, which the folder's name repeats.
    talk.key = number or talk.key or folder.name or talk.title
    return talk


def _messages(files: Files, talk: _Talk) -> Iterator[Item]:
    for number, entry in enumerate(files.items(talk.file, "messages.item"), 1):
        item = _message(talk, entry) if isinstance(entry, dict) else None
        if item is None:
            shown = json.dumps(entry, ensure_ascii=False, default=str)[:200]
            item = Unread(f"{talk.file}, message {number}", plain_text(shown))
        yield item


def _message(talk: _Talk, entry: dict[str, Any]) -> Item | None:
    creator, text = _map(entry, "creator"), plain_text(entry.get("text"))
    if _is_deleted(entry):
        return Skipped(talk.key, "deleted")
    if _is_bot(creator):
        return Skipped(talk.key, "bots")
    if not text:
        shown = entry.get("attached_files") or entry.get("annotations") or entry.get("previous_message_versions")
        known = shown or creator or entry.get("message_id")
        return Skipped(talk.key, "media" if shown else "system") if known else None
    sender, updated = talk.meet(creator), moment(entry.get("updated_date"))
    at = moment(entry.get("created_date")) or _first_version(entry) or updated
    if not sender or at is None:
        return None
    reply = plain_name(_map(entry, "quoted_message_metadata").get("message_id"))
    return Line(talk.key, sender, text, at, plain_name(entry.get("message_id")), reply, updated)


def _first_version(entry: dict[str, Any]) -> datetime | None:
    """When an edited message was written: such a one has no date of its own, its versions do."""
    versions = entry.get("previous_message_versions")
    times = (
        [moment(each.get("created_date")) for each in versions if isinstance(each, dict)]
        if isinstance(versions, list)
        else []
    )
    return min((at for at in times if at), key=lambda at: at.replace(tzinfo=UTC), default=None)


def _is_deleted(entry: dict[str, Any]) -> bool:
    return entry.get("message_state") == "DELETED" or bool(entry.get("deleted_date") or entry.get("deletion_metadata"))


def _is_bot(user: dict[str, Any]) -> bool:
    return plain_name(user.get("user_type")).casefold() not in ("", "human")


def _map(value: dict[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


@cache
def _words() -> dict[str, Any]:
    table = tomllib.loads(resources(__package__).joinpath("googlechat.toml").read_text("utf-8"))
    months = {
        word.casefold(): number for names in table["months"].values() for number, word in enumerate(names, 1) if word
    }
    return {**table, "months": months}


def moment(prose: Any) -> datetime | None:
    """A Takeout's date: "Tuesday, 12 March 2024 at 14:05:33 UTC" and the same in other orders and languages; aware where it names
    UTC. None where it is no date."""
    if not isinstance(prose, str) or len(prose) > 100:
        return None
    text = plain_name(prose).casefold()
    numbers = [int(digits) for digits in re.findall(r"\d{1,4}", text)]
    month, numbers = _month(text, numbers)
    try:
        year, day, hour, minute, second = numbers
        hour = _of_24(text, hour)
        zone = UTC if "utc" in text or "gmt" in text or text.endswith("z") else None
        return datetime(year - BUDDHIST if year > 2400 else year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def _month(text: str, numbers: list[int]) -> tuple[int, list[int]]:
    """The month, and the numbers that are left as year, day, hour, minute, second."""
    words = _words()
    # A mark that belongs to a letter, as in Thai, is no word of its own for `str.isalpha`: words are what stands between.
    found = [each for each in re.split(r"[\s\d,.:()'’]+", text) if each in words["months"]]
    month = words["months"][found[0]] if found else 0
    for word, other in words["months_after_a_point"].items():
        if found and found[0] == word and f". {word}" in text:
            month = other
    if not month and len(numbers) == 6:
        month = numbers.pop(1)
    if len(numbers) == 5 and numbers[0] <= 31 < numbers[1]:
        numbers[:2] = reversed(numbers[:2])
    return month, numbers


def _of_24(text: str, hour: int) -> int:
    """The hour of a clock that may have twelve: the half is said after the time, in East Asia before it."""
    after = "".join(filter(str.isalpha, re.split(r"\d", text)[-1]))
    for half, added in (("am", 0), ("pm", 12)):
        words = _words()["halves"][half]
        if after.startswith(tuple(words)) or (
            not text.isascii() and any(word in text for word in words if _is_eastern(word))
        ):
            if not 1 <= hour <= 12:
                raise ValueError("no hour of a half day")
            return hour % 12 + added
    return hour


def _is_eastern(word: str) -> bool:
    """Whether the word may stand anywhere: in the scripts without spaces, of which two letters are a word."""
    return len(word) > 1 and min(word) >= "\u3000"
