"""How many days and times of day are read as they were meant in real requests: Schedule-Guided Dialogue, a file of its messages.

One JSON object a line: `utterance`, `today` and `slots`, each with its `slot` (a date, a time or something else), and its
`value`.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kithnet.memory.language.time import clock, days, expressions
from kithnet.runtime.errors import InputError, RecordError


class Slot(BaseModel):
    """A stretch of a request. value: "2019-03-08" of a date, "17:30" of a time of day."""

    slot: str
    value: str


class Request(BaseModel):
    """A message to an assistant, and what it asks for."""

    utterance: str
    today: date
    slots: list[Slot]

    def values(self, of: str) -> list[str]:
        """What its slots of dates ("date") or times of day ("time") mean."""
        return [one.value for one in self.slots if of in one.slot.split("_")]


def load(path: Path) -> list[Request]:
    """The requests of a file. Raises InputError, RecordError that names the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path given with --requests") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Request.model_validate_json(line))
        except ValidationError as error:
            raise RecordError(
                f"{path.name}, line {number}: no request", "give one of Schedule-Guided Dialogue"
            ) from error
    return found


def rows(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Of the dates and times that are asked for, how many are read; of the dates that are read, how many are asked for."""
    dates = [(one.values("date"), list(_days(one))) for one in requests]
    times = [(one.values("time"), list(_times(one.utterance))) for one in requests]
    return [
        _row("dates", [value in read for wanted, read in dates for value in wanted]),
        _row("clock times", [value in read for wanted, read in times for value in wanted]),
        _row("dates read", [value in wanted for wanted, read in dates for value in read]),
    ]


def _row(name: str, right: Sequence[bool]) -> dict[str, Any]:
    return {"of": name, "count": len(right), "right": sum(right) / max(1, len(right))}


def _days(one: Request) -> Iterator[str]:
    for when in days.times(one.utterance, datetime.combine(one.today, time(12))):
        if when.end - when.start == timedelta(days=1):
            yield when.start.date().isoformat()


def _times(utterance: str) -> Iterator[str]:
    for one in expressions.expressions(clock.tokens(utterance)):
        if one.clock is not None:
            yield clock.said(clock.alone(one.clock, ""))
