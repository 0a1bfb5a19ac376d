"""The FriendsTV files: one CSV row for each listener of a line of the series; rows of one line become one message."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from string import capwords

from kithnet.network.importers.table import moment, read_table
from kithnet.network.importers.talks import PairTalks
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.errors import RecordError

INDEX_COLUMNS = ("", "index", "Unnamed: 0")
SILENCE = timedelta(seconds=60)
"""A pair that has not spoken for longer starts a new session. The season-1 clock ticks one second for each
line anybody speaks; 96 % of the gaps inside a pair are shorter, and a scene is about this long."""
TITLES = frozenset({"mr.", "mrs.", "dr.", "aunt", "the", "fake"})


def read_friendstv(path: Path) -> World:
    """Read season 1 (sender, receiver, message, timestamp) or all ten seasons (also session).

    Rows that follow each other with one sender, text and session are one line and its listeners. Order is the order of rows.
    Where there is no session column the clock restarts at every episode: each restart
    begins an episode and is moved one day on, so that times order the messages too, and a session is one pair's
    talk in one episode without a silence longer than `SILENCE`. Rows to oneself and empty messages are dropped and
    counted. Ids are the names as written, in lower case; ties come from messages. Raises RecordError.
    """
    dropped: Counter[str] = Counter()
    messages: list[ChatMessage] = []
    heard: _Heard | None = None
    spoken: dict[str, None] = {}
    ties: dict[tuple[str, str], None] = {}
    clock = _EpisodeClock()
    rows = read_table(path, ("sender", "receiver", "message", "timestamp"), ("session",), INDEX_COLUMNS)
    for number, (sender, receiver, message, stamp, session) in rows:
        a, b, text = _identity(sender, number), _identity(receiver, number), message.strip()
        spoken[a] = spoken[b] = None
        at = moment(stamp, number)
        if a == b or not text:
            dropped["self-tie" if a == b else "empty message"] += 1
            continue
        ties[(a, b) if a < b else (b, a)] = None
        if not session and at is None:
            raise RecordError("timestamp is empty", "rows without a session need one", row=number)
        said = _Heard(a, text, at, session, (b,))
        if heard is not None and heard.same(said):
            heard = said.by(heard.receivers)
            continue
        if heard is not None:
            messages.append(heard.message(len(messages), clock))
        heard = said
    if heard is not None:
        messages.append(heard.message(len(messages), clock))
    if not messages:
        raise RecordError(f"{path.name} holds no messages", "give a file with at least one row between two people")
    return World(
        people=_people(spoken),
        ties=[Tie(a, b) for a, b in ties],
        messages=messages,
        dropped=dict(dropped),
        source={"format": "friendstv", "file": path.name},
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """A line, and who is known so far to have heard it."""

    sender: str
    text: str
    at: datetime | None
    session: str
    receivers: tuple[str, ...]

    def same(self, other: "_Heard") -> bool:
        """Whether `other` is a further listener's row of this line."""
        mine, theirs = ((one.sender, one.text, one.at, one.session) for one in (self, other))
        return mine == theirs and other.receivers[0] not in self.receivers

    def by(self, before: tuple[str, ...]) -> "_Heard":
        """The line with those who were known to hear it before."""
        return replace(self, receivers=(*before, *self.receivers))

    def message(self, seq: int, clock: "_EpisodeClock") -> ChatMessage:
        """It as a message; without a session it is placed by the clock, with those who were there."""
        at, session = self.at, self.session
        if not session and at is not None:
            first, second, *_ = sorted((self.sender, *self.receivers))
            at, session = clock.place((first, second), at)
        first, *also = self.receivers
        return ChatMessage(seq, self.sender, first, self.text, at, session, tuple(also))


class _EpisodeClock:
    """Turns a clock that restarts at every episode into one that does not, and cuts each pair's talk into sessions."""

    def __init__(self) -> None:
        self.episode = 1
        self._file_time: datetime | None = None
        self._talks = PairTalks(SILENCE)

    def place(self, pair: tuple[str, str], at: datetime) -> tuple[datetime, str]:
        if self._file_time is not None and at < self._file_time:
            self.episode += 1
            self._talks = PairTalks(SILENCE)
        self._file_time = at
        return at + timedelta(days=self.episode - 1), f"e{self.episode:02d} {self._talks.place(pair, at)}"


def _identity(name: str, row: int) -> str:
    identity = " ".join(name.lower().split())
    if not identity:
        raise RecordError("sender or receiver is empty", "every row names both", row=row)
    return identity


def _people(ids: Iterable[str]) -> list[Person]:
    """People in order of appearance; a first name that only one of them bears is an alias."""
    ids = list(ids)
    firsts = Counter(identity.split()[0] for identity in ids)
    return [Person(identity, capwords(identity), aliases=_alias(identity, firsts)) for identity in ids]


def _alias(identity: str, firsts: Mapping[str, int]) -> tuple[str, ...]:
    first, *rest = identity.split()
    return (capwords(first),) if rest and firsts[first] == 1 and first not in TITLES else ()
