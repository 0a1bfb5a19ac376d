"""Telegram Desktop's `result.json`: one chat, or a whole account (`chats.list` and `left_chats.list`).

A file is read twice. First for what its chats are, who writes in them, who of these is a bot and who the owner is, since all this
may be said after the first message; then for the messages, one at a time. The first reading keeps people and chats only.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Change,
    Chat,
    Item,
    Line,
    Options,
    Skipped,
    Unread,
    plain_name,
    plain_text,
)
from kithnet.network.importers.telegram_account import KINDS, PLACES, UNNAMED, Account, Talk, by_name, survey, writer
from kithnet.runtime.errors import RecordError

name = "telegram"

ACCOUNT_KEYS = frozenset(
    "about personal_information profile_pictures stories profile_music contacts frequent_contacts sessions web_sessions "
    "other_data chats left_chats".split()
)
OWN_JOINS = frozenset({"join_group_by_link", "join_group_by_request", "join_group_via_community", "create_group"})
LOOKED_AT = 200
"""JSON files of a folder that are looked at to recognise it."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WIDEST = timedelta(hours=15)
"""No zone is further from UTC."""


def claims(files: Files) -> bool:
    try:
        return bool(_exports(files)) or _is_html(files)
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every chat, with its people before its messages. Raises RecordError, also for an export as HTML."""
    exports = _exports(files)
    if not exports:
        if _is_html(files):
            raise RecordError(
                "this is a Telegram export as HTML", "export it again with the format Machine-readable JSON"
            )
        raise RecordError(
            f"{files.path.name} holds no Telegram export", "give the folder with result.json, or that file"
        )
    account = Account()
    for file in exports:
        survey(files, file, account)
    account.find_owner(options.me)
    if not account.talks:
        raise RecordError(f"{files.path.name} holds no chats", "tick the chats when you export from Telegram Desktop")
    desk = _Desk(account, options)
    for file in exports:
        for place in PLACES:
            talks = [talk for talk in account.talks if (talk.file, talk.place) == (file, place)]
            entries = files.items(file, f"{place}messages.item") if any(talk.count for talk in talks) else iter(())
            for talk in talks:
                yield from desk.opening(talk)
                for number, entry in enumerate(islice(entries, talk.count), 1):
                    yield from desk.items(entry, talk, number)


def _exports(files: Files) -> list[str]:
    found = sorted(file for file in files.names if files.may_be(file, ".json"))[:LOOKED_AT]
    return [file for file in found if _is_export(files, file)]


def _is_export(files: Files, file: str) -> bool:
    top = files.top(file)
    if top.get("type") in KINDS and ("messages" in top or "id" in top):
        return True
    if not ACCOUNT_KEYS.issuperset(top) or not {"personal_information", "chats", "left_chats", "contacts"} & set(top):
        return False
    head = files.head(file)
    return b"Telegram" in head or b'"user_id"' in head or any(f'"{kind}"'.encode() in head for kind in KINDS)


def _is_html(files: Files) -> bool:
    pages = [file for file in files.names if PurePosixPath(file).name == "messages.html"]
    return bool(pages) and b"Exported Data" in files.head(pages[0])


class _Desk:
    """Turns entries into items, and introduces chats and people where they are first named."""

    def __init__(self, account: Account, options: Options) -> None:
        self._account, self._options = account, options
        self._known: set[str] = set()
        self._opened: set[str] = set()

    def opening(self, talk: Talk) -> Iterator[Item]:
        if talk.key in self._opened:
            return
        self._opened.add(talk.key)
        members = [self._account.me] if self._account.me else []
        if talk.type == "personal_chat":
            self._account.names.setdefault(talk.key, Counter())[plain_name(talk.head.get("name"))] += 1
            self._account.names[talk.key].pop("", None)
            # An owner who never wrote is there all the same.
            self._account.me = self._account.me or "me"
            members = [talk.key, self._account.me]
        for member in members:
            yield from self._introduce(member)
        kind = KINDS[talk.type][0]
        title = plain_name(talk.head.get("name")) or self._options.title or UNNAMED.get(talk.type, "")
        yield Chat(talk.key, kind, "" if kind == "dyad" else title, tuple(members))

    def items(self, entry: object, talk: Talk, number: int) -> Iterator[Item]:
        """One entry: exactly one line, one skipped or one unread, and what it says of memberships."""
        where = f"{talk.file}, {plain_name(talk.head.get('name')) or talk.key}, entry {number}"
        if not isinstance(entry, dict) or entry.get("type") not in ("message", "service", "unsupported"):
            yield Unread(where, str(entry)[:200])
        elif entry["type"] == "service":
            yield from self._changes(entry, talk)
            yield Skipped(talk.key, "system")
        elif entry["type"] == "unsupported":
            yield Skipped(talk.key, "media")
        else:
            yield from self._message(entry, talk, where)

    def _message(self, entry: dict[str, Any], talk: Talk, where: str) -> Iterator[Item]:
        sender, _ = writer(entry, "from")
        text = _text(entry)
        try:
            at = _moment(entry, "date")
        except ValueError:
            sender = ""
        if not sender:
            yield Unread(where, text[:200] or str(entry)[:200])
        elif sender in self._account.bots or talk.type == "verification_codes":
            yield Skipped(talk.key, "bots")
        elif not text:
            yield Skipped(talk.key, "media")
        else:
            yield from self._introduce(sender)
            reply = "" if entry.get("reply_to_peer_id") else _number(entry.get("reply_to_message_id"))
            yield Line(talk.key, sender, text, at, _number(entry.get("id")), reply, _edited(entry))

    def _introduce(self, key: str) -> Iterator[Item]:
        if key not in self._known or not key:
            self._known.add(key)
            yield self._account.contact(key, self._options)

    def _changes(self, entry: dict[str, Any], talk: Talk) -> Iterator[Item]:
        action, (actor, shown) = plain_text(entry.get("action")), writer(entry, "actor")
        joined = action != "remove_members"
        try:
            at = _moment(entry, "date")
        except ValueError:
            return
        keys = [actor] if action in OWN_JOINS and actor else []
        if action in ("invite_members", "remove_members", "create_group"):
            members = entry.get("members")
            for member in members if isinstance(members, list) else []:
                found = plain_name(member)
                keys.append(actor if found and found == shown else self._member(found, talk))
        for key in dict.fromkeys(keys):
            if key.startswith(("user", "name:")) and key not in self._account.bots:
                yield from self._introduce(key)
                yield Change(talk.key, key, joined, at)

    def _member(self, shown: str, talk: Talk) -> str:
        """The key of a member, whom Telegram only names: whoever alone bears the name in this chat. "" for one of several."""
        if not shown:
            return ""
        keys = talk.names.get(shown.casefold(), set())
        if keys:
            return next(iter(keys)) if len(keys) == 1 else ""
        self._account.names.setdefault(by_name(shown), Counter())[shown] += 1
        return by_name(shown)


def _text(entry: dict[str, Any]) -> str:
    """What is seen of a text, which is a string or a list of strings and of pieces with a `text`."""
    text = entry.get("text") or entry.get("text_entities")
    if isinstance(text, list):
        pieces = (piece.get("text") if isinstance(piece, dict) else piece for piece in text)
        text = "".join(piece for piece in pieces if isinstance(piece, str))
    return plain_text(text)


def _number(value: object) -> str:
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _moment(entry: dict[str, Any], key: str) -> datetime | None:
    """When it was: by the second since 1970 where that is told, with the offset that the local time beside it has; else local
    and naive. None where neither is told. Raises ValueError."""
    unix, local = entry.get(f"{key}_unixtime"), entry.get(key)
    if unix in (None, "") and local in (None, ""):
        return None
    there = datetime.fromisoformat(local) if isinstance(local, str) and local else None
    if unix in (None, ""):
        if there is None or not 1970 < there.year < 9999:
            raise ValueError(f"no date: {local}")
        return there
    seconds = int(unix) if isinstance(unix, int | str) else -1
    if not 0 < seconds < 253_000_000_000:
        raise ValueError(f"no date: {unix}")
    at = EPOCH + timedelta(seconds=seconds)
    if there is None or there.tzinfo is not None:
        return at
    offset = there - at.replace(tzinfo=None)
    whole = abs(offset) < WIDEST and not offset % timedelta(minutes=15)
    return at.astimezone(timezone(offset)) if whole else at


def _edited(entry: dict[str, Any]) -> datetime | None:
    """When it was edited. Old exports say 1970 of what never was."""
    try:
        return _moment(entry, "edited")
    except ValueError:
        return None
