"""`kith simulate`: many tasks over a network, as far apart in time as their people allow, resumable after kill -9."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kithnet.app import collaborate, engines, tasks
from kithnet.app.collaborate import Asked, Scene
from kithnet.app.estimate import Estimate, estimate
from kithnet.app.report import write_report
from kithnet.app.runs import Run, all_runs, new_run
from kithnet.app.tasks import Planned
from kithnet.app.worlds import stored_graph
from kithnet.memory.store import Store
from kithnet.runtime.chat import ChatModel, Usage
from kithnet.runtime.config import Config
from kithnet.runtime.errors import KithnetError, ModelUnavailable
from kithnet.runtime.executor import AsyncExecutor, Executor, Job, Outcome, SerialExecutor
from kithnet.runtime.trace import Trace, read_trace

STALLED = 5
"""Tasks in a row that failed, or met errors and found nothing, after which a run is stopped."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate. in_flight: tasks at once. lockstep: one after another, and the world is left as it was."""

    tasks: int
    seed: int
    in_flight: int = 4
    lockstep: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended. planned = done + failed, unless it was stopped. estimate: what it was thought to cost, of the
    tasks this process had before it. stalled: why it was stopped since nothing moved; "" when it was not.
    """

    run: Run
    planned: int
    done: int
    failed: int
    judged: int
    correct: int
    cites_gold: int
    seconds: float
    usage: Usage
    estimate: Estimate
    stalled: str = ""


@dataclass(frozen=True, slots=True)
class Worked:
    """A task that came to an end. troubled: a reply of the model could not be used, or a limit was reached."""

    asked: Asked
    troubled: bool

    @property
    def moved(self) -> bool:
        """Whether either ledger holds anything."""
        ledgers = self.asked.state["ledgers"].values()
        return any(rationale["held"] for ledger in ledgers for rationale in ledger["rationales"])


class _Watched:
    """A trace that notices trouble."""

    def __init__(self, trace: Trace) -> None:
        self._trace, self.troubled = trace, False

    def emit(self, kind: str, **fields: Any) -> None:
        self.troubled = self.troubled or kind in ("model_failed", "fell_back", "limit")
        self._trace.emit(kind, **fields)


@dataclass(slots=True)
class Tally:
    """What the progress line shows."""

    done: int = 0
    turns: int = 0
    usage: Usage = field(default_factory=Usage)


Tell = Callable[[Tally, int], None]
Foresee = Callable[[Estimate], None]


def simulate(
    world: Path, models: Path, config: Config, plan: Plan, tell: Tell, *, fresh: bool = False,
    model: ChatModel | None = None, operator: bool = False, foresee: Foresee = lambda estimate: None,
) -> Done:  # fmt: skip
    """Run the plan, or go on with the newest unfinished run of the same plan; returns how it ended.

    operator: whether the report also shows what agents withheld, and the talks of others than those who asked.
    foresee: told what it is likely to cost before the first call. A run in which nothing moves is stopped, and the same
    command goes on with the tasks that are left. Raises InputError when the world has too few tasks, WorldBusy when
    another process is at the run.
    """
    run = None if fresh else unfinished(world, config, plan)
    if run is None:
        with Store.open(world / "kith.db") as store:
            drawn = tasks.draw(store, plan.tasks, plan.seed)
        if model is None:
            engines.need_ready(config, models)
        run = new_run(world, "simulate", config)
        tasks.save(run.folder / "tasks.json", drawn)
    started = time.perf_counter()
    foreseen, stalled = asyncio.run(_work(world, models, config, plan, run, tell, model, foresee))
    with Store.open(world / "kith.db") as store:
        write_report(run.folder, stored_graph(store), operator=operator)
    return _ended(run, time.perf_counter() - started, foreseen, stalled)


def unfinished(world: Path, config: Config, plan: Plan) -> Run | None:
    """The newest run with these settings and this plan that has not ended."""
    for run in reversed(all_runs(world)):
        if not (run.folder / "tasks.json").is_file() or run.config.read_text(encoding="utf-8") != config.to_toml():
            continue
        events = list(read_trace(run.trace)) if run.trace.is_file() else []
        begun = next((e for e in events if e["kind"] == "run"), None)
        same = begun is None or (begun["tasks"], begun["seed"], begun["lockstep"]) == (
            plan.tasks, plan.seed, plan.lockstep,
        )  # fmt: skip
        right_size = len(tasks.load(run.folder / "tasks.json")) == plan.tasks
        if same and right_size and not any(e["kind"] == "run_done" for e in events):
            return run
    return None


async def _work(
    world: Path, models: Path, config: Config, plan: Plan, run: Run, tell: Tell, model: ChatModel | None,
    foresee: Foresee,
) -> tuple[Estimate, str]:  # fmt: skip
    """Work on what is left of a run; returns what it was thought to cost, and why it was stopped, "" for one that ended."""
    started = time.perf_counter()
    planned = tasks.load(run.folder / "tasks.json")
    finished = {e["task"] for e in read_trace(run.trace) if e["kind"] == "task_done"} if run.trace.is_file() else set()
    todo = [task for task in planned if task.id not in finished]
    tally = Tally(done=len(finished))
    async with collaborate.scene(world, models, config, run, model=model, journal=not plan.lockstep) as scene:
        told = run.trace.is_file() and any(e["kind"] == "task" for e in read_trace(run.trace))
        _open(scene, world, plan, planned, first=not told)
        executor: Executor = SerialExecutor() if plan.lockstep else AsyncExecutor(plan.in_flight)
        jobs = [Job(task, frozenset({task.instructor, task.assistant})) for task in todo]
        stage = scene.stage
        foreseen = estimate(world, run, config, stage.model.traits.name, stage.settings.mind, len(todo))
        foresee(foreseen)
        tell(tally, len(planned))
        still: list[str] = []
        async with aclosing(executor.run(jobs, lambda task: _one(scene, task))) as outcomes:
            async for outcome in outcomes:
                _record(scene, outcome, tally)
                tell(tally, len(planned))
                still = [*still, outcome.item.id] if _stuck(outcome) else []
                if len(still) == STALLED and tally.done < len(planned):
                    return foreseen, _stall(scene, still, outcome)
        scene.trace.emit(
            "run_done", seconds=round(time.perf_counter() - started, 3), usage=collaborate.usage_json(tally.usage)
        )
        scene.trace.sync()
        return foreseen, ""


def _stuck(outcome: Outcome[Planned, Worked]) -> bool:
    """Whether a task failed, or met trouble and found nothing."""
    return outcome.result is None or (outcome.result.troubled and not outcome.result.moved)


def _stall(scene: Scene, still: list[str], outcome: Outcome[Planned, Worked]) -> str:
    """Write down that nothing moves; returns why."""
    last = _told(outcome.error) if outcome.error else "the model's replies could not be used, or a limit was reached"
    why = f"{len(still)} tasks in a row found nothing and met errors; the last: {last}"
    scene.trace.emit("stalled", tasks=still, why=why)
    scene.trace.sync()
    return why


def _open(scene: Scene, world: Path, plan: Plan, planned: list[Planned], *, first: bool) -> None:
    stats = scene.store.stats()
    scene.trace.emit(
        "run", run=scene.run.id, command="simulate", world=world.name, people=stats.people, ties=stats.ties,
        messages=stats.messages, model=scene.stage.model.traits.name, mind=scene.stage.settings.mind, seed=plan.seed,
        tasks=len(planned), lockstep=plan.lockstep,
    )  # fmt: skip
    for task in planned if first else ():
        scene.trace.emit(
            "task", task=task.id, question=task.question, instructor=task.instructor, assistant=task.assistant,
            task_kind=task.kind, gold=list(task.gold), gold_evidence=list(task.evidence),
        )  # fmt: skip


async def _one(scene: Scene, task: Planned) -> Worked:
    watched = _Watched(scene.trace)
    scene = replace(scene, stage=replace(scene.stage, trace=watched))
    asked = await collaborate.collaborate(scene, task.id, task.question, task.instructor, task.assistant)
    return Worked(asked, watched.troubled)


def _record(scene: Scene, outcome: Outcome[Planned, Worked], tally: Tally) -> None:
    """Write a finished task down; a model that cannot be reached ends the run, so that it can be continued."""
    task = outcome.item
    if isinstance(outcome.error, ModelUnavailable):
        raise outcome.error
    if outcome.error is not None:
        scene.trace.emit("task_done", task=task.id, status="failed", error=_told(outcome.error))
    else:
        assert outcome.result is not None, "a job without an error has a result"
        asked = outcome.result.asked
        told: dict[str, Any] = collaborate.summary(asked)
        correct, cites = tasks.judge(task, told["answer"], told["known"], told["citations"])
        scene.trace.emit("task_done", task=task.id, status="done", correct=correct, cites_gold=cites, **told)
        tally.turns += told["utterances"]
        tally.usage += asked.usage
    scene.trace.sync()
    tally.done += 1


def _told(error: KithnetError) -> str:
    return f"{type(error).__name__}: {error.message}"


def _ended(run: Run, seconds: float, foreseen: Estimate, stalled: str) -> Done:
    ended = {e["task"]: e for e in read_trace(run.trace) if e["kind"] == "task_done"}
    done = [e for e in ended.values() if e["status"] == "done"]
    judged = [e for e in done if e["correct"] is not None]
    usage = Usage()
    for event in done:
        usage += Usage(**event["usage"])
    return Done(
        run, len(tasks.load(run.folder / "tasks.json")), len(done), len(ended) - len(done), len(judged),
        sum(e["correct"] for e in judged), sum(bool(e["cites_gold"]) for e in done), seconds, usage,
        foreseen, stalled,
    )  # fmt: skip
