"""The whole of a generated world, from its spec."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from kithnet.network.generate.facts import Fact, draw_facts
from kithnet.network.generate.people import Character, draw_people
from kithnet.network.generate.phrasebook import read_phrasebook
from kithnet.network.generate.sessions import Session, draw_sessions
from kithnet.network.generate.shape import Shape, draw_shape
from kithnet.network.generate.spec import GenerateSpec
from kithnet.network.generate.talk import Writer
from kithnet.network.generate.tasks import draw_tasks
from kithnet.network.records import ChatMessage, Tie, World

MESSAGES_PER_FACT = 60
FACTS_PER_PERSON = 4
PAUSE = (8, 150)
"""Seconds between two messages of a session."""


@dataclass(frozen=True)
class Made:
    """A generated world with what is behind it. facts: those told; evidence: of each, the messages that state it."""

    world: World
    characters: Sequence[Character]
    shape: Shape
    facts: Sequence[Fact]
    evidence: Sequence[Sequence[int]]


def generate(spec: GenerateSpec) -> World:
    """Generate a world with exactly the people, ties and messages of `spec`, connected, with facts to find out.

    Every stage draws from its own generator seeded with the spec's seed, so that the same spec gives the same world.
    """
    return generate_with_facts(spec).world


def generate_with_facts(spec: GenerateSpec, most: int | None = None, about: Collection[str] = ()) -> Made:
    """The same with the facts it hides.

    most: how many to aim for; the usual number grows with people and messages. about: keys of the attributes that facts
    may have; default: all.
    """

    def rng(stage: str) -> Random:
        return Random(f"kithnet {spec.seed} {stage}")

    book = read_phrasebook(spec.phrases)
    if about:
        book = replace(book, attributes=tuple(one for one in book.attributes if one.key in about))
    shape = draw_shape(spec.people, spec.ties, rng("shape"))
    characters = draw_people(spec.people, book, rng("people"))
    count = most or min(FACTS_PER_PERSON * spec.people, spec.messages // MESSAGES_PER_FACT)
    facts = draw_facts(count, shape, book, spec.days, rng("facts"))
    writer = Writer(characters, shape, book, rng("talk"))
    sessions, told = draw_sessions(spec, shape, facts, writer, rng("sessions"))
    messages, stating = _messages(sessions, characters, rng("clock"))
    evidence: list[list[int]] = [[] for _ in told]
    for seq, fact, telling in stating:
        if not told[fact].tellings[telling].stale:
            evidence[fact].append(seq)
    ids = [character.person.id for character in characters]
    world = World(
        people=[character.person for character in characters],
        ties=[
            Tie(min(ids[a], ids[b]), max(ids[a], ids[b]), kind)
            for (a, b), kind in zip(shape.ties, shape.kinds, strict=True)
        ],
        messages=messages,
        tasks=draw_tasks(spec.tasks, characters, shape, told, evidence, messages, book, rng("tasks")),
        source={
            "format": "generated",
            "seed": str(spec.seed),
            "phrases": spec.phrases,
            "people": str(spec.people),
            "ties": str(spec.ties),
            "messages": str(spec.messages),
        },
    )
    return Made(world, characters, shape, told, evidence)


def _messages(
    sessions: Sequence[Session], characters: Sequence[Character], rng: Random
) -> tuple[list[ChatMessage], list[tuple[int, int, int]]]:
    """All messages in order of time, and (seq, fact, telling) of those that state a fact."""
    ids = [character.person.id for character in characters]
    talks: dict[tuple[int, int], int] = {}
    rows = []
    for number, session in enumerate(sessions):
        pair = (min(session.a, session.b), max(session.a, session.b))
        talks[pair] = talks.get(pair, 0) + 1
        name = f"{ids[pair[0]]} & {ids[pair[1]]} {talks[pair]}"
        at = session.start
        for place, line in enumerate(session.lines):
            rows.append((at, number, place, line, name))
            at += timedelta(seconds=rng.randint(*PAUSE))
    rows.sort(key=lambda row: row[:3])
    messages = []
    stating = []
    for seq, (at, number, _, line, name) in enumerate(rows):
        session = sessions[number]
        receiver = session.b if line.speaker == session.a else session.a
        messages.append(ChatMessage(seq, ids[line.speaker], ids[receiver], line.text, at, name))
        if line.states:
            stating.append((seq, session.fact, session.telling))
    return messages, stating
