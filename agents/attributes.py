"""Which side of a person's life a question asks for, and a statement tells of: where their words have nothing in common.

"Who employs her?" and "I signed with Meyer & Sons today" are far apart in words and in meaning. Both are near to what
people ask and say of a job. So each is compared with examples of many sides of a life, and the two profiles with each other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kithnet.agents import sides
from kithnet.agents.likeness import Likeness
from kithnet.memory.vectors import Embedder

SHARP, CLEAR = 16.0, 0.6
"""How much a profile is drawn to its highest side, and how much of it one side must have to be the one."""


@lru_cache(maxsize=2)
def _fitted(embedder: Embedder) -> tuple[Likeness, Likeness]:
    """The sides as they are asked for, and as they are told of; beside them talk that tells of none."""
    asked = {str(place): one for place, one in enumerate(sides.ASKED)}
    told = {str(place): one for place, one in enumerate(sides.TOLD)}
    told |= {"phatic": sides.PHATIC, "talk": sides.TALK}
    return Likeness(asked, embedder), Likeness(told, embedder)


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
    wanted = _profile(asking.scores([_masked(question)]))[0]
    said = _profile(telling.scores([_masked(text) for _, text in texts]))
    before = _profile(asking.scores([_masked(text) for text, _ in texts]))
    by_said, by_asked = said[:, : len(sides.ASKED)] @ wanted, before @ wanted
    return [
        Told(
            float(max(by_said[at], by_asked[at] if asked else 0.0)),
            float(said[at, len(sides.ASKED) :].sum()) * (not asked),
        )
        for at, (asked, _) in enumerate(texts)
    ]


def paraphrases(question: str, embedder: Embedder) -> str:
    """Other ways to ask for what a question asks for; "" where it is of no side that is known."""
    asking, _ = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    profile = _profile(asking.scores([_masked(question)]))[0]
    best = int(np.argmax(profile))
    return " ".join(sides.ASKED[best]) if profile[best] >= CLEAR else ""


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
