"""Signal as signalbackup-tools writes it: tables of the database of Signal for Android, a CSV file for each.

`message` holds what was said; `recipient` and `thread` say who and where. `groups` and `group_membership` name groups and their
members, and may be missing.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
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
from kithnet.network.importers.signal_values import SELF, a_number, fingerprint, moment, uuid_of
from kithnet.runtime.errors import RecordError

LOOKED_AT = 200
COLUMNS = {
    "message": {"_id", "thread_id", "from_recipient_id", "date_sent", "type", "body"},
    "recipient": {"_id", "e164", "group_id"},
    "thread": {"_id", "recipient_id", "snippet"},
    "groups": {"group_id", "title"},
    "group_membership": {"group_id", "recipient_id"},
}
"""By which columns a table is known."""
NAMES = (
    ("nickname_joined_name",),
    ("nickname_given_name", "nickname_family_name"),
    ("system_joined_name",),
    ("system_given_name", "system_family_name"),
    ("profile_joined_name",),
    ("profile_given_name", "profile_family_name"),
    ("username",),
    ("e164",),
)
BASE_TYPE = 0x1F
INCOMING = 20
OUTGOING = range(21, 27)
EVENT = 0xF_0007_FF00 | 0x40_0000
"""Bits of `type` that are set in what is no message: keys, groups that changed, timers, sessions that ended, payments."""

Row = dict[str, str]


def tables(files: Files) -> dict[str, str]:
    """The tables that there are, by their names; {} where the messages are missing."""
    found: dict[str, str] = {}
    for file in files.names[:LOOKED_AT]:
        if not files.may_be(file, ".csv"):
            continue
        header = set(files.head(file, 1 << 13).decode("utf-8", "replace").partition("\n")[0].strip().split(","))
        for table, columns in COLUMNS.items():
            if columns <= header:
                found.setdefault(table, file)
                break
    return found if "message" in found else {}


def items(files: Files, options: Options) -> Iterator[Item]:
    """Raises RecordError where the tables are missing that say who wrote."""
    found = tables(files)
    missing = [table for table in ("recipient", "thread") if table not in found]
    if missing:
        hint = (
            "export with --exportcsv message=message.csv,recipient=recipient.csv,thread=thread.csv, and give the folder"
        )
        raise RecordError(f"{files.path.name} lacks the table {' and '.join(missing)}", hint)
    yield from _Tables(files, found, options).items()


@dataclass(frozen=True, slots=True)
class _Party:
    key: str
    names: tuple[str, ...]
    address: str
    group: str


def _rows(files: Files, file: str) -> Iterator[Row | None]:
    """The rows of a table, None for what is none."""
    reader = csv.reader(f"{line}\n" for line in files.lines(file))
    header = next(reader, [])
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        told = dict(zip(header, row, strict=False))
        yield (
            {key: "" if value == "(NULL)" else value for key, value in told.items()}
            if len(row) == len(header)
            else None
        )


def _party(row: Row) -> _Party:
    names = [plain_name(" ".join(plain_name(row.get(column, "")) for column in columns)) for columns in NAMES]
    address = plain_name(row.get("e164", ""))
    account = uuid_of(row.get("aci", "")) or uuid_of(row.get("uuid", ""))
    key = account or address or uuid_of(row.get("pni", "")) or f"recipient:{row['_id']}"
    return _Party(key, tuple(dict.fromkeys(each for each in names if each)), address, row.get("group_id", ""))


class _Tables:
    def __init__(self, files: Files, found: dict[str, str], options: Options) -> None:
        self.files, self.found, self.options = files, found, options
        self.parties = {row["_id"]: _party(row) for row in _rows(files, found["recipient"]) if row}
        self.threads = {row["_id"]: row["recipient_id"] for row in _rows(files, found["thread"]) if row}
        self.titles = {row["group_id"]: plain_name(row["title"]) for row in self._table("groups")}
        self.members: dict[str, list[str]] = {}
        for row in self._table("group_membership"):
            self.members.setdefault(row["group_id"], []).append(row["recipient_id"])
        self.owner = next(
            (
                row["from_recipient_id"]
                for row in self._table("message")
                if a_number(row["type"]) & BASE_TYPE in OUTGOING
            ),
            "",
        )
        self.announced: set[str] = set()

    def _table(self, table: str) -> Iterator[Row]:
        return (row for row in _rows(self.files, self.found[table]) if row) if table in self.found else iter(())

    def items(self) -> Iterator[Item]:
        for number, row in enumerate(_rows(self.files, self.found["message"]), start=1):
            party = self.parties.get(self.threads.get(row["thread_id"], "")) if row else None
            if row is None or party is None:
                yield Unread(f"{self.found['message']}, row {number}", plain_text(",".join((row or {}).values()))[:200])
                continue
            chat = f"group:{fingerprint(party.group)}" if party.group else f"with:{party.key}"
            if chat not in self.announced:
                yield from self._chat(chat, row["thread_id"], party)
            said = _said(row)
            sender = row["from_recipient_id"]
            if isinstance(said, str):
                yield Skipped(chat, said)
            else:
                yield from self._contact(sender)
                yield self._line(chat, sender, row, said[0])

    def _line(self, chat: str, sender: str, row: Row, text: str) -> Line:
        sent = a_number(row["date_sent"])
        answered = a_number(row.get("quote_id"))
        reply_to = f"{self._key(row.get('quote_author', ''))}:{answered}" if answered else ""
        return Line(chat, self._key(sender), text, moment(sent), f"{self._key(sender)}:{sent}", reply_to)

    def _key(self, recipient: str) -> str:
        if recipient == self.owner:
            return SELF
        return self.parties[recipient].key if recipient in self.parties else f"recipient:{recipient}"

    def _chat(self, chat: str, thread: str, party: _Party) -> Iterator[Item]:
        recipients = self.members.get(party.group, []) if party.group else [self.threads[thread]]
        recipients = list(dict.fromkeys([*recipients, *([self.owner] if self.owner else [])]))
        for recipient in recipients:
            yield from self._contact(recipient)
        title = (self.titles.get(party.group) or next(iter(party.names), "Group")) if party.group else ""
        yield Chat(chat, "group" if party.group else "dyad", title, tuple(self._key(each) for each in recipients))
        self.announced.add(chat)

    def _contact(self, recipient: str) -> Iterator[Contact]:
        key = self._key(recipient)
        if key in self.announced:
            return
        self.announced.add(key)
        party = self.parties.get(recipient, _Party(key, (), "", ""))
        me = key == SELF
        shown = (plain_name(self.options.me) if me else "") or next(
            iter(party.names), "Me" if me else f"Signal {key[:8]}"
        )
        others = tuple(each for each in party.names if each not in (shown, party.address))
        yield Contact(key, shown, others, party.address, me)


def _said(row: Row) -> tuple[str] | LeftOut:
    """The text, or what it is instead. An edited message is there once more for each of its older versions."""
    kind = a_number(row["type"])
    if row.get("remote_deleted", "0") not in ("", "0"):
        return "deleted"
    older = row.get("latest_revision_id", "") not in ("", "0")
    if older or kind & EVENT or kind & BASE_TYPE not in (INCOMING, *OUTGOING):
        return "system"
    if row.get("view_once", "0") not in ("", "0"):
        return "media"
    text = plain_text(row["body"])
    return (text,) if text else "media"
