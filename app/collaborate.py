"""One collaboration from end to end: `kith ask`, and each task of a simulation."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kithnet.agents.dialogue.checkpoints import PrunedSaver, open_saver
from kithnet.agents.dialogue.graph import Dialogues
from kithnet.agents.dialogue.state import Stage, State
from kithnet.agents.disclosure.policy import Owner
from kithnet.agents.settings import Settings
from kithnet.app import engine_stats, engines
from kithnet.app.cast import Cast, policy_of
from kithnet.app.runs import Run, held, new_run
from kithnet.memory.store import Store
from kithnet.runtime.chat import ChatModel, Usage
from kithnet.runtime.config import Config
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.errors import InputError
from kithnet.runtime.limits import Limits, Meter, limited, metered
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


def settings_of(config: Config) -> Settings:
    """The bounds of a collaboration as the agents use them."""
    return Settings(
        max_turns=config.dialogue.max_turns,
        stall_turns=config.dialogue.stall_turns,
        max_questions=config.dialogue.max_questions,
        max_entries=config.dialogue.max_entries,
        depth=config.consult.depth,
        fan_out=config.consult.fan_out,
        budget=config.consult.budget,
        k=config.recall.k,
        budget_tokens=config.recall.budget_tokens,
        support=config.recall.support,
        firm=config.recall.firm,
        temperature=config.model.temperature,
        seed=config.model.seed,
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
) -> AsyncIterator[Scene]:
    """Open the world, the models and the run. `model` takes the place of the configured one (scripted runs);
    without `journal` the agents write no memories."""
    with ExitStack() as stack:
        stack.enter_context(held(run))
        store = stack.enter_context(Store.open(world / "kith.db"))
        embedder = stack.enter_context(engines.embedder(config, models))
        index = stack.enter_context(engines.vectors(store, world, embedder))
        trace = stack.enter_context(TraceWriter(run.trace))
        cast = Cast(store, policy_of(config.disclosure), owner=owner, embedder=embedder, index=index)
        async with engines.chat_model(config, models, model) as chat, open_saver(run.state) as saver:
            stage = Stage(chat, cast.agent, settings_of(config), trace, journal, embedder)
            bounds = config.limits
            limits = Limits(bounds.calls or None, bounds.tokens or None, bounds.seconds or None)
            try:
                yield Scene(store, cast, stage, saver, trace, limits, run, embedder)
            finally:
                engine_stats.emit(trace, chat)


@dataclass(frozen=True)
class Asked:
    """One finished task. state: the main dialogue's last state. usage: what this task's model calls cost."""

    state: State
    usage: Usage
    seconds: float

    @property
    def consulted(self) -> list[str]:
        """People consulted, in order, without repeats."""
        return list(dict.fromkeys(entry["person"] for entry in self.state["consulted"]))

    @property
    def utterances(self) -> list[dict[str, Any]]:
        """All that was said, consultations included, in the order it was said."""
        return spoken(self.state)


def spoken(state: State) -> list[dict[str, Any]]:
    """Utterances of the main dialogue and its consultations; a consultation stands before the turn it served."""
    return list(_flow(state["id"], state["utterances"], state["consulted"]))


def _flow(dialogue: str, utterances: list[dict[str, Any]], consulted: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for turn in range(len(utterances) + 1):
        for entry in consulted:
            if entry["within"] == dialogue and entry["turn"] == turn:
                yield from _flow(entry["dialogue"], entry["utterances"], consulted)
        yield from utterances[turn : turn + 1]


async def collaborate(scene: Scene, task_id: str, question: str, instructor: str, assistant: str) -> Asked:
    """Let the agents of two people work on a question; continues the task if it was begun in this run.

    The configured limits are this task's; reaching one ends it with what is known (an event in the trace).
    """
    if instructor == assistant:
        raise InputError(f"{instructor} cannot ask itself", "name two people: kith ask FROM TO 'question'")
    scene.cast.need_ties(instructor, assistant)
    meter, started = Meter(), time.perf_counter()
    model = limited(metered(scene.stage.model, meter), scene.limits)
    dialogues = Dialogues(replace(scene.stage, model=model), scene.saver)
    state = await dialogues.run(task_id, question, instructor, assistant)
    ledgers = {"instructor": _rationales(state, instructor), "assistant": _rationales(state, assistant)}
    scene.trace.emit("ledgers", dialogue=task_id, **ledgers)
    return Asked(state, meter.total, time.perf_counter() - started)


def _rationales(state: State, person: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = state["ledgers"][person]["rationales"]
    return data


def ask(
    world: Path, models: Path, config: Config, people: tuple[str, str], question: str,
    owner: Owner | None = None, model: ChatModel | None = None,
) -> tuple[Asked, Run]:  # fmt: skip
    """`kith ask`: one task in a run of its own. Raises UnknownPerson, IsolatedPerson, ModelError, StorageError."""
    if not question.strip():
        raise InputError("the question is empty", "kith ask FROM TO 'question'")
    with Store.open(world / "kith.db") as store:
        instructor, assistant = (store.resolve(name).id for name in people)
        stats = store.stats()
    run = new_run(world, "ask", config)

    async def go() -> Asked:
        async with scene(world, models, config, run, owner, model) as s:
            s.trace.emit(
                "run", run=run.id, command="ask", world=world.name, people=stats.people, ties=stats.ties,
                messages=stats.messages, model=s.stage.model.traits.name, seed=config.model.seed, tasks=1,
            )  # fmt: skip
            s.trace.emit(
                "task", task="t1", question=question, instructor=instructor, assistant=assistant, task_kind="ask"
            )
            asked = await collaborate(s, "t1", question, instructor, assistant)
            s.trace.emit("task_done", task="t1", status="done", correct=None, cites_gold=None, **summary(asked))
            s.trace.emit("run_done", seconds=asked.seconds, usage=usage_json(asked.usage))
            return asked

    return asyncio.run(go()), run


def summary(asked: Asked) -> dict[str, Any]:
    """What a `task_done` event says of a task."""
    result = asked.state["result"]
    return {
        "answer": result["answer"],
        "citations": result["citations"],
        "known": result["known"],
        "turns": asked.state["turn"],
        "utterances": len(asked.utterances),
        "consulted": asked.consulted,
        "stopped_because": asked.state["stopped"],
        "seconds": round(asked.seconds, 3),
        "searched": asked.state["searched"],
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


def contract(asked: Asked, run: Run) -> dict[str, Any]:
    """The JSON of `kith ask --json` (docs/json.md)."""
    state, usage = asked.state, asked.usage
    instructor, assistant = state["pair"]
    return {
        "answer": state["result"]["answer"],
        "citations": state["result"]["citations"],
        "ledgers": {"instructor": _rationales(state, instructor), "assistant": _rationales(state, assistant)},
        "utterances": [{"from": u["sender"], "to": u["receiver"], "text": u["text"]} for u in asked.utterances],
        "consulted": asked.consulted,
        "stopped_because": state["stopped"],
        "turns": state["turn"],
        "calls": usage.calls,
        "tokens": {"sent": usage.sent, "evaluated": usage.evaluated, "generated": usage.generated},
        "messages_searched": state["searched"],
        "disclosures": state["disclosures"],
        "seconds": round(asked.seconds, 3),
        "run": run.id,
    }
