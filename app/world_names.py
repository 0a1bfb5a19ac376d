"""Names of worlds and where they live. Quick to import: `kith world list` needs no more."""

import re
from pathlib import Path

from kithnet.runtime.errors import UnknownWorld

NAME = re.compile(r"[a-z0-9_-]{1,64}")


def worlds(folder: Path) -> list[str]:
    """Names of the worlds in `folder`, in order; [] when there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(entry.parent.name for entry in folder.glob("*/kith.db") if NAME.fullmatch(entry.parent.name))


def world_folder(folder: Path, name: str) -> Path:
    """Where the world `name` lives or would live. Raises UnknownWorld for a name that cannot be one."""
    if not NAME.fullmatch(name):
        raise UnknownWorld(
            f"{name!r} cannot name a world",
            "use lower-case letters, digits, - and _, at most 64 of them, as in my-friends",
        )
    return folder / name
