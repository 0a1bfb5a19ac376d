"""From what was typed to what is meant: the world, the model folder, the settings."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kithnet.app.home import models_folder, worlds_folder
from kithnet.app.world_names import ERASING, is_world
from kithnet.app.worlds import world_folder, worlds
from kithnet.runtime.config import Config
from kithnet.runtime.errors import UnknownWorld

_MAKING = "`kith world add NAME PATH` or `kith world generate --name demo` makes one"


@dataclass(frozen=True, slots=True)
class Place:
    """A world's folder and the models of this machine."""

    name: str
    folder: Path
    models: Path


def world_named(name: str | None) -> Place:
    """The world called `name`, or the only one there is; an erasure that was interrupted in it is finished first.

    Raises UnknownWorld, WorldBusy while something is being erased from it.
    """
    place = world_place(name)
    if (place.folder / ERASING).exists():
        from kithnet.app import erasure  # it opens the world

        erasure.resume(place.folder)
    return place


def world_place(name: str | None) -> Place:
    """The same as it is. Raises UnknownWorld."""
    folder = worlds_folder(os.environ)
    known = worlds(folder)
    if name is None:
        if len(known) != 1:
            which = f"there are several: {', '.join(known)}" if known else "there is none yet"
            hint = "name one with --world" if known else _MAKING
            raise UnknownWorld(f"which world? {which}", hint)
        name = known[0]
    found = world_folder(folder, name)
    if not is_world(found):
        hint = f"there are: {', '.join(known)}" if known else _MAKING
        raise UnknownWorld(f"there is no world {name!r}", hint)
    return Place(name, found, models_folder(os.environ))


def models_here() -> Path:
    """The model folder of this machine."""
    return models_folder(os.environ)


def model_file(name: str) -> Path:
    """The GGUF of a model's name or path. Raises UnknownModel, ModelFileError."""
    from kithnet.runtime.registry import Registry  # it imports what fetches models

    return Registry(models_here()).resolve(name)


def settings(file: Path | None, overrides: Sequence[str] | None) -> Config:
    """The settings of a command: defaults, then the file, then `-c` overrides. Raises ConfigError."""
    return Config.load(file, overrides or ())
