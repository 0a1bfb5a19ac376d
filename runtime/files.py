"""Large files on disk: checked, synced, put in place whole, and refused in words a person can act on."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kithnet.runtime.errors import StorageError

_BLOCK = 1 << 20
AGAIN = "run the same command again: it continues where it stopped"


class OnProgress(Protocol):
    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Called with bytes done and, once it is known, bytes in all."""


def sha256_of(path: Path, progress: OnProgress | None = None) -> str:
    total = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            if progress:
                progress(file.tell(), total, "checking")
    return digest.hexdigest()


def put_in_place(part: Path, target: Path) -> None:
    """Make a finished file visible under its name, all of it or nothing, also across a power cut."""
    sync_file(part)
    part.replace(target)
    sync_file(target.parent)


def sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Turns the operating system's refusal to write below `folder` into a StorageError."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        hint = f"free some space or make {folder} writable (KITHNET_HOME chooses another home); then {AGAIN}"
        raise StorageError(f"cannot write {where}: {error.strerror or error}", hint) from error


def need_space(folder: Path, needed: int) -> None:
    """Raises StorageError when fewer than `needed` bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = f"{needed / 1e6:,.0f} MB are needed in {folder} and {free / 1e6:,.0f} MB are free"
        raise StorageError(message, "free some space, or set KITHNET_HOME to a folder on another disk")
