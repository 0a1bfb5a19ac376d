"""Signal: its own export (`main.jsonl`), the JSON of sigtop, the CSV tables of signalbackup-tools.

Signal's own export is a line for each frame of a backup, in the JSON form of its protocol buffers: 64-bit numbers are strings,
bytes are base64. Its ids number the things of one file only, so people are known by their account's UUID, else their number.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from kithnet.network.importers import signal_csv, signal_sigtop
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Change,
    Chat,
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
from kithnet.network.importers.signal_values import (
    SELF,
    a_list,
    a_map,
    a_number,
    fingerprint,
    moment,
    uuid_of,
    with_mentions,
)
from kithnet.runtime.errors import RecordError

name = "signal"

FRAMES = frozenset(
    {"account", "recipient", "chat", "chatItem", "stickerPack", "adHocCall", "notificationProfile", "chatFolder"},
)
LOOKED_AT = 200
LONGEST_FRAME = 1 << 20
JOINS: dict[str, tuple[bool, str]] = {
    "groupMemberAddedUpdate": (True, "newMemberAci"),
    "groupMemberJoinedUpdate": (True, "newMemberAci"),
    "groupMemberJoinedByLinkUpdate": (True, "newMemberAci"),
    "groupInvitationAcceptedUpdate": (True, "newMemberAci"),
    "groupMemberLeftUpdate": (False, "aci"),
    "groupMemberRemovedUpdate": (False, "removedAci"),
}
"""What a group's update says of a membership, and where it says whose."""
OTHERS: dict[str, LeftOut] = {
    "remoteDeletedMessage": "deleted",
    "adminDeletedMessage": "deleted",
    "stickerMessage": "media",
    "contactMessage": "media",
    "viewOnceMessage": "media",
    "giftBadge": "media",
    "paymentNotification": "media",
    "updateMessage": "system",
}


def claims(files: Files) -> bool:
    try:
        return bool(_export(files) or signal_sigtop.chats(files) or signal_csv.tables(files))
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Whichever of the three it is. Raises RecordError."""
    if file := _export(files):
        yield from _Export(files, file, options).items()
    elif signal_sigtop.chats(files):
        yield from signal_sigtop.items(files, options)
    elif signal_csv.tables(files):
        yield from signal_csv.items(files, options)
    else:
        hint = "give the folder that Signal exported (main.jsonl), JSON of sigtop or CSV of signalbackup-tools"
        raise RecordError(f"{files.path.name} is no export of Signal that is known", hint)


def _export(files: Files) -> str:
    """The file of Signal's own export, "" for none."""
    for file in files.names[:LOOKED_AT]:
        if PurePosixPath(file).suffix.lower() == ".jsonl" and _holds_frames(files.head(file, 1 << 14)):
            return file
    return ""


def _holds_frames(head: bytes) -> bool:
    for line in head.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")[:5]:
        frame = _frame(line)
        if frame is not None and (FRAMES & frame.keys() or "backupTimeMs" in frame):
            return True
    return False


