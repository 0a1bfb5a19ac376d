"""`kith simulate`: every task once, whatever happens in between, with a report at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kithnet.agents.personal import OUTSIDE
from kithnet.app.cli import main
from kithnet.app.cli.simulate import contract, summary
from kithnet.app.estimate import Estimate
from kithnet.app.runs import all_runs
from kithnet.app.simulate import STALLED, Done, Plan, Tally, simulate
from kithnet.app.tasks import draw, load
from kithnet.app.worlds import create_world
from kithnet.memory.store import Store
from kithnet.memory.utterances import CHAT
from kithnet.network.generate import GenerateSpec, generate
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, ModelUnavailable, ReplyInvalid, StorageError, WorldBusy
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import read_trace

CHILD = Path(__file__).with_name("slow_simulation.py")
PLAN = Plan(tasks=4, seed=1, in_flight=2)
MANY = Plan(tasks=12, seed=1, in_flight=1)


MODEL = Config.load(None, ["model.mind=model"])
"""The chat model thinks; what it says here no mind can use, so that the reader makes every move."""


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    return ""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    create_world(tmp_path / "worlds", "w", generate(GenerateSpec(people=10, ties=16, messages=400, seed=3)))
    return tmp_path / "worlds" / "w"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A world without tasks of its own."""
    made = replace(generate(GenerateSpec(people=10, ties=16, messages=400, seed=3)), tasks=())
    create_world(tmp_path / "worlds", "plain", made)
    return tmp_path / "worlds" / "plain"


def run(world: Path, plan: Plan = PLAN, *, model: ScriptedModel | None = None, **more: Any) -> Done:
    told = more.pop("tell", lambda tally, planned: None)
    config = more.pop("config", MODEL)
    chat = model or ScriptedModel(script)
    return simulate(world, world.parent / "models", config, plan, told, model=chat, **more)


def events(done: Done, kind: str = "") -> list[dict[str, Any]]:
    return [event for event in read_trace(done.run.trace) if not kind or event["kind"] == kind]


def test_every_task_is_done_once_and_a_report_is_written(world: Path) -> None:
    tallies: list[tuple[int, int]] = []
    done = run(world, tell=lambda tally, planned: tallies.append((tally.done, planned)))
    assert (done.planned, done.done, done.failed) == (4, 4, 0)
    assert 0 <= done.correct <= done.judged <= 4
    assert done.usage.calls > 0
    assert tallies == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert Counter(event["task"] for event in events(done, "task_done")) == Counter(["t1", "t2", "t3", "t4"])
    assert [event["kind"] for event in events(done)][-1] == "run_done"
    report = done.run.report.read_text("utf-8")
    assert report.lstrip().startswith("<!")
    for task in load(done.run.folder / "tasks.json"):
        assert task.instructor in report or task.instructor.capitalize() in report


def test_a_finished_run_is_not_continued_by_the_same_command(world: Path) -> None:
    first, second = run(world), run(world)
    assert first.run.id != second.run.id
    assert (second.planned, second.done) == (4, 4)


def test_a_dialogue_holds_its_two_agents(world: Path) -> None:
    done = run(world, replace(PLAN, tasks=8, in_flight=8))
    people = {task.id: {task.instructor, task.assistant} for task in load(done.run.folder / "tasks.json")}
    running: set[str] = set()
    for event in events(done):
        if event["kind"] == "dialogue" and event["top"]:
            assert all(not people[event["dialogue"]] & people[other] for other in running)
            running.add(event["dialogue"])
        if event["kind"] == "ledgers":
            running.discard(event["dialogue"])


def test_lockstep_twice_gives_the_same_trace_apart_from_times_and_leaves_no_memories(world: Path) -> None:
    plan = replace(PLAN, lockstep=True)
    first, second = (run(world, plan, fresh=True) for _ in range(2))
    assert first.run.id != second.run.id
    assert timeless(events(first)) == timeless(events(second))
    with Store.open(world / "kith.db") as store:
        assert store.stats().memories == 0


