"""The frame of the command line: one JSON object or text, exit statuses, the person at the terminal."""

import asyncio
import io
import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path

import pytest

from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.disclosure.sensitivity import Item
from kithnet.app.cast import Cast, names_of, policy_of
from kithnet.app.cli import main, output
from kithnet.app.locate import settings, world_named
from kithnet.app.terminal import TerminalOwner
from kithnet.memory.rows import Person
from kithnet.memory.store import Store
from kithnet.network import records
from kithnet.runtime.config import Config, RuleConfig
from kithnet.runtime.errors import (
    ConfigError,
    InputError,
    IsolatedPerson,
    KithnetError,
    ModelUnavailable,
    StorageError,
    UnknownPerson,
    UnknownWorld,
)

SECRET = Item(("m1",), "I am moving to Lisbon.", "Lisbon", "confidence", frozenset())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def small_world(folder: Path) -> Store:
    people = [
        records.Person("ana", "Ana", aliases=("Annie",)),
        records.Person("ben", "Ben"),
        records.Person("ed", "Ed"),
    ]
    messages = [records.ChatMessage(0, "ana", "ben", "Hello Ben.", datetime(2024, 5, 1), "s1")]
    store = Store.create(folder / "kith.db", {"kind": "test"})
    store.ingest(people, [records.Tie("ana", "ben")], messages)
    return store


@pytest.mark.parametrize(
    "error", [InputError("wrong", "do this"), ModelUnavailable("gone"), StorageError("full", "free space")]
)
def test_an_error_is_one_json_object_or_two_lines_on_stderr(
    error: KithnetError, capsys: pytest.CaptureFixture[str]
) -> None:
    assert output.fail(error, as_json=True) == error.exit_status
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "error": {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    }
    assert told.err == ""
    assert output.fail(error, as_json=False) == error.exit_status
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [f"error: {error.message}", *([f"  -> {error.hint}"] if error.hint else [])]


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["ask"], ["ask", "ana", "ben", "x", "--nope"], ["simulate", "w", "--tasks", "many"]]
)
def test_a_wrong_command_line_is_bad_input_that_names_the_help(
    home: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "InputError"
    assert "--help" in error["hint"]


def test_a_world_must_be_named_only_where_there_are_several(home: Path) -> None:
    with pytest.raises(UnknownWorld, match="none yet") as none_yet:
        world_named(None)
    assert "kith world generate" in none_yet.value.hint
    small_world(home / "worlds" / "one").close()
    assert world_named(None).name == "one"
    small_world(home / "worlds" / "two").close()
    with pytest.raises(UnknownWorld, match="one, two"):
        world_named(None)
    with pytest.raises(UnknownWorld) as unknown:
        world_named("three")
    assert "one, two" in unknown.value.hint
    assert world_named("two").folder == home / "worlds" / "two"
    with pytest.raises(UnknownWorld):
        world_named("../one")


def test_settings_come_from_the_file_and_then_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "kith.toml"
    file.write_text("[recall]\nk = 5\n[consult]\ndepth = 1\n")
    assert settings(None, None) == Config()
    chosen = settings(file, ["recall.k=9"])
    assert (chosen.recall.k, chosen.consult.depth) == (9, 1)
    with pytest.raises(ConfigError):
        settings(tmp_path / "none.toml", None)


def test_ctrl_c_at_the_prompt_stops_at_once_and_says_so(home: Path) -> None:
    small_world(home / "worlds" / "one").close()
    script = "import sys; from kithnet.app.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-u", "-c", script, "chat", "ana", "-c", "model.url=http://127.0.0.1:9/v1"]
    pipe = subprocess.PIPE
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background is born with it ignored
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, preexec_fn=heeded)
    try:
        assert child.stdout is not None and "agent of Ana" in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=40) == 130  # though nobody has pressed Enter; a busy machine may take its time
        assert child.stderr is not None
        told = child.stderr.read()
    finally:
        child.kill()
        child.communicate()
    assert told.strip() == "stopped; the same command continues where it stopped"


