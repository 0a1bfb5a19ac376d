"""Where things live on this machine (ARCHITECTURE: on disk). Reading these paths creates nothing."""

from collections.abc import Mapping
from pathlib import Path

import platformdirs


def home_folder(environ: Mapping[str, str]) -> Path:
    """`KITHNET_HOME`, or the platform's user data folder."""
    chosen = environ.get("KITHNET_HOME")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("kithnet", appauthor=False))


def models_folder(environ: Mapping[str, str]) -> Path:
    return home_folder(environ) / "models"


def worlds_folder(environ: Mapping[str, str]) -> Path:
    return home_folder(environ) / "worlds"
