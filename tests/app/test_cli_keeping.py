"""`kith world rename` and `kith world delete`: what they keep, what they refuse, and that nothing is half done."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from kithnet.app.cli import main
from kithnet.app.runs import Run, all_runs, held, new_run
from kithnet.app.world_names import ERASING, worlds
from kithnet.app.worlds import create_world, open_world
from kithnet.memory.chroma_server import ChromaServerIndex, stated
from kithnet.memory.postgres import URL_FILE, address_beside
from kithnet.network.generate import GenerateSpec, generate
from kithnet.runtime.config import Config
from kithnet.runtime.errors import StorageError
from kithnet.runtime.trace import TraceWriter

from ..conformance import conftest as servers

KITH = [sys.executable, "-c", "import sys; from kithnet.app.cli import main; sys.exit(main())"]
WORLD = generate(GenerateSpec(4, 5, 60))

postgres, chroma_url = servers.postgres, servers.chroma_url


class Server(Protocol):
    @property
    def url(self) -> str: ...


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(home: Path) -> Path:
    """The folder of the worlds, with one called `town` that has a run."""
    create_world(home / "worlds", "town", WORLD)
    a_run(home / "worlds" / "town")
    return home / "worlds"


def a_run(world: Path) -> Run:
    run = new_run(world, "ask", Config())
    with TraceWriter(run.trace) as trace:
        trace.emit("run", run=run.id, command="ask", world=world.name, people=4, ties=5, messages=60, model="m")
    run.report.write_text("<h1>1 task in town</h1>", encoding="utf-8")
    return run


def kith(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON object of a command."""
    capsys.readouterr()
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def visible(folder: Path) -> list[str]:
    """What lies in the folder of the worlds beside lock files."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


# --- rename ---


def test_a_renamed_world_keeps_its_messages_and_its_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = all_runs(folder / "town")
    with open_world(folder, "town") as store:
        before = list(store.messages())
    assert kith(capsys, "world", "rename", "town", "old-town") == (0, {"world": "old-town", "was": "town"})
    assert visible(folder) == ["old-town"] and not (folder / "old-town" / ERASING).exists()
    with open_world(folder, "old-town") as store:
        assert list(store.messages()) == before
        one, other = (person.id for person in store.people()[:2])
        store.owner(one).write_turn(other, "One more.", sender=one, session="s")
    for words in (["trace", run.id], ["trace", "last", "--world", "old-town"]):
        status, traced = kith(capsys, *words)
        assert (status, traced["run"], traced["events"][0]["world"]) == (0, run.id, "town")
    assert all_runs(folder / "old-town")[0].report.is_file()
    assert kith(capsys, "world", "show", "town")[0] == 2
    assert kith(capsys, "world", "rename", "old-town", "town")[0] == 0  # and back


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("nowhere", "new", "no world 'nowhere'"),
        ("town", "village", "exists"),
        ("town", "town", "exists"),
        ("town", "folder", "exists"),
        ("town", "Big Town", "cannot name a world"),
        ("town", "../town", "cannot name a world"),
        ("../town", "new", "cannot name a world"),
    ],
)
def test_a_name_that_is_taken_or_none_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    create_world(folder, "village", WORLD)
    (folder / "folder").mkdir()
    status, told = kith(capsys, "world", "rename", old, new)
    assert (status, told["error"]["type"]) == (2, "UnknownWorld")
    assert said in told["error"]["message"] and told["error"]["hint"]
    assert visible(folder) == ["folder", "town", "village"]


SWAP = """
import sys
from pathlib import Path
from kithnet.app.world_keeping import rename_world
names = ["town", "village"]
while True:
    rename_world(Path(sys.argv[1]), *names)
    names.reverse()
    print(flush=True)
