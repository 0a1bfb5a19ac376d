"""The worlds that questions are asked over: made once for each data file, in a folder of the home of their own."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from kithnet.app import worlds
from kithnet.app.world_names import is_world
from kithnet.bench.asking.question import Subject
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, UnknownModel
from kithnet.runtime.registry import Registry

Told = Callable[[str], None]


def key_of(files: Sequence[Path], *more: object) -> str:
    """Eight letters for what files hold, and for what else a folder depends on. Raises InputError."""
    digest = hashlib.sha256()
    for path in files:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}", "name a file that is there") from error
    digest.update(repr(more).encode())
    return digest.hexdigest()[:8]


def made(folder: Path, subject: Subject, key: str, models: Path, config: Config, told: Told) -> Path:
    """The folder of the subject's world, made and embedded where that has not been done; a kill loses what is under way.

    key: of the data file and the seed; how many messages its importer makes of it is told apart too. Without the embedder
    recall is by words alone. Raises WorldBusy, StorageError.
    """
    name = f"{subject.name}-{key}-{len(subject.world.messages)}"
    if not is_world(folder / name):
        told(f"making the world {name}")
        worlds.create_world(folder, name, subject.world)
    try:
        Registry(models).resolve(config.embedder.name)
    except UnknownModel:
        return folder / name
    if not complete(folder / name):
        worlds.index_world(
            folder, name, models, config.embedder.name, lambda done, total: told(f"{name}: {done} embedded")
        )
        (folder / name / "vectors" / DONE).touch()
    return folder / name


DONE = "bench-complete"
"""A mark in the folder of vectors once every message has one."""


def complete(world: Path) -> bool:
    """Whether the world's vectors were made to the end."""
    return (world / "vectors" / DONE).is_file()
