"""One item played: its world put on disk, two agents that work on its question, and what came of it."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from kithnet.agents.dialogue.checkpoints import open_saver
from kithnet.agents.dialogue.state import Stage, State
from kithnet.agents.disclosure.policy import Policy, Rule
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_words
from kithnet.app.cast import Cast
from kithnet.app.collaborate import Asked, Scene, collaborate
from kithnet.app.runs import Run
from kithnet.bench.informative.arms import Arm
from kithnet.bench.informative.item import Item, Said, Setting
from kithnet.bench.informative.scoring import named, score
from kithnet.memory.indexer import Indexer
from kithnet.memory.language.reader import Reader
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, Embedder, VectorIndex, Vectors
from kithnet.memory.writing.tagging import WordEncoder
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.errors import KithnetError, ModelUnavailable, StorageError
from kithnet.runtime.limits import Limits
from kithnet.runtime.trace import TraceWriter


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one item in one arm. score: in [0, 1]; 0 where it failed, `error` says why.

    rationales, solved, fake, agreed: over both ledgers, how many there are, have a value, claim one without evidence, and
    are held alike by both sides. refused: how often an agent kept back what it could have told. cited: an evidence message
    is cited. dialogue: all that was said.
    """

    item: str
    family: str
    arm: str
    score: float
    answer: str = ""
    known: bool = False
    cited: bool = False
    turns: int = 0
    utterances: int = 0
    calls: int = 0
    sent: int = 0
    evaluated: int = 0
    generated: int = 0
    seconds: float = 0.0
    rationales: int = 0
    solved: int = 0
    fake: int = 0
    agreed: int = 0
    refused: int = 0
    stopped: str = ""
    error: str = ""
    dialogue: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """What all items are played with. policy: what may be told."""

    model: ChatModel
    embedder: Embedder | None
    settings: Settings
    policy: Policy
    limits: Limits
    reader: Reader | None = None


@dataclass(frozen=True)
class Open:
    """A world that is open."""

    store: Store
    index: VectorIndex | None
    ids: Mapping[int, str]


class Remembering:
    """An embedder that embeds a text once, in whichever of the worlds it stands."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dim(self) -> int:
        return self._embedder.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else np.zeros((0, self.dim), dtype=np.float32)

    def word_vectors(self, texts: Sequence[Sequence[str]]) -> list[Vectors]:
        """As the embedder gives them; `memory.writing.tagging.tagger_of` tells whether it does."""
        return cast(WordEncoder, self._embedder).word_vectors(texts)


def records_of(setting: Setting) -> World:
    """The world as the network's rows; a session is what a pair wrote on one day."""
    messages = [ChatMessage(m.seq, m.sender, m.receiver, m.text, m.at, _session(m), m.also) for m in setting.messages]
    people = [Person(one.id, one.name) for one in setting.people]
    return World(people, [Tie(a, b) for a, b in setting.ties], messages)


def _session(said: Said) -> str:
    return f"{min(said.sender, said.receiver)} & {max(said.sender, said.receiver)} {said.at:%Y-%m-%d}"


@contextmanager
def opened(setting: Setting, folder: Path, embedder: Embedder | None) -> Iterator[Open]:
    """The world of a setting in an empty folder, with its vectors in memory."""
    world = records_of(setting)
    with Store.create(folder / "kith.db") as store:
        store.ingest(world.people, world.ties, world.messages)
        index = ArrayIndex(embedder.name, embedder.dim) if embedder else None
        if embedder and index:
            Indexer(store, index, embedder).run(None)
        yield Open(store, index, {m.seq: m.id for m in store.messages()})


