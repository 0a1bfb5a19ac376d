"""The one place where a person's rows are chosen. Every query of an OwnerMemory starts from a `Scope`.

A scope is made for one owner and has no method that takes another. Narrowing it (to a partner's audience, to a
time) is possible; widening it is not.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, exists, or_, select
from sqlalchemy.sql.elements import NamedColumn

from kithnet.memory import lexical, schema, terms
from kithnet.memory.conversations import receivers
from kithnet.memory.dialects import holds

SENDER = schema.person.alias("sender")
ABOUT = schema.person.alias("about")
TOLD_BY = schema.person.alias("told_by")

Columns = ColumnElement[Any] | NamedColumn[Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """owner: key of the person whose rows these are."""

    owner: int

    def messages(self, *columns: Columns) -> Select[Any]:
        """Messages that the owner could read; what an agent said is none, also where it was once kept as one."""
        message, member = schema.message.c, schema.circle_member.c
        own = select(member.circle).where(member.person == self.owner)
        return select(*columns).select_from(schema.message).where(message.circle.in_(own), ~message.recalled)

    def message_rows(self) -> Select[Any]:
        """Messages with all that a hit shows of them."""
        message = schema.message.c
        query = self.messages(
            message.id,
            message.text,
            schema.text.c.body,
            SENDER.c.id.label("sender"),
            receivers().label("receivers"),
            schema.session.c.id.label("session"),
            message.at,
        )
        return (
            query.join(schema.text, schema.text.c.key == message.text)
            .join(SENDER, SENDER.c.key == message.sender)
            .join(schema.session, schema.session.c.key == message.session)
        )

    def matching_messages(self, term: lexical.Term) -> Select[Any]:
        """Ids of the owner's messages that hold `term`; the index restricts itself to the owner."""
        return self._matching(schema.message_index, term)

    def memories(self, *columns: Columns) -> Select[Any]:
        """Everything that the owner has noted, superseded notes too."""
        return select(*columns).select_from(schema.memory).where(schema.memory.c.owner == self.owner)

    def memory_rows(self) -> Select[Any]:
        """Memories with all that a hit shows of them."""
        memory = schema.memory.c
        query = self.memories(
            memory.id,
            memory.text,
            schema.text.c.body,
            ABOUT.c.id.label("about"),
            TOLD_BY.c.id.label("told_by"),
            memory.restricted,
            memory.kind,
            memory.slot,
            schema.session.c.id.label("session"),
            memory.valid_from,
            memory.valid_to,
            memory.recorded_at,
            memory.superseded_by,
            memory.importance,
            memory.uses,
            memory.last_used,
            memory.handles,
        )
        return (
            query.join(schema.text, schema.text.c.key == memory.text)
            .join(ABOUT, ABOUT.c.key == memory.about)
            .join(TOLD_BY, TOLD_BY.c.key == memory.told_by)
            .outerjoin(schema.session, schema.session.c.key == memory.session)
        )

    def matching_memories(self, term: lexical.Term) -> Select[Any]:
        """Ids of the owner's memories that hold `term`, whoever may be served with them."""
        return self._matching(schema.memory_index, term)

    def _matching(self, index: Table, term: lexical.Term) -> Select[Any]:
        held = holds(
            index, lambda: lexical.match(term, self.owner), lambda: terms.wanted(term.word, term.pairs, self.owner)
        )
        return select(index.c.rowid).where(held)

    def grants_open(self, now: datetime) -> list[ColumnElement[bool]]:
        """Conditions for grants that may be used. now: UTC."""
        grant = schema.disclosure_grant.c
        return [
            grant.revoked_at.is_(None),
            or_(grant.until.is_(None), grant.until > now),
            or_(grant.term != "once", grant.uses == 0),
        ]

    def grants_to(self, partner: int, now: datetime) -> list[ColumnElement[bool]]:
        """Conditions for grants of the owner's that may be used towards `partner`, by name or by tie."""
        grant, tie = schema.disclosure_grant.c, schema.tie.c
        between = or_(
            and_(tie.a == self.owner, tie.b == partner),
            and_(tie.b == self.owner, tie.a == partner),
        )
        kinds = select(tie.kind).where(between)
        return [grant.owner == self.owner, or_(grant.person == partner, grant.tie.in_(kinds)), *self.grants_open(now)]

    def _may_be_granted(self, partner: int) -> ColumnElement[bool]:
        """Whether a grant towards `partner` names the memory, a message that it rests on, or no item."""
        grant, memory, evidence = schema.disclosure_grant.c, schema.memory.c, schema.evidence.c
        states = exists().where(evidence.memory == memory.id, evidence.message == grant.message)
        of_it = or_(grant.memory == memory.id, states, and_(grant.memory.is_(None), grant.message.is_(None)))
        now = datetime.now(UTC).replace(tzinfo=None)
        return exists().where(*self.grants_to(partner, now), of_it)

    def served(self, query: Select[Any], partner: int | None, at: datetime | None) -> Select[Any]:
        """Narrow a query over memories to those that may be used now, towards `partner`.

        A restricted memory is served only to a person listed in its audience, so an unknown partner gets none; and to
        one whom a grant of the owner's may open it to, which the agent decides by its words.
        partner: a person's key; None: the owner's own use, nothing withheld. at None: what holds now.
        """
        memory = schema.memory.c
        if partner is not None:
            listed = exists().where(
                schema.audience.c.memory == memory.id,
                schema.audience.c.person == partner,
            )
            query = query.where(or_(memory.restricted.is_(False), listed, self._may_be_granted(partner)))
        if at is None:
            return query.where(memory.valid_to.is_(None), memory.superseded_by.is_(None))
        return query.where(
            or_(memory.valid_from.is_(None), memory.valid_from <= at),
            or_(memory.valid_to.is_(None), memory.valid_to > at),
            # A correction without dates of its own replaces the old value at all times.
            or_(memory.superseded_by.is_(None), and_(memory.valid_to.is_not(None))),
        )
