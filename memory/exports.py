"""What `adding` takes in (by shape) and gives out: one chat export, its people, and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class ChatLike(Protocol):
    """kind: dyad | group | channel | mail. members: keys of contacts who take part from the beginning."""

    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def members(self) -> Sequence[str]: ...


class ContactLike(Protocol):
    """me: the owner of the device that the export comes from."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> Sequence[str]: ...
    @property
    def address(self) -> str: ...
    @property
    def me(self) -> bool: ...


class ChangeLike(Protocol):
    @property
    def chat(self) -> str: ...
    @property
    def contact(self) -> str: ...
    @property
    def joined(self) -> bool: ...
    @property
    def at(self) -> datetime | None: ...


class LineLike(Protocol):
    """at, edited_at: in the zone of the world. audience: contacts who got it; None: the members of the chat at that time."""

    @property
    def chat(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def zone(self) -> str | None: ...
    @property
    def source_id(self) -> str: ...
    @property
    def reply_to(self) -> str: ...
    @property
    def edited_at(self) -> datetime | None: ...
    @property
    def audience(self) -> Sequence[str] | None: ...


class Export(Protocol):
    """One export in order. source: its format."""

    @property
    def source(self) -> str: ...
    @property
    def chats(self) -> Mapping[str, ChatLike]: ...
    @property
    def contacts(self) -> Mapping[str, ContactLike]: ...
    @property
    def changes(self) -> Sequence[ChangeLike]: ...

    def ordered(self, chat: str | None = None) -> Iterator[LineLike]: ...


@dataclass
class Added:
    """What adding an export came to. talks: keys of its conversations. people: keys and names of those who are new. known: keys
    of those who were there before. alike: pairs of names that may be one person, at least one of them new. messages: new ones;
    seen: that were there before; edited: of those, whose text has changed since. first, last: times of all of them.
    """

    talks: set[int] = field(default_factory=set)
    people: dict[int, str] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    alike: list[tuple[str, str]] = field(default_factory=list)
    messages: int = 0
    seen: int = 0
    edited: int = 0
    first: datetime | None = None
    last: datetime | None = None
    assumed: list[str] = field(default_factory=list)

    def at(self, moment: datetime | None) -> None:
        """Widen the time between first and last."""
        if moment is not None:
            self.first = moment if self.first is None else min(self.first, moment)
            self.last = moment if self.last is None else max(self.last, moment)
