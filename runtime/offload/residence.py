"""A trunk kept in memory for good: every token reads all of it, so it must never have to come from the disk again.

A mapped file is page cache, the first to leave where memory is limited: with experts filling the budget, the system
drops the trunk while a token is on its way and reads it again for the next, tens of megabytes each time. Therefore its
pages are replaced, at the same addresses, by memory of this process that holds the same bytes.
"""

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_PAGE = mmap.PAGESIZE
_FIXED = 0x10  # MAP_FIXED: here and nowhere else; Python does not name it, the value is Linux's
_BLOCK = 1 << 20
_MAPS = Path("/proc/self/maps")
Span = tuple[int, int]  # (start, end)


def settle_in(file: Path, inside: int, kept: Iterable[Span]) -> int:
    """Replace what is mapped of `file` by memory with the same bytes, and let go of its page cache.

    inside: any address within the mapping. kept: (start, end) of the bytes of the file that matter. Nobody may be reading
    there meanwhile. Returns the bytes that were replaced: 0 where the system cannot, and pages stay the file's.
    """
    if not _MAPS.exists() or not hasattr(os, "posix_fadvise"):
        return 0
    base, mapped = _mapping(inside)
    done = 0
    with file.open("rb", buffering=0) as source:
        for start, end in _pages(kept):
            for first, last in mapped:
                low, high = max(start, first), min(end, last)
                if low < high and _replace(source.fileno(), base, low, high):
                    done += high - low
        os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return done


def _mapping(inside: int) -> tuple[int, list[Span]]:
    """(address of the file's first byte, spans of the file that are mapped there). The same file may be mapped more than
    once; each mapping has an address of its own for that byte."""
    found: list[tuple[int, int, int, str]] = []
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        span, _, offset, _, inode, *_ = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in span.split("-"))
        if inode != "0":
            found.append((start, end, start - int(offset, 16), inode))
    for start, end, base, inode in found:
        if start <= inside < end:
            return base, [(a - base, b - base) for a, b, *known in found if known == [base, inode]]
    return 0, []


def _pages(kept: Iterable[Span]) -> Iterator[Span]:
    """Whole pages that hold `kept`, in order, each once."""
    begun: Span | None = None
    for start, end in sorted(kept):
        first, last = start // _PAGE * _PAGE, -(-end // _PAGE) * _PAGE
        if begun is not None and first <= begun[1]:
            begun = (begun[0], max(begun[1], last))
            continue
        if begun is not None:
            yield begun
        begun = (first, last)
    if begun is not None:
        yield begun


def _replace(file: int, base: int, start: int, end: int) -> bool:
    """Put memory in the place of the file's bytes from `start` to `end`, and read them into it."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _FIXED
    for at in range(start, end, _BLOCK):
        size = min(_BLOCK, end - at)
        data = os.pread(file, size, at)  # before the page is replaced: a failed read must leave it whole
        if not data or _mmap()(base + at, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0) != base + at:
            return False
        ctypes.memmove(base + at, data, len(data))  # beyond the end of the file a page is zero in both
        os.posix_fadvise(file, at, size, os.POSIX_FADV_DONTNEED)
    return True


def _mmap() -> Any:
    function: Any = ctypes.CDLL(None).mmap
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64)
    function.restype = ctypes.c_void_p
    return function
