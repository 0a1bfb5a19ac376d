"""`kith ask`: what it answers, and what it says when it cannot."""

import asyncio
import json
import socket
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kithnet.agents.dialogue.consult import Candidate
from kithnet.agents.dialogue.routing import route
from kithnet.app import collaborate
from kithnet.app.cli import main
from kithnet.app.collaborate import Asked
from kithnet.app.runs import new_run
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, IsolatedPerson, ModelUnavailable, StorageError, UnknownPerson
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import read_trace

LINES = [
    ("ana", "ben", "Are you coming to the concert on Sunday?"),
    ("ben", "ana", "Yes, I will bring the sandwiches."),
    ("ben", "cleo", "How was your holiday in Norway?"),
    ("dora", "cleo", "The spare key is under the blue flower pot."),
]
KEY = "Where is the spare key?"
CONTRACT = {
    "answer", "citations", "mind", "fell_back", "moves", "ledgers", "utterances", "asked", "consulted", "stopped_because",
    "turns", "calls", "tokens", "messages_searched", "disclosures", "seconds", "run",
}  # fmt: skip


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    """What no mind can use: the reader makes every move."""
    return ""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the world `keys`: four people, and Ed, who is tied to nobody. No model is fetched."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KITHNET_HOME", str(folder))
    people = [*(Person(p, p.capitalize()) for p in ("ana", "ben", "cleo", "dora")), Person("ed", "Ed Hermit")]
    ties = [Tie(*pair) for pair in sorted({(min(a, b), max(a, b)) for a, b, _ in LINES})]
    at = datetime(2024, 5, 1)
    messages = [ChatMessage(n, a, b, t, at + timedelta(hours=n), f"s-{a}") for n, (a, b, t) in enumerate(LINES)]
    with Store.create(folder / "worlds" / "keys" / "kith.db", {"kind": "test"}) as store:
        store.ingest(people, ties, messages)
    return folder


@pytest.fixture
def world(home: Path) -> Path:
    return home / "worlds" / "keys"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A loopback port that is bound and refuses."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def asked(world: Path, people: tuple[str, ...] = ("ana", "ben"), question: str = KEY, **more: Any) -> dict[str, Any]:
    model = more.pop("model", None) or ScriptedModel(script, capable=False)
    config = more.pop("config", Config())
    result, run = collaborate.ask(world, world.parent.parent / "models", config, people, question, model=model)
    return collaborate.contract(result, run, operator=more.get("operator", True))


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, str]]:
    """Exit status and error of a command that must fail."""
    capsys.readouterr()
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)["error"]


def test_the_json_contract_of_ask(world: Path) -> None:
    result = asked(world)
    assert result.keys() == CONTRACT
    assert "blue flower pot" in result["answer"]
    assert result["citations"] == ["m4"]
    assert result["ledgers"].keys() == {"instructor", "assistant"}
    for rationale in (*result["ledgers"]["instructor"], *result["ledgers"]["assistant"]):
        assert rationale.keys() >= {"id", "question", "kind", "status", "held", "history"}
    assert all(said.keys() == {"from", "to", "text"} for said in result["utterances"])
    assert result["consulted"] == ["cleo"]
    assert result["tokens"].keys() == {"sent", "evaluated", "generated"}
    assert (result["stopped_because"], result["calls"], result["messages_searched"] > 0) == ("settled", 0, True)
    assert [(d["from"], d["to"]) for d in result["disclosures"] if d["told"]] == [("cleo", "ben"), ("ben", "ana")]
    assert result["seconds"] >= 0
    assert json.loads(json.dumps(result)) == result


def test_utterances_are_listed_in_the_order_they_were_said(world: Path) -> None:
    said = [(u["from"], u["to"]) for u in asked(world)["utterances"]]
    assert said[:4] == [("ana", "ben"), ("ben", "cleo"), ("cleo", "ben"), ("ben", "ana")]


def test_a_run_keeps_its_settings_and_every_step(world: Path) -> None:
    run = world / "runs" / asked(world)["run"]
    assert Config.load(run / "config.toml") == Config()
    kinds = [event["kind"] for event in read_trace(run / "trace.jsonl")]
    assert kinds[:2] == ["run", "task"]
    assert kinds[-2:] == ["task_done", "run_done"]
    assert {"recall", "found", "consult", "utterance", "disclosure", "answer", "ledgers"} <= set(kinds)


def test_people_are_known_by_name_alias_or_beginning(world: Path) -> None:
    assert asked(world, ("ANA", "Be"))["citations"] == ["m4"]


