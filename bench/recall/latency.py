"""How long one recall takes in a world in which one person has all the messages, and notes beside them."""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from kithnet.bench.recall.locomo import Conversation
from kithnet.memory import egocentric
from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.egocentric import Note
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.scope import Scope
from kithnet.memory.store import Store
from kithnet.memory.vectors import Embedder, Vectors
from kithnet.network.records import ChatMessage, Person

START = datetime(2023, 1, 1)
ALTERS = 20
NOTES = 0.1  # of the items are memories, the rest messages
SESSION = 20
ASKED = 200
WARMUP = 10
NOISE = 0.5  # how far a vector is moved from that of the text it stands for, so that all differ


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one recall. items: messages and memories of the owner. first: the one that reads the owner's rows."""

    items: int
    mode: str
    p50: float
    p95: float
    first: float


def measure(
    conversations: Sequence[Conversation], embedder: Embedder | None, items: int, seed: int
) -> Iterator[Latency]:
    """Build a world of `items` from the conversations' turns, each made a text of its own, and ask their questions.

    Vectors are those of the conversations' turns with noise: to embed 100,000 texts would take a quarter of an hour
    and change nothing in how long a search takes. The question is embedded by the real embedder, inside the time.
    """
    rng = random.Random(seed)
    turns = [message.text for conversation in conversations for message in conversation.messages]
    questions = [question.text for conversation in conversations for question in conversation.questions]
    rng.shuffle(questions)
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "kith.db") as store:
        _fill(store, turns, items, rng)
        yield _timed(store.owner("ego"), questions, items)
        if embedder is not None:
            with ChromaIndex.open(Path(folder) / "vectors", embedder.name, embedder.dim) as index:
                few = turns[:1_000]
                _vectors(index, embedder.embed(few), store.stats().texts, seed)
                yield _timed(store.owner("ego", index, embedder), questions, items)


def _fill(store: Store, turns: Sequence[str], items: int, rng: random.Random) -> None:
    people = [Person("ego", "Ego"), *(Person(f"alter{number}", f"Alter{number}") for number in range(ALTERS))]
    noted = int(items * NOTES)
    messages = []
    for seq in range(items - noted):
        pair = ["ego", f"alter{seq // SESSION % ALTERS}"]
        sender, receiver = pair if seq % 2 else pair[::-1]
        text = f"{rng.choice(turns)} ({seq})"
        messages.append(
            ChatMessage(seq, sender, receiver, text, START + seq * timedelta(minutes=5), f"s{seq // SESSION}")
        )
    store.ingest(people, [], messages)
    with store.database.write() as connection:
        scope = Scope(egocentric.person_key(connection, "ego"))
        for number in range(noted):
            alter = 2 + number % ALTERS
            audience = None if number % 3 else frozenset((2 + (number + 1) % ALTERS,))
            note = Note(
                about=alter, told_by=alter, kind="fact", text=f"{rng.choice(turns)} (noted {number})", slot=None,
                evidence=(), audience=audience, session=None, at=START, importance=0.5, supersedes=None,
            )  # fmt: skip
            egocentric.remember(connection, scope, note)


def _vectors(index: ChromaIndex, known: Vectors, texts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for start in range(1, texts + 1, 5_000):
        keys = np.arange(start, min(start + 5_000, texts + 1))
        noise = rng.standard_normal((len(keys), known.shape[1])).astype(np.float32) / np.sqrt(known.shape[1])
        moved = known[keys % len(known)] + np.float32(NOISE) * noise
        index.upsert(keys.tolist(), moved / np.linalg.norm(moved, axis=1, keepdims=True))


def _timed(memory: OwnerMemory, questions: Sequence[str], items: int) -> Latency:
    started = time.perf_counter()
    mode = memory.recall(questions[0], partner="alter1").mode
    first = time.perf_counter() - started
    seconds = []
    for number in range(WARMUP + ASKED):
        started = time.perf_counter()
        memory.recall(questions[number % len(questions)], partner=f"alter{number % ALTERS}")
        seconds.append(time.perf_counter() - started)
    p50, p95 = (float(np.percentile(seconds[WARMUP:], share)) for share in (50, 95))
    return Latency(items, mode, p50, p95, first)
