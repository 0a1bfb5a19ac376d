"""Sentences and questions of the three sets beside this module, each cut in two by a hash: one half to look at, one to measure."""

import hashlib
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

HERE = Path(__file__).parent
Half = Literal["looked-at", "held-out"]
One = TypeVar("One")


def half_of(text: str) -> Half:
    """Which half a text is in."""
    return "looked-at" if hashlib.sha256(text.encode()).digest()[0] % 2 else "held-out"


def rows(name: str, key: str) -> list[Any]:
    """The rows of one array of a set."""
    rows: list[Any] = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))[key]
    return rows


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody is known for by a sentence. whose: "me" for the speaker. way: 1 for liking, -1 for dislike."""

    text: str
    whose: str
    thing: str
    way: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question wants: what two people share or see in opposite ways, or steps of facts."""

    text: str
    kind: str
    parts: tuple[str, ...]


def said(half: Half) -> list[Said]:
    """The sentences of tastes."""
    found = (
        Said(text, whose, thing, 1 if way == "+" else -1) for text, whose, thing, way in rows("persona_said", "said")
    )
    return [one for one in found if half_of(one.text) == half]


def asked(half: Half) -> list[Asked]:
    """The questions."""
    found = (Asked(text, kind, tuple(parts)) for text, kind, parts in rows("facts_asked", "asked"))
    return [one for one in found if half_of(one.text) == half]


def trusted(half: Half) -> tuple[list[str], list[str]]:
    """What was told in trust, and what anybody may hear."""
    sides = (rows("trusted_and_told", key) for key in ("confidential", "harmless"))
    confidential, harmless = ([text for text in side if half_of(text) == half] for side in sides)
    return confidential, harmless


def share(found: Iterable[One], right: Callable[[One], bool]) -> float:
    """Of how many it is right, in [0, 1]."""
    outcomes = [right(one) for one in found]
    return sum(outcomes) / len(outcomes)
