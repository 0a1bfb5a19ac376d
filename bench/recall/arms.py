"""The ways to search that are compared: each gives, for a question, message numbers, best first."""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kithnet.bench.recall.locomo import Conversation, Question
from kithnet.memory import lexical
from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.indexer import Indexer
from kithnet.memory.language.text import index_words
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.store import Store
from kithnet.memory.vectors import Embedder
from kithnet.network.records import Tie

RANKED = 75  # hits asked for: enough to name ten sessions, few enough that recall ranks as it does by default
ROOM = 10**9  # tokens: the budget is measured, not set
WINDOW = 2  # messages around a match that iAgents reads
KEYWORDS = 8

Search = Callable[[Question], tuple[Sequence[int], bool | None]]
"""A question -> (message numbers, best first; whether it abstains, None where it never does)."""


@dataclass(frozen=True)
class World:
    """One conversation as a world on disk: the memory of its first speaker, by words alone and with vectors."""

    conversation: Conversation
    lexical: OwnerMemory
    hybrid: OwnerMemory | None


@contextlib.contextmanager
def world(conversation: Conversation, folder: Path, embedder: Embedder | None) -> Iterator[World]:
    """Make the world in `folder`, index it with Chroma, and open it."""
    owner = conversation.people[0].id
    with contextlib.ExitStack() as opened:
        store = opened.enter_context(Store.create(folder / "kith.db"))
        tie = Tie(owner, conversation.people[1].id, "friend")
        store.ingest(conversation.people, [tie], conversation.messages)
        hybrid = None
        if embedder is not None:
            index = opened.enter_context(ChromaIndex.open(folder / "vectors", embedder.name, embedder.dim))
            Indexer(store, index, embedder).run()
            hybrid = store.owner(owner, index, embedder)
        yield World(conversation, store.owner(owner), hybrid)


def arms(here: World, embedder: Embedder | None) -> Mapping[str, Search]:
    """Name -> search, plainest first; those with vectors only where there is an embedder."""
    chosen: dict[str, Search] = {}
    if embedder is not None:
        chosen["EMMA: flat list, dense top-1"] = _dense(here.conversation, embedder, flat=True)
    chosen["iAgents: LIKE keywords, windows"] = _like(here.conversation)
    chosen["stemmed BM25 (FTS5)"] = _bm25(here.conversation)
    if embedder is not None:
        chosen["dense only"] = _dense(here.conversation, embedder)
    chosen["ours, lexical"] = ours(here.lexical)
    if here.hybrid is not None:
        chosen["ours, hybrid"] = ours(here.hybrid)
    return chosen


def ours(memory: OwnerMemory) -> Search:
    """`OwnerMemory.recall`, given the question as it stands."""

    def search(question: Question) -> tuple[Sequence[int], bool | None]:
        found = memory.recall(question.text, k=RANKED, budget=ROOM)
        return [int(hit.id[1:]) - 1 for hit in found.hits], found.abstained

    return search


def _said(conversation: Conversation) -> list[str]:
    """Every turn with its speaker, as a flat list of texts has to say it."""
    names = {person.id: person.name for person in conversation.people}
    return [f"{names[message.sender]}: {message.text}" for message in conversation.messages]


def _bm25(conversation: Conversation) -> Search:
    table = sqlite3.connect(":memory:")
    table.execute("CREATE VIRTUAL TABLE turn USING fts5(body, tokenize='porter unicode61 remove_diacritics 2')")
    table.executemany("INSERT INTO turn(rowid, body) VALUES (?, ?)", enumerate(_said(conversation)))

    def search(question: Question) -> tuple[Sequence[int], bool | None]:
        wanted = " OR ".join(f'"{term.word}"' for term in lexical.terms(question.text))
        query = "SELECT rowid FROM turn WHERE turn MATCH ? ORDER BY bm25(turn), rowid LIMIT ?"
        return [row[0] for row in table.execute(query, (wanted, RANKED))] if wanted else [], None

    return search


def _dense(conversation: Conversation, embedder: Embedder, flat: bool = False) -> Search:
    """By cosine. flat: EMMA's memories, here one a turn, with its suffix; it takes the best one and no threshold."""
    if flat:
        names = {person.id: person.name for person in conversation.people}
        texts = [
            f"{message.text} (about {names[message.sender]}, from session {message.session})"
            for message in conversation.messages
        ]
    else:
        texts = _said(conversation)
    vectors = embedder.embed(texts)

    def search(question: Question) -> tuple[Sequence[int], bool | None]:
        cosines = vectors @ embedder.embed([question.text])[0]
        return np.argsort(-cosines, kind="stable")[: 1 if flat else RANKED].tolist(), None

    return search


def _like(conversation: Conversation) -> Search:
    """The question's keywords as LIKE patterns; messages with the most of them first, each with those around it."""
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE turn (number INTEGER PRIMARY KEY, body TEXT)")
    table.executemany("INSERT INTO turn VALUES (?, ?)", enumerate(_said(conversation)))
    sessions = [message.session for message in conversation.messages]

    def search(question: Question) -> tuple[Sequence[int], bool | None]:
        keywords = [word for word in index_words(question.text) if word not in lexical.STOP_WORDS][:KEYWORDS]
        if not keywords:
            return [], None
        held = " + ".join("(body LIKE ?)" for _ in keywords)
        query = f"SELECT number FROM turn WHERE {held} > 0 ORDER BY {held} DESC, number LIMIT ?"
        patterns = [f"%{re.sub('[%_]', '', word)}%" for word in keywords]
        ranked: dict[int, None] = {}
        for (number,) in table.execute(query, (*patterns, *patterns, RANKED)):
            around = range(max(0, number - WINDOW), min(len(sessions), number + WINDOW + 1))
            ranked.update(dict.fromkeys(other for other in around if sessions[other] == sessions[number]))
        return list(ranked)[:RANKED], None

    return search
