"""A question is itself information: it is put to nobody whom the asker may not tell what it rests on."""

from collections.abc import Iterable
from typing import Protocol

from kithnet.memory.owner import OwnerMemory
from kithnet.memory.recall import Hit
from kithnet.memory.search import supports

LOOKED_AT, TOKENS = 12, 4_000
"""How many of the asker's memories a question is held against, and how much they may hold."""


class Asker(Protocol):
    """What is asked of an agent here (see `agents.personal.PersonalAgent`)."""

    @property
    def person(self) -> str: ...

    @property
    def memory(self) -> OwnerMemory: ...

    def sensitive(self, hit: Hit) -> bool:
        """Whether a memory is more than ordinary, by its words, the words around it or its audience."""

    def may_tell(self, hit: Hit, partner: str, task: str) -> bool:
        """Whether it could be told now, with nobody asked and no grant used up."""


def rests_on(asker: Asker, question: str) -> tuple[Hit, ...]:
    """The asker's own sensitive memories that a question is about: to hear it is to guess them."""
    found = asker.memory.recall(question, k=LOOKED_AT, budget=TOKENS)
    return tuple(hit for hit in found.hits if supports(hit) and asker.sensitive(hit))


def barred(asker: Asker, question: str, people: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """To whom of `people` a question may not be put, with the ids of the memories that they would guess.

    Among them whoever the secret is about: they are not in its audience. People who were there when it was said are.
    """
    secrets = rests_on(asker, question)
    found = {
        person: tuple(hit.id for hit in secrets if not asker.may_tell(hit, person, question))
        for person in (people if secrets else ())
    }
    return {person: ids for person, ids in found.items() if ids}


def may_ask(asker: Asker, question: str, person: str) -> bool:
    """Whether a question may be put to a person."""
    return not barred(asker, question, (person,))
