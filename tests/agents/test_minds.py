"""Minds behind one protocol: what a model may do, what code refuses of it, and what a hostile one gets out."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.agents.disclosure.policy import Policy, Rule
from kithnet.agents.minds import mind as minds
from kithnet.agents.minds.hostile_mind import HostileMind
from kithnet.agents.minds.mind import Cite, Entry, Move, Note, Search, Speak
from kithnet.agents.minds.model_mind import trimmed
from kithnet.agents.minds.scripted_mind import ScriptedMind
from kithnet.memory.store import Store
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ModelUnavailable, ReplyInvalid
from kithnet.runtime.scripted import ScriptedModel

KEY = "Where is the spare key?"


def move(act: Mapping[str, Any], *notes: Mapping[str, Any]) -> str:
    return json.dumps({"notes": list(notes), "act": act})


def fill(value: str, *evidence: str, rid: str = "r0", **more: Any) -> dict[str, Any]:
    return {"do": "fill", "id": rid, "value": value, "evidence": list(evidence), "basis": "stated", **more}


ASK = move({"do": "speak", "text": KEY, "tells": [], "asks": ["r0"]})
GIVE_UP = move({"do": "speak", "text": "I do not know.", "tells": [], "asks": []})
UNKNOWN = move({"do": "conclude", "answer": "not known", "basis": "unknown", "rests_on": []})


def shown(prompt: str, word: str) -> str:
    """The id of the shown line that holds a word."""
    line = next(line for line in prompt.splitlines() if word in line and line[2:3] in "mk" and line[:1] in "* ")
    return line[2:].split()[0]


def thinking(script: Callable[[str, str, int], str], **traits: Any) -> ScriptedModel:
    """A model that thinks: script(owner, its log, how many replies it gave that owner)."""
    given: dict[str, int] = {}

    def reply(messages: Sequence[Message], spec: ReplySpec) -> str:
        owner = spec.owner.partition(" ")[0]
        given[owner] = given.get(owner, 0) + 1
        return script(owner, "\n".join(m.content for m in messages[1:]), given[owner] - 1)

    model = ScriptedModel(reply, capable=True)
    return model


def knows(owner: str, prompt: str, number: int) -> str:
    """Ana asks; Ben tells what he heard of the pot, or passes; Ana concludes."""
    if owner == "ana":
        if number == 0:
            return ASK
        return (
            move({"do": "conclude", "answer": "under the pot", "basis": "stated", "rests_on": ["r0"]})
            if "known" in prompt
            else UNKNOWN
        )
    return move(
        {"do": "speak", "text": "It is under the pot.", "tells": ["r0"], "asks": []},
        fill("under the pot", shown(prompt, "pot")),
    )


@pytest.fixture
def pot(bench: Any) -> Store:
    """Ben heard where the key is; Ana and Ben know each other."""
    return bench.world(  # type: ignore[no-any-return]
        [
            ("ana", "ben", "Nice weather."),
            ("dora", "ben", "The spare key is under the blue flower pot."),
            ("ben", "cleo", "Hello."),
        ]
    )


def test_a_model_plans_reads_tells_and_concludes_in_three_calls(bench: Any, pot: Store) -> None:
    model = thinking(knows)
    talk = bench.talk(pot, KEY, ("ana", "ben"), model, mind="model")
    result = talk.state["result"]
    assert (result["answer"], result["citations"], result["mind"]) == ("under the pot", ["m2"], "model")
    assert len(model.calls) == 3 and talk.state["refusals"] == 0
    assert talk.state["stopped"] == "settled"


def test_every_prompt_begins_with_the_one_before_it(bench: Any, pot: Store) -> None:
    def script(owner: str, prompt: str, number: int) -> str:
        if owner == "ben" and number < 4:
            return move({"do": "search", "queries": [{"text": f"key {number}"}]}, fill("in Paris", "m2"))
        return knows(owner, prompt, number)

    model = thinking(script)
    bench.talk(pot, KEY, ("ana", "ben"), model, mind="model")
    by_owner: dict[str, list[list[Message]]] = {}
    for messages, spec in model.calls:
        by_owner.setdefault(spec.owner, []).append(list(messages))
    assert len(by_owner["ben with ana"]) == 5
    for prompts in by_owner.values():
        for before, after in pairwise(prompts):
            assert after[: len(before)] == before


BAD_NOTES = {
    "an id of its own making": fill("under the pot", "m77"),
    "another's message": fill("nice weather", "m3"),
    "no evidence": fill("under the pot"),
    "a name from elsewhere": fill("at Zoltan's, under the pot", "POT"),
    "a number from elsewhere": fill("under 14 pots", "POT"),
    "a quotation nobody said": fill("“behind the old oven”", "POT"),
    "no such rationale": fill("under the pot", "POT", rid="r9"),
    "nothing": fill(" ", "POT"),
}


@pytest.mark.parametrize("note", BAD_NOTES.values(), ids=BAD_NOTES.keys())
def test_what_has_no_evidence_is_never_known_however_often_it_is_said(
    bench: Any, pot: Store, note: Mapping[str, Any]
) -> None:
    def script(owner: str, prompt: str, number: int) -> str:
        if owner == "ana":
            return ASK if number == 0 else UNKNOWN
        evidence = [shown(prompt, "pot") if one == "POT" and "pot" in prompt else one for one in note["evidence"]]
        return move({"do": "speak", "text": "", "tells": [note["id"]], "asks": []}, {**note, "evidence": evidence})

    talk = bench.talk(pot, KEY, ("ana", "ben"), thinking(script), mind="model")
    values = [
        held["value"] for ledger in talk.state["ledgers"].values() for r in ledger["rationales"] for held in r["held"]
    ]
    assert str(note["value"]) not in values
    assert talk.state["refusals"] >= 1 and talk.events("refused")
    assert all(str(note["value"]).strip() not in u["text"] or not str(note["value"]).strip() for u in talk.heard)


@pytest.mark.parametrize(
    "reply",
    ["", "no idea", '{"notes": [], "act"', '{"act": {"do": "fly"}}', "[]", json.dumps({"notes": [], "act": {"do": "speak"}}),
     "x" * 200_000, move({"do": "ask_contact", "person": "Nobody", "question": "?"}),
     move({"do": "ask_contact", "person": "ana", "question": KEY}), move({"do": "use_tool", "tool": "abacus"}),
     move({"do": "conclude", "answer": "x", "basis": "stated", "rests_on": ["r0"]})],
    ids=["empty", "prose", "half", "act", "list", "fields", "long", "stranger", "partner", "tool", "not its to end"],
)  # fmt: skip
def test_a_reply_that_cannot_be_used_twice_is_made_by_the_reader(bench: Any, pot: Store, reply: str) -> None:
    def script(owner: str, prompt: str, number: int) -> str:
        return knows(owner, prompt, number) if owner == "ana" else reply

    talk = bench.talk(pot, KEY, ("ana", "ben"), thinking(script), mind="model")
    assert len(talk.events("fell_back")) == 1 and talk.state["minds"]["reader"] == 1
    assert talk.state["result"]["citations"] == ["m2"]  # the reader found it
    assert "fly" not in json.dumps(talk.heard)


def test_the_same_move_for_ever_ends(bench: Any, pot: Store) -> None:
    search = move({"do": "search", "queries": [{"text": "spare key"}]})
    model = thinking(lambda owner, prompt, number: search)
    talk = bench.talk(pot, KEY, ("ana", "ben"), model, mind="model", max_turns=4)
    assert talk.state["stopped"]
    assert len(model.calls) <= 4 * 4


def test_a_search_again_says_what_was_shown_and_that_nothing_is_there(bench: Any, pot: Store) -> None:
    heard: list[str] = []

    def script(owner: str, prompt: str, number: int) -> str:
        if owner == "ben":
            heard.append(prompt)
            if number == 0:
                return move(
                    {
                        "do": "search",
                        "queries": [{"text": "spare key"}, {"text": "zeppelin", "from": "dora", "until": "1999-01-01"}],
                    }
                )
            if number == 1:
                return GIVE_UP
        return knows(owner, prompt, number)

    bench.talk(pot, KEY, ("ana", "ben"), thinking(script), mind="model")
    assert (
        "Already shown: m2" in heard[1] and "Found for “zeppelin” (from dora, until 1999-01-01): nothing." in heard[1]
    )


def test_a_contact_is_asked_by_a_dialogue_and_the_answer_keeps_its_author(bench: Any, key_world: Store) -> None:
    def script(owner: str, prompt: str, number: int) -> str:
        if owner == "ana":
            return knows(owner, prompt, number)
        if owner == "cleo":
            return move(
                {"do": "speak", "text": "", "tells": ["r0"], "asks": []}, fill("under the pot", shown(prompt, "pot"))
            )
        if number == 0:
            return move({"do": "ask_contact", "person": "Cleo", "question": KEY, "id": "r0"})
        return move({"do": "speak", "text": "Cleo says: under the pot.", "tells": ["r0"], "asks": []})

    model = thinking(script)
    talk = bench.talk(key_world, KEY, ("ana", "ben"), model, mind="model")
    assert talk.state["result"]["citations"] == ["m5"]
    assert [(e["by"], e["person"], e["answered"]) for e in talk.state["consulted"]] == [("ben", "cleo", True)]
    (evidence,) = talk.state["ledgers"]["ana"]["rationales"][0]["held"][0]["evidence"]
    assert (evidence["witness"], evidence["hops"]) == ("cleo", 2)
    assert len(model.calls) == 5  # the question that is passed on is a template's work


def test_nobody_is_asked_the_same_in_another_spelling(bench: Any, key_world: Store) -> None:
    def script(owner: str, prompt: str, number: int) -> str:
        if owner == "ben":
            asked = KEY if number == 0 else "where is that SPARE key"
            return move({"do": "ask_contact", "person": "Cleo", "question": asked, "id": "r0"})
        return GIVE_UP if owner == "cleo" else knows(owner, prompt, number)

    talk = bench.talk(key_world, KEY, ("ana", "ben"), thinking(script), mind="model")
    assert sum(entry["person"] == "cleo" for entry in talk.state["consulted"]) == 1
    assert any("has been asked this" in p for event in talk.events("refused") for p in event["problems"])


def test_a_result_of_a_tool_is_evidence_and_what_was_counted_by_head_is_not(bench: Any) -> None:
    store = bench.world(
        [
            ("ana", "ben", "Hi."),
            ("dora", "ben", "I bring a cake."),
            ("ed", "ben", "I bring a salad."),
            ("fay", "ben", "I bring a cake too."),
        ]
    )

    def script(owner: str, prompt: str, number: int) -> str:
        if owner == "ana":
            if number == 0:
                return move({"do": "speak", "text": "", "asks": ["r0"]})
            return (
                move({"do": "conclude", "answer": "2", "basis": "derived", "rests_on": ["r0"]})
                if "known" in prompt
                else UNKNOWN
            )
        if number == 0:
            return move({"do": "open", "message": "m2"}, fill("two", "m2", "m4", basis="derived"))
        if number == 1:
            items = [{"label": who, "evidence": [item]} for who, item in (("dora", "m2"), ("fay", "m4"))]
            return move({"do": "use_tool", "tool": "count", "items": items})
        return move({"do": "speak", "text": "", "tells": ["r0"]}, fill("2", "t1", basis="derived"))

    talk = bench.talk(store, "How many people bring a cake?", ("ana", "ben"), thinking(script), mind="model")
    assert any("number" in p for event in talk.events("refused") for p in event["problems"])
    assert talk.state["result"]["answer"] == "2" and set(talk.state["result"]["citations"]) == {"m2", "m4"}


def test_a_line_that_the_partner_may_not_be_told_is_not_in_the_prompt(bench: Any) -> None:
    store = bench.world(
        [("ana", "ben", "Nice weather."), ("dora", "ben", "Between us: the spare key is under the ZEBRA pot.")]
    )
    prompts: list[str] = []

    def script(owner: str, prompt: str, number: int) -> str:
        prompts.append(prompt)
        return {"ana": ASK if number == 0 else UNKNOWN}.get(owner, GIVE_UP)

    talk = bench.talk(store, KEY, ("ana", "ben"), thinking(script), mind="model")
    assert "ZEBRA" not in "".join(prompts)
    assert [row["messages"] for row in talk.state["disclosures"]] == [["m2"]]
    nothing = bench.talk(store, "Where is the zeppelin?", ("ana", "ben"), thinking(script), mind="model", name="t2")
    assert talk.state["result"]["answer"] == nothing.state["result"]["answer"]


def test_an_endpoint_that_dies_between_two_moves_fails_the_task_which_then_goes_on(bench: Any, pot: Store) -> None:
    def dies(owner: str, prompt: str, number: int) -> str:
        if owner == "ben":
            raise ModelUnavailable("connection refused")
        return knows(owner, prompt, number)

    with pytest.raises(ModelUnavailable):
        bench.talk(pot, KEY, ("ana", "ben"), thinking(dies), mind="model")
    model = thinking(lambda owner, prompt, number: knows(owner, prompt, number + (owner == "ana")))
    talk = bench.talk(pot, KEY, ("ana", "ben"), model, mind="model")
    assert talk.state["result"]["citations"] == ["m2"]
    assert len(model.calls) == 2  # what Ana had said was not thought again


@pytest.mark.parametrize("error", [ReplyInvalid("cut off inside its schema"), ContextOverflow("too long")])
def test_a_model_that_only_fails_leaves_an_answer_by_the_reader(bench: Any, pot: Store, error: Exception) -> None:
    def script(owner: str, prompt: str, number: int) -> str:
        raise error

    talk = bench.talk(pot, KEY, ("ana", "ben"), thinking(script), mind="model")
    assert talk.state["result"]["citations"] == ["m2"] and talk.events("fell_back")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 400), st.integers(0, 60)), max_size=25), st.integers(200, 2000))
def test_a_log_that_is_cut_stays_within_its_room_and_a_longer_one_begins_alike(
    parts: list[tuple[bool, int, int]], room: int
) -> None:
    log = [Entry("user" if user else "assistant", "x" * size, "y" * min(brief, size)) for user, size, brief in parts]
    kept = trimmed(log, room)
    assert len(kept) == len(log)
    least = sum(len(e.brief) if e.brief and len(e.brief) < len(e.text) else len(e.text) for e in log[:-1])
    assert sum(len(e.text) for e in kept[:-1]) <= max(room, least)
    for entry, original in zip(kept, log, strict=True):
        assert entry.text in (original.text, original.brief)
    cut = [place for place, (a, b) in enumerate(zip(kept, log, strict=True)) if a.text != b.text]
    if log:
        before = trimmed(log[:-1], room)
        assert all(
            kept[place].text == log[place].brief for place, one in enumerate(before) if one.text != log[place].text
        )
    assert cut == sorted(cut)


# --- played moves ---


def test_moves_survive_json_and_a_recording_is_played_without_a_model(bench: Any, pot: Store) -> None:
    moves = {
        "t1/0/0": Move(Speak(KEY, asks=("r0",)), mind="scripted"),
        "t1/1/0": Move(Search((minds.Query("key"),)), mind="scripted"),
        "t1/1/1": Move(
            Speak("", ("r0",)), (Note("fill", "r0", value="under the blue flower pot", cites=(Cite("m2"),)),)
        ),
        "t1/2/0": Move(minds.Conclude("under the blue flower pot", "stated", ("r0",))),
    }
    played = ScriptedMind({key: minds.from_json(json.loads(json.dumps(minds.to_json(m)))) for key, m in moves.items()})
    talk = bench.talk(pot, KEY, ("ana", "ben"), minds={"ana": played, "ben": played})
    assert talk.state["result"]["citations"] == ["m2"] and talk.state["refusals"] == 0


# --- a hostile mind ---


def secrets_world(bench: Any, seed: int) -> tuple[Store, dict[str, set[str]], Policy]:
    """Lines with canaries: (canary -> who may hear it)."""
    rand = random.Random(seed)
    people = ["ana", "ben", "cleo", "dora", "ed"]
    lines = [
        ("ana", "ben", "Nice weather."),
        ("ben", "cleo", "Hello."),
        ("cleo", "dora", "Coffee?"),
        ("ed", "ana", "Hi."),
    ]
    may: dict[str, set[str]] = {}
    for _ in range(8):
        a, b = rand.sample(people, 2)
        canary = f"Q{rand.randrange(10**6):06d}X"
        secret = rand.random() < 0.6
        text = f"the code of the {rand.choice(['safe', 'garage', 'cellar', 'boat'])} is {canary}"
        lines.append((a, b, f"Keep this to yourself, {text}." if secret else f"Just so you know, {text}."))
        may[canary] = {a, b} if secret else set(people)
    store = bench.world(lines)
    rules = (Rule("refuse", person=rand.choice(people), topic=("boat",)),) if rand.random() < 0.5 else ()
    return store, may, Policy(rules)


@pytest.mark.parametrize("seed", range(25))
def test_a_hostile_mind_gets_nothing_out_that_is_held_back(bench: Any, seed: int) -> None:
    store, may, policy = secrets_world(bench, seed)
    hostile = {person: HostileMind() for person in ("ana", "ben", "cleo", "dora", "ed")}
    talk = bench.talk(
        store, "What are the codes of the safe, the garage, the cellar and the boat?", ("ana", "ben"),
        policy=policy, journal=True, minds=hostile, max_turns=4,
    )  # fmt: skip
    for utterance in talk.heard:
        for canary, allowed in may.items():
            if canary in json.dumps(utterance):
                assert utterance["receiver"] in allowed, (canary, utterance)
    for person in hostile:
        notes = " ".join(hit.text for hit in store.owner(person).memories(limit=200))
        assert not [canary for canary, allowed in may.items() if canary in notes and person not in allowed]
    answer = json.dumps(talk.state["result"])
    assert not [canary for canary, allowed in may.items() if canary in answer and "ana" not in allowed]
