"""Reading: a value stands in the memory it was read from, and a memory about someone else is no evidence."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.agents.minds.rules import reading
from kithnet.agents.minds.rules.reading import Finding, Passage
from kithnet.agents.settings import Settings
from kithnet.memory.owner import Hit
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid
from kithnet.runtime.scripted import ScriptedModel

Make = Callable[..., ScriptedModel]
QUESTION = "Where is the spare key?"
TEXTS = st.text(alphabet="abc ,.!?'’“”-\n…\"🎉B:", max_size=40)


def hit(id: str, text: str, score: float = 0.8, sender: str = "dora", day: int | None = 1) -> Hit:
    at = None if day is None else datetime(2024, 5, 1) + timedelta(days=day)
    return Hit(id, "message", text, score, score, None, 1.0, sender, "cleo", at, "s1", (id,), sender)


def read(
    model: ChatModel, *hits: Hit, question: str = QUESTION, support: float = 0.25
) -> tuple[Finding | None, list[str]]:
    failed: list[str] = []
    shown = [Passage(h, h.score) for h in hits]
    found = asyncio.run(reading.read(model, question, shown, replace(Settings(), support=support), failed.append))
    return found, failed


def test_what_the_model_says_is_snapped_to_the_words_of_the_memory(scripted: Make) -> None:
    key = hit("m1", "Hello dear, the spare key is under the blue flower pot, as ever.")
    found, _ = read(scripted(capable=True, copies={"key": "Under a blue flowerpot, the blue flower pot!"}), key)
    assert found is not None
    assert found.value in key.text
    assert "blue flower pot" in found.value
    assert found.copied


def test_words_that_no_memory_holds_are_not_believed(scripted: Make) -> None:
    key = hit("m1", "The spare key is under the blue flower pot.")
    found, _ = read(scripted(copies={"key": "in a bank vault in Zurich"}), key)
    assert found is not None
    assert not found.copied
    assert found.value == key.text  # the evidence itself stands


@settings(max_examples=100, deadline=None)
@given(said=TEXTS, memory=TEXTS, question=TEXTS)
def test_snapping_never_gives_words_that_are_not_in_the_memory(said: str, memory: str, question: str) -> None:
    assert reading.snap(said, memory, question) in memory


@settings(max_examples=60, deadline=None)
@given(said=TEXTS, memory=TEXTS.filter(str.strip), question=TEXTS)
@pytest.mark.parametrize("capable", [True, False])
def test_a_finding_s_value_and_quote_always_stand_in_the_memory(
    capable: bool, said: str, memory: str, question: str
) -> None:
    model = ScriptedModel(lambda messages, spec: "m1" if spec.purpose == "score" else said, capable=capable)
    found, _ = read(model, hit("m1", memory), question=question)
    if found is not None:
        assert found.quote in memory
        assert found.value in memory


def test_an_answer_does_not_repeat_the_question() -> None:
    assert reading.snap("the spare key", "The spare key is under the pot.", QUESTION) == ""


def test_a_question_put_again_is_no_evidence(scripted: Make) -> None:
    assert read(scripted(), hit("m1", "Where is the spare key?")) == (None, [])


def test_a_memory_that_fits_too_badly_is_no_evidence(scripted: Make) -> None:
    model = scripted()
    assert read(model, hit("m1", "The key is under the pot.", score=0.2)) == (None, [])
    assert model.calls == []  # and no model is asked about it


def test_what_the_same_person_said_last_holds(scripted: Make) -> None:
    old = hit("m1", "The spare key is under the pot.", 0.80, day=1)
    new = hit("m7", "The spare key is on the shelf.", 0.79, day=9)
    found, _ = read(scripted(), old, new)
    assert found is not None and found.passage.hit.id == "m7"
    other = hit("m8", "The spare key is in the car.", 0.79, sender="ed", day=12)
    found, _ = read(scripted(), old, new, other)
    assert found is not None and found.passage.hit.id == "m7"  # somebody else's later word does not overrule
    undated, _ = read(scripted(), hit("m1", "It is under the pot.", day=None), hit("m2", "On the shelf.", day=None))
    assert undated is not None and undated.passage.hit.id == "m1"


@pytest.mark.parametrize("error", [ReplyInvalid("cut off"), ContextOverflow("too long")])
@pytest.mark.parametrize("where", ["copy", "pick"])
def test_a_reply_that_cannot_be_used_is_told_and_the_evidence_stands(
    scripted: Make, error: Exception, where: str
) -> None:
    key = hit("m1", "The spare key is under the pot.")
    found, failed = read(scripted(capable=True, **{where: error}), key)
    assert failed == [str(error)]
    assert found is not None
    assert found.value in key.text


def test_a_capable_model_may_choose_another_memory_or_none(scripted: Make) -> None:
    hits = [hit("m1", "The spare key is under the pot."), hit("m2", "I moved the spare key to the shelf.", 0.6)]
    found, _ = read(scripted(capable=True, pick="m2"), *hits)
    assert found is not None and found.passage.hit.id == "m2"
    assert read(scripted(capable=True, pick="none"), *hits)[0] is None


# --- which words of memory are read ---


def test_a_question_in_memory_is_read_through_the_other_side_s_reply(bench, scripted: Make) -> None:  # type: ignore[no-untyped-def]
    store = bench.world(
        [
            ("cleo", "dora", "Where did you put the spare key?"),
            ("dora", "cleo", "Under the blue flower pot."),
            ("ed", "cleo", "Have you seen the spare key?"),
            ("ed", "cleo", "Never mind."),
        ]
    )
    memory = store.owner("cleo")
    hits = [memory.message("m1"), memory.message("m3")]
    (passage,) = reading.passages(memory, [replace(h, score=0.9) for h in hits], QUESTION, {})
    assert (passage.hit.id, passage.asked and passage.asked.id) == ("m2", "m1")
    assert passage.ids == ("m2", "m1")


def test_a_summary_says_what_was_asked_and_is_no_evidence(bench) -> None:  # type: ignore[no-untyped-def]
    store = bench.world([("dora", "cleo", "Under the blue flower pot.")])
    memory = store.owner("cleo")
    text = f"Dora and I worked on: {QUESTION}"
    memory.remember(about="dora", text=text, told_by="cleo", kind="summary", evidence=(), handles=("m9",))
    hits = memory.recall(QUESTION).hits
    assert [h.kind for h in hits] == ["summary"]
    assert reading.passages(memory, hits, QUESTION, {}) == []


def test_a_noted_answer_is_read_without_the_question_it_answers(bench) -> None:  # type: ignore[no-untyped-def]
    store = bench.world([("dora", "cleo", "Hello.")])
    memory = store.owner("cleo")
    text = f"{QUESTION} Under the pot."
    memory.remember(about="dora", text=text, told_by="dora", kind="fact", evidence=(), handles=("m9",), importance=0.55)
    (passage,) = reading.passages(memory, memory.recall(QUESTION).hits, QUESTION, {})
    assert passage.hit.text == "Under the pot."
    assert passage.score <= 0.55  # no better than what it was heard on, however well its words fit


def test_a_value_that_was_taken_back_is_read_as_what_holds_since(bench) -> None:  # type: ignore[no-untyped-def]
    store = bench.world(
        [
            ("dora", "cleo", "The spare key is with Mrs Rowan."),
            ("cleo", "dora", "Good to know."),
            ("dora", "cleo", "Mrs Rowan moved away. I gave it to Mr Okafor instead."),
        ]
    )
    memory = store.owner("cleo")
    hits = [replace(memory.message("m1"), coverage=0.9)]
    (passage,) = reading.passages(memory, hits, QUESTION, {})
    assert (passage.hit.id, passage.hit.text) == ("m3", "I gave it to Mr Okafor instead.")


# --- planning ---


def plan(model: ChatModel, task: str) -> tuple[tuple[str, ...], list[str]]:
    failed: list[str] = []
    return asyncio.run(reading.plan(model, task, Settings(), failed.append)), failed


TASK = "Find out who has the spare key and when the landlord is coming to the house."


def test_a_plan_keeps_questions_that_split_the_task_and_drops_invented_ones(scripted: Make) -> None:
    proposed = (
        '{"questions": ["Who has the spare key?", "When is the landlord coming?", "Who won the war?", "spare key"]}'
    )
    kept = ("Who has the spare key?", "When is the landlord coming?")
    assert plan(scripted(plan=proposed), TASK) == (kept, [])
    assert plan(scripted(plan=proposed, capable=True), TASK) == (kept, [])


def test_a_small_model_may_use_only_the_task_s_own_words() -> None:
    wider = ["Does the landlord like cake?"]
    assert reading.grounded(TASK, wider, capable=False) == ()
    assert reading.grounded(TASK, wider, capable=True) == tuple(wider)


def test_a_question_that_repeats_the_task_or_another_is_dropped() -> None:
    repeated = ["Who has the spare key?", "Who has the spare key now?", TASK.rstrip(".") + "?"]
    assert reading.grounded(TASK, repeated, capable=True) == ("Who has the spare key?",)


@pytest.mark.parametrize("reply", ["I would ask around", '{"questions": ["Who has the', '{"questions": 7}'])
def test_a_plan_that_is_no_plan_leaves_the_task_as_it_is(scripted: Make, reply: str) -> None:
    added, failed = plan(scripted(plan=reply), TASK)
    assert added == ()
    assert len(failed) == 1


def test_a_small_model_is_shown_the_one_sentence_that_tells_what_is_asked(scripted: Make) -> None:
    said = hit("m1", "Speaking of Ana. The spare key is under the blue pot.")
    shown = [Passage(said, said.score, part="The spare key is under the blue pot.")]
    model = scripted(copies={"key": "Speaking of Ana"})
    found = asyncio.run(reading.read(model, QUESTION, shown, Settings(), lambda why: None))
    assert found is not None
    assert "Speaking of Ana" not in found.quote
    assert found.value == "The spare key is under the blue pot."


@pytest.mark.parametrize(
    ("clause", "text", "value"),
    [
        ("I found one who listens", "I found one who listens: Dr Marlow, at the station.", "Dr Marlow"),
        ("I found one who listens", "I found one who listens. Dr Marlow.", "I found one who listens. Dr Marlow."),
        ("I found one who listens", "I found one who listens: Dr. Marlow!", "Dr. Marlow"),
        ("the blue pot", "The key is under the blue pot: look below it.", "the blue pot"),
        ("Harrow Lane", "It is Harrow Lane: the house of Marlow.", "Harrow Lane"),
    ],
)
def test_a_name_after_a_colon_is_what_the_clause_before_it_announces(clause: str, text: str, value: str) -> None:
    assert reading.whole_with(clause, text) == value


def test_what_a_colon_announces_is_the_value_where_the_model_cut_nothing() -> None:
    assert reading.announced("I found a vet who is gentle: Dr Okafor.") == "Dr Okafor"
    assert reading.announced("It is settled: we stay.") == ""
    assert reading.announced("Ask Zoe: Dr Okafor is gentle.") == ""
