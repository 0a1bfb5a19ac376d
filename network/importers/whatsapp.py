"""WhatsApp's "Export chat": a text file on Android, a zip with `_chat.txt` on an iPhone, with or without the attached files.

A file is read three times: how its lines and dates are written; who takes part and who owns the device; the messages.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from kithnet.network.importers import whatsapp_words as words
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import (
    Assumed,
    Change,
    Chat,
    ChatKind,
    Contact,
    Item,
    Line,
    Options,
    Skipped,
    Unread,
)
from kithnet.network.importers.whatsapp_lines import Layout, Passage, Reading, begins, entries, layout
from kithnet.runtime.errors import InputError, RecordError

name = "whatsapp"

SHOWN = 200
"""Characters of a line that was not understood."""
NOBODY = "(me)"
"""The key of the device's owner where no name is known."""
ALWAYS = 3
"""Times that the same word stands between two colons before it is taken for a part of the name."""
MAIN = "_chat.txt"


def claims(files: Files) -> bool:
    """Whether a text file in there begins as WhatsApp's exports do."""
    try:
        return any(begins(files, text) for text in _candidates(files))
    except (InputError, OSError, ValueError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """The conversations of an export. Raises RecordError where there is none, InputError where its dates can be read in two
    ways."""
    texts = [text for text in _candidates(files) if begins(files, text)]
    if not texts:
        raise RecordError(*_nothing(files))
    for text in texts:
        yield from _conversation(files, text, options)


def _candidates(files: Files) -> list[str]:
    """The files that can be conversations: of a folder with `_chat.txt`, or with the text that its zip is named after, no
    other, for what else is there was sent in it."""
    texts = [text for text in files.names if len(files.names) == 1 or files.may_be(text, ".txt")]
    texts = [text for text in texts if not PurePosixPath(text).name.startswith("._")]
    whole = words.uncopied(files.path.name if files.path.is_dir() else files.path.stem)
    alone: dict[PurePosixPath, str] = {}
    for text in texts:
        path = PurePosixPath(text)
        if path.name.lower() == MAIN or words.uncopied(path.stem) == whole:
            alone[path.parent] = text
    return [text for text in texts if alone.get(PurePosixPath(text).parent, text) == text]


def _nothing(files: Files) -> tuple[str, str]:
    """The message for an export that is none, with its first lines."""
    texts = _candidates(files)
    first = [line[:SHOWN] for line in islice(files.lines(texts[0]), 3)] if texts else []
    shown = f"; it begins with: {' / '.join(map(words.plain, first))}" if first else ""
    hint = "in WhatsApp open the chat, choose Export chat, and give the file that it makes as it is"
    return f"{files.path.name} holds no conversation exported from WhatsApp{shown}", hint


def _conversation(files: Files, text: str, options: Options) -> Iterator[Item]:
    form = layout(files, text)
    if not form.forms:
        raise RecordError(f"{text} holds no message", "export the chat again, or copy it again: it is damaged")
    reading, why = form.forms[form.first].decide(text, options.dates)
    if why:
        yield Assumed(why)
    if form.quoted():
        yield Assumed(
            f"{form.quoted()} lines that look like messages of another export are read as quoted in a message"
        )
    title = _title(files, text) or words.tidy(options.title or "")
    cast = _cast(files, text, form, reading, (title, options.me or ""))
    who = _identity(cast, title, text, options)
    yield from who.contacts
    yield who.chat
    for entry in entries(files, text, form, reading):
        yield from _items(entry, reading, cast, who)


def _title(files: Files, text: str) -> str:
    """What the name of the file says, else of its folder, of the zip, of the folder around it."""
    path = PurePosixPath(text)
    places = [path.stem if path.suffix.lower() == ".txt" else path.name]
    if path.parent.name:
        places.append(path.parent.name)
    else:
        places += [files.path.stem if files.path.is_file() else files.path.name, files.path.absolute().parent.name]
    return next(filter(None, map(words.titled, places)), "")


@dataclass(slots=True)
class _Understood:
    """An entry that was understood. sender: "" where WhatsApp itself speaks. notice: its words then."""

    sender: str
    said: words.Content
    notice: str = ""


@dataclass(slots=True)
class _Cast:
    """Who takes part. writers: their names by key, in the order of appearance; wrote: the line where each did so first. moves:
    of the notices, with their lines. group: there is a notice that only groups have. named: what a notice calls the group.
    secured: whom an iPhone gives the notice of the encryption to, the group or the partner. mine: the owner's key."""

    longer: dict[str, str]
    unmarked: bool
    stand_ins: frozenset[str]
    writers: dict[str, str] = field(default_factory=dict)
    wrote: dict[str, int] = field(default_factory=dict)
    moves: list[tuple[int, words.MemberMove]] = field(default_factory=list)
    group: bool = False
    named: str = ""
    secured: str = ""
    mine: str = ""

    def row(self, entry: Passage) -> _Understood:
        """Who says what in an entry. An iPhone gives even notices a sender, who is nobody then."""
        parts = words.split(entry.text)
        if parts is None or words.is_notice(parts[0]):
            return _Understood("", words.Content("system"), entry.text)
        sender, rest = parts
        longer = self.longer.get(sender)
        if longer and rest.startswith(f"{longer}:"):
            sender, rest = f"{sender}: {longer}", rest[len(longer) + 1 :].removeprefix(" ")
        iphone = entry.header is not None and entry.header.shape[0] == "["
        if iphone and self.unmarked and words.of_oneself(sender, rest):
            return _Understood("", words.Content("system"), rest)
        said = words.said(rest, marked=iphone, stand_ins=self.stand_ins)
        return _Understood("" if said.kind == "system" else sender, said, rest)

    def known(self) -> frozenset[str]:
        return frozenset(self.writers)


def _cast(files: Files, text: str, form: Layout, reading: Reading, told: tuple[str, str]) -> _Cast:
    """The second pass over a file. told: names that the user or the name of the file gives."""
    wanted = [words.letters(given) for given in told if given]
    heads = [(head, count, more) for head, (count, more) in form.heads.items() if more]
    longer = {head: more for head, count, more in heads if count >= ALWAYS or words.letters(head + more) in wanted}
    cast = _Cast(longer, form.first[0] == "[" and not form.marks, form.stand_ins())
    for entry in entries(files, text, form, reading):
        if entry.header is None:
            continue
        row = cast.row(entry)
        if row.said.kind == "system":
            _notice(entry, row, cast)
        else:
            key = words.key(row.sender)
            cast.writers.setdefault(key, words.tidy(row.sender))
            cast.wrote.setdefault(key, entry.number)
            cast.mine = key if row.said.mine else cast.mine
    return cast


def _notice(entry: Passage, row: _Understood, cast: _Cast) -> None:
    """What a notice tells of the conversation."""
    if not cast.secured and words.of_encryption(row.notice) and row.notice != entry.text:
        cast.secured = words.tidy(entry.text.removesuffix(row.notice).rstrip(" :"))
    move = words.moves(row.notice)
    if move is not None:
        cast.moves.append((entry.number, move))
    elif words.of_a_group(row.notice):
        cast.named = words.quoted(row.notice) or cast.named
    else:
        return
    cast.group = True


@dataclass(frozen=True, slots=True)
class _Identity:
    """The conversation and its people. me: the owner's key, "" where nobody knows who that is."""

    chat: Chat
    contacts: tuple[Contact, ...]
    me: str


def _identity(cast: _Cast, title: str, text: str, options: Options) -> _Identity:
    """Who the people are, and what the conversation is."""
    title = title or cast.secured
    partner = next((key for key, name in cast.writers.items() if title and words.alike(name, title)), "")
    stranger = bool(title) and not partner and len(cast.writers) > 1
    kind: ChatKind = "group" if cast.group or len(cast.writers) > 2 or stranger else "dyad"
    me = _owner(cast, partner if kind == "dyad" else "", title, options)
    people = dict(cast.writers)
    if kind == "dyad" and title and not partner:
        partner = words.key(title)
        people[partner] = title
    first = _arrivals(cast, me, people)
    if not me and (options.me or kind == "dyad") and (kind == "group" or len(people) < 2):
        me = words.key(options.me or "") or NOBODY
        first[me] = first.pop("", False)
    if me:
        asked, written = words.tidy(options.me or ""), people.get(me, "")
        people[me] = written if not asked or words.alike(asked, written) else asked
        people[me] = "Me" if people[me].casefold() in {"", *words.table()["yourself"]} else people[me]
    first.pop("", None)
    members = tuple(key for key in people if not first.get(key))
    other = next((key for key in people if me and key != me), "") if kind == "dyad" and not title else ""
    if kind == "dyad":
        called = "dyad:" + (partner or other or "+".join(sorted(people)))
    else:
        title = title or cast.named or words.uncopied(PurePosixPath(text).stem)
        called = f"group:{title.casefold()}"
    chat = Chat(called, kind, title if kind == "group" else "", members)
    return _Identity(chat, tuple(_contact(key, shown, cast, me) for key, shown in people.items()), me)


def _contact(key: str, shown: str, cast: _Cast, me: str) -> Contact:
    written = cast.writers.get(key, shown)
    aliases = () if written == shown else (written,)
    return Contact(key, shown, aliases, words.number(written), me=key == me)


def _owner(cast: _Cast, partner: str, title: str, options: Options) -> str:
    """The key of the writer whose device it was, as the user says, as a message that "you" deleted says, as the one who is not
    the partner in a conversation of two."""
    given = next((key for key, name in cast.writers.items() if options.me and words.alike(name, options.me)), "")
    others = [key for key in cast.writers if key != partner]
    alone = (partner or (title and not cast.group)) and len(cast.writers) <= 2 and len(others) == 1
    yourself = next((key for key in cast.writers if key in words.table()["yourself"]), "")
    return given or cast.mine or yourself or (others[0] if alone else "")


def _arrivals(cast: _Cast, me: str, people: dict[str, str]) -> dict[str, bool]:
    """Of everybody the notices name, whether they came by joining; the rest were there from the beginning. Adds to `people`
    who never wrote. The owner is "" as long as nobody knows who that is."""
    first: dict[str, bool] = {}
    known = cast.known()
    for number, move in cast.moves:
        for key, shown in words.movers(move, known, me):
            if key:
                people.setdefault(key, shown)
            if cast.wrote.get(key, number) >= number:
                first.setdefault(key, move.joined)
    return first


def _items(entry: Passage, reading: Reading, cast: _Cast, who: _Identity) -> Iterator[Item]:
    at = entry.header.at(reading) if entry.header else None
    if at is None:
        yield Unread(f"line {entry.number}", words.plain(entry.text)[:SHOWN])
        return
    row = cast.row(entry)
    if row.said.kind == "line":
        yield Line(who.chat.key, words.key(row.sender), row.said.text, at)
        return
    yield Skipped(who.chat.key, row.said.kind)
    move = words.moves(row.notice) if row.said.kind == "system" else None
    for key, _ in words.movers(move, cast.known(), who.me) if move else ():
        if key:
            yield Change(who.chat.key, key, move.joined if move else False, at)
