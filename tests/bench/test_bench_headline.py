"""The headline benchmark asks what only third parties know, and reports whatever it finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kithnet.app.worlds import create_world
from kithnet.bench import headline
from kithnet.bench.report import as_json
from kithnet.memory.store import Store
from kithnet.network.generate import GenerateSpec, generate
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError

SPEC = GenerateSpec(people=14, ties=30, messages=1200, seed=3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("headline")
    create_world(folder, "w", generate(SPEC))
    return folder / "w"


@pytest.fixture
def store(world: Path) -> Iterator[Store]:
    with Store.open(world / "kith.db") as opened:
        yield opened


def test_the_same_seed_draws_the_same_task(store: Store) -> None:
    assert headline.draw(store, 4, 7) == headline.draw(store, 4, 7)
    assert headline.draw(store, 4, 7).task != headline.draw(store, 4, 8).task


def test_no_part_was_heard_by_either_agent_and_both_who_heard_it_are_contacts_of_the_assistant(store: Store) -> None:
    drawn = headline.draw(store, 4, 7)
    contacts = {p for tie in store.ties() if drawn.assistant in (tie.a, tie.b) for p in (tie.a, tie.b)}
    assert drawn.instructor in contacts
    messages = {message.id: message for message in store.messages()}
    assert len(drawn.parts) == 4
    for part in drawn.parts:
        message = messages[part.evidence[0]]
        assert message.parties <= contacts - {drawn.assistant}
        heard = {p for m in messages.values() if m.text == message.text for p in m.parties}
        assert not heard & {drawn.instructor, drawn.assistant}
        assert part.question in drawn.task


def test_a_world_without_enough_such_questions_is_bad_input(store: Store) -> None:
    with pytest.raises(InputError) as raised:
        headline.draw(store, 500, 7)
    assert "--parts" in raised.value.hint


@pytest.mark.model
def test_a_small_headline_is_measured_and_its_missed_bars_are_shown(
    world: Path, chat_model_path: Path, embedder_path: Path
) -> None:
    result = headline.run(world, chat_model_path.parent, Config(), parts=2, seed=7)
    told = as_json(result)
    paper, ours = told["table"]
    assert (paper["people"], paper["ties"], paper["seconds"]) == (140, 588, 180.0)
    assert (ours["people"], ours["ties"], ours["messages"]) == (14, 30, 1200)
    assert ours["consulted"] >= 1
    assert ours["utterances"] >= 4
    assert ours["sent"] == 0  # the reader asks no chat model
    bars = {bar["name"]: bar["ok"] for bar in told["bars"]}
    assert not bars["people"] and bars["seconds for the task"]
