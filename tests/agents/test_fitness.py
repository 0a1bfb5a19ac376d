"""How likely a memory answers: about whom it is, what it shares with the question, and what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.agents.minds.rules.fitness import Fitness
from kithnet.memory.owner import Hit

QUESTION = "What is the wedding dress of Fay made of?"
FAY = {"fay": ("Fay",)}
SHARE = st.floats(0, 1)


def hit(
    text: str, *, sender: str = "ed", coverage: float = 0.8, cosine: float | None = None, trust: float = 1.0
) -> Hit:
    at = datetime(2024, 5, 1)
    return Hit("m1", "message", text, 0.5, 0.5, cosine, coverage, sender, "cleo", at, "s", ("m1",), sender, trust=trust)


def fitness(question: str = QUESTION, named: Mapping[str, Sequence[str]] = FAY) -> Fitness:
    rarity = SimpleNamespace(rarity=lambda terms: {"wed": 2.0, "dress": 2.0, "made": 0.5})
    return Fitness(rarity, question, named)  # type: ignore[arg-type]


@pytest.mark.parametrize("hybrid", [True, False])
def test_the_right_memory_is_likely_and_one_about_someone_else_is_not(hybrid: bool) -> None:
    cosine = 0.7 if hybrid else None
    right = fitness().of(hit("The wedding dress of Fay is made of lace.", cosine=cosine), hybrid=hybrid)
    of_other = fitness().of(hit("The wedding dress is made of silk.", cosine=cosine), hybrid=hybrid)
    assert right > 0.8
    assert of_other < 0.4


def test_a_memory_that_shares_nothing_but_the_person_is_not_taken_for_an_answer() -> None:
    beside = hit("The train was late again.", sender="fay", coverage=0.4, cosine=0.1)
    assert fitness().of(beside, hybrid=True) < 0.2


def test_a_question_for_somebody_s_words_wants_them_from_that_person() -> None:
    asks = fitness("What did Fay say about the dress?")
    said, told = hit("The dress is red.", sender="fay"), hit("The dress is red.")
    assert asks.features(said).about == 1.0
    assert asks.features(told).about == 0.2
    assert asks.features(replace(told, text="Fay said the dress is red.")).about == 0.5


def test_a_reply_is_judged_with_the_question_it_replies_to() -> None:
    asked = hit("What is the wedding dress made of?", coverage=0.9)
    reply = hit("Lace.", sender="fay", coverage=0.0)
    assert fitness().of(reply, asked, hybrid=False) > fitness().of(reply, hybrid=False)


@given(coverage=SHARE, cosine=st.floats(-1, 1), trust=SHARE)
def test_it_is_a_probability_and_never_above_the_trust_in_what_was_passed_on(
    coverage: float, cosine: float, trust: float
) -> None:
    found = fitness().of(hit("A dress.", coverage=coverage, cosine=cosine, trust=trust), hybrid=True)
    assert 0 <= found <= trust


@given(low=SHARE, high=SHARE)
def test_more_of_the_question_covered_is_never_less_likely(low: float, high: float) -> None:
    less, more = (fitness().of(hit("A dress.", coverage=c), hybrid=False) for c in sorted((low, high)))
    assert less <= more


def test_a_name_in_a_reply_is_the_value_and_the_reply_tells_of_the_one_who_was_asked() -> None:
    asks = fitness("Where is Fay employed?")
    asked = hit("And who hired you?")
    for reply in ("Harrow Textiles, in the end.", "Okay: Meyer Optics, honestly", "Marlow wants me."):
        assert asks.features(hit(reply, sender="fay"), asked).about == 1.0
    assert asks.features(hit("Marlow has a new job.", sender="fay"), hit("And who hired him?")).about == 0.0


def test_a_name_of_two_words_is_nobody_who_does_something() -> None:
    assert fitness().features(hit("Harrow Textiles it is.", sender="fay")).about == 1.0
    assert fitness().features(hit("Harrow bakes it.", sender="fay")).about == 0.0


def test_who_passes_on_what_somebody_asked_about_told_them_does_not_tell_of_themselves() -> None:
    asks = fitness("Where is Fay employed?")
    assert asks.features(hit("I met somebody. I work at the bank.")).of_self == 1.0
    assert asks.features(hit("I met her. Fay works at the bank.")).of_self == 0.0
