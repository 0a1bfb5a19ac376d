"""Run folders: `runs/<id>/` of a world holds config.toml, trace.jsonl, state.db and report.html."""

import difflib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from kithnet.runtime.config import Config
from kithnet.runtime.errors import KithnetError, StorageError, UnknownRun, WorldBusy


@dataclass(frozen=True, slots=True)
class Run:
    """One run on disk. id: "COMMAND-DATE-TIME", unique within its world."""

    id: str
    folder: Path

    @property
    def trace(self) -> Path:
        return self.folder / "trace.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "state.db"

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


def new_run(world: Path, command: str, config: Config) -> Run:
    """Make a run folder with its configuration. Raises StorageError when the disk does not take it."""
    stamp = f"{command}-{datetime.now():%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
        run = Run(stamp + suffix, world / "runs" / (stamp + suffix))
        try:
            run.folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise StorageError(
                f"cannot make {run.folder}: {error.strerror}", "free space or check permissions"
            ) from error
        _write_whole(run.config, config.to_toml())
        return run
    raise StorageError(f"a thousand runs began in one second in {world}", "wait a moment and try again")


def find_run(world: Path, name: str) -> Run:
    """The run called `name`, or the newest for "last". Raises UnknownRun with near matches."""
    runs = all_runs(world)
    if name == "last" and runs:
        return runs[-1]
    found = next((run for run in runs if run.id == name), None)
    if found is None:
        near = difflib.get_close_matches(name, [run.id for run in runs], n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"runs are in {world / 'runs'}"
        raise UnknownRun(f"no run {name!r} in world {world.name!r}", hint)
    return found


def all_runs(world: Path) -> list[Run]:
    """The runs of a world, oldest first."""
    folder = world / "runs"
    found = [path for path in folder.iterdir() if (path / "config.toml").is_file()] if folder.is_dir() else []
    return [Run(path.name, path) for path in sorted(found, key=lambda p: ((p / "config.toml").stat().st_mtime, p.name))]


@contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold a run for this process. Raises WorldBusy when another process is at it."""
    lock = FileLock(run.folder / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as busy:
        raise WorldBusy(f"another process is working on run {run.id}", "wait for it, or start a new run") from busy
    try:
        yield
    finally:
        lock.release()


@contextmanager
def kept_if_begun(run: Run) -> Iterator[None]:
    """Of a run that fails before its first step nothing stays: a model that is missing is no run."""
    try:
        yield
    except KithnetError:
        if not (run.trace.is_file() and run.trace.stat().st_size):
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def _write_whole(path: Path, text: str) -> None:
    """All of the text or nothing: written beside, then moved into place."""
    beside = path.with_suffix(".part")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