def test_a_limit_of_the_configuration_ends_the_task_with_an_answer(world: Path) -> None:
    result = asked(world, config=Config.load(None, ["limits.calls=1", "model.mind=model"]))
    assert result["stopped_because"].startswith("limit:")
    assert result["answer"]
    assert result["calls"] == 1


def test_depth_zero_asks_no_third_party(world: Path) -> None:
    result = asked(world, config=Config.load(None, ["consult.depth=0"]))
    assert (result["consulted"], result["citations"]) == ([], [])


@pytest.mark.parametrize(
    ("people", "question", "error"),
    [
        (("ana", "benn"), KEY, UnknownPerson),
        (("nobody", "ben"), KEY, UnknownPerson),
        (("ana", "ed"), KEY, IsolatedPerson),
        (("ana", "ben"), "  ", InputError),
        (("ana", "ana"), KEY, InputError),
        (("ed",), KEY, IsolatedPerson),
        (("nobody",), KEY, UnknownPerson),
        (("ana",), "  ", InputError),
    ],
)
def test_what_cannot_be_asked_is_bad_input(
    world: Path, people: tuple[str, ...], question: str, error: type[InputError]
) -> None:
    with pytest.raises(error) as raised:
        asked(world, people, question)
    assert raised.value.exit_status == 2
    assert raised.value.hint
    assert not (world / "runs").exists()


