"""The iAgents project's MySQL dump: users, friendships and chats."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from kithnet.network.importers.mysql import Cells, Table, read_tables
from kithnet.network.importers.table import listed, moment
from kithnet.network.importers.talks import PairTalks
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.errors import RecordError

NEEDED: Mapping[str, tuple[str, ...]] = {
    "users": ("id", "name"),
    "friendships": ("user_id", "friend_id"),
    "chats": ("sender", "receiver", "message", "timestamp"),
}
SILENCE = timedelta(hours=1)
APART = 150
"""The released dump stamps every chat with the second of its import, so talks are told apart by the chats between."""


def read_iagents_sql(path: Path) -> World:
    """Read a dump with the tables users, chats and, if present, friendships. Only names are taken from users.

    Chats are ordered as inserted. Where they all bear the same timestamp it says nothing and is left out. Ties are the
    friendships and whoever exchanged chats; rows to oneself and empty chats are dropped and counted. RecordError for
    a missing table or column, a chat or friendship of nobody known, and SQL that cannot be read.
    """
    tables = read_tables(path, NEEDED)
    if missing := [name for name in ("users", "chats") if name not in tables]:
        raise RecordError(
            f"{path.name} lacks the table {listed(missing)}", f"an iAgents dump has {listed(list(NEEDED))}"
        )
    names = _names(_columns(path, tables["users"]))
    dropped: dict[str, int] = {}
    ties: dict[tuple[str, str], Tie] = {}
    if "friendships" in tables:
        for row, (user, friend) in enumerate(_columns(path, tables["friendships"]), 1):
            _add_tie(ties, _known(names, user, row), _known(names, friend, row), "friend", dropped)
    messages = _messages(_columns(path, tables["chats"]), set(names.values()), ties, dropped)
    if not messages:
        raise RecordError(f"{path.name} holds no chats", "dump the table chats with its rows")
    return World(
        people=[Person(name, name.title() if name.islower() and name.isalpha() else name) for name in names.values()],
        ties=list(ties.values()),
        messages=messages,
        dropped=dropped,
        source={"format": "iagents", "file": path.name},
    )


def _columns(path: Path, table: Table) -> Sequence[Cells]:
    """The needed columns of a table, in the order of NEEDED."""
    wanted = NEEDED[table.name]
    if missing := [name for name in wanted if name not in table.columns]:
        raise RecordError(
            f"the table {table.name} of {path.name} lacks the column {listed(missing)}; it has {listed(table.columns)}",
            f"needed are {', '.join(wanted)}",
        )
    places = [table.columns.index(name) for name in wanted]
    for row, cells in enumerate(table.rows, 1):
        if len(cells) != len(table.columns):
            raise RecordError(
                f"{table.name} has {len(cells)} values here for {len(table.columns)} columns", "dump it again", row=row
            )
    return [tuple(cells[place] for place in places) for cells in table.rows]


def _names(rows: Sequence[Cells]) -> dict[str, str]:
    """User number -> name."""
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    for row, (number, name) in enumerate(rows, 1):
        if not number or not (name and name.strip()):
            raise RecordError("a user without id or name", "every user has both", row=row)
        key = name.strip()
        if key in seen:
            raise RecordError(f"the user {key!r} is there twice, first in row {seen[key]}", "remove one", row=row)
        seen[key] = row
        names[number] = key
    return names


def _known(names: Mapping[str, str], number: str | None, row: int) -> str:
    if number is None or number not in names:
        raise RecordError(f"a friendship of user {number}, who is not in users", "dump both tables together", row=row)
    return names[number]


def _add_tie(
    ties: dict[tuple[str, str], Tie], one: str, other: str, kind: str, dropped: dict[str, int]
) -> tuple[str, str] | None:
    """The pair, tied; None for somebody's tie to themself, which is counted."""
    if one == other:
        dropped["self-tie"] = dropped.get("self-tie", 0) + 1
        return None
    pair = (one, other) if one < other else (other, one)
    if pair not in ties:
        ties[pair] = Tie(*pair, kind)
    return pair


def _messages(
    chats: Sequence[Cells], people: set[str], ties: dict[tuple[str, str], Tie], dropped: dict[str, int]
) -> list[ChatMessage]:
    messages: list[ChatMessage] = []
    talks = PairTalks(SILENCE, APART)
    telling = len({stamp for *_, stamp in chats}) > 1
    for row, (sender, receiver, message, stamp) in enumerate(chats, 1):
        a, b, text = (sender or "").strip(), (receiver or "").strip(), (message or "").strip()
        if unknown := [name for name in (a, b) if name not in people]:
            raise RecordError(f"a chat of {listed(unknown)}, who is not in users", "dump both tables together", row=row)
        if not text:
            dropped["empty message"] = dropped.get("empty message", 0) + 1
            continue
        pair = _add_tie(ties, a, b, "", dropped)
        if pair is None:
            continue
        at: datetime | None = moment(stamp or "", row) if telling else None
        messages.append(ChatMessage(len(messages), a, b, text, at, talks.place(pair, at)))
    return messages
