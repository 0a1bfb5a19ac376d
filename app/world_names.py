"""Names of worlds and where they live. Quick to import: `kith world list` needs no more."""

import re
from pathlib import Path

from kithnet.runtime.errors import UnknownWorld

DATABASES = ("kith.db", "database.url")
"""What a world's folder holds one of: its database, or where that is."""

ERASING = "erase.pending"
"""A file in a world's folder while something is being erased from it."""

NAME = re.compile(r"[a-z0-9_-]{1,64}")


def worlds(folder: Path) -> list[str]:
    """Names of the worlds in `folder`, in order; [] when there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if NAME.fullmatch(entry.name) and is_world(entry))


def is_world(folder: Path) -> bool:
    """Whether this folder holds a world, whatever state its database is in."""
    return any((folder / name).is_file() for name in DATABASES)


def world_folder(folder: Path, name: str) -> Path:
    """Where the world `name` lives or would live. Raises UnknownWorld for a name that cannot be one."""
    if not NAME.fullmatch(name):
        raise UnknownWorld(
            f"{name!r} cannot name a world",
            "use lower-case letters, digits, - and _, at most 64 of them, as in my-friends",
        )
    return folder / name
