"""Consensus and the answer: only what was spoken, only what is supported, conflicts listed."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import permutations

import pytest

from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.consensus import UNKNOWN, Agreed, merge, pool
from kithnet.agents.infonav.ledger import Evidence, Held, Ledger
from kithnet.agents.minds.rules.answer import Answer, answer, supported
from kithnet.agents.settings import Settings
from kithnet.runtime.errors import ContextOverflow, LimitExceeded, ModelUnavailable, ReplyInvalid
from kithnet.runtime.scripted import ScriptedModel

Make = Callable[..., ScriptedModel]
QUESTION = "Where is the spare key?"


def evidence(id: str, witness: str, support: float = 0.5, hops: int = 0) -> Evidence:
    return Evidence(id, (f"m-{witness}",), witness, hops, support)


def ledger(owner: str, *values: tuple[str, Evidence], question: str = QUESTION) -> Ledger:
    made = infonav.new_ledger(owner, question)
    for value, one in values:
        made = infonav.learn(made, "r0", value, (one,))
    return made


def told(value: str) -> Held:
    """What the partner said, as it was heard."""
    return Held(value, (evidence("u:t1:2", "ben", support=0.9, hops=1),))


POT = ("under the pot", evidence("m1", "ana"))
SHELF = ("on the shelf", evidence("m2", "ben", support=0.9))


def test_a_value_the_assistant_knew_but_did_not_say_never_reaches_the_answer() -> None:
    (agreed,) = merge(ledger("ana"), ledger("ben", SHELF), said={})
    assert (agreed.value, agreed.evidence, agreed.rivals) == (None, (), ())
    (agreed,) = merge(ledger("ana"), ledger("ben", SHELF), said={QUESTION: [told("in the car")]})
    assert (agreed.value, agreed.rivals) == ("in the car", ())  # the shelf, which it knew, is nowhere
    (agreed,) = merge(ledger("ana"), ledger("ben", SHELF), said={QUESTION: [told("on the shelf")]})
    assert (agreed.value, agreed.both) == ("on the shelf", False)


def test_values_that_agree_are_joined_with_all_their_evidence() -> None:
    (agreed,) = merge(
        ledger("ana", POT), ledger("ben", ("Under the pot.", SHELF[1])), {QUESTION: [told("Under the pot.")]}
    )
    assert agreed.both
    assert {one.id for one in agreed.evidence} == {"m1", "u:t1:2"}  # its own m2 was not spoken of
    assert set(agreed.sources) == {"m-ana", "m-ben"}


def test_conflicting_values_are_listed_not_merged_away() -> None:
    (agreed,) = merge(ledger("ana", POT), ledger("ben", SHELF), {QUESTION: [told("on the shelf")]})
    assert agreed.value == "on the shelf"
    assert [rival.value for rival in agreed.rivals] == ["under the pot"]
    assert agreed.sources == ("m-ben",)


def test_the_instructor_s_order_and_reasons_are_kept() -> None:
    task = infonav.open_rationale(infonav.new_ledger("ana", "Two things"), "Who came?")
    task = infonav.whole(infonav.open_rationale(task, "When was it?"))
    task = infonav.unavailable(task, "r2", "nobody left to ask")
    first, second = merge(task, infonav.new_ledger("ben", "Two things"), {})
    assert [first.question, second.question] == ["Who came?", "When was it?"]
    assert (first.reason, second.reason) == ("nobody in reach knew", "nobody left to ask")


def test_the_merge_is_the_same_in_whatever_order_evidence_came() -> None:
    claims = [POT, SHELF, ("under the flower pot", evidence("m3", "cleo", 0.2)), ("in the car", evidence("m4", "dora"))]
    results = set()
    for order in permutations(claims):
        held = [Held(value, (one,)) for value, one in order]
        pooled = pool(held)
        results.add(tuple((h.value, frozenset(e.id for e in h.evidence)) for h in pooled))
    assert len(results) == 1


# --- the answer ---


def agreed(value: str | None, question: str = QUESTION, sources: Sequence[str] = ("m5",)) -> Agreed:
    held = (Evidence("u:t:2", tuple(sources), "cleo", 1, 0.8),) if value else ()
    return Agreed(question, "place", value, held, bool(value), (), "" if value else "nobody in reach knew")


def put(model: ScriptedModel, *found: Agreed, task: str = QUESTION) -> tuple[Answer, list[str]]:
    failed: list[str] = []
    return asyncio.run(answer(model, task, found, Settings(), failed.append)), failed


def test_a_wording_that_holds_every_value_and_adds_none_is_the_answer(scripted: Make) -> None:
    said = "The spare key is under the blue pot."
    told, failed = put(scripted(answer=said), agreed("under the blue pot"))
    assert told == Answer(said, ("m5",), True, "model")
    assert failed == []


@pytest.mark.parametrize(
    "wording",
    [
        "The spare key is under the blue pot in Vienna.",
        "It is lost.",
        "",
        "the blue pot, the blue pot, under the blue pot",
    ],
)
def test_a_wording_that_adds_or_loses_something_is_replaced_by_the_values_as_they_are(
    scripted: Make, wording: str
) -> None:
    told, _ = put(scripted(answer=wording), agreed("under the blue pot"))
    assert told == Answer("under the blue pot", ("m5",), True, "code")


def test_a_wording_that_was_cut_off_is_replaced() -> None:
    endless = "under the blue pot " + "is the " * 60
    assert put(ScriptedModel([endless]), agreed("under the blue pot"))[0].worded_by == "code"


@pytest.mark.parametrize("error", [ReplyInvalid("cut off"), ContextOverflow("long"), LimitExceeded("3 calls")])
def test_a_failed_call_leaves_the_values_as_they_are_and_is_told(scripted: Make, error: Exception) -> None:
    told, failed = put(scripted(answer=error), agreed("under the blue pot"))
    assert told == Answer("under the blue pot", ("m5",), True, "code")
    assert failed == [str(error)]


def test_a_model_that_is_gone_is_no_answer(scripted: Make) -> None:
    with pytest.raises(ModelUnavailable):
        put(scripted(answer=ModelUnavailable("gone")), agreed("under the blue pot"))


def test_knowing_nothing_is_said_plainly_and_costs_no_model_call(scripted: Make) -> None:
    model = scripted(answer="Surely in the kitchen.")
    assert put(model, agreed(None)) == (Answer(UNKNOWN, (), False, "code"), [])
    assert model.calls == []


def test_an_answer_of_several_parts_names_what_was_not_found_and_cites_each_source_once(scripted: Make) -> None:
    parts = (agreed("Paul", "Who has it?", ("m1", "m2")), agreed(None, "Since when?"), agreed("a dog", "Why?", ("m2",)))
    told, _ = put(scripted(answer="Paul has it, a dog."), *parts)
    assert told.citations == ("m1", "m2")
    assert told.text.splitlines() == ["Who has it? Paul", "Since when? not found: nobody in reach knew", "Why? a dog"]


def test_a_word_may_not_be_said_more_often_than_it_was_given() -> None:
    assert supported("It is Carol, Ross, a baby", "Who?", [agreed("Carol, Ross, a baby", "Who is it?")])
    assert not supported("a baby, a baby", "Who?", [agreed("a baby", "Who is it?")])