"""


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1])
def test_a_rename_that_is_killed_leaves_the_world_under_one_of_the_names(
    folder: Path, capsys: pytest.CaptureFixture[str], pause: float
) -> None:
    child = subprocess.Popen([sys.executable, "-c", SWAP, str(folder)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"\n"
    time.sleep(pause)
    child.kill()
    child.communicate()
    (name,) = worlds(folder)
    assert kith(capsys, "world", "show", name)[1]["messages"] == 60
    assert kith(capsys, "world", "rename", name, "other") == (0, {"world": "other", "was": name})


# --- delete ---


def test_a_world_is_deleted_with_everything_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = kith(capsys, "world", "delete", "town", "--yes")
    assert (status, told) == (0, {"deleted": "town", "messages": 60, "runs": 1})
    assert visible(folder) == []
    assert kith(capsys, "world", "delete", "town", "--yes")[0] == 2
    assert create_world(folder, "town", WORLD).messages == 60


def test_without_a_terminal_a_yes_must_stand_in_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([*KITH, "world", "delete", "town", "--json"], stdin=subprocess.DEVNULL, capture_output=True)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["type"], error["hint"]) == (2, "InputError", "add --yes")
    assert "town: 60 messages, 1 run" in error["message"]
    assert visible(folder) == ["town"]


@pytest.mark.parametrize(("typed", "status", "stays"), [("y", 0, []), ("n", 130, ["town"]), ("", 130, ["town"])])
def test_at_a_terminal_one_is_asked(folder: Path, typed: str, status: int, stays: list[str]) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*KITH, "world", "delete", "town"], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = ""
    while "[y/N]" not in shown:
        assert select.select([ours], [], [], 30)[0], shown
        shown += os.read(ours, 4096).decode()
    assert "Delete town: 60 messages, 1 run? It cannot be undone." in " ".join(shown.split())
    os.write(ours, f"{typed}\n".encode())
    printed, _ = child.communicate(timeout=30)
    os.close(ours)
    assert (child.returncode, visible(folder)) == (status, stays)
    assert printed == (b"deleted town: 60 messages, 1 run\n" if not status else b"")


def test_a_damaged_world_can_be_deleted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "town" / "kith.db").write_bytes(b"no database" * 1000)
    status, told = kith(capsys, "world", "delete", "town", "--yes")
    assert (status, told) == (0, {"deleted": "town", "messages": None, "runs": 1})
    assert visible(folder) == []


def test_a_link_to_a_world_elsewhere_is_not_followed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "town").rename(tmp_path / "elsewhere")
    (folder / "town").symlink_to(tmp_path / "elsewhere")
    assert kith(capsys, "world", "delete", "town", "--yes")[0] == 2
    assert (tmp_path / "elsewhere" / "kith.db").is_file()


@pytest.mark.parametrize("then", ["delete", "generate"])
def test_a_deletion_that_is_killed_is_finished_by_the_next_command_of_that_name(
    folder: Path, capsys: pytest.CaptureFixture[str], then: str
) -> None:
    for number in range(30_000):  # so that it takes a while
        (folder / "town" / f"{number}.txt").touch()
    child = subprocess.Popen([*KITH, "world", "delete", "town", "--yes"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 40
    while "town" in visible(folder) and time.monotonic() < deadline:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    (left,) = visible(folder)
    assert left.startswith(".new-town.") and worlds(folder) == []
    assert kith(capsys, "world", "show", "town")[0] == 2
    if then == "delete":
        assert kith(capsys, "world", "delete", "town") == (0, {"deleted": "town", "messages": None, "runs": 0})
        assert visible(folder) == []
    else:
        small = ["--people", "4", "--ties", "5", "--messages", "60", "--tasks", "0"]
        assert kith(capsys, "world", "generate", "--name", "town", *small)[0] == 0
        assert visible(folder) == ["town"]


# --- in use ---

OPEN = """
import sys
from pathlib import Path
from kithnet.memory.store import Store
with Store.open(Path(sys.argv[1])) as store:
    print(store.stats().messages, flush=True)
    sys.stdin.read()
