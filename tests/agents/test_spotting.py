"""The thing in a sentence, how a sentence is put, and whose place is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kithnet.agents.minds.rules import belongings, phrasing, spotting, tastes
from kithnet.memory.owner import Hit
from kithnet.runtime.embed import LlamaEmbedder

from . import halves


@pytest.fixture(scope="module")
def embedder(embedder_path: Path) -> Iterator[LlamaEmbedder]:
    loaded = LlamaEmbedder.load(embedder_path)
    yield loaded
    loaded.close()


def test_the_thing_of_a_sentence_is_among_the_first_two_that_are_spotted(embedder: LlamaEmbedder) -> None:
    held = halves.said("held-out")
    found = spotting.things([one.text for one in held], embedder)
    right = [
        any(one.thing.casefold() == thing.text.casefold() for thing in some[:2])
        for one, some in zip(held, found, strict=True)
    ]
    assert sum(right) / len(right) >= 0.7


def test_a_thing_is_where_its_sentence_has_it(embedder: LlamaEmbedder) -> None:
    text = "If you ask me, paper lanterns are lovely!"
    ((best, *_),) = spotting.things([text], embedder)
    assert best.text == text[best.first : best.last] == "paper lanterns"
    assert spotting.things(["And so it is.", ""], embedder) == [[], []]


def test_a_question_and_what_answers_it_are_one_taste(embedder: LlamaEmbedder) -> None:
    hit = Hit(
        "m1", "message", "Paper lanterns? Not for me.", 1.0, 1.0, None, 1.0, "ana", ("ben",), None, "s", (), "ana"
    )
    ((taste, source),) = tastes.read([hit], "ana", "Ana", {"ana": ("Ana",), "ben": ("Ben",)}, embedder)
    assert (taste.said, taste.leaning, source) == ("Paper lanterns? Not for me.", -1, "m1")


def test_a_negation_marks_what_it_reaches_and_words_of_feeling_stand_for_each_other() -> None:
    assert "not~stand" in phrasing.features("I can't stand it.")
    assert "not~+" in phrasing.features("It isn't lovely.") and "not~+" not in phrasing.features("It is lovely.")
    assert "+_it" in phrasing.features("I love it.") & phrasing.features("I adore it.")


@pytest.mark.parametrize(
    ("task", "first"),
    [
        (
            "Which town would I go to for the place that Ana's old coach runs?",
            "What is the place that Ana's old coach runs?",
        ),
        (
            "The stepsister of Ana keeps a hotel, doesn't she? Where is it?",
            "What is the hotel that Ana's stepsister runs?",
        ),
        ("Ana has a cousin with a bakery. In which town?", "What is the bakery that Ana's cousin runs?"),
    ],
)
def test_the_place_of_somebodys_relation_is_asked_for_by_name_first(task: str, first: str) -> None:
    assert belongings.place_of(task) == (first, "In which town is {}?")


@pytest.mark.parametrize(
    "task",
    [
        "In which town does Ana's cousin live?",
        "What does Ana's boss drink?",
        "Where is the shop?",
        "Where did Ana meet her boss?",
    ],
)
def test_where_somebody_lives_or_went_is_no_place_of_a_relation(task: str) -> None:
    assert belongings.place_of(task) is None
