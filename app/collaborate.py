"""One collaboration from end to end: `kith ask`, and each task of a simulation."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kithnet.agents.dialogue.checkpoints import PrunedSaver, open_saver
from kithnet.agents.dialogue.consult import Candidate
from kithnet.agents.dialogue.graph import Dialogues
from kithnet.agents.dialogue.routing import asked_already, route
from kithnet.agents.dialogue.state import Stage, State
from kithnet.agents.dialogue.turn import LIMIT
from kithnet.agents.disclosure.policy import Owner
from kithnet.agents.minds.mind import Mind
from kithnet.agents.settings import MindName, Settings
from kithnet.app import engine_stats, engines
from kithnet.app import minds as thinking
from kithnet.app.cast import Cast, policy_of
from kithnet.app.runs import Run, held, kept_if_begun, new_run
from kithnet.memory import people as names
from kithnet.memory.store import Store
from kithnet.runtime.chat import ChatModel, Usage
from kithnet.runtime.config import Config
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.errors import InputError, IsolatedPerson, UnknownPerson
from kithnet.runtime.limits import Limits, Meter, limited, metered
from kithnet.runtime.reader import LlamaReader
from kithnet.runtime.trace import TraceWriter


@dataclass(frozen=True)
class Scene:
    """Everything a run works with, open."""

    store: Store
    cast: Cast
    stage: Stage
    saver: PrunedSaver
    trace: TraceWriter
    limits: Limits
    run: Run
    embedder: LlamaEmbedder | None
    reader: LlamaReader | None = None


def settings_of(config: Config, mind: MindName = "reader") -> Settings:
    """The bounds of a collaboration as the agents use them; `mind` is who thinks."""
    return Settings(
        mind=mind,
        steps=config.dialogue.steps,
        max_entries=config.dialogue.max_entries,
        max_turns=config.dialogue.max_turns,
        stall_turns=config.dialogue.stall_turns,
        depth=config.consult.depth,
        fan_out=config.consult.fan_out,
        budget=config.consult.budget,
        k=config.recall.k,
        budget_tokens=config.recall.budget_tokens,
        support=config.recall.support,
        firm=config.recall.firm,
        temperature=config.model.temperature,
        seed=config.model.seed,
        sure=config.reader.sure,
        extract=config.memory.extract,
        tools=config.dialogue.tools,
    )


@asynccontextmanager
async def scene(
    world: Path,
    models: Path,
    config: Config,
    run: Run,
    owner: Owner | None = None,
    model: ChatModel | None = None,
    journal: bool = True,
    minds: Mapping[str, Mind] | None = None,
) -> AsyncIterator[Scene]:
    """Open the world, the models and the run. `model` takes the place of the configured one (scripted runs);
    without `journal` the agents write no memories. minds: by person, who thinks instead of the configured mind."""
    with ExitStack() as stack:
        stack.enter_context(held(run))
        store = stack.enter_context(Store.open(world / "kith.db"))
        embedder = stack.enter_context(engines.embedder(config, models))
        index = stack.enter_context(engines.vectors(store, world, embedder))
        reader = stack.enter_context(engines.reader(config, models))
        trace = stack.enter_context(TraceWriter(run.trace))
        cast = Cast(store, policy_of(config.disclosure), owner=owner, embedder=embedder, index=index, reader=reader)
        async with engines.chat_model(config, models, model) as chat, open_saver(run.state) as saver:
            mind = await thinking.resolve(config, models, chat)
            stage = Stage(chat, cast.agent, settings_of(config, mind), trace, journal, embedder, minds or {})
            bounds = config.limits
            limits = Limits(bounds.calls or None, bounds.tokens or None, bounds.seconds or None)
            try:
                yield Scene(store, cast, stage, saver, trace, limits, run, embedder, reader)
            finally:
                engine_stats.emit(trace, chat)


@dataclass(frozen=True)
class Asked:
    """One finished task. state: the last state of the main dialogue. usage: what this task's model calls cost. chosen: who
    was to think. earlier: the dialogues with those who were asked before, and did not know.
    """

    state: State
    usage: Usage
    seconds: float
    chosen: MindName = "reader"
    earlier: tuple[State, ...] = ()

    @property
    def states(self) -> tuple[State, ...]:
        """The main dialogues, in order."""
        return (*self.earlier, self.state)

    @property
    def asked(self) -> list[str]:
        """Whom the instructor asked, in order; the last one's dialogue gave the answer."""
        return [state["pair"][1] for state in self.states]

    @property
    def consulted(self) -> list[str]:
        """People consulted, in order, without repeats."""
        return list(dict.fromkeys(entry["person"] for state in self.states for entry in state["consulted"]))

    @property
    def utterances(self) -> list[dict[str, Any]]:
        """All that was said, consultations included, in the order it was said."""
        return [said for state in self.states for said in spoken(state)]

    @property
    def turns(self) -> int:
        """Utterances of the main dialogues."""
        return sum(state["turn"] for state in self.states)

    @property
    def searched(self) -> int:
        """Messages that were searched."""
        return sum(state["searched"] for state in self.states)

    @property
    def moves(self) -> dict[str, int]:
        """By mind, how many moves it made; "code" where a template was enough."""
        counts: dict[str, int] = {}
        for state in self.states:
            for name, moves in state["minds"].items():
                counts[name] = counts.get(name, 0) + moves
        return counts

    @property
    def mind(self) -> str:
        """Who made the answer: a mind by name, or "code" where the agreed values stand as they are."""
        name: str = self.state["result"]["mind"]
        return name

    @property
    def fell_back(self) -> bool:
        """Whether the model was to think, and the reader or code had to step in."""
        return self.chosen == "model" and (self.moves.get("reader", 0) > 0 or self.mind == "code")

    @property
    def disclosures(self) -> list[dict[str, Any]]:
        """All that was decided about telling."""
        return [row for state in self.states for row in state["disclosures"]]

    @property
    def consulted_by_asker(self) -> list[str]:
        """People whom the asker's own agent consulted."""
        asker = self.state["pair"][0]
        entries = (entry for state in self.states for entry in state["consulted"])
        return list(dict.fromkeys(entry["person"] for entry in entries if entry["by"] == asker))

    @property
    def heard(self) -> list[dict[str, Any]]:
        """What was said by or to the asker, in the order it was said."""
        asker = self.state["pair"][0]
        return [said for said in self.utterances if asker in (said["sender"], said["receiver"])]


