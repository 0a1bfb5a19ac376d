"""Small worlds on a real SQLite file, agents over them, and a scripted model that can do each agent's part."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kithnet.agents.dialogue.checkpoints import open_saver
from kithnet.agents.dialogue.graph import Dialogues
from kithnet.agents.dialogue.state import Stage, State
from kithnet.agents.disclosure.policy import Owner, Policy
from kithnet.agents.minds.mind import Mind
from kithnet.agents.settings import Settings
from kithnet.app.cast import Cast
from kithnet.memory.language.reader import TOOLS, Reader, WordReader
from kithnet.memory.store import Store
from kithnet.memory.vectors import Vectors
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.chat import ChatModel, Message, ReplySpec
from kithnet.runtime.errors import ModelError
from kithnet.runtime.reader import LlamaReader
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import MemoryTrace

Line = tuple[str, str, str]


@pytest.fixture(scope="session")
def reader(reader_path: Path) -> Iterator[LlamaReader]:
    loaded = LlamaReader.load(reader_path)
    yield loaded
    loaded.close()


START = datetime(2024, 5, 1, 9, 0)


def fill(path: Path, lines: Sequence[Line], ties: Sequence[tuple[str, str]] = ()) -> Store:
    """A world of who says what to whom; everyone who writes to each other is tied, and `ties` are added."""
    pairs = {(min(a, b), max(a, b)) for a, b, _ in lines} | {(min(a, b), max(a, b)) for a, b in ties}
    ids = sorted({person for pair in pairs for person in pair})
    messages = [
        ChatMessage(seq, a, b, text, START + timedelta(hours=seq), f"s-{min(a, b)}-{max(a, b)}")
        for seq, (a, b, text) in enumerate(lines)
    ]
    store = Store.create(path, {"kind": "test"})
    store.ingest([Person(i, i.capitalize()) for i in ids], [Tie(a, b) for a, b in sorted(pairs)], messages)
    return store


@dataclass
class Parts:
    """What a scripted model does for each purpose; an error is raised instead. pick: which of several choices it scores best."""

    move: str | ModelError = ""
    answer: str | ModelError = ""
    pick: str | ModelError = ""

    def __call__(self, messages: Sequence[Message], spec: ReplySpec) -> str:
        said = getattr(self, {"score": "pick"}.get(spec.purpose, spec.purpose))
        if isinstance(said, ModelError):
            raise said
        return str(said)


def model(capable: bool = False, **parts: object) -> ScriptedModel:
    return ScriptedModel(Parts(**parts), capable=capable)  # type: ignore[arg-type]


class Chooses(WordReader):
    """A reader to which every task wants the one tool."""

    def __init__(self, tool: str, odds: float = 1.0) -> None:
        super().__init__()
        self._at, self._odds = TOOLS.index(tool), odds

    def tools(self, tasks: Sequence[str]) -> Vectors:
        found = np.full((len(tasks), len(TOOLS)), (1 - self._odds) / (len(TOOLS) - 1), np.float32)
        found[:, self._at] = self._odds
        return found


@dataclass
class Talk:
    """A finished dialogue and what was traced on the way."""

    state: State
    trace: MemoryTrace

    @property
    def heard(self) -> list[dict[str, object]]:
        """Everything that was said, consultations included."""
        inner = [u for entry in self.state["consulted"] for u in entry["utterances"]]
        return [*self.state["utterances"], *inner]

    def events(self, kind: str) -> list[dict[str, object]]:
        return [event for event in self.trace.events if event["kind"] == kind]


@dataclass
class Bench:
    """Runs dialogues over worlds in one folder."""

    folder: Path
    opened: list[Store] = field(default_factory=list)

    def world(self, lines: Sequence[Line], ties: Sequence[tuple[str, str]] = ()) -> Store:
        store = fill(self.folder / f"world{len(self.opened)}" / "kith.db", lines, ties)
        self.opened.append(store)
        return store

    def talk(
        self,
        store: Store,
        task: str,
        pair: tuple[str, str],
        chat: ChatModel | None = None,
        *,
        policy: Policy | None = None,
        owner: Owner | None = None,
        journal: bool = False,
        name: str = "t1",
        minds: Mapping[str, Mind] | None = None,
        reader: Reader | None = None,
        **bounds: object,
    ) -> Talk:
        """One dialogue from its beginning, or from its last checkpoint if `name` was begun in this folder."""
        trace = MemoryTrace()
        cast = Cast(store, policy or Policy(), owner=owner, reader=reader)
        settings = replace(Settings(), **bounds)  # type: ignore[arg-type]
        stage = Stage(chat or model(), cast.agent, settings, trace, journal, minds=minds or {})
        state_file = store.database.path.parent / "state.db"

        async def go() -> State:
            async with open_saver(state_file) as saver:
                return await Dialogues(stage, saver).run(name, task, *pair)

        return Talk(asyncio.run(go()), trace)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def scripted() -> Callable[..., ScriptedModel]:
    """Make a model that plays every part; see `Parts` for what can be said otherwise."""
    return model


KEY = "Where is the spare key?"
KEY_LINES: list[Line] = [
    ("ana", "ben", "Are you coming to the concert on Sunday?"),
    ("ben", "ana", "Yes, I will bring the sandwiches."),
    ("ben", "cleo", "How was your holiday in Norway?"),
    ("cleo", "ben", "Rainy, but the fjords were beautiful."),
    ("dora", "cleo", "The spare key is under the blue flower pot."),
    ("cleo", "dora", "Thanks, I will feed the cat tonight."),
]


@pytest.fixture
def key_world(bench: Bench) -> Store:
    """Ana knows Ben, Ben knows Cleo, Cleo heard from Dora (m5) where the spare key is."""
    return bench.world(KEY_LINES)


def as_text(state: object) -> str:
    return json.dumps(state, sort_keys=True, default=str)
