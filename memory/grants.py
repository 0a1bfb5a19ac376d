"""What an owner has allowed in words of their own: once, always, until a time, for somebody, for a purpose.

A grant is kept in the world with the owner's other rows. Whether one fits an item is decided by the agent; here it is given,
counted, and taken back with the second-hand copies that came from it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, Select, insert, select, update

from kithnet.memory import provenance, schema
from kithnet.memory.database import Database
from kithnet.memory.egocentric import item_key, person_key
from kithnet.memory.scope import Scope
from kithnet.runtime.errors import InputError

Term = Literal["once", "always", "until"]
LEDGER = 500
NEVER = datetime(1, 1, 1)
"""The end of a memory that is closed and has no beginning: it holds at no time."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission to tell. id: "g3". person: to whom; or tie: to everybody with a tie of this kind to the owner.

    item: "m12" or "k3", None for anything. topic: words that the item must hold. purpose: words that the task must hold.
    until, given_at, revoked_at: UTC. uses: how many tellings rested on it.
    """

    id: str
    person: str | None
    tie: str | None
    item: str | None
    topic: str
    purpose: str
    term: Term
    until: datetime | None
    given_at: datetime
    revoked_at: datetime | None = None
    uses: int = 0

    def open_at(self, now: datetime) -> bool:
        """Whether it may still be used. now: UTC."""
        over = self.until is not None and self.until <= now
        return self.revoked_at is None and not over and not (self.term == "once" and self.uses > 0)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A grant that was taken back. closed: by person, how many memories that came from it no longer hold."""

    grant: Grant
    closed: Mapping[str, int]


class Grants:
    """The grants of one owner. Made by `OwnerMemory`; safe to share between threads and processes."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def every(self) -> list[Grant]:
        """All that were ever given, oldest first."""
        with self._database.read() as connection:
            return [_grant(row) for row in connection.execute(_rows(self._scope))]

    def to(self, partner: str) -> list[Grant]:
        """Those that may be used now towards `partner`, whatever they are for; none towards a stranger."""
        with self._database.read() as connection:
            key = connection.scalar(select(schema.person.c.key).where(schema.person.c.id == partner))
            if key is None:
                return []
            query = _rows(self._scope).where(*self._scope.grants_to(int(key), now()))
            return [_grant(row) for row in connection.execute(query)]

    def ledger(self, partner: str) -> tuple[dict[str, str], dict[str, str]]:
        """Texts by id of the owner's items that `partner` was told, and of those that were last refused to them.

        Of the newest `LEDGER` decisions; nothing was told when nothing was refused, as nobody needs it then.
        """
        with self._database.read() as connection:
            last = _last_actions(connection, self._scope, partner)
            refused = [item for item, action in last.items() if action == "refuse"]
            told = [item for item, action in last.items() if action == "tell"] if refused else []
            texts = _texts(connection, self._scope, [*told, *refused])
        return {item: texts[item] for item in told if item in texts}, {i: texts[i] for i in refused if i in texts}

    def give(
        self,
        *,
        person: str | None = None,
        tie: str | None = None,
        term: Term,
        until: datetime | None = None,
        item: str | None = None,
        topic: str = "",
        purpose: str = "",
    ) -> Grant:
        """Allow it. One of `person` (an id) and `tie`; `until`: UTC, with that term only.

        Raises InputError, also for an item that is not the owner's; UnknownPerson.
        """
        if (person is None) == (tie is None) or term not in get_args(Term) or (term == "until") != (until is not None):
            raise InputError("a grant is to a person or a kind of tie, and once, always or until a time")
        if until is not None and until <= now():
            raise InputError("that time is over", "name one that is to come")
        with self._database.write() as connection:
            values = {
                "owner": self._scope.owner,
                "person": None if person is None else person_key(connection, person),
                "tie": tie,
                **_own_item(connection, self._scope, item),
                "topic": " ".join(topic.split()),
                "purpose": " ".join(purpose.split()),
                "term": term,
                "until": until,
                "given_at": now(),
                "uses": 0,
            }
            if values["person"] == self._scope.owner:
                raise InputError("nobody needs a grant to hear of themselves what is their own", "name somebody else")
            key = connection.execute(insert(schema.disclosure_grant).values(values)).inserted_primary_key
            assert key is not None
            return _one(connection, self._scope, int(key[0]))

    def use(self, grant: str, partner: str, item: str) -> bool:
        """Count a telling of the owner's `item` ("m12", "k3"; else nothing is noted of it) that rests on a grant.

        False when it may not be used any more: of two who use up the same `once`, one is told True.
        """
        row, key = schema.disclosure_grant.c, item_key(grant, "g")
        usable = [row.id == key, row.owner == self._scope.owner, *self._scope.grants_open(now())]
        with self._database.write() as connection:
            if not connection.execute(
                update(schema.disclosure_grant).where(*usable).values(uses=row.uses + 1)
            ).rowcount:
                return False
            if item[:1] in ("m", "k") and item[1:].isdigit():
                told = {"partner": person_key(connection, partner), **_own_item(connection, self._scope, item)}
                connection.execute(insert(schema.grant_use).values(permit=key, at=now(), **told))
        return True

    def revoke(self, grant: str) -> Revoked:
        """Take a grant back and close what rested on it, however far it was passed on. Raises InputError.

        Again, it closes what has been passed on since.
        """
        row, use, key = schema.disclosure_grant.c, schema.grant_use.c, item_key(grant, "g")
        with self._database.write() as connection:
            _one(connection, self._scope, key)
            mine = (row.id == key, row.owner == self._scope.owner, row.revoked_at.is_(None))
            connection.execute(update(schema.disclosure_grant).where(*mine).values(revoked_at=now()))
            told = connection.execute(select(use.message, use.memory, use.at).where(use.permit == key)).all()
            copies = provenance.second_hand(connection, self._scope.owner, told, f"grant g{key} ")
            closed = _close(connection, copies)
            return Revoked(_one(connection, self._scope, key), closed)


def now() -> datetime:
    """UTC without a zone, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def _last_actions(connection: Connection, scope: Scope, partner: str) -> dict[str, str]:
    """What was last decided of each of the owner's items towards a partner."""
    entry, item = schema.disclosure.c, schema.disclosed.c
    query = (
        select(item.message, item.memory, entry.action)
        .join(schema.disclosure, entry.id == item.disclosure)
        .join(schema.person, schema.person.c.key == entry.partner)
        .where(entry.owner == scope.owner, schema.person.c.id == partner)
        .order_by(entry.id.desc())
        .limit(LEDGER)
    )
    last: dict[str, str] = {}
    for message, memory, action in connection.execute(query):
        last.setdefault(f"m{message}" if message is not None else f"k{memory}", action)
    return last


