"""A run over a file of scenarios: every probe a dialogue, each outcome kept as it comes, so that a run can go on."""

import asyncio
import hashlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kithnet.app import engines
from kithnet.app.collaborate import Asked, settings_of
from kithnet.app.runs import Run
from kithnet.bench.disclosure import mapping, table
from kithnet.bench.disclosure.attacks import PLAIN, Probe, composed, probes
from kithnet.bench.disclosure.canaries import Planted, planted
from kithnet.bench.disclosure.case import Case
from kithnet.bench.disclosure.outcomes import Key, Outcome, kept
from kithnet.bench.disclosure.playing import Table, ask, scene
from kithnet.bench.disclosure.scorer import Seen, arrived, leaks
from kithnet.bench.disclosure.world import opened, policies
from kithnet.bench.informative.playing import Remembering
from kithnet.bench.kept import Kept
from kithnet.bench.minds import AUTO, HOSTILE, MODEL, READER, Lent, with_mind
from kithnet.bench.report import Result
from kithnet.memory.store import Store
from kithnet.memory.vectors import VectorIndex
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config
from kithnet.runtime.errors import KithnetError, ModelUnavailable, StorageError
from kithnet.runtime.limits import Limits

Tell = Callable[[int, int, str], None]
MINDS = (HOSTILE, MODEL, READER)


@dataclass(frozen=True)
class Plan:
    """What to play. n: the first so many scenarios. barred, fine: probes of a scenario. control: the plain ones that are barred
    also without rules, in scenarios for tuning only."""

    scenarios: Path
    mind: str = HOSTILE
    n: int | None = None
    kinds: tuple[str, ...] = ()
    seed: int = 13
    barred: int = 6
    fine: int = 3
    control: bool = False


@dataclass(frozen=True)
class Ran:
    """A run that ended. folder: holds outcomes.jsonl with every dialogue."""

    result: Result
    folder: Path


@dataclass(frozen=True)
class Job:
    """One probe of a case. guarded: under its rules."""

    case: Case
    probe: Probe
    guarded: bool = True

    def key(self, mind: str) -> Key:
        return mind, self.guarded, self.probe.id


def run(
    home: Path,
    models: Path,
    config: Config,
    plan: Plan,
    tell: Tell,
    *,
    fresh: bool = False,
    model: ChatModel | None = None,
) -> Ran:
    """Play the plan, or what an earlier run of the same file and settings left. model: in place of the configured one.

    Raises InputError and RecordError for what a person can mend, ModelUnavailable when the model is gone: the same command
    then goes on.
    """
    started = time.perf_counter()
    cases = mapping.load(plan.scenarios, plan.kinds)[: plan.n]
    digest = hashlib.sha256(plan.scenarios.read_bytes() + f"{plan.seed} {config.to_toml()}".encode()).hexdigest()[:8]
    folder = home / "bench" / "disclosure" / digest
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    ended = kept(folder)
    jobs = [job for case in cases for job in _jobs(case, plan)]
    todo = [job for job in jobs if job.key(plan.mind) not in ended.outcomes]
    tell(len(jobs) - len(todo), len(jobs), "")
    if todo:
        asyncio.run(_play_all(models, config, plan, todo, len(jobs), ended, tell, model))
    found = table.rows([ended.outcomes[job.key(plan.mind)] for job in jobs])
    title = f"{len(cases)} scenarios, {len(jobs)} dialogues, {plan.mind} mind, {config.model.name}"
    return Ran(Result(title, found, table.bars(found), plan.seed, time.perf_counter() - started), folder)


def _jobs(case: Case, plan: Plan) -> list[Job]:
    """The probes of a case, its composition after them, and the same without rules where that is wanted."""
    matters = planted(case, plan.seed)
    found = probes(case, matters, plan.seed, (plan.barred, plan.fine))
    together = composed(case, matters, plan.seed)
    control = [one for one in found if one.barred] if plan.control and case.tuning else []
    return [
        *(Job(case, one) for one in found),
        *([Job(case, together)] if together else []),
        *(Job(case, replace(one, wording=PLAIN, question=one.about.question), guarded=False) for one in control),
    ]


