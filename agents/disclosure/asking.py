"""A question is itself information: it is put to nobody whom the asker may not tell what it rests on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.minds.finding import standing
from kithnet.memory.language.reader import Line, Reader
from kithnet.memory.owner import Hit, OwnerMemory
from kithnet.memory.search import supports

LOOKED_AT, TOKENS, FITTING = 8, 4_000, -2.0
"""How many of the asker's memories a question is held against, how much they may hold, and how high one must stand to answer it
(`finding.standing`): .98 of those that do in a generated world stand higher, .90 in other words, and .35 of those that do not."""


class Asker(Protocol):
    """What is asked of an agent here (see `agents.personal.PersonalAgent`)."""

    @property
    def person(self) -> str: ...

    @property
    def memory(self) -> OwnerMemory: ...

    @property
    def reader(self) -> Reader: ...

    def beside(self, hit: Hit, count: int) -> tuple[list[Hit], list[Hit]]:
        """The messages just before and just after one."""

    def line(self, hit: Hit) -> Line:
        """A message or memory as the reader sees it."""

    def named(self, question: str) -> Mapping[str, Sequence[str]]:
        """Whom a question names, with their names."""

    def items(self, hits: Sequence[Hit]) -> list[Item]:
        """Memories as they are weighed, with how sensitive each is."""

    def may_tell(self, item: Item, partner: str, task: str) -> bool:
        """Whether it could be told now, with nobody asked and no grant used up."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The asker's own sensitive memories that a question rests on: to hear it is to guess them.

    answering: those that may well answer it. near: those that only may have to do with it.
    """

    answering: tuple[Item, ...]
    near: tuple[Item, ...]


def rests_on(asker: Asker, question: str, *, near: bool = True, apart: str = "") -> Secrets:
    """What a question is held against. That the asker once worked on it is no secret of what it is about.

    near: whether those are wanted too; to judge how sensitive a message is costs more than to find it. apart: the id of a message
    that is no secret here: the owner's own order to ask.
    """
    found = asker.memory.recall(question, k=LOOKED_AT, budget=TOKENS)
    hits = [h for h in found.hits if h.kind != "summary" and supports(h) and apart not in (h.id, *h.messages)]
    fits = _fitting(asker, question, hits) if hits else set()
    items = asker.items([hit for hit in hits if near or hit.id in fits])
    secret = [item for item in items if item.sensitivity != "ordinary"]
    return Secrets(tuple(i for i in secret if i.id in fits), tuple(i for i in secret if i.id not in fits))


def _fitting(asker: Asker, question: str, hits: Sequence[Hit]) -> set[str]:
    """Ids of the memories that may well answer a question, as the reader and recall see it."""
    before = [asker.beside(hit, 1)[0] for hit in hits]
    lines = [(asker.line(one[-1]) if one else None, asker.line(hit)) for one, hit in zip(before, hits, strict=True)]
    odds = asker.reader.relevance(question, lines)
    return {hit.id for hit, one in zip(hits, odds, strict=True) if standing(float(one), hit) >= FITTING}


def barred(asker: Asker, question: str, people: Iterable[str], apart: str = "") -> dict[str, tuple[str, ...]]:
    """To whom of `people` a question may not be put, with the ids of the memories that they would guess.

    Whom the question names is told of nothing that may have to do with it: a secret about them is kept from them first.
    Whoever was there when it was said may be asked.
    """
    several, named = [*people], asker.named(question)
    secrets = rests_on(asker, question, near=any(person in named for person in several), apart=apart)
    found: dict[str, tuple[str, ...]] = {}
    for person in several if secrets.answering or secrets.near else ():
        held = (*secrets.answering, *(secrets.near if person in named else ()))
        if ids := tuple(item.id for item in held if not asker.may_tell(item, person, question)):
            found[person] = ids
    return found


def may_ask(asker: Asker, question: str, person: str, apart: str = "") -> bool:
    """Whether a question may be put to a person. apart: as in `rests_on`."""
    return not barred(asker, question, (person,), apart)
