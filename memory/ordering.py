"""The order of a world: by time, and within one time as the source had it."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select, update
from sqlalchemy import text as sql

from kithnet.memory import schema
from kithnet.memory.conversations import changed
from kithnet.memory.dialects import epoch
from kithnet.memory.view import NO_TIME, Array


def by_time(connection: Connection, first_new: int, anchors: Mapping[int, float]) -> bool:
    """Number all messages anew by time, if that changes anything. A message without a time stays behind the one before it.

    first_new: id of the first message that was added at the end; those before it, and those from it on, are in order among
    themselves, also where the clock was put back. anchors: of new ones, the place (a `seq`) where they belong among others of
    their time.
    """
    message = schema.message.c
    query = select(message.id, message.seq, func.coalesce(epoch(message.at), int(NO_TIME))).order_by(message.seq)
    cursor: Any = connection.execute(query).cursor
    rows: Array = np.fromiter(((one for row in cursor for one in row)), dtype=np.int64).reshape(-1, 3).T
    ids, seqs, at = rows
    place = seqs.astype(np.float64)
    if anchors:
        given = np.array([anchors.get(int(one), np.nan) for one in ids])
        place = np.where(np.isnan(given), place, given)
    timed = at != NO_TIME
    carried = np.maximum.accumulate(np.where(timed, np.arange(len(at)), -1))
    at = np.where(carried >= 0, at[np.maximum(carried, 0)], NO_TIME)
    for part in (ids < first_new, ids >= first_new):
        at[part] = np.maximum.accumulate(at[part])
    order = np.lexsort((place, at))
    wanted = np.empty(len(ids), dtype=np.int64)
    wanted[order] = np.arange(len(ids))
    if (np.diff(seqs[order]) > 0).all():
        return False
    moved = np.flatnonzero(wanted != seqs)
    _renumber(connection, ids[moved], seqs[moved], wanted[moved])
    changed(connection)
    return True


def _renumber(connection: Connection, ids: Array, old: Array, new: Array) -> None:
    """Each number is unique at all times: they go below zero first."""
    lowest = int(connection.scalar(select(func.min(schema.message.c.seq))) or 0)
    change = sql("UPDATE message SET seq = :seq WHERE id = :id")
    for start in range(0, len(ids), 10_000):
        chunk = range(start, min(start + 10_000, len(ids)))
        connection.execute(change, [{"id": int(ids[one]), "seq": min(lowest, 0) - 1 - one} for one in chunk])
    for start in range(0, len(ids), 10_000):
        chunk = range(start, min(start + 10_000, len(ids)))
        connection.execute(change, [{"id": int(ids[one]), "seq": int(new[one])} for one in chunk])
    places = dict(zip(old.tolist(), new.tolist(), strict=True))
    task = schema.task.c
    for row in connection.execute(select(task.position, task.evidence)).all():
        evidence = json.dumps([places.get(seq, seq) for seq in json.loads(row.evidence)])
        connection.execute(update(schema.task).where(task.position == row.position).values(evidence=evidence))
