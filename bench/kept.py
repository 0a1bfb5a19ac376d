"""Outcomes of a run, kept line by line as they come: a run that was cut off does nothing twice."""

import json
import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from kithnet.bench.informative.results import whole_lines
from kithnet.runtime.errors import RecordError
from kithnet.runtime.files import storing

OUTCOMES = "outcomes.jsonl"
VERSION = 1
"""Of the lines; raised when a field changes its meaning."""

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Kept(Generic[K, T]):
    """The outcomes in a run's folder by key. A last line that a kill left unfinished is dropped."""

    def __init__(self, folder: Path, made: Callable[..., T], key: Callable[[T], K]) -> None:
        """made: the dataclass of an outcome. Raises RecordError for a damaged line, or one of another version."""
        self._path, self._made, self._key = folder / OUTCOMES, made, key
        self.outcomes: dict[K, T] = {}
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            whole_lines(self._path)
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        for number, line in enumerate(lines, 1):
            one = self._read(line, number)
            self.outcomes[key(one)] = one

    def add(self, outcome: T) -> None:
        """Keep an outcome, also across a kill."""
        row = {"version": VERSION} | asdict(outcome)  # type: ignore[call-overload]
        with storing(self._path.parent), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.outcomes[self._key(outcome)] = outcome

    def _read(self, line: str, number: int) -> T:
        try:
            row: Mapping[str, Any] = json.loads(line)
            if row["version"] != VERSION:
                raise ValueError(f"version {row['version']}")
            return self._made(**{name: value for name, value in row.items() if name != "version"})
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{self._path} is damaged: {error!r}", "run again with --fresh", row=number) from error
