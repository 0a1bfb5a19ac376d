"""Mail: an mbox, a Maildir, `.eml` files.

A thread is a conversation, and so is a mailing list; who got a mail is told mail by mail. Mails come in any order (a folder by
the names of its files, an mbox by when a program moved them), so they are read twice: once for their headers, from which threads,
names and the owner's address follow, and once for what was written. Of a mail seen only numbers are held.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Assumed,
    Chat,
    Contact,
    Item,
    LeftOut,
    Line,
    Options,
    Skipped,
    Unread,
    plain_name,
)
from kithnet.network.importers.mail_body import body_of, table, words
from kithnet.network.importers.mail_boxes import RawMail, holds_mail, mails
from kithnet.runtime.errors import RecordError

name = "mail"

AUTOMATIC = "automatic"
"""The key of the chat that holds what machines wrote."""
OWN = 1_000
"""How often others have to call somebody by another name before it outweighs the name that a sender gives."""
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
MOST_ADDRESSES = 1_000
MOST_REFERENCES = 200
LONGEST_THREAD = 10_000
"""Answers to answers that are followed; mails that answer each other in a circle end there."""
EXPUNGED = 0x0008
"""Thunderbird's mark of a mail that was deleted and is still in the file."""
DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-delivered-to")


def claims(files: Files) -> bool:
    try:
        return holds_mail(files)
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every mail once, with the thread or the list it belongs to before it. Raises RecordError."""
    survey = _Survey()
    for raw in mails(files):
        survey.add(_Mail(raw))
    if not survey.mails:
        raise RecordError(f"{files.path.name} holds no mails", "give an .mbox file, a Maildir folder or .eml files")
    reader = _Reader(survey, options)
    for raw in mails(files):
        yield from reader.items(_Mail(raw, whole=True))
    if reader.twice:
        yield Assumed(f"{reader.twice:,} mails that are there more than once are read once")


def _number(*texts: str) -> int:
    """A short name of a long one, so that a million mails can be remembered."""
    joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(joined, digest_size=8).digest())


class _Mail:
    """One mail: its headers, and, where `whole`, its body."""

    def __init__(self, raw: RawMail, *, whole: bool = False) -> None:
        self.raw = raw
        self.message: Message = message_from_bytes(raw.raw) if whole else BytesHeaderParser().parsebytes(_head(raw.raw))
        self.fields: dict[str, list[str]] = {}
        for key, value in self.message.raw_items():
            self.fields.setdefault(key.lower(), []).append(str(value))

    def first(self, key: str) -> str:
        return next(iter(self.fields.get(key, ())), "")

    def ids(self, key: str) -> list[str]:
        """The Message-IDs in a header."""
        value = words(" ".join(self.fields.get(key, ())))
        found = [piece.partition(">")[0].strip() for piece in value.split("<")[1:]]
        return list(dict.fromkeys(each for each in found[-MOST_REFERENCES:] if each))

    def people(self, *keys: str) -> dict[str, str]:
        """Addresses and the names given with them, in order."""
        values = [" ".join(value.split()) for key in keys for value in self.fields.get(key, ())]
        found: dict[str, str] = {}
        for shown, address in getaddresses(values)[:MOST_ADDRESSES] if values else ():
            address = plain_name(words(address)).casefold()
            if "@" in address and " " not in address:
                found.setdefault(address, _person(words(shown), address))
        return found

    @cached_property
    def text_id(self) -> str:
        return next(iter(self.ids("message-id")), words(self.first("message-id")))

    @cached_property
    def id(self) -> int:
        """Of its Message-ID, else of what makes it this mail."""
        return _number(self.text_id or "\0".join(self.first(key) for key in ("date", "from", "to", "subject")))

    @cached_property
    def before(self) -> list[str]:
        """The Message-IDs of the mails that it answers, the oldest first."""
        references = [each for each in self.ids("references") if each != self.text_id]
        answered = [each for each in self.ids("in-reply-to") if each not in references and each != self.text_id]
        return references + answered[:1]

    @cached_property
    def sender(self) -> tuple[str, str]:
        """Address and name, ("", "") where none is given. A list that writes in its members' stead names them elsewhere."""
        fields = ("from", "sender", "return-path")
        for address, shown in ((a, n) for key in fields for a, n in self.people(key).items()):
            if self.list_id and address in (self.list_address, self.posted_to):
                told = self.people("x-original-from") or self.people("reply-to")
                told.pop(address, None)
                shown = shown.rpartition(" via ")[0].strip("' ") or shown
                return next(((a, n or shown) for a, n in told.items()), (address, shown))
            return address, shown
        return "", ""

    @cached_property
    def receivers(self) -> dict[str, str]:
        """Who got it, as far as it says: lists that it went to are nobody."""
        found = self.people("to", "cc", "bcc")
        for own in (self.list_address, self.posted_to) if self.list_id else ():
            found.pop(own, None)
        return found

    @property
    def posted_to(self) -> str:
        """The address of the list it came over, made of the list's id; "" where it went to no such one."""
        addresses = self.people("to", "cc")
        return next((each for each in addresses if self.list_id and each.replace("@", ".") == self.list_id), "")

    @cached_property
    def list_id(self) -> str:
        """The id of the list it came over, "" for none."""
        value = words(self.first("list-id"))
        return (value.rpartition("<")[2].partition(">")[0] if "<" in value else value).strip().casefold()

    @cached_property
    def list_address(self) -> str:
        post = self.first("list-post").casefold().partition("mailto:")[2]
        return post.partition(">")[0].partition("?")[0].strip()

    @cached_property
    def subject(self) -> tuple[str, bool]:
        """Without what programs put before it, and whether it answers or passes on."""
        return _cleaned(words(self.first("subject")), tagged=bool(self.list_id))

    @cached_property
    def at(self) -> datetime | None:
        """When it was sent, else when it was received; with its zone, where it has one."""
        stamps = [
            *self.fields.get("date", ())[:1],
            *(each.rpartition(";")[2] for each in self.fields.get("received", ())),
        ]
        return next((moment for stamp in stamps if (moment := _moment(stamp))), None)

    @property
    def left_out(self) -> LeftOut | None:
        """What it is where it is no mail of a person to another."""
        flags = self.raw.flags
        status = self.first("x-mozilla-status")
        if "T" in flags or (status and int(status, 16) & EXPUNGED if _is_hex(status) else False):
            return "deleted"
        if "D" in flags or "x-mozilla-draft-info" in self.fields:
            return "system"
        return "bots" if self.automatic else None

    @cached_property
    def automatic(self) -> bool:
        """Whether a machine wrote it: it says so, its sender does, or it is what shops and services send to thousands."""
        local = self.sender[0].partition("@")[0]
        if local in table("robots") or any(
            local.startswith((f"{each}-", f"{each}+", f"{each}.")) for each in table("robots")
        ):
            return True
        said = self.first("auto-submitted").split(";")[0].strip().lower()
        precedence = self.first("precedence").strip().lower()
        if said not in ("", "no") or precedence == "auto_reply" or "x-autoreply" in self.fields:
            return True
        if self.first("x-spam-flag").strip().lower() == "yes" or "Spam" in words(self.first("x-gmail-labels")).split(
            ","
        ):
            return True
        if self.list_address or self.posted_to:
            return False
        return precedence in ("bulk", "junk") or "list-unsubscribe-post" in self.fields or "feedback-id" in self.fields


