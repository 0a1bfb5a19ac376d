"""Talks with the events that are in them, read from a file, and how well a reading of them does."""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kithnet.memory.language.time.clock import said
from kithnet.memory.writing import activities, events
from kithnet.memory.writing.events import Event
from kithnet.memory.writing.extract import Cast, Turn
from kithnet.memory.writing.tagging import Tagger

NAMES = {"ana": ("Ana",), "ben": ("Ben",), "carol": ("Carol",), "dave": ("Dave",)}


@dataclass(frozen=True)
class Talk:
    said: tuple[str, ...]
    events: tuple[str, ...]

    def right(self, found: Sequence[Event]) -> int:
        """How many of its events are among those found."""
        return sum(any(matches(event, wanted) for event in found) for wanted in self.events)

    def read(self, tagger: Tagger | None = None) -> list[Event]:
        """The events that are read from the talk."""
        turns = []
        for number, line in enumerate(self.said, 1):
            who, _, text = line.partition(": ")
            turns.append(Turn(number, who, "ben" if who == "ana" else "ana", text, datetime(2024, 5, 1, 9, number)))
        return events.read(turns, Cast("ana", NAMES), tagger=tagger)


@dataclass(frozen=True)
class Score:
    """right: events read as they were said. read, there: how many were read, and how many there are."""

    right: int
    read: int
    there: int

    @property
    def precision(self) -> float:
        return self.right / self.read if self.read else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.read + self.there) if self.read + self.there else 1.0


def load(file: Path) -> list[Talk]:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    return [Talk(tuple(one["said"]), tuple(one["events"])) for one in data["talk"]]


def halves(talks: Sequence[Talk]) -> tuple[list[Talk], list[Talk]]:
    """The talks to make rules for, and those held out: parted by a hash of the words, so by nobody's choice."""
    out = [hashlib.sha256("\n".join(talk.said).encode()).digest()[0] % 2 == 1 for talk in talks]
    return [t for t, held in zip(talks, out, strict=True) if not held], [
        t for t, held in zip(talks, out, strict=True) if held
    ]


def matches(event: Event, wanted: str) -> bool:
    """Whether an event is the one written "09:00-10:30 yoga/yoga class | ana, ben"."""
    when, _, rest = wanted.partition(" ")
    named, _, people = rest.partition(" | ")
    shown = f"{said(event.start)}-{'?' if event.end is None else said(event.end)}"
    names = [activities.stems_of(one) for one in named.split("/")]
    return (
        shown == when
        and event.people == tuple(sorted(people.split(", ")))
        and activities.stems_of(event.activity) in names
    )


def score(talks: Sequence[Talk]) -> tuple[Score, list[str]]:
    """Events read right over all talks, and a line for each talk that went wrong."""
    right = read = there = 0
    wrong = []
    for talk in talks:
        found = talk.read()
        hits = talk.right(found)
        right, read, there = right + hits, read + len(found), there + len(talk.events)
        if not hits == len(found) == len(talk.events):
            shown = [
                f"{said(e.start)}-{'?' if e.end is None else said(e.end)} {e.activity} | {', '.join(e.people)}"
                for e in found
            ]
            wrong.append(f"{' / '.join(talk.said)}\n   wanted {list(talk.events)}\n   read   {shown}")
    return Score(right, read, there), wrong
