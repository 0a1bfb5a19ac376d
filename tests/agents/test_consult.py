"""Whom to ask next: chosen by what one's own memory holds, never twice, never a stranger."""

from collections.abc import Sequence
from typing import Any

import pytest

from kithnet.agents.dialogue import consult
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.personal import PersonalAgent
from kithnet.app.cast import Cast
from kithnet.memory.store import Store

LINES = [
    ("ben", "cleo", "How was your holiday?"),
    ("cleo", "ben", "The marathon in Oslo was hard."),
    ("ben", "dora", "Hi Dora."),
    ("dora", "ben", "Hi Ben, Fay is moving to Lisbon."),
    *[("ben", "ed", f"Coffee number {n}?") for n in range(12)],
    ("fay", "gus", "My marathon training goes well."),
    ("gus", "ben", "Nice weather."),
]


@pytest.fixture
def world(bench: Any) -> Store:
    made: Store = bench.world(LINES)
    return made


@pytest.fixture
def ben(world: Store) -> PersonalAgent:
    return Cast(world, Policy()).agent("ben")


def order(agent: PersonalAgent, question: str, visited: Sequence[str] = ()) -> list[tuple[str, str]]:
    return [(c.person, c.reason) for c in consult.rank(agent, question, visited)]


def test_a_contact_whom_the_question_names_comes_first(ben: PersonalAgent) -> None:
    assert order(ben, "What did Gus pay for the marathon?")[0] == ("gus", "named")


def test_then_those_who_spoke_of_the_people_it_names_though_one_has_never_met_them(ben: PersonalAgent) -> None:
    assert "fay" not in ben.known_names
    assert order(ben, "Where will Fay live?")[0] == ("dora", "spoke of them")


def test_then_those_who_spoke_of_the_matter_then_strong_ties(ben: PersonalAgent) -> None:
    assert order(ben, "Who won the marathon?")[0] == ("cleo", "spoke of it")
    assert order(ben, "Who painted the fence?")[0] == ("ed", "close")


def test_only_contacts_are_asked_and_nobody_twice_or_themselves(ben: PersonalAgent) -> None:
    everyone = {person for person, _ in order(ben, "Where will Fay live?")}
    assert everyone == {"cleo", "dora", "ed", "gus"}  # not fay, a stranger, and not ben
    assert order(ben, "Where will Fay live?", ["dora", "gus", "ed"]) == [("cleo", "close")]
    assert order(ben, "Where will Fay live?", ["dora", "gus", "ed", "cleo"]) == []


def test_only_the_agent_s_own_memory_is_read(ben: PersonalAgent) -> None:
    # gus heard fay speak of a marathon; ben was not there, so gus gains nothing by it
    assert dict(order(ben, "Who won the marathon?"))["gus"] == "close"


def test_a_third_party_is_worth_asking_when_the_partner_wants_to_know_or_had_nothing() -> None:
    ledger = infonav.new_ledger("ben", "Two things")
    for question in ("Who came?", "When was it?"):
        ledger = infonav.open_rationale(ledger, question)
    ledger = infonav.whole(ledger)
    assert consult.ready(ledger, asked_by_partner=(), partner="ana") == ()
    assert [r.id for r in consult.ready(ledger, asked_by_partner=("Who came?",), partner="ana")] == ["r1"]
    declined = infonav.decline(infonav.ask(ledger, "r2", "ana"), "r2", "ana")
    assert [r.id for r in consult.ready(declined, asked_by_partner=(), partner="ana")] == ["r2"]
    closed = infonav.unavailable(declined, "r2", "nobody left to ask")
    assert consult.ready(closed, asked_by_partner=("When was it?",), partner="ana") == ()