"""
COMMANDS = [["rename", "town", "village"], ["delete", "town", "--yes"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_world_at_work_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], command: Sequence[str]
) -> None:
    with held(all_runs(folder / "town")[0]):
        status, told = kith(capsys, "world", *command)
    assert (status, told["error"]["type"]) == (1, "WorldBusy")
    child = subprocess.Popen(
        [sys.executable, "-c", OPEN, str(folder / "town" / "kith.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"60\n"
    status, told = kith(capsys, "world", *command)
    child.communicate()
    assert (status, told["error"]["type"]) == (1, "WorldBusy")
    assert "has" in told["error"]["message"] and "kith.db open" in told["error"]["message"]
    assert visible(folder) == ["town"] and not (folder / "town" / ERASING).exists()
    assert kith(capsys, "world", *command)[0] == 0


# --- servers ---


def test_a_world_in_postgresql_is_renamed_and_its_schema_deleted(
    home: Path, postgres: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "worlds"
    create_world(folder, "ville", WORLD, database=postgres.url)
    schema = schemas(postgres)
    assert len(schema) == 1
    assert kith(capsys, "world", "rename", "ville", "moved")[0] == 0
    assert kith(capsys, "world", "show", "moved")[1]["messages"] == 60
    assert kith(capsys, "world", "delete", "moved", "--yes")[1] == {"deleted": "moved", "messages": 60, "runs": 0}
    assert schemas(postgres) == [] and visible(folder) == []


def test_a_schema_called_like_its_folder_is_found_after_a_rename(
    home: Path, postgres: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "worlds"
    create_world(folder, "ville", WORLD, database=postgres.url)
    file = folder / "ville" / URL_FILE
    where = address_beside(folder / "ville" / "kith.db")
    assert where is not None
    with connected(postgres) as connection:
        connection.execute(f'ALTER SCHEMA "{where.schema}" RENAME TO ville')
    file.write_text(postgres.url, encoding="utf-8")
    assert kith(capsys, "world", "rename", "ville", "moved")[0] == 0
    assert kith(capsys, "world", "show", "moved")[1]["messages"] == 60
    assert (folder / "moved" / URL_FILE).stat().st_mode & 0o077 == 0
    assert kith(capsys, "world", "delete", "moved", "--yes")[0] == 0
    assert schemas(postgres) == []


def test_of_a_world_whose_server_is_out_of_reach_nothing_is_deleted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pg").mkdir()
    (folder / "pg" / URL_FILE).write_text("postgresql://kith@127.0.0.1:1/none?schema=pg", encoding="utf-8")
    (folder / "town" / "vectors").mkdir()
    server = {"url": "http://127.0.0.1:1", "collection": "kith-town-x", "embedder": "e", "dim": 4}
    (folder / "town" / "vectors" / "server.json").write_text(json.dumps(server), encoding="utf-8")
    for name in ("pg", "town"):
        status, told = kith(capsys, "world", "delete", name, "--yes")
        assert (status, told["error"]["type"]) == (1, "StorageError")
    assert visible(folder) == ["pg", "town"]


def test_vectors_in_a_chroma_server_are_deleted_with_their_world(
    folder: Path, chroma_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ChromaServerIndex.rebuild(folder / "town" / "vectors", chroma_url, "town", "e", 4) as index:
        index.upsert([1, 2], np.eye(4, dtype=np.float32)[:2])
    assert kith(capsys, "world", "rename", "town", "village")[0] == 0
    about = stated(folder / "village" / "vectors")
    assert about is not None
    with ChromaServerIndex.open(folder / "village" / "vectors", "e", 4) as index:
        assert index.count == 2
    assert main(["world", "delete", "village", "--yes"]) == 0
    told = capsys.readouterr().out
    assert about.url in told and about.collection in told
    assert visible(folder) == []
    with pytest.raises(StorageError, match="holds no vectors"):
        ChromaServerIndex(folder / "nowhere", about)


def connected(server: Server) -> Any:
    import psycopg

    return psycopg.connect(server.url.replace("+psycopg", ""))


def schemas(server: Server) -> list[str]:
    with connected(server) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'ville')")
        return [row[0] for row in found]
