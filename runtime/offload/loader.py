"""Records of the store read into memory by several threads, block by block, the most urgent first.

A load that turns out to be useless is cancelled: blocks not begun yet are never read. Reads bypass the page cache where
the file system allows it (O_DIRECT), so that an expert takes its memory once; elsewhere what was read is dropped from
the cache right after.
"""

import ctypes
import errno
import heapq
import mmap
import os
import threading
import time
from collections.abc import Callable, Collection
from enum import IntEnum
from pathlib import Path
from typing import Any

from kithnet.runtime.errors import StorageError

BLOCK = 1 << 20  # bytes of one read: large enough to be fast, small enough to cancel between two
_SECTOR = 512  # direct reads come in multiples of it, but for the end of the file
_POLL = 0.05  # seconds between two looks at whether the wait is still wanted


class Urgency(IntEnum):
    """What a load is for; the lowest is read first."""

    DEMAND = 0
    PREFETCH = 1
    PROMOTION = 2


class Load:
    """One record on its way from `offset` of the file to memory at `address`."""

    __slots__ = ("_at", "_flying", "address", "cancelled", "error", "label", "nbytes", "offset", "urgency")

    def __init__(self, address: int, offset: int, nbytes: int, urgency: Urgency, label: str) -> None:
        self.address, self.offset, self.nbytes = address, offset, nbytes
        self.urgency, self.label = urgency, label
        self.cancelled = False
        self.error: OSError | None = None
        self._at = 0  # bytes whose reading has begun
        self._flying = 0  # blocks being read now

    @property
    def settled(self) -> bool:
        """Nothing is being read into its memory any more, nor will be."""
        return not self._flying and (self._at >= self.nbytes or self.cancelled or self.error is not None)

    @property
    def whole(self) -> bool:
        """All of it has been read."""
        return self.settled and self._at >= self.nbytes and self.error is None

    def raise_error(self) -> None:
        """Raise StorageError where the reading failed."""
        if self.error is not None:
            raise StorageError(
                f"{self.label} could not be read: {self.error.strerror or self.error}",
                "check the disk and the store: kith model verify; or make the store again: kith model convert",
            ) from self.error


class Loader:
    """Reads on `readers` threads of its own. Any thread may submit, cancel and wait; `close` it at the end.

    Raises StorageError where the file cannot be opened. `bytes_read` counts what came, `busy` seconds of reading
    summed over the threads, `direct` says whether the page cache is bypassed.
    """

    def __init__(self, path: Path, readers: int = 3, *, direct: bool = True) -> None:
        self.path = path
        self.bytes_read = 0
        self.busy = 0.0
        self._wake = threading.Condition()
        self._queue: list[tuple[int, int, Load]] = []
        self._order = 0
        self._closing = False
        self._file, self.direct = _open(path, direct)
        self._threads = [
            threading.Thread(target=self._read_all, name=f"experts {i}", daemon=True) for i in range(readers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, load: Load) -> None:
        with self._wake:
            self._push(load)
            self._wake.notify(len(self._threads))

    def hasten(self, load: Load, urgency: Urgency) -> None:
        """Read a load that waits in the queue earlier than was asked for."""
        with self._wake:
            if urgency < load.urgency:
                load.urgency = urgency
                self._push(load)

    def cancel(self, load: Load) -> None:
        """Begin no further block of it; it is settled once the blocks being read are through."""
        with self._wake:
            load.cancelled = load.cancelled or load._at < load.nbytes
            self._wake.notify_all()

    def wait(self, loads: Collection[Load], stopped: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all are settled. False when `stopped` turned true before. Raises StorageError of a failed one."""
        with self._wake:
            while not all(load.settled for load in loads):
                if self._closing or stopped():
                    return False
                self._wake.wait(_POLL)
        for load in loads:
            load.raise_error()
        return True

    def settle(self, load: Load) -> None:
        """Wait until nothing is read into its memory any more; whether it came whole is not asked."""
        with self._wake:
            while not load.settled and not self._closing:
                self._wake.wait(_POLL)

    def close(self) -> None:
        """Stop after the blocks being read. A second call does nothing."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        os.close(self._file)

    def _push(self, load: Load) -> None:
        self._order += 1
        heapq.heappush(self._queue, (load.urgency, self._order, load))

    def _read_all(self) -> None:
        while True:
            with self._wake:
                while (block := self._next()) is None and not self._closing:
                    self._wake.wait()
                if self._closing or block is None:
                    return
            load, at, size = block
            started = time.perf_counter()
            failure: OSError | None = None
            try:
                self._read(load.address + at, load.offset + at, size)
            except OSError as error:
                failure = error
            with self._wake:
                load._flying -= 1
                load.error = load.error or failure
                self.busy += time.perf_counter() - started
                self.bytes_read += 0 if failure else size
                if load.settled:
                    self._wake.notify_all()

    def _next(self) -> tuple[Load, int, int] | None:
        """(load, where in it, bytes) of the next block. The lock is held."""
        while self._queue:
            load = self._queue[0][2]
            if load.cancelled or load.error is not None or load._at >= load.nbytes:
                heapq.heappop(self._queue)
                continue
            at, size = load._at, min(BLOCK, load.nbytes - load._at)
            load._at += size
            load._flying += 1
            return load, at, size
        return None

    def _read(self, address: int, offset: int, size: int) -> None:
        memory: Any = (ctypes.c_char * size).from_address(address)
        view = memoryview(memory).cast("B")
        got = 0
        while got < size:
            count = os.preadv(self._file, [view[got:]], offset + got)
            if count == 0 or (self.direct and count % _SECTOR):
                raise OSError(errno.EIO, f"the file ends {size - got:,} bytes early")
            got += count
        if not self.direct and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, offset, size, os.POSIX_FADV_DONTNEED)


def _open(path: Path, direct: bool) -> tuple[int, bool]:
    """(descriptor, whether it bypasses the page cache): a file system may refuse that, tmpfs for one."""
    flag = getattr(os, "O_DIRECT", 0) if direct else 0
    try:
        if flag:
            try:
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flag)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            else:
                if _reads_directly(file):
                    return file, True
                os.close(file)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False
    except OSError as error:
        raise StorageError(
            f"the expert store {path} cannot be read: {error.strerror}", "make it again: kith model convert"
        ) from error


def _reads_directly(file: int) -> bool:
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        try:
            os.preadv(file, [page], 0)
        except OSError as error:
            return error.errno != errno.EINVAL
    return True