def timeless(value: Any) -> Any:
    """Without clocks and the run's own name."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in ("t", "at", "seconds", "run")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_a_failed_task_is_counted_and_the_others_are_done(world: Path) -> None:
    failing = run(world, replace(PLAN, tasks=8))
    read = [e["question"] for e in events(failing, "found")]
    assert read

    def stumbling(messages: Sequence[Message], spec: ReplySpec) -> str:
        if any(read[0] in message.content for message in messages):
            raise InputError("this one cannot be read", "try another")
        return script(messages, spec)

    done = run(world, replace(PLAN, tasks=8), fresh=True, model=ScriptedModel(stumbling))
    assert done.failed >= 1
    assert done.done + done.failed == done.planned == 8
    (failed, *_) = [event for event in events(done, "task_done") if event["status"] == "failed"]
    assert failed["error"] == "InputError: this one cannot be read"
    assert done.run.report.is_file()


def test_a_run_in_which_nothing_moves_is_stopped_and_the_same_command_goes_on(plain: Path) -> None:
    def useless(messages: Sequence[Message], spec: ReplySpec) -> str:
        raise InputError("this one cannot be read", "try another")

    stopped = run(plain, MANY, model=ScriptedModel(useless, capable=True))
    (event,) = events(stopped, "stalled")
    assert len(event["tasks"]) == STALLED and stopped.stalled == event["why"] and "cannot be read" in event["why"]
    assert stopped.done + stopped.failed < stopped.planned == 12
    assert events(stopped)[-1]["kind"] == "stalled" and stopped.run.report.is_file()
    assert stopped.stalled in summary(stopped) and contract(stopped)["stalled"] == stopped.stalled
    done = run(plain, MANY)
    assert (done.run.id, done.stalled, done.done + done.failed) == (stopped.run.id, "", 12)
    counted = Counter(event["task"] for event in events(done, "task_done"))
    assert set(counted.values()) == {1}


def test_tasks_that_meet_errors_and_find_nothing_stop_a_run_too_and_those_that_find_something_do_not(
    plain: Path,
) -> None:
    def mumbling(messages: Sequence[Message], spec: ReplySpec) -> str:
        raise ReplyInvalid("no JSON came back")

    many, limited = replace(MANY, tasks=7), Config.load(None, ["limits.calls=1", "model.mind=model"])
    stopped = run(plain, many, model=ScriptedModel(mumbling, capable=True), config=limited)
    assert "could not be used" in stopped.stalled and (stopped.done, stopped.failed) == (STALLED, 0)
    assert not any(event["known"] for event in events(stopped, "task_done"))
    found = run(plain, many, model=ScriptedModel(mumbling, capable=True))  # code finds something without the model
    assert (found.stalled, found.done) == ("", 7)


def test_what_a_run_will_cost_is_told_before_its_first_call_and_stands_beside_the_real_cost(world: Path) -> None:
    foreseen: list[Estimate] = []
    model = ScriptedModel(script)

    def foresee(told: Estimate) -> None:
        assert len(model.calls) == 0
        foreseen.append(told)

    first = run(world, model=model, foresee=foresee)
    assert foreseen == [first.estimate]
    assert (first.estimate.basis, first.estimate.runs, first.estimate.seconds) == ("settings", 0, None)
    assert first.estimate.calls >= first.usage.calls > 0 and first.estimate.tasks == 4
    second = run(world, replace(PLAN, tasks=8))
    assert (second.estimate.basis, second.estimate.runs, second.estimate.tasks) == ("runs", 1, 8)
    assert (second.estimate.calls, second.estimate.sent) == (2 * first.usage.calls, 2 * first.usage.sent)
    assert second.estimate.seconds and second.estimate.seconds > 0
    told = contract(second)
    assert told["estimate"] == second.estimate.contract() and told["calls"] == second.usage.calls
    assert "estimated: " in summary(second) and "real: " in summary(second)
    limited = Config.load(None, ["limits.calls=3", "limits.tokens=300", "limits.seconds=60", "model.mind=model"])
    bounded = run(world, config=limited, model=ScriptedModel(script, name="another")).estimate
    assert (bounded.calls, bounded.sent + bounded.generated <= 4 * 300, bounded.seconds) == (12, True, 240)


def test_where_the_reader_thinks_no_model_call_is_foreseen_and_runs_of_another_mind_tell_nothing(world: Path) -> None:
    run(world)
    done = run(world, config=Config.load(None, ["model.mind=reader"]))
    assert (done.estimate.basis, done.estimate.calls, done.estimate.sent) == ("reader", 0, 0)
    assert done.usage.calls == 0 and "the reader thinks for the agents" in done.estimate.told()


def test_a_world_in_which_people_chatted_with_agents_is_simulated(plain: Path) -> None:
    with Store.open(plain / "kith.db") as store:
        person, partner = (one.id for one in store.people()[:2])
        for other in (OUTSIDE, partner):
            said = "My purple unicycle was stolen behind the observatory yesterday evening."
            heard = store.owner(person).write_turn(other, said, sender=other, session=f"{CHAT}{other}")
            invented = "An invented helicopter landed beside the lighthouse this wonderful morning."
            store.owner(person).write_utterance(other, invented, session=f"{CHAT}{other}", answers=heard)
        drawn = [task for seed in range(4) for task in draw(store, 8, seed)]
    assert not any(OUTSIDE in (task.instructor, task.assistant) for task in drawn)
    assert not any(word in task.question for task in drawn for word in ("helicopter", "lighthouse"))
    done = run(plain)
    assert (done.planned, done.done) == (4, 4)


def test_a_model_that_goes_away_ends_the_run_and_the_same_command_goes_on(world: Path) -> None:
    calls = iter(range(1000))

    def dying(messages: Sequence[Message], spec: ReplySpec) -> str:
        if next(calls) >= 4:
            raise ModelUnavailable("the server went away", "start it again")
        return script(messages, spec)

    with pytest.raises(ModelUnavailable):
        run(world, model=ScriptedModel(dying))
    (begun,) = all_runs(world)
    done = run(world)
    assert done.run.id == begun.id
    assert (done.done, done.failed) == (4, 0)
    said = [event["id"] for event in events(done, "utterance")]
    assert len(said) == len(set(said))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_space(world: Path) -> None:
    with pytest.raises(ModelUnavailable):
        run(world, model=ScriptedModel([]))
    (begun,) = all_runs(world)
    begun.trace.unlink()
    begun.trace.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="cannot write") as full:
        run(world)
    assert full.value.exit_status == 1
    assert full.value.hint
    begun.trace.unlink()
    done = run(world)
    assert (done.run.id, done.done) == (begun.id, 4)


def test_other_settings_or_another_plan_begin_a_run_of_their_own(world: Path) -> None:
    gone = ScriptedModel([])
    for plan, config in (
        (PLAN, MODEL),
        (replace(PLAN, seed=2), MODEL),
        (PLAN, Config.load(None, ["recall.k=3", "model.mind=model"])),
    ):
        with pytest.raises(ModelUnavailable):
            run(world, plan, config=config, model=gone)
    assert len(all_runs(world)) == 3


def test_more_tasks_than_the_world_has_is_bad_input_and_makes_no_run(world: Path) -> None:
    with pytest.raises(InputError, match="tasks"):
        run(world, replace(PLAN, tasks=1000))
    assert all_runs(world) == []


def test_a_simulation_killed_in_the_middle_goes_on_and_repeats_no_finished_task(world: Path) -> None:
    child = subprocess.Popen([sys.executable, str(CHILD), str(world), "4"])
    try:
        begun = _wait_for_a_finished_task(world, child)
        with pytest.raises(WorldBusy, match=begun.name):  # two processes on one run
            run(world)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    before = list(read_trace(begun / "trace.jsonl"))
    finished = {event["task"] for event in before if event["kind"] == "task_done"}
    assert 1 <= len(finished) < 4
    model = ScriptedModel(script)
    done = run(world, model=model)
    assert done.run.folder == begun
    assert (done.planned, done.done, done.failed) == (4, 4, 0)
    assert Counter(event["task"] for event in events(done, "task_done")) == Counter(["t1", "t2", "t3", "t4"])
    after = events(done)[len(before) :]
    assert not {event["dialogue"].partition(".")[0] for event in after if "dialogue" in event} & finished
    said = [event["id"] for event in events(done, "utterance")]
    assert len(said) == len(set(said))
    assert done.run.report.is_file()


def _wait_for_a_finished_task(world: Path, child: "subprocess.Popen[bytes]") -> Path:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        assert child.poll() is None, "the child ended before it was killed"
        for trace in world.glob("runs/*/trace.jsonl"):
            if any(event["kind"] == "task_done" for event in read_trace(trace)):
                return trace.parent
        time.sleep(0.02)
    raise AssertionError("no task was finished in time")


def test_the_json_contract_of_simulate(world: Path) -> None:
    done = run(world)
    told = json.loads(json.dumps(contract(done)))
    assert told.keys() >= {"tasks", "run", "report", "seconds", "tokens"}
    assert told["tasks"] == {"planned": 4, "done": 4, "failed": 0}
    assert told["tokens"].keys() == {"sent", "evaluated", "generated"}
    assert Path(told["report"]).is_file()
    assert "4 of 4 tasks done, 0 failed" in summary(done)
    assert Tally().done == 0


def test_the_command_tells_bad_input_as_such(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KITHNET_HOME", str(world.parents[1]))
    for arguments, kind in ((("nowhere",), "UnknownWorld"), (("w", "--tasks", "999"), "InputError"),
                            (("w", "--tasks", "0"), "InputError")):  # fmt: skip
        capsys.readouterr()
        assert main(["simulate", *arguments, "--json"]) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["type"] == kind
        assert error["hint"]
