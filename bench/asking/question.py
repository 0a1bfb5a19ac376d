"""What every file of questions yields: a world of real talk, and who asks whom what about it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from kithnet.network.records import World


@dataclass(frozen=True, slots=True)
class Question:
    """One question. asker, to: ids of people; `to` is "" where the asker's agent has to choose.

    gold: accepted answers, none where the question has no answer. evidence: numbers (`ChatMessage.seq`) of the messages
    that answer it, or that make it look as if it had an answer. scene: the session of the first of them. kind: a column.
    """

    id: str
    text: str
    asker: str
    to: str
    gold: tuple[str, ...]
    evidence: tuple[int, ...]
    scene: str = ""
    kind: str = ""

    @property
    def answerable(self) -> bool:
        return bool(self.gold)


@dataclass(frozen=True, slots=True)
class Subject:
    """One world and its questions. name: of the world's folder, free of anything that a person said."""

    name: str
    world: World = field(repr=False)
    questions: tuple[Question, ...]


def rng_of(seed: int, *about: str) -> Random:
    """A generator of its own for each purpose: what is drawn for one question never depends on another."""
    return Random(" ".join(("kithnet asking", str(seed), *about)))


def in_order(ids: Sequence[str], seed: int) -> list[str]:
    """The ids in the order that the seed gives them, however they came."""
    ordered = sorted(ids)
    rng_of(seed, "order").shuffle(ordered)
    return ordered


def alters_of(world: World) -> Mapping[str, list[str]]:
    """Person -> the people they have a tie to, sorted."""
    alters: defaultdict[str, set[str]] = defaultdict(set)
    for tie in world.ties:
        alters[tie.a].add(tie.b)
        alters[tie.b].add(tie.a)
    return {person: sorted(others) for person, others in alters.items()}
