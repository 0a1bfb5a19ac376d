"""The ledger: nothing is known by assertion, every step is on record, and a value falls with its last evidence."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence, Ledger, Rationale
from kithnet.agents.minds.rules import kinds
from kithnet.runtime.errors import LedgerError

TASK = "Where is the spare key?"
OWN = Evidence("m1", ("m1",), "ana", support=0.6)
HEARD = Evidence("u:t1:2", ("m9",), "cleo", hops=1, support=0.9)


@pytest.fixture
def ledger() -> Ledger:
    return infonav.new_ledger("ana", TASK)


def actions(rationale: Rationale) -> list[str]:
    return [step.action for step in rationale.history]


def test_a_new_ledger_holds_the_task_itself_as_an_unknown(ledger: Ledger) -> None:
    (only,) = ledger.rationales
    assert (only.id, only.question, only.kind, only.status, only.value) == ("r0", TASK, "text", "unknown", None)
    assert ledger.unsettled == (only,)


def test_a_task_with_parts_leaves_the_whole_to_reasoning() -> None:
    ledger = infonav.new_ledger("ana", "Who came? When was it?")
    ledger = infonav.open_rationale(ledger, "Who came?", "name")
    ledger = infonav.whole(infonav.open_rationale(ledger, "When was it?", "event"))
    assert [r.kind for r in ledger.rationales] == ["whole", "name", "event"]
    assert [r.id for r in ledger.unsettled] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many guests came?", "count"),
        ("How much did it cost?", "count"),
        ("When is the party?", "event"),
        ("Whose dog is it?", "name"),
        ("With whom did she dance?", "name"),
        ("Tell me, where is it?", "place"),
        ("Did it rain?", "text"),
        ("", "text"),
    ],
)
def test_the_interrogative_says_what_kind_of_value_is_wanted(question: str, kind: str) -> None:
    assert kinds.kind_of(question) == kind


def test_a_rationale_is_restated_only_while_nothing_is_known_of_it(ledger: Ledger) -> None:
    better = infonav.restate(ledger, "r0", "Where is it?", "place")
    assert (better["r0"].question, better["r0"].kind, actions(better["r0"])) == (
        "Where is it?",
        "place",
        ["open", "restate"],
    )
    known = infonav.fill(better, "r0", "in the shed", (Evidence("m1", ("m1",), "ana"),))
    with pytest.raises(LedgerError):
        infonav.restate(known, "r0", "Who has it?", "name")


def test_opening_the_same_question_twice_adds_nothing(ledger: Ledger) -> None:
    assert infonav.open_rationale(ledger, "  where is the SPARE key?") == ledger
    more = infonav.open_rationale(ledger, "Who has it?")
    assert [r.id for r in more.rationales] == ["r0", "r1"]


def test_asking_and_declining_leave_an_unknown_open_for_others(ledger: Ledger) -> None:
    asked = infonav.ask(ledger, "r0", "ben")
    assert (asked["r0"].status, asked["r0"].asked_of) == ("asked", ("ben",))
    declined = infonav.decline(asked, "r0", "ben")
    assert (declined["r0"].status, declined["r0"].declined_by) == ("unknown", ("ben",))
    assert declined["r0"] in declined.unsettled
    assert infonav.ask(infonav.ask(ledger, "r0", "ben"), "r0", "ben")["r0"].asked_of == ("ben",)


def test_a_value_is_known_with_its_evidence_and_stays_known_when_asked_about(ledger: Ledger) -> None:
    known = infonav.fill(ledger, "r0", "under the pot", (OWN,))
    assert (known["r0"].status, known["r0"].value, known["r0"].evidence) == ("known", "under the pot", (OWN,))
    assert known["r0"].heard_from == ()
    assert infonav.ask(known, "r0", "ben")["r0"].status == "known"
    assert infonav.decline(known, "r0", "ben")["r0"].status == "known"


@pytest.mark.parametrize(
    "illegal",
    [
        lambda ledger: infonav.fill(ledger, "r0", "under the pot", ()),
        lambda ledger: infonav.fill(ledger, "r0", "  ", (OWN,)),
        lambda ledger: infonav.contest(ledger, "r0", "under the pot", ()),
        lambda ledger: infonav.contest(ledger, "r0", "under the pot", (OWN,)),
        lambda ledger: infonav.fill(infonav.fill(ledger, "r0", "a pot", (OWN,)), "r0", "the shelf", (HEARD,)),
        lambda ledger: infonav.unavailable(infonav.fill(ledger, "r0", "a pot", (OWN,)), "r0", "nobody knows"),
        lambda ledger: infonav.fill(ledger, "r7", "a pot", (OWN,)),
        lambda ledger: infonav.ask(ledger, "r7", "ben"),
    ],
    ids=["no evidence", "no value", "contest without evidence", "contest nothing", "another value", "unavailable",
         "fill an unknown id", "ask an unknown id"],
)  # fmt: skip
def test_a_transition_the_ledger_does_not_allow_is_an_error(
    ledger: Ledger, illegal: Callable[[Ledger], Ledger]
) -> None:
    with pytest.raises(LedgerError):
        illegal(ledger)


def test_contesting_keeps_both_values_and_prefers_support_then_witnesses_then_fewer_hops(ledger: Ledger) -> None:
    one = infonav.fill(ledger, "r0", "under the pot", (OWN,))
    two = infonav.contest(one, "r0", "on the shelf", (HEARD,))
    assert two["r0"].status == "contested"
    assert [held.value for held in two["r0"].held] == ["on the shelf", "under the pot"]  # better supported
    faint = Evidence("u:t1:4", ("m3",), "dora", hops=2, support=0.1)
    more = infonav.learn(two, "r0", "under the pot", (faint,))
    assert more["r0"].value == "on the shelf"  # many who heard one poor line do not outweigh a good one
    level = infonav.contest(one, "r0", "on the shelf", (Evidence("u:t1:2", ("m9",), "cleo", hops=1, support=0.6),))
    assert level["r0"].value == "under the pot"  # as well supported, and nearer
    second = infonav.learn(level, "r0", "on the shelf", (Evidence("u:t1:4", ("m3",), "dora", hops=2, support=0.6),))
    assert second["r0"].value == "on the shelf"  # as well supported, and two witnesses against one


def test_the_same_value_from_someone_else_corroborates(ledger: Ledger) -> None:
    known = infonav.fill(ledger, "r0", "under the pot", (OWN,))
    both = infonav.learn(known, "r0", "Under the pot!", (HEARD,))
    assert both["r0"].status == "known"
    assert both["r0"].evidence == (OWN, HEARD)
    assert both["r0"].heard_from == ("cleo",)
    assert infonav.learn(both, "r0", "Under the pot!", (HEARD,)) == both  # the same evidence counts once


def test_retracting_the_last_evidence_makes_a_value_unknown_again(ledger: Ledger) -> None:
    known = infonav.learn(infonav.fill(ledger, "r0", "under the pot", (OWN,)), "r0", "under the pot", (HEARD,))
    weaker = infonav.retract(known, "m1")
    assert (weaker["r0"].status, weaker["r0"].evidence) == ("known", (HEARD,))
    gone = infonav.retract(weaker, HEARD.id)
    assert (gone["r0"].status, gone["r0"].value, gone["r0"].held) == ("unknown", None, ())
    assert infonav.retract(gone, "m1") == gone
    assert actions(gone["r0"]) == ["open", "fill", "fill", "retract", "retract"]


def test_retracting_one_side_settles_a_contest(ledger: Ledger) -> None:
    two = infonav.contest(infonav.fill(ledger, "r0", "under the pot", (OWN,)), "r0", "on the shelf", (HEARD,))
    assert (infonav.retract(two, HEARD.id)["r0"].status, infonav.retract(two, HEARD.id)["r0"].value) == (
        "known", "under the pot",
    )  # fmt: skip


def test_what_nobody_can_tell_is_unavailable_until_someone_does(ledger: Ledger) -> None:
    closed = infonav.unavailable(ledger, "r0", "nobody left to ask")
    assert (closed["r0"].status, closed["r0"].reason, closed.unsettled) == ("unavailable", "nobody left to ask", ())
    learned = infonav.learn(closed, "r0", "under the pot", (HEARD,))
    assert (learned["r0"].status, learned["r0"].reason) == ("known", "")


def test_history_says_in_which_turn_a_step_was_taken_and_on_what(ledger: Ledger) -> None:
    known = infonav.fill(replace(ledger, turn=3), "r0", "under the pot", (OWN,))
    step = known["r0"].history[-1]
    assert (step.turn, step.action, step.detail) == (3, "fill", "under the pot [m1]")


def test_a_ledger_survives_json(ledger: Ledger) -> None:
    two = infonav.contest(infonav.fill(ledger, "r0", "under the pot", (OWN,)), "r0", "on the shelf", (HEARD,))
    assert infonav.from_json(json.loads(json.dumps(infonav.to_json(two)))) == two


@pytest.mark.parametrize("data", [None, [], {"owner": "ana"}, {"owner": "ana", "task": "x", "rationales": [{"id": 1}]}])
def test_anything_else_than_a_ledger_is_refused(data: object) -> None:
    with pytest.raises(LedgerError, match="not a ledger"):
        infonav.from_json(data)


VALUES = st.sampled_from(["red", "the red one", "blue", "seven", "7", "on Monday"])
EVIDENCES = st.builds(
    Evidence,
    id=st.sampled_from(["m1", "m2", "u:t:1", "u:t:2", "k3"]),
    sources=st.just(("m1",)),
    witness=st.sampled_from(["ana", "ben", "cleo"]),
    hops=st.integers(0, 2),
    support=st.floats(0, 1),
)
GIVEN = st.lists(EVIDENCES, max_size=2).map(tuple)
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(["ben", "cleo"])),
    st.tuples(st.just("decline"), st.sampled_from(["ben", "cleo"])),
    st.tuples(st.just("fill"), VALUES, GIVEN),
    st.tuples(st.just("contest"), VALUES, GIVEN),
    st.tuples(st.just("learn"), VALUES, GIVEN),
    st.tuples(st.just("unavailable"), st.just("nobody knew")),
    st.tuples(st.just("retract"), st.sampled_from(["m1", "m2", "u:t:1", "u:t:2", "k3"])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["r0", "r1"]), STEPS), max_size=25))
def test_no_sequence_of_steps_makes_a_value_known_without_evidence(steps: list[tuple[str, tuple[Any, ...]]]) -> None:
    ledger = infonav.open_rationale(infonav.new_ledger("ana", TASK), "Who has it?")
    for rid, (name, *given_) in steps:
        before = ledger
        try:
            step = getattr(infonav, name)
            ledger = step(ledger, *given_) if name == "retract" else step(ledger, rid, *given_)
        except LedgerError:
            assert ledger == before
        for rationale in ledger.rationales:
            assert (rationale.status in ("known", "contested")) == bool(rationale.evidence)
            assert (rationale.value is not None) == bool(rationale.evidence)
            assert (rationale.status == "contested") == (len(rationale.held) > 1)
            assert all(held.evidence for held in rationale.held)
            assert list(rationale.held) == sorted(rationale.held, key=lambda held: held.weight, reverse=True)
            assert rationale.history[0].action == "open"
        for old, new in zip(before.rationales, ledger.rationales, strict=True):
            assert new.history[: len(old.history)] == old.history  # what happened is never rewritten
    assert infonav.from_json(json.loads(json.dumps(infonav.to_json(ledger)))) == ledger


LIST = "What is on Ana's calendar?"


def calendar(question: str = LIST) -> Ledger:
    """A ledger whose task is a list."""
    return infonav.restate(infonav.new_ledger("ana", question), "r0", question, "events")


def entries(number: int, support: float = 0.9) -> list[infonav.Found]:
    return [(f"swim {n}", (Evidence(f"m{n}", (f"m{n}",), "ana", 0, support),), "stated") for n in range(number)]


def test_many_entries_are_learned_at_once_as_one_by_one() -> None:
    opened = calendar()
    again = [(value, (Evidence(f"u{n}", (), "ben", 1),), basis) for n, (value, _, basis) in enumerate(entries(10))]
    found = [*entries(20), *again]
    singly = opened
    for value, evidence, _ in found:
        singly = infonav.learn(singly, "r0", value, evidence)
    together = infonav.learn_all(opened, "r0", found)
    assert together["r0"].held == singly["r0"].held
    assert together["r0"].status == singly["r0"].status == "known"
    assert infonav.learn_all(together, "r0", found) is together


def test_a_ledger_that_is_full_keeps_the_best_entries_and_says_how_many_it_left_out() -> None:
    ledger = infonav.open_rationale(calendar(), "What is on Ben's calendar?", "events")
    yoga: infonav.Found = ("yoga", (Evidence("m99", ("m99",), "ana"),), "stated")
    full = infonav.learn_all(ledger, "r0", [*entries(5, 0.5), yoga], most=4)
    assert [held.value for held in full["r0"].held] == ["yoga", "swim 0", "swim 1", "swim 2"]
    assert full["r0"].cut == 2
    assert infonav.from_json(infonav.to_json(full))["r0"].cut == 2
    other = infonav.learn_all(full, "r1", entries(3), most=4)  # the most of all lists together
    assert (other["r1"].held, other["r1"].cut) == ((), 3)


def test_learning_ten_thousand_entries_takes_no_longer_than_they_are_many() -> None:
    started = time.perf_counter()
    ledger = infonav.learn_all(calendar(), "r0", entries(10_000), most=300)
    assert time.perf_counter() - started < 5.0
    assert (len(ledger["r0"].held), ledger["r0"].cut) == (300, 9_700)