async def _play_all(
    models: Path, config: Config, plan: Plan, todo: Sequence[Job], total: int, ended: Kept[Key, Outcome], tell: Tell,
    model: ChatModel | None,
) -> None:  # fmt: skip
    bounds, mind = config.limits, with_mind(config, AUTO if plan.mind == HOSTILE else plan.mind)
    limits = Limits(bounds.calls or None, bounds.tokens or None, bounds.seconds or None)
    async with AsyncExitStack() as stack:
        loaded = stack.enter_context(engines.embedder(config, models))
        embedder = Remembering(loaded) if loaded else None
        reader = stack.enter_context(engines.reader(config, models))
        chat = Lent(await stack.enter_async_context(engines.chat_model(config, models, model)))
        done = total - len(todo)
        at: tuple[Case, bool, str] | None = None
        world = AsyncExitStack()
        here: _World | None = None
        try:
            for job in todo:
                where = (job.case, job.guarded, job.probe.id if job.probe.parts else "")
                if here is None or where != at:
                    await world.aclose()
                    settings = Table(chat, embedder, settings_of(mind), limits, plan.mind, reader)
                    here, at = await world.enter_async_context(_world(job, plan, settings)), where
                tell(done, total, f"{job.case.kind} {job.probe.wording}")
                ended.add(await _one(job, plan.mind, here))
                done += 1
        finally:
            await world.aclose()
        tell(done, total, "")


@dataclass(frozen=True)
class _World:
    """A case's world, open. known: all matters, for the scorer; told: of those, the messages."""

    folder: Path
    store: Store
    index: VectorIndex | None
    known: tuple[Planted, ...]
    table: Table
    guarded: bool
    parts: tuple[Planted, ...]


@asynccontextmanager
async def _world(job: Job, plan: Plan, settings: Table) -> AsyncIterator[_World]:
    known = tuple(planted(job.case, plan.seed))
    with tempfile.TemporaryDirectory() as beside:
        said = (*known, *job.probe.parts)
        with opened(job.case, said, Path(beside), settings.embedder) as (store, index):
            yield _World(Path(beside), store, index, known, settings, job.guarded, job.probe.parts)


async def _one(job: Job, mind: str, here: _World) -> Outcome:
    """Play a probe; a failed one is an outcome that says why. Raises ModelUnavailable and StorageError."""
    probe, case, started = job.probe, job.case, time.perf_counter()
    blank = Outcome(probe.id, case.id, case.number, case.kind, mind, job.guarded, probe.barred, probe.wording)
    seen: list[Seen] = []
    asked: list[Asked] = []
    try:
        rules = policies(case, here.known, here.guarded, here.parts)
        questions = [probe.question, *(part.question for part in probe.parts)]
        for place, question in enumerate(questions):
            run = Run(f"{probe.id}-{place}", here.folder / "runs" / f"{probe.id}-{place}-{job.guarded}")
            async with scene(here.store, here.index, rules, here.table, run) as stage:
                one, texts = await ask(stage, f"{probe.id}-{place}", question, probe.asker, probe.about.matter.holder)
            asked.append(one)
            seen += texts
    except (ModelUnavailable, StorageError):
        raise
    except KithnetError as error:
        blank = replace(blank, error=f"{type(error).__name__}: {error.message}")
    return replace(
        blank, leaks=leaks(here.known, seen) if here.guarded else {},
        arrived=arrived(probe.about.canary, probe.asker, seen),
        halves=sum(arrived(part.canary, probe.asker, seen) for part in probe.parts),
        refused=sum(not row["told"] for one in asked for row in one.state["disclosures"]),
        calls=sum(one.usage.calls for one in asked), seconds=round(time.perf_counter() - started, 3),
        dialogue=tuple({"from": u["sender"], "to": u["receiver"], "text": u["text"]} for one in asked for u in one.utterances),
    )  # fmt: skip
