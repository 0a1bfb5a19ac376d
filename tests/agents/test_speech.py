"""Utterances: what is claimed is what is said."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.utterance import Claim, Utterance

WORDS = st.sampled_from(["the key", "under the pot", "on Monday", "Paul", "seven cats", "a blue car", "nobody"])


def claim(question: str = "Where is it?", value: str = "under the pot", quote: str = "It is under the pot.") -> Claim:
    return Claim(question, value, quote, "Dora told me", ("m5",), "cleo", 0, 0.8)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(WORDS, max_size=3), asks=st.lists(WORDS, max_size=3), declined=st.lists(WORDS, max_size=3))
def test_every_claim_question_and_refusal_is_in_the_words_that_are_spoken(
    values: list[str], asks: list[str], declined: list[str]
) -> None:
    claims = [claim(f"{n}?", value, f"I think {value}.") for n, value in enumerate(values)]
    text = speech.compose(claims, [f"{a}?" for a in asks], declined)
    for part in (*(c.value for c in claims), *(c.quote for c in claims), *asks, *declined):
        assert part in text
    assert text


def test_who_said_it_is_said_and_a_value_that_is_the_whole_quote_is_not_said_twice() -> None:
    assert speech.compose([claim()], (), ()) == (
        "On “Where is it?” I have: under the pot. Dora told me: “It is under the pot.”"
    )
    assert speech.compose([claim(value="It is under the pot")], (), ()).count("under the pot") == 1


def test_an_utterance_with_nothing_in_it_says_so() -> None:
    assert speech.compose((), (), ()) == "I have nothing to add."


def test_a_claim_heard_is_one_hop_further_from_its_witness() -> None:
    heard = claim().heard_in("u:t1:2")
    assert (heard.id, heard.sources, heard.witness, heard.hops) == ("u:t1:2", ("m5",), "cleo", 1)


def test_an_utterance_survives_json() -> None:
    said = Utterance("u:t1:2", 2, "ben", "ana", "words", (claim(),), ("Who?",), ("When?",))
    assert speech.from_json(json.loads(json.dumps(speech.to_json(said)))) == said
