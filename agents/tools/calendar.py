"""Calendars as agents speak of them: a question for each, an entry for each thing that is on, and what an agent knows of them.

An entry crosses from one agent to another only as the words of a claim, and is read back from those words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from kithnet.memory.language.text import words
from kithnet.memory.language.time.clock import DAY, said
from kithnet.memory.writing.events import Event

EVERYBODY = "What is on the calendar of everybody you know of?"
_OF = re.compile(r"What is on (?P<name>[^?]+?)(?:'s|') calendar\?")
_ENTRY = re.compile(
    r"(?P<activity>.+?), (?:on (?P<day>\d{4}-\d{2}-\d{2}) )?(?P<start>\d{2}:\d{2}) to (?P<end>\d{2}:\d{2}|open end) "
    r"\((?P<people>[^()]*)\)"
)
OPEN = "open end"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is on. start, end: minutes as in `memory.writing.events.Event`. people: names, sorted."""

    activity: str
    people: tuple[str, ...]
    start: int
    end: int | None
    day: date | None = None

    def __str__(self) -> str:
        """The entry as it is spoken; `entry` reads it back."""
        on = f"on {self.day.isoformat()} " if self.day else ""
        end = OPEN if self.end is None else said(self.end)
        return f"{self.activity}, {on}{said(self.start)} to {end} ({', '.join(self.people)})"


def entry(text: str) -> Entry | None:
    """The entry that a spoken value gives; None for any other words."""
    match = _ENTRY.fullmatch(text.strip())
    if match is None:
        return None
    start = _minute(match["start"])
    end = None if match["end"] == OPEN else _minute(match["end"])
    if end is not None and end <= start:
        end += DAY
    day = date.fromisoformat(match["day"]) if match["day"] else None
    return Entry(match["activity"], tuple(filter(None, match["people"].split(", "))), start, end, day)


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def question(name: str) -> str:
    """How an agent asks what is on somebody's calendar."""
    return f"What is on {name}'s calendar?"


def whose(asked: str) -> str | None:
    """Whose calendar a question asks for: a name, "" for everybody's, None where it asks for something else."""
    if asked.strip() == EVERYBODY:
        return ""
    match = _OF.fullmatch(asked.strip())
    return match["name"] if match else None


def plain(text: str) -> str:
    """An activity or a name without what the wording of an entry stands on."""
    return " ".join(re.sub(r"[(),;]", " ", text).split())


def shown(event: Event, names: Mapping[str, Sequence[str]]) -> Entry:
    """An event of one's memory as an entry: people by the names they are known under."""
    people = sorted({plain(names.get(person, (person,))[0]) for person in event.people})
    return Entry(plain(event.activity), tuple(people), event.start, event.end, event.day)


def concerns(one: Entry, name: str) -> bool:
    """Whether an entry is on the calendar of `name`; "" is everybody."""
    return not name or any(same_name(person, name) for person in one.people)


def same_name(left: str, right: str) -> bool:
    """Whether two ways of naming somebody mean one person: the same words, or the first of them."""
    a, b = words(left), words(right)
    return a == b or (bool(a and b) and a[0] == b[0] and 1 in (len(a), len(b)))
