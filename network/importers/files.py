"""The files of one export, whether it came as a file, a folder or a zip: their names, their bytes, their text, their JSON.

Nothing is unpacked to the disk. What a zip says of itself is not trusted: paths that lead outside, sizes that no chat has.
"""

import codecs
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self, cast

import ijson
from charset_normalizer import from_bytes

from kithnet.runtime.errors import InputError, RecordError

HEAD = 65_536
"""Bytes that are looked at to recognise a file."""
LONGEST_LINE = 1 << 20
"""Characters of a line of text; a longer one is cut there, so that a file without line breaks is no trap."""
LONGEST_TEXT = 16 << 20
"""Bytes of a JSON file without a quotation mark."""
LARGEST_MEMBER = 8 << 30
MOST_MEMBERS = 200_000
DENSEST = 400
"""Unpacked bytes for each packed one, from `DENSE_FROM` bytes on: text packs to a tenth, a bomb to a thousandth."""
DENSE_FROM = 64 << 20
MOSTLY = 2
"""A text with so many characters beyond ASCII that are well written for each that is broken is UTF-8, and damaged."""
DEEPEST = 100
"""Brackets of a JSON file that may be open at once; ijson keeps a path for each, and 100 KB of brackets would fill the memory."""


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def _likeliest(head: bytes) -> str:
    """The encoding of a text that is not UTF-8. Of several that fit as well, that of Western Europe."""
    found = list(from_bytes(head))
    best = found[0] if found else None
    western = (one for one in found if "cp1252" in (one.encoding, *one.could_be_from_charset))
    as_well = (one for one in western if best and (one.chaos, one.coherence) == (best.chaos, best.coherence))
    return best.encoding if best and not any(as_well) else "cp1252"


class Files:
    """One export. Names are relative, with "/"; of a single file it is its own name. Close it, or use it in `with`."""

    def __init__(self, path: Path) -> None:
        """Raises InputError when there is nothing at `path`, RecordError for a zip that is damaged or dangerous."""
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file())
            self.names = [file.relative_to(path).as_posix() for file in found]
        elif not path.is_file():
            raise InputError(f"there is no file or folder {path}", "check the path")
        elif zipfile.is_zipfile(path):
            self._zip = zipfile.ZipFile(path)
            self.names = _checked(path, self._zip)
        elif path.suffix.lower() == ".zip":
            raise RecordError(f"{path.name} is no whole zip file", "copy or export it again: its end is missing")
        else:
            self.names = [path.name]
        self.single = self._zip is None and not path.is_dir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def may_be(self, name: str, *endings: str) -> bool:
        """Whether a file can be of a kind by its ending. Whoever gives a single file may have called it anything."""
        return self.single or (name.lower().endswith(endings) and not name.startswith("__MACOSX/"))

    def close(self) -> None:
        if self._zip:
            self._zip.close()

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The bytes of a file. A damaged zip is a RecordError, also while it is read."""
        try:
            if self._zip:
                with self._zip.open(name) as member:
                    yield cast("BinaryIO", member)
            else:
                with (self.path / name if self.path.is_dir() else self.path).open("rb") as file:
                    yield file
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
            hint = "a zip with a password has to be unpacked first; else export it again"
            raise RecordError(f"{name} in {self.path.name} cannot be unpacked: {error}", hint) from error

    def head(self, name: str, size: int = HEAD) -> bytes:
        """Its first bytes."""
        with self.open(name) as file:
            return file.read(size)

    def encoding(self, name: str) -> str:
        """The encoding of a text: what its byte order mark says, else UTF-8 where all of it is, else the likeliest."""
        head = self.head(name)
        marks = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
        for mark, encoding in marks:
            if head.startswith(mark):
                return encoding
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        whole = broken = 0
        with self.open(name) as file:
            while block := file.read(1 << 20):
                text = decoder.decode(block)
                if not text.isascii():
                    bad = text.count("\ufffd")
                    broken, whole = broken + bad, whole + len(_BEYOND_ASCII.findall(text)) - bad
        if decoder.getstate()[0] or broken <= whole / MOSTLY:
            return "utf-8"
        return _likeliest(self.head(name, 1 << 20))

    def lines(self, name: str, encoding: str | None = None) -> Iterator[str]:
        """The lines of a text without their ends, none longer than `LONGEST_LINE`. Ends are LF, CRLF or CR and nothing else: a
        message may hold any of the other marks that Unicode calls a line's end. What cannot be decoded becomes U+FFFD."""
        with self.open(name) as file:
            text = io.TextIOWrapper(file, encoding or self.encoding(name), errors="replace", newline=None)
            cut = False
            while line := text.readline(LONGEST_LINE):
                if not cut:
                    yield line.removesuffix("\n")
                cut = not line.endswith("\n") and len(line) == LONGEST_LINE

    def items(self, name: str, path: str) -> Iterator[Any]:
        """The values at `path` of a JSON file ("messages.item"), one at a time, as ijson finds them; numbers with a point
        are floats. Raises RecordError for what is no JSON or is cut off."""
        with self._json(name) as file:
            yield from ijson.items(file, path, buf_size=BLOCK, use_float=True)

    def events(self, name: str) -> Iterator[tuple[str, str, Any]]:
        """What happens in a JSON file, as `ijson.parse` tells it: path, event, value. For what must be known of a file before
        its values are read. Raises RecordError as `items` does."""
        with self._json(name) as file:
            yield from ijson.parse(file, buf_size=BLOCK, use_float=True)

    @contextmanager
    def _json(self, name: str) -> Iterator["_Shallow"]:
        try:
            with self.open(name) as file:
                yield _Shallow(_unmarked(file))
        except (ijson.JSONError, ValueError) as error:
            what = str(error).splitlines()[0] if str(error) else "it ends too early"
            raise RecordError(f"{name} is no whole JSON file: {what}", "export it again, or copy it again") from error

    def top(self, name: str) -> dict[str, Any]:
        """The plain values at the top of a JSON object, as far as its head shows them, nested ones as None; {} where it is no
        object. For recognising a file and for what is said before the messages begin."""
        found: dict[str, Any] = {}
        try:
            for prefix, event, value in ijson.parse(_Shallow(_unmarked(io.BytesIO(self.head(name)))), use_float=True):
                if not prefix and event not in ("start_map", "map_key"):
                    return found
                if not prefix and event == "map_key":
                    key = value
                    found[key] = None
                elif prefix and prefix == key and event in ("string", "number", "boolean"):
                    found[key] = value
        except (ijson.JSONError, ValueError, RecordError):
            pass
        return found


