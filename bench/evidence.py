"""Whether an agent takes the right memory for evidence, and none where it knows nothing; and the fit of its weights.

Generated worlds say which message answers which question and who has it. People who have it should find it, people who
have not should find nothing. The weights that ship are fitted on two worlds; others, and other wordings, report on them.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.minds.rules import attributes, fitness
from kithnet.agents.minds.rules.fitness import Fitness, Weights
from kithnet.agents.minds.rules.reading import replies
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_words, named_people
from kithnet.app.cast import Cast
from kithnet.bench.report import Bar, Result
from kithnet.memory.indexer import Indexer
from kithnet.memory.rows import Task
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, Embedder
from kithnet.network.generate import GenerateSpec, generate
from kithnet.network.generate.spec import Phrases
from kithnet.runtime.embed import LlamaEmbedder

FITTED: tuple[tuple[int, Phrases], ...] = ((31, "default"), (32, "default"))
REPORTED: tuple[tuple[int, Phrases], ...] = ((7, "default"), (23, "held-out"))
OTHERS = 2
"""People beside holders and askers whom each question is put to."""
RIDGE = 1e-4
BY_VECTORS = ("near", "near_about", "alike", "idle", "kin", "nameless")
"""Weights of what only an embedder sees."""

Floats = npt.NDArray[np.float64]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """One question put to one person. features: (H, 12) of what recall found. gold: (H,) whether it answers."""

    features: Floats
    gold: npt.NDArray[np.bool_]


def run(
    embedder: Path, *, messages: int = 8_000, lexical: bool = False, seed: int = 7, tell: Tell = lambda done, of: None
) -> Result:
    """Fit on FITTED, report on REPORTED, with vectors (unless `lexical`) and without them."""
    started = time.perf_counter()
    table: list[dict[str, Any]] = []
    bars: list[Bar] = []
    with closing(LlamaEmbedder.load(embedder)) as loaded:
        modes: list[tuple[str, Embedder | None, Weights]] = [("lexical", None, fitness.LEXICAL)]
        if not lexical:
            modes.insert(0, ("hybrid", loaded, fitness.HYBRID))
        for place, (mode, by, shipped) in enumerate(modes):
            taught = [one for world in FITTED for one in asked(*world, messages, by)]
            tell(2 * place + 1, 2 * len(modes))
            refitted = fit(taught, vectors=by is not None)
            table.append({"weights": mode} | {f: round(v, 2) for f, v in zip(_NAMES, astuple(refitted), strict=True)})
            for number, phrases in REPORTED:
                heard, world = asked(number, phrases, messages, by), f"{number} {phrases}"
                rates = measured(heard, shipped)
                table.append({"weights": f"{mode}, shipped", "world": world, **rates})
                table.append({"weights": f"{mode}, refitted", "world": world, **measured(heard, refitted)})
                bars.append(
                    Bar(f"evidence found in nothing, {mode}, {phrases} wordings", rates["of nothing"], 0.02, "lower")
                )
            tell(2 * place + 2, 2 * len(modes))
    return Result("What is taken for evidence", table, bars, seed, time.perf_counter() - started)


_NAMES = tuple(one.name for one in fields(Weights))


def asked(seed: int, phrases: Phrases, messages: int, embedder: Embedder | None) -> list[Asked]:
    """Every task of a generated world, put to those who have the answer and to some who have not."""
    world = generate(GenerateSpec(messages=messages, seed=seed, phrases=phrases))
    with tempfile.TemporaryDirectory() as beside, Store.create(Path(beside) / "kith.db") as store:
        store.ingest(world.people, world.ties, world.messages, world.tasks)
        index = ArrayIndex(embedder.name, embedder.dim) if embedder else None
        if embedder and index:
            Indexer(store, index, embedder).run()
        cast = Cast(store, Policy(()), embedder=embedder, index=index)
        texts = {message.id: message.text for message in store.messages()}
        people = [person.id for person in store.people()]
        return list(_put(cast, store.tasks(), texts, people, Random(seed), embedder))


def _put(
    cast: Cast, tasks: Sequence[Task], texts: Mapping[str, str], people: Sequence[str], rng: Random,
    embedder: Embedder | None,
) -> Iterator[Asked]:  # fmt: skip
    for task in tasks:
        evidence: set[str] = {str(one) for one in task.evidence}
        gold = {texts[one] for one in evidence}
        for person in dict.fromkeys((*task.holders[:3], task.instructor, task.assistant, *rng.sample(people, OTHERS))):
            yield _one(cast.agent(person), task.question, gold, embedder)


def _one(agent: PersonalAgent, question: str, gold: set[str], embedder: Embedder | None) -> Asked:
    settings = Settings()
    named = agent.named(question)
    also = attributes.paraphrases(question, embedder) if embedder else ""
    found = agent.memory.recall(
        f"{question} {' '.join(content_words(also))}".strip(),
        speakers=tuple(named_people(question, agent.known_names)), k=settings.k, budget=settings.budget_tokens,
    )  # fmt: skip
    weigh = Fitness(agent.memory, question, named)
    read = list(replies(agent.memory, found.hits))
    texts = [(by.text if by else "", said.text) for said, by in read]
    people = [name for called in agent.known_names.values() for name in called]
    told = attributes.judge(question, texts, embedder, people) if embedder else [None] * len(read)
    vectors = [weigh.features(said, by, side).vector() for (said, by), side in zip(read, told, strict=True)]
    features = np.array(vectors, dtype=np.float64).reshape(-1, len(_NAMES))
    right = np.array([said.text in gold or (by is not None and by.text in gold) for said, by in read], dtype=bool)
    return Asked(features, right)


def fit(taught: Sequence[Asked], *, vectors: bool) -> Weights:
    """The weights under which what answers is likeliest told from what does not. Deterministic."""
    features = np.concatenate([one.features for one in taught])
    sign = np.where(np.concatenate([one.gold for one in taught]), 1.0, -1.0)
    if not vectors:
        features = features * np.array([name not in BY_VECTORS for name in _NAMES])

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = features @ weights
        value = float(np.mean(np.logaddexp(0, -sign * odds)) + RIDGE * weights @ weights)
        slope = features.T @ (-sign / (1 + np.exp(sign * odds))) / len(sign)
        return value, slope + 2 * RIDGE * weights

    best = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B").x
    return Weights(*(float(value) for value in best))


def measured(heard: Sequence[Asked], weights: Weights) -> dict[str, Any]:
    """Of the questions to those who have the answer: how often the best is it and is taken, or something else is.
    Of those to others: how often something is taken.
    """
    needed, vector = Settings().support, np.array(astuple(weights))
    found = wrong = nothing = holders = others = 0
    for one in heard:
        odds = one.features @ vector
        best = int(np.argmax(odds)) if len(odds) else -1
        taken = best >= 0 and 1 / (1 + np.exp(-odds[best])) >= needed
        has = bool(one.gold.any())
        holders, others = holders + has, others + (not has)
        found += bool(taken and one.gold[best])
        wrong += bool(taken and has and not one.gold[best])
        nothing += bool(taken and not has)
    return {
        "asked": holders, "found": found / max(holders, 1), "wrong": wrong / max(holders, 1),
        "asked others": others, "of nothing": nothing / max(others, 1),
    }  # fmt: skip
