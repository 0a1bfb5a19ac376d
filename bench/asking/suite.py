"""A run of questions: every part and mind over the same ones, each outcome kept as it comes, so that a run can go on."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from kithnet.app import collaborate, engines
from kithnet.app.runs import Run
from kithnet.app.worlds import open_world
from kithnet.bench.asking import chosen, friendsqa, locomo, parts, table, worlds, written
from kithnet.bench.asking.outcomes import Key, Outcome, kept
from kithnet.bench.asking.question import Question, Subject
from kithnet.bench.asking.renaming import renamed
from kithnet.bench.kept import Kept
from kithnet.bench.minds import AUTO, Lent, with_mind
from kithnet.bench.report import Result
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, WorldBusy
from kithnet.runtime.executor import AsyncExecutor, Job
from kithnet.runtime.files import storing

Tell = Callable[[int, int, str], None]
SEED = 13
WORLDS = "worlds"


@dataclass(frozen=True)
class Plan:
    """What to ask. friendsqa with friendstv, or locomo, or questions with world: where from. ids: "listed", "all", a path.

    n: the first so many of them. in_flight: questions at once.
    """

    friendsqa: Path | None = None
    friendstv: Path | None = None
    locomo: Path | None = None
    questions: Path | None = None
    world: str = ""
    n: int | None = None
    ids: str = chosen.LISTED
    seed: int = SEED
    minds: tuple[str, ...] = (AUTO,)
    parts: tuple[str, ...] = (parts.WHOLE,)
    in_flight: int = 1

    def __post_init__(self) -> None:
        """Raises InputError for parts that there are not, and for files that do not make one source."""
        for part in self.parts:
            if part not in parts.PARTS:
                raise InputError(f"there is no part {part!r}", f"choose among {', '.join(parts.PARTS)}")
        sources = [self.friendsqa and self.friendstv, self.locomo, self.questions and self.world]
        if sum(bool(one) for one in sources) != 1:
            hint = "give --friendsqa with --friendstv, or --locomo, or --questions with --world"
            raise InputError("questions come from one source", hint)

    @property
    def source(self) -> str:
        return "friendsqa" if self.friendsqa else "locomo" if self.locomo else "questions"

    @property
    def files(self) -> list[Path]:
        """Those that worlds and questions are read from."""
        return [one for one in (self.friendsqa, self.friendstv, self.locomo, self.questions) if one]


@dataclass(frozen=True)
class Ran:
    """A run that ended. folder: holds outcomes.jsonl, and each way's trace."""

    result: Result
    folder: Path


@dataclass(frozen=True)
class _Work:
    """What is at hand while a run goes on."""

    home: Path
    models: Path
    config: Config
    plan: Plan
    folder: Path
    kept: Kept[Key, Outcome]
    tell: Tell
    total: int
    model: ChatModel | None


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
    """Ask the plan's questions, or those that an earlier run of the same files and settings left. model: in place of the
    configured one. Raises InputError and RecordError for what a person can mend, ModelUnavailable when the model is gone:
    the same command then goes on.
    """
    started = time.perf_counter()
    tell(0, 1, "reading the questions")
    subjects = _chosen(_subjects(home, plan), plan)
    questions = [one for subject in subjects for one in subject.questions]
    key = worlds.key_of(plan.files, plan.seed, plan.world, config.to_toml())
    folder = home / "bench" / "asking" / f"{plan.source}-{key}"
    with _held(folder, fresh):
        ended = kept(folder)
        total = len(questions) * len(table.ways(plan.parts, plan.minds))
        work = _Work(home, models, config, plan, folder, ended, tell, total, model)
        asyncio.run(_ask_all(work, subjects))
        rows = table.rows(questions, ended.outcomes, plan.parts, plan.minds)
        bars = table.bars(plan.source, questions, ended.outcomes, plan.parts, plan.minds)
    title = f"{len(questions)} questions of {plan.source}, {config.model.name}{' at a URL' if config.model.url else ''}"
    return Ran(Result(title, rows, bars, plan.seed, time.perf_counter() - started), folder)


