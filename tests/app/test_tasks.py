"""Tasks of a simulation: drawn the same for the same seed, never put to someone who knows, judged without a model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kithnet.agents.wording import content_words
from kithnet.app import tasks
from kithnet.app.tasks import Planned, judge
from kithnet.app.worlds import create_world
from kithnet.memory.store import Store
from kithnet.network.generate import GenerateSpec, generate
from kithnet.network.records import World
from kithnet.runtime.errors import InputError

SPEC = GenerateSpec(people=10, ties=16, messages=400, seed=3)


def stored(folder: Path, world: World) -> Store:
    create_world(folder, "w", world)
    return Store.open(folder / "w" / "kith.db")


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A generated world with its own tasks."""
    with stored(tmp_path_factory.mktemp("brought"), generate(SPEC)) as store:
        yield store


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The same people and messages without tasks, as an imported world is."""
    made = generate(SPEC)
    with stored(tmp_path_factory.mktemp("bare"), World(made.people, made.ties, made.messages)) as store:
        yield store


@pytest.mark.parametrize("world", ["brought", "bare"])
def test_the_same_seed_draws_the_same_tasks_and_another_seed_others(world: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue(world)
    assert tasks.draw(store, 5, seed=4) == tasks.draw(store, 5, seed=4)
    assert {t.question for t in tasks.draw(store, 5, seed=4)} != {t.question for t in tasks.draw(store, 5, seed=5)}
    assert [t.id for t in tasks.draw(store, 3, seed=4)] == ["t1", "t2", "t3"]


def test_a_world_s_own_tasks_come_with_their_answers(brought: Store) -> None:
    for task in tasks.draw(brought, 5, seed=1):
        assert task.gold and task.gold[0]
        assert task.kind in tasks.SILENT_KINDS or task.evidence


def test_a_probe_is_never_put_to_an_instructor_who_heard_the_message(bare: Store) -> None:
    messages = {message.id: message for message in bare.messages()}
    drawn = tasks.probes(bare, 40, seed=2)
    ties = {frozenset((tie.a, tie.b)) for tie in bare.ties()}
    for task in drawn:
        text = messages[task.evidence[0]].text
        heard = {p for m in messages.values() if m.text == text for p in m.parties}
        assert task.instructor not in heard
        assert frozenset((task.instructor, task.assistant)) in ties
        assert (task.assistant in heard) == (task.kind == "direct")
    assert [task.kind for task in drawn[:4]] == ["direct", "third-party"] * 2


def test_a_probe_s_topic_stands_in_its_message_and_names_nobody(bare: Store) -> None:
    messages = {message.id: message for message in bare.messages()}
    for task in tasks.probes(bare, 20, seed=2):
        topic = task.question.partition(" about ")[2].rstrip("?").split(" and ")
        assert set(topic) <= set(content_words(messages[task.evidence[0]].text))


@pytest.mark.parametrize("world", ["brought", "bare"])
def test_more_tasks_than_a_world_has_is_bad_input_that_says_how_many_it_has(
    world: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(InputError) as raised:
        tasks.draw(request.getfixturevalue(world), 5000, seed=0)
    assert raised.value.exit_status == 2
    assert "--tasks" in raised.value.hint


def planned(kind: str = "direct", gold: tuple[str, ...] = ("7 May", "the seventh of May")) -> Planned:
    return Planned("t1", "When is it?", "ana", "ben", kind, gold, ("m5",))


@pytest.mark.parametrize(
    ("task", "answer", "known", "citations", "judged"),
    [
        (planned(), "It is on 7 May.", True, ["m5"], (True, True)),
        (planned(), "On the seventh of May", True, ["m9"], (True, False)),
        (planned(), "On 8 May", True, ["m9", "m5"], (False, True)),
        (planned(), "I could not find this out", False, [], (False, False)),
        (planned(gold=()), "anything", True, ["m5"], (None, True)),
        (planned(gold=()), "nothing", False, [], (None, False)),
        (planned("unknowable"), "nothing", False, [], (True, None)),
        (planned("confidential"), "On 7 May", True, ["m5"], (False, None)),
    ],
)
def test_an_answer_is_judged_by_its_gold_and_by_what_it_cites(
    task: Planned, answer: str, known: bool, citations: list[str], judged: tuple[bool | None, bool | None]
) -> None:
    assert judge(task, answer, known, citations) == judged


def test_a_plan_is_kept_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    drawn = [planned(), planned("third-party", ())]
    tasks.save(path, drawn)
    assert tasks.load(path) == drawn
    assert json.loads(path.read_text("utf-8"))
    assert [file.name for file in tmp_path.iterdir()] == ["tasks.json"]
