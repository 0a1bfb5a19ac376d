"""`kith trace`: which run is meant, which events are shown, and how."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from kithnet.app.cli.trace import trace
from kithnet.app.trace_view import Wanted, find, follow, line, select
from kithnet.runtime.errors import InputError, KithnetError, UnknownPerson, UnknownRun
from kithnet.runtime.trace import TraceWriter, read_trace

QUESTION = "Who sold the guitar?"


def make_run(home: Path, world: str, name: str, at: float = 1_000.0) -> Path:
    """A run folder with a short trace; `at`: when it was made."""
    folder = home / "worlds" / world / "runs" / name
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("")
    os.utime(folder / "config.toml", (at, at))
    with TraceWriter(folder / "trace.jsonl") as writer:
        writer.emit("run", run=name, command="simulate", world=world, people=140, ties=588, messages=70_000,
                    model="smollm2-135m", seed=7, tasks=2)  # fmt: skip
        for task, (asker, asked) in {"t1": ("ada", "ben"), "t10": ("cleo", "dev")}.items():
            writer.emit("task", task=task, question=QUESTION, instructor=asker, assistant=asked)
            writer.emit("dialogue", dialogue=task, task=QUESTION, pair=[asker, asked], top=True)
            writer.emit("consult", dialogue=task, person=asked, asks="edda", question=QUESTION, reason="a friend")
            nested = f"{task}.1-edda"
            writer.emit("utterance", dialogue=nested, id=f"u:{nested}:1", turn=1, sender=asked, receiver="edda",
                        text="Who\nsold\x1b[31m it?", claims=[], asks=[], declined=[])  # fmt: skip
            writer.emit("task_done", task=task, status="failed", error="ContextOverflow: too long")
    return folder


def run_kith(*arguments: str) -> Any:
    """The command as typer runs it; KithnetError comes through, as `kith`'s main takes it."""
    app = typer.Typer()
    app.command("trace")(trace)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["trace", *arguments], catch_exceptions=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path))
    make_run(tmp_path, "demo", "simulate-20250303-140200", at=2_000.0)
    make_run(tmp_path, "friends", "ask-20250304-090000", at=3_000.0)
    return tmp_path


def test_a_trace_is_one_line_a_step_with_nothing_unprintable(home: Path) -> None:
    shown = run_kith("simulate-20250303-140200", "--operator").output.splitlines()
    assert len(shown) == 11
    assert "simulate on demo (140 people, 588 ties, 70,000 messages)" in shown[0]
    assert shown[4].endswith("utterance    t1.1-edda      ben -> edda: Who sold [31m it?")


def test_filters_narrow_to_a_kind_a_person_and_a_task_with_its_consultations(home: Path) -> None:
    run = "simulate-20250303-140200"
    kinds = [e["kind"] for e in json.loads(run_kith(run, "--task", "t1", "--operator", "--json").output)["events"]]
    assert kinds == ["task", "dialogue", "consult", "utterance", "task_done"]
    spoken = json.loads(run_kith(run, "-k", "utterance", "-k", "consult", "-p", "dev", "--operator", "--json").output)[
        "events"
    ]
    assert [(event["kind"], event["dialogue"]) for event in spoken] == [("consult", "t10"), ("utterance", "t10.1-edda")]


def test_json_is_one_object_with_the_run_and_its_events(home: Path) -> None:
    told = json.loads(run_kith("last", "--operator", "--json").output)
    assert told["run"] == "ask-20250304-090000" and len(told["events"]) == 11
    assert told["events"][0]["kind"] == "run"


def test_last_is_the_newest_run_of_any_world_or_of_the_named_one(home: Path) -> None:
    assert find(home / "worlds", "last").id == "ask-20250304-090000"
    assert find(home / "worlds", "last", "demo").id == "simulate-20250303-140200"


def test_a_path_is_a_run_folder_or_its_trace(home: Path) -> None:
    folder = home / "worlds" / "demo" / "runs" / "simulate-20250303-140200"
    for path in (folder, folder / "trace.jsonl"):
        assert json.loads(run_kith(str(path), "--json").output)["run"] == folder.name


