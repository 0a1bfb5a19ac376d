"""A run of InformativeBench: every item in every arm, each outcome kept as it comes, so that a run can go on later."""

import asyncio
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast, get_args

from filelock import FileLock, Timeout

from kithnet.app import engines, minds
from kithnet.app.cast import policy_of
from kithnet.app.collaborate import settings_of
from kithnet.bench.informative import arms, needle, playing, results, suites, summary
from kithnet.bench.informative.arms import OURS, Arm
from kithnet.bench.informative.cached import CachedModel
from kithnet.bench.informative.item import Item, Setting
from kithnet.bench.informative.playing import Open, Outcome, Table
from kithnet.bench.informative.summary import Leaks
from kithnet.bench.informative.wordings import Wordings
from kithnet.bench.report import Result, machine
from kithnet.memory.vectors import Embedder
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, WorldBusy
from kithnet.runtime.files import storing
from kithnet.runtime.limits import Limits

Tell = Callable[[int, int, str], None]
WORLDS = "worlds"
"""The folder of a run in which items' worlds lie while they are played."""
LEAK = "refused"
"""The arm of the probes in which nobody may tell the answer."""


@dataclass(frozen=True)
class Plan:
    """What to run. count: items of each family, None for the paper's sizes. leaks: probes for refused facts."""

    suite: str = "classic"
    count: int | None = None
    seed: int = 7
    wordings: Wordings = "dev"
    data: tuple[Path, ...] = ()
    arms: tuple[str, ...] = ()
    leaks: int = 40

    def key(self, config: Config) -> str:
        """The name of the run's folder: what its outcomes depend on, the arms apart."""
        files = [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in self.data]
        parts = [self.suite, self.count, self.seed, self.wordings, files, config.to_toml()]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
        return f"{self.suite}-{self.wordings}-{self.seed}-{digest}"


def wordings_of(name: str) -> Wordings:
    """The set of wordings of this name. Raises InputError."""
    for known in get_args(Wordings):
        if name == known:
            return cast(Wordings, known)
    raise InputError(f"there are no wordings {name!r}", f"choose {' or '.join(get_args(Wordings))}")


@dataclass(frozen=True)
class Ran:
    """A run that ended. folder: holds results.json, report.html, outcomes.jsonl, calls and traces."""

    result: Result
    folder: Path


@dataclass
class _Job:
    """One item in one arm, still to be played."""

    item: Item
    arm: Arm
    refused: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.item.id, LEAK if self.refused else self.arm.name


@dataclass
class _Work:
    """What a run holds open."""

    folder: Path
    ledger: results.Ledger
    table: Table
    replay: bool
    tell: Tell
    done: int
    total: int
    models: dict[str, ChatModel] = field(default_factory=dict)


def run(
    home: Path, models: Path, config: Config, plan: Plan, tell: Tell, *, fresh: bool = False, replay: bool = False,
    model: ChatModel | None = None, embedder: Embedder | None = None,
) -> Ran:  # fmt: skip
    """Run the plan, or go on with the run of the same plan and settings; writes results.json and report.html.

    fresh: throw away what there is. replay: answer from the calls that the run recorded, without a model; its outcomes are
    made anew. model, embedder: in place of the configured ones. Raises InputError for what a person can mend, ModelUnavailable
    when the model is gone: the same command then goes on.
    """
    started = time.perf_counter()
    chosen = arms.chosen(plan.arms or suites.ARMS.get(plan.suite, ()))
    items = suites.draw(plan.suite, plan.count, plan.seed, plan.wordings, plan.data)
    probes = needle.one_hop(plan.leaks, plan.seed + 1, plan.wordings) if plan.leaks else []
    folder = home / "bench" / "informative" / plan.key(config)
    with _held(folder, fresh=fresh, replay=replay):
        ledger = results.Ledger(folder)
        jobs = _jobs(items, chosen) + [
            _Job(replace(item, id=f"probe-{item.id}"), OURS, refused=True) for item in probes
        ]
        todo = [job for job in jobs if job.key not in ledger.outcomes]
        tell(len(jobs) - len(todo), len(jobs), "")
        if todo:
            asyncio.run(_play_all(folder, models, config, ledger, todo, len(jobs), tell, replay, model, embedder))
        return _ended(
            folder, models, plan, config, items, probes, ledger.outcomes, [arm.name for arm in chosen], started
        )


def _jobs(items: Sequence[Item], chosen: Sequence[Arm]) -> list[_Job]:
    """Items in their order; jobs that share a world in a row, because a large one takes minutes to index."""
    jobs: list[_Job] = []
    for _, some in groupby(items, key=lambda item: id(item.setting)):
        together = list(some)
        jobs += [_Job(item, arm) for item in together for arm in chosen if not arm.all_facts]
        apart = sorted(together, key=lambda item: item.instructor)
        jobs += [_Job(item, arm) for item in apart for arm in chosen if arm.all_facts]
    return jobs


