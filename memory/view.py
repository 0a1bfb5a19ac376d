"""An owner's messages as arrays: who, to which circle, when, in which session, but not what.

Only keys are kept, 72 bytes a message, so that a recall can weigh every message of the owner without reading its
text. The arrays are read through the owner's scope and grow as messages arrive; when the order of the world changes, because
older talk was added to it, they are read anew.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select, func, select

from kithnet.memory import lexical, schema
from kithnet.memory.conversations import REVISION
from kithnet.memory.dialects import epoch
from kithnet.memory.scope import Scope

_COLUMNS = ("id", "sender", "circle", "text", "session", "words", "at", "private", "seq")
NO_TIME = np.iinfo(np.int64).min

Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """rows: (9, N) int64 in the order of `_COLUMNS`: session by session in the order in which they began, each in the order in
    which it was said.

    group: (N,) the utterance a message belongs to: in worlds of before conversations, one line heard by three people is three
    messages and one utterance. starts: (G,) the first row of each utterance. revision: of the order of the world.
    """

    rows: Array
    group: Array = field(repr=False)
    starts: Array = field(repr=False)
    revision: int = 0

    @property
    def ids(self) -> Array:
        return self.column("id")

    def of_starts(self, column: str) -> Array:
        """(G,) a column's value at the first row of each utterance."""
        values: Array = self.column(column)[self.starts]
        return values

    def column(self, name: str) -> Array:
        """(N,) one column."""
        values: Array = self.rows[_COLUMNS.index(name)]
        return values

    @functools.cached_property
    def session_numbers(self) -> Array:
        """(G,) the session of each utterance, numbered from 0."""
        numbers: Array = np.unique(self.of_starts("session"), return_inverse=True)[1].astype(np.int64)
        return numbers

    @functools.cached_property
    def texts(self) -> frozenset[int]:
        """The keys of all texts."""
        return frozenset(self.of_starts("text").tolist())

    @functools.cached_property
    def for_others(self) -> "View":
        """The view without what the owner said to the own agent: that is for nobody else."""
        private = self.column("private") != 0
        return _view(self.rows[:, ~private], self.revision) if private.any() else self

    @property
    def utterances(self) -> int:
        return len(self.starts)

    def positions(self, ids: Sequence[int] | Array) -> Array:
        """Rows of those `ids` that are in the view."""
        rising, places = self._by_id
        found: Array = places[positions(rising, ids)]
        return found

    @functools.cached_property
    def _by_id(self) -> tuple[Array, Array]:
        """(N,) the ids rising, and (N,) the row of each."""
        places = np.argsort(self.ids).astype(np.int64)
        return self.ids[places], places

    @functools.cached_property
    def last(self) -> int:
        """The largest id, 0 without any."""
        return int(self.ids.max(initial=0))

    def until(self, at: int) -> "View":
        """The same view as it was at a time (seconds since the epoch); messages without a time stay."""
        return _view(self.rows[:, self.column("at") <= at], self.revision)


def _view(rows: Array, revision: int) -> View:
    _, sender, _, text, session, *_ = rows
    key = np.stack((sender, text, session))
    changed = np.ones(rows.shape[1], dtype=bool)
    changed[1:] = (key[:, 1:] != key[:, :-1]).any(axis=0)
    return View(rows, np.cumsum(changed) - 1, np.flatnonzero(changed), revision)


def _in_order(rows: Array) -> Array:
    """Rows session by session, so that talks that went on side by side do not cut each other up."""
    session, seq = rows[_COLUMNS.index("session")], rows[_COLUMNS.index("seq")]
    numbers = np.unique(session, return_inverse=True)[1]
    begins = np.full(numbers.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(begins, numbers, seq)
    return rows[:, np.lexsort((seq, begins[numbers]))]


def keys_of(connection: Connection, query: Select[Any]) -> Array:
    """(N,) the keys that a query for one column gives: plain tuples, for there may be tens of thousands."""
    cursor: Any = connection.execute(query).cursor
    return np.fromiter((row[0] for row in cursor.fetchall()), dtype=np.int64)


def positions(rising: Array, wanted: Sequence[int] | Array) -> Array:
    """Where in `rising`, (N,) without repetition, those of `wanted` stand that are in it."""
    keys = np.asarray(wanted, dtype=np.int64)
    if not len(rising) or not len(keys):
        return np.zeros(0, dtype=np.int64)
    places = np.minimum(np.searchsorted(rising, keys), len(rising) - 1)
    there: Array = places[rising[places] == keys]
    return there


EMPTY = _view(np.zeros((len(_COLUMNS), 0), dtype=np.int64), 0)


def refreshed(view: View, scope: Scope, connection: Connection) -> View:
    """`view` with the messages that have arrived since it was read."""
    message = schema.message.c
    revision = int(connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == REVISION)) or 0)
    if revision != view.revision:
        view = _view(EMPTY.rows, revision)
    query = (
        scope.messages(
            message.id,
            message.sender,
            message.circle,
            message.text,
            message.session,
            schema.text.c.words,
            func.coalesce(epoch(message.at), int(NO_TIME)),
            message.private,
            message.seq,
        )
        .join(schema.text, schema.text.c.key == message.text)
        .where(message.id > view.last)
    )
    cursor: Any = connection.execute(
        query
    ).cursor  # plain tuples: twice as fast for the tens of thousands of a first read
    new = cursor.fetchall()
    if not new:
        return view
    added = np.array(new, dtype=np.int64).T
    return _view(_in_order(np.concatenate((view.rows, added), axis=1)), revision)


def names(connection: Connection, keys: Sequence[int]) -> dict[int, set[str]]:
    """The stems of the names by which each of these people may be mentioned."""
    person = schema.person.c
    found: dict[int, set[str]] = {}
    for start in range(0, len(keys), 1_000):
        query = select(person.key, person.id, person.name, person.aliases)
        for row in connection.execute(query.where(person.key.in_(keys[start : start + 1_000]))):
            found[row.key] = lexical.stems(f"{row.id.replace('_', ' ')} {row.name} {row.aliases}")
    return found


def people(connection: Connection, scope: Scope, *columns: Array) -> set[int]:
    """Keys of everybody whom the owner has shared a conversation with, and of those in `columns`."""
    member, own = schema.circle_member.alias(), schema.circle_member.alias("own")
    shared = select(member.c.person).join(own, own.c.circle == member.c.circle).where(own.c.person == scope.owner)
    met = {int(key) for key in connection.scalars(shared.distinct())}
    return met.union(*(np.unique(column).tolist() for column in columns))


def circles_with(connection: Connection, scope: Scope, called: Sequence[int]) -> tuple[Array, Array]:
    """(C,) the circles of the owner's in which any of these people is, and (C,) how many people each holds."""
    member, own = schema.circle_member.alias(), schema.circle_member.alias("own")
    size = schema.circle_member.alias("size")
    query = (
        select(member.c.circle, func.count(size.c.person.distinct()))
        .join(own, own.c.circle == member.c.circle)
        .join(size, size.c.circle == member.c.circle)
        .where(own.c.person == scope.owner, member.c.person.in_(called))
        .group_by(member.c.circle)
        .order_by(member.c.circle)
    )
    found = np.array([tuple(row) for row in connection.execute(query)], dtype=np.int64).reshape(-1, 2).T
    return found[0], found[1]