def test_an_unknown_run_is_an_error_that_names_near_matches(home: Path) -> None:
    with pytest.raises(UnknownRun) as error:
        find(home / "worlds", "simulate-20250303-140201")
    assert "did you mean simulate-20250303-140200" in error.value.hint
    with pytest.raises(UnknownRun, match="no runs yet"):
        find(home / "nowhere", "last")
    assert isinstance(run_kith("nothing-like-it").exception, UnknownRun)


def test_a_run_that_two_worlds_have_needs_the_world(home: Path) -> None:
    make_run(home, "other", "ask-20250304-090000")
    with pytest.raises(UnknownRun, match="2 worlds"):
        find(home / "worlds", "ask-20250304-090000")
    assert "friends" in str(find(home / "worlds", "ask-20250304-090000", "friends").folder)


@pytest.mark.parametrize(
    ("wanted", "error", "hint"),
    [
        (Wanted(kinds=("utterence",)), InputError, "utterance"),
        (Wanted(person="bem"), UnknownPerson, "ben"),
        (Wanted(task="t2"), InputError, "t1"),
    ],
)
def test_a_filter_that_no_event_can_meet_is_an_error_that_says_what_there_is(
    home: Path, wanted: Wanted, error: type[KithnetError], hint: str
) -> None:
    with pytest.raises(error) as raised:
        select(read_trace(find(home / "worlds", "last").trace), wanted)
    assert hint in raised.value.hint


def test_following_shows_what_is_written_meanwhile_and_ends_with_the_run(home: Path) -> None:
    run = find(home / "worlds", "last")
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.extend(event["kind"] for event in follow(run, after=10)))
    reader.start()
    with TraceWriter(run.trace) as writer:
        writer.emit("limit", dialogue="t1", why="60 seconds are spent")
        writer.emit("run_done", seconds=3.0, usage={})
    reader.join(timeout=20)
    assert seen == ["task_done", "limit", "run_done"]
    assert run_kith("last", "--follow").output.splitlines()[-1].endswith("after 3.0 s")


def test_following_as_json_is_refused(home: Path) -> None:
    assert isinstance(run_kith("last", "--follow", "--json").exception, InputError)


def test_an_event_of_a_kind_unknown_to_this_version_is_shown_with_its_fields() -> None:
    assert line({"seq": 1, "t": 2.0, "at": "", "kind": "novel", "size": 3}).split() == ["2.00s", "novel", "size=3"]


def test_every_kind_of_event_has_a_line(home: Path) -> None:
    events: list[dict[str, Any]] = [
        {"kind": "plan", "person": "ada", "questions": ["Who?"]},
        {
            "kind": "recall",
            "person": "ada",
            "question": "Who?",
            "hits": [["m1", 0.5]],
            "searched": 4_312,
            "mode": "fused",
        },
        {"kind": "found", "person": "ada", "question": "Who?", "value": "Dev", "evidence": "m1", "support": 0.5},
        {
            "kind": "disclosure",
            "from": "ada",
            "to": "ben",
            "messages": ["m1"],
            "told": False,
            "rule": "default: private",
        },
        {"kind": "withheld", "person": "ada"},
        {"kind": "model_failed", "purpose": "plan", "why": "cut off"},
        {"kind": "answer", "answer": "Dev", "citations": [], "stopped_because": "settled"},
        {"kind": "ledgers", "instructor": [{"id": "r0", "status": "known"}], "assistant": []},
        {"kind": "task_done", "task": "t1", "status": "done", "answer": "Dev", "citations": ["m1"], "correct": None},
    ]
    told = [line({"t": 0.0, "dialogue": "t1", **event}).split(None, 3)[3] for event in events]
    assert told == [
        "ada: Who?",
        "ada for “Who?”: m1 0.50 (4,312 searched, fused)",
        "ada in m1 (support 0.5): Dev",
        "ada -> ben m1: refused (default: private)",
        "ada: the text would have repeated a refused memory",
        "plan: cut off",
        "Dev [no evidence; settled]",
        "instructor: r0 known; assistant: empty",
        "Dev [cites m1; None turns, None s]",
    ]