def spoken(state: State) -> list[dict[str, Any]]:
    """Utterances of the main dialogue and its consultations; a consultation stands before the turn it served."""
    return list(_flow(state["id"], state["utterances"], state["consulted"]))


def _flow(dialogue: str, utterances: list[dict[str, Any]], consulted: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for turn in range(len(utterances) + 1):
        for entry in consulted:
            if entry["within"] == dialogue and entry["turn"] == turn:
                yield from _flow(entry["dialogue"], entry["utterances"], consulted)
        yield from utterances[turn : turn + 1]


async def collaborate(
    scene: Scene, task_id: str, question: str, instructor: str, assistant: str, *,
    visited: Collection[str] = (), spent: int = 0, meter: Meter | None = None,
) -> Asked:  # fmt: skip
    """Let the agents of two people work on a question; continues the task if it was begun in this run.

    The configured limits are this task's; reaching one ends it with what is known (an event in the trace). visited: people who
    were asked before. spent: consultations that the task has cost already. meter: of a model that is counted and limited already.
    """
    _check_pair(scene.cast, instructor, assistant)
    started, model = time.perf_counter(), scene.stage.model
    if meter is None:
        meter = Meter()
        model = limited(metered(model, meter), scene.limits)
    dialogues = Dialogues(replace(scene.stage, model=model), scene.saver)
    state = await dialogues.run(
        task_id, question, instructor, assistant, visited=asked_already(question, visited), spent=spent
    )
    ledgers = {"instructor": _rationales(state, instructor), "assistant": _rationales(state, assistant)}
    scene.trace.emit("ledgers", dialogue=task_id, **ledgers)
    return Asked(state, meter.total, time.perf_counter() - started, scene.stage.settings.mind)


async def seek(scene: Scene, task_id: str, question: str, person: str, order: Sequence[Candidate]) -> Asked:
    """Let the agent of `person` ask one after another, in the `order` that it chose (see `route`; not empty), until somebody's
    agent helps it to an answer.

    At most consult.fan_out people, within consult.budget for all that they ask on; the limits are those of the whole task.
    """
    settings = scene.stage.settings
    meter = Meter()
    model = limited(metered(scene.stage.model, meter), scene.limits)
    within = replace(scene, stage=replace(scene.stage, model=model))
    done: list[Asked] = []
    visited: set[str] = set()
    for one in order:
        spent = len(done) + sum(len(state["consulted"]) for asked in done for state in asked.states)
        if len(done) >= settings.fan_out or (done and spent >= settings.budget):
            break
        if one.person in visited:
            continue
        number = f"{task_id}-{len(done) + 1}" if done else task_id
        scene.trace.emit(
            "routed", task=task_id, dialogue=number, person=person, asks=one.person, question=question, reason=one.reason,
            score=round(one.score, 3),
        )  # fmt: skip
        asked = await collaborate(
            within, number, question, person, one.person, visited=visited, spent=spent, meter=meter
        )
        done.append(asked)
        visited |= {one.person, *asked.consulted}
        if asked.state["result"]["known"] or asked.state["stopped"].startswith(LIMIT):
            break
    seconds, earlier = sum(asked.seconds for asked in done), tuple(asked.state for asked in done[:-1])
    return replace(done[-1], usage=meter.total, seconds=seconds, earlier=earlier)


def _nobody(person: str) -> IsolatedPerson:
    return IsolatedPerson(f"there is nobody whom {person} could ask this", "name somebody: kith ask FROM TO 'question'")


def _check_pair(cast: Cast, instructor: str, assistant: str) -> None:
    if instructor == assistant:
        raise InputError(f"{instructor} cannot ask itself", "name two people: kith ask FROM TO 'question'")
    cast.need_ties(instructor, assistant)


def _rationales(state: State, person: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = state["ledgers"][person]["rationales"]
    return data


def ask(
    world: Path, models: Path, config: Config, people: Sequence[str], question: str,
    owner: Owner | None = None, model: ChatModel | None = None,
) -> tuple[Asked, Run]:  # fmt: skip
    """`kith ask`: one task in a run of its own. people: whose agent has the task, and whose is asked; without the second the
    agent chooses by itself.

    Raises UnknownPerson, IsolatedPerson, UnknownModel, InputError before a run is made, then ModelError, StorageError.
    """
    with Store.open(world / "kith.db") as store:
        instructor, assistant = _asker_and_asked(store, config, people, question)
        stats = store.stats()
    if model is None:
        engines.need_ready(config, models)
    run = new_run(world, "ask", config)

    async def go() -> Asked:
        async with scene(world, models, config, run, owner, model) as s:
            s.trace.emit(
                "run", run=run.id, command="ask", world=world.name, people=stats.people, ties=stats.ties,
                messages=stats.messages, model=s.stage.model.traits.name, seed=config.model.seed, tasks=1,
            )  # fmt: skip
            order = () if assistant else await asyncio.to_thread(route, s.cast.agent(instructor), question)
            if not (assistant or order):
                raise _nobody(instructor)
            first = assistant or order[0].person
            s.trace.emit("task", task="t1", question=question, instructor=instructor, assistant=first, task_kind="ask")
            if assistant:
                asked = await collaborate(s, "t1", question, instructor, assistant)
            else:
                asked = await seek(s, "t1", question, instructor, order)
            s.trace.emit("task_done", task="t1", status="done", correct=None, cites_gold=None, **summary(asked))
            s.trace.emit("run_done", seconds=asked.seconds, usage=usage_json(asked.usage))
            return asked

    with kept_if_begun(run):
        return asyncio.run(go()), run


def need_question(world: Path, person: str, text: str) -> None:
    """Raises InputError where `text`, meant as a question, is somebody's name: the question was left out."""
    with Store.open(world / "kith.db") as store:
        try:
            other = store.resolve(text).id
        except UnknownPerson:
            return
    raise InputError(f"what is {other} to be asked? the question is missing", f"kith ask {person} {other} 'question'")


def namesakes(world: Path, question: str) -> dict[str, list[str]]:
    """Names in a question that several people bear, each with their ids."""
    with Store.open(world / "kith.db") as store:
        return names.namesakes(store.people(), question)


def _asker_and_asked(store: Store, config: Config, people: Sequence[str], question: str) -> tuple[str, str]:
    """The ids of both, "" for one who is to be chosen. Raises InputError, UnknownPerson, IsolatedPerson."""
    if not question.strip():
        raise InputError("the question is empty", "kith ask FROM TO 'question'")
    ids = [store.resolve(name).id for name in people]
    cast = Cast(store, policy_of(config.disclosure))
    if len(ids) > 1:
        _check_pair(cast, *ids)
    cast.need_ties(*ids)
    if len(ids) == 1 and not route(cast.agent(ids[0]), question):
        raise _nobody(ids[0])
    return ids[0], ids[1] if len(ids) > 1 else ""


def summary(asked: Asked) -> dict[str, Any]:
    """What a `task_done` event says of a task."""
    result = asked.state["result"]
    return {
        "answer": result["answer"],
        "citations": result["citations"],
        "known": result["known"],
        "mind": asked.mind,
        "fell_back": asked.fell_back,
        "turns": asked.turns,
        "utterances": len(asked.utterances),
        "asked": asked.asked,
        "consulted": asked.consulted,
        "stopped_because": asked.state["stopped"],
        "seconds": round(asked.seconds, 3),
        "searched": asked.searched,
        "usage": usage_json(asked.usage),
    }


def usage_json(usage: Usage) -> dict[str, float]:
    return {
        "sent": usage.sent,
        "evaluated": usage.evaluated,
        "generated": usage.generated,
        "seconds": round(usage.seconds, 3),
        "calls": usage.calls,
    }


def contract(asked: Asked, run: Run, *, operator: bool = False) -> dict[str, Any]:
    """The JSON of `kith ask --json` (docs/json.md).

    It is what the asker may see: what their agent asked, heard and made of it. What others withheld leaves no trace in it,
    not even in a count. operator: with everybody's side, and all that was decided about telling.
    """
    state, usage = asked.state, asked.usage
    instructor, assistant = state["pair"]
    heard = asked.utterances if operator else asked.heard
    mine = {
        "answer": state["result"]["answer"],
        "citations": state["result"]["citations"],
        "mind": asked.mind,
        "fell_back": asked.fell_back,
        "ledgers": {"instructor": _rationales(state, instructor)},
        "utterances": [{"from": u["sender"], "to": u["receiver"], "text": u["text"]} for u in heard],
        "asked": asked.asked,
        "consulted": asked.consulted if operator else asked.consulted_by_asker,
        "stopped_because": state["stopped"],
        "turns": asked.turns,
        "seconds": round(asked.seconds, 3),
        "run": run.id,
    }
    if not operator:
        return mine
    return {
        **mine,
        "moves": asked.moves,
        "ledgers": {**mine["ledgers"], "assistant": _rationales(state, assistant)},
        "calls": usage.calls,
        "tokens": {"sent": usage.sent, "evaluated": usage.evaluated, "generated": usage.generated},
        "messages_searched": asked.searched,
        "disclosures": asked.disclosures,
    }
