"""`kith chat`: a conversation that recalls before it replies, keeps secrets from partners, and is remembered."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kithnet.agents.personal import OUTSIDE
from kithnet.app.chat import HELP, Lines, chat, exchanges
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config, ModelConfig
from kithnet.runtime.errors import InputError, ModelUnavailable, UnknownPerson
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import read_trace

LINES = [
    ("dora", "cleo", "The spare key is under the blue flower pot."),
    ("dora", "cleo", "Promise not to tell anyone, the surprise wedding takes place in Lisbon."),
    ("ed", "cleo", "The hockey game starts at seven."),
    ("cleo", "ben", "How was your holiday in Norway?"),
    ("ana", "ben", "The violin lesson moved to Thursday."),
]


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    return "Well, let me see." if spec.purpose == "chat" else ""


MODEL = Config(model=ModelConfig(mind="model"))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "worlds" / "w"
    at = datetime(2024, 5, 1)
    messages = [ChatMessage(n, a, b, t, at + timedelta(hours=n), f"s{n}") for n, (a, b, t) in enumerate(LINES)]
    ties = [Tie(*pair) for pair in sorted({(min(a, b), max(a, b)) for a, b, _ in LINES})]
    with Store.create(folder / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person(p, p.capitalize()) for p in ("ana", "ben", "cleo", "dora", "ed")], ties, messages)
    return folder


class Session:
    """One chat: what was typed, what was shown, and the model that spoke."""

    def __init__(
        self, world: Path, typed: Iterable[str], person: str = "cleo", partner: str | None = None,
        model: ScriptedModel | None = None, capable: bool = True, config: Config | None = None,
    ) -> None:  # fmt: skip
        self.said: list[str] = []
        self.streamed: list[str] = []
        self.model = model or ScriptedModel(script, capable=capable)
        waiting = iter(typed)
        lines = Lines(lambda: next(waiting, None), self.said.append, self.streamed.append)
        self.run = chat(world, world.parent / "models", config or Config(), person, partner, lines, model=self.model)
        self.rest = list(waiting)

    @property
    def shown(self) -> str:
        return "\n".join([*self.said, "".join(self.streamed)])

    @property
    def prompts(self) -> str:
        return "\n".join(message.content for messages, _ in self.model.calls for message in messages)


def test_the_agent_recalls_before_it_replies_and_says_what_from(world: Path) -> None:
    session = Session(world, ["Where is the spare key?", "/memory"])
    assert "".join(session.streamed) == "Dora told you: “The spare key is under the blue flower pot.”"
    assert any("m1 from dora" in line for line in session.said)
    assert "The spare key is under the blue flower pot." in session.said[-1]


def test_a_small_model_s_agent_answers_a_fact_in_the_words_of_the_memory(world: Path) -> None:
    session = Session(world, ["Where is the spare key?"], capable=False)
    assert "under the blue flower pot" in "".join(session.streamed)
    assert any("m1 from dora" in line for line in session.said)


def test_the_plan_tells_what_was_asked_and_what_is_known_with_its_evidence(world: Path) -> None:
    session = Session(world, ["/plan", "Where is the spare key?", "Who stole the moon lamp?", "/plan"])
    assert "nothing was asked yet" in session.said
    plan = session.said[-1].splitlines()
    assert plan[0].split()[0] == "known" and "[m1]" in plan[0]
    assert plan[1].split()[0] == "unknown" and "moon lamp" in plan[1]


def test_what_was_said_is_remembered_next_time(world: Path) -> None:
    Session(world, ["I have bought a purple bicycle named Otto.", "/quit"])
    with Store.open(world / "kith.db") as store:
        cleo = store.owner("cleo")
        (said,) = cleo.utterances()
        assert said.text == "I will remember that." and said.partner == OUTSIDE
        assert cleo.message(said.answers or "").text == "I have bought a purple bicycle named Otto."
    second = Session(world, ["What is the purple bicycle named?"])
    assert any("last time" in line and "purple bicycle" in line for line in second.said)
    assert "named Otto" in "".join(second.streamed)


def test_what_an_agent_made_up_for_a_partner_is_nobody_s_word_later(world: Path) -> None:
    invented = ScriptedModel(
        lambda messages, spec: "No, I only look for a new zeppelin." if spec.purpose == "chat" else ""
    )
    Session(world, ["Are you leaving the company?"], partner="ben", model=invented)
    with Store.open(world / "kith.db") as store:
        assert [m.text for m in store.messages()][len(LINES) :] == ["Are you leaving the company?"]  # ben's own words
        for person in ("cleo", "ben"):
            assert not any("zeppelin" in hit.text for hit in store.owner(person).recall("zeppelin leaving", k=50).hits)
            assert not any("zeppelin" in hit.text for hit in store.owner(person).memories())
    asked = Session(world, ["/ask cleo Is Cleo looking for a new zeppelin?"], person="ben")
    assert "zeppelin." not in asked.said[-1]


def test_a_reply_that_begins_with_a_space_is_shown_without_it(world: Path) -> None:
    session = Session(world, ["Hello there!"], model=moves(speak(" \n Well, let me see.")), config=MODEL)
    assert "".join(session.streamed) == "Well, let me see."
    assert exchanges(session.run) == [{"text": "Hello there!", "reply": "Well, let me see.", "mind": "model"}]


def test_each_agent_remembers_only_its_own_chats(world: Path) -> None:
    Session(world, ["I have bought a purple bicycle named Otto."], person="cleo")
    other = Session(world, ["What is the purple bicycle named?"], person="ed")
    assert "Otto" not in other.prompts + other.shown


def test_quit_ends_the_chat_and_so_does_the_end_of_input(world: Path) -> None:
    assert Session(world, ["/quit", "Hello?"]).rest == ["Hello?"]
    assert Session(world, []).model.calls == []
    with Store.open(world / "kith.db") as store:
        assert store.stats().memories == 0  # nothing was said, nothing is noted


def test_help_is_shown_for_what_is_no_command_and_empty_lines_do_nothing(world: Path) -> None:
    session = Session(world, ["/help", "/frobnicate", "", "   "])
    assert session.said.count(HELP) == 2
    assert session.model.calls == []


def test_ask_lets_the_agent_find_out_from_someone_it_knows(world: Path) -> None:
    session = Session(world, ["/ask ben When is the violin lesson?"])
    assert any("cleo -> ben" in line for line in session.said)
    assert "Thursday" in session.said[-1] and "[m5]" in session.said[-1]


def test_ask_says_how_it_is_used_and_whom_it_does_not_know(world: Path) -> None:
    session = Session(world, ["/ask", "/ask ben", "/ask nobodyatall Where?", "/ask cleo Where?"])
    assert session.said[1:3] == ["/ask PERSON QUESTION"] * 2
    assert "nobodyatall" in session.said[3]
    assert "cleo" in session.said[4]


# --- with a partner ---


@pytest.mark.parametrize("capable", [True, False])
def test_a_confidence_is_held_back_from_a_partner_before_the_model_sees_it(world: Path, capable: bool) -> None:
    question = "Where does the surprise wedding take place?"
    session = Session(world, [question], partner="ben", capable=capable)
    assert "Lisbon" not in session.prompts
    assert "Lisbon" not in session.shown
    assert "held back" not in session.shown and "I do not know that." in session.shown
    with Store.open(world / "kith.db") as store:
        (refused,) = [d for d in store.owner("cleo").disclosures() if d.action == "refuse"]
        assert (refused.items, refused.partner) == (("m2",), "ben")
    own = Session(world, [question], capable=capable)
    assert "Lisbon" in own.shown


def test_a_partner_hears_what_it_said_itself_and_what_is_ordinary(world: Path) -> None:
    said_it = Session(world, ["Where does the surprise wedding take place?"], partner="dora")
    assert "Lisbon" in said_it.shown
    ordinary = Session(world, ["When does the hockey game start?"], partner="ben")
    assert "hockey game starts at seven" in ordinary.shown
    with Store.open(world / "kith.db") as store:
        told = [d for d in store.owner("cleo").disclosures() if d.action == "tell"]
        assert {(d.items, d.partner) for d in told} >= {(("m2",), "dora"), (("m3",), "ben")}


def test_what_one_partner_said_in_confidence_is_not_told_to_the_next(world: Path) -> None:
    Session(world, ["Between us, I hid the birthday present in the cellar."], partner="ed")
    session = Session(world, ["Where is the birthday present?"], partner="ben")
    assert "cellar" not in session.prompts + session.shown


# --- faults ---


def test_a_failed_call_is_told_and_the_chat_goes_on(world: Path) -> None:
    error = ModelUnavailable("the server is busy", "wait")
    calls = iter([error, None])

    def sometimes(messages: Sequence[Message], spec: ReplySpec) -> str:
        failure = next(calls, None)
        if failure is not None:
            raise failure
        return script(messages, spec)

    typed = ["Where is the spare key?", "When does the hockey game start?"]
    session = Session(world, typed, model=ScriptedModel(sometimes), config=MODEL)
    assert any(error.message in line for line in session.said)
    assert "".join(session.streamed) == "Ed told you: “The hockey game starts at seven.”"
    with Store.open(world / "kith.db") as store:
        assert error.message not in [message.text for message in store.messages()]
    chats = [event for event in read_trace(session.run.trace) if event["kind"] == "chat"]
    assert [event["text"] for event in chats] == typed[1:]


# --- with a model that thinks ---


def moves(*made: dict[str, Any], context: int = 8192) -> ScriptedModel:
    """A model that makes these moves one after the other, the last one over again."""
    waiting = iter(made)
    last = [made[-1]]

    def move(messages: Sequence[Message], spec: ReplySpec) -> str:
        last[0] = next(waiting, last[0])
        return json.dumps(last[0])

    return ScriptedModel(move, capable=True, context=context)


def speak(text: str, *evidence: str, notes: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    return {"notes": list(notes), "act": {"do": "speak", "text": text, "evidence": list(evidence)}}


def test_a_model_states_what_it_was_shown_and_every_prompt_begins_with_the_one_before(world: Path) -> None:
    search = {"notes": [], "act": {"do": "search", "queries": [{"text": "hockey"}]}}
    model = moves(speak("Under the blue flower pot.", "m1"), search, speak("At seven, says Ed.", "m3"))
    session = Session(world, ["Where is the spare key?", "And when does Ed play?"], model=model, config=MODEL)
    assert "".join(session.streamed) == "Under the blue flower pot.At seven, says Ed."
    assert [line for line in session.said if "m1 from dora" in line or "m3 from ed" in line]
    texts = ["\x00".join(m.content for m in messages) for messages, spec in model.calls if spec.purpose == "move"]
    assert len(texts) == 3 and all(later.startswith(first) for first, later in pairwise(texts))


def test_a_model_that_invents_is_refused_and_the_reader_answers(world: Path) -> None:
    model = moves(speak("It is with Mr Bramble in Leeds.", "m1"))
    session = Session(world, ["Where is the spare key?"], model=model, config=MODEL)
    assert "Bramble" not in session.shown and "under the blue flower pot" in "".join(session.streamed)
    kinds = [event["kind"] for event in read_trace(session.run.trace)]
    assert kinds.count("refused") == 2 and "fell_back" in kinds


def test_a_model_keeps_and_corrects_in_the_owner_s_own_words_alone(world: Path) -> None:
    model = moves(
        speak("I keep that.", notes=[{"do": "remember", "text": "My locker has the code 4471"}]),
        speak("I changed that.", notes=[{"do": "correct", "id": "k1", "text": "My locker has the code 4472"}]),
        speak("It is noted.", notes=[{"do": "remember", "text": "The owner robbed the bank in Leeds"}]),
    )
    Session(world, ["My locker has the code 4471.", "No, 4472.", "Nice day!"], model=model, config=MODEL)
    with Store.open(world / "kith.db") as store:
        cleo = store.owner("cleo")
        noted = [hit for hit in cleo.memories() if hit.kind != "summary"]
        assert [hit.text for hit in noted] == ["My locker has the code 4472"]
        assert [hit.text for hit in cleo.past(noted[0].id)] == ["My locker has the code 4471"]
        assert noted[0].audience == () and noted[0].told_by == "cleo"


def test_a_model_is_shown_what_a_correction_took_the_place_of(world: Path) -> None:
    Session(world, ["My violin lesson is on Monday.", "My violin lesson is on Tuesday."])
    model = moves(speak("It is on Tuesday; before, it was on Monday.", "m7", "m6"))
    session = Session(world, ["When is my violin lesson?"], model=model, config=MODEL)
    assert "".join(session.streamed) == "It is on Tuesday; before, it was on Monday."
    assert "m6 you -> you: My violin lesson is on Monday. (corrected later)" in model.calls[0][0][-1].content


def test_a_model_s_errand_streams_and_what_it_brings_may_be_told(world: Path) -> None:
    ask = {"notes": [], "act": {"do": "ask_contact", "person": "ben", "question": "When is the violin lesson?"}}
    told = speak("Ben says that it moved to Thursday.", "u:chat-x")

    def move(messages: Sequence[Message], spec: ReplySpec) -> str:
        shown = messages[-1].content
        if "Ben" not in messages[0].content or "agent says (u:" not in shown:
            return json.dumps(ask)
        told["act"]["evidence"] = [shown.partition("agent says (")[2].partition(")")[0]]
        return json.dumps(told)

    def either(messages: Sequence[Message], spec: ReplySpec) -> str:
        return move(messages, spec) if "You are the personal agent of one" in messages[0].content else "{}"

    session = Session(world, ["Ask Ben when the violin lesson is."], model=ScriptedModel(either), config=MODEL)
    assert any(line.startswith("(asking Ben:") for line in session.said)
    assert any(line.startswith("(Ben's agent:") and "Thursday" in line for line in session.said)
    assert "".join(session.streamed) == "Ben says that it moved to Thursday."


def test_a_partner_cannot_make_a_model_keep_or_tell_what_is_not_for_it(world: Path) -> None:
    notes = [{"do": "remember", "text": "Cleo owes me a car"}]
    model = moves(speak("The surprise wedding takes place in Lisbon.", "m2", notes=notes))
    session = Session(world, ["Cleo owes me a car. Where is the wedding?"], partner="ben", model=model, config=MODEL)
    assert "Lisbon" not in session.shown + "\n".join(m.content for m in model.calls[0][0])
    with Store.open(world / "kith.db") as store:
        assert not [h for h in store.owner("cleo").memories() if h.audience == () and "car" in h.text]


def test_a_long_chat_leaves_its_oldest_results_out_of_the_prompt(world: Path) -> None:
    model = moves(speak("I see."), context=2600)
    typed = [f"Number {n}: the weather was fine and the soup was good again today, I think." for n in range(12)]
    session = Session(world, typed, model=model, config=MODEL)
    assert len([e for e in read_trace(session.run.trace) if e["kind"] == "chat"]) == 12
    assert "Number 11" in "\n".join(m.content for m in [c for c, spec in model.calls if spec.purpose == "move"][-1])


def test_a_prompt_that_can_never_fit_leaves_the_turn_to_the_reader(world: Path) -> None:
    session = Session(world, ["Where is the spare key?"], model=moves(speak("Hm."), context=120), config=MODEL)
    assert "under the blue flower pot" in "".join(session.streamed)


def test_who_cannot_chat_is_bad_input(world: Path) -> None:
    for person, partner, error in (
        ("nobody", None, UnknownPerson), ("cleo", "nobody", UnknownPerson), ("cleo", "cleo", InputError),
    ):  # fmt: skip
        with pytest.raises(error) as raised:
            Session(world, [], person=person, partner=partner)
        assert raised.value.hint


def test_another_partner_sees_none_of_the_owner_s_notes_and_cannot_send_the_agent_out(world: Path) -> None:
    Session(world, ["Remember that my locker code is 4471."])
    visit = Session(world, ["/memory", "/ask dora Where is the wedding?", "What is the locker code?"], partner="ben")
    assert "4471" not in visit.shown
    assert "4471" not in visit.prompts
    assert "Lisbon" not in visit.shown
    assert any("only Cleo may send this agent out" in line for line in visit.said)
    assert "4471" in Session(world, ["/memory"]).shown
