"""Who was a member of a conversation when: intervals from what an export lists and what it says of joining and leaving."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from kithnet.memory import schema
from kithnet.memory.conversations import Circles

Interval = tuple[datetime | None, datetime | None]
"""From when to when somebody is a member; None: from the beginning, still."""


class Members:
    """The members of one conversation. What is learnt of them is written by `write`."""

    def __init__(self, connection: Connection, conversation: int) -> None:
        self._connection, self._conversation = connection, conversation
        row = schema.membership.c
        query = select(row.person, row.since, row.until).where(row.conversation == conversation)
        self._before: dict[int, list[Interval]] = {}
        for person, since, until in connection.execute(query.order_by(row.id)):
            self._before.setdefault(person, []).append((since, until))
        self._events: dict[int, set[tuple[datetime, bool]]] = {}
        self._always: set[int] = set()
        self._wrote: dict[int, datetime | None] = {}
        for person, intervals in self._before.items():
            for since, until in intervals:
                self._always |= {person} if since is None else set()
                moments = ((since, True), (until, False))
                self._events.setdefault(person, set()).update((at, joined) for at, joined in moments if at is not None)

    def listed(self, person: int) -> None:
        """The export names somebody as a member; without other news, from the beginning."""
        self._events.setdefault(person, set())

    def changed(self, person: int, joined: bool, at: datetime | None) -> None:
        """Somebody joined or left."""
        self._events.setdefault(person, set())
        if at is not None:
            self._events[person].add((at, joined))

    def wrote(self, person: int, at: datetime | None) -> None:
        """Whoever writes is a member. Of each only the first time counts."""
        if person not in self._wrote or (at is not None and (self._wrote[person] or at) >= at):
            self._wrote[person] = at

    def intervals(self) -> dict[int, list[Interval]]:
        """Everybody's times, as far as they are known now."""
        people = self._events.keys() | self._wrote.keys()
        return {person: self._intervals(person) for person in sorted(people)}

    def _intervals(self, person: int) -> list[Interval]:
        events = sorted(self._events.get(person, ()))
        first, wrote = (events[0] if events else None), self._wrote.get(person)
        early = person in self._wrote and (wrote is None or first is None or wrote < first[0])
        inside = person in self._always or early or first is None or not first[1]
        found: list[Interval] = []
        since: datetime | None = None
        for at, joined in events:
            if joined and not inside:
                since, inside = at, True
            elif not joined and inside:
                found.append((since, at))
                inside = False
        return [*found, (since, None)] if inside else found

    def write(self) -> bool:
        """Store the members; returns whether anything is new."""
        now = self.intervals()
        if {one: sorted(map(str, spans)) for one, spans in now.items()} == {
            one: sorted(map(str, spans)) for one, spans in self._before.items()
        }:
            return False
        row = schema.membership.c
        self._connection.execute(delete(schema.membership).where(row.conversation == self._conversation))
        rows = [
            {"conversation": self._conversation, "person": person, "since": since, "until": until}
            for person, spans in now.items()
            for since, until in spans
        ]
        if rows:
            self._connection.execute(insert(schema.membership), rows)
        self._before = now
        return True


class Audiences:
    """The audience of whatever is said in a conversation at a time: its members then, and who says it."""

    def __init__(self, circles: Circles, intervals: Mapping[int, Iterable[Interval]]) -> None:
        self._circles = circles
        self._times = sorted({at for spans in intervals.values() for span in spans for at in span if at is not None})
        spans = [(person, span) for person, several in intervals.items() for span in several]
        self._present = [frozenset(person for person, span in spans if _holds(span, at)) for at in (None, *self._times)]
        self._keys: dict[tuple[int, int], int] = {}

    def key(self, sender: int, at: datetime | None) -> int:
        """The circle of a message. Without a time it is for those who were members from the beginning."""
        place = 0 if at is None else bisect_right(self._times, at)
        if (place, sender) not in self._keys:
            self._keys[place, sender] = self._circles.key(self._present[place] | {sender})
        return self._keys[place, sender]


def _holds(span: Interval, at: datetime | None) -> bool:
    since, until = span
    if at is None:
        return since is None
    return (since is None or since <= at) and (until is None or until > at)


def retold(connection: Connection, conversation: int, audiences: Audiences) -> int:
    """Give the messages of a conversation the audiences that its members have now; returns how many changed."""
    message = schema.message.c
    query = select(message.id, message.sender, message.at, message.circle).where(message.conversation == conversation)
    moved: dict[int, list[int]] = {}
    for row in connection.execute(query).all():
        circle = audiences.key(row.sender, row.at)
        if circle != row.circle:
            moved.setdefault(circle, []).append(row.id)
    for circle, ids in moved.items():
        for start in range(0, len(ids), 500):
            some = message.id.in_(ids[start : start + 500])
            connection.execute(update(schema.message).where(some).values(circle=circle))
    return sum(map(len, moved.values()))
