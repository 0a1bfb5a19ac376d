"""Which side of a person's life a question asks for, and a statement tells of: where their words have nothing in common.

"Who employs her?" and "I signed with Meyer & Sons today" are far apart in words and in meaning. Both are near to what
people ask and say of a job. So each is compared with examples of many sides of a life, and the two profiles with each other.
A text is read twice, as it stands and with its names taken out: a name may tell what it is the name of, or lead astray.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kithnet.agents import sides
from kithnet.agents.likeness import Likeness
from kithnet.agents.wording import only_asks, sentences
from kithnet.memory.vectors import Embedder, Vectors

SHARP, CLEAR = 16.0, 0.6
"""How much a profile is drawn to its highest side, and how much of it one side must have to be the one."""
KEPT = 8192
"""Texts whose vectors are kept: the same memories are read for one question after the other."""
ALSO = 3
"""Other ways to ask that recall takes in."""


@lru_cache(maxsize=2)
def _fitted(embedder: Embedder) -> tuple[Likeness, Likeness]:
    """The sides as they are asked for, and as they are told of; beside them talk that tells of none."""
    twice = _Twice(embedder)
    asked = {str(place): one for place, one in enumerate(sides.ASKED)}
    told = {str(place): one for place, one in enumerate(sides.TOLD)}
    told |= {"phatic": sides.PHATIC, "talk": sides.TALK}
    return Likeness(asked, twice), Likeness(told, twice)


class _Twice:
    """An embedder that reads a text as it stands and with its names taken out; what it read last is kept."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self.name, self.dim = f"{embedder.name}-twice", 2 * embedder.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(N,) texts -> (N, 2 * dim)."""
        read = [(_masked(text), text) for text in texts]
        known = self._known
        new = [text for text in dict.fromkeys(text for both in read for text in both) if text not in known]
        if len(known) + len(new) > KEPT:
            known, new = {}, list(dict.fromkeys(text for both in read for text in both))
        if new:
            known = {**known, **dict(zip(new, self._embedder.embed(new), strict=True))}
            self._known = known  # as a whole: other threads read it
        return np.stack([np.concatenate([known[one] for one in both]) for both in read])


@dataclass(frozen=True, slots=True)
class Told:
    """What a text is beside a question, in [0, 1]. alike: tells of the side that is asked for. idle: courtesy or small talk."""

    alike: float
    idle: float


def judge(question: str, texts: Sequence[tuple[str, str]], embedder: Embedder) -> list[Told]:
    """What each text is, given as what was asked ("" for nothing) and what was said."""
    if not texts:
        return []
    asking, telling = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    wanted = _profile(asking.scores([question]))[0]
    before = _profile(asking.scores([text for text, _ in texts])) @ wanted
    parts = [_parts(text) for _, text in texts]
    said = iter(_profile(telling.scores([part for some in parts for part in some])))
    found = []
    for by_asked, (asked, _), some in zip(before, texts, parts, strict=True):
        profiles = np.stack([next(said) for _ in some])
        alike = float((profiles[:, : len(sides.ASKED)] @ wanted).max())
        idle = float(profiles[:, len(sides.ASKED) :].sum(axis=1).min())
        found.append(Told(max(alike, float(by_asked)), 0.0) if asked else Told(alike, idle))
    return found


def _parts(text: str) -> list[str]:
    """A text and its sentences that tell: one of them may say it all, or none without the others."""
    telling = [part for part in sentences(text) if not only_asks(part)]
    return list(dict.fromkeys([text, *telling]))


def paraphrases(question: str, embedder: Embedder) -> str:
    """Other ways to ask for what a question asks for; "" where it is of no side that is known."""
    asking, _ = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    profile = _profile(asking.scores([question]))[0]
    best = int(np.argmax(profile))
    return " ".join(sides.ASKED[best][:ALSO]) if profile[best] >= CLEAR else ""


def _masked(text: str) -> str:
    """The text with names and what they name taken out."""
    return _NAME.sub(lambda match: match[0] if match.start() == 0 and match[0] in _OPENERS else "this", text)


_NAME = re.compile(r"\b(?!I\b)[A-Z0-9][\w'-]*(?: (?:&|of|[A-Z][\w'-]*))*(?<! of)")
_OPENERS = frozenset(
    """Who Whom Whose What Which When Where Why How I We My Our The A An It It's They This That From So In On At You He She
    His Her Their Did Do Does Is Are Can And But No Yes Well""".split()
)


def _profile(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(SHARP * (scores - scores.max(axis=1, keepdims=True)))
    profile: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return profile
