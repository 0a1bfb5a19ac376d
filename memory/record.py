"""A session of an owner read as turns, and what it says written down."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, select

from kithnet.memory import egocentric, lexical, schema
from kithnet.memory.conversations import read_receivers
from kithnet.memory.language.time import clock
from kithnet.memory.scope import Scope
from kithnet.memory.writing import events as reading
from kithnet.memory.writing.events import Event
from kithnet.memory.writing.extract import Cast, Senses, Statement, Turn
from kithnet.memory.writing.session import Audience, SessionWriter, Written
from kithnet.memory.writing.tagging import Tagger


@dataclass(frozen=True, slots=True)
class Kept:
    """What writing a session came to. added, confirmed: ids of memories ("k4"). updated: memories that are over now.
    linked: links made. summary: the id of the session's summary, None without one. gone: ids of what is noted no more."""

    added: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    updated: int = 0
    linked: int = 0
    summary: str | None = None
    gone: tuple[str, ...] = ()


def turns(connection: Connection, scope: Scope, session: str, own: Collection[str] = (), owner: str = "") -> list[Turn]:
    """The owner's messages of a session in their order; a line said to several people is one turn of its first copy.

    own: ids under which `owner` speaks too; their turns become the owner's.
    """
    query = scope.message_rows().where(schema.session.c.id == session).order_by(schema.message.c.seq)
    return _turns(connection.execute(query).all(), own, owner)


def _turns(rows: Iterable[Row[Any]], own: Collection[str], owner: str) -> list[Turn]:
    kept: list[Turn] = []
    for row in rows:
        sender = owner if row.sender in own else row.sender
        heard = [owner if one in own else one for one in read_receivers(row.receivers)]
        receiver = _spoken_to(sender, heard, kept)
        turn = Turn(row.id, sender, receiver, row.body, row.at)
        if not (kept and (kept[-1].sender, kept[-1].text, kept[-1].at) == (turn.sender, turn.text, turn.at)):
            kept.append(turn)
    return kept


def _spoken_to(sender: str, heard: Sequence[str], before: Sequence[Turn]) -> str:
    """Who "you" is in what is said to these people: the one there is, else who has just answered the sender, else "", for
    of several it need not be the one who spoke last."""
    if len(heard) == 1:
        return heard[0]
    spoke = [name for name, _ in groupby(one.sender for one in before)]
    if spoke[-1:] == [sender]:
        spoke.pop()
    return spoke[-1] if spoke[-2:-1] == [sender] and spoke[-1] in heard else ""


def events(
    connection: Connection, scope: Scope, messages: Sequence[int], own: Collection[str], owner: str, tagger: Tagger | None
) -> list[Event]:  # fmt: skip
    """The events that these messages of an owner tell, oldest session first; own, owner: as in `turns`."""
    query = scope.message_rows()
    talks: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query.where(schema.message.c.id.in_(messages)).order_by(schema.message.c.seq)):
        talks.setdefault(row.session, []).append(row)
    known = cast(connection, scope)
    found: list[Event] = []
    for rows in talks.values():
        if any(clock.may_tell_time(row.body) for row in rows):
            found = reading.read(_turns(rows, own, owner), known, found, tagger)
    # Whoever was meant by a "you" to nobody in particular is not known.
    named = (replace(one, people=tuple(person for person in one.people if person)) for one in found)
    return [one for one in named if one.people]


def cast(connection: Connection, scope: Scope) -> Cast:
    """The people a session may be about: those the owner has exchanged messages with, and the others of the network.

    The others are a directory of names: it says who is meant, and nothing of what they said.
    """
    message, person = schema.message.c, schema.person.c
    met = set(connection.scalars(scope.messages(message.sender).distinct()))
    there = select(schema.circle_member.c.person).where(
        schema.circle_member.c.circle.in_(scope.messages(message.circle).distinct())
    )
    met |= set(connection.scalars(there.distinct())) | {scope.owner}
    rows = connection.execute(select(person.key, person.id, person.name, person.aliases, person.outside)).all()
    called = {row.id: (row.name, *json.loads(row.aliases)) for row in rows if row.key in met or not row.outside}
    known = {row.id: called[row.id] for row in rows if row.key in met}
    owner = next(row.id for row in rows if row.key == scope.owner)
    return Cast(owner, known, {one: names for one, names in called.items() if one not in known})


def write(
    connection: Connection,
    scope: Scope,
    session: str,
    statements: Sequence[Statement],
    confided: Collection[int],
    private: bool,
    summary: tuple[str, str] | None,
    senses: Senses | None = None,
    read_by: str = "",
    anew: bool = False,
) -> Written:
    """Write the statements of a session, and its summary: (id of the person it is about, text).

    confided: numbers of messages that were said in confidence: what they state may be told to those present alone.
    private: nothing of the session may be told to anyone. read_by: the reader that judged the statements. anew: take away what
    another one noted and they do not say.
    """
    known = cast(connection, scope)
    people = {person: egocentric.person_key(connection, person) for person in _mentioned(statements, summary)}
    present = _present(connection, scope, session)
    held = {s.evidence for s in _all(statements)} if private else set(confided)
    audience = {number: frozenset[int]() if private else present.get(number, frozenset()) for number in held}
    names = {
        stem
        for called in (*known.names.values(), *known.others.values())
        for name in called
        for stem in lexical.stems(name)
    }
    writer = SessionWriter(connection, scope, session, people, names, audience, senses, read_by)
    if anew:
        writer.take_away(statements)
    written = writer.write(statements)
    if summary is not None:
        about, text = summary
        # A summary tells of the whole talk, confidences and all: it is for those who were there all the time.
        there = list(present.values())
        whole: Audience = frozenset() if private or not there else there[0].intersection(*there)
        writer.summarise(people[about], text, whole)
    return written


def _all(statements: Sequence[Statement]) -> list[Statement]:
    return [one for s in statements for one in (s, s.cause) if one is not None]


def _mentioned(statements: Sequence[Statement], summary: tuple[str, str] | None) -> set[str]:
    named = {person for one in _all(statements) for person in (one.about, one.told_by)}
    return named | ({summary[0]} if summary else set())


def _present(connection: Connection, scope: Scope, session: str) -> dict[int, frozenset[int]]:
    """Of each message of the session that the owner could read, who else could. A line of a world of before conversations is
    several messages: whoever could read one of them could read it."""
    message, member = schema.message.c, schema.circle_member.c
    query = scope.messages(message.id, message.sender, message.text, member.person)
    query = query.join(schema.session, schema.session.c.key == message.session)
    query = query.join(schema.circle_member, member.circle == message.circle).where(schema.session.c.id == session)
    read: dict[tuple[int, int], set[int]] = {}
    lines: dict[int, tuple[int, int]] = {}
    for row in connection.execute(query):
        lines[row.id] = row.sender, row.text
        read.setdefault(lines[row.id], set()).add(row.person)
    return {number: frozenset(read[line]) - {scope.owner} for number, line in lines.items()}
