"""What people like and dislike, as agents speak of it: a question for each person, an entry for each thing somebody said.

An entry quotes the sentence it rests on. Which way it leans is told by cues; where there are none, by its meaning beside
examples, once it is clear which words of it are the thing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kithnet.agents.wording import FUNCTION_WORDS, content_stems, named_people, words
from kithnet.memory.recall import Hit
from kithnet.memory.vectors import Embedder, Vectors
from kithnet.memory.writing import speech, tastes

_ASKED = re.compile(r"What does (?P<name>[^?]+?) like, and what not\?")
_ENTRY = re.compile(r"(?P<who>[^“”]+?) (?P<how>likes|dislikes|speaks of) this: “(?P<said>[^“”]*)”")
_HOW = {1: "likes", -1: "dislikes", 0: "speaks of"}
ABOUT, MARGIN = 0.28, 0.02
"""How near a sentence must be to an example to be of taste at all, and how much nearer to those of one leaning."""
LIKING = (
    "I love these.",
    "These are my favourite.",
    "I can never have enough of these.",
    "Nothing makes me happier than these.",
    "These brighten my day.",
    "I would do anything for these.",
    "I have a soft spot for these.",
    "I would choose these over anything else.",
    "I am always glad to have these.",
)
DISLIKING = (
    "I hate these.",
    "I can't stand these.",
    "I can't bear to be near these.",
    "These drive me mad.",
    "These give me the creeps.",
    "I would rather do without these.",
    "These are nothing for me.",
    "I never understood what people see in these.",
    "I keep as far away from these as I can.",
    "I wish there were none of these in the world.",
    "I have no time for these.",
    "I could never warm to these.",
)


@dataclass(frozen=True, slots=True)
class Taste:
    """leaning: 1 for liking, -1 for dislike, 0 where the words do not say. said: the sentence."""

    who: str
    leaning: int
    said: str

    def __str__(self) -> str:
        """The entry as it is spoken; `entry` reads it back."""
        return f"{self.who} {_HOW[self.leaning]} this: “{self.said}”"


def question(name: str) -> str:
    """How an agent asks for somebody's tastes."""
    return f"What does {name} like, and what not?"


def whose(asked: str) -> str | None:
    """Whose tastes a question asks for; None where it asks for something else."""
    match = _ASKED.fullmatch(asked.strip())
    return match["name"] if match else None


def entry(text: str) -> Taste | None:
    """The entry that a spoken value gives; None for any other words."""
    match = _ENTRY.fullmatch(text.strip())
    if match is None:
        return None
    leaning = next(number for number, how in _HOW.items() if how == match["how"])
    return Taste(match["who"], leaning, match["said"])


def read(
    hits: Iterable[Hit], person: str, name: str, names: Mapping[str, Sequence[str]], embedder: Embedder | None
) -> list[tuple[Taste, str]]:
    """What a person's tastes are, by what the person said, and by what others said of them; each with its message's id."""
    found: list[tuple[Taste, str]] = []
    open_ended: list[tuple[str, str]] = []
    for hit in hits:
        for sentence in speech.sentences(hit.text):
            if speech.is_question(sentence) or not _speaks_of(sentence, hit, person, name, names):
                continue
            said = re.sub(r"[“”]", "'", sentence)
            leaning = tastes.leaning(said)
            if leaning:
                found.append((Taste(name, leaning, said), hit.id))
            elif len(content_stems(said)) >= 1:
                open_ended.append((said, hit.id))
    if embedder is not None and open_ended:
        near = _nearness([said for said, _ in open_ended], embedder)
        found += [
            (Taste(name, 0, said), i) for (said, i), (a, b) in zip(open_ended, near, strict=True) if max(a, b) >= ABOUT
        ]
    return found


def _speaks_of(sentence: str, hit: Hit, person: str, name: str, names: Mapping[str, Sequence[str]]) -> bool:
    if hit.sender == person:
        others = [one for one in named_people(sentence, names) if one not in (person, hit.receiver)]
        return not others or bool({"i", "me", "my"} & set(words(sentence)))
    return person in named_people(sentence, names) or name.casefold() in words(sentence)


def alike(
    left: Sequence[Taste], right: Sequence[Taste], *, opposite: bool, liked: bool, embedder: Embedder | None
) -> list[str]:
    """The things that two people see alike, or in opposite ways. liked: alike means that both like it, else neither does.

    A thing is what a sentence of each has in common. Where the words leave the leaning open, meaning decides.
    """
    found: dict[str, int] = {}
    for one in left:
        for other in right:
            thing = tastes.shared(one.said, other.said)
            if not thing or not content_stems(thing) or {*words(thing)} <= FUNCTION_WORDS:
                continue
            a, b = _leans(one, thing, embedder), _leans(other, thing, embedder)
            fits = a * b < 0 if opposite else (a > 0 and b > 0) if liked else (a < 0 and b < 0)
            if fits:
                key = next((known for known in found if content_stems(known) == content_stems(thing)), thing)
                found[key] = max(found.get(key, 0), len(words(thing)))
    longest = max(found.values(), default=0)
    return [thing for thing, width in found.items() if width == longest or width > 1]


def _leans(taste: Taste, thing: str, embedder: Embedder | None) -> int:
    if taste.leaning or embedder is None:
        return taste.leaning
    ((like, dislike),) = _nearness([taste.said.replace(thing, "these")], embedder)
    return 0 if abs(like - dislike) < MARGIN else 1 if like > dislike else -1


@lru_cache(maxsize=2)
def _examples(embedder: Embedder) -> Vectors:
    return embedder.embed([*LIKING, *DISLIKING])


def _nearness(texts: Sequence[str], embedder: Embedder) -> list[tuple[float, float]]:
    """How near each text is to the nearest example of liking and of dislike."""
    own = embedder.embed(texts)
    liking, disliking = np.split(_examples(embedder), [len(LIKING)])  # type: ignore[arg-type]  # it can be hashed
    like, dislike = (np.max(own @ bank.T, axis=1) for bank in (liking, disliking))
    return [(float(a), float(b)) for a, b in zip(like, dislike, strict=True)]
