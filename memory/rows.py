"""What the store takes in (by shape) and gives out (plain frozen rows)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Progress = Callable[[int, int | None], None]
"""Called now and then with (rows done, rows in all or None when that is not known)."""


class PersonLike(Protocol):
    """Any object with these attributes is a person to `ingest`; likewise below."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def persona(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...


class TieLike(Protocol):
    @property
    def a(self) -> str: ...
    @property
    def b(self) -> str: ...
    @property
    def kind(self) -> str: ...


class MessageLike(Protocol):
    """receivers: who could read it beside its sender, at least one."""

    @property
    def seq(self) -> int: ...
    @property
    def sender(self) -> str: ...
    @property
    def receivers(self) -> Sequence[str]: ...
    @property
    def text(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def session(self) -> str: ...


class TaskLike(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...
    @property
    def instructor(self) -> str: ...
    @property
    def assistant(self) -> str: ...
    @property
    def holders(self) -> Sequence[str]: ...
    @property
    def evidence(self) -> Sequence[int]: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Person:
    """outside: a chat partner who is not part of the network, such as the human at the keyboard."""

    id: str
    name: str
    persona: str = ""
    aliases: tuple[str, ...] = ()
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Tie:
    """messages: how many of one of the two the other could read. weight: the same, a message to n people counting 1/n: a line
    in a group of forty says less of two of them than one between them.
    """

    a: str
    b: str
    kind: str
    messages: int
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message of the world. id: as agents cite it ("m17"); seq: order in the world. receivers: who could read it beside
    its sender. conversation: its id.
    """

    id: str
    seq: int
    sender: str
    receivers: tuple[str, ...]
    text: str
    at: datetime | None
    session: str
    conversation: str = ""

    @property
    def parties(self) -> frozenset[str]:
        """Everybody who could read it."""
        return frozenset((self.sender, *self.receivers))


@dataclass(frozen=True, slots=True)
class Task:
    """A question with a known answer. evidence: ids of the messages that state it ("m17")."""

    id: str
    question: str
    answer: str
    aliases: tuple[str, ...]
    instructor: str
    assistant: str
    holders: tuple[str, ...]
    evidence: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Counts of what was stored. dropped: reason -> rows that the importer left out."""

    people: int
    ties: int
    messages: int
    sessions: int
    texts: int
    tasks: int
    dropped: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class StoreStats:
    """people excludes outside chat partners. pending: texts whose vector is still to be made or removed."""

    people: int
    ties: int
    messages: int
    sessions: int
    texts: int
    memories: int
    tasks: int
    pending: int
    dropped: Mapping[str, int]
    source: Mapping[str, str]
    embedder: str | None
    schema: int
