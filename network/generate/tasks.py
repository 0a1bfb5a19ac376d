"""Questions about a generated world, with the answers and who could give them."""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from kithnet.network.generate.facts import Fact
from kithnet.network.generate.people import Character
from kithnet.network.generate.phrasebook import Attribute, Phrasebook
from kithnet.network.generate.shape import Shape
from kithnet.network.records import ChatMessage, Task

SHARES = {"direct": 18, "third-party": 18, "two-hop": 18, "update": 12, "confidential": 12, "unknowable": 12}
UNKNOWN = ("unknown", "nobody knows", "not known", "no one knows")
Pair = tuple[int, int]


def draw_tasks(
    count: int, characters: Sequence[Character], shape: Shape, facts: Sequence[Fact],
    evidence: Sequence[Sequence[int]], messages: Sequence[ChatMessage], book: Phrasebook, rng: Random,
) -> list[Task]:  # fmt: skip
    """Draw up to `count` tasks, of every kind as the world allows.

    evidence: for each fact, the seq numbers of the messages that state its value. The instructor never holds the
    answer: no message they sent or received contains it.
    """
    draw = _Draw(characters, shape, facts, evidence, book, rng, _Held(characters, messages))
    makers = {kind: draw.candidates(kind) for kind in SHARES}
    total = sum(SHARES.values())
    wanted = {kind: round(count * share / total) for kind, share in SHARES.items()}
    unknowable = wanted.pop("unknowable")
    tasks = [task for kind, number in wanted.items() for task in _take(makers[kind], number)]
    for kind in wanted:  # what one kind lacks, the others make up for
        tasks += _take(makers[kind], count - unknowable - len(tasks))
    tasks += _take(makers["unknowable"], min(unknowable, 1 + len(tasks) // 6))
    rng.shuffle(tasks)
    return [_numbered(task, place) for place, task in enumerate(tasks, 1)]


def _take(tasks: Iterator[Task], count: int) -> list[Task]:
    return [task for _, task in zip(range(count), tasks, strict=False)]


def _numbered(task: Task, number: int) -> Task:
    return Task(
        f"t{number:03d}", task.question, task.answer, task.aliases, task.instructor, task.assistant, task.holders,
        task.evidence, task.kind,
    )  # fmt: skip


class _Draw:
    def __init__(
        self, characters: Sequence[Character], shape: Shape, facts: Sequence[Fact], evidence: Sequence[Sequence[int]],
        book: Phrasebook, rng: Random, held: "_Held",
    ) -> None:  # fmt: skip
        self.characters, self.shape, self.facts, self.evidence = characters, shape, facts, evidence
        self.book, self.rng, self.held = book, rng, held
        self.pairs = [pair for a, b in shape.ties for pair in ((a, b), (b, a))]
        self.order = rng.sample(range(len(facts)), len(facts))
        self.used: set[int] = set()

    def candidates(self, kind: str) -> Iterator[Task]:
        """Tasks of a kind, one for each fact that allows it; a fact is asked about once in a world."""
        if kind == "unknowable":
            yield from self._unknowable()
            return
        for number in self.order:
            fact = self.facts[number]
            suits = fact.secret if kind == "confidential" else not fact.secret
            if number in self.used or not suits or (fact.old is not None) != (kind == "update"):
                continue
            pair = self._pair(kind, fact)
            if pair is not None:
                self.used.add(number)
                yield self._task(kind, fact, pair, self.evidence[number])

    def _pair(self, kind: str, fact: Fact) -> Pair | None:
        """Who asks whom: a tied pair for whom the answer is as far away as the kind says."""
        hops = _hops(self.shape, fact.holders)
        fits = [(i, a) for i, a in self.pairs if hops[i] and i not in fact.aware and _suits(kind, hops[i], hops[a])]
        if kind == "confidential":
            fits = [(i, a) for i, a in fits if a != fact.subject] or fits
        answers = (fact.value.text, *fact.value.aliases)
        for pair in self.rng.sample(fits, min(len(fits), 6)):
            if not self.held.by(pair[0], answers):
                return pair
        return None

    def _task(self, kind: str, fact: Fact, pair: Pair, evidence: Sequence[int]) -> Task:
        ids = [character.person.id for character in self.characters]
        return Task(
            id="",
            question=self._question(fact.attribute, fact.subject, fact.value.parts),
            answer=fact.value.text,
            aliases=fact.value.aliases,
            instructor=ids[pair[0]],
            assistant=ids[pair[1]],
            holders=tuple(ids[person] for person in fact.holders),
            evidence=tuple(evidence),
            kind=kind,
        )

    def _unknowable(self) -> Iterator[Task]:
        """Questions that sound like the others about things nobody ever said."""
        known = {(fact.subject, fact.attribute.key) for fact in self.facts}
        ids = [character.person.id for character in self.characters]
        for _ in range(50 * len(ids)):
            subject, attribute = self.rng.randrange(len(ids)), self.rng.choice(self.book.attributes)
            instructor, assistant = self.rng.choice(self.pairs)
            if (subject, attribute.key) in known or instructor == subject:
                continue
            known.add((subject, attribute.key))
            parts = {slot: self.book.grammar.draw(rule, {}, self.rng) for slot, rule in attribute.parts.items()}
            question = self._question(attribute, subject, parts)
            yield Task("", question, UNKNOWN[0], UNKNOWN[1:], ids[instructor], ids[assistant], (), (), "unknowable")

    def _question(self, attribute: Attribute, subject: int, parts: Mapping[str, str]) -> str:
        about = self.characters[subject]
        bound = {**parts, "S": about.name, "he": about.he, "him": about.him, "his": about.his}
        lead = self.rng.choice(self.book.frames["closer_ask"])
        text = self.book.grammar.expand(lead + self.rng.choice(attribute.ask), bound, self.rng)
        return text[0].upper() + text[1:]


def _suits(kind: str, instructor: int, assistant: int) -> bool:
    """Does it suit the kind that the answer is so many ties away from both?"""
    if kind in ("direct", "update", "confidential"):
        return assistant == 0
    return min(instructor, assistant) == (1 if kind == "third-party" else 2)


def _hops(shape: Shape, holders: Sequence[int]) -> list[int]:
    """How many ties everybody is away from the nearest holder."""
    hops = [-1] * len(shape.contacts)
    for holder in holders:
        hops[holder] = 0
    queue = deque(holders)
    while queue:
        person = queue.popleft()
        for alter in shape.contacts[person]:
            if hops[alter] < 0:
                hops[alter] = hops[person] + 1
                queue.append(alter)
    return hops


class _Held:
    """What each person ever wrote or read, to make sure that an instructor does not hold an answer."""

    def __init__(self, characters: Sequence[Character], messages: Sequence[ChatMessage]) -> None:
        self._ids = [character.person.id for character in characters]
        texts: dict[str, list[str]] = {identity: [] for identity in self._ids}
        for message in messages:
            texts[message.sender].append(message.text)
            texts[message.receiver].append(message.text)
        self._texts = texts
        self._joined: dict[int, str] = {}

    def by(self, person: int, answers: Sequence[str]) -> bool:
        if person not in self._joined:
            self._joined[person] = "\n".join(self._texts[self._ids[person]]).casefold()
        text = self._joined[person]
        return any(
            answer.casefold() in text and re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", text)
            for answer in answers
        )
