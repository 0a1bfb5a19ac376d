"""What `kith model check` found, on disk: beside a model's file, or in the home where that cannot be, and for endpoints.

Light to import: the lists of models show it without opening one.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kithnet.runtime.files import put_in_place, storing

FOLDER = "aptitude"
"""Of the home: results that cannot lie beside a model."""


def of_file(model: Path, home: Path) -> list[Path]:
    """Where the result of a model file may lie, the first choice first."""
    return [model.with_name(f"{model.name}.aptitude.json"), _in_home(home, str(model.resolve()))]


def of_endpoint(url: str, name: str, home: Path) -> list[Path]:
    """Where the result of an endpoint's model lies."""
    return [_in_home(home, url.rstrip("/"), name)]


def _in_home(home: Path, *parts: str) -> Path:
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
    return home / FOLDER / f"{digest}.json"


def weights(model: Path | None) -> dict[str, int] | None:
    """What tells a model file from another in its place; None for an endpoint, which may change behind its name."""
    if model is None:
        return None
    found = model.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def read(files: Sequence[Path], model: Path | None) -> dict[str, Any] | None:
    """The kept result as it was written; None where there is none, it is damaged, or the model file has changed since."""
    for file in files:
        try:
            body = json.loads(file.read_bytes())
            if isinstance(body, dict) and body["weights"] == weights(model):
                return body
        except (OSError, ValueError, LookupError, RecursionError):
            continue
    return None


def write(files: Sequence[Path], body: Mapping[str, Any]) -> Path:
    """Write a result, all of it or nothing, where it can be written first; returns the file. Raises StorageError."""
    file = next((one for one in files[:-1] if os.access(one.parent, os.W_OK | os.X_OK)), files[-1])
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    with storing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(body, indent=1, ensure_ascii=False), encoding="utf-8")
            put_in_place(part, file)
        finally:
            part.unlink(missing_ok=True)
    return file


def in_short(model: Path, home: Path) -> dict[str, Any] | None:
    """What `kith model list` and `show` say of a model file's check; None where there was none."""
    body = read(of_file(model, home), model) if model.is_file() else None
    return {name: body.get(name) for name in ("able", "passed", "of")} if body else None
