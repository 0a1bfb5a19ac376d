"""Which side of a person's life a question asks for, and a statement tells of: where their words have nothing in common.

"Who employs her?" and "I signed with Meyer & Sons today" are far apart in words and in meaning. Both are near to what
people ask and say of a job. So each is compared with examples of many sides of a life, and the two profiles with each other.
A text is read twice, as it stands and with its names taken out: a name may tell what it is the name of, or lead astray.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kithnet.agents.minds.rules import sides
from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.agents.wording import only_asks
from kithnet.memory.language.text import sentences, words
from kithnet.memory.vectors import Embedder, Vectors

SHARP, CLEAR = 16.0, 0.6
"""How much a profile is drawn to its highest side, and how much of it one side must have to be the one."""
KEPT = 8192
"""Texts whose vectors are kept: the same memories are read for one question after the other."""
ALSO = 3
"""Other ways to ask, and to tell, that recall takes in."""


@lru_cache(maxsize=2)
def _fitted(embedder: Embedder) -> "tuple[Likeness, Likeness, _Twice]":
    """The sides as they are asked for, and as they are told of; beside them talk that tells of none."""
    twice = _Twice(embedder)
    asked = {str(place): one for place, one in enumerate(side.asked for side in sides.known())}
    told = {str(place): one for place, one in enumerate(side.told for side in sides.known())}
    told |= {"phatic": sides.PHATIC, "talk": sides.TALK}
    return Likeness(asked, twice), Likeness(told, twice), twice


class _Twice:
    """An embedder that reads a text as it stands and with its names taken out; what it read last is kept."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self.name, self.dim = f"{embedder.name}-twice", 2 * embedder.dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(N,) texts -> (N, 2 * dim)."""
        read = [(_masked(text), text) for text in texts]
        rows = self._kept([one for both in read for one in both])
        return np.hstack([rows[::2], rows[1::2]])

    def nameless(self, texts: Sequence[str]) -> Vectors:
        """(N,) texts -> (N, dim), read with their names taken out."""
        return self._kept([_masked(text) for text in texts])

    def _kept(self, texts: Sequence[str]) -> Vectors:
        known = self._known
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if len(known) + len(new) > KEPT:
            known, new = {}, list(dict.fromkeys(texts))
        if new:
            known = {**known, **dict(zip(new, self._embedder.embed(new), strict=True))}
            self._known = known  # as a whole: other threads read it
        return np.stack([known[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Told:
    """What a text is beside a question, in [0, 1]. alike: tells of the side that is asked for. idle: courtesy or small talk.
    kin: cosine of the two with their names taken out. nameless: the side is told by names, and the text has none.
    part: the one sentence of several that tells of it, "" where there is no such one.
    """

    alike: float
    idle: float
    kin: float = 0.0
    nameless: float = 0.0
    part: str = ""


def judge(
    question: str, texts: Sequence[tuple[str, str]], embedder: Embedder, people: Collection[str] = ()
) -> list[Told]:
    """What each text is, given as what was asked ("" for nothing) and what was said. people: names of people, which are
    no values."""
    if not texts:
        return []
    asking, telling, twice = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    wanted = _profile(asking.scores([question]))[0]
    known = {word for name in people for word in words(name)}
    by_name = sides.known()[int(np.argmax(wanted))].named
    before = _profile(asking.scores([text for text, _ in texts])) @ wanted
    kin = _kin(question, texts, twice)
    parts = [_parts(text) for _, text in texts]
    said = iter(_profile(telling.scores([part for some in parts for part in some])))
    found = []
    for at, ((asked, text), some) in enumerate(zip(texts, parts, strict=True)):
        profiles = np.stack([next(said) for _ in some])
        alike = float((profiles[:, : len(sides.known())] @ wanted).max())
        idle = float(profiles[:, len(sides.known()) :].sum(axis=1).min())
        nameless = float(by_name and not holds_name(text, known))
        alike, idle = (max(alike, float(before[at])), 0.0) if asked else (alike, idle)
        part = _only_part(some, profiles[:, : len(sides.known())] @ wanted)
        found.append(Told(alike, idle, float(kin[at]), nameless, part))
    return found


def _only_part(parts: Sequence[str], alike: Vectors) -> str:
    """Of a text and its sentences the one that tells of what is asked for, where no other one does."""
    if len(parts) < 3:
        return ""
    first, second = np.argsort(-alike[1:])[:2] + 1
    return parts[first] if alike[first] >= CLEAR and alike[second] <= alike[first] / 2 else ""


def apart(question: str, text: str, embedder: Embedder) -> bool:
    """Whether a text clearly tells of another side of a life than the one that a question clearly asks for."""
    side = _side(question, embedder)
    if side is None:
        return False
    _, telling, _ = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    profile = _profile(telling.scores([text]))[0]
    told = int(np.argmax(profile))
    return told < len(sides.known()) and told != side and bool(profile[told] >= CLEAR)


def _kin(question: str, texts: Sequence[tuple[str, str]], twice: _Twice) -> Vectors:
    """(N,) the cosine of the question and of what was said, or asked before it, names apart; 0 at least."""
    wanted, *rest = twice.nameless([question, *(part for pair in texts for part in pair)])
    near = np.stack(rest) @ wanted
    asked = np.array([bool(text) for text, _ in texts])
    kin: Vectors = np.maximum(np.maximum(near[1::2], np.where(asked, near[::2], 0)), 0)
    return kin


def holds_name(text: str, people: Collection[str]) -> bool:
    """Whether a text has a name that is no person's, or a number. A capital that only begins a sentence is none."""
    for sentence in re.split(r"(?<=[.!?:…])\s+", text):
        said = re.findall(r"[\w'’-]+", sentence)
        named = [
            at for at, word in enumerate(said)
            if word[:1].isupper() and not _FIRST.match(word) and not {*words(word.removesuffix("'s"))} & {*people}
        ]  # fmt: skip
        if any(any(sign.isdigit() for sign in word) for word in said) or any(at or len(said) < 3 for at in named):
            return True
    return False


_FIRST = re.compile(r"I(?:['’]\w+)?$")


def _parts(text: str) -> list[str]:
    """A text and its sentences that tell: one of them may say it all, or none without the others."""
    telling = [part for part in sentences(text) if not only_asks(part)]
    return list(dict.fromkeys([text, *telling]))


def paraphrases(question: str, embedder: Embedder) -> str:
    """Other ways to ask for what a question asks for; "" where it is of no side that is known."""
    side = _side(question, embedder)
    return "" if side is None else " ".join(sides.known()[side].asked[:ALSO])


def tellings(question: str, embedder: Embedder) -> str:
    """How people tell of what a question asks for; "" where it is of no side that is known."""
    side = _side(question, embedder)
    return "" if side is None else " ".join(sides.known()[side].told[:ALSO])


def _side(question: str, embedder: Embedder) -> int | None:
    """The side that a question clearly asks for."""
    asking, _, _ = _fitted(embedder)  # type: ignore[arg-type]  # an object: it can be hashed
    profile = _profile(asking.scores([question]))[0]
    best = int(np.argmax(profile))
    return best if profile[best] >= CLEAR else None


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
