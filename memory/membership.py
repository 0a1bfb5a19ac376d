"""Who was a member of a conversation when: intervals from what an export lists and what it says of joining and leaving."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

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
        message = schema.message.c
        spoken = select(message.sender, func.min(message.at)).where(message.conversation == conversation)
        rows = connection.execute(spoken.group_by(message.sender)).all()
        self._wrote: dict[int, datetime | None] = {row[0]: row[1] for row in rows}
        for person, intervals in self._before.items():
            for since, until in _joined_up(intervals):
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

    @property
    def people(self) -> set[int]:
        """Everybody who is known to take part at some time."""
        return {*self._events, *self._wrote}

    def intervals(self) -> dict[int, list[Interval]]:
        """Everybody's times, as far as they are known now. Whoever is first heard of as joining was not there before."""
        people = self._events.keys() | self._wrote.keys()
        return {person: self._intervals(person) for person in sorted(people)}

    def _intervals(self, person: int) -> list[Interval]:
        events = sorted(self._events.get(person, ()))
        first, wrote = (events[0] if events else None), self._wrote.get(person)
        inside = first is None or not first[1] or (wrote is not None and wrote < first[0])
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
    """The audience of whatever is said in a conversation at a time: its members then, and who says it.

    Clocks that tell only minutes do not say what came first within one: who joins or leaves then is no member yet, or no more.
    """

    def __init__(self, circles: Circles, intervals: Mapping[int, Iterable[Interval]]) -> None:
        self._circles = circles
        self._times = sorted({at for spans in intervals.values() for span in spans for at in span if at is not None})
        self._spans = [(person, span) for person, several in intervals.items() for span in several]
        self._keys: dict[tuple[int, bool, int], int] = {}

    def key(self, sender: int, at: datetime | None) -> int:
        """The circle of a message. Without a time it is for those who were members all the time."""
        place = -1 if at is None else bisect_right(self._times, at)
        at_once = place > 0 and self._times[place - 1] == at
        if (place, at_once, sender) not in self._keys:
            present = {person for person, span in self._spans if _holds(span, at)}
            self._keys[place, at_once, sender] = self._circles.key(present | {sender})
        return self._keys[place, at_once, sender]


def _holds(span: Interval, at: datetime | None) -> bool:
    since, until = span
    if at is None:
        return since is None and until is None
    return (since is None or since < at) and (until is None or until > at)


def _joined_up(spans: Iterable[Interval]) -> list[Interval]:
    """The same times without overlaps, which people have who were made one."""
    whole: list[Interval] = []
    for since, until in sorted(spans, key=lambda span: span[0] or datetime.min):
        last = whole[-1] if whole else None
        if last is None or (last[1] is not None and since is not None and since > last[1]):
            whole.append((since, until))
        elif last[1] is not None:
            whole[-1] = (last[0], None if until is None else max(last[1], until))
    return whole


def retold(connection: Connection, conversation: int, audiences: Audiences) -> dict[int, set[int]]:
    """Give the messages of a conversation the audiences that its members have now; returns those that changed, each with the
    people who could read it before and cannot now."""
    message, member = schema.message.c, schema.circle_member.c
    query = select(message.id, message.sender, message.at, message.circle).where(message.conversation == conversation)
    moved: dict[tuple[int, int], list[int]] = {}
    for row in connection.execute(query).all():
        circle = audiences.key(row.sender, row.at)
        if circle != row.circle:
            moved.setdefault((row.circle, circle), []).append(row.id)
    lost: dict[int, set[int]] = {}
    for (old, new), ids in moved.items():
        before, now = (set(connection.scalars(select(member.person).where(member.circle == one))) for one in (old, new))
        lost.update(dict.fromkeys(ids, before - now))
        for start in range(0, len(ids), 500):
            some = message.id.in_(ids[start : start + 500])
            connection.execute(update(schema.message).where(some).values(circle=new))
    return lost
