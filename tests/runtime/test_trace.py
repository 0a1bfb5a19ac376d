"""The trace: whole lines, whatever happens to the process that writes them."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kithnet.runtime.errors import StorageError
from kithnet.runtime.trace import MemoryTrace, NullTrace, Trace, TraceWriter, read_trace

ENDLESS = """
import sys
from pathlib import Path
from kithnet.runtime.trace import TraceWriter
trace = TraceWriter(Path(sys.argv[1]))
while True:
    trace.emit("step", text="x" * 500)
"""

SMALL_DISK = """
import resource, sys
from pathlib import Path
from kithnet.runtime.errors import StorageError
from kithnet.runtime.trace import TraceWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
trace = TraceWriter(Path(sys.argv[1]))
try:
    while True:
        trace.emit("step", text="x" * 700)
except StorageError as error:
    print(error.message)
"""


def test_an_event_carries_its_number_its_times_and_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "1" / "trace.jsonl"
    with TraceWriter(path) as trace:
        trace.emit("recall", who="monica", hits=3)
        trace.emit("speak", text="How you doin'? é")
    first, second = read_trace(path)
    assert (first["seq"], first["kind"], first["who"], first["hits"]) == (1, "recall", "monica", 3)
    assert (second["seq"], second["text"]) == (2, "How you doin'? é")
    assert 0 <= first["t"] <= second["t"] < 10
    assert first["at"] <= second["at"]
    assert first["at"].endswith("+00:00")


def test_a_trace_that_is_opened_again_goes_on_counting(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    for _ in range(3):
        with TraceWriter(path) as trace:
            trace.emit("step")
    assert [event["seq"] for event in read_trace(path)] == [1, 2, 3]


@pytest.mark.parametrize("torn", [b'{"seq":2,"ki', b'{"seq":2,"t":0.1,"at":"x","kind":"step"}', b"x" * 200_000])
def test_a_torn_last_line_is_not_read_and_is_cut_off_before_the_next_event(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter(path) as trace:
        trace.emit("step")
    with path.open("ab") as file:
        file.write(torn)
    assert [event["seq"] for event in read_trace(path)] == [1]
    with TraceWriter(path) as trace:
        trace.emit("again")
    assert [(event["seq"], event["kind"]) for event in read_trace(path)] == [(1, "step"), (2, "again")]


def test_a_file_with_nothing_but_a_torn_line_starts_from_one(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b'{"seq": 1')
    assert list(read_trace(path)) == []
    with TraceWriter(path) as trace:
        trace.emit("step")
    assert [event["seq"] for event in read_trace(path)] == [1]


def test_an_event_longer_than_a_block_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter(path) as trace:
        trace.emit("small")
        trace.emit("large", text="y" * 300_000)
    with TraceWriter(path) as trace:
        trace.emit("step")
    assert [event["seq"] for event in read_trace(path)] == [1, 2, 3]


@pytest.mark.parametrize("damage", [b"not json\n", b"[1, 2]\n", b'{"kind":"step"}\n', b"\n"])
def test_a_damaged_middle_line_is_reported_with_its_number(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "trace.jsonl"
    good = b'{"seq":1,"t":0,"at":"","kind":"step"}\n'
    path.write_bytes(good + damage + good)
    events = read_trace(path)
    assert next(events)["seq"] == 1
    with pytest.raises(StorageError, match="line 2"):
        next(events)


def test_a_damaged_last_line_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b"something else entirely\n")
    with pytest.raises(StorageError, match="damaged"):
        TraceWriter(path)
    assert path.read_bytes() == b"something else entirely\n"


def test_threads_share_a_trace_without_mixing_lines(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter(path) as trace:

        def tell(who: int) -> None:
            for _ in range(50):
                trace.emit("step", who=who)

        threads = [threading.Thread(target=tell, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = list(read_trace(path))
    assert [event["seq"] for event in events] == list(range(1, 401))
    assert sorted(event["who"] for event in events) == sorted(list(range(8)) * 50)


def test_events_survive_kill_minus_9_of_their_writer(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)])
    try:
        while not path.exists() or path.stat().st_size < 200_000:
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = [event["seq"] for event in read_trace(path)]
    assert before == list(range(1, len(before) + 1))
    assert len(before) >= 300
    with TraceWriter(path) as trace:
        trace.emit("after")
    assert list(read_trace(path))[-1]["seq"] == len(before) + 1


def test_a_full_disk_is_an_error_and_leaves_only_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    done = subprocess.run([sys.executable, "-c", SMALL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert "cannot write the trace" in done.stdout
    assert path.read_bytes().endswith(b"}\n")
    assert len(list(read_trace(path))) >= 10


def test_a_file_in_place_of_the_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write the trace"):
        TraceWriter(tmp_path / "runs" / "1" / "trace.jsonl")
    with pytest.raises(StorageError, match="cannot read the trace"):
        list(read_trace(tmp_path / "absent.jsonl"))


def test_a_closed_trace_refuses_events(tmp_path: Path) -> None:
    trace = TraceWriter(tmp_path / "trace.jsonl")
    trace.emit("step")
    trace.sync()
    trace.close()
    trace.close()
    trace.sync()
    with pytest.raises(StorageError, match="closed"):
        trace.emit("step")


def test_values_without_a_json_form_are_written_as_something_readable(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with TraceWriter(path) as trace:
        trace.emit("odd", nan=float("nan"), deep={"x": [float("inf"), 1]}, where=tmp_path, who={"b", "a"})
        trace.emit("odd", broken="\udc80", nothing=None, yes=True)
    first, second = read_trace(path)
    assert (first["nan"], first["deep"], first["who"]) == (None, {"x": [None, 1]}, ["a", "b"])
    assert first["where"] == str(tmp_path)
    assert (second["nothing"], second["yes"]) == (None, True)


@pytest.fixture(params=["file", "memory", "null"])
def any_trace(request: pytest.FixtureRequest, tmp_path: Path) -> Trace:
    made: dict[str, Any] = {
        "file": lambda: TraceWriter(tmp_path / "trace.jsonl"),
        "memory": MemoryTrace,
        "null": NullTrace,
    }
    return made[request.param]()  # type: ignore[no-any-return]


def test_every_trace_takes_an_event(any_trace: Trace) -> None:
    any_trace.emit("step", number=1, text="x")
    if isinstance(any_trace, TraceWriter):
        any_trace.close()


def test_a_field_that_the_trace_sets_itself_is_refused(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "trace.jsonl") as trace, pytest.raises(ValueError, match="seq"):
        trace.emit("step", seq=7)
    with pytest.raises(ValueError, match="at, t"):
        MemoryTrace().emit("step", t=1, at=2)


def test_the_memory_trace_holds_what_would_be_read_from_a_file(tmp_path: Path) -> None:
    memory = MemoryTrace()
    with TraceWriter(tmp_path / "trace.jsonl") as trace:
        for one in (memory, trace):
            one.emit("step", pair=(1, 2), where=tmp_path)
    read = list(read_trace(tmp_path / "trace.jsonl"))
    clocks = {"t": 0, "at": ""}
    assert [event | clocks for event in memory.events] == [event | clocks for event in read]
    assert memory.kinds() == ["step"]
    assert json.dumps(memory.events)
