"""What importers and generators yield: plain frozen rows, ready to be stored and drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """id: stable short name used on the command line. name: as shown. persona: free text about the person."""

    id: str
    name: str
    persona: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tie:
    """An undirected relationship, a < b. kind: "friend", "family", "colleague", ... or ""."""

    a: str
    b: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. receiver: whom it was said to; also: who else could read it. at: naive local time or None. seq: order in
    the world, from 0.
    """

    seq: int
    sender: str
    receiver: str
    text: str
    at: datetime | None
    session: str
    also: tuple[str, ...] = ()

    @property
    def receivers(self) -> tuple[str, ...]:
        """Who could read it beside its sender."""
        return (self.receiver, *self.also)

    @property
    def parties(self) -> frozenset[str]:
        """Everybody who could read it."""
        return frozenset((self.sender, *self.receivers))


@dataclass(frozen=True, slots=True)
class Task:
    """A question with a known answer, for simulation and measuring; no agent can read it.

    instructor asks, assistant is asked; holders: people whose own messages hold the answer;
    evidence: seq numbers of the messages that state it.
    """

    id: str
    question: str
    answer: str
    aliases: tuple[str, ...]
    instructor: str
    assistant: str
    holders: tuple[str, ...]
    evidence: tuple[int, ...]
    kind: str = "fact"


@dataclass(frozen=True, slots=True)
class World:
    """Everything an import or a generator made. dropped: reason -> rows left out. source: what made it."""

    people: Sequence[Person]
    ties: Sequence[Tie]
    messages: Sequence[ChatMessage]
    tasks: Sequence[Task] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
