"""Signal as sigtop writes it: for each chat an array of the messages as Signal Desktop holds them.

People are named by their account only; their names are in the names of the files, "Rosa (+39331…).json", "Choir (group).json".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

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
    NEWS,
    SELF,
    a_list,
    a_map,
    a_number,
    moment,
    unmarked,
    uuid_of,
    with_mentions,
)

LOOKED_AT = 5_000
ARRIVALS = frozenset({"member-add", "member-add-from-invite", "member-add-from-link", "member-add-from-admin-approval"})
ACCOUNT = ("sourceServiceId", "sourceUuid", "source")
MEDIA = (
    "attachments",
    "sticker",
    "contact",
    "giftBadge",
    "payment",
    "isViewOnce",
    "hasAttachments",
    "storyReplyContext",
)


@dataclass
class _Talk:
    """One file. other: the account of the one person it is with."""

    file: str
    key: str = ""
    title: str = ""
    detail: str = ""
    group: bool = False
    accounts: dict[str, None] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    first_change: dict[str, bool] = field(default_factory=dict)

    @property
    def other(self) -> str:
        return next(iter(self.accounts), uuid_of(self.detail) or self.title.casefold())


def chats(files: Files) -> list[str]:
    """The files that are such arrays."""
    return [
        file for file in files.names[:LOOKED_AT] if files.may_be(file, ".json") and _fits(files.head(file, 1 << 14))
    ]


def _fits(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and b'"conversationId"' in head and b'"sent_at"' in head


def items(files: Files, options: Options) -> Iterator[Item]:
    talks = [_survey(files, file) for file in chats(files)]
    numbers: dict[str, str] = {}
    names: dict[str, str] = {}
    for talk in talks:
        if not talk.group:
            names.setdefault(talk.other, talk.title or talk.detail)
            if talk.detail.startswith("+"):
                numbers.setdefault(talk.other, talk.detail)
    people = _People(names, numbers, options)
    for talk in talks:
        people.own.update(talk.own)
        if not talk.group:
            people.alias[uuid_of(talk.detail)] = talk.other
    for talk in talks:
        yield from _messages(files, talk, people)


class _People:
    def __init__(self, names: dict[str, str], numbers: dict[str, str], options: Options) -> None:
        self.names, self.numbers, self.options = names, numbers, options
        self.own: set[str] = set()
        self.alias: dict[str, str] = {}
        self.announced: set[str] = set()

    def key(self, account: str) -> str:
        return SELF if account in self.own else self.alias.get(account, account)

    def shown(self, key: str) -> str:
        if key == SELF:
            return plain_name(self.options.me) or "Me"
        return self.names.get(key) or (key if key.startswith("+") else f"Signal {key[:8]}")

    def contact(self, key: str) -> Iterator[Contact]:
        if key not in self.announced:
            self.announced.add(key)
            address = self.numbers.get(key, key if key.startswith("+") else "")
            yield Contact(key, self.shown(key), address=address, me=key == SELF)


def _survey(files: Files, file: str) -> _Talk:
    """What a file's name and its messages tell of the chat."""
    stem = plain_name(unmarked(PurePosixPath(file).stem))
    title, _, detail = stem.rpartition(" (")
    talk = _Talk(file, title=title or stem, detail=detail.removesuffix(")") if title else "")
    talk.group = talk.detail == "group"
    for entry in files.items(file, "item"):
        message = a_map(entry)
        talk.key = talk.key or plain_text(message.get("conversationId"))
        if message.get("type") == "incoming" and (account := _account(message)):
            talk.accounts[account] = None
        if message.get("type") == "outgoing":
            talk.own.update({_account(message)} - {""})
        talk.group = talk.group or message.get("type") == "group-v2-change"
        for account, joined in _changes(message):
            talk.first_change.setdefault(account, joined)
    talk.group = talk.group or len(talk.accounts) > 1
    return talk


def _account(message: dict[str, Any]) -> str:
    return next((found for each in ACCOUNT if (found := uuid_of(message.get(each)))), "")


def _messages(files: Files, talk: _Talk, people: _People) -> Iterator[Item]:
    chat = f"chat:{talk.key}" if talk.group else f"with:{talk.other}"
    left = [account for account, joined in talk.first_change.items() if not joined]
    members = dict.fromkeys([*(people.key(each) for each in left)] if talk.group else [talk.other])
    members = {} if talk.other == NEWS and not talk.group else members | {SELF: None}
    for member in members:
        yield from people.contact(member)
    yield Chat(chat, "group" if talk.group else "dyad", talk.title if talk.group else "", tuple(members))
    for number, entry in enumerate(files.items(talk.file, "item"), start=1):
        message = a_map(entry)
        said = _said(message)
        account = _account(message)
        if message.get("type") == "outgoing":
            account = SELF
        sender = people.key(account)
        if said is None or (not isinstance(said, str) and not sender):
            yield Unread(f"{talk.file}, entry {number}", plain_text(str(entry)[:200]))
        elif isinstance(said, str):
            yield Skipped(chat, said)
            yield from _moves(chat, message, people)
        else:
            yield from people.contact(sender)
            yield _line(chat, sender, message, said[0], people)


def _moves(chat: str, message: dict[str, Any], people: _People) -> Iterator[Item]:
    for account, joined in _changes(message):
        yield from people.contact(people.key(account))
        yield Change(chat, people.key(account), joined, moment(message.get("sent_at")))


def _line(chat: str, sender: str, message: dict[str, Any], text: str, people: _People) -> Line:
    sent = a_number(message.get("sent_at")) or a_number(message.get("timestamp"))
    quote = a_map(message.get("quote"))
    quoted = next((each for key in ("authorAci", "authorUuid", "author") if (each := uuid_of(quote.get(key)))), "")
    answered = a_number(quote.get("id"))
    reply_to = f"{people.key(quoted)}:{answered}" if quoted and answered else ""
    ranges = [a_map(each) for each in a_list(message.get("bodyRanges"))]
    told = sorted(
        (a_number(each.get("start")), uuid_of(each.get("mentionAci") or each.get("mentionUuid"))) for each in ranges
    )
    text = with_mentions(text, [people.shown(people.key(account)) for _, account in told if account])
    return Line(
        chat, sender, text, moment(sent), f"{sender}:{sent}", reply_to, moment(message.get("editMessageTimestamp"))
    )


def _said(message: dict[str, Any]) -> tuple[str] | LeftOut | None:
    """The text, or what it is instead; None for what cannot be told."""
    if not plain_text(message.get("type")):
        return None
    if message["type"] not in ("incoming", "outgoing"):
        return "system"
    if message.get("deletedForEveryone") or message.get("isErased"):
        return "deleted"
    if _account(message) == NEWS:
        return "bots"
    text = plain_text(message.get("body"))
    if text:
        return (text,)
    return "media" if any(message.get(each) for each in MEDIA) else None


def _changes(message: dict[str, Any]) -> list[tuple[str, bool]]:
    details = [a_map(each) for each in a_list(a_map(message.get("groupV2Change")).get("details"))]
    told = [(uuid_of(each.get("aci") or each.get("uuid")), plain_text(each.get("type"))) for each in details]
    return [(account, kind in ARRIVALS) for account, kind in told if account and kind in ARRIVALS | {"member-remove"}]
