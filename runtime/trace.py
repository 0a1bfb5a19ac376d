"""What happened in a run, one event a step, in a JSONL file that survives kill -9.

An event is one JSON object on one line: `seq` (1, 2, ...), `t` (seconds since this writer opened the file,
monotonic), `at` (wall time, UTC), `kind`, and the fields of its kind. A line is appended with a single
write(2), so a process that dies leaves at most one torn line, and that one is the last.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from kithnet.runtime.errors import StorageError

Event = dict[str, Any]
_RESERVED = frozenset({"seq", "t", "at", "kind"})
_BLOCK = 1 << 16


class Trace(Protocol):
    """Where steps are told. Implementations may be shared between threads and tasks."""

    def emit(self, kind: str, **fields: Any) -> None:
        """Record one step. Fields are JSON values; anything else is written as its `str`.

        Raises ValueError for a field called `seq`, `t` or `at`, StorageError when the event cannot be kept.
        """


class NullTrace:
    """Forgets every event."""

    def emit(self, kind: str, **fields: Any) -> None:
        pass


class MemoryTrace:
    """Keeps events in a list, as they would be read back from a file."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def emit(self, kind: str, **fields: Any) -> None:
        with self._lock:
            event = _event(len(self.events) + 1, self._started, kind, fields)
            self.events.append(json.loads(_line(event)))

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]


class TraceWriter:
    """Appends events to a JSONL file; an existing file is continued after its last whole line.

    One writer per file at a time. `t` starts again at zero when a file is continued; `seq` goes on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._fd = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._seq = _mend(self._fd, path)
        except OSError as error:
            self.close()
            raise _cannot_write(path, error) from error
        except StorageError:
            self.close()
            raise

    def emit(self, kind: str, **fields: Any) -> None:
        with self._lock:
            if self._fd < 0:
                raise StorageError(f"the trace {self.path} is closed", "open it again before emitting")
            line = _line(_event(self._seq + 1, self._started, kind, fields))
            self._append(line)
            self._seq += 1

    def sync(self) -> None:
        """Return when every event so far is on the disk, not only with the operating system."""
        with self._lock:
            if self._fd >= 0:
                try:
                    os.fsync(self._fd)
                except OSError as error:
                    raise _cannot_write(self.path, error) from error

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __enter__(self) -> "TraceWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        """One write; where the disk takes only a part of it, that part is taken back: no line stays torn."""
        end = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        if written != len(line):
            os.ftruncate(self._fd, end)
            raise StorageError(f"cannot write the trace {self.path}: the disk is full", "free some space")


def read_trace(path: Path) -> Iterator[Event]:
    """The events of a file, oldest first; a torn last line (the writer was killed) is left out.

    Raises StorageError when the file cannot be read, or a line before the last is damaged.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _parse(line, number, path)
    except OSError as error:
        raise StorageError(f"cannot read the trace {path}: {error.strerror}") from error


def _event(seq: int, started: float, kind: str, fields: Event) -> Event:
    if wrong := _RESERVED & fields.keys():
        raise ValueError(f"an event's {', '.join(sorted(wrong))} is set by the trace")
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"seq": seq, "t": round(time.monotonic() - started, 4), "at": at, "kind": kind, **fields}


def _line(event: Event) -> bytes:
    """One line of JSON. NaN and infinities have no JSON form and become null with the rest intact."""
    try:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=_plain, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate (text read with surrogateescape) has no UTF-8 form.
    return text.encode("utf-8", errors="backslashreplace") + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    item: Callable[[], object] | None = getattr(value, "item", None)  # numpy scalars
    return item() if callable(item) else str(value)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else _finite(_plain(value))


def _parse(line: bytes, number: int, path: Path) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or "seq" not in event or "kind" not in event:
        hint = f"remove line {number} by hand if the other events are enough, or run again under a new name"
        raise StorageError(f"line {number} of the trace {path} is damaged", hint)
    return event


def _mend(fd: int, path: Path) -> int:
    """Cut a torn last line off; returns the `seq` of the last whole one (0 in an empty file)."""
    size = os.fstat(fd).st_size
    tail = b""
    start = size
    while start > 0 and tail.count(b"\n") < 2:
        step = min(_BLOCK, start)
        start -= step
        tail = os.pread(fd, step, start) + tail
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        os.ftruncate(fd, start + whole)
        os.fsync(fd)
    if whole == 0:
        return 0
    last = tail[tail.rfind(b"\n", 0, whole - 1) + 1 : whole]
    try:
        return int(json.loads(last)["seq"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"the last line of the trace {path} is damaged", "move the file away") from error


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot write the trace {path}: {error.strerror}", "free some space or make it writable")
