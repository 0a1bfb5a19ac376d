"""iMessage as imessage-exporter writes it as text: a file for each chat, a block for each message.

A block is a line with the time, one with the sender, then what the message holds: its words, and, with nothing to tell them
apart but their form, the paths of what came with it, reactions, previews of links, what was edited, and a copy of every reply,
indented. A line with the time and more behind it is a happening ("… Rosa named the conversation Choir").
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath

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
from kithnet.runtime.errors import RecordError

name = "imessage"

ME = "me"
"""The key of the device's owner."""
OWN = frozenset({"me", "you"})
LOOKED_AT = 200
STAMP = re.compile(r"([A-Z][a-z]{2} \d{1,2}, \d{4} {1,2}\d{1,2}:\d{2}:\d{2} [AP]M)(?: \(Read by .*\))?")
MONTHS = {
    month: number for number, month in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
EDITED = re.compile(r"Edited (.{1,80}?) later: (.*)", re.DOTALL)
LENGTH = re.compile(r"(\d+) (day|hour|minute|second)")
NOBODY = re.compile(r"orphaned|chat\d+")
"""Files that are not called after a person: what belongs to no chat, and groups without a name."""
SUFFIX = re.compile(r" - \d+$")
INDENT = "    "
REACTIONS = frozenset({"Tapbacks:", "Reactions:"})
REPLY = "This message responded to an earlier message."
DELETED = "This message was deleted from the conversation!"
UNSENT = (" unsent this message part", " deleted a message.", " unsent a message!")
HAPPENINGS = frozenset({"SharePlay Message", "Started sharing location!", "Stopped sharing location!"})
TRANSLATED = "Translated from:"
LOST = "Attachment missing!"
SENT_WITH = frozenset(
    f"Sent with {effect}"
    for effect in (
        "Confetti,Echo,Fireworks,Balloons,Heart,Lasers,Shooting Star,Shooting Start,Sparkles,Spotlight,"
        "Slam,Loud,Gentle,Invisible Ink,Celebration"
    ).split(",")
)
FOLDERS = ("/", "~/", "attachments/", "Library/")
MEDIA = frozenset(
    ".heic .heif .jpg .jpeg .png .gif .webp .tiff .mov .mp4 .m4v .m4a .caf .amr .mp3 .wav .pdf .vcf".split()
) | {".pluginpayloadattachment"}
JOINED = re.compile(r"(.+) added (.+) to the conversation\.")
REMOVED = re.compile(r"(.+) removed (.+) from the conversation\.")
LEFT = re.compile(r"(.+) left the conversation\.")


def claims(files: Files) -> bool:
    try:
        return any(_fits(files, file) for file in files.names[:LOOKED_AT])
    except (RecordError, OSError):
        return False


def read(files: Files, options: Options) -> Iterator[Item]:
    """Every chat of the export. Raises RecordError."""
    found = [file for file in files.names if _fits(files, file)]
    if not found:
        hint = "give the folder that imessage-exporter wrote with --format txt"
        raise RecordError(f"{files.path.name} holds no chats of imessage-exporter", hint)
    announced: set[str] = set()
    for file in found:
        yield from _Talk(files, file, options, announced).items()


def _fits(files: Files, file: str) -> bool:
    if not files.may_be(file, ".txt"):
        return False
    lines = files.head(file, 4096).decode("utf-8", "replace").removeprefix("\ufeff").lstrip("\r\n").splitlines()
    if len(lines) < 2 or _moment(lines[0]) is None:
        return False
    plain = STAMP.fullmatch(lines[0].strip())
    return _happening(lines[0]) is not None or bool(plain and lines[1].strip() and _moment(lines[1]) is None)


def _moment(line: str) -> datetime | None:
    """The time at the beginning of a line. Month names are English whatever the machine's language is."""
    found = STAMP.match(line)
    if not found:
        return None
    month, day, year, clock, half = found[1].replace(",", "").split()
    hour, minute, second = map(int, clock.split(":"))
    try:
        return datetime(
            int(year), MONTHS.get(month, 0), int(day), hour % 12 + (12 if half == "PM" else 0), minute, second
        )
    except ValueError:
        return None


def _happening(line: str) -> str | None:
    """What a line tells behind its time, None for a line of another kind."""
    found = STAMP.match(line)
    rest = line[found.end() :].strip() if found and _moment(line) else ""
    return rest or None


@dataclass
class _Block:
    """number: of its first line. lines: behind the sender's, the indented ones too."""

    number: int
    stamp: str
    sender: str = ""
    happening: str = ""
    lines: list[str] = field(default_factory=list)


def _blocks(files: Files, file: str) -> Iterator[_Block | tuple[int, str]]:
    """A file's blocks, and lines that belong to none. A block begins behind a blank line, and its words may hold such lines."""
    block: _Block | None = None
    blank = True
    for number, line in enumerate(files.lines(file), start=1):
        line = line.removeprefix("\ufeff") if number == 1 else line
        if blank and _moment(line):
            if block:
                yield block
            block = _Block(number, line.strip(), happening=_happening(line) or "")
        elif block and not block.happening and not block.sender:
            block.sender = plain_name(line)
        elif block and not (block.happening and line.strip()):
            block.lines.append(line)
        elif line.strip():
            yield number, line
        blank = not line.strip()
    if block:
        yield block


@dataclass(frozen=True, slots=True)
class _Said:
    """What a message's lines come to."""

    text: str
    left_out: LeftOut
    edited: timedelta | None
    replies: tuple[tuple[str, str], ...]


class _Talk:
    """One file. It is read twice: who takes part decides what kind of chat it is."""

    def __init__(self, files: Files, file: str, options: Options, announced: set[str]) -> None:
        self.files, self.file, self.options, self.announced = files, file, options, announced
        self.stem = plain_name(PurePosixPath(file).stem)
        self.title = SUFFIX.sub("", self.stem)
        self.times: Counter[str] = Counter()
        self.answers: dict[tuple[str, str], str] = {}

    def items(self) -> Iterator[Item]:
        yield from self._chat()
        for block in _blocks(self.files, self.file):
            if isinstance(block, tuple):
                yield Unread(f"{self.file}, line {block[0]}", plain_text(block[1])[:200])
            elif block.happening:
                yield from self._happened(block)
            elif not block.sender:
                yield Unread(f"{self.file}, line {block.number}", plain_text(block.stamp)[:200])
            else:
                yield from self._message(block)

    def _message(self, block: _Block) -> Iterator[Item]:
        said = _said(block.lines)
        source_id = self._source_id(block)
        self.answers.update(dict.fromkeys(said.replies, source_id))
        if not said.text:
            yield Skipped(self.stem, said.left_out)
            return
        at = _moment(block.stamp)
        reply_to = self.answers.pop((_plain(block.stamp), block.sender), "")
        edited = at + said.edited if at and said.edited else None
        yield from self._contact(block.sender)
        yield Line(self.stem, self._key(block.sender), said.text, at, source_id, reply_to, edited)

    def _source_id(self, block: _Block) -> str:
        """The export has no ids: the time, the sender, and which of that second it is."""
        mark = f"{_plain(block.stamp)} {self._key(block.sender)}"
        self.times[mark] += 1
        return f"{mark} {self.times[mark]}" if self.times[mark] > 1 else mark

    def _happened(self, block: _Block) -> Iterator[Item]:
        told = block.happening
        yield Skipped(self.stem, "deleted" if told.endswith(UNSENT) else "system")
        for who, joined in _moves(told):
            yield from self._contact(who)
            yield Change(self.stem, self._key(who), joined, _moment(block.stamp))

    def _chat(self) -> Iterator[Item]:
        senders: dict[str, None] = {}
        first: dict[str, bool] = {}
        for block in _blocks(self.files, self.file):
            if isinstance(block, tuple):
                continue
            for who, joined in _moves(block.happening):
                first.setdefault(self._key(who), joined)
            if block.sender:
                senders[block.sender] = None
        others = [sender for sender in senders if self._key(sender) != ME]
        named = SUFFIX.search(self.stem) or ", " in self.title or NOBODY.fullmatch(self.stem)
        dyad = len(others) < 2 and not first and not named
        members = others if others or not dyad else [self.title]
        for who in [*members, "Me"]:
            yield from self._contact(who)
        stay = [self._key(who) for who in members if first.get(self._key(who)) is not True]
        left = [key for key, joined in first.items() if not joined and key in self.announced]
        yield Chat(
            self.stem, "dyad" if dyad else "group", "" if dyad else self.title, tuple(dict.fromkeys([*stay, *left, ME]))
        )

    def _key(self, who: str) -> str:
        """Who wrote under the name that `--me` tells is the owner too: the exporter can be given another word for "Me"."""
        folded = who.casefold()
        return ME if folded in OWN or folded == plain_name(self.options.me).casefold() else folded

    def _contact(self, who: str) -> Iterator[Contact]:
        key = self._key(who)
        if key not in self.announced:
            self.announced.add(key)
            shown = (plain_name(self.options.me) or "Me") if key == ME else who
            digits = who.replace(" ", "").replace("-", "").replace("(", "").replace(")", "")
            number = digits.startswith("+") and digits[1:].isdigit()
            yield Contact(key, shown, address=who if number or ("@" in who and " " not in who) else "", me=key == ME)


def _plain(stamp: str) -> str:
    found = STAMP.match(stamp)
    return " ".join((found[1] if found else stamp).split())


def _moves(told: str) -> list[tuple[str, bool]]:
    """Who joined or left by a happening."""
    if found := JOINED.fullmatch(told):
        return [(plain_name(found[2]), True)]
    if found := REMOVED.fullmatch(told):
        return [(plain_name(found[2]), False)]
    if found := LEFT.fullmatch(told):
        return [(plain_name(found[1]), False)]
    return []


def _said(lines: list[str]) -> _Said:
    """Parts a message's words from what the exporter adds."""
    kept: list[str] = []
    left_out: LeftOut = "system"
    replies: list[tuple[str, str]] = []
    reacting = indented = False
    for place, line in enumerate(lines):
        text = line.strip().replace("\ufffc", "")
        if line.startswith(INDENT) and (reacting or indented or _moment(text)):
            if _moment(text):
                replies.append((_plain(text), plain_name(lines[place + 1]) if place + 1 < len(lines) else ""))
                reacting, indented = False, True
            continue
        indented = indented and not text
        if text in REACTIONS or (reacting and " by " in text) or (reacting and text.startswith("Sticker from ")):
            reacting = True
            continue
        reacting = False
        if text == DELETED:
            return _Said("", "deleted", None, ())
        if _is_media(text) or (left_out == "media" and not kept and text.startswith("Transcription: ")):
            left_out = "media"
        elif _is_unsent(text):
            left_out = "deleted" if left_out == "system" else left_out
        elif text == TRANSLATED:
            kept.clear()
        elif text in HAPPENINGS and not kept:
            return _Said("", "system", None, tuple(replies))
        elif text != REPLY and text not in SENT_WITH:
            kept.append(line.replace("\ufffc", ""))
    text, edited = _latest(plain_text("\n".join(kept)))
    return _Said(_without_preview(text), left_out, edited, tuple(replies))


def _is_unsent(text: str) -> bool:
    return any(mark in text for mark in UNSENT) and text.endswith(("!", "."))


def _is_media(text: str) -> bool:
    """A path or a file's name. Words may hold a slash: a path begins in one of the places where attachments are."""
    if text == LOST or text.startswith(("Sticker from ", "Outline Sticker from ")) or " Sticker from " in text[:40]:
        return True
    path = PurePosixPath(text)
    known = path.suffix.lower() in MEDIA and "://" not in text
    if text.startswith(FOLDERS) and text.count("/") > 1:
        return known or "Library/" in text or text.startswith("attachments/")
    return known and " " not in text and text.count("/") != 1


def _latest(text: str) -> tuple[str, timedelta | None]:
    """The last of a message's versions, and how long after the first it was written."""
    if _moment(text) is None or "\nEdited " not in text:
        return text, None
    passed = timedelta()
    latest = _happening(text.partition("\nEdited ")[0]) or ""
    for version in text.split("\nEdited ")[1:]:
        found = EDITED.fullmatch(f"Edited {version}")
        if not found:
            latest += f"\nEdited {version}"
            continue
        latest = found[2]
        for count, unit in LENGTH.findall(found[1]):
            passed += timedelta(**{f"{unit}s": min(int(count), 100_000)})
    return plain_text(latest), passed


def _without_preview(text: str) -> str:
    """A link that stands alone is followed by the title and the summary of its page."""
    first, _, rest = text.partition("\n")
    link = first.strip().startswith(("http://", "https://")) and " " not in first.strip()
    return first.strip() if link and rest else text
