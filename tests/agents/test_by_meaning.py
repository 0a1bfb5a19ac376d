"""Tastes, questions and confidences in wordings that no rule was made for: only shares over the held-out halves are checked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kithnet.agents.disclosure.sensitivity import Discretion
from kithnet.agents.minds.rules import chains, leanings, tasking
from kithnet.agents.minds.rules.tastes import Taste, alike
from kithnet.agents.wording import content_stems
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.reader import LlamaReader

from . import halves
from .halves import Asked


@pytest.fixture(scope="module")
def embedder(embedder_path: Path) -> Iterator[LlamaEmbedder]:
    loaded = LlamaEmbedder.load(embedder_path)
    yield loaded
    loaded.close()


def test_which_way_a_sentence_leans_is_told_with_its_thing_masked(embedder: LlamaEmbedder) -> None:
    held = halves.said("held-out")
    texts = [one.text.replace(one.thing, leanings.MASK) for one in held]
    right = [way * one.way > 0 for (way, _), one in zip(leanings.judge(texts, embedder), held, strict=True)]
    assert sum(right) / len(right) >= 0.8


def test_questions_about_two_people_and_questions_in_questions_are_told_apart(reader: LlamaReader) -> None:
    questions = halves.asked("held-out")
    names = {name.casefold(): (name,) for one in questions if one.kind != "facts" for name in one.parts}

    def right(one: Asked) -> bool:
        plan = tasking.read(one.text, names, ("Ines", "Quirin"), reader)
        if one.kind != "facts":
            tool = {"share": "alike", "oppose": "apart"}[one.kind]
            return plan is not None and plan.tool == tool and {*plan.people} == {*one.parts}
        steps = [content_stems(step) for step in one.parts if step != "who"]
        found = list(chains.possible(one.text))
        if len(steps) == 1:
            return plan is None and not found
        return plan is None and any(
            steps[0] <= content_stems(chain.first) and steps[1] <= content_stems(chain.second) for chain in found
        )

    assert halves.share(questions, right) >= 0.75


def test_confidences_are_seldom_missed_and_harmless_words_seldom_kept_back(reader: LlamaReader) -> None:
    discretion = Discretion(reader)
    confidential, harmless = halves.trusted("held-out")
    assert halves.share(confidential, lambda text: discretion.of([("Ana", text)]) == "ordinary") <= 0.45
    assert halves.share(harmless, lambda text: discretion.of([("Ana", text)]) != "ordinary") <= 0.1


def test_two_phrases_of_one_meaning_are_a_thing_in_common_and_both_are_named(embedder: LlamaEmbedder) -> None:
    left, right = [Taste("Ana", 1, "I love jogging.")], [Taste("Cleo", 1, "I'm really fond of running.")]
    found = alike(left, right, opposite=False, liked=True, embedder=embedder)
    assert found == ["jogging, running"]


@pytest.mark.parametrize("opening", ["Before I forget it.", "You won't believe this.", "I'd never have thought that."])
def test_what_opens_news_asks_for_no_silence(reader: LlamaReader, opening: str) -> None:
    discretion = Discretion(reader)
    assert discretion.of([("Ana", f"{opening} I'm moving to Garden Row.")]) == "ordinary"
    assert discretion.of([("Ana", f"{opening} Nobody else knows yet, I'm moving to Garden Row.")]) == "confidence"


@pytest.mark.parametrize(
    "task",
    [
        "When in Ana's life did Ben notice a great passion?",
        "When did Ana hear how much Ben enjoys his job?",
        "Why should Ana and Ben give up fighting?",
        "How much time did Ana and Ben give Cleo to decide?",
        "Who of Ana and Ben has the most plans for the garden?",
    ],
)
def test_a_keyword_alone_is_no_tool(reader: LlamaReader, task: str) -> None:
    names = {name.casefold(): (name,) for name in ("Ana", "Ben", "Cleo")}
    assert tasking.read(task, names, ("Dora", "Eve"), reader) is None
