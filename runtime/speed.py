"""How fast this machine's memory and disk are read, measured in less than two seconds."""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kithnet.runtime.errors import StorageError

_LARGEST = 128 << 20  # several times what the caches of most machines hold; filling it takes the most time
_SMALLEST = 8 << 20
_SPAN = 1 << 20
_SPANS = 32
_PASSES = 40


@dataclass(frozen=True, slots=True)
class DiskSpeed:
    """bytes_per_second: of a few parallel readers. direct: past the page cache; where not, the cache was asked to let go
    of the file first, which it need not do, and the figure may be that of memory. of: the file that was read."""

    bytes_per_second: float
    direct: bool
    of: str


def memory_speed(free: int, seconds: float = 0.3) -> float:
    """Bytes a second that all cores together read from memory: the best of some passes over one large array.

    free: bytes of free memory; at most an eighth of it is taken. Other programs slow this down as they would a model.
    """
    import numpy as np

    words = np.ones(max(min(_LARGEST, free // 8), _SMALLEST) // 8, dtype=np.int64)
    cores = _cores()
    parts = np.array_split(words, cores)
    best = float("inf")
    until = time.perf_counter() + seconds
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(_PASSES):
            started = time.perf_counter()
            list(pool.map(np.sum, parts))
            ended = time.perf_counter()
            best = min(best, ended - started)
            if ended > until:
                break
    return words.nbytes / max(best, 1e-9)


def disk_speed(folder: Path, *, write: bool = True) -> DiskSpeed | None:
    """How fast the disk of a folder is read in pieces of 1 MiB, as experts are.

    The largest model in it is read where that has 32 MiB; else a temporary file of that size, only where `write` allows
    it. None where there is nothing to read, or reading fails.
    """
    try:
        models = [path for path in folder.rglob("*.gguf") if path.is_file()] if folder.is_dir() else []
        largest = max(models, key=lambda path: path.stat().st_size, default=None)
        if largest and largest.stat().st_size >= _SPANS * _SPAN:
            return _measure(largest)
        return _with_temporary(folder, _measure) if write else None
    except (OSError, StorageError):
        return None


def _measure(path: Path) -> DiskSpeed:
    from kithnet.runtime.offload.fit import read_speed

    step = path.stat().st_size // _SPANS // _SPAN * _SPAN
    _let_go(path)
    speed, direct = read_speed(path, [(number * step, _SPAN) for number in range(_SPANS)])
    return DiskSpeed(speed, direct, str(path))


def _with_temporary(folder: Path, measure: Callable[[Path], DiskSpeed]) -> DiskSpeed:
    above = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    with tempfile.NamedTemporaryFile(dir=above, prefix=".kith-speed-") as file:
        piece = os.urandom(_SPAN)  # nothing that a file system could compress or leave out
        for _ in range(_SPANS):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        found = measure(Path(file.name))
    return DiskSpeed(found.bytes_per_second, found.direct, "a temporary file")


def _let_go(path: Path) -> None:
    if hasattr(os, "posix_fadvise"):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
