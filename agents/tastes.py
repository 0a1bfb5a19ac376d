"""What people like and dislike, as agents speak of it: a question for each person, an entry for each thing somebody said.

An entry quotes the sentence it rests on. Which way it leans is judged anew once it is clear which words of it are the thing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from kithnet.agents import leanings
from kithnet.agents.wording import content_stems, named_people, words
from kithnet.memory.recall import Hit
from kithnet.memory.vectors import Embedder
from kithnet.memory.writing import speech, tastes

_ASKED = re.compile(r"What does (?P<name>[^?]+?) like, and what not\?")
_ENTRY = re.compile(r"(?P<who>[^“”]+?) (?P<how>likes|dislikes|speaks of) this: “(?P<said>[^“”]*)”")
_HOW = {1: "likes", -1: "dislikes", 0: "speaks of"}
ABOUT, TOLD = -0.3, 0.5
"""How much a sentence must be of taste to be kept at all; how far it must lean to be told as a leaning."""
STEEP, LIKELY = 2.5, 0.25
"""How fast a leaning becomes certain, as a logistic slope; how likely a pair must be to fit, as the question says one does."""
AS_WELL = 0.9
"""How likely another thing must fit to be named beside the likeliest."""
VAGUE = 0.28
"""What a run weighs whose words are all such as people use of any thing: "hours"; but it may be a thing, as "running" is."""
LIKE_EACH_OTHER = 0.6
"""The cosine of two phrases that mean the same thing."""


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
    told: list[tuple[str, str]] = []
    for hit in hits:
        for sentence in speech.sentences(hit.text):
            if speech.is_question(sentence) or not _speaks_of(sentence, hit, person, name, names):
                continue
            said = re.sub(r"[“”]", "'", sentence)
            if content_stems(said):
                told.append((said, hit.id))
    if embedder is None:
        return [(Taste(name, way, said), i) for said, i in told if (way := tastes.leaning(said))]
    found: list[tuple[Taste, str]] = []
    for (said, i), (leans, of_taste) in zip(told, leanings.judge([said for said, _ in told], embedder), strict=True):
        if of_taste >= ABOUT or tastes.leaning(said):
            found.append((Taste(name, _way(leans, TOLD), said), i))
    return found


def _way(leans: float, least: float) -> int:
    return 0 if abs(leans) < least else 1 if leans > 0 else -1


def _speaks_of(sentence: str, hit: Hit, person: str, name: str, names: Mapping[str, Sequence[str]]) -> bool:
    if hit.sender == person:
        others = [one for one in named_people(sentence, names) if one not in (person, hit.receiver)]
        return not others or bool({"i", "me", "my"} & set(words(sentence)))
    return person in named_people(sentence, names) or name.casefold() in words(sentence)


def alike(
    left: Sequence[Taste], right: Sequence[Taste], *, opposite: bool, liked: bool, embedder: Embedder | None
) -> list[str]:
    """The things that two people see alike, or in opposite ways. liked: alike means that both like it, else neither does.

    A thing is what a sentence of each has in common, or where they have none that fits, two phrases of one meaning; both
    of these are named then. Every sentence is judged with the thing masked; the pair that fits most clearly decides, and
    further things count that fit as well.
    """
    if embedder is None:
        pairs = _in_common(left, right)
        likely = [p.thing for p in pairs if p.fit(p.one.leaning, p.other.leaning, opposite, liked) >= LIKELY]
        return list(dict.fromkeys(likely))
    for pairs in (_in_common(left, right), _of_one_meaning(left, right, embedder)):
        fits = _fits(pairs, opposite, liked, embedder)
        best = max(fits.values(), default=0.0)
        if best >= LIKELY:
            return [thing for thing, fit in fits.items() if fit >= min(best, AS_WELL)]
    return []


@dataclass(frozen=True, slots=True)
class _Pair:
    """A sentence of each and what they are about: the same words, or two phrases (thing, again). weight: in (0, 1]."""

    one: Taste
    other: Taste
    thing: str
    again: str
    weight: float

    def masked(self) -> tuple[str, str]:
        return _mask(self.one, self.thing), _mask(self.other, self.again)

    def fit(self, a: float, b: float, opposite: bool, liked: bool) -> float:
        """How likely the pair fits, of how the two lean."""
        p, q = (1 / (1 + exp(-STEEP * leaning)) for leaning in (a, b))
        if opposite:
            return self.weight * (p * (1 - q) + q * (1 - p))
        return self.weight * (p * q if liked else (1 - p) * (1 - q))


def _mask(taste: Taste, thing: str) -> str:
    """The sentence with the thing masked, and who it is about: neither is to say how it leans."""
    said = re.sub(rf"(?:\b(?:an?|the|my|his|her|their) )?{re.escape(thing)}", leanings.MASK, taste.said, flags=re.I)
    return re.sub(rf"\b{re.escape(taste.who)}\b", "she", said)


def _fits(pairs: Sequence[_Pair], opposite: bool, liked: bool, embedder: Embedder) -> dict[str, float]:
    """How well each thing fits, by the best pair of sentences about it."""
    texts = list(dict.fromkeys(text for pair in pairs for text in pair.masked()))
    lean = {text: way for text, (way, _) in zip(texts, leanings.judge(texts, embedder), strict=True)}
    fits: dict[str, float] = {}
    for pair in pairs:
        one, other = pair.masked()
        named = pair.thing if pair.again.casefold() == pair.thing.casefold() else f"{pair.thing}, {pair.again}"
        key = next((known for known in fits if content_stems(known) == content_stems(named)), named)
        fits[key] = max(fits.get(key, -1.0), pair.fit(lean[one], lean[other], opposite, liked))
    return fits


def _in_common(left: Sequence[Taste], right: Sequence[Taste]) -> list[_Pair]:
    """Pairs of sentences with words in common. Words that stand in other sentences too weigh less: they are hardly the thing."""
    held = Counter(word for taste in {*left, *right} for word in content_stems(taste.said))
    pairs: list[_Pair] = []
    for one in left:
        for other in right:
            for place, thing in enumerate(tastes.runs(one.said, other.said)):
                if stems := content_stems(thing):
                    weight = max(2 / max(2, held[word]) for word in stems) / (1 + place)
                    weight *= 1.0 if stems - leanings.emotive() else VAGUE
                    again = next(iter(tastes.runs(other.said, thing)), thing)
                    pairs.append(_Pair(one, other, *_spelling(thing, again), weight))
    return pairs


def _spelling(thing: str, again: str) -> tuple[str, str]:
    """Both spellings, the one that lies in the other twice: "map" for "map" and "maps"."""
    short, long = sorted((thing, again), key=len)
    return (short, short) if short.casefold() in long.casefold() else (thing, again)


def _of_one_meaning(left: Sequence[Taste], right: Sequence[Taste], embedder: Embedder) -> list[_Pair]:
    """Pairs of sentences with phrases that mean much the same."""
    sides = [[(taste, one) for taste in side for one in tastes.phrases(taste.said)] for side in (left, right)]
    if not all(sides):
        return []
    first, second = (embedder.embed([phrase for _, phrase in side]) for side in sides)
    near = first @ second.T
    return [
        _Pair(sides[0][a][0], sides[1][b][0], sides[0][a][1], sides[1][b][1], float(near[a, b]))
        for a, b in zip(*np.nonzero(near >= LIKE_EACH_OTHER), strict=True)
        if not content_stems(f"{sides[0][a][1]} {sides[1][b][1]}") <= leanings.emotive()
    ]
