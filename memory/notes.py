"""An owner's memories as arrays, like `view` for messages: about whom, told by whom, but not what.

A memory's text, subject and teller never change (a correction is a new memory), so the arrays only grow. Which of
them may be used is asked of the database at every recall.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, select

from kithnet.memory import schema
from kithnet.memory.scope import Scope
from kithnet.memory.view import Array, keys_of

_COLUMNS = ("id", "text", "words", "about", "told_by")
NOBODY = 0  # no person has this key


@dataclass(frozen=True)
class Notes:
    """rows: (5, K) int64 in the order of `_COLUMNS`, by rising id."""

    rows: Array

    def column(self, name: str) -> Array:
        """(K,) one column."""
        values: Array = self.rows[_COLUMNS.index(name)]
        return values

    @property
    def ids(self) -> Array:
        return self.column("id")

    def __len__(self) -> int:
        return int(self.rows.shape[1])


EMPTY = Notes(np.zeros((len(_COLUMNS), 0), dtype=np.int64))


def refreshed(notes: Notes, scope: Scope, connection: Connection) -> Notes:
    """`notes` with the memories that have been added since they were read; all of them, whoever they are for."""
    memory = schema.memory.c
    last = int(notes.ids[-1]) if len(notes) else 0
    query = scope.memories(memory.id, memory.text, schema.text.c.words, memory.about, memory.told_by)
    query = query.join(schema.text, schema.text.c.key == memory.text).where(memory.id > last).order_by(memory.id)
    new = connection.execute(query).all()
    if not new:
        return notes
    added = np.array([tuple(row) for row in new], dtype=np.int64).T
    return Notes(np.concatenate((notes.rows, added), axis=1))


def served(notes: Notes, scope: Scope, connection: Connection, partner: str | None, at: datetime | None) -> Notes:
    """The notes that may be used towards `partner` (None: by the owner alone) at a time (None: now)."""
    if not len(notes):
        return notes
    key = partner_key(connection, partner)
    allowed = keys_of(connection, scope.served(scope.memories(schema.memory.c.id), key, at))
    return Notes(notes.rows[:, np.isin(notes.ids, allowed)])


def partner_key(connection: Connection, partner: str | None) -> int | None:
    """The key of a partner, one that nobody has for a stranger; None for the owner's own use."""
    if partner is None:
        return None
    return connection.scalar(select(schema.person.c.key).where(schema.person.c.id == partner)) or NOBODY


def withheld(scope: Scope, connection: Connection, partner: str | None) -> set[int]:
    """Keys of the owner's memories whose audience leaves the partner out; none for the owner's own use."""
    key = partner_key(connection, partner)
    if key is None:
        return set()
    memory, audience = schema.memory.c, schema.audience.c
    listed = select(audience.memory).where(audience.person == key)
    return set(connection.scalars(scope.memories(memory.id).where(memory.restricted, memory.id.not_in(listed))))