# --- the owner at the keyboard ---


@pytest.mark.parametrize(
    ("typed", "told"), [("y\n", True), ("Yes \n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_a_yes_at_the_terminal_lets_something_sensitive_out(
    typed: str, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert asyncio.run(TerminalOwner().approve(SECRET, "ben", "Where does she move?")) is told
    shown = capsys.readouterr()
    assert shown.out == ""  # stdout is for the result
    for part in ("ben", "confidence", SECRET.text, "Where does she move?"):
        assert part in shown.err


# --- the cast ---


def test_the_cast_gives_each_person_one_agent_with_its_own_contacts_and_names(tmp_path: Path) -> None:
    with small_world(tmp_path) as store:
        cast = Cast(store, Policy())
        ana = cast.agent("ana")
        assert cast.agent("ana") is ana
        assert (ana.name, ana.names, ana.tie("ben"), ana.tie("ed")) == ("Ana", ("Ana", "ana", "Annie"), 1, 0)
        assert [contact.person for contact in ana.contacts] == ["ben"]
        assert ana.memory.owner == "ana"
        with pytest.raises(UnknownPerson):
            cast.agent("nobody")
        with pytest.raises(IsolatedPerson, match="Ed") as alone:
            cast.need_ties("ana", "ed")
        assert alone.value.hint


def test_an_owner_may_answer_for_one_person_only(tmp_path: Path) -> None:
    with small_world(tmp_path) as store:
        cast = Cast(store, Policy())
        owner = TerminalOwner()
        assert cast.with_owner("ana", owner).owner is owner
        assert cast.agent("ana").owner is owner
        assert cast.agent("ben").owner is not owner


def test_a_person_s_names_are_listed_once_the_shown_one_first() -> None:
    assert names_of(Person("ana", "Ana", "", ("Annie", "ana"))) == ("Ana", "ana", "Annie")


def test_rules_of_the_configuration_decide_in_their_order() -> None:
    rules = (
        RuleConfig(person="ben", topic="moving, lisbon", action="refuse", after=date(2024, 5, 1)),
        RuleConfig(sensitivity="private", action="tell", min_tie=3),
    )
    policy = policy_of(replace(Config().disclosure, rules=rules, default_sensitive="refuse"))
    assert [rule.action for rule in policy.rules] == ["refuse", "tell"]
    assert policy.default_sensitive == "refuse"
    dated = replace(SECRET, at=datetime(2024, 5, 1, 8))
    assert policy.rules[0].fits(dated, "ben", 1)
    assert not policy.rules[0].fits(dated, "ana", 1)
    assert not policy.rules[0].fits(replace(dated, at=datetime(2024, 4, 30)), "ben", 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask", "ana", "ben", "What \udcff is it?"], "not UTF-8"),
        (["trace", "x" * 5000], "too long"),
        (["ask", "ana", "ben", "Why?", "-c", "model.url=http://127.0.0.1:99999/v1"], "not a web address"),
        (["ask", "ana", "ben", "Why?", "-c", "model.url=http://[::bad/v1"], "not a web address"),
    ],
)
def test_input_that_no_system_call_would_take_is_a_plain_error(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    small_world(home / "worlds" / "w").close()
    assert main([*arguments, "--json"]) == 2
    assert says in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_home_of_nobody_is_a_plain_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KITHNET_HOME", "~nobody-of-this-name/x")
    assert main(["world", "list", "--json"]) == 2
    assert "KITHNET_HOME" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_an_empty_database_is_no_world(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "worlds" / "w").mkdir(parents=True)
    (home / "worlds" / "w" / "kith.db").touch()
    assert main(["world", "show", "w", "--json"]) == 2
    assert "no world" in json.loads(capsys.readouterr().out)["error"]["message"]
