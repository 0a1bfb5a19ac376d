"""When people talk: sessions over the days of a world, their lengths adding up to the messages asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random

from kithnet.network.generate.facts import Fact, Telling
from kithnet.network.generate.shape import Shape
from kithnet.network.generate.spec import GenerateSpec
from kithnet.network.generate.talk import Line, Writer

HOURS = range(7, 24)
BUSY = (3, 5, 5, 4, 4, 5, 6, 4, 4, 4, 5, 7, 9, 10, 9, 6, 3)
"""How much people write in each of those hours."""


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation: when it starts, what is said. fact: number of the fact it tells, -1 for small talk alone."""

    a: int
    b: int
    start: datetime
    lines: Sequence[Line]
    fact: int = -1
    telling: int = -1


def draw_sessions(
    spec: GenerateSpec, shape: Shape, facts: list[Fact], writer: Writer, rng: Random
) -> tuple[list[Session], list[Fact]]:
    """Write every session: exactly `spec.messages` lines, at least one for each tie, in order of time.

    Facts come first; those that leave no room for the ties are left out. Returns the sessions and the facts told.
    """
    told, sessions, room = _tell(spec, shape, facts, writer, rng)
    for (a, b), share in zip(shape.ties, _shares(shape, told, room), strict=True):
        for length in _cut(share, rng):
            starter, other = (a, b) if rng.random() < 0.5 else (b, a)
            start = _moment(spec, rng.randrange(spec.days), rng)
            sessions.append(Session(starter, other, start, writer.small_talk(starter, other, length)))
    sessions.sort(key=lambda session: (session.start, session.a, session.b))
    return sessions, told


def _tell(
    spec: GenerateSpec, shape: Shape, facts: Sequence[Fact], writer: Writer, rng: Random
) -> tuple[list[Fact], list[Session], int]:
    """Sessions that tell facts, as long as there is room left for every silent tie."""
    told: list[Fact] = []
    sessions: list[Session] = []
    silent = set(shape.ties)
    room = spec.messages
    for fact in facts:
        written = [(telling, writer.telling(fact, telling, rng.randint(6, 11))) for telling in fact.tellings]
        cost = sum(len(lines) for _, lines in written)
        spoken = {_tie(telling) for telling in fact.tellings}
        if room - cost < len(silent - spoken):
            break
        room -= cost
        silent -= spoken
        for place, (telling, lines) in enumerate(written):
            start = _moment(spec, telling.day, rng)
            sessions.append(Session(telling.speaker, telling.hearer, start, lines, len(told), place))
        told.append(fact)
    return told, sessions, room


def _tie(telling: Telling) -> tuple[int, int]:
    return min(telling.speaker, telling.hearer), max(telling.speaker, telling.hearer)


def _shares(shape: Shape, told: Sequence[Fact], room: int) -> list[int]:
    """How many messages of small talk each tie gets, by activity; one at least for a tie without any other talk."""
    spoken = {_tie(telling) for fact in told for telling in fact.tellings}
    least = [0 if tie in spoken else 1 for tie in shape.ties]
    left = room - sum(least)
    exact = [left * share for share in shape.activity]
    shares = [low + int(part) for low, part in zip(least, exact, strict=True)]
    by_rest = sorted(range(len(exact)), key=lambda place: (int(exact[place]) - exact[place], place))
    for place in by_rest[: room - sum(shares)]:
        shares[place] += 1
    return shares


def _cut(messages: int, rng: Random) -> list[int]:
    """Cut a number of messages into sessions of mostly 4 to 14."""
    lengths: list[int] = []
    while messages > 0:
        length = min(messages, rng.randint(4, 14))
        if 0 < messages - length < 3:
            length = messages
        lengths.append(length)
        messages -= length
    return lengths


def _moment(spec: GenerateSpec, day: int, rng: Random) -> datetime:
    hour = rng.choices(HOURS, BUSY)[0]
    clock = time(hour, rng.randrange(60), rng.randrange(60))
    return datetime.combine(spec.first_day + timedelta(days=day), clock)