class _Shallow:
    """A JSON file that is read through. Raises RecordError before a block is passed on that nests deeper than any chat does."""

    def __init__(self, file: BinaryIO | io.BytesIO) -> None:
        self._file = file
        self._open, self._escape, self._quoted = b"", b"", False
        self._run = 0

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        bare = (self._escape + block).replace(b"\\\\", b"")
        self._escape = b"\\" if bare.endswith(b"\\") else b""
        parts = bare.replace(b'\\"', b"").translate(None, _NO_STRUCTURE).split(b'"')
        self._open = _left_open(self._open + b"".join(parts[self._quoted :: 2]))
        self._quoted ^= len(parts) % 2 == 0
        self._run = self._run + len(block) if len(parts) == 1 else 0
        if self._run > LONGEST_TEXT:
            raise RecordError("the JSON file holds a text longer than any message", "give the file of messages")
        return block


BLOCK = 1 << 17
"""Bytes of a JSON file that are read at once: what a text takes to be read grows with the square of the blocks it fills."""
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'"[]{}')


def _left_open(brackets: bytes) -> bytes:
    for _ in range(DEEPEST):
        fewer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    if len(brackets) > DEEPEST:
        raise RecordError("the JSON file is nested deeper than any chat", "give the file of messages")
    return brackets


def _unmarked(file: BinaryIO | io.BytesIO) -> BinaryIO | io.BytesIO:
    """The file without a byte order mark, which JSON may not have and exports do."""
    if file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    return file


def _checked(path: Path, archive: zipfile.ZipFile) -> list[str]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MOST_MEMBERS:
        raise RecordError(f"{path.name} holds {len(members):,} files", "unpack it and give the file of messages")
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
            raise RecordError(f"{path.name} holds a path outside itself: {member.filename!r}", "do not trust this file")
        dense = member.file_size > DENSE_FROM and member.file_size > DENSEST * max(1, member.compress_size)
        if dense or member.file_size > LARGEST_MEMBER:
            size = f"{member.file_size:,} bytes packed into {member.compress_size:,}"
            raise RecordError(f"{member.filename} in {path.name} unpacks to {size}", "do not trust this file")
    return [member.filename for member in members]