def _frame(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _frames(files: Files, file: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Frames with the number of their line, or the text of what is none. Some versions leave line breaks inside texts."""
    begun, pending = 1, ""
    for number, line in enumerate(files.lines(file), start=1):
        if pending and line.startswith('{"'):
            yield begun, pending
            pending = ""
        if not pending:
            begun = number
        pending = f"{pending}\n{line}" if pending else line
        frame = _frame(pending)
        if frame is not None:
            yield begun, frame
            pending = ""
        elif not pending.strip() or not pending.startswith('{"') or len(pending) > LONGEST_FRAME:
            if pending.strip():
                yield begun, pending
            pending = ""
    if pending.strip():
        yield begun, pending


@dataclass
class _Party:
    """A recipient: a person, the owner, a group, Signal's own news. names: the one that is shown first."""

    key: str
    kind: str
    names: list[str] = field(default_factory=list)
    address: str = ""
    members: list[str] = field(default_factory=list)


def _party(recipient: dict[str, Any]) -> _Party:
    if "self" in recipient:
        return _Party(SELF, "self")
    if "group" in recipient:
        group = a_map(recipient["group"])
        snapshot = a_map(group.get("snapshot"))
        title = plain_name(a_map(snapshot.get("title")).get("title"))
        members = [_account(a_map(each).get("userId")) for each in a_list(snapshot.get("members"))]
        return _Party(f"group:{fingerprint(group.get('masterKey') or title)}", "group", [title], members=members)
    if "contact" in recipient:
        contact = a_map(recipient["contact"])
        nickname = a_map(contact.get("nickname"))
        number = a_number(contact.get("e164"))
        address = f"+{number}" if number else ""
        pairs = (
            (nickname.get("given"), nickname.get("family")),
            (contact.get("systemNickname"), ""),
            (contact.get("systemGivenName"), contact.get("systemFamilyName")),
            (contact.get("profileGivenName"), contact.get("profileFamilyName")),
        )
        names = [plain_name(f"{plain_name(given)} {plain_name(family)}") for given, family in pairs]
        names += [plain_name(contact.get("username")), address]
        key = _account(contact.get("aci")) or address or _account(contact.get("pni")) or names[-2].casefold()
        return _Party(key or f"recipient:{a_number(recipient.get('id'))}", "contact", names, address)
    return _Party("releaseNotes" if "releaseNotes" in recipient else "other", "other", ["Signal"])


def _account(value: object) -> str:
    """The UUID of an account: 16 bytes in base64, 17 for the id that goes with a telephone number."""
    text = plain_text(value)
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return uuid_of(text)
    return uuid_of(raw.hex()) if len(raw) in (16, 17) else uuid_of(text)


class _Export:
    def __init__(self, files: Files, file: str, options: Options) -> None:
        self.files, self.file, self.options = files, file, options
        self.parties: dict[str, _Party] = {}
        self.chats: dict[str, str] = {}
        self.owner = ""
        self.first_change: dict[str, dict[str, bool]] = {}
        self.by_key: dict[str, _Party] = {}
        self.announced: set[str] = set()

    def items(self) -> Iterator[Item]:
        self._survey()
        for number, frame in _frames(self.files, self.file):
            if isinstance(frame, str):
                yield Unread(f"line {number}", plain_text(frame)[:200])
            elif "chatItem" in frame:
                entry = a_map(frame["chatItem"])
                found = list(self._entry(entry))
                yield from found or [Unread(f"line {number}", plain_text(json.dumps(entry))[:200])]

    def _survey(self) -> None:
        """Who there is, and who joined or left a group first of all: members from the beginning are the others."""
        for _, frame in _frames(self.files, self.file):
            if isinstance(frame, str):
                continue
            if recipient := a_map(frame.get("recipient")):
                self.parties[str(recipient.get("id"))] = _party(recipient)
            elif chat := a_map(frame.get("chat")):
                self.chats[str(chat.get("id"))] = str(chat.get("recipientId"))
            elif account := a_map(frame.get("account")):
                given, family = (plain_name(account.get(each)) for each in ("givenName", "familyName"))
                self.owner = plain_name(f"{given} {family}") or plain_name(account.get("username"))
            elif entry := a_map(frame.get("chatItem")):
                first = self.first_change.setdefault(str(entry.get("chatId")), {})
                for account_key, joined in _changes(entry):
                    first.setdefault(account_key, joined)
        for party in self.parties.values():
            self.by_key[party.key] = party
        if not self.parties or not self.chats:
            raise RecordError(
                f"{self.file} names no people or no chats", "export the chats in Signal again, as a whole"
            )

    def _entry(self, entry: dict[str, Any]) -> Iterator[Item]:
        chat_id = str(entry.get("chatId"))
        party = self.parties.get(self.chats.get(chat_id, ""))
        if party is None:
            return
        if chat_id not in self.announced:
            yield from self._chat(chat_id, party)
        key = _chat_key(party)
        said = "bots" if party.kind == "other" else _said(entry)
        author = self.parties.get(str(entry.get("authorId")))
        if isinstance(said, str):
            yield Skipped(key, said)
            for account, joined in _changes(entry):
                if account in self.by_key:
                    yield from self._contact(self.by_key[account])
                    yield Change(key, account, joined, moment(entry.get("dateSent")))
        elif author and author.kind in ("self", "contact"):
            yield from self._contact(author)
            yield self._line(key, author, entry, said[0])

    def _line(self, chat: str, author: _Party, entry: dict[str, Any], text: str) -> Line:
        """An edited message holds what it was before; its first version tells when it was sent."""
        versions = [a_map(each) for each in a_list(entry.get("revisions"))]
        sent = min([a_number(each.get("dateSent")) for each in versions] + [a_number(entry.get("dateSent"))])
        edited: datetime | None = moment(entry.get("dateSent")) if versions else None
        quote = a_map(a_map(entry.get("standardMessage")).get("quote"))
        quoted = self.parties.get(str(quote.get("authorId")))
        answered = a_number(quote.get("targetSentTimestamp"))
        reply_to = f"{quoted.key}:{answered}" if quoted and answered else ""
        text = with_mentions(text, self._mentioned(entry))
        return Line(chat, author.key, text, moment(sent), f"{author.key}:{sent}", reply_to, edited)

    def _mentioned(self, entry: dict[str, Any]) -> list[str]:
        ranges = a_list(a_map(a_map(entry.get("standardMessage")).get("text")).get("bodyRanges"))
        found = sorted((a_number(a_map(each).get("start")), _account(a_map(each).get("mentionAci"))) for each in ranges)
        return [self._shown(self.by_key.get(account)) for _, account in found if account]

    def _shown(self, party: _Party | None) -> str:
        """The name. Who is mentioned and no recipient is the owner, whose account the export does not tell."""
        if party is None or party.kind == "self":
            return plain_name(self.options.me) or self.owner or "Me"
        return next((each for each in party.names if each), party.key)

    def _chat(self, chat_id: str, party: _Party) -> Iterator[Item]:
        first = self.first_change.get(chat_id, {})
        listed = [key for key in party.members if first.get(key, False) is False]
        left = [key for key, joined in first.items() if not joined and key not in listed]
        members = [self.by_key[key] for key in [*listed, *left] if key in self.by_key]
        owner = next((each for each in self.parties.values() if each.kind == "self"), _Party(SELF, "self"))
        if party.kind in ("contact", "self"):
            members = [party]
        members += [owner] if owner not in members and party.kind != "other" else []
        for member in members:
            yield from self._contact(member)
        kind, title = ("group", self._shown(party)) if party.kind == "group" else ("dyad", "")
        keys = tuple(dict.fromkeys(member.key for member in members))
        yield Chat(_chat_key(party), "group" if kind == "group" else "dyad", title, keys)
        self.announced.add(chat_id)

    def _contact(self, party: _Party) -> Iterator[Contact]:
        if f"contact {party.key}" not in self.announced:
            self.announced.add(f"contact {party.key}")
            shown = self._shown(party)
            others = tuple(dict.fromkeys(each for each in party.names if each and each not in (shown, party.address)))
            yield Contact(party.key, shown, others, party.address, party.kind == "self")


def _chat_key(party: _Party) -> str:
    return party.key if party.kind == "group" else f"with:{party.key}"


def _changes(entry: dict[str, Any]) -> list[tuple[str, bool]]:
    """Accounts that joined or left by a group's update."""
    found = []
    for update in a_list(a_map(a_map(entry.get("updateMessage")).get("groupChange")).get("updates")):
        for kind, (joined, where) in JOINS.items():
            account = _account(a_map(a_map(update).get(kind)).get(where))
            if account:
                found.append((account, joined))
    return found


def _said(entry: dict[str, Any]) -> tuple[str] | LeftOut:
    """The text, or what it is instead."""
    for kind, left_out in OTHERS.items():
        if kind in entry:
            return left_out
    story = a_map(entry.get("directStoryReplyMessage"))
    standard = a_map(entry.get("standardMessage"))
    told = a_map(story.get("textReply")).get("text") if story else standard.get("text")
    text = plain_text(a_map(told).get("body")) or plain_text(story.get("emoji"))
    text = text or plain_text(a_map(entry.get("poll")).get("question"))
    if text:
        return (text,)
    return "media" if standard or story else "system"
