"""What works on this machine, what is missing, and the command that mends it (`kith doctor`).

Nothing is written here, and every part is looked at on its own: a check that finds the worst still lets the
others speak. Compiled parts are imported in a child process, which may die of them.
"""

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from kithnet.runtime.errors import KithnetError

if TYPE_CHECKING:
    from kithnet.runtime.registry import Registry

_OLDEST_PYTHON = (3, 11)
_OLDEST_SQLITE = (3, 35, 0)
_ROOM_FOR_MODELS = 600_000_000
_ROOM_FOR_WORLDS = 200_000_000
_MEMORY_NEEDED = 1_000_000_000
_PROBE_SECONDS = 60
_COMPILERS = ("c++", "g++", "clang++")
_PACKAGES = (
    ("debian", "apt-get install build-essential"),
    ("fedora", "dnf install gcc-c++ make"),
    ("rhel", "dnf install gcc-c++ make"),
    ("suse", "zypper install gcc-c++ make"),
    ("arch", "pacman -S base-devel"),
    ("alpine", "apk add build-base linux-headers"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line. needed: Kithnet cannot do its main job without it. mend: a command or what to do; "" when ok."""

    name: str
    ok: bool
    needed: bool
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What to look at. reader: the trained reader, "" for none. url: an OpenAI-compatible endpoint in the local model's place,
    or "". mind: the setting model.mind. programs: PATH."""

    home: Path
    model: str
    embedder: str
    reader: str = ""
    url: str = ""
    mind: str = "auto"
    key: str = ""
    deep: bool = False
    programs: str = ""


def examine(question: Question) -> list[Check]:
    """Every check, in the order they are shown; takes a few seconds, or as long as rehashing takes with `deep`."""
    with ThreadPoolExecutor() as pool:
        engine = pool.submit(_binding, needed=not question.url)
        vectors = pool.submit(_vectors)
        models = _models(question)
        room = _room(question.home, all(model.ok for model in models))
        quick = [_python(), _sqlite(), _home(question.home), room, *_machine()]
        endpoint = [_endpoint(question.url, question.key)] if question.url else []
        built = engine.result()
        return [
            quick[0],
            built,
            _compiler(question.programs, needed=built.needed and not built.ok),
            quick[1],
            vectors.result(),
            *quick[2:],
            *models,
            *endpoint,
            *([] if question.url else [_best(question.home)]),
        ]


def healthy(checks: Iterable[Check]) -> bool:
    return all(check.ok or not check.needed for check in checks)


def _python() -> Check:
    ok = sys.version_info >= _OLDEST_PYTHON
    wanted = ".".join(map(str, _OLDEST_PYTHON))
    mend = "" if ok else f"install Python {wanted} or newer and make the virtual environment again"
    return Check("python", ok, True, platform.python_version(), mend)


def _binding(needed: bool) -> Check:
    """llama-cpp-python: its struct layouts change between patch releases, so only the pinned one will do."""
    pinned = _pinned("llama-cpp-python")
    mend = f"{sys.executable} -m pip install --force-reinstall --no-cache-dir llama-cpp-python=={pinned}"
    found, trouble = _import_in_child("llama_cpp")
    if not found:
        return Check("llama-cpp-python", False, needed, trouble, mend)
    ok = not pinned or found == pinned
    return Check("llama-cpp-python", ok, needed, found if ok else f"{found}, not {pinned}", "" if ok else mend)


def _vectors() -> Check:
    found, trouble = _import_in_child("chromadb")
    mend = "" if found else f"{sys.executable} -m pip install --force-reinstall chromadb"
    return Check("chromadb", bool(found), True, found or trouble, mend)


def _import_in_child(module: str) -> tuple[str, str]:
    """(version, "") of a module that can be imported, else ("", why not)."""
    command = [sys.executable, "-P", "-c", f"import {module}; print({module}.__version__)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "", f"importing it took more than {_PROBE_SECONDS} s"
    if done.returncode == 0 and done.stdout.strip():
        return done.stdout.split()[-1], ""
    if done.returncode < 0:
        return "", f"importing it was ended by signal {-done.returncode}"
    return "", (done.stderr.strip().splitlines() or ["it cannot be imported"])[-1]


def _pinned(distribution: str) -> str:
    """The exact version our own metadata asks for, or "" (not installed as a distribution)."""
    try:
        wanted = metadata.requires("kithnet") or []
    except metadata.PackageNotFoundError:
        return ""
    found = (re.match(rf"{re.escape(distribution)}\s*==\s*([\w.]+)", line) for line in wanted)
    return next((match[1] for match in found if match), "")


def _compiler(programs: str, needed: bool) -> Check:
    found = next((place for name in _COMPILERS if (place := shutil.which(name, path=programs))), "")
    if not found:
        return Check("C++ compiler", False, needed, "none found; it builds llama-cpp-python", _install_compiler())
    try:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("C++ compiler", False, needed, f"{found} does not run: {error}", _install_compiler())
    if done.returncode != 0:
        return Check("C++ compiler", False, needed, f"{found} does not run", _install_compiler())
    return Check("C++ compiler", True, needed, done.stdout.splitlines()[0])


def _install_compiler() -> str:
    if sys.platform == "darwin":
        return "xcode-select --install"
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    family = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}"
    return next((command for name, command in _PACKAGES if name in family), "install a C++ compiler and make")


def _sqlite() -> Check:
    version = sqlite3.sqlite_version
    mend = "use a Python built with SQLite 3.35 or newer and FTS5 (python.org's and the distributions' are)"
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return Check("sqlite", False, True, f"{version} is too old", mend)
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
    except sqlite3.OperationalError as error:
        return Check("sqlite", False, True, f"{version} without full-text search ({error})", mend)
    finally:
        connection.close()
    return Check("sqlite", True, True, f"{version} with FTS5")


def _home(home: Path) -> Check:
    """A folder that is not there yet counts as writable when it could be made; it is not made."""
    mend = f"make {home} a folder you may write to, or set KITHNET_HOME to another one"
    above = _existing(home)
    if not above.is_dir():
        return Check("home", False, True, f"{above} is not a folder", mend)
    try:
        if above == home:
            with tempfile.TemporaryFile(dir=home) as file:
                file.write(b"\0" * 4096)
                file.flush()
        elif not os.access(above, os.W_OK | os.X_OK):
            return Check("home", False, True, f"{above} is not writable", mend)
    except OSError as error:
        return Check("home", False, True, f"{home} is not writable: {error.strerror}", mend)
    return Check("home", True, True, str(home) if above == home else f"{home} (will be made)")


def _room(home: Path, fetched: bool) -> Check:
    free = shutil.disk_usage(_existing(home)).free
    wanted = _ROOM_FOR_WORLDS if fetched else _ROOM_FOR_MODELS
    mend = "" if free >= wanted else f"free {wanted / 1e6:,.0f} MB, or set KITHNET_HOME to another disk"
    return Check("disk", free >= wanted, True, f"{free / 1e9:,.1f} GB free", mend)


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def _machine() -> list[Check]:
    import psutil

    cores = len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else os.cpu_count() or 1
    memory = psutil.virtual_memory()
    enough = memory.available >= _MEMORY_NEEDED
    detail = f"{memory.available / 1e9:,.1f} of {memory.total / 1e9:,.1f} GB available"
    return [
        Check("cores", True, False, str(cores)),
        Check("memory", enough, False, detail, "" if enough else "close other programs: a run needs about 1 GB"),
    ]


def _models(question: Question) -> list[Check]:
    """The models a run would use; a remote endpoint takes the chat model's place."""
    from kithnet.runtime.registry import Registry

    registry = Registry(question.home / "models")
    names = [question.embedder] if question.url else [question.model, question.embedder]
    checks = [_model(registry, name, question.deep) for name in names]
    checks += [_reader(registry, question)] if question.reader else []
    checks += [_mind(question)] if question.url or checks[0].ok else []
    return checks if question.url or not checks[0].ok else [*checks, *_thrashing(registry.resolve(question.model))]


def _reader(registry: "Registry", question: Question) -> Check:
    """The trained reader: without it shared words decide, and most is missed."""
    found = _model(registry, question.reader, question.deep)
    if found.ok:
        from kithnet.runtime.reader import LlamaReader

        try:
            LlamaReader.load(registry.resolve(question.reader), threads=1).close()
        except KithnetError as error:
            found = Check(found.name, False, False, error.message, error.hint)
    return replace(found, needed=False)


def _mind(question: Question) -> Check:
    """Who thinks for the agents: what a check of the chat model found."""
    from kithnet.app import minds
    from kithnet.runtime.config import ModelConfig

    found = minds.kept(ModelConfig(name=question.model, url=question.url), question.home / "models")
    again = f"kith model check {question.model}" + (f" --url {question.url}" if question.url else "")
    if question.mind != "auto":
        return Check("mind", True, False, f"the {question.mind}, as model.mind says")
    if found is None:
        until = "it counts as able" if question.url else "it is checked when first used"
        return Check("mind", True, False, f"{question.model} was never checked ({again}): until then {until}")
    return Check("mind", True, False, f"{question.model}: {minds.verdict(found)}")


def _thrashing(model: Path) -> list[Check]:
    """A warning where the weights of the chat model do not fit into memory: the system would page them in and out."""
    from kithnet.app import fitting
    from kithnet.runtime.offload.fit import RESERVE, free_memory

    if model.stat().st_size + RESERVE <= free_memory():
        return []  # most models: the header need not be read
    try:
        outlook = fitting.look(model, 0)
    except KithnetError as error:
        return [Check("model memory", False, False, error.message, error.hint)]
    if outlook.fit.verdict == "fits":
        return []
    return [Check("model memory", False, False, fitting.line(outlook), fitting.mend(outlook))]


def _best(home: Path) -> Check:
    """The best model of the table for this machine; the disk is only measured where a model is there to be read."""
    from kithnet.app import recommending

    offers = recommending.recommend(recommending.look(home / "models", write=False))
    detail = recommending.in_short(offers[0]) if offers else "none of kith model recommend fits into the free memory"
    return Check("best model", True, False, detail)


def _model(registry: "Registry", name: str, deep: bool) -> Check:
    try:
        path = registry.resolve(name)
        size = f"{path}, {path.stat().st_size / 1e6:,.1f} MB"
        detail = f"{size}, sha256 {registry.verify(name)[:12]}..." if deep else size
    except KithnetError as error:
        return Check(f"model {name}", False, True, error.message, error.hint)
    except OSError as error:
        return Check(f"model {name}", False, True, str(error), "make the file readable")
    return Check(f"model {name}", True, True, detail)


def _endpoint(url: str, key: str) -> Check:
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    name = "endpoint"
    try:
        answer = httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=5.0, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        mend = "start the server, or check model.url and the network"
        return Check(name, False, True, f"{url} does not answer: {error}", mend)
    if answer.status_code in (401, 403):
        mend = "set the environment variable that model.api_key_env names"
        return Check(name, False, True, f"{url} refuses the key ({answer.status_code})", mend)
    # Some servers speak chat without listing models: that they answer at all is what counts.
    ok = answer.status_code < 500
    mend = "" if ok else "look at the server's log"
    return Check(name, ok, True, f"{url} answered {answer.status_code}", mend)
