"""A small world in which everything that can hold a message holds one: for measuring what an erasure leaves.

The message is evidence of a fact and of a summary, ends of a link, noted by a third person who was told of it, used in
an utterance, repeated by an agent in a chat, disclosed, the answer of a task, embedded, in a run's trace, checkpoints,
plan and report, and in a saved state. Its words stand nowhere else.
"""

import hashlib
import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

import numpy as np

from kithnet.app.erasure import forms
from kithnet.app.runs import new_run
from kithnet.app.warmth import state_file
from kithnet.memory.chroma import ChromaIndex, about
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.memory.utterances import CHAT
from kithnet.memory.vectors import Vectors
from kithnet.network.records import ChatMessage, Person, Task, Tie
from kithnet.runtime.config import Config
from kithnet.runtime.engine import saved
from kithnet.runtime.trace import TraceWriter

WHO = "ben"
FORMS = ("text", "words", "words in utf-16", "vectors", "ids of vectors")
FLOATS = 4
"""Numbers of a vector that are looked for together: no other vector has them."""


class NoiseEmbedder:
    """A vector of its own for every text, the same in every process; no two texts share a number."""

    def __init__(self, dim: int = 64) -> None:
        self.name, self.dim = f"noise-{dim}", dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(N,) texts -> (N, dim) float32 rows of length 1."""
        rows = [np.random.default_rng(_number(text)).standard_normal(self.dim) for text in texts]
        made = np.array(rows, dtype=np.float32).reshape(len(texts), self.dim)
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Secret:
    """What was planted. words: that stand in it alone. vectors: (N, dim) of all texts that hold them."""

    message: str
    text: str
    words: tuple[str, ...]
    vectors: Vectors


def plant(world: Path, seed: int) -> Secret:
    """Make the world in its folder, which must not exist."""
    choose = random.Random(seed)
    words = tuple("".join(choose.choices("bcdfghjklmnpqrstvwxz", k=9)) for _ in range(4))
    text = f'The {words[0]} "{words[1]}" is kept behind the {words[2]} at the café; nobody but us knows.'
    start = datetime(2024, 5, 1)
    lines = [
        (p, q, f"Small talk {n} about {choose.choice(_TOPICS)} number {n}.") for n, (p, q) in enumerate(_PAIRS * 8)
    ]
    lines[20:20] = [("ben", "ana", text), ("ben", "cleo", text)]
    messages = [ChatMessage(n, p, q, t, start + timedelta(hours=n), f"s{n // 8}") for n, (p, q, t) in enumerate(lines)]
    task = Task("t1", f"What is kept behind the {words[2]}?", words[0], (), "dan", "ana", ("ana",), (20,))
    with Store.create(world / "kith.db", {"kind": "planted"}) as store:
        people = [Person(name, name.title()) for name in ("ana", "ben", "cleo", "dan")]
        store.ingest(people, [Tie(*pair) for pair in sorted({tuple(sorted(p)) for p in _PAIRS})], messages, [task])
        noted = _note(store, words, text)
        _embed(store, world)
    _run(world, text)
    _state(world, text)
    return Secret("m21", text, words, NoiseEmbedder().embed([text, *noted]))


_PAIRS = [("ana", "ben"), ("ben", "ana"), ("ana", "cleo"), ("dan", "ana"), ("cleo", "dan")]
_TOPICS = ("gardens", "trains", "weather", "football", "bread", "cinema")


def _note(store: Store, words: Sequence[str], text: str) -> list[str]:
    """The memories that rest on the message; returns their texts."""
    ana, dan, cleo = store.owner("ana"), store.owner("dan"), store.owner("cleo")
    texts = [
        f"Ben keeps the {words[0]} behind the {words[2]}.",
        f"Ben and I spoke of trains and of the {words[1]}.",
        f"Ana said that Ben has a {words[0]}.",
        f"The {words[2]} hides something of Ben's.",
    ]
    fact = ana.remember(about="ben", text=texts[0], told_by="ben", kind="fact", evidence=["m21"], slot="kept")
    ana.remember(about="ben", text=texts[1], told_by="ben", kind="summary", evidence=["m21", "m7"], session="s2")
    dan.remember(about="ben", text=texts[2], told_by="ana", kind="fact", evidence=(), handles=("m21",))
    cleo.remember(about="ben", text=texts[3], told_by="ben", kind="fact", evidence=["m22"])
    corrected = f"Ben moved the {words[0]} to the {words[3]}."
    ana.remember(about="ben", text=corrected, told_by="ben", kind="fact", evidence=["m21"], supersedes=fact.id)
    ana.remember(about="ben", text="Ben likes trains.", told_by="ben", kind="preference", evidence=["m7"])
    ana.record_usage(f"u: {text}", [fact.id], "dan")
    ana.disclose(["m21", fact.id], partner="dan", task=f"Tell me: {text}", rule="default: ordinary")
    ana.write_utterance("dan", f"Ben told me: {text}", session=f"{CHAT}c1")
    return [*texts, corrected]


def _embed(store: Store, world: Path) -> None:
    embedder = NoiseEmbedder()
    with ChromaIndex.open(world / "vectors", embedder.name, embedder.dim) as index:
        Indexer(store, index, embedder).run()


def _run(world: Path, text: str) -> None:
    run = new_run(world, "ask", Config())
    with TraceWriter(run.trace) as trace:
        trace.emit("recall", dialogue="t1", hits=[["m21", 0.9]])
        trace.emit("utterance", dialogue="t1", text=text)
    (run.folder / "tasks.json").write_text(json.dumps([{"id": "t1", "question": text}]), "utf-8")
    run.report.write_text(f"<html><p>{escape(text)}</p></html>", "utf-8")
    with closing(sqlite3.connect(run.state)) as state:
        state.execute("CREATE TABLE checkpoints (checkpoint BLOB)")
        state.execute("INSERT INTO checkpoints VALUES (?)", (text.encode(),))
        state.commit()
    other = new_run(world, "ask", Config())
    with TraceWriter(other.trace) as trace:
        trace.emit("utterance", dialogue="t1", text="Nothing of that.")


def _state(world: Path, text: str) -> None:
    """A saved state whose tokens are the text's bytes, as those of a model with a byte vocabulary are."""
    tokens = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)
    saved.write(state_file(world, "ana"), saved.Fingerprint(1, "none", "f16"), saved.State("", tokens, text.encode()))


def scan(world: Path, secret: Secret) -> dict[str, int]:
    """Form -> how many files hold the secret in it, or for ids how many vectors there are without a text."""
    found = dict.fromkeys(FORMS, 0)
    needles = {
        "text": [form for form in forms(secret.text) if len(form) > 40],
        "words": [word.encode() for word in secret.words],
        "words in utf-16": [word.encode("utf-16-le") for word in secret.words],
        "vectors": [v[at : at + FLOATS].tobytes() for v in secret.vectors for at in range(0, len(v), FLOATS)],
    }
    for path in sorted(world.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            for form, wanted in needles.items():
                found[form] += any(needle in data for needle in wanted)
    found["ids of vectors"] = _without_text(world)
    return found


def _without_text(world: Path) -> int:
    made = about(world / "vectors")
    if made is None:
        return 0
    with Store.open(world / "kith.db") as store, ChromaIndex.open(world / "vectors", *made) as index:
        return abs(index.count - store.stats().texts)


def held(world: Path, secret: Secret) -> bool:
    """Whether the message is still in the database."""
    with Store.open(world / "kith.db") as store:
        return any(message.text == secret.text for message in store.messages())
