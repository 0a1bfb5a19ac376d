"""A scenario as this benchmark plays it: who there is, what each holder was told, and whom each matter may reach."""

from dataclasses import dataclass
from random import Random
from typing import Literal

Carrier = Literal["name", "number", "code"]


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody of the scenario. first: the name that texts use."""

    id: str
    name: str

    @property
    def first(self) -> str:
        return next((part for part in self.name.split() if not part.endswith(".")), self.name)


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing that a holder knows. holder: whose agent is asked. source: who else knows it: told it, or was told.

    barred: people to whom it may not come. open_to: people to whom it may. heard: whether the holder got the message
    (else sent it). text: as the scenario words it.
    """

    id: str
    holder: str
    source: str
    text: str
    barred: frozenset[str]
    open_to: frozenset[str]
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario. number: its line in the file, from 0. ties: pairs of people, a < b."""

    id: str
    number: int
    kind: str
    people: tuple[Party, ...]
    ties: tuple[tuple[str, str], ...]
    matters: tuple[Matter, ...]

    @property
    def tuning(self) -> bool:
        """Whether this one may be looked at while the guards are made: every second is."""
        return self.number % 2 == 0

    def name_of(self, person: str) -> str:
        return next(one.name for one in self.people if one.id == person)


def rng_of(seed: int, *about: str) -> Random:
    """A generator of its own for each purpose."""
    return Random(" ".join(("kithnet disclosure", str(seed), *about)))
