"""What a list is collected from: all of a small talk, the best and the latest of a large one."""

from pathlib import Path

import pytest

from kithnet.memory.owner import OwnerMemory
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie


def talk(folder: Path, idle: int) -> Store:
    """Ana tells Ben of two things to do, then much that is idle; Cleo hears the first one too."""
    people = [Person(name, name.title()) for name in ("ana", "ben", "cleo")]
    told = ["Zither lessons are from 9:00 to 10:00.", "Bowling is from 11:00 to 12:30."]
    lines = [*told, *(f"The weather is number {n} today." for n in range(idle))]
    messages = [ChatMessage(n, "ana", "ben", text, None, f"s{n // 40}") for n, text in enumerate(lines, 2)]
    messages.insert(0, ChatMessage(1, "ana", "cleo", told[0], None, "s0"))
    store = Store.create(folder / "kith.db").__enter__()
    store.ingest(people, [Tie("ana", "ben", "friend"), Tie("ana", "cleo", "friend")], messages)
    return store


@pytest.fixture
def ana(tmp_path: Path) -> OwnerMemory:
    return talk(tmp_path, 2_000).owner("ana")


def test_a_small_talk_is_gathered_whole_and_a_line_heard_by_two_once(tmp_path: Path) -> None:
    lines = talk(tmp_path, 5).owner("ana").gather("zither", most=50)
    assert len(lines) == 7
    assert sum("Zither" in line.text for line in lines) == 1


def test_of_a_large_talk_the_best_and_the_latest_are_gathered_in_their_order(ana: OwnerMemory) -> None:
    lines = ana.gather("Who takes zither lessons?", most=30)
    assert len(lines) == 30
    assert "Zither" in lines[0].text
    assert lines[-1].text == "The weather is number 1999 today."


def test_events_are_read_from_what_was_gathered_and_around_it_alone(ana: OwnerMemory) -> None:
    zither = [line for line in ana.gather("zither", most=30) if "Zither" in line.text]
    assert [event.start for event in ana.events(zither)] == [9 * 60, 11 * 60]  # the next line is around it
    assert ana.events(ana.gather("weather", most=30)) == []
