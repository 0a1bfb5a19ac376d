"""What the reader of a chat export yields: an order of small frozen items, one at a time, so that no export is held whole.

A reader is a function `read(files, options) -> Iterator[Item]`. A `Chat` and a `Contact` come before the first item that names
them; lines that a person wrote come as `Line`, in the order of the export; what happened to a membership as `Change`; and what
is no message is counted by its kind. Keys (of chats, contacts, lines) are the source's own and mean something only within it.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, Protocol

from kithnet.network.importers.files import Files

ChatKind = Literal["dyad", "group", "channel", "mail"]
LeftOut = Literal["system", "deleted", "media", "bots"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says of an export. zone: of times that come without one. dates: which comes first in dates like 3/4/24,
    None to find it out. me: the owner of the device. title: of the conversation, where the file does not say."""

    zone: tzinfo
    dates: Literal["dmy", "mdy"] | None = None
    me: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation. title: as its members see it, "" where it has none (two people's). members: keys of contacts that are
    known to take part from the beginning; whoever writes is a member without being named here."""

    key: str
    kind: ChatKind
    title: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who takes part. aliases: other names, nicknames that were used for a while too. address: a telephone number or
    a mail address, "" where there is none. me: the owner of the device that made the export."""

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    address: str = ""
    me: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """What one person wrote. at: with its zone or offset where the source knows it, naive where it says local time only, None
    where it says none. source_id: the source's number of it, unique in the chat. reply_to: such a number. audience: contacts
    who got it, where that is told message by message (mail), sender left out; None: the members of the chat at that time."""

    chat: str
    sender: str
    text: str
    at: datetime | None
    source_id: str = ""
    reply_to: str = ""
    edited_at: datetime | None = None
    audience: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A contact joined or left a chat. at: as in `Line`."""

    chat: str
    contact: str
    joined: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something of a chat that is nobody's words: a system entry, a deleted message, media without a caption, a bot's message."""

    chat: str
    kind: LeftOut


@dataclass(frozen=True, slots=True)
class Unread:
    """A line or an entry that was not understood. where: what the user can look up ("line 12"). text: of it, up to 200
    characters."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Assumed:
    """What had to be supposed, in a sentence for the user ("dates are read as day, month, year")."""

    text: str


Item = Chat | Contact | Line | Change | Skipped | Unread | Assumed


class Reader(Protocol):
    """One source. `name` as in `--from`. `claims` looks at names and first bytes only, and is True for no other source's files."""

    @property
    def name(self) -> str: ...

    def claims(self, files: Files) -> bool: ...

    def read(self, files: Files, options: Options) -> Iterator[Item]: ...


def listed(readers: Sequence[Reader]) -> str:
    """Their names, for a message."""
    return ", ".join(reader.name for reader in readers)


def plain_text(value: object) -> str:
    """A text of an export as it can be stored: its ends stripped, without NUL bytes, halves of surrogate pairs joined or else
    U+FFFD. "" where `value` is no text."""
    if not isinstance(value, str):
        return ""
    if not value.isascii():
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value.replace("\0", "").strip()


def plain_name(value: object) -> str:
    """A name as it is shown: NFC, trimmed, one space for each stretch of white space. "" where `value` is no text."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        return value  # an id, as most of them are
    return " ".join(unicodedata.normalize("NFC", plain_text(value)).split())
