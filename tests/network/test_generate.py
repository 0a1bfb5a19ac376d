"""Generated worlds: exact counts, the same from the same seed, and facts that are where they are said to be."""

import hashlib
import re
import subprocess
import sys
from collections import Counter, deque
from itertools import pairwise

import networkx as nx
import pytest

from kithnet.network.generate import GenerateSpec, generate
from kithnet.network.generate.phrasebook import read_phrasebook
from kithnet.network.graph import graph_of, message_counts, statistics
from kithnet.network.records import Task, World
from kithnet.runtime.errors import ConfigError

PAPER = GenerateSpec()
FINGERPRINT = """
import hashlib, sys
from kithnet.network.generate import GenerateSpec, generate
w = generate(GenerateSpec(people=40, ties=120, messages=4000, seed=int(sys.argv[1]), phrases=sys.argv[2]))
print(hashlib.sha256(repr((w.people, w.ties, w.messages, w.tasks)).encode()).hexdigest())
"""


@pytest.fixture(scope="module", params=["default", "held-out"])
def world(request: pytest.FixtureRequest) -> World:
    return generate(GenerateSpec(phrases=request.param))


def texts_of(world: World, person: str) -> str:
    return "\n".join(m.text for m in world.messages if person in (m.sender, m.receiver)).casefold()


def says(text: str, answer: str) -> bool:
    return answer.casefold() in text and re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", text) is not None


def hops_to(graph: nx.Graph, holders: tuple[str, ...]) -> dict[str, int]:
    hops = dict.fromkeys(holders, 0)
    queue = deque(holders)
    while queue:
        person = queue.popleft()
        for alter in graph.adj[person]:
            if alter not in hops:
                hops[alter] = hops[person] + 1
                queue.append(alter)
    return hops


@pytest.mark.parametrize(
    ("people", "ties", "messages", "seed"),
    [(4, 3, 3, 1), (4, 6, 200, 2), (5, 10, 11, 3), (12, 11, 300, 4), (30, 60, 60, 5), (30, 435, 2_000, 6), (320, 900, 3_000, 7)],
)  # fmt: skip
def test_counts_are_exact_and_the_network_is_connected(people: int, ties: int, messages: int, seed: int) -> None:
    world = generate(GenerateSpec(people, ties, messages, seed))
    assert (len(world.people), len(world.ties), len(world.messages)) == (people, ties, messages)
    graph = graph_of(world.people, world.ties, message_counts(world.messages))
    assert nx.is_connected(graph)
    assert len(graph) == people
    assert graph.number_of_edges() == ties
    assert len({person.name for person in world.people}) == people
    assert min(weight for *_, weight in graph.edges(data="weight")) >= 1
    assert [message.seq for message in world.messages] == list(range(messages))


