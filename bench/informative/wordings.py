"""The phrase files of the families, and how clock times and lengths of time are put into words."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from random import Random
from typing import Any, Literal

from kithnet.network.generate.grammar import Grammar

Wordings = Literal["dev", "test"]
_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_PARTS = ((12, "in the morning"), (18, "in the afternoon"), (22, "in the evening"), (24, "at night"))


@dataclass(frozen=True, slots=True)
class Pronouns:
    he: str
    him: str
    his: str


SHE, HE = Pronouns("she", "her", "her"), Pronouns("he", "him", "his")


@dataclass(frozen=True)
class Book:
    """The phrases of one family: section -> name -> templates."""

    sections: Mapping[str, Mapping[str, tuple[str, ...]]]
    grammar: Grammar

    def say(self, section: str, name: str, rng: Random, **bound: str) -> str:
        """One wording, chosen and filled in."""
        return self.grammar.expand(rng.choice(self.sections[section][name]), bound, rng)

    def time(self, slot: int, rng: Random) -> str:
        """A slot of the day in words, from 5:00 to 23:30."""
        hour, half = slot // 2, slot % 2
        if hour == 12:
            return self.say("clock", "halfnoon" if half else "noon", rng)
        options = self.sections["clock"]["half" if half else "full"]
        if hour % 12 == 11:  # "before twelve in the morning" would not be the right time
            options = tuple(one for one in options if "{next}" not in one)
        bound = {
            "h": str(hour), "hh": f"{hour:02d}", "t": str(hour % 12 or 12), "half": "am" if hour < 12 else "pm",
            "word": _WORDS[hour % 12 or 12], "next": _WORDS[hour % 12 + 1],
            "part": next(part for until, part in _PARTS if hour < until),
        }  # fmt: skip
        return self.grammar.expand(rng.choice(options), bound, rng)

    def length(self, slots: int, rng: Random) -> str:
        """A length of time in words, from half an hour to twelve hours."""
        hours, half = divmod(slots, 2)
        if hours < 2:
            return self.say("length", ("short", "one", "mixed")[slots - 1], rng)
        return self.say("length", "broken" if half else "whole", rng, n=str(hours), nword=_WORDS[hours])


@lru_cache(maxsize=16)
def read_book(family: str, wordings: Wordings) -> Book:
    """The phrases of a family in one of the two sets of wordings."""
    raw = load(f"{family}_{wordings}")
    sections = {name: {key: tuple(texts) for key, texts in section.items()} for name, section in raw.items()}
    return Book(sections, Grammar({}))


def load(name: str) -> dict[str, Any]:
    """One phrase file as it is."""
    return tomllib.loads(files(__package__).joinpath(f"phrases/{name}.toml").read_text("utf-8"))


def draw_people(count: int, rng: Random) -> list[tuple[str, Pronouns]]:
    """Distinct first names with their pronouns."""
    names = load("names")
    pool = [(name, SHE) for name in names["she"]] + [(name, HE) for name in names["he"]]
    return rng.sample(pool, count)


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[0].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """ "A, B and C"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
