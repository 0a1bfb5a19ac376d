"""Dialogues of agents over small real worlds: who speaks, what crosses, when it stops, what is answered."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.agents.disclosure.policy import Policy, Rule
from kithnet.agents.minds.model_mind import ModelMind
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_words
from kithnet.memory.language.text import words
from kithnet.memory.store import Store
from kithnet.runtime.errors import ContextOverflow, LimitExceeded, ModelUnavailable, ReplyInvalid
from kithnet.runtime.limits import Limits, limited
from kithnet.runtime.scripted import ScriptedModel

from .test_minds import knows, thinking

Make = Callable[..., ScriptedModel]
KEY = "Where is the spare key?"


def test_a_fact_two_ties_away_is_found_and_the_answer_cites_the_message(
    bench: Any, key_world: Store, scripted: Make
) -> None:
    chat = scripted()
    talk = bench.talk(key_world, KEY, ("ana", "ben"), chat)
    assert chat.calls == []  # the reader needs no chat model
    result = talk.state["result"]
    assert "blue flower pot" in result["answer"]
    assert (result["citations"], result["known"]) == (["m5"], True)
    assert [(entry["by"], entry["person"], entry["answered"]) for entry in talk.state["consulted"]] == [
        ("ben", "cleo", True)
    ]
    assert talk.state["stopped"] == "settled"
    ana = talk.state["ledgers"]["ana"]["rationales"][0]
    (evidence,) = ana["held"][0]["evidence"]
    assert (evidence["id"], evidence["witness"], evidence["sources"], evidence["hops"]) == (
        "u:t1:2", "cleo", ["m5"], 2,
    )  # fmt: skip


def test_turns_alternate_and_the_instructor_speaks_on_odd_ones(bench: Any, key_world: Store) -> None:
    said = bench.talk(key_world, KEY, ("ana", "ben")).state["utterances"]
    assert [u["turn"] for u in said] == list(range(1, len(said) + 1))
    assert all((u["sender"], u["receiver"]) == (("ana", "ben") if u["turn"] % 2 else ("ben", "ana")) for u in said)
    assert [u["id"] for u in said] == [f"u:t1:{u['turn']}" for u in said]


def test_recall_runs_before_the_first_word_of_each_agent(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"))
    spoken = set()
    recalled = set()
    for event in talk.trace.events:
        if event["kind"] == "recall":
            recalled.add(event["person"])
        if event["kind"] == "utterance" and event["dialogue"] == "t1" and event["sender"] not in spoken:
            spoken.add(event["sender"])
            assert event["sender"] in recalled


def test_what_the_instructor_knows_already_is_put_to_the_partner_to_agree_on_and_nobody_is_consulted(
    bench: Any,
) -> None:
    store = bench.world(
        [("dora", "ana", "The spare key is under the blue flower pot."), ("ana", "ben", "Nice weather."),
         ("ben", "cleo", "Hello.")]
    )  # fmt: skip
    talk = bench.talk(store, KEY, ("ana", "ben"))
    assert talk.state["result"]["citations"] == ["m1"]
    assert talk.state["utterances"][0]["asks"] == [KEY]


def test_two_who_remember_the_same_cite_both_messages(bench: Any) -> None:
    store = bench.world(
        [
            ("dora", "ana", "The spare key is under the blue flower pot."),
            ("ed", "ben", "I am sure the spare key is still under the blue flower pot."),
            ("ana", "ben", "Nice weather."),
        ]
    )
    result = bench.talk(store, KEY, ("ana", "ben")).state["result"]
    (agreed,) = result["agreed"]
    assert agreed["both"]
    assert set(result["citations"]) == {"m1", "m2"}


def test_nobody_in_reach_knowing_is_an_answer_without_citations(bench: Any) -> None:
    store = bench.world([("ana", "ben", "Nice weather."), ("ben", "cleo", "Hello.")])
    talk = bench.talk(store, KEY, ("ana", "ben"))
    result = talk.state["result"]
    assert (result["known"], result["citations"], result["worded_by"]) == (False, [], "code")
    assert talk.state["stopped"] == "settled"
    assert all(not u["claims"] for u in talk.heard)
    rationale = talk.state["ledgers"]["ana"]["rationales"][0]
    assert rationale["status"] == "unavailable"
    assert rationale["reason"]


# --- stops ---


def test_a_dialogue_ends_when_no_turns_are_left(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"), max_turns=1)
    assert (talk.state["turn"], talk.state["stopped"]) == (1, "no turns left")
    assert not talk.state["result"]["known"]


def test_a_dialogue_ends_when_nothing_moves(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"), stall_turns=1, max_turns=9, depth=0)
    assert talk.state["stopped"] in ("nothing changed", "settled")
    assert talk.state["turn"] < 9


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_limit_is_an_event_and_what_is_known_is_answered_by_code(bench: Any, calls: int) -> None:
    store = bench.world(
        [
            ("ana", "ben", "Nice weather."),
            ("dora", "ben", "The spare key is under the blue flower pot."),
            ("ben", "cleo", "Hello."),
        ]
    )
    talk = bench.talk(store, KEY, ("ana", "ben"), limited(thinking(knows), Limits(calls=calls)), mind="model")
    assert all("limit" not in u["text"] for u in talk.heard)
    (limit,) = talk.events("limit")
    assert talk.state["stopped"] == f"limit: {limit['why']}"
    if calls == 2:  # Ana asked and Ben told; to conclude is one call too many
        assert talk.state["result"]["citations"] == ["m2"]
        assert talk.state["result"]["worded_by"] == "code"
    else:
        assert not talk.state["result"]["known"]


# --- bounds ---


def graph_world(bench: Any, seed: int, people: int, ties: int) -> Store:
    """A connected random network; one of its people has been told where the key is."""
    random_ = random.Random(seed)
    ids = [f"p{n}" for n in range(people)]
    pairs = {(ids[n], ids[random_.randrange(n)]) for n in range(1, people)}
    while len(pairs) < min(ties, people * (people - 1) // 2):
        a, b = sorted(random_.sample(ids, 2))
        pairs.add((b, a))
    small_talk = [(a, b, random_.choice(["Hello.", "Nice weather.", "See you.", "Coffee?"])) for a, b in sorted(pairs)]
    holder = random_.choice(ids[1:])
    told = ("stranger", holder, "The spare key is under the blue flower pot.")
    return bench.world([*small_talk, told])  # type: ignore[no-any-return]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 9999), people=st.integers(3, 8), more=st.integers(0, 8),
    depth=st.integers(0, 3), fan_out=st.integers(1, 3), budget=st.integers(0, 6),
)  # fmt: skip
def test_in_any_network_nobody_is_asked_the_same_twice_and_depth_fan_out_and_budget_hold(
    bench: Any, seed: int, people: int, more: int, depth: int, fan_out: int, budget: int
) -> None:
    store = graph_world(bench, seed, people, people - 1 + more)
    first = next(tie for tie in store.ties() if "p0" in (tie.a, tie.b))
    partner = first.b if first.a == "p0" else first.a
    talk = bench.talk(store, KEY, ("p0", partner), depth=depth, fan_out=fan_out, budget=budget)
    consulted = talk.state["consulted"]
    asked = [entry["person"] for entry in consulted if entry["question"] == KEY]
    assert len(asked) == len(set(asked))
    assert not {"p0", partner} & set(asked)
    assert len(consulted) <= budget
    assert talk.state["budget"] == budget - len(consulted)
    assert all(entry["dialogue"].count(".") <= depth for entry in consulted)
    by_dialogue = Counter((entry["dialogue"].rpartition(".")[0], entry["by"]) for entry in consulted)
    assert all(count <= fan_out * talk.state["turn"] for count in by_dialogue.values())
    ties = {frozenset((tie.a, tie.b)) for tie in store.ties()}
    assert all(frozenset((u["sender"], u["receiver"])) in ties for u in talk.heard)
    for state_ledger in talk.state["ledgers"].values():
        for rationale in state_ledger["rationales"]:
            assert bool(rationale["held"]) == (rationale["status"] in ("known", "contested"))
    if talk.state["result"]["known"]:
        assert talk.state["result"]["citations"]


def test_two_questions_to_one_third_party_in_one_turn_get_two_dialogues(bench: Any) -> None:
    store = bench.world(
        [
            ("ana", "ben", "Nice weather."),
            ("ben", "cleo", "Hello."),
            ("dora", "cleo", "The spare key is under the blue flower pot."),
            ("dora", "cleo", "The birthday cake was eaten by the neighbour's labrador."),
        ]
    )
    talk = bench.talk(store, "Where is the spare key? Who ate the birthday cake?", ("ana", "ben"))
    with_cleo = [entry for entry in talk.state["consulted"] if entry["person"] == "cleo"]
    assert [entry["question"] for entry in with_cleo] == ["Where is the spare key?", "Who ate the birthday cake?"]
    assert len({entry["dialogue"] for entry in with_cleo}) == 2
    assert len({u["id"] for u in talk.heard}) == len(talk.heard)
    assert set(talk.state["result"]["citations"]) == {"m3", "m4"}
    assert "labrador" in talk.state["result"]["answer"]


# --- what crosses ---


def test_a_confidence_is_refused_counted_and_never_spoken(bench: Any) -> None:
    store = bench.world(
        [
            ("ana", "ben", "Nice weather."),
            ("dora", "ben", "Between us: the spare key is under the blue flower pot."),
            ("ben", "cleo", "Hello."),
        ]
    )
    talk = bench.talk(store, KEY, ("ana", "ben"))
    assert not talk.state["result"]["known"]
    assert all("flower" not in u["text"] for u in talk.heard)
    (row,) = [d for d in talk.state["disclosures"] if d["from"] == "ben"]
    assert (row["told"], row["action"], row["sensitivity"], row["messages"]) == (False, "ask", "confidence", ["m2"])
    (kept,) = store.owner("ben").disclosures()
    assert (kept.items, kept.partner, kept.action) == (("m2",), "ana", "refuse")
    # to the one who said it, it is no secret
    back = bench.talk(store, KEY, ("dora", "ben"), name="t2")
    assert any("flower" in u["text"] for u in back.heard)


def test_a_rule_decides_who_hears_what(bench: Any) -> None:
    store = bench.world(
        [("ana", "ben", "Nice weather."), ("dora", "ben", "The spare key is under the blue flower pot.")]
    )
    silent = Policy((Rule("refuse", person="ana", topic=("key",)),))
    assert not bench.talk(store, KEY, ("ana", "ben"), policy=silent).state["result"]["known"]
    assert bench.talk(store, KEY, ("ana", "ben"), name="t2").state["result"]["known"]


def test_every_value_told_leaves_a_row_with_its_messages_its_hearer_and_its_rule(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"))
    told = {(d["from"], d["to"], d["utterance"]) for d in talk.state["disclosures"] if d["told"]}
    for utterance in talk.heard:
        if utterance["claims"]:
            assert (utterance["sender"], utterance["receiver"], utterance["id"]) in told
    assert [(d.items, d.partner) for d in key_world.owner("cleo").disclosures()] == [(("m5",), "ben")]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 9999))
def test_no_message_is_heard_by_anyone_unless_a_disclosure_says_so(bench: Any, seed: int) -> None:
    """Every run of four words of a message that someone hears was told by a row, or they were there themselves."""
    random_ = random.Random(seed)
    people = ["ana", "ben", "cleo", "dora", "ed"]
    things = ["passport", "violin", "spare key", "wallet", "camera"]
    ways = [
        "rests quietly beneath",
        "hides well behind",
        "hangs high above",
        "lies safely inside",
        "waits patiently by",
    ]
    places = ["grandfather clock", "garden shed", "green suitcase", "attic chest", "bicycle basket"]
    lines = [("ana", "ben", "Nice weather."), ("ben", "cleo", "Hello."), ("cleo", "dora", "Coffee?")]
    for thing, way, place in zip(things, random_.sample(ways, 5), random_.sample(places, 5), strict=True):
        teller, hearer = random_.sample(people, 2)
        lead = random_.choice(["", "Between us: ", "Keep it to yourself, ", ""])
        lines.append((teller, hearer, f"{lead}the old {thing} {way} the {place}."))
    store = bench.world(lines)
    task = " ".join(f"Where is the {thing}?" for thing in random_.sample(things, 2))
    talk = bench.talk(store, task, ("ana", "ben"))
    told = {(d["from"], d["to"], m) for d in talk.state["disclosures"] if d["told"] for m in d["messages"]}
    for utterance in talk.heard:
        spoken, hearer = words(utterance["text"]), utterance["receiver"]
        for number, (a, b, text) in enumerate(lines, 1):
            if hearer in (a, b) or not _shared_run(spoken, words(text), words(task)):
                continue
            assert (utterance["sender"], hearer, f"m{number}") in told, (utterance["text"], text)


def _shared_run(spoken: list[str], text: list[str], task: list[str], width: int = 4) -> bool:
    runs = {tuple(text[at : at + width]) for at in range(len(text) - width + 1)}
    known = set(task)
    return any(
        run in runs and len([w for w in content_words(" ".join(run)) if w not in known]) >= 2
        for at in range(len(spoken) - width + 1)
        if (run := tuple(spoken[at : at + width]))
    )


# --- a model that fails ---


FAILURES = [
    ReplyInvalid("cut off inside JSON: XYZZY"),
    ContextOverflow("the prompt has XYZZY tokens"),
    "XYZZY }{ <|im_end|>",
]


@pytest.mark.parametrize("broken", FAILURES, ids=["invalid", "overflow", "garbage"])
def test_no_failure_of_a_model_is_ever_said_in_a_conversation(
    bench: Any, key_world: Store, scripted: Make, broken: Any
) -> None:
    chat = scripted(capable=True, move=broken, answer=broken)
    talk = bench.talk(key_world, KEY, ("ana", "ben"), chat, mind="model")
    assert "XYZZY" not in json.dumps([talk.heard, talk.state["ledgers"], talk.state["result"]])
    assert talk.events("refused") and talk.events("fell_back")
    assert talk.state["result"]["citations"] == ["m5"]


@pytest.mark.parametrize("part", ["move", "answer"])
def test_a_model_that_is_gone_fails_the_task(bench: Any, key_world: Store, scripted: Make, part: str) -> None:
    chat = scripted(capable=True, **{part: ModelUnavailable("connection refused")})
    with pytest.raises(ModelUnavailable):
        bench.talk(key_world, KEY, ("ana", "ben"), chat, mind="model")


def test_a_limit_met_inside_a_consultation_ends_the_whole_task_with_an_answer(
    bench: Any, key_world: Store, scripted: Make
) -> None:
    limited_mind = ModelMind(scripted(capable=True, move=LimitExceeded("1 call")), Settings())
    talk = bench.talk(key_world, KEY, ("ana", "ben"), minds={"cleo": limited_mind})
    assert talk.events("limit")
    assert not talk.state["result"]["known"]
    assert talk.state["result"]["answer"]


# --- what is kept ---


def test_each_side_remembers_what_it_heard_with_the_handle_of_the_origin(bench: Any, key_world: Store) -> None:
    bench.talk(key_world, KEY, ("ana", "ben"), journal=True)
    noted, summary = key_world.owner("ana").memories()[::-1]
    assert summary.kind == "summary" and summary.audience == ("ben",)
    assert [link.type for link in key_world.owner("ana").links(noted.id)] == ["part_of"]
    assert noted.told_by == "cleo"
    assert "flower pot" in noted.text
    assert noted.messages == ("m5",)
    again = bench.talk(key_world, KEY, ("ana", "ben"), name="t2")
    assert again.state["result"]["citations"] == ["m5"]  # from memory now; the origin is still cited
    assert again.state["consulted"] == []


def test_without_a_journal_the_world_is_left_as_it_was(bench: Any, key_world: Store) -> None:
    bench.talk(key_world, KEY, ("ana", "ben"))
    assert key_world.stats().memories == 0


def test_a_confidence_that_a_rule_lets_out_once_stays_a_confidence_for_the_next(bench: Any) -> None:
    lines = [
        ("dora", "cleo", "Please keep this between us."),
        ("dora", "cleo", "I am moving to Lisbon in October."),
        ("ana", "ben", "Lunch was good."),
        ("ben", "cleo", "The bus was late."),
    ]
    world = bench.world(lines)
    rules = Policy(rules=(Rule("tell", person="ben"),))
    talk = bench.talk(world, "Where is Dora moving in October?", ("ana", "ben"), policy=rules, journal=True)
    told = [u for u in talk.heard if u["receiver"] == "ben" and "Lisbon" in u["text"]]
    assert told, "cleo may tell ben by the rule"
    assert not any("Lisbon" in u["text"] for u in talk.heard if u["receiver"] == "ana")
    assert "Lisbon" not in talk.state["result"]["answer"]
    assert not world.owner("ben").recall("Where is Dora moving in October?", partner="ana").hits or all(
        "Lisbon" not in hit.text for hit in world.owner("ben").recall("Dora moving October", partner="ana").hits
    )
