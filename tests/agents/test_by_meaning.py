"""Tastes, questions and confidences in wordings that no rule was made for: only shares over the held-out halves are checked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kithnet.agents.disclosure.sensitivity import Discretion
from kithnet.agents.minds.rules import attributes, chains, leanings, persons, tasking
from kithnet.agents.minds.rules.tastes import Taste, alike
from kithnet.agents.wording import content_stems
from kithnet.memory.owner import Hit
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


def test_questions_about_two_people_and_questions_in_questions_are_told_apart(embedder: LlamaEmbedder) -> None:
    questions = halves.asked("held-out")
    names = {name.casefold(): (name,) for one in questions if one.kind != "facts" for name in one.parts}

    def right(one: Asked) -> bool:
        plan = tasking.read(one.text, names, ("Ines", "Quirin"), embedder)
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
    assert halves.share(confidential, lambda text: discretion.of([("Ana", text)]) == "ordinary") <= 0.25
    assert halves.share(harmless, lambda text: discretion.of([("Ana", text)]) != "ordinary") <= 0.1


def test_two_phrases_of_one_meaning_are_a_thing_in_common_and_both_are_named(embedder: LlamaEmbedder) -> None:
    left, right = [Taste("Ana", 1, "I love jogging.")], [Taste("Cleo", 1, "I'm really fond of running.")]
    found = alike(left, right, opposite=False, liked=True, embedder=embedder)
    assert found == ["jogging, running"]


def test_an_answer_without_a_word_of_the_question_tells_of_the_side_of_life_that_is_asked_for(
    embedder: LlamaEmbedder,
) -> None:
    said = [
        ("", "I signed the contract with Meyer & Sons today."),
        ("", "Sleep well, Ana."),
        ("", "My dentist is Dr Roe."),
    ]
    job, courtesy, teeth = attributes.judge("Who employs Ana?", said, embedder)
    assert job.alike > 0.5 > max(courtesy.alike, teeth.alike)
    assert courtesy.idle > 10 * max(job.idle, teeth.idle)


def test_where_names_are_asked_for_a_memory_without_one_is_known(embedder: LlamaEmbedder) -> None:
    said = [("", "I wish I knew, Ana."), ("", "They sent me to Northgate Mills."), ("Where is it?", "Kestrel.")]
    nameless = [one.nameless for one in attributes.judge("Which company took Ben on?", said, embedder, ["Ana", "Ben"])]
    assert nameless == [1.0, 0.0, 0.0]
    assert attributes.judge("What is Ben allergic to?", said, embedder, ["Ana"])[0].nameless == 0.0


def test_a_question_has_other_wordings_and_ways_to_tell_unless_its_side_is_not_known(embedder: LlamaEmbedder) -> None:
    question = "Who lets the flat to Ben?"
    assert "landlord" in attributes.paraphrases(question, embedder)
    assert "rent" in attributes.tellings(question, embedder)
    assert attributes.tellings("Hm, and then?", embedder) == ""


def test_one_of_several_sentences_may_tell_all(embedder: LlamaEmbedder) -> None:
    alone, among = attributes.judge(
        "Where does Ana live?",
        [("", "Ana lives at 3 Mill Road."), ("", "Rain again, all day. Ana lives at 3 Mill Road. Sleep well!")],
        embedder,
    )
    assert among.alike > 0.9 * alone.alike > 0.3


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("I drive a blue van.", "Ben"),
        ("You know Ana, right? Ana drives a blue van.", "Ana"),
        ("I met Ana on Monday. She drives a blue van.", "Ana"),
        ("They booked the barn for Ana's blue van.", "Ana"),
        ("News from Zoran: Zoran's blue van is gone.", "Zoran"),
        ("Ana's wedding party drives a blue van.", "Ana"),
        ("Ana took me home in a blue van.", "Ana"),
        ("Three years of driving a blue van. That's my life.", "Ben"),
        ("Landlord just took the blue van.", "Ben"),
    ],
)
def test_a_memory_is_about_the_one_who_says_i_or_whom_it_names(text: str, who: str) -> None:
    hit = Hit("m1", "message", text, 1.0, 1.0, None, 1.0, "ben", "dora", None, "s", (), "ben")
    names = {"ana": ("Ana",), "ben": ("Ben",), "dora": ("Dora",)}
    assert persons.whom(hit, names, "Which person drives a blue van?") == who


def test_of_several_sentences_the_one_that_tells_what_is_asked_is_known(embedder: LlamaEmbedder) -> None:
    said = [
        ("", "I ran into her at the baker's. She works for Meyer & Sons now."),
        ("", "She works for Meyer & Sons now. They hired her in May."),
        ("", "Meyer & Sons hired her."),
    ]
    one, both, alone = attributes.judge("Who employs Ana?", said, embedder)
    assert one.part == "She works for Meyer & Sons now."
    assert (both.part, alone.part) == ("", "")


def test_a_text_of_another_side_of_life_is_told_from_one_that_may_be_of_the_same(embedder: LlamaEmbedder) -> None:
    question = "Where will Ana get married?"
    assert attributes.apart(question, "The hall looked grim, so I painted the walls Sea Green.", embedder)
    assert not attributes.apart(question, "We cancelled that and marry at the Old Library.", embedder)
    assert not attributes.apart(question, "Good night, sleep well.", embedder)
    assert not attributes.apart("What did Ana say?", "I painted the walls Sea Green.", embedder)


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
def test_a_keyword_alone_is_no_tool(embedder: LlamaEmbedder, task: str) -> None:
    names = {name.casefold(): (name,) for name in ("Ana", "Ben", "Cleo")}
    assert tasking.read(task, names, ("Dora", "Eve"), embedder) is None


def test_calendar_tasks_are_still_told_by_their_meaning_too(embedder: LlamaEmbedder) -> None:
    rows = halves.rows("tasks_paraphrased", "task")
    names = {name.casefold(): (name,) for name in ("Ana", "Ben", "Cleo", "Dora")}
    found = [tasking.read(one["asked"], names, ("Ana", "Dora"), embedder) for one in rows]
    right = sum((plan.tool if plan else "none") == one["tool"] for plan, one in zip(found, rows, strict=True))
    assert right / len(rows) >= 0.9