def _subjects(home: Path, plan: Plan) -> list[Subject]:
    if plan.friendsqa and plan.friendstv:
        return [friendsqa.load(plan.friendsqa, plan.friendstv, plan.seed)]
    if plan.locomo:
        return locomo.load(plan.locomo, plan.seed)
    assert plan.questions, "a plan has one source"
    with open_world(home / WORLDS, plan.world) as store:
        questions = written.load(plan.questions, store)
        people = [Person(one.id, one.name, one.persona, tuple(one.aliases)) for one in store.people()]
        said = [
            ChatMessage(m.seq, m.sender, m.receivers[0], m.text, m.at, m.session, m.receivers[1:])
            for m in store.messages()
            if m.receivers
        ]
        world = World(people, [Tie(one.a, one.b, one.kind) for one in store.ties()], said)
    return [Subject(plan.world, world, questions)]


def _chosen(subjects: Sequence[Subject], plan: Plan) -> list[Subject]:
    """The subjects with the chosen questions only; one without any is left out."""
    known = [one for subject in subjects for one in subject.questions]
    picked = {one.id for one in chosen.questions(known, plan.ids, plan.source, plan.seed, plan.n)}
    left = [replace(s, questions=tuple(one for one in s.questions if one.id in picked)) for s in subjects]
    return [subject for subject in left if subject.questions]


@contextmanager
def _held(folder: Path, fresh: bool) -> Iterator[None]:
    """The run's folder for this process alone."""
    with storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
        lock.acquire()
    except Timeout as busy:
        raise WorldBusy(f"another process is at the run {folder.name}", "wait until it has ended") from busy
    try:
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        yield
    finally:
        lock.release()


async def _ask_all(work: _Work, subjects: Sequence[Subject]) -> None:
    """Every way over every world. The model is opened when a question is left to ask, and once."""
    async with AsyncExitStack() as stack:
        lent: ChatModel | None = None
        for part, mind in table.ways(work.plan.parts, work.plan.minds):
            for subject in subjects:
                todo = [one for one in subject.questions if (part, mind, one.id) not in work.kept.outcomes]
                if todo and lent is None:
                    chat = await stack.enter_async_context(engines.chat_model(work.config, work.models, work.model))
                    lent = Lent(chat)
                if todo and lent:
                    await _ask(work, part, mind, replace(subject, questions=tuple(todo)), lent)


async def _ask(work: _Work, part: str, mind: str, subject: Subject, lent: ChatModel) -> None:
    """Ask the questions of one world."""
    if part == parts.RENAMED:
        subject = renamed(subject, work.plan.seed)
    config = with_mind(work.config, mind) if mind else work.config
    world = _world(work, part, subject)
    place = work.folder / "-".join(filter(None, (part, mind, subject.name)))
    with storing(place):
        place.mkdir(parents=True, exist_ok=True)
    await _in_flight(work, (part, mind), subject.questions, world, config, Run(place.name, place), lent)


def _world(work: _Work, part: str, subject: Subject) -> Path:
    """The folder of the world: the user's own, or one that is made for its file."""
    if work.plan.questions and part != parts.RENAMED:
        return work.home / WORLDS / work.plan.world
    key = worlds.key_of(work.plan.files, work.plan.seed if part == parts.RENAMED else None)

    def told(what: str) -> None:
        work.tell(min(len(work.kept.outcomes), work.total), work.total, what)

    return worlds.made(work.home / "bench" / "asking" / WORLDS, subject, key, work.models, work.config, told)


async def _in_flight(
    work: _Work, way: tuple[str, str], todo: Sequence[Question], world: Path, config: Config, run: Run, lent: ChatModel
) -> None:
    """Some at once. Nobody notes anything in the world, so questions to the same people do not wait for each other."""
    telling = replace(
        config, disclosure=replace(config.disclosure, default_sensitive="tell")
    )  # it measures finding out alone
    async with collaborate.scene(world, work.models, telling, run, model=lent, journal=False) as scene:
        place = parts.Place.of(scene)

        async def one(question: Question) -> Outcome:
            return await parts.outcome(place, *way, question)

        async for ended in AsyncExecutor(work.plan.in_flight).run([Job(question) for question in todo], one):
            if ended.error:
                raise ended.error
            assert ended.result is not None, "a job without an error has a result"
            work.kept.add(ended.result)
            work.tell(min(len(work.kept.outcomes), work.total), work.total, " ".join(filter(None, way)))
