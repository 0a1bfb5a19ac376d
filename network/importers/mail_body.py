"""What the sender of a mail wrote: its text without quoted mails, signatures and the footers of lists.

HTML becomes text with html-text; where somebody else's words begin is found by quotequail, which knows how programs announce
them in ten languages. Quotes that are marked (">" in text, <blockquote> in HTML) need no language.
"""

import codecs
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any

import html_text
import lxml.html
import quotequail
from lxml.etree import LxmlError, ParserError

from kithnet.network.importers.items import plain_text

TABLE = Path(__file__).with_name("mail.toml")
WIDER = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso8859-9": "cp1254",
}
"""What programs mean that name the charset on the left."""
MOST_LINES = 5_000
"""Lines of a text in which quotes are looked for."""
LONGEST_ATTRIBUTION = 4
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
FOOTER = 30
"""Underscores or dashes from which a line is the beginning of a list's footer."""
QUOTED_CLASSES = frozenset({"yahoo_quoted", "protonmail_quote", "moz-cite-prefix"})
SIGNATURE_CLASSES = frozenset({"gmail_signature", "moz-signature", "protonmail_signature_block"})
SIGNATURE_IDS = frozenset({"signature", "applemailsignature", "ms-outlook-mobile-signature"})


@dataclass(frozen=True, slots=True)
class Body:
    """text: what the sender wrote. media: whether something else came with it. passed_on: whether words of others did."""

    text: str
    media: bool
    passed_on: bool


@cache
def table(name: str) -> frozenset[str]:
    """One of the lists of `mail.toml`."""
    return frozenset(tomllib.loads(TABLE.read_text(encoding="utf-8"))[name])


def body_of(message: Message, *, listed: bool) -> Body:
    """listed: the mail came over a list, which may have put a footer under it."""
    shown: list[str] = []
    media = False
    for part, is_text in _parts(message):
        if is_text:
            shown.append(_shown(part))
        else:
            media = True
    whole = plain_text("\n\n".join(text for text in shown if text.strip()).replace("\ufffc", ""))
    own = plain_text(own_words(whole, listed=listed))
    return Body(own, media, bool(whole) and not own)


def words(raw: str) -> str:
    """A header's value as people read it: encoded words decoded, bytes that were not encoded too. Never raises."""
    line = decoded(" ".join(raw.split()).encode("utf-8", "surrogateescape"), "")
    if "=?" not in line:
        return plain_text(line)
    try:
        pieces = decode_header(line)
    except (HeaderParseError, ValueError):
        return plain_text(line)
    return plain_text("".join(_piece(piece, charset) for piece, charset in pieces))


def _piece(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    return decoded(piece, charset) if charset else piece.decode("raw-unicode-escape", "replace")


def decoded(data: bytes, charset: str) -> str:
    """The text of `data`: by its charset where that holds, else UTF-8, else Windows' western one."""
    for encoding in dict.fromkeys((_codec(charset), "utf-8", "cp1252")):
        try:
            if encoding:
                return data.decode(encoding)
        except (UnicodeError, LookupError, ValueError):
            continue
    return data.decode("latin-1")


def _codec(charset: str) -> str:
    try:
        found = codecs.lookup(charset.strip(" \"'") or "-")
    except (LookupError, ValueError):
        return ""
    return WIDER.get(found.name, found.name)


def _parts(message: Message) -> Iterator[tuple[Message, bool]]:
    """The parts that are shown, in order, and whether each is text: of alternatives the plain one, unless it is empty."""
    kind = message.get_content_type()
    children = message.get_payload() if message.is_multipart() else None
    if kind.startswith("message/") or not isinstance(children, list):
        inline = (message.get_content_disposition() or "inline") != "attachment" and not message.get_filename()
        yield message, inline and kind in ("text/plain", "text/html")
    elif kind == "multipart/alternative":
        choices = [list(_parts(child)) for child in children if isinstance(child, Message)]
        choices.sort(key=lambda choice: not any(is_text and _is_plain(part) for part, is_text in choice))
        full = (choice for choice in choices if any(is_text and _shown(part).strip() for part, is_text in choice))
        yield from next(full, choices[0] if choices else [])
    else:
        for child in children:
            if isinstance(child, Message):
                yield from _parts(child)


def _is_plain(part: Message) -> bool:
    return part.get_content_type() == "text/plain"


def _shown(part: Message) -> str:
    try:
        payload = part.get_payload(decode=True)
    except (MessageError, ValueError, LookupError):
        return ""
    text = decoded(payload, _parameter(part, "charset")) if isinstance(payload, bytes) else ""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if part.get_content_type() == "text/html":
        return of_html(text)
    return _unflowed(text, _parameter(part, "delsp")) if _parameter(part, "format") == "flowed" else text


def _parameter(part: Message, name: str) -> str:
    value: Any = part.get_param(name, "")
    return str(value[2] if isinstance(value, tuple) else value).lower()


def _unflowed(text: str, delsp: str) -> str:
    """Lines that a program broke joined again (RFC 3676): a space at the end says that the paragraph goes on."""
    lines: list[str] = []
    open_end = False
    for line in text.split("\n"):
        line = line if line.startswith(">") else line.removeprefix(" ")
        if open_end and not line.startswith(">") and line != "-- ":
            lines[-1] += line
        else:
            lines.append(line)
        open_end = lines[-1].endswith(" ") and lines[-1] != "-- " and not lines[-1].startswith(">")
        if open_end and delsp == "yes":
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def of_html(text: str) -> str:
    """The text of an HTML mail. A quote becomes a line that begins with ">"; signatures that are marked as such go."""
    try:
        tree = lxml.html.document_fromstring(text.replace("\0", "").encode("utf-8", "replace"), _parser())
    except (LxmlError, ParserError, ValueError):
        return ""
    for element in list(tree.iter("blockquote", "div", "span", "pre", "table", "style", "script", "title")):
        marks = set((element.get("class") or "").split())
        name = (element.get("id") or "").lower().removeprefix("x_")
        if element.tag == "blockquote" or marks & QUOTED_CLASSES:
            element.clear(keep_tail=True)
            element.text = "> "
            element.tag = "p"
        elif element.tag in ("style", "script", "title") or marks & SIGNATURE_CLASSES or name in SIGNATURE_IDS:
            element.clear(keep_tail=True)
    return str(html_text.etree_to_text(tree))


def _parser() -> lxml.html.HTMLParser:
    return lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)


