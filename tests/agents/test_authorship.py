"""A claim travels with its author and the words it rests on; what only asks, or repeats the question, is no fact."""

from dataclasses import replace
from typing import Any

import pytest

from kithnet.agents.chat import session_notes as journal
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.wording import adds_nothing, attributed
from kithnet.app.cast import Cast
from kithnet.memory.store import Store

from .conftest import Bench, Line

LINES: list[Line] = [
    ("peter", "monica", "I gave the carpenter a check for 20,000 dollars."),
    ("monica", "ross", "The bus was late."),
    ("ross", "ana", "Lunch was good."),
]
CHECK = "Who gave the carpenter a check for 20,000 dollars?"


@pytest.fixture
def three(bench: Bench) -> Store:
    """Peter told Monica; Ana knows Ross, and Ross knows Monica."""
    return bench.world(LINES)


def test_a_relay_names_the_author_of_the_words_and_not_who_passed_them_on(bench: Bench, three: Store) -> None:
    talk = bench.talk(three, "What did Peter give the carpenter?", ("ana", "ross"))
    (relayed, *_) = [u["text"] for u in talk.heard if u["sender"] == "ross" and "20,000" in str(u["text"])]
    assert "Monica let me know that Peter said: “I gave the carpenter a check for 20,000 dollars.”" in str(relayed)
    claims: list[Any] = [claim for u in talk.heard for claim in u["claims"]]  # type: ignore[attr-defined]
    assert {claim["author"] for claim in claims} == {"Peter"}
    assert len({claim["at"] for claim in claims}) == 1


def test_the_answer_does_not_say_i_for_somebody_else(bench: Bench) -> None:
    store = bench.world([("ben", "cleo", "I am allergic to walnuts."), ("ana", "cleo", "Nice day.")])
    talk = bench.talk(store, "What is Ben allergic to?", ("ana", "cleo"))
    answer = talk.state["result"]["answer"]
    assert "walnuts" in answer
    assert not answer.startswith("I am")


def heard(value: str, quote: str, question: str, author: str = "") -> infonav.Ledger:
    told = Evidence("u:t1:2", ("m9",), "monica", 1, 0.9, quote, author=author)
    return infonav.learn(infonav.new_ledger("ross", question), "r0", value, (told,))


def test_what_is_noted_names_its_author(three: Store) -> None:
    ross = Cast(three, Policy()).agent("ross")
    value = "I gave the carpenter a check"
    journal.write(ross, "ana", heard(value, value, CHECK, "Peter"), "t1")
    (noted,) = [hit.text for hit in ross.memory.memories() if hit.kind == "fact"]
    assert noted == f"{CHECK} Peter: “{value}”"


@pytest.mark.parametrize(
    ("value", "quote"),
    [
        ("Hey all", "Hey all, who owns the lake house these days?"),
        ("who owns the lake house these days?", "Hey all, who owns the lake house these days?"),
        ("the lake house", "It is about the lake house."),
        ("Hey all", "Hey all. Anna has it."),
    ],
)
def test_a_question_or_a_clause_of_it_is_no_fact(three: Store, value: str, quote: str) -> None:
    ross = Cast(three, Policy()).agent("ross")
    assert journal.write(ross, "ana", heard(value, quote, "Who owns the lake house?"), "t1") == []
    assert ross.memory.memories() == []


def test_a_value_in_the_third_person_needs_no_author() -> None:
    assert attributed("under the pot", "Ben") == "under the pot"
    assert attributed("I'm allergic to nuts", "Ben") == "Ben: “I'm allergic to nuts”"
    assert attributed("I'm allergic to nuts", "") == "I'm allergic to nuts"
    assert not adds_nothing("Anna", "Who owns the lake house?", "Anna bought it, didn't you know?")


def test_author_and_date_are_kept_in_a_checkpoint_and_over_every_hop() -> None:
    ledger = heard("I did", "I did", CHECK, "Peter")
    again = infonav.from_json(infonav.to_json(ledger))
    assert again == ledger
    (evidence,) = again["r0"].evidence
    assert replace(evidence, author="").author == "" and evidence.author == "Peter"
