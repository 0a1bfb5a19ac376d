"""Consensus and the answer: only what was spoken, only what is supported, conflicts listed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.consensus import UNKNOWN, Agreed, merge, pool
from kithnet.agents.infonav.ledger import Evidence, Held, Ledger
from kithnet.agents.minds.rules.answer import Answer, answer

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


def test_an_answer_is_the_value_with_its_sources() -> None:
    assert answer([agreed("under the blue pot")]) == Answer("under the blue pot", ("m5",), True, "code")


def test_a_value_comes_with_the_words_it_was_read_from_and_who_said_them() -> None:
    one = agreed("under the blue pot")
    quoted = replace(one.evidence[0], author="Cleo", quote="It is under the blue pot, as ever.")
    told = answer([replace(one, evidence=(quoted,))])
    assert told.text == "under the blue pot (Cleo: “It is under the blue pot, as ever.”)"
    whole = replace(quoted, quote="Under the blue pot.")
    assert answer([replace(one, evidence=(whole,))]).text == "under the blue pot"


def test_knowing_nothing_is_said_plainly() -> None:
    assert answer([agreed(None)]) == Answer(UNKNOWN, (), False, "code")


def test_an_answer_of_several_parts_names_what_was_not_found_and_cites_each_source_once() -> None:
    parts = (agreed("Paul", "Who has it?", ("m1", "m2")), agreed(None, "Since when?"), agreed("a dog", "Why?", ("m2",)))
    told = answer(parts)
    assert told.citations == ("m1", "m2")
    assert told.text.splitlines() == ["Who has it? Paul", "Since when? not found: nobody in reach knew", "Why? a dog"]
