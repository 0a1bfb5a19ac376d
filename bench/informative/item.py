"""What every family of tasks yields: people, what they wrote to each other, a question, and what is right."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Scoring = Literal["number", "set", "intervals", "short", "all", "choice"]
JOIN = "; "
"""Between the members of a set and between intervals, in a canonical answer."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A person of an item's world. id: as messages name them; name: as the texts call them."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message of an item's world. seq: its number in that world, from 0. facts: names of the facts it states."""

    seq: int
    sender: str
    receiver: str
    text: str
    at: datetime
    facts: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def parties(self) -> frozenset[str]:
        """Who said it and who could read it."""
        return frozenset((self.sender, self.receiver, *self.also))


@dataclass(frozen=True, slots=True)
class Setting:
    """A little world: items of the same setting share one object. ties: pairs, a < b; who may talk to whom."""

    id: str
    people: tuple[Resident, ...]
    ties: tuple[tuple[str, str], ...]
    messages: tuple[Said, ...]

    def heard_by(self, person: str) -> tuple[Said, ...]:
        """The messages that a person sent or got."""
        return tuple(one for one in self.messages if person in one.parties)

    def name_of(self, person: str) -> str:
        return next(one.name for one in self.people if one.id == person)


@dataclass(frozen=True, slots=True)
class Item:
    """One question that two people answer together.

    answer: canonical: a number, names joined by "; ", intervals "9:00-10:30; 14:00-15:00", or a few words.
    aliases: other right wordings of a short answer. parts: of an answer that has several, what is accepted for each;
    all must be given. options: all names that a set or a short answer can be made of; of a choice, in the order in which
    they are offered.
    evidence: seq numbers of the messages that state what is needed. alone: what the instructor's side and the
    assistant's side answer by perfect reasoning over what that side alone was told; "" for no idea. oracle: the same
    with all facts. kind: of question within the family.
    """

    id: str
    family: str
    setting: Setting = field(repr=False)
    instructor: str
    assistant: str
    question: str
    answer: str
    scoring: Scoring
    aliases: tuple[str, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()
    options: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()
    alone: tuple[str, str] = ("", "")
    oracle: str = ""
    kind: str = ""
