"""A world whose people carry made-up names, in messages and questions alike: what a model knows by heart helps no more.

A word of a name is replaced wherever it stands capitalised, unless the talk writes it small at least as often: such a
word ("Green", "Both") is an ordinary one, and gives way only inside a person's full name. A shortened name ("Rach") is
the beginning of one, of three letters or more, that the talk never writes small.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

from kithnet.bench.asking.question import Question, Subject, rng_of
from kithnet.network.importers.friendstv import TITLES
from kithnet.network.records import Person, World

SHORTEST = 3
_WORD = re.compile(r"[^\W\d_]+")
_ONSETS = "b br d dr f g gl h j k kl l m n p pr r s st t tr v w z".split()
_VOWELS = "a e i o u ai ea".split()
_ENDS = "l ll n nd r s th x rk m".split()


@dataclass(frozen=True)
class Renaming:
    """words: of names, with what replaces them. full: full names that hold an ordinary word. ids: of people."""

    words: Mapping[str, str]
    full: Mapping[str, str]
    ids: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        """The text with all names replaced."""
        return self._pattern.sub(lambda match: self.full.get(match[0]) or self.words.get(match[0], match[0]), text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A full name that holds an ordinary word, longest first, or any word."""
        full = [rf"\b{re.escape(one)}\b" for one in sorted(self.full, key=len, reverse=True)]
        return re.compile("|".join([*full, _WORD.pattern]))


def renamed(subject: Subject, seed: int) -> Subject:
    """The subject under other names, consistently; ids of people change with them, numbers of messages stay."""
    change = renaming(subject.world, seed)
    world, name = subject.world, change.ids
    people = [Person(name[one.id], change(one.name), change(one.persona), tuple(map(change, one.aliases)))
              for one in world.people]  # fmt: skip
    ties = [replace(tie, a=min(name[tie.a], name[tie.b]), b=max(name[tie.a], name[tie.b])) for tie in world.ties]
    messages = [
        replace(
            one,
            sender=name[one.sender],
            receiver=name[one.receiver],
            also=tuple(name[who] for who in one.also),
            text=change(one.text),
        )
        for one in world.messages
    ]
    source = {**world.source, "renamed": str(seed)}
    questions = tuple(_question(one, change) for one in subject.questions)
    return Subject(f"{subject.name}-renamed", World(people, ties, messages, source=source), questions)


def _question(one: Question, change: Renaming) -> Question:
    golds = tuple(change(gold) for gold in one.gold)
    return replace(one, text=change(one.text), gold=golds, asker=change.ids[one.asker], to=change.ids.get(one.to, ""))


def renaming(world: World, seed: int) -> Renaming:
    """Made-up names for the people of a world."""
    small, capital = _spellings(world)
    made = _made_up(rng_of(seed, "names"), {word.casefold() for word in (*small, *capital)})
    words: dict[str, str] = {}
    full: dict[str, str] = {}
    for person in world.people:
        for called in (person.name, *person.aliases):
            parts = [part for part in _WORD.findall(called) if _is_name(part)]
            for part in parts:
                if small[part.casefold()] < max(1, capital[part]) and part not in words:
                    words[part] = next(made)
            if any(part in words for part in parts) and not all(part in words for part in parts):
                full[called] = _WORD.sub(lambda m: words.get(m[0]) or (next(made) if _is_name(m[0]) else m[0]), called)
    names = sorted(words)
    for short in [word for word in capital if word not in words and not small[word.casefold()]]:
        long = next((name for name in names if len(short) >= SHORTEST and name.startswith(short)), None)
        if long:
            words[short] = words[long][:SHORTEST]
    return Renaming(words, full, _ids(world, Renaming(words, full)))


def _is_name(part: str) -> bool:
    return (
        part[:1].isupper() and len(part) > 1 and f"{part.casefold()}." not in TITLES and part.casefold() not in TITLES
    )


def _ids(world: World, change: Renaming) -> dict[str, str]:
    """Each id made of the new name, and still different from all others."""
    ids: dict[str, str] = {}
    for person in world.people:
        new = change(person.name).casefold()
        ids[person.id] = new if new not in ids.values() else f"{new} {len(ids)}"
    return ids


def _spellings(world: World) -> tuple[Counter[str], Counter[str]]:
    """How often each word is written small, and how often with a capital."""
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for text in {one.text for one in world.messages}:
        for word in _WORD.findall(text):
            (small if word.islower() else capital)[word] += 1
    return small, capital


def _made_up(rng: Random, taken: set[str]) -> Iterator[str]:
    """Names that no text holds, without end."""
    while True:
        parts = (rng.choice(_ONSETS), rng.choice(_VOWELS), rng.choice(_ONSETS), rng.choice(_VOWELS), rng.choice(_ENDS))
        name = "".join(parts).capitalize()
        if name.casefold() not in taken:
            taken.add(name.casefold())
            yield name
