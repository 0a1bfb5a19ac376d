"""How an owner's memories hang together: typed links with their evidence, made when a memory is written.

A link is followed only inside the owner's scope, and its other end must be one that the partner may be served with:
a link never opens what a query would not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, and_, insert, or_, select

from kithnet.memory import schema
from kithnet.memory.scope import Scope
from kithnet.runtime.errors import InputError

LinkType = Literal["same_topic", "updates", "contradicts", "causes", "part_of"]


@dataclass(frozen=True, slots=True)
class Link:
    """a updates, contradicts, causes, is part of, or is on the same topic as b. evidence: the message that shows it."""

    a: str
    b: str
    type: LinkType
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One hop: from one memory to another, by their keys, along a link of this type in either direction."""

    start: int
    end: int
    type: LinkType


def connect(connection: Connection, scope: Scope, a: int, b: int, kind: LinkType, evidence: int | None = None) -> bool:
    """Link two of the owner's memories; False when that link is there already, or joins a memory to itself.

    Raises InputError for a memory that is not the owner's.
    """
    memory, link = schema.memory.c, schema.link.c
    own = set(connection.scalars(scope.memories(memory.id).where(memory.id.in_((a, b)))))
    if strange := {a, b} - own:
        raise InputError(f"the owner has no memory k{min(strange)}")
    same = [and_(link.a == a, link.b == b)]
    if kind in ("same_topic", "contradicts"):  # these hold in both directions and are kept once
        same.append(and_(link.a == b, link.b == a))
    if a == b or connection.scalar(select(link.a).where(or_(*same), link.type == kind)) is not None:
        return False
    connection.execute(insert(schema.link).values(a=a, b=b, type=kind, evidence=evidence))
    return True


def of(connection: Connection, scope: Scope, memory: int, partner: int | None, at: datetime | None) -> list[Link]:
    """The links of one memory whose other end may be served to `partner` (None: the owner's own use).

    What an `updates` link points to is over by its nature: the owner sees it, a partner only as of a time it held.
    """
    link = schema.link.c
    query = select(schema.link).where(or_(link.a == memory, link.b == memory)).order_by(link.type, link.a, link.b)
    rows = connection.execute(query).all()
    ends = {row.a for row in rows} | {row.b for row in rows} | {memory}
    found = scope.memories(schema.memory.c.id).where(schema.memory.c.id.in_(ends))
    if partner is not None or at is not None:
        found = scope.served(found, partner, at)
    allowed = set(connection.scalars(found))
    return [
        Link(f"k{row.a}", f"k{row.b}", row.type, None if row.evidence is None else f"m{row.evidence}")
        for row in rows
        if {row.a, row.b} <= allowed
    ]


def one_hop(
    connection: Connection, scope: Scope, memories: Sequence[int], partner: int | None, at: datetime | None
) -> list[Step]:
    """Every step from one of `memories` to another memory that may be served to `partner` at a time (None: now).

    The starts must be served too; anything else gives no step. Order: by start, type and end.
    """
    if not memories:
        return []
    link, memory = schema.link.c, schema.memory.c
    given = list(dict.fromkeys(memories))
    rows = connection.execute(select(schema.link).where(or_(link.a.in_(given), link.b.in_(given)))).all()
    ends = {row.a for row in rows} | {row.b for row in rows}
    allowed = set(connection.scalars(scope.served(scope.memories(memory.id).where(memory.id.in_(ends)), partner, at)))
    starts = set(given)
    steps = {
        Step(start, end, row.type)
        for row in rows
        if row.a in allowed and row.b in allowed
        for start, end in ((row.a, row.b), (row.b, row.a))
        if start in starts
    }
    return sorted(steps, key=lambda step: (step.start, step.type, step.end))
