"""The paper's headline (iAgents, abstract): one task in a network of 140 people, with consultation, in three minutes.

The task has many parts. Each part asks what one person told another about something; both are contacts of the
assistant, and neither the instructor nor the assistant heard it, so every part needs a third party.
"""

import asyncio
import random
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kithnet.agents.wording import content_words
from kithnet.app import collaborate
from kithnet.app.collaborate import Asked
from kithnet.app.runs import new_run
from kithnet.app.tasks import topic_of
from kithnet.app.worlds import create_world, world_folder
from kithnet.bench.report import Bar, Result
from kithnet.memory.rows import StoredMessage
from kithnet.memory.store import Store
from kithnet.network.generate import GenerateSpec, generate
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError

PAPER = {"people": 140, "ties": 588, "utterances": 30, "messages": 70_000, "seconds": 180.0}


@dataclass(frozen=True, slots=True)
class Part:
    question: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Headline:
    instructor: str
    assistant: str
    parts: tuple[Part, ...]

    @property
    def task(self) -> str:
        return " ".join(part.question for part in self.parts)


def draw(store: Store, parts: int, seed: int) -> Headline:
    """The strongest tie of the best connected assistant, and questions only its contacts can answer.

    Raises InputError when the world has too few of them.
    """
    strength: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for tie in store.ties():
        strength[tie.a][tie.b] = strength[tie.b][tie.a] = tie.messages
    names = {person.id: person.name for person in store.people()}
    messages = list(store.messages())
    heard: defaultdict[str, set[str]] = defaultdict(set)
    for message in messages:
        heard[message.text] |= message.parties
    frequency = Counter(word for text in heard for word in set(content_words(text)))
    random.Random(seed).shuffle(messages)
    for assistant in sorted(strength, key=lambda p: (-len(strength[p]), p)):
        alters = strength[assistant]
        instructor = max(alters, key=lambda p: (alters[p], p))
        chosen = _parts(messages, heard, frequency, names, set(alters), {instructor, assistant}, parts)
        if len(chosen) == parts:
            return Headline(instructor, assistant, chosen)
    raise InputError(f"no one in this world can be asked {parts} such questions", "use a larger world or fewer --parts")


def _parts(
    messages: Sequence[StoredMessage], heard: dict[str, set[str]], frequency: Counter[str], names: dict[str, str],
    alters: set[str], askers: set[str], count: int,
) -> tuple[Part, ...]:  # fmt: skip
    found: list[Part] = []
    spent: Counter[str] = Counter()
    for message in messages:
        pair = message.parties
        if not pair <= alters or heard[message.text] & askers or len(heard[message.text]) > 2:
            continue
        topic = topic_of(message, frequency, names)
        if topic and not any(spent[person] > 2 for person in pair):
            spent.update(pair)
            question = f"What did {names[message.sender]} tell {names[message.receivers[0]]} about {topic}?"
            found.append(Part(question, (message.id,)))
        if len(found) == count:
            break
    return tuple(found)


def run(world: Path, models: Path, config: Config, *, parts: int, seed: int) -> Result:
    """Measure the headline on a world that is there; raises as `kith ask` does."""
    started = time.perf_counter()
    with Store.open(world / "kith.db") as store:
        stats = store.stats()
        headline = draw(store, parts, seed)
    wide = replace(config.consult, budget=max(config.consult.budget, 3 * parts))
    config = replace(config, consult=wide)
    asked, seconds, embedding = _measure(world, models, config, headline)
    usage, cited = asked.usage, set(asked.state["result"]["citations"])
    found = sum(bool(cited & set(part.evidence)) for part in headline.parts)
    utterances = len(asked.utterances)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table: list[dict[str, Any]] = [
        _row("paper (iAgents)", PAPER["people"], PAPER["ties"], PAPER["messages"], PAPER["utterances"], PAPER["seconds"]),
        _row("this run", stats.people, stats.ties, stats.messages, utterances, seconds)
        | {
            "parts": parts, "cited": found, "consulted": len(asked.consulted), "turns": asked.state["turn"],
            "calls": usage.calls, "sent": usage.sent, "evaluated": usage.evaluated, "generated": usage.generated,
            "searched": asked.state["searched"], "peak_mb": round(peak), "model_s": round(usage.seconds, 1),
            "embed_s": round(embedding, 1),
        },
    ]  # fmt: skip
    in_models = usage.seconds + embedding
    bars = (
        Bar("people", stats.people, 140, "higher"),
        Bar("ties", stats.ties, 588, "higher"),
        Bar("utterances", utterances, 30, "higher"),
        Bar("messages in the world", stats.messages, 70_000, "higher"),
        Bar("messages searched", asked.state["searched"], 70_000, "higher"),
        Bar("seconds for the task", seconds, PAPER["seconds"], "lower"),
        Bar("prompt tokens evaluated / sent", usage.evaluated / max(usage.sent, 1), 0.40, "lower"),
        Bar("platform time / models' time", (seconds - in_models) / max(in_models, 1e-9), 0.10, "lower"),
    )
    return Result("One task across the network", table, bars, seed, time.perf_counter() - started)


def _row(name: str, people: float, ties: float, messages: float, utterances: float, seconds: float) -> dict[str, Any]:
    return {
        "system": name, "people": people, "ties": ties, "messages": messages, "utterances": utterances, "seconds": seconds
    }  # fmt: skip


def _measure(world: Path, models: Path, config: Config, headline: Headline) -> tuple[Asked, float, float]:
    """The task on an open scene: opening the model and the world is not part of the task."""
    run_folder = new_run(world, "headline", config)

    async def go() -> tuple[Asked, float, float]:
        async with collaborate.scene(world, models, config, run_folder, journal=False) as scene:
            before = scene.embedder.seconds if scene.embedder else 0.0
            started = time.perf_counter()
            asked = await collaborate.collaborate(
                scene, "headline", headline.task, headline.instructor, headline.assistant
            )
            return asked, time.perf_counter() - started, scene.embedder.seconds - before if scene.embedder else 0.0

    return asyncio.run(go())


def made(folder: Path, seed: int) -> Path:
    """A generated world of the paper's size in `folder`; returns its path."""
    spec = GenerateSpec(people=140, ties=588, messages=70_000, seed=seed)
    create_world(folder, "headline", generate(spec))
    return world_folder(folder, "headline")
