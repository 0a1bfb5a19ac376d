"""Second-hand copies: what others noted of what somebody told them, and what was passed on from there."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from kithnet.memory import schema


def second_hand(connection: Connection, teller: int, told: Iterable[Any], rule: str) -> list[int]:
    """Keys of the memories that came from tellings of `teller`, in whosever memory they are now.

    told: rows with `message`, `memory` and `at`: what was told, and when. rule: how the rules of those tellings begin in
    the ledger of disclosures. A copy stays with those who were there when it was said, with those whom the ledger shows
    to have it by another way, and where it was noted before.
    """
    since: dict[str, datetime] = {}
    for row in told:
        for handle in _handles(connection, row.message, row.memory):
            since[handle] = min(row.at, since.get(handle, row.at))
    return copies(connection, teller, since, rule)


def copies(connection: Connection, teller: int, since: Mapping[str, datetime], rule: str = "") -> list[int]:
    """Keys of the memories that cite one of these handles, noted since the time of it, by people who know what it stands for
    only from `teller`, under a `rule`; and of those that were made of them."""
    since = dict(since)
    keep = {handle: _knew(connection, teller, handle, rule) for handle in since}
    memory = schema.memory.c
    query = select(memory.id, memory.owner, memory.handles, memory.recorded_at)
    rows = connection.execute(query.where(memory.handles != "[]", memory.valid_to.is_(None))).all()
    found: set[int] = set()
    while True:
        before = len(found)
        for row in rows:
            at_stake = [one for one in json.loads(row.handles) if one in since and row.recorded_at >= since[one]]
            if row.id not in found and any(row.owner not in keep[one] for one in at_stake):
                found.add(row.id)
                since[f"k{row.id}"], keep[f"k{row.id}"] = row.recorded_at, {row.owner}
        if len(found) == before:
            return sorted(found)


def _handles(connection: Connection, message: int | None, memory: int | None) -> set[str]:
    """Under which ids others know an item: its own, and of a memory those of what it rests on."""
    if message is not None:
        return {f"m{message}"}
    if memory is None:
        return set()
    row, evidence = schema.memory.c, schema.evidence.c
    cited = connection.scalar(select(row.handles).where(row.id == memory))
    stated = connection.scalars(select(evidence.message).where(evidence.memory == memory))
    return {f"k{memory}", *(f"m{key}" for key in stated), *json.loads(cited or "[]")}


def _knew(connection: Connection, teller: int, handle: str, rule: str) -> set[int]:
    """Who may keep what a handle stands for: its parties, and whom they told it, other than under `rule` by `teller`."""
    entry, item, message, memory = schema.disclosure.c, schema.disclosed.c, schema.message.c, schema.memory.c
    number = int(handle[1:])
    keep = {teller}
    if handle.startswith("m"):
        there = select(schema.circle_member.c.person).join(
            schema.message, message.circle == schema.circle_member.c.circle
        )
        keep |= set(connection.scalars(there.where(message.id == number)))
    cites = memory.handles.contains(f'"{handle}"', autoescape=True)
    told = item.message == number if handle.startswith("m") else item.memory == number
    of_it = or_(told, item.memory.in_(select(memory.id).where(cites)))
    query = select(entry.owner, entry.partner).join(schema.disclosed, item.disclosure == entry.id)
    others = or_(entry.owner != teller, ~entry.rule.startswith(rule, autoescape=True))
    rows = connection.execute(query.where(entry.action == "tell", others, of_it)).all()
    while True:
        more = {row.partner for row in rows if row.owner in keep} - keep
        if not more:
            return keep
        keep |= more