def _head(raw: bytes) -> bytes:
    """The headers. A blank line ends them."""
    ends = [end for mark in (b"\n\n", b"\n\r\n") if (end := raw.find(mark)) >= 0]
    return raw[: min(ends) + 1] if ends else raw


def _is_hex(text: str) -> bool:
    return bool(text.strip()) and not text.strip().strip("0123456789abcdefABCDEF")


def _person(shown: str, address: str) -> str:
    """A name as given, "" where it is the address again."""
    shown = plain_name(shown).strip("'\" ")
    return "" if shown.casefold() == address or "@" in shown else shown


def _moment(stamp: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(" ".join(stamp.split()))
        if moment.tzinfo is None and "-0000" in stamp:
            moment = moment.replace(tzinfo=UTC)  # RFC 5322: the time is universal, the sender's zone is not told
        known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment if EARLIEST < known < LATEST else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _cleaned(subject: str, *, tagged: bool) -> tuple[str, bool]:
    """A subject without "Re:", "AW:", "Fwd:" and, on a list, its "[tag]"; and whether there was such a word."""
    subject, answers = plain_name(subject), False
    while True:
        first, colon, rest = subject.replace("：", ":", 1).partition(":")
        word = first.partition("[")[0].strip().casefold()
        if colon and len(first) < 16 and word in table("answers") | table("forwards"):
            subject, answers = rest.strip(), True
        elif tagged and subject.startswith("[") and subject.partition("]")[2].strip():
            subject = subject.partition("]")[2].strip()
        else:
            return subject, answers


@dataclass
class _Survey:
    """What the headers of all mails tell together. Message-IDs are held as numbers."""

    mails: int = 0
    parents: dict[int, int] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    guessed: dict[int, str] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    names: dict[str, Counter[str]] = field(default_factory=dict)
    delivered: Counter[str] = field(default_factory=Counter)
    _shared: dict[str, str] = field(default_factory=dict)

    def add(self, mail: _Mail) -> None:
        if not mail.sender[0]:
            return
        self.mails += 1
        for address, shown in (mail.sender, *mail.receivers.items()):
            names = self.names.setdefault(address, Counter())
            if shown:
                names[shown] += OWN if address == mail.sender[0] else 1
        for key in DELIVERED:
            self.delivered.update(list(mail.people(key))[:1])
        if not mail.list_id and not mail.automatic:
            self._thread(mail)

    def _thread(self, mail: _Mail) -> None:
        subject, answers = mail.subject
        subject = self._shared.setdefault(subject, subject)
        chain = [_number(each) for each in mail.before] + [mail.id]
        for parent, child in pairwise(chain):
            if child == mail.id:
                self.parents[child] = parent
            else:
                self.parents.setdefault(child, parent)
        if len(chain) > 1:
            self.guessed[chain[0]] = min(self.guessed.get(chain[0], subject), subject)
        elif answers:
            self.guessed[_topic(mail)] = subject
        else:
            self.titles[mail.id] = subject
            topic = _topic(mail)
            self.begun[topic] = min(self.begun.get(topic, mail.id), mail.id)

    def root(self, mail: _Mail) -> int:
        """The first mail of a thread. An answer that does not say to what belongs to the mail of its subject between the same
        people."""
        if not mail.before and mail.subject[1]:
            topic = _topic(mail)
            return self.begun.get(topic, topic)
        seen = [mail.id]
        while (parent := self.parents.get(seen[-1])) is not None and len(seen) < LONGEST_THREAD:
            seen.append(parent)
        root = seen[-1] if parent is None else min(seen)
        self.parents.update(
            (each, root) for each in seen[:-1] if each != root
        )  # the next one need not go the whole way
        return root

    def title(self, root: int) -> str:
        return self.titles.get(root) or self.guessed.get(root, "")

    def owners(self, options: Options) -> set[str]:
        """The addresses of whose mail it is: who `--me` names, else to whom most of it was delivered."""
        wanted = plain_name(options.me).casefold()
        if wanted:
            named = {a for a, names in self.names.items() if wanted in (a, *(each.casefold() for each in names))}
            if named:
                return named
        if not self.delivered:
            return set()
        address, times = self.delivered.most_common(1)[0]
        return {address} if 2 * times > self.delivered.total() else set()


def _topic(mail: _Mail) -> int:
    people = {mail.sender[0], *mail.receivers}
    return _number("topic", mail.subject[0].casefold(), *sorted(people))


class _Reader:
    """The second reading: what was written."""

    def __init__(self, survey: _Survey, options: Options) -> None:
        self.survey = survey
        self.options = options
        self.owners = survey.owners(options)
        self.seen: set[int] = set()
        self.announced: set[str] = set()
        self.twice = 0

    def items(self, mail: _Mail) -> Iterator[Item]:
        sender = mail.sender[0]
        if not sender:
            yield Unread(mail.raw.where, mail.raw.raw[:200].decode("utf-8", "replace").replace("\0", ""))
            return
        if mail.id in self.seen:
            self.twice += 1
            return
        self.seen.add(mail.id)
        left_out = mail.left_out
        chat = self._chat(mail, automatic=left_out == "bots")
        if chat.key not in self.announced:
            yield from self._people(chat.members)
            yield chat
            self.announced.add(chat.key)
        said = left_out or self._said(mail)
        if isinstance(said, str):
            yield Skipped(chat.key, said)
            return
        audience = None if mail.list_id else self._audience(mail)
        yield from self._people((sender, *(audience or ())))
        answered = mail.before[-1] if mail.before else ""
        yield Line(chat.key, sender, said[0], mail.at, mail.text_id, answered, audience=audience)

    def _said(self, mail: _Mail) -> tuple[str] | LeftOut:
        """Its text, or what it is instead. A mail may say all it says in its subject."""
        body = body_of(mail.message, listed=bool(mail.list_id))
        if body.text:
            return (body.text,)
        if body.media or body.passed_on:
            return "media"
        subject, answers = mail.subject
        return "system" if answers or not subject else (subject,)

    def _chat(self, mail: _Mail, *, automatic: bool) -> Chat:
        if automatic:
            return Chat(AUTOMATIC, "mail", "Automatic mail")
        owners = tuple(sorted(self.owners))
        if mail.list_id:
            title = words(mail.first("list-id")).partition("<")[0].strip(" \"'") or mail.list_id.partition(".")[0]
            return Chat(f"list:{mail.list_id}", "channel", plain_name(title), owners)
        root = self.survey.root(mail)
        return Chat(f"thread:{root:016x}", "mail", self.survey.title(root))

    def _audience(self, mail: _Mail) -> tuple[str, ...]:
        """Who got it, the sender left out. Who is not named and has it got it unseen."""
        named = {**mail.receivers}
        if not self.owners & {mail.sender[0], *named}:
            named.update(dict.fromkeys(sorted(self.owners)[:1], ""))
        return tuple(address for address in named if address != mail.sender[0])

    def _people(self, addresses: tuple[str, ...]) -> Iterator[Contact]:
        for address in addresses:
            if address not in self.announced:
                self.announced.add(address)
                yield self._contact(address)

    def _contact(self, address: str) -> Contact:
        names = self.survey.names.get(address, Counter())
        known = sorted(names, key=lambda each: (-names[each], -len(each), each))
        me = address in self.owners
        given = plain_name(self.options.me) if me else ""
        shown = given if given and given.casefold() != address else next(iter(known), address)
        return Contact(address, shown, tuple(each for each in known if each != shown), address=address, me=me)