def _texts(connection: Connection, scope: Scope, items: list[str]) -> dict[str, str]:
    messages, memories = ([int(item[1:]) for item in items if item[0] == kind] for kind in "mk")
    said = scope.message_rows().where(schema.message.c.id.in_(messages))
    noted = scope.memory_rows().where(schema.memory.c.id.in_(memories))
    texts = {f"m{row.id}": str(row.body) for row in connection.execute(said)} if messages else {}
    return texts | ({f"k{row.id}": str(row.body) for row in connection.execute(noted)} if memories else {})


def _close(connection: Connection, memories: list[int]) -> dict[str, int]:
    """Let memories hold at no time; returns how many of each person's."""
    memory, whose = schema.memory.c, Counter[str]()
    owners = select(schema.person.c.id).join(schema.memory, schema.person.c.key == memory.owner)
    for chunk in (memories[start : start + 500] for start in range(0, len(memories), 500)):
        whose.update(connection.scalars(owners.where(memory.id.in_(chunk))))
        ended = {"valid_to": NEVER, "rev": memory.rev + 1}
        connection.execute(update(schema.memory).where(memory.id.in_(chunk)).values(ended))
    return dict(sorted(whose.items()))


def _own_item(connection: Connection, scope: Scope, item: str | None) -> dict[str, int | None]:
    """The columns that name an item. Raises InputError when the owner has none such."""
    columns: dict[str, int | None] = {"message": None, "memory": None}
    if item is None:
        return columns
    table, name = (schema.memory, "memory") if item.startswith("k") else (schema.message, "message")
    columns[name] = key = item_key(item, item[:1] if item[:1] in ("m", "k") else "m")
    own = scope.memories(table.c.id) if name == "memory" else scope.messages(table.c.id)
    if connection.scalar(own.where(table.c.id == key)) is None:
        raise InputError(f"the owner has no message or memory {item!r}", "`kith memory show PERSON` lists memories")
    return columns


def _rows(scope: Scope) -> Select[Any]:
    row = schema.disclosure_grant.c
    query = select(schema.disclosure_grant, schema.person.c.id.label("hearer"))
    return (
        query.outerjoin(schema.person, schema.person.c.key == row.person)
        .where(row.owner == scope.owner)
        .order_by(row.id)
    )


def _one(connection: Connection, scope: Scope, key: int) -> Grant:
    row = connection.execute(_rows(scope).where(schema.disclosure_grant.c.id == key)).first()
    if row is None:
        raise InputError(f"the owner has given no grant g{key}", "`kith grants list PERSON` lists them")
    return _grant(row)


def _grant(row: Row[Any]) -> Grant:
    item = f"m{row.message}" if row.message is not None else f"k{row.memory}" if row.memory is not None else None
    return Grant(
        f"g{row.id}", row.hearer, row.tie, item, row.topic, row.purpose, row.term, row.until, row.given_at,
        row.revoked_at, row.uses,
    )  # fmt: skip
