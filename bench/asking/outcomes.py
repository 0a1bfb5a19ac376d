"""What came of each question, kept line by line: a run that was cut off asks nothing twice."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kithnet.bench.informative.results import whole_lines
from kithnet.runtime.errors import RecordError
from kithnet.runtime.files import storing

OUTCOMES = "outcomes.jsonl"
VERSION = 1

Key = tuple[str, str, str]
"""(part, mind, question)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question in one part.

    right: the answer holds the gold, or nothing was answered where there is no answer. known: something was answered.
    cites: a message of the gold evidence is cited. rank: of the first gold message in recall, from 1; 0 where it is not
    among those asked for. seconds: of the whole; model_seconds: of them inside the model. error: why it failed.
    """

    question: str
    part: str
    mind: str
    right: bool = False
    known: bool = False
    cites: bool = False
    answer: str = ""
    rank: int = 0
    calls: int = 0
    sent: int = 0
    evaluated: int = 0
    generated: int = 0
    seconds: float = 0.0
    model_seconds: float = 0.0
    stopped: str = ""
    error: str = ""

    @property
    def key(self) -> Key:
        return self.part, self.mind, self.question


class Kept:
    """The outcomes of a run's folder. A last line that a kill left unfinished is dropped."""

    def __init__(self, folder: Path) -> None:
        """Raises RecordError for a damaged line, or lines of another version."""
        self._path = folder / OUTCOMES
        self.outcomes: dict[Key, Outcome] = {}
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            whole_lines(self._path)
        for number, line in enumerate(self._lines(), 1):
            one = _read(line, number, self._path)
            self.outcomes[one.key] = one

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, also across a kill."""
        with storing(self._path.parent), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"version": VERSION} | asdict(outcome), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.outcomes[outcome.key] = outcome

    def _lines(self) -> list[str]:
        return self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []


def _read(line: str, number: int, path: Path) -> Outcome:
    try:
        row: Mapping[str, Any] = json.loads(line)
        if row["version"] != VERSION:
            raise ValueError(f"version {row['version']}")
        return Outcome(**{name: value for name, value in row.items() if name != "version"})
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is damaged: {error!r}", "run again with --fresh", row=number) from error