def test_an_unknown_person_is_told_with_near_matches(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, error = failed(capsys, "ask", "chleo", "ben", KEY, "--world", "keys")
    assert (status, error["type"]) == (2, "UnknownPerson")
    assert "cleo" in error["message"] + error["hint"]


def test_bad_input_makes_no_run(home: Path, world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(capsys, "ask", "nobody", "ben", KEY)[0] == 2
    assert failed(capsys, "ask", "ana", "ben", "")[0] == 2
    assert failed(capsys, "ask", "ana", "ana", KEY)[0] == 2
    assert failed(capsys, "ask", "ana", "ed", KEY)[0] == 2
    assert failed(capsys, "ask", "ana", "ben", KEY)[0] == 2  # the model was not fetched
    assert not (world / "runs").exists()


def test_an_unknown_world_and_a_wrong_setting_are_bad_input(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, error = failed(capsys, "ask", "ana", "ben", KEY, "--world", "nowhere")
    assert (status, error["type"]) == (2, "UnknownWorld")
    assert "keys" in error["hint"]
    assert failed(capsys, "ask", "ana", "ben", KEY, "-c", "recall.kk=3")[1]["type"] == "ConfigError"
    assert failed(capsys, "ask", "ana", "ben", KEY, "--config", "none.toml")[1]["type"] == "ConfigError"


def test_a_model_that_was_not_fetched_is_told_with_the_command_that_fetches_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, error = failed(capsys, "ask", "ana", "ben", KEY)
    assert (status, error["type"]) == (2, "UnknownModel")
    assert "kith model fetch" in error["hint"]


def test_an_endpoint_that_refuses_is_exit_status_1_with_a_hint(
    home: Path, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"model.url=http://127.0.0.1:{closed_port}/v1"
    status, error = failed(capsys, "ask", "ana", "ben", KEY, "-c", url, "-c", "model.retries=0")
    assert (status, error["type"]) == (1, "ModelUnavailable")
    assert str(closed_port) in error["message"] + error["hint"]
    assert error["hint"]


def test_a_model_that_goes_away_in_the_middle_is_not_an_answer(world: Path) -> None:
    calls = iter(range(100))

    def gone(messages: Sequence[Message], spec: ReplySpec) -> str:
        if next(calls) >= 3:
            raise ModelUnavailable("the server went away", "start it again")
        return script(messages, spec)

    with pytest.raises(ModelUnavailable):
        asked(world, model=ScriptedModel(gone), config=Config.load(None, ["model.mind=model"]))


def test_a_home_that_takes_no_folders_is_told(world: Path) -> None:
    (world / "runs").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot make") as raised:
        asked(world)
    assert raised.value.exit_status == 1
    assert raised.value.hint


# --- without TO ---


def test_an_agent_without_a_partner_chooses_whom_to_ask(world: Path) -> None:
    result = asked(world, ("ana",))
    assert result["asked"] == ["ben"]
    assert (result["citations"], result["consulted"]) == (["m4"], ["cleo"])


def alone(*changes: str) -> Config:
    """Nobody passes a question on: only the asker asks."""
    return Config.load(None, ["consult.depth=0", *changes])


def test_who_does_not_know_is_followed_by_the_next_and_the_answer_says_whom_it_asked(world: Path) -> None:
    result = asked(world, ("ben",), config=alone())
    assert result["asked"] == ["ana", "cleo"]
    assert "blue flower pot" in result["answer"]
    assert result["citations"] == ["m4"]
    said = [(u["from"], u["to"]) for u in result["utterances"]]
    assert said.index(("ben", "ana")) < said.index(("ben", "cleo"))
    assert [one["asks"] for one in events(world, result) if one["kind"] == "routed"] == ["ana", "cleo"]


def events(world: Path, result: dict[str, Any]) -> list[dict[str, Any]]:
    return list(read_trace(world / "runs" / result["run"] / "trace.jsonl"))


def test_no_more_people_are_asked_than_fan_out_and_budget_allow(world: Path) -> None:
    for limit in ("consult.fan_out=1", "consult.budget=0", "consult.budget=1"):
        result = asked(world, ("ben",), config=alone(limit))
        assert (result["asked"], result["citations"]) == (["ana"], []), limit


def test_the_limits_are_those_of_the_whole_task(world: Path) -> None:
    result = asked(world, ("ben",), config=alone("limits.calls=1", "model.mind=model"))
    assert result["calls"] == 1
    assert result["stopped_because"].startswith("limit:")


def test_nobody_is_asked_the_same_twice(world: Path) -> None:
    result = asked(world, ("ben",), question="Who won the lottery in Lisbon?")
    people = [*result["asked"], *result["consulted"]]
    assert sorted(people) == sorted(set(people))
    assert {"ana", "cleo"} <= set(people)


def test_a_question_that_is_only_a_name_was_left_out(
    home: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, error = failed(capsys, "ask", "ana", "ben")
    assert (status, error["type"]) == (2, "InputError")
    assert "missing" in error["message"]
    assert "kith ask ana ben" in error["hint"]
    assert failed(capsys, "ask", "ana")[0] == 2
    assert failed(capsys, "ask", "ed", KEY)[1]["type"] == "IsolatedPerson"
    assert not (world / "runs").exists()


# --- which mind ---


def test_the_answer_says_which_mind_made_it(world: Path) -> None:
    result = asked(world)
    assert (result["mind"], result["fell_back"]) == ("reader", False)
    assert set(result["moves"]) <= {"reader", "code"}


def test_a_model_that_talks_nonsense_falls_back_and_the_answer_says_so(world: Path) -> None:
    def nonsense(messages: Sequence[Message], spec: ReplySpec) -> str:
        return script(messages, spec) if spec.purpose != "move" else "Well, let me think."

    model = ScriptedModel(nonsense, capable=False)
    result = asked(world, model=model, config=Config.load(None, ["model.mind=model"]))
    assert result["fell_back"] is True
    assert result["moves"]["reader"] > 0
    done = next(e for e in events(world, result) if e["kind"] == "task_done")
    assert (done["fell_back"], done["asked"]) == (True, ["ben"])


def test_messages_go_to_another_machine_with_a_yes_only_and_no_run_is_left(
    home: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = ("-c", "model.url=https://models.example.org/v1")
    for command in (
        ("ask", "ana", "ben", KEY),
        ("ask", "ana", KEY),
        ("chat", "ana"),
        ("simulate", "keys", "--tasks", "1"),
    ):
        status, error = failed(capsys, *command, *away)
        assert (status, error["type"]) == (2, "InputError")
        assert "models.example.org" in error["message"]
        assert "--yes" in error["hint"]
    assert not (world / "runs").exists()
    assert not (home / "remote").exists()


def test_a_task_that_went_to_several_continues_in_its_run_without_a_call(world: Path) -> None:
    """The same run again, as after a kill: dialogues that ended are taken from their checkpoints, in the order chosen first."""
    settings, models = alone("model.mind=model"), world.parent.parent / "models"
    run = new_run(world, "ask", settings)
    order: list[Candidate] = []

    async def go() -> tuple[Asked, int]:
        model = ScriptedModel(script, capable=False)
        async with collaborate.scene(world, models, settings, run, model=model) as scene:
            order.extend([] if order else route(scene.cast.agent("ben"), KEY))
            return await collaborate.seek(scene, "t1", KEY, "ben", order), len(model.calls)

    first, calls = asyncio.run(go())
    again, none = asyncio.run(go())
    assert (first.asked, calls > 0) == (["ana", "cleo"], True)
    assert (again.asked, none) == (first.asked, 0)
    assert again.state["result"] == first.state["result"]
