"""Personal agents as models: sessions, partners, what is kept and what is held back."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import pytest

from kithnet.app.server.serving import services
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config, ServeConfig
from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.scripted import ScriptedModel

Serve = Callable[..., Any]
LINES = [
    ("dora", "cleo", "The spare key is under the blue flower pot."),
    ("dora", "cleo", "Promise not to tell anyone, the surprise wedding takes place in Lisbon."),
    ("ed", "cleo", "The hockey game starts at seven."),
]


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    return "Well, let me see."


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "worlds" / "w"
    at = datetime(2024, 5, 1)
    messages = [ChatMessage(n, a, b, t, at + timedelta(hours=n), f"s{n}") for n, (a, b, t) in enumerate(LINES)]
    ties = [Tie(*pair) for pair in sorted({(min(a, b), max(a, b)) for a, b, _ in LINES})]
    with Store.create(folder / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person(p, p.capitalize()) for p in ("cleo", "dora", "ed")], ties, messages)
    return folder


def agents(world: Path, idle: float = 900) -> Callable[[], Any]:
    """Opens the world's agents with a scripted model, as `kith serve --world` does."""
    config = replace(Config(), serve=ServeConfig(idle=idle))
    return lambda: services(world, world.parent / "models", config, ScriptedModel(script, capable=True))


@pytest.fixture
def talk(serve: Serve, world: Path) -> Any:
    return serve(agents(world))


KEY = "Dora told you: “The spare key is under the blue flower pot.”"


def said(live: Any, *texts: str, person: str = "cleo", **more: Any) -> Any:
    """Ask with a conversation of user turns, answered ones before the last."""
    messages: list[Any] = []
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "..."}]
    return live.client.chat.completions.create(model=f"person:{person}", messages=messages[:-1], **more)


def memories(world: Path, person: str = "cleo") -> list[str]:
    with Store.open(world / "kith.db") as store:
        return [memory.text for memory in store.owner(person).memories(limit=50) if memory.kind == "summary"]


def test_an_agent_answers_from_its_memory_and_says_which(talk: Any) -> None:
    got = said(talk, "Where is the spare key?")
    assert got.choices[0].message.content == KEY
    assert got.model_extra["kithnet"] == {"used": ["m1"]}
    assert got.usage.completion_tokens == 0  # the reader answers without the chat model
    chunks = list(said(talk, "Where is the spare key?", stream=True))
    words = [c.delta.content for chunk in chunks for c in chunk.choices if c.delta.content]
    assert "".join(words) == KEY
    assert words[:3] == ["Dora", " told", " you:"]
    (told,) = [chunk.model_extra["kithnet"] for chunk in chunks if "kithnet" in (chunk.model_extra or {})]
    assert "m1" in told["used"]


def test_a_partner_hears_no_confidence_and_a_name_that_is_nobody_s_opens_nothing(talk: Any) -> None:
    question = "Where does the surprise wedding take place?"
    assert said(talk, question).model_extra["kithnet"]["used"] == ["m2"]
    told = said(talk, question, user="ed").model_extra["kithnet"]
    assert told == {"used": []}
    for user in ("nobody", "@owner", ""):
        with pytest.raises(openai.NotFoundError) as raised:
            said(talk, question, user=user)
        assert raised.value.code == "person_not_found"
    with pytest.raises(openai.BadRequestError):
        said(talk, question, user="cleo")
    with pytest.raises(openai.NotFoundError):
        said(talk, question, person="nobody")


def test_one_user_turn_begins_a_new_session_and_more_continue_it(talk: Any, world: Path) -> None:
    said(talk, "I have bought a purple bicycle.")
    said(talk, "I have bought a purple bicycle.", "It is named Otto.")
    assert memories(world) == []
    said(talk, "Good evening.", user="ed")
    assert memories(world) == []
    said(talk, "Good morning.")
    (first,) = memories(world)
    assert "purple bicycle" in first and "named Otto" in first
    assert talk.metric("kith_sessions") == 2
    talk.stop()
    assert len(memories(world)) == 3


def test_a_conversation_that_falls_silent_is_written_down(serve: Serve, world: Path) -> None:
    live = serve(agents(world, idle=0.2))
    said(live, "I have bought a purple bicycle.")
    until = time.monotonic() + 10
    while not memories(world) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(memories(world)) == 1
    assert said(live, "Hello.", "Are you there?").choices[0].message.content


def test_a_model_that_can_looks_back_on_a_talk_that_ends(serve: Serve, world: Path) -> None:
    def looking_back(messages: Sequence[Message], spec: ReplySpec) -> str:
        if spec.purpose != "remember":
            return script(messages, spec)
        line = next(line for line in messages[-1].content.splitlines()[::-1] if "Soup" in line)
        found = {"message": line.split()[0], "kind": "preference", "text": "Cleo: soup, always soup"}
        return json.dumps({"statements": [found]})

    live = serve(lambda: services(world, world.parent / "models", Config(), ScriptedModel(looking_back, capable=True)))
    said(live, "Soup, always soup.")
    live.stop()
    with Store.open(world / "kith.db") as store:
        assert "Cleo: soup, always soup" in [memory.text for memory in store.owner("cleo").memories()]


def test_a_model_that_is_gone_when_a_talk_ends_costs_no_memory(serve: Serve, world: Path) -> None:
    def gone(messages: Sequence[Message], spec: ReplySpec) -> str:
        if spec.purpose == "remember":
            raise ModelUnavailable("the endpoint does not answer", "start it")
        return script(messages, spec)

    live = serve(lambda: services(world, world.parent / "models", Config(), ScriptedModel(gone, capable=True)))
    said(live, "I have bought a purple bicycle.")
    live.stop()
    assert any("purple bicycle" in text for text in memories(world))


def test_requests_of_one_conversation_wait_for_each_other(talk: Any, world: Path) -> None:
    said(talk, "Hello.")
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda n: said(talk, "Hello.", f"This is number {n}."), range(4)))
    assert [one.choices[0].message.content for one in got] != [""] * 4
    talk.stop()
    (memory,) = memories(world)
    assert all(f"number {n}" in memory for n in range(4))


def test_people_are_listed_and_found_by_their_names(talk: Any) -> None:
    assert [m.id for m in talk.client.models.list()] == ["scripted", "person:cleo", "person:dora", "person:ed"]
    assert talk.client.models.retrieve("person:Cleo").id == "person:cleo"
    with pytest.raises(openai.NotFoundError):
        talk.client.models.retrieve("person:nobody")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": "x"}, "stop"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
    ],
)
def test_what_an_agent_cannot_do_is_refused(talk: Any, more: dict[str, Any], param: str) -> None:
    body = {"model": "person:cleo", "messages": [{"role": "user", "content": "Hi"}], **more}
    got = talk.http.post("/v1/chat/completions", json=body)
    assert (got.status_code, got.json()["error"]["param"]) == (400, param), json.dumps(got.json())


def test_instructions_of_the_client_are_left_aside(talk: Any) -> None:
    messages = [{"role": "system", "content": "You are a pirate."}, {"role": "user", "content": "Hello."}]
    got = talk.http.post("/v1/chat/completions", json={"model": "person:cleo", "messages": messages, "user": "ed"})
    assert got.status_code == 200
