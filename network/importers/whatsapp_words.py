"""What WhatsApp itself writes into an export, told from what people wrote: deleted messages, files, polls, notices."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal
from unicodedata import normalize

MARKS = "\0\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Characters nobody sees, as the inside of a character class: direction, byte order, and the NUL that some phones write."""

Kind = Literal["line", "media", "deleted", "system"]

_MARK = re.compile(f"[{MARKS}]")
_QUOTE = re.compile('["“”„«»「」]')
_UNSEEN = {ord(c): None for c in "\0\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_FILE_ON_ANDROID = re.compile(r"(?P<name>[^\n]+\.\w{1,5}) \((?P<word>[^()\n]+)\)")
_SENT_ON_ANDROID = re.compile(r"[A-Z]{3}-\d{8}-WA\d{4,}\.\w{1,5}")
_FILE_ON_IPHONE = re.compile(r"<(?P<word>[^<>:\n]{1,30}?)\s?: ?(?P<name>[^<>\n]+)>")
_NUMBERED = re.compile(r"\d{8}-[^<>\n]+\.\w+")
_PLACE = re.compile(r"[^\n:]{1,40}: (?:[^\n]*[:\s(])?https://(?:maps\.google\.com/(?:maps)?\?q=|foursquare\.com/v/)\S+")
_POLL_HEAD = re.compile(r"[^\W\d_]+ ?[:：]")
_POLL_CHOICE = re.compile(r"[^\W\d_]+ ?[:：] (?P<choice>.*) \(\d+ [^()]+\)")
_SENTENCES = re.compile(r"\w{5,}\. ")
"""Who joined or left is said in one sentence; a shorter word with a point is a part of a name."""
_LONGEST_NAME = 100
SENTENCE = 20
"""Characters from which on the beginning of a placeholder is nobody's own words, on any telephone."""


@cache
def table() -> dict[str, frozenset[str]]:
    """The words of whatsapp.toml, by their kind."""
    raw = tomllib.loads(files(__package__).joinpath("whatsapp.toml").read_text("utf-8"))
    return {kind: frozenset(normalize("NFC", text).casefold() for text in texts) for kind, texts in raw.items()}


@cache
def _beginnings(kind: str) -> tuple[str, ...]:
    return tuple(text.removesuffix("*") for text in table()[kind] if text.endswith("*"))


@cache
def _all(kind: str) -> tuple[str, ...]:
    return tuple(table()[kind])


def plain(text: str) -> str:
    """A text without the characters nobody sees."""
    return text.translate(_UNSEEN) if _MARK.search(text) else text


@lru_cache(65_536)
def tidy(name: str) -> str:
    """A name in NFC with single spaces, without the "~" before a name that its bearer chose."""
    bare = " ".join(normalize("NFC", plain(name)).split())
    return bare.removeprefix("~").strip() or bare


def same(text: str) -> str:
    """What of a text counts when it is compared with the table."""
    return normalize("NFC", " ".join(plain(text).replace("’", "'").split())).casefold().strip("<>").rstrip(".。।۔ ")


@dataclass(frozen=True, slots=True)
class Content:
    """What a message is: its kind, its text where people wrote it, and whether its sender must be the device's owner."""

    kind: Kind
    text: str = ""
    mine: bool = False


def said(raw: str, *, marked: bool, stand_ins: frozenset[str] = frozenset()) -> Content:
    """Tell what stands behind a name. marked: the export is an iPhone's, which puts U+200E before what nobody wrote. stand_ins:
    what this export writes in a file's place."""
    text = _unedited(raw)
    bare = plain(text).strip()
    if not bare or bare == "null":
        return Content("media")  # what may be seen once, and what the phone did not know how to write
    own = marked and text.lstrip(" \0\ufeff").startswith("\u200e")
    found = _placeholder(bare, own) if own or len(bare) < 250 else None
    if found:
        return found
    poll = _poll(bare)
    if poll:
        return Content("line", poll)
    first, _, below = bare.partition("\n")
    caption = _words(below) if first in stand_ins else _caption(text, bare)
    if caption is not None:
        return Content("line", caption) if caption else Content("media")
    return Content("system") if own else Content("line", bare)


def _placeholder(bare: str, own: bool) -> Content | None:
    """What WhatsApp says in the place of a message. own: it is sure that no person wrote it, so that its beginning is enough."""
    whole = same(bare)
    for kind, deleted in (("deleted", True), ("deleted_by_me", True), ("system", False)):
        if whole in table()[kind] or (f"{whole}*" in table()[kind]):
            return Content("deleted" if deleted else "system", mine=kind == "deleted_by_me")
    if whole.startswith(_all("deleted_by")):
        return Content("deleted")
    if whole.startswith(_all("encryption")) or (own and whole.startswith(_beginnings("system"))):
        return Content("system")
    once = tuple(text for text in _beginnings("omitted") if own or len(text) >= SENTENCE)
    return Content("media") if whole.startswith(once) else None


def _unedited(raw: str) -> str:
    """A text without the mark that it was edited, which stands at its end."""
    text = raw.rstrip()
    if not plain(text[-3:]).rstrip().endswith(">"):
        return text
    at = text.rfind("<")
    return text[:at].rstrip(" \n\u200e") if at >= 0 and same(text[at:]) in table()["edited"] else text


def _caption(text: str, bare: str) -> str | None:
    """What was written beside a file, "" where nothing was, None where there is no file."""
    first, _, below = bare.partition("\n")
    if (first.endswith(")") and _android_file(first, text)) or (len(first) < 80 and same(first) in table()["omitted"]):
        return _words(below)
    if "<" in bare:
        for found in _FILE_ON_IPHONE.finditer(bare):
            if same(found["word"]) in table()["attached"] or _NUMBERED.fullmatch(found["name"]):
                return _words(f"{bare[: found.start()].strip()}\n{bare[found.end() :].strip()}")
    if "\u200e" in text:
        before, _, last = text.rpartition("\u200e")
        if same(last) in table()["omitted"]:
            return _words(plain(before))
    if bare.endswith(_all("omitted")) and "\n" not in bare:
        left = next(phrase for phrase in _all("omitted") if bare.endswith(phrase))
        if not _words(bare.removesuffix(left)):
            return ""
    return "" if _PLACE.fullmatch(bare) else None


def _android_file(first: str, text: str) -> bool:
    found = _FILE_ON_ANDROID.fullmatch(first)
    if found is None:
        return False
    sure = text.lstrip().startswith("\u200e") or _SENT_ON_ANDROID.fullmatch(found["name"].strip())
    return bool(sure) or same(found["word"]) in table()["attached"]


def _words(caption: str) -> str:
    """A caption, "" where it is the name of the file that was left out: "menu.pdf", "menu.pdf • 3 pages"."""
    bare = caption.strip()
    name = re.split(r"\s•|\s*$", bare, maxsplit=1)[0]
    ending = name.rpartition(".")[2].casefold()
    named = "\n" not in bare and "." in name and ending in table()["extensions"]
    return "" if named else bare


def _poll(bare: str) -> str:
    """The question and the choices of a poll, as they were written; "" for anything else."""
    head, _, rest = bare.partition("\n")
    if not rest or not _POLL_HEAD.fullmatch(head) or head != head.upper():
        return ""
    lines = rest.split("\n")
    choices = [_POLL_CHOICE.fullmatch(line.strip()) for line in lines]
    if choices[0] or not any(choices):
        return ""
    return "\n".join(choice["choice"] if choice else line for choice, line in zip(choices, lines, strict=True)).strip()


def split(text: str) -> tuple[str, str] | None:
    """The name and the words of an entry, None where WhatsApp itself speaks. A colon inside quotation marks, as in the notice
    of a group's new name, ends no name."""
    at = text.find(":")
    while at >= 0 and text[at + 1 : at + 2] not in ("", " ", "\n", "\u200e"):
        at = text.find(":", at + 1)
    name = text[:at] if at > 0 else ""
    if (
        not name
        or "\n" in name
        or len(name) > _LONGEST_NAME
        or not tidy(name)
        or (_QUOTE.search(name) and _open_quote(name))
    ):
        return None
    return name, text[at + 1 :].removeprefix(" ")


def _open_quote(text: str) -> bool:
    """Whether a quotation begins in a text and does not end in it. “ begins one in English and ends one in German."""
    curly = sum(text.count(mark) for mark in "“”„")
    return bool(
        text.count('"') % 2 or curly % 2 or text.count("«") != text.count("»") or text.count("「") != text.count("」")
    )


@dataclass(frozen=True, slots=True)
class MemberMove:
    """Somebody joined or left. who: as it is written, several with commas; "" is the owner of the device."""

    joined: bool
    who: str


@cache
def _templates() -> tuple[tuple[bool, re.Pattern[str]], ...]:
    """The notices of who joined and left, the most telling first: longer ones, and those that name an actor."""
    made = []
    for kind in ("joined", "left", "joined_me", "left_me"):
        for text in sorted(table()[kind], key=len, reverse=True):
            pattern = re.escape(text).replace(r"\{x\}", "(?P<who>.+)").replace(r"\{a\}", ".+?").replace(r"\*", ".*")
            made.append((kind.startswith("joined"), re.compile(pattern, re.IGNORECASE)))
    return tuple(made)


def moves(notice: str) -> MemberMove | None:
    """Who joined or left, in a language whose notices are known."""
    text = " ".join(plain(notice).replace("’", "'").split()).rstrip(".")
    if len(text) > 2000 or _SENTENCES.search(text):
        return None
    for joined, pattern in _templates():
        found = pattern.fullmatch(text)
        if found:
            who = found.groupdict().get("who") or ""
            if any(thing in who.casefold() for thing in table()["things"]):
                return None
            return MemberMove(joined, "" if who.casefold() in table()["you"] else who)
    return None


@lru_cache(65_536)
def is_notice(name: str) -> bool:
    """Whether what stands before a colon is the notice of a change, whose words after the colon are not a person's."""
    text = " ".join(plain(name).replace("’", "'").split())
    return " " in text and any(pattern.fullmatch(text) for _, pattern in _templates())


def of_a_group(notice: str) -> bool:
    """Whether only a group has such a notice."""
    text = " ".join(plain(notice).replace("’", "'").split()).casefold()
    return any(phrase in text for phrase in table()["group"])


def quoted(notice: str) -> str:
    """The last name in quotation marks, "" where there is none: what a group was named."""
    found = re.findall(r"[\"“„«「]([^\"“”„«»「」\n]+)[\"”“»」]", plain(notice))
    return tidy(found[-1]) if found else ""


def movers(move: MemberMove, known: frozenset[str], me: str) -> list[tuple[str, str]]:
    """The keys and names of those who moved: of "Anna, Ben and you" three. known: keys of people, whose names are not cut."""
    if not move.who or key(move.who) in known:
        return [(key(move.who) if move.who else me, tidy(move.who))]
    found = []
    for part in move.who.split(", "):
        pieces = [part]
        for word in table()["and"]:
            if key(part) not in known and word in part.strip():
                pieces = [*part.rsplit(word, 1)]
                break
        found += [
            (me if piece.casefold() in table()["you"] else key(piece), tidy(piece)) for piece in pieces if tidy(piece)
        ]
    return found


def of_oneself(sender: str, notice: str) -> bool:
    """Whether words under a name can only be a notice about it, in an iPhone's export that has lost its marks."""
    about = plain(notice).startswith(tidy(sender)) or plain(notice).casefold().startswith("you ")
    return about and (moves(notice) is not None or of_a_group(notice))


def of_encryption(notice: str) -> bool:
    """Whether it says that the conversation is encrypted."""
    return same(notice).startswith(_all("encryption"))


def letters(name: str) -> str:
    """What a file's name keeps of a name for sure."""
    bare = tidy(name).casefold()
    return "".join(c for c in bare if c.isalnum()) or bare


def alike(name: str, title: str) -> bool:
    """Whether a title means a writer."""
    return key(name) == key(title) or letters(name) == letters(title)


@lru_cache(65_536)
def key(name: str) -> str:
    """What identifies a person in an export, which knows names and numbers only: "~Anna" is not the Anna in the address book."""
    bare = " ".join(normalize("NFC", plain(name)).split()).casefold()
    if bare.startswith("~"):
        return f"~{bare[1:].strip()}"
    return number(bare) or bare


def number(name: str) -> str:
    """A telephone number without its spaces, "" where the name is none."""
    bare = "".join(c for c in tidy(name) if c not in " -()./\u2010\u2011\u00ad")
    return bare if bare.startswith("+") and bare[1:].isdigit() and len(bare) > 6 else ""


def titled(stem: str) -> str:
    """The conversation that a file's name tells, "" where it tells none. Copies are told by "(1)"."""
    stem = stem.encode("utf-8", "replace").decode()
    name = normalize("NFC", plain(stem if " " in stem else stem.replace("_", " ")))
    name = uncopied(" ".join(name.split()))
    for pattern in _names():
        found = pattern.fullmatch(name)
        if found:
            return tidy(found[1])
    return ""


def uncopied(stem: str) -> str:
    """A file's name without what a second download adds to it."""
    return re.sub(r"(?:\s*\(\d{1,3}\)| - copy| - kopie| copy)+$", "", stem, flags=re.IGNORECASE).strip()


@cache
def _names() -> tuple[re.Pattern[str], ...]:
    ordered = sorted(table()["names"], key=len, reverse=True)
    return tuple(re.compile(re.escape(text).replace(r"\{x\}", "(.+)"), re.IGNORECASE) for text in ordered)
