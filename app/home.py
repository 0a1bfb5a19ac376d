"""Where things live on this machine (ARCHITECTURE: on disk). Reading these paths creates nothing."""

from collections.abc import Mapping
from pathlib import Path

import platformdirs

from kithnet.runtime.errors import ConfigError


def home_folder(environ: Mapping[str, str]) -> Path:
    """`KITHNET_HOME`, or the platform's user data folder."""
    chosen = environ.get("KITHNET_HOME")
    try:
        return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("kithnet", appauthor=False))
    except RuntimeError as error:
        raise ConfigError(
            f"KITHNET_HOME={chosen!r}: {error}", "set KITHNET_HOME to a folder that can be found"
        ) from error


def models_folder(environ: Mapping[str, str]) -> Path:
    return home_folder(environ) / "models"


def worlds_folder(environ: Mapping[str, str]) -> Path:
    return home_folder(environ) / "worlds"
