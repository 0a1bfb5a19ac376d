"""The mails of an mbox, a Maildir or a pile of `.eml` files, one after the other, as bytes.

An mbox may be larger than the memory, so it is cut while it is read; of one mail no more than `KEPT` bytes are held, which is
its text in all but odd cases: attachments come last and are not read.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from kithnet.network.importers.files import Files

KEPT = 1 << 20
"""Bytes of one mail that are read."""
LONGEST = 1 << 16
"""Bytes of a line that are looked at in one piece."""
LOOKED_AT = 200
"""Files of a folder that are looked at to recognise it."""
SINGLE = frozenset({".eml", ".emlx"})
BOXES = frozenset({"", ".mbox", ".mbx", ".mboxrd", ".mboxo", ".mail"})
MAILDIR = frozenset({"cur", "new"})
FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
TIME = re.compile(rb"\d\d?:\d\d")
FIRST_FIELDS = frozenset(
    b"from to date subject message-id received return-path delivered-to mime-version x-gm-thrid x-mozilla-status".split()
)


@dataclass(frozen=True, slots=True)
class RawMail:
    """where: what the user can look up. raw: from the first header on. flags: of a Maildir ("S" seen, "T" thrown away)."""

    where: str
    raw: bytes
    flags: str = ""


def holds_mail(files: Files) -> bool:
    """Whether one of its files is a mail or a box of mails, by names and first lines."""
    return any(_kind(files, name) for name in files.names[:LOOKED_AT])


def mails(files: Files) -> Iterator[RawMail]:
    """Every mail, in the order of the files. Raises RecordError for a zip that is damaged."""
    for name in files.names:
        kind = _kind(files, name)
        if kind == "box":
            with files.open(name) as file:
                for number, raw in enumerate(_cut(file), start=1):
                    yield RawMail(f"{name}, mail {number}", raw)
        elif kind:
            yield RawMail(name, _single(files.head(name, KEPT), name), _flags(name))


def _flags(name: str) -> str:
    """Of a Maildir's file, "1234.host:2,FS"; where a name may not hold a colon, programs write another mark."""
    base = PurePosixPath(name).name
    return next((base.rpartition(f"{mark}2,")[2] for mark in ":;!" if f"{mark}2," in base), "")


def _kind(files: Files, name: str) -> str:
    """What a file is: "box", "single" or "" for no mail. A Maildir's `tmp` holds what was never delivered."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if path.parent.name in MAILDIR or suffix in SINGLE:
        return "single" if _begins_with_headers(_single(files.head(name, 4096), name)) else ""
    if path.parent.name != "tmp" and (suffix in BOXES or files.single):
        file = io.BytesIO(files.head(name, 4096).lstrip(b"\r\n"))
        if _separates(file.readline(), file.readline()):
            return "box"
    return "single" if files.single and _begins_with_headers(_single(files.head(name, 4096), name)) else ""


def _single(head: bytes, name: str) -> bytes:
    """A mail without what its program put before it: Apple's count of bytes, an mbox's line."""
    first, _, rest = head.partition(b"\n")
    if name.lower().endswith(".emlx") and first.strip().isdigit():
        return rest[: int(first[:12])]
    return rest if first.startswith((b"From ", b">From ")) else head.removeprefix(b"\xef\xbb\xbf")


def _begins_with_headers(head: bytes) -> bool:
    fields = [line.partition(b":")[0].strip().lower() for line in head.splitlines()[:60] if FIELD.match(line)]
    return bool(FIELD.match(head)) and len(FIRST_FIELDS.intersection(fields)) >= 2


def _separates(line: bytes, following: bytes) -> bool:
    """Whether a mail begins behind `line`. Programs differ in what they write after "From "; a sentence that begins with it is
    not followed by a header."""
    if not line.startswith(b"From "):
        return False
    dated = bool(TIME.search(line)) or line.startswith(b"From - ") or not line[5:].strip()
    return dated and bool(FIELD.match(following) or following.startswith(b">From "))


def _cut(file: BinaryIO) -> Iterator[bytes]:
    lines: list[bytes] = []
    size, begun, blank = 0, False, True
    line = file.readline(LONGEST)
    while line:
        following = file.readline(LONGEST)
        if blank and _separates(line, following):
            if begun:
                yield b"".join(lines)
            lines, size, begun = [], 0, True
        elif begun and size < KEPT:
            lines.append(_unescaped(line))
            size += len(line)
        blank = line in (b"\n", b"\r\n")
        line = following
    if begun:
        yield b"".join(lines)


def _unescaped(line: bytes) -> bytes:
    """A box marks a mail's own lines that begin with "From " by a ">" before them."""
    return line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