@pytest.mark.parametrize("seed", [1, 23])
def test_the_papers_size_has_the_papers_shape(seed: int) -> None:
    world = generate(GenerateSpec(seed=seed))
    graph = graph_of(world.people, world.ties, message_counts(world.messages))
    shape = statistics(graph)
    assert (shape.people, shape.ties, shape.components) == (140, 588, 1)
    assert 4 <= shape.diameter <= 8
    assert 2.0 <= shape.mean_path <= 2.7
    assert shape.clustering > 0.4
    assert shape.degree_gini > 0.35
    assert shape.degree_max > 4 * shape.degree_mean
    assert shape.communities >= 4
    assert shape.modularity > 0.25
    talk = sorted((weight for *_, weight in graph.edges(data="weight")), reverse=True)
    assert sum(talk[: len(talk) // 10]) > 0.3 * sum(talk)


def test_messages_are_sessions_of_two_people_by_day_in_order_of_time(world: World) -> None:
    assert len(world.messages) == PAPER.messages
    for earlier, later in pairwise(world.messages):
        assert earlier.at and later.at
        assert earlier.at <= later.at
    pairs: dict[str, set[frozenset[str]]] = {}
    for message in world.messages:
        pairs.setdefault(message.session, set()).add(frozenset((message.sender, message.receiver)))
    assert all(len(who) == 1 for who in pairs.values())
    assert len(world.messages) / len(pairs) > 6
    days = {message.at.date() for message in world.messages if message.at}
    assert len(days) > 300
    starts = {message.session: message.at for message in reversed(world.messages)}
    assert all(at and 7 <= at.hour <= 23 for at in starts.values())


def test_most_texts_are_said_once(world: World) -> None:
    texts = Counter(message.text for message in world.messages)
    assert len(texts) > 0.6 * len(world.messages)
    assert not any(re.search(r"[{}\[\]|]|\s\s|^\s|\s$", text) for text in texts)


def test_there_are_enough_tasks_of_every_kind(world: World) -> None:
    kinds = Counter(task.kind for task in world.tasks)
    assert sum(kinds.values()) >= 60
    assert set(kinds) == {"direct", "third-party", "two-hop", "update", "confidential", "unknowable"}
    assert min(kinds.values()) >= 8
    assert len({task.question for task in world.tasks}) == len(world.tasks)


def test_no_instructor_ever_wrote_or_read_the_answer(world: World) -> None:
    for task in world.tasks:
        text = texts_of(world, task.instructor)
        assert not any(says(text, answer) for answer in (task.answer, *task.aliases)), task


def test_the_evidence_states_the_answer_to_holders_only(world: World) -> None:
    for task in world.tasks:
        cited = [world.messages[seq] for seq in task.evidence]
        assert bool(cited) == (task.kind != "unknowable")
        if cited:
            assert any(says(message.text.casefold(), task.answer) for message in cited), task
        assert {who for message in cited for who in (message.sender, message.receiver)} == set(task.holders)


def test_instructor_and_assistant_are_tied_and_as_far_from_the_answer_as_the_kind_says(world: World) -> None:
    graph = graph_of(world.people, world.ties)
    for task in world.tasks:
        assert graph.has_edge(task.instructor, task.assistant)
        assert task.instructor not in task.holders
        hops = hops_to(graph, task.holders)
        if task.kind in ("direct", "update", "confidential"):
            assert task.assistant in task.holders
        elif task.kind != "unknowable":
            nearest = min(hops[task.instructor], hops[task.assistant])
            assert nearest == (1 if task.kind == "third-party" else 2)


def test_a_confidence_is_shared_by_two_and_nobody_else_ever_says_it(world: World) -> None:
    for task in (task for task in world.tasks if task.kind == "confidential"):
        assert len(task.holders) == 2
        tellers = {m.sender for m in world.messages if says(m.text.casefold(), task.answer)}
        assert tellers <= set(task.holders)


def test_some_tasks_are_known_only_at_second_hand(world: World) -> None:
    graph = graph_of(world.people, world.ties)
    names = {person.id: person.name for person in world.people}

    def second_hand(task: Task) -> bool:
        about = next((who for who in task.holders if names[who] in task.question), None)
        return about is not None and task.assistant != about and not graph.has_edge(task.instructor, about)

    assert sum(second_hand(task) for task in world.tasks if task.kind == "direct") >= 3


def test_an_update_comes_after_what_it_replaces(world: World) -> None:
    updates = [task for task in world.tasks if task.kind == "update"]
    for task in updates:
        (seq,) = task.evidence
        pair = set(task.holders)
        earlier = [m for m in world.messages[:seq] if {m.sender, m.receiver} == pair]
        assert earlier
        assert not any(says(m.text.casefold(), task.answer) for m in earlier)


def test_the_same_spec_gives_the_same_bytes_in_every_process() -> None:
    prints = set()
    for hash_seed in ("0", "1", "random"):
        ran = subprocess.run(
            [sys.executable, "-c", FINGERPRINT, "5", "default"],
            env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True, timeout=50,
        )  # fmt: skip
        prints.add(ran.stdout.strip())
    spec = GenerateSpec(people=40, ties=120, messages=4000, seed=5)
    world = generate(spec)
    prints.add(hashlib.sha256(repr((world.people, world.ties, world.messages, world.tasks)).encode()).hexdigest())
    assert len(prints) == 1


def test_another_seed_gives_other_people_ties_facts_and_words() -> None:
    one, other = (generate(GenerateSpec(people=40, ties=120, messages=4000, seed=seed)) for seed in (1, 2))
    assert {p.id for p in one.people} != {p.id for p in other.people}
    assert len({t.answer for t in one.tasks} & {t.answer for t in other.tasks}) < 0.25 * len(one.tasks)
    assert len({t.question for t in one.tasks} & {t.question for t in other.tasks}) <= 5
    shared = {m.text for m in one.messages} & {m.text for m in other.messages}
    assert len(shared) < 0.35 * len({m.text for m in one.messages})


def test_the_held_out_set_shares_no_wording_of_facts_with_the_default() -> None:
    default, held_out = read_phrasebook("default"), read_phrasebook("held-out")
    assert [a.key for a in default.attributes] == [a.key for a in held_out.attributes]
    for one, other in zip(default.attributes, held_out.attributes, strict=True):
        for way in ("tell", "relay", "update", "ask"):
            assert set(getattr(one, way)).isdisjoint(getattr(other, way)), (one.key, way)
        assert bool(one.update) == bool(other.update)
    for frame in ("confide_before", "confide_after", "promise", "relay_lead", "update_lead"):
        assert set(default.frames[frame]) & set(held_out.frames[frame]) <= {""}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"people": 3}, "people = 3 is too few"),
        ({"ties": 138}, "ties = 138 is too few"),
        ({"people": 10, "ties": 46}, "ties = 46 is too many: 10 people have at most 45"),
        ({"messages": 587}, "messages = 587 is too few"),
        ({"people": 6_000, "ties": 9_000}, "people = 6000 is more than we generate"),
        ({"phrases": "fancy"}, "no phrase set 'fancy'"),
        ({"tasks": -1}, "tasks = -1"),
        ({"days": 2}, "days = 2"),
    ],
)
def test_impossible_worlds_are_refused_before_any_work(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GenerateSpec(**wrong)  # type: ignore[arg-type]
    assert said in caught.value.message
    assert caught.value.hint.startswith("choose")