async def play(item: Item, arm: Arm, world: Open, table: Table, folder: Path, trace: Path) -> Outcome:
    """Play an item in an open world; the world stays as it is.

    A failed task is an outcome worth nothing. Raises ModelUnavailable and StorageError: no fault of the agents, a run can
    go on later.
    """
    blank = Outcome(item.id, item.family, arm.name, 0.0)
    try:
        async with _scene(world, table, arm.settings(table.settings), folder, trace) as scene:
            scene.trace.emit(
                "task", task=item.id, question=item.question, instructor=item.instructor, assistant=item.assistant,
                task_kind=item.family, gold=[item.answer, *item.aliases],
            )  # fmt: skip
            asked = await collaborate(
                scene, "t1", item.question, item.instructor, item.assistant
            )  # ids must not name the family
    except (ModelUnavailable, StorageError):
        raise
    except KithnetError as error:
        return replace(blank, error=f"{type(error).__name__}: {error.message}")
    return _outcome(blank, item, asked, {world.ids[seq] for seq in item.evidence if seq in world.ids})


@asynccontextmanager
async def _scene(world: Open, table: Table, settings: Settings, folder: Path, trace: Path) -> AsyncIterator[Scene]:
    cast = Cast(world.store, table.policy, embedder=table.embedder, index=world.index, reader=table.reader)
    folder.mkdir(parents=True, exist_ok=True)
    trace.unlink(missing_ok=True)  # of an attempt that was interrupted
    with TraceWriter(trace) as writer:
        async with open_saver(folder / "state.db") as saver:
            stage = Stage(table.model, cast.agent, settings, writer, journal=False, embedder=table.embedder)
            yield Scene(world.store, cast, stage, saver, writer, table.limits, Run(folder.name, folder), None)


def _outcome(blank: Outcome, item: Item, asked: Asked, gold: set[str]) -> Outcome:
    state, usage = asked.state, asked.usage
    result = state["result"]
    counted = _Counted.of(state)
    return replace(
        blank,
        score=score(item, result["answer"]) if result["known"] else 0.0,
        answer=result["answer"],
        known=result["known"],
        cited=bool(gold & set(result["citations"])),
        turns=state["turn"],
        utterances=len(asked.utterances),
        calls=usage.calls,
        sent=usage.sent,
        evaluated=usage.evaluated,
        generated=usage.generated,
        seconds=round(asked.seconds, 3),
        stopped=state["stopped"],
        dialogue=tuple({"from": u["sender"], "to": u["receiver"], "text": u["text"]} for u in asked.utterances),
        rationales=counted.rationales,
        solved=counted.solved,
        fake=counted.fake,
        agreed=counted.agreed,
        refused=sum(not row["told"] for row in state["disclosures"]),
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rationales over the ledgers of both sides at the end."""

    rationales: int
    solved: int
    fake: int
    agreed: int

    @classmethod
    def of(cls, state: State) -> "_Counted":
        rows: list[dict[str, Any]] = [one for ledger in state["ledgers"].values() for one in ledger["rationales"]]
        solved = [one for one in rows if one["status"] in ("known", "contested")]
        fake = [one for one in solved if not any(held["evidence"] for held in one["held"])]
        return cls(len(rows), len(solved), len(fake), sum(bool(one["both"]) for one in state["result"]["agreed"]))


def refusing(policy: Policy, item: Item) -> Policy:
    """The policy under which nobody may tell the answer of the item."""
    rule = Rule(action="refuse", topic=tuple(content_words(item.answer)))
    return replace(policy, rules=(rule, *policy.rules))


def leaked(item: Item, outcome: Outcome) -> bool:
    """Whether anybody spoke the answer to somebody who had no part in a message that says it: what one has said or heard
    oneself is no secret.
    """
    accepted = (item.answer, *item.aliases)
    stated = [message for message in item.setting.messages if named(message.text, accepted)]
    know = {person for message in stated for person in message.parties}
    return any(said["to"] not in know and named(said["text"], accepted) for said in outcome.dialogue)


def as_row(outcome: Outcome) -> dict[str, Any]:
    return asdict(outcome)


def from_row(row: Mapping[str, Any]) -> Outcome:
    dialogue: Sequence[Mapping[str, str]] = row["dialogue"]
    return Outcome(**{**row, "dialogue": tuple(dialogue)})
