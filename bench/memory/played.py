"""Mixed episodes played through a real world: session after session written down, with the gold beside them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from sqlalchemy import select

from kithnet.agents.chat import session_notes as journal
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.disclosure.sensitivity import Discretion
from kithnet.agents.personal import PersonalAgent
from kithnet.app.cast import Cast
from kithnet.bench.memory.flat import FlatMemory
from kithnet.memory import schema
from kithnet.memory.indexer import Indexer
from kithnet.memory.language.reader import Reader
from kithnet.memory.lexical import stems
from kithnet.memory.owner import Hit
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, Embedder
from kithnet.memory.writing.senses import MeantSlots
from kithnet.network.generate.mixed import Episode, GoldMemory


class Tools:
    """An embedder that embeds every text once, and what the agents of all episodes share over it."""

    def __init__(self, embedder: Embedder, reader: Reader) -> None:
        self.name, self.dim = embedder.name, embedder.dim
        self._embedder = embedder
        self._known: dict[str, np.ndarray] = {}
        self.discretion = Discretion(reader)
        self.senses = MeantSlots(self)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(N, dim) as the embedder makes them."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            self._known.update(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass
class Played:
    """An episode in a store. ids: of messages by seq. memories: all that is remembered, what is over too, by id.

    of_gold: ids of the memories that say a gold one; flat: the same sessions in the baseline's list.
    """

    episode: Episode
    agent: PersonalAgent
    store: Store
    ids: Mapping[int, str]
    index: ArrayIndex
    tools: Tools
    flat: FlatMemory
    memories: dict[str, Hit] = field(default_factory=dict)
    of_gold: dict[int, list[str]] = field(default_factory=dict)

    def write(self, session: int) -> None:
        """Write one session of the episode down, and index it."""
        name, partner = self.episode.sessions[session]
        journal.write_session(self.agent, name, partner)
        Indexer(self.store, self.index, self.tools).run()

    def write_flat(self, session: int) -> None:
        """Add a session's statements to the baseline's list."""
        name, _ = self.episode.sessions[session]
        found = self.agent.memory.statements(name, self.agent.senses)
        self.flat.write([one for s in found if not s.loose for one in (s, s.cause) if one is not None])

    def look(self) -> None:
        """Read back all that is remembered, and match it with the gold."""
        with self.store.database.read() as connection:
            keys = connection.scalars(select(schema.memory.c.id).where(schema.memory.c.kind != "summary")).all()
        self.memories = {f"k{key}": self.agent.memory.message(f"k{key}") for key in keys}
        for gold in self.episode.memories:
            message = self.ids[gold.message]
            self.of_gold[gold.number] = [
                hit.id
                for hit in self.memories.values()
                if message in hit.messages and hit.about == gold.about and says(hit.text, gold)
            ]

    def flat_of(self, gold: GoldMemory) -> list[int]:
        """The same for the baseline: places in its list."""
        number = int(self.ids[gold.message][1:])
        found = enumerate(self.flat.statements)
        return [at for at, s in found if s.evidence == number and s.about == gold.about and says(s.text, gold)]


@contextmanager
def opened(episode: Episode, folder: Path, tools: Tools) -> Iterator[Played]:
    """The episode's messages in a new world in `folder`, with nothing remembered yet."""
    with Store.create(folder / "kith.db", {"kind": "mixed"}) as store:
        world = episode.world
        store.ingest(world.people, world.ties, world.messages)
        ids = {message.seq: message.id for message in store.messages()}
        index = ArrayIndex(tools.name, tools.dim)
        agent = replace(
            Cast(store, Policy()).agent(episode.main),
            memory=store.owner(episode.main, index=index, embedder=tools),
            discretion=tools.discretion,
            senses=tools.senses,
        )
        yield Played(episode, agent, store, ids, index, tools, FlatMemory(tools))


def says(text: str, gold: GoldMemory) -> bool:
    """Whether a text holds the value of a gold memory; one word of a long value may be told in other words."""
    wanted = stems(gold.value)
    return len(wanted & stems(text)) >= (len(wanted) - 1 if len(wanted) > 2 else len(wanted))


def average(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def f1(right: int, found: int, wanted: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean."""
    precision, recall = right / found if found else 0.0, right / wanted if wanted else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0
