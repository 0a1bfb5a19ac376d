"""A question inside a question is taken out of it, and asked first."""

import asyncio

import pytest

from kithnet.agents.minds.rules import chains
from kithnet.agents.minds.rules.chains import Chain

from .conftest import Bench, Line, model


def first_of(task: str) -> Chain | None:
    return asyncio.run(chains.split(model(), task, lambda why: None))


@pytest.mark.parametrize(
    ("task", "chain"),
    [
        (
            "Who is the dentist of the person whose car is a Lancia?",
            Chain("Which person's car is a Lancia?", "Who is the dentist of {}?"),
        ),
        (
            "In which town is the shop that Ana's cousin runs?",
            Chain("What is the shop that Ana's cousin runs?", "In which town is {}?"),
        ),
        (
            "Ana's cousin runs a shop. In which town is it?",
            Chain("What is the shop that Ana's cousin runs?", "In which town is {}?"),
        ),
        (
            "What car does the tenant of Mr Miller drive?",
            Chain("Which person is the tenant of Mr Miller?", "What car does {} drive?"),
        ),
    ],
)
def test_the_right_way_to_take_a_task_apart_is_among_the_possible(task: str, chain: Chain) -> None:
    assert chain in list(chains.possible(task))


@pytest.mark.parametrize("task", ["Where is the spare key?", "Who told Ana about the party?", "", "Ana is the one."])
def test_a_task_without_a_question_inside_is_left_whole(task: str) -> None:
    assert list(chains.possible(task)) == [] and first_of(task) is None


def test_two_agents_answer_what_each_knows_half_of(bench: Bench) -> None:
    lines: list[Line] = [
        ("cleo", "ana", "I'm allergic to walnuts, so no cake for me."),
        ("ana", "cleo", "What a pity, I baked it all morning."),
        ("cleo", "ben", "I moved, I live in Tartu now."),
        ("ben", "cleo", "Lucky you, I have always liked it there."),
    ]
    store = bench.world(lines, [("ana", "ben")])
    pick = " Which person is allergic to walnuts? Where does Anna live now?"
    talk = bench.talk(
        store, "Where does the person who is allergic to walnuts live now?", ("ana", "ben"),
        model(pick=pick),
    )  # fmt: skip
    ledger = talk.state["ledgers"]["ana"]["rationales"]
    assert [r["question"] for r in ledger[1:]] == ["Which person is allergic to walnuts?", "Where does Cleo live now?"]
    assert ledger[1]["held"][0]["value"] == "Cleo" and "m1" in ledger[1]["held"][0]["evidence"][0]["sources"]
    assert "Tartu" in talk.state["result"]["answer"]