@contextmanager
def _held(folder: Path, *, fresh: bool, replay: bool) -> Iterator[None]:
    """The run's folder for this process alone."""
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout as busy:
        raise WorldBusy(f"another process is at the run {folder.name}", "wait until it has ended") from busy
    try:
        if fresh:
            shutil.rmtree(folder)
        elif replay:
            (folder / results.OUTCOMES).unlink(missing_ok=True)
        yield
    finally:
        lock.release()


async def _play_all(
    folder: Path, models: Path, config: Config, ledger: results.Ledger, todo: Sequence[_Job], total: int, tell: Tell,
    replay: bool, model: ChatModel | None, embedder: Embedder | None,
) -> None:  # fmt: skip
    with ExitStack() as stack:
        loaded = embedder or stack.enter_context(engines.embedder(config, models))
        encoder = playing.Remembering(loaded) if loaded else None
        reader = None if embedder else stack.enter_context(engines.reader(config, models))
        bounds = config.limits
        limits = Limits(bounds.calls or None, bounds.tokens or None, bounds.seconds or None)
        shutil.rmtree(folder / WORLDS, ignore_errors=True)  # of a run that was killed
        for name in ("calls", WORLDS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        replayed = CachedModel(None, _calls(folder, todo[0])) if replay else None
        async with engines.chat_model(config, models, model or replayed) as chat:
            mind = await minds.resolve(config, models, chat)
            table = Table(chat, encoder, settings_of(config, mind), policy_of(config.disclosure), limits, reader)
            await _in_turn(_Work(folder, ledger, table, replay, tell, total - len(todo), total), todo)


async def _in_turn(work: _Work, todo: Sequence[_Job]) -> None:
    """The jobs in their order; a world is made once for the jobs in a row that share it."""
    with ExitStack() as stack:
        at: Setting | None = None
        world: Open | None = None
        for job in todo:
            setting = job.arm.world(job.item.setting, job.item.instructor, job.item.assistant)
            if world is None or setting != at:
                stack.close()
                place = stack.enter_context(tempfile.TemporaryDirectory(dir=work.folder / WORLDS))
                world = stack.enter_context(playing.opened(setting, Path(place), work.table.embedder))
                at = setting
            work.tell(work.done, work.total, f"{job.item.id} {job.key[1]}")
            work.ledger.add(await _one(work, job, world))
            work.done += 1
        work.tell(work.done, work.total, "")


async def _one(work: _Work, job: _Job, world: Open) -> Outcome:
    name = job.key[1]
    if name not in work.models:
        work.models[name] = CachedModel(None if work.replay else work.table.model, _calls(work.folder, job))
    table = replace(work.table, model=work.models[name])
    if job.refused:
        table = replace(table, policy=playing.refusing(table.policy, job.item))
    with tempfile.TemporaryDirectory(dir=work.folder / WORLDS) as beside:
        trace = work.folder / "traces" / name / f"{job.item.id}.jsonl"
        outcome = await playing.play(job.item, job.arm, world, table, Path(beside) / job.item.id, trace)
    return replace(outcome, arm=name)


def _calls(folder: Path, job: _Job) -> Path:
    return folder / "calls" / f"{job.key[1]}.jsonl"


def _ended(
    folder: Path, models: Path, plan: Plan, config: Config, items: Sequence[Item], probes: Sequence[Item],
    outcomes: Mapping[tuple[str, str], Outcome], names: Sequence[str], started: float,
) -> Ran:  # fmt: skip
    from kithnet.bench.informative.page import write_page  # matplotlib takes a second

    rows = summary.table(items, outcomes, names, plan.seed)
    bars = summary.bars(plan.suite, items, outcomes, _leaks(probes, outcomes))
    about: dict[str, Any] = {
        "suite": plan.suite, "wordings": plan.wordings, "seed": plan.seed, "items": len(items), "model": config.model.name,
        "url": config.model.url, "arms": list(names), "machine": machine(), 
        "settings": asdict(settings_of(config, minds.expected(config, models))),
    }  # fmt: skip
    ids = {item.id for item in items}
    scores = {
        name: {item: (one.family, one.score) for (item, arm), one in outcomes.items() if arm == name and item in ids}
        for name in names
    }
    results.save(folder, results.Results(about, rows, scores))
    title = f"InformativeBench, {plan.suite} ({plan.wordings} wordings), {config.model.name}"
    result = Result(title, rows, bars, plan.seed, time.perf_counter() - started)
    write_page(folder / "report.html", result, about, items, outcomes, names)
    return Ran(result, folder)


def _leaks(probes: Sequence[Item], outcomes: Mapping[tuple[str, str], Outcome]) -> Leaks | None:
    played = [(one, outcomes[f"probe-{one.id}", LEAK]) for one in probes if (f"probe-{one.id}", LEAK) in outcomes]
    if not played:
        return None
    refused = sum(outcome.refused > 0 for _, outcome in played)
    return Leaks(len(played), refused, sum(playing.leaked(*pair) for pair in played))
