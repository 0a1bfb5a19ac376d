"""A limit on memory that the kernel enforces and accounts for: a control group for one child process.

Version 1 (a memory controller of its own) and version 2 (the unified tree) are known. Page cache that a process brings
in is charged to its group in both, so a mapped model and an arena of our own are measured alike.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_PATIENCE = 5.0  # seconds until an emptied group can be removed


@dataclass(frozen=True, slots=True)
class Cage:
    """A group. folder: None where none can be made. version: 1, 2, or 0 for none."""

    folder: Path | None
    version: int

    def peak(self) -> int:
        """The most bytes that were charged at once; 0 where nobody counted."""
        if self.folder is None:
            return 0
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        return _number(self.folder / name)


@contextmanager
def cage(limit: int) -> Iterator[Cage]:
    """A group with a limit of so many bytes, 0 for none; without a folder where this machine gives no group to us."""
    made = _make(limit) if limit else Cage(None, 0)
    try:
        yield made
    finally:
        if made.folder is not None:
            _remove(made.folder)


def kind() -> str:
    """What limits memory here, in words."""
    with cage(1 << 30) as made:
        if made.folder is None:
            return "none: control groups cannot be made here, so only the arena's own budget limits memory"
        return f"control group, version {made.version}"


def enter(folder: str) -> None:
    """Move this process into a group: called by the child, before it has taken any memory to speak of."""
    (Path(folder) / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def _make(limit: int) -> Cage:
    name = f"kith-bench-{os.getpid()}-{time.monotonic_ns()}"
    for version, root, file in ((1, _V1, "memory.limit_in_bytes"), (2, _V2, "memory.max")):
        folder = root / name
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / file).write_text(str(limit), encoding="ascii")
            _no_swap(folder, version, limit)
            return Cage(folder, version)
        except OSError:
            _remove(folder)
    return Cage(None, 0)


def _no_swap(folder: Path, version: int, limit: int) -> None:
    """Where swap is counted at all: else there is none to speak of."""
    name, value = ("memory.memsw.limit_in_bytes", limit) if version == 1 else ("memory.swap.max", 0)
    with contextlib.suppress(OSError):
        (folder / name).write_text(str(value), encoding="ascii")


def _remove(folder: Path) -> None:
    """The child has ended; what it left is charged to the group until the kernel has moved it away."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)


def _number(file: Path) -> int:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