def own_words(text: str, *, listed: bool) -> str:
    """`text` without mails that it quotes or passes on, and without its signature."""
    marked = _own(text.split("\n"), listed)
    if not any(_may_announce(line) for line in marked.split("\n")):
        return marked
    text = _quotes_shortened(text)
    parts = _around_the_quote(text) if text.count("\n") < MOST_LINES else [text]
    return "\n\n".join(own for part in parts if (own := _own(part.split("\n"), listed)))


def _may_announce(line: str) -> bool:
    """Whether quotequail, which is slow, may find in `line` the beginning of a mail that is not marked as a quote."""
    line = line.strip()
    return line.endswith((":", ">")) or ":" in line[:24] or line.startswith(("--", "__"))


def _quotes_shortened(text: str) -> str:
    """One line of each quote is enough to see where it is."""
    lines = text.split("\n")
    return "\n".join(line for last, line in zip(["", *lines], lines, strict=False) if not (line[:1] == last[:1] == ">"))


def _around_the_quote(text: str) -> list[str]:
    """What stands before and after the first quoted mail. A plan ("From: Rome", "To: Bari") and a sentence that ends in
    "wrote:" look like one; a mail has a date or a subject."""
    found = quotequail.unwrap(text)
    if not found:
        return [text]
    source = found.get("from", "") + found.get("date", "")
    if found["type"] == "reply" and not any(character.isdigit() or character == "@" for character in source):
        return [text]
    if found["type"] == "forward" and "from" in found and not found.keys() & {"date", "subject"}:
        return [text]
    return [part for part in (found.get("text_top"), found.get("text_bottom")) if part]


def _own(lines: list[str], listed: bool) -> str:
    own: list[str] = []
    quoted = False
    for line in lines:
        if line.startswith(">"):
            if not quoted:
                _forget_attribution(own)
            quoted = True
            continue
        if line.rstrip() == "--" or (listed and len(line) >= FOOTER and not line.strip("_-")):
            break
        own.append(line)
        quoted = quoted and not line.strip()
    _forget_blanks(own)
    if own and own[-1].strip().casefold().startswith(tuple(table("sent_from"))):
        own.pop()
    return "\n".join(own).strip("\n")


def _forget_attribution(own: list[str]) -> None:
    """Takes off the line or lines that announce the quote that follows ("Il giorno 3 marzo 2024 Rosa ha scritto:"): they end
    in a colon and hold a year, or else an address."""
    _forget_blanks(own)
    said, addressed = "", 0
    for back, line in enumerate(reversed(own[-LONGEST_ATTRIBUTION:]), start=1):
        said = f"{line}\n{said}"
        if not line.strip() or not said.rstrip().endswith((":", "：")):
            break
        addressed = addressed or (back if "@" in line else 0)
        if YEAR.search(said):
            addressed = back
            break
    if addressed:
        del own[-addressed:]


def _forget_blanks(own: list[str]) -> None:
    while own and not own[-1].strip():
        own.pop()
