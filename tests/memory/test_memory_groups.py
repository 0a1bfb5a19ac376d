"""What is written down of talk among several: nobody is taken for whom a "you" or "we" means without a sign."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kithnet.memory.owner import OwnerMemory
from kithnet.memory.record import turns
from kithnet.memory.scope import Scope
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person

NAMES = ("ana", "ben", "carl", "dora")
Write = Callable[[list[tuple[str, str]]], OwnerMemory]


@pytest.fixture
def group(tmp_path: Path) -> Write:
    def write(said: list[tuple[str, str]]) -> OwnerMemory:
        store = Store.create(tmp_path / "kith.db")
        lines = []
        for n, (who, text) in enumerate(said):
            first, *also = [one for one in NAMES if one != who]
            lines.append(
                ChatMessage(n, who, first, text, datetime(2024, 3, 12, 9) + timedelta(minutes=n), "s", tuple(also))
            )
        store.ingest([Person(one, one.title()) for one in NAMES], [], lines)
        return store.owner("dora")

    return write


def listeners(memory: OwnerMemory) -> list[str]:
    with memory._database.read() as connection:
        return [turn.receiver for turn in turns(connection, memory._scope, "s")]


def test_you_is_who_has_just_answered_and_else_nobody_in_particular(group: Write) -> None:
    memory = group([("ana", "Ben, are you well?"), ("ben", "Yes."), ("ana", "You sound tired."), ("ana", "Really."),
                    ("carl", "You should rest."), ("dora", "Hm."), ("carl", "You too.")])  # fmt: skip
    assert isinstance(memory._scope, Scope)
    assert listeners(memory) == ["", "", "ben", "ben", "", "", "dora"]


@pytest.mark.parametrize(
    "text",
    [
        "We are going hiking on Saturday at 9am.", "Let's meet at 6pm at the pier tomorrow.", "You hate sushi.",
        "Can you meet me on Monday at 10am at the pier?", "You two are invited to my wedding on 5 May at 3pm.",
        "Your boss called, you start on Monday at 8am.", "You and I have lunch on Thursday at 1pm.",
    ],
)  # fmt: skip
def test_nobody_takes_part_in_what_is_said_to_nobody_in_particular(group: Write, text: str) -> None:
    memory = group([("carl", "Good morning."), ("ana", text), ("ben", "Ok.")])
    said = memory.statements("s")
    memory.write_session("s", said, summary=("ana", "They talked."))
    assert {one.about for one in said} <= {"ana"}
    assert {person for event in memory.events(memory.session("s")) for person in event.people} <= {"ana"}
