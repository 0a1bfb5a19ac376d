"""A value is followed to what its speaker later put in its place, and to nothing that only shares a word with it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kithnet.memory.owner import OwnerMemory
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie

Said = Sequence[tuple[str, str]]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[object]:
    """What Mae hears of Kit and Ned, as (sender, text); one session a line, a day apart."""
    stores = []

    def make(lines: Said) -> OwnerMemory:
        people = [Person(name.lower(), name) for name in ("Mae", "Kit", "Ned")]
        messages = [
            ChatMessage(n, sender, "mae", text, datetime(2024, 1, 1) + timedelta(days=n), f"s{n}")
            for n, (sender, text) in enumerate(lines)
        ]
        store = Store.create(tmp_path / "kith.db").__enter__()
        stores.append(store)
        store.ingest(people, [Tie("mae", "kit", "friend"), Tie("mae", "ned", "friend")], messages)
        return store.owner("mae")

    yield make
    for store in stores:
        store.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ("We are flying to Turin in May.", "Turin fell through. It will be Lecce.", "It will be Lecce."),
        ("My dentist is Dr Alder.", "I left Dr Alder, I see Dr Brook now.", "I see Dr Brook now."),
        ("The gate code is 4417.", "They replaced 4417 with 9020.", "They replaced 4417 with 9020."),
        ("I put cardamom into the buns.", "I gave up the cardamom. Nutmeg does it.", "Nutmeg does it."),
    ],
)
def test_a_correction_that_names_the_old_value_is_found(heard, before: str, after: str, new: str) -> None:  # type: ignore[no-untyped-def]
    memory = heard([("kit", before), ("ned", "Nice day."), ("kit", after)])
    found = memory.taken_back("m1", "What is it?")
    assert found is not None
    assert (found.id, found.text) == ("m3", new)


def test_corrections_of_corrections_are_followed_to_the_last(heard) -> None:  # type: ignore[no-untyped-def]
    memory = heard([
        ("kit", "We are flying to Turin."),
        ("kit", "Not Turin after all, we swapped it for Lecce."),
        ("kit", "Lecce is off the table, we changed to Bari."),
    ])  # fmt: skip
    assert memory.taken_back("m1", "Where does Kit fly?").id == "m3"
    assert memory.taken_back("m3", "Where does Kit fly?") is None


@pytest.mark.parametrize(
    ("sender", "after"),
    [
        ("ned", "Not Turin after all, we swapped it for Lecce."),  # somebody else's plans
        ("kit", "Turin was lovely."),  # nothing changed
        ("kit", "Are you not coming to Turin?"),  # a question tells nothing
        ("kit", "I changed my shoes, they were wet."),  # another thing changed
    ],
)
def test_what_takes_nothing_back_is_not_taken_for_a_correction(heard, sender: str, after: str) -> None:  # type: ignore[no-untyped-def]
    memory = heard([("kit", "We are flying to Turin."), (sender, after)])
    assert memory.taken_back("m1", "Where does Kit fly?") is None


def test_nothing_said_earlier_takes_a_value_back(heard) -> None:  # type: ignore[no-untyped-def]
    memory = heard([("kit", "Not Turin, we swapped it for Lecce."), ("kit", "We are flying to Turin.")])
    assert memory.taken_back("m2", "Where does Kit fly?") is None


BOOKED = "The lake house is booked from 13 to 15 June."


@pytest.mark.parametrize(
    ("after", "new"),
    [
        ("The lake house is booked from 20 to 22 June.", "The lake house is booked from 20 to 22 June."),
        ("Hi! The lake house is booked from 12 to 15 June.", "The lake house is booked from 12 to 15 June."),
        ("Change of plan: the lake house is ours 20-22 June.", "Change of plan: the lake house is ours 20-22 June."),
    ],
)  # fmt: skip
def test_what_the_same_person_said_last_of_when_something_is_holds(heard, after: str, new: str) -> None:  # type: ignore[no-untyped-def]
    memory = heard([("kit", BOOKED), ("ned", "Nice day."), ("kit", after)])
    found = memory.taken_back("m1", "When is the lake house booked?")
    assert found is not None
    assert (found.id, found.text) == ("m3", new)


@pytest.mark.parametrize(
    ("sender", "after"),
    [
        ("ned", "The lake house is booked from 20 to 22 June."),  # somebody else says so
        ("kit", "I paid for the lake house on 3 March."),  # another thing, and past
        ("kit", "The lake house has 3 rooms."),  # no time
        ("kit", "Is the lake house booked from 20 to 22 June?"),  # a question
        ("kit", "The lake house is booked from 13 to 15 June."),  # the same
    ],
)
def test_another_thing_or_another_speaker_restates_nothing(heard, sender: str, after: str) -> None:  # type: ignore[no-untyped-def]
    memory = heard([("kit", BOOKED), (sender, after)])
    assert memory.taken_back("m1", "When is the lake house booked?") is None
