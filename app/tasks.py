"""Tasks for a simulation: those a generated world brings along, or probes drawn from the messages of any world."""

import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kithnet.agents.wording import content_stems, content_words, normalise
from kithnet.memory.language.text import words
from kithnet.memory.rows import StoredMessage
from kithnet.memory.store import Store
from kithnet.runtime.errors import InputError

SILENT_KINDS = frozenset({"unknowable", "confidential"})


@dataclass(frozen=True, slots=True)
class Planned:
    """A task of a run. gold: accepted answers, empty where only the evidence is known. evidence: message ids."""

    id: str
    question: str
    instructor: str
    assistant: str
    kind: str
    gold: tuple[str, ...]
    evidence: tuple[str, ...]


def draw(store: Store, count: int, seed: int) -> list[Planned]:
    """`count` tasks over the network, the same for the same world and seed. Raises InputError when it has too few."""
    brought = store.tasks()
    if not brought:
        return probes(store, count, seed)
    if count > len(brought):
        raise InputError(f"this world has {len(brought)} tasks, not {count}", f"use --tasks {len(brought)} or fewer")
    chosen = random.Random(seed).sample(brought, count)
    return [
        Planned(f"t{n}", t.question, t.instructor, t.assistant, t.kind, (t.answer, *t.aliases), t.evidence)
        for n, t in enumerate(chosen, 1)
    ]


def probes(store: Store, count: int, seed: int) -> list[Planned]:
    """Questions about messages that the instructor never got: what did X tell Y about Z?

    Half of them put the message into the assistant's own memory, half one tie further away. The topic is made of the
    message's rarest words, so that it can be found; the gold is the message, not a wording.
    """
    messages = list(store.messages())
    heard: defaultdict[str, set[str]] = defaultdict(set)
    ids: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    frequency: Counter[str] = Counter()
    for message in messages:
        heard[message.text] |= message.parties
        ids[message.sender, message.text].append(message.id)
    for text in heard:
        frequency.update(set(content_words(text)))
    names = {person.id: person.name for person in store.people()}
    alters = _alters(store)
    choose = random.Random(seed)
    choose.shuffle(messages)
    drawn: list[Planned] = []
    for message in messages:
        if len(drawn) == count:
            return drawn
        topic = topic_of(message, frequency, names)
        pair = _askers(message, heard[message.text], alters, far=len(drawn) % 2 == 1, choose=choose) if topic else None
        if topic and pair:
            question = f"What did {names[message.sender]} tell {names[message.receivers[0]]} about {topic}?"
            kind = "third-party" if len(drawn) % 2 else "direct"
            evidence = tuple(ids[message.sender, message.text])
            drawn.append(Planned(f"t{len(drawn) + 1}", question, *pair, kind, (), evidence))
    if len(drawn) < count:
        raise InputError(f"only {len(drawn)} tasks can be drawn from this world", f"use --tasks {len(drawn)} or fewer")
    return drawn


def _alters(store: Store) -> Mapping[str, list[str]]:
    alters: defaultdict[str, list[str]] = defaultdict(list)
    for tie in store.ties():
        alters[tie.a].append(tie.b)
        alters[tie.b].append(tie.a)
    return {person: sorted(others) for person, others in alters.items()}


def topic_of(message: StoredMessage, frequency: Counter[str], names: Mapping[str, str]) -> str:
    """The two rarest telling words of a message, in their order; "" for a message too short to be asked about."""
    people = {stem for name in names.values() for stem in content_stems(name)}
    telling = [w for w in dict.fromkeys(content_words(message.text)) if len(w) > 3 and not content_stems(w) <= people]
    if len(words(message.text)) < 6 or len(telling) < 3:
        return ""
    rarest = sorted(telling, key=lambda word: (frequency[word], word))[:2]
    return " and ".join(word for word in telling if word in rarest)


def _askers(
    message: StoredMessage, heard: set[str], alters: Mapping[str, Sequence[str]], *, far: bool, choose: random.Random
) -> tuple[str, str] | None:
    """An instructor and an assistant who are tied; nobody who heard the message instructs."""
    holders = sorted(message.parties)
    near = [(a, h) for h in holders for a in alters.get(h, ()) if a not in heard]
    if far:
        near = [(b, a) for a, _ in near for b in alters.get(a, ()) if b not in heard]
    return choose.choice(near) if near else None


def judge(task: Planned, answer: str, known: bool, citations: Sequence[str]) -> tuple[bool | None, bool | None]:
    """Whether an answer is right, and whether it cites the gold; None where that cannot be told.

    A question that nobody can or may answer is answered right by saying so.
    """
    if task.kind in SILENT_KINDS:
        return not known, None
    said = normalise(answer)
    correct = any(normalise(gold) in said for gold in task.gold) if task.gold else None
    return (correct if known else False if task.gold else None), bool(set(citations) & set(task.evidence))


def save(path: Path, tasks: Sequence[Planned]) -> None:
    """Keep the plan of a run, whole or not at all."""
    beside = path.with_suffix(".part")
    with beside.open("w", encoding="utf-8") as file:
        json.dump([asdict(task) for task in tasks], file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load(path: Path) -> list[Planned]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Planned(**{**row, "gold": tuple(row["gold"]), "evidence": tuple(row["evidence"])}) for row in rows]
