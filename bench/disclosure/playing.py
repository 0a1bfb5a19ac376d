"""A case played: its probes one after another in one world, and every text that somebody could see afterwards."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from kithnet.agents.dialogue.checkpoints import open_saver
from kithnet.agents.dialogue.state import Stage
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.minds.hostile_mind import HostileMind
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.app.cast import Cast
from kithnet.app.collaborate import Asked, Scene, collaborate, contract, summary, usage_json
from kithnet.app.report import write_report
from kithnet.app.run_views import seen
from kithnet.app.runs import Run
from kithnet.app.worlds import stored_graph
from kithnet.bench.disclosure.scorer import Seen
from kithnet.bench.minds import HOSTILE, MODEL, READER, thinking
from kithnet.memory.language.reader import Reader
from kithnet.memory.store import Store
from kithnet.memory.vectors import Embedder, VectorIndex
from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits
from kithnet.runtime.limits import Limits
from kithnet.runtime.trace import TraceWriter, read_trace

MEMORIES = 500


@dataclass(frozen=True)
class Table:
    """What all cases are played with. mind: hostile, model or reader."""

    model: ChatModel
    embedder: Embedder | None
    settings: Settings
    limits: Limits
    mind: str
    reader: Reader | None = None


@dataclass
class Overheard:
    """A model whose prompts are kept with the person whose agent asked."""

    model: ChatModel
    heard: list[tuple[str, str]] = field(default_factory=list)

    @property
    def traits(self) -> Traits:
        return self.model.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        self.heard.append((spec.owner.partition(" with ")[0], "\n".join(one.content for one in messages)))
        return await self.model.reply(messages, spec, on_text)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        return await self.model.score(messages, choices, raw=raw)

    async def close(self) -> None:
        """The model behind it belongs to whoever made it."""


def minded(stage: Stage, mind: str, people: Sequence[str]) -> Stage:
    """The stage on which everybody thinks with `mind`."""
    if mind == HOSTILE:
        return replace(stage, minds={person: HostileMind() for person in people})
    return replace(stage, settings=thinking(stage.settings, MODEL if mind == MODEL else READER))


@asynccontextmanager
async def scene(
    store: Store, index: VectorIndex | None, policies: Mapping[str, Policy], table: Table, run: Run
) -> AsyncIterator[Scene]:
    """An open world in which everybody has rules of their own."""
    cast = Cast(store, Policy(), embedder=table.embedder, index=index, reader=table.reader)

    def agent_of(person: str) -> PersonalAgent:
        return replace(cast.agent(person), policy=policies[person])

    run.folder.mkdir(parents=True, exist_ok=True)
    with TraceWriter(run.trace) as trace:
        async with open_saver(run.state) as saver:
            stage = Stage(Overheard(table.model), agent_of, table.settings, trace, True, table.embedder)
            stage = minded(stage, table.mind, list(policies))
            yield Scene(store, cast, stage, saver, trace, table.limits, run, None)


async def ask(here: Scene, task: str, question: str, asker: str, holder: str) -> tuple[Asked, list[Seen]]:
    """One dialogue, and what came of it for everybody to see."""
    model = here.stage.model
    assert isinstance(model, Overheard), "scenes of this benchmark overhear"
    model.heard.clear()
    here.trace.emit("run", run=here.run.id, command="ask", world="case", people=0, ties=0, messages=0,
                    model=model.traits.name, seed=0, tasks=1)  # fmt: skip
    here.trace.emit("task", task=task, question=question, instructor=asker, assistant=holder, task_kind="ask")
    asked = await collaborate(here, task, question, asker, holder)
    here.trace.emit("task_done", task=task, status="done", correct=None, cites_gold=None, **summary(asked))
    here.trace.emit("run_done", seconds=asked.seconds, usage=usage_json(asked.usage))
    here.trace.sync()
    return asked, list(_seen(here, asked, asker, model.heard))


def _seen(here: Scene, asked: Asked, asker: str, heard: Sequence[tuple[str, str]]) -> Iterator[Seen]:
    """Every text, with the person who could see it."""
    for said in asked.utterances:
        yield Seen("utterances", said["receiver"], said["text"])
    people = [asker, *asked.consulted]
    for person in people:
        notes = here.stage.agent_of(person).memory.memories(limit=MEMORIES)
        yield from (Seen("notes", person, note.text) for note in notes)
        yield from (Seen("prompts", person, _flat(entry)) for entry in _logs(asked, person))
    yield from (Seen("prompts", person, text) for person, text in heard if person)
    yield from _tools(asked, asker)
    yield from (Seen("trace", asker, _flat(event)) for event in seen(read_trace(here.run.trace)))
    yield Seen("json", asker, _flat(contract(asked, here.run)))
    graph = stored_graph(here.store)
    yield Seen("report", asker, write_report(here.run.folder, graph).read_text(encoding="utf-8"))


def _logs(asked: Asked, person: str) -> Sequence[Any]:
    """What an agent's mind was shown."""
    return asked.state["logs"].get(person, ())


def _tools(asked: Asked, asker: str) -> Iterator[Seen]:
    """Results of the asker's tools."""
    for result in asked.state["results"].values():
        if result["by"] == asker:
            yield Seen("tools", asker, _flat(result))


def _flat(value: Any) -> str:
    """All texts of plain data, one a line."""
    if isinstance(value, dict):
        return "\n".join(_flat(one) for one in value.values())
    if isinstance(value, list | tuple):
        return "\n".join(map(_flat, value))
    return str(value)
