"""Results of a run on disk: outcomes line by line while it goes on, `results.json` at the end, both with a version."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kithnet.bench.informative.playing import Outcome, as_row, from_row
from kithnet.runtime.errors import InputError, RecordError
from kithnet.runtime.files import put_in_place, storing

VERSION = 1
"""Of the files; raised when a field changes its meaning."""
OUTCOMES, RESULTS = "outcomes.jsonl", "results.json"


@dataclass(frozen=True, slots=True)
class Results:
    """A finished run. about: suite, seed, wordings, model, machine. scores: arm -> item -> (family, score)."""

    about: Mapping[str, Any]
    table: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, tuple[str, float]]]


class Ledger:
    """The outcomes of a run, appended one by one; what a killed run had finished is there again."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError for outcomes of another version, RecordError for a damaged line."""
        self._path = folder / OUTCOMES
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            whole_lines(self._path)
            if self._path.is_file():
                self._read()
            else:
                self._write({"version": VERSION})

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, also across a kill."""
        self._write(as_row(outcome))
        self.outcomes[outcome.item, outcome.arm] = outcome

    def _read(self) -> None:
        for number, line in enumerate(self._path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                if number == 1:
                    _same_version(row, self._path)
                else:
                    one = from_row(row)
                    self.outcomes[one.item, one.arm] = one
            except (ValueError, KeyError, TypeError) as error:
                raise RecordError(
                    f"{self._path} is damaged: {error!r}", "run again with --fresh", row=number
                ) from error

    def _write(self, row: Mapping[str, Any]) -> None:
        with storing(self._path.parent), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def whole_lines(path: Path) -> None:
    """Cut off a last line that a kill left unfinished."""
    if not path.is_file():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)
    if not path.stat().st_size:
        path.unlink()


def save(folder: Path, results: Results) -> Path:
    """Write `results.json`, whole or not at all; returns its path."""
    path, part = folder / RESULTS, folder / f"{RESULTS}.part"
    data = {
        "version": VERSION,
        "about": dict(results.about),
        "table": list(results.table),
        "scores": {arm: {item: list(row) for item, row in rows.items()} for arm, rows in results.scores.items()},
    }
    with storing(folder):
        part.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
        put_in_place(part, path)
    return path


def load(path: Path) -> Results:
    """Read `results.json`, or that of a run's folder. Raises InputError: not there, another version, another file."""
    if path.is_dir():
        path = path / RESULTS
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "`kith bench informative` writes it") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", "name a results.json of `kith bench informative`") from error
    _same_version(data, path)
    try:
        scores = {
            str(arm): {str(item): (str(family), float(score)) for item, (family, score) in rows.items()}
            for arm, rows in data["scores"].items()
        }
        return Results(dict(data["about"]), list(data["table"]), scores)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {error!r}", "run the benchmark again") from error


def _same_version(data: object, path: Path) -> None:
    version = data.get("version") if isinstance(data, dict) else None
    if version != VERSION:
        found = f"of version {version}" if version is not None else "of no version"
        raise InputError(
            f"{path} holds results {found}, and this program reads version {VERSION}",
            "run the benchmark again with --fresh, or use the program that wrote it",
        )
