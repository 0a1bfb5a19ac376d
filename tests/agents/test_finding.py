"""The trained reader's way to an answer: ranked lines, spans with the sentence around them, and silence where it is not sure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from kithnet.agents.disclosure.policy import Policy, Rule
from kithnet.agents.minds import finding
from kithnet.agents.minds.finding import Answer, Weights, merit, near, of_asker, of_third, sure
from kithnet.app.cast import Cast
from kithnet.memory.language.reader import WordReader
from kithnet.memory.owner import Hit
from kithnet.memory.store import Store

from .conftest import KEY, KEY_LINES

ASKED = "Where is the spare key?"


def test_an_answer_is_a_span_with_the_line_it_stands_in(key_world: Store) -> None:
    agent = Cast(key_world, Policy()).agent("cleo")
    hits = agent.memory.recall(ASKED, k=finding.RANKED).hits
    first, *_ = finding.answers(agent, ASKED, hits)
    assert first.value == KEY_LINES[4][2] and first.hit.id == "m5"
    assert next(hit.id for hit in finding.ranked(agent, ASKED, hits)) == "m5"


def test_what_may_answer_comes_once_for_each_line_and_surest_first(key_world: Store) -> None:
    agent = Cast(key_world, Policy()).agent("cleo")
    found = finding.answers(agent, ASKED, agent.memory.recall(ASKED, k=finding.RANKED).hits)
    assert len({one.hit.id for one in found}) == len(found)
    assert [one.sure for one in found] == sorted((one.sure for one in found), reverse=True)


def test_nothing_recalled_is_nothing_found(key_world: Store) -> None:
    agent = Cast(key_world, Policy()).agent("cleo")
    assert finding.answers(agent, ASKED, ()) == []


def test_agents_with_a_reader_answer_with_the_words_and_who_said_them(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"))
    result = talk.state["result"]
    assert result["known"] and "under the blue flower pot" in result["answer"]
    assert "m5" in result["citations"]
    assert result["worded_by"] == "code"


def test_agents_with_a_reader_that_is_not_sure_know_nothing(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"), sure=0.999)
    assert not talk.state["result"]["known"]


SHED = "Where is the spare key of the garden shed?"


@pytest.fixture
def shed(bench: Any) -> Store:
    """Ben has heard of a key, and Cleo, whom he knows, of the one."""
    lines = [
        ("ana", "ben", "The key of the cellar is lost."),
        ("ben", "cleo", "How was your holiday in Norway?"),
        ("dora", "cleo", "The spare key of the garden shed is under the blue pot."),
    ]
    store: Store = bench.world(lines)
    return store


def test_who_is_consulted_tells_what_the_two_do_not_know(bench: Any, shed: Store) -> None:
    talk = bench.talk(shed, SHED, ("ana", "ben"), sure=0.5)
    assert "cleo" in {entry["person"] for entry in talk.state["consulted"]}
    assert "under the blue pot" in talk.state["result"]["answer"]


def test_who_came_near_asks_nobody_else(bench: Any, shed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "FAR", -10.0)
    talk = bench.talk(shed, SHED, ("ana", "ben"), sure=0.5)
    assert talk.state["consulted"] == [] and not talk.state["result"]["known"]


def test_who_is_consulted_must_come_clearly_nearer_than_who_consults(
    bench: Any, shed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "BEYOND", 50.0)
    talk = bench.talk(shed, SHED, ("ana", "ben"), sure=0.5)
    assert "cleo" in {entry["person"] for entry in talk.state["consulted"]} and not talk.state["result"]["known"]


def test_what_was_read_is_not_read_again_while_nothing_was_heard(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"), sure=1.0)
    looks = [(event["dialogue"], event["person"]) for event in talk.events("recall")]
    assert len(looks) == len(set(looks)) > 2


def test_whom_the_question_names_may_be_less_sure(bench: Any) -> None:
    store = bench.world([("dora", "cleo", "Under the blue flower pot.")])
    cleo = Cast(store, Policy()).agent("cleo")
    found = replace(an_answer("under the pot", [2.0] * 5), sure=0.3)
    assert of_third(cleo, "Where is the spare key?", found, None).sure == 0.3
    assert 0.3 < of_third(cleo, "Where does Cleo keep the key?", found, None).sure < 0.6
    assert of_third(cleo, "Where is the key?", found, merit(found.signs)).sure == 0.0
    assert of_third(cleo, "Where is the key?", found, merit(found.signs) - finding.BEYOND).sure == 0.3


def test_who_asks_is_not_supposed_to_know() -> None:
    weak, strong = (replace(an_answer("the shed", [share] * 5), sure=0.6) for share in (0.5, 3.0))
    assert merit(weak.signs) < finding.BEYOND < merit(strong.signs)
    assert (of_asker(weak).sure, of_asker(strong).sure) == (0.0, 0.6)


def test_how_near_a_memory_comes_is_its_best_find_and_no_hearsay() -> None:
    close, further = an_answer("the shed", [1.0] * 5), an_answer("the attic", [0.5] * 5)
    hearsay = an_answer("the cellar", [2.0] * 5, trust=0.55)
    assert near([further, close, hearsay]) == merit(close.signs)
    assert near([hearsay]) is None


def test_a_note_is_quoted_without_what_was_asked() -> None:
    hit = Hit(
        "k1", "fact", "Which name? Lola: “Miss Wiggle”", 1.0, 0.0, None, 0.0, "ana", ("ana",), None, "", (), "ana"
    )
    assert Answer("Miss Wiggle", hit, 1.0, None, ()).quote == "Lola: “Miss Wiggle”"


def test_what_the_reader_takes_for_a_confidence_is_not_told(bench: Any, key_world: Store) -> None:
    telling, policy = WordReader(secret=("pot",)), Policy((Rule("tell", sensitivity="ordinary"),), "refuse")
    talk = bench.talk(key_world, KEY, ("ana", "ben"), reader=telling, policy=policy)
    assert not talk.state["result"]["known"]
    assert all("pot" not in str(said["text"]) for said in talk.heard)


def test_a_question_put_again_is_no_evidence(bench: Any) -> None:
    agent = Cast(bench.world([("ed", "cleo", KEY), ("ed", "cleo", KEY)]), Policy()).agent("cleo")
    found = finding.answers(agent, ASKED, agent.memory.recall(ASKED, k=finding.RANKED).hits)
    assert all(one.sure < 0.1 for one in found)


def test_a_question_in_memory_is_answered_by_the_other_sides_reply(bench: Any) -> None:
    store = bench.world([("cleo", "dora", KEY), ("dora", "cleo", "Under the blue flower pot.")])
    agent = Cast(store, Policy()).agent("cleo")
    best, *_ = finding.answers(agent, ASKED, agent.memory.recall(ASKED, k=finding.RANKED).hits)
    assert (best.hit.id, best.before and best.before.id) == ("m2", "m1") and best.sure > 0.5


def test_a_summary_says_what_was_asked_and_is_no_evidence(bench: Any) -> None:
    agent = Cast(bench.world([("dora", "cleo", "Under the blue flower pot.")]), Policy()).agent("cleo")
    text = f"Dora and I worked on: {KEY}"
    agent.memory.remember(about="dora", text=text, told_by="cleo", kind="summary", evidence=(), handles=("m9",))
    hits = agent.memory.recall(KEY).hits
    assert [hit.kind for hit in hits] == ["summary"]
    assert finding.answers(agent, KEY, hits) == []


def test_a_noted_answer_is_no_surer_than_what_it_was_heard_on_and_told_without_its_question(bench: Any) -> None:
    agent = Cast(bench.world([("dora", "cleo", "Hello.")]), Policy()).agent("cleo")
    text = f"{KEY} Under the pot."
    agent.memory.remember(
        about="dora", text=text, told_by="dora", kind="fact", evidence=(), handles=("m9",), importance=0.55
    )
    (found,) = finding.answers(agent, KEY, agent.memory.recall(KEY).hits)
    assert found.value == "Under the pot." and found.sure <= 0.55


def test_a_value_that_was_taken_back_is_told_as_what_holds_since(bench: Any) -> None:
    store = bench.world(
        [
            ("dora", "cleo", "The spare key is with Mrs Rowan."),
            ("cleo", "dora", "Good to know."),
            ("dora", "cleo", "Mrs Rowan moved away. I gave it to Mr Okafor instead."),
        ]
    )
    agent = Cast(store, Policy()).agent("cleo")
    best, *_ = finding.answers(agent, KEY, agent.memory.recall(KEY, k=finding.RANKED).hits)
    now = finding.renewed(agent, KEY, best)
    assert (best.hit.id, now.hit.id, now.value) == ("m1", "m3", "I gave it to Mr Okafor instead.")
    assert finding.renewed(agent, KEY, now) == now


WEIGHTS = Weights(0.5, 0.5, 0.5, 0.5, 0.5, merit=1.0, lead=0.2, base=-1.0)


def found(value: str, signs: Sequence[float]) -> Answer:
    return Answer(value, cast(Hit, None), 0.0, None, tuple(signs))


def an_answer(value: str, signs: Sequence[float], trust: float = 1.0) -> Answer:
    hit = Hit("m1", "message", value, 1.0, 0.0, None, 0.0, "dora", ("cleo",), None, "", (), "dora", trust=trust)
    return replace(found(value, signs), hit=hit)


@pytest.mark.parametrize("sign", range(5))
def test_each_sign_makes_it_surer(sign: int) -> None:
    low, high = [0.0] * 5, [0.0] * 5
    high[sign] = 1.0
    one, two = (found("the shed", signs) for signs in (low, high))
    assert 0 < sure(one, [one], WEIGHTS) < sure(two, [two], WEIGHTS) < 1


def test_it_is_less_sure_beside_something_else_and_not_beside_the_same() -> None:
    one, again, other = found("the shed", [1.0] * 5), found("in the shed", [0.9] * 5), found("the attic", [0.9] * 5)
    alone = sure(one, [one], WEIGHTS)
    assert sure(one, [one, again], WEIGHTS) == alone > sure(one, [one, other], WEIGHTS)
    assert sure(other, [one, other], WEIGHTS) < sure(one, [one, other], WEIGHTS)
