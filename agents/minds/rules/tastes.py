"""What people like and dislike, as agents speak of it: a question for each person, an entry for each thing somebody said.

An entry quotes the sentence it rests on. Which way it leans is judged anew for every thing that it may be about.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp

from kithnet.agents.minds.rules import leanings, spotting
from kithnet.agents.minds.rules.spotting import Thing
from kithnet.agents.wording import content_stems, content_words, named_people
from kithnet.memory.language.text import words
from kithnet.memory.recall import Hit
from kithnet.memory.vectors import Embedder
from kithnet.memory.writing import speech, tastes

_ASKED = re.compile(r"What does (?P<name>[^?]+?) like, and what not\?")
_ENTRY = re.compile(r"(?P<who>[^“”]+?) (?P<how>likes|dislikes|speaks of) this: “(?P<said>.*)”", re.DOTALL)
_HOW = {1: "likes", -1: "dislikes", 0: "speaks of"}
ABOUT, TOLD = 0.0, 0.25
"""How much a sentence must be of taste to be kept at all; how far it must lean to be told as a leaning."""
STEEP, LIKELY, ALIKELY = 4.0, 0.06, 0.2
"""How fast a leaning becomes certain, as a logistic slope; how likely a pair of the same words, or of one meaning, must be
to fit, as the question says one does."""
AS_WELL = 0.9
"""How likely another thing must fit to be named beside the likeliest."""
TRIED, SURE, DOUBTED = 3, 3.0, -0.5
"""Things of a sentence that are tried; how fast one becomes certain with its score, as a logistic slope, and from where on."""
WITHIN, LIKE_EACH_OTHER = 0.5, 0.6
"""What a pair weighs where one thing lies in the other; the cosine of two phrases that mean the same thing."""
ASIDE, NO_THING, TOGETHER = 6, 0.2, 40
"""A question of no more content words leads to what follows; a sentence whose best thing has less goes with the one before,
up to so many words."""


@dataclass(frozen=True, slots=True)
class Taste:
    """leaning: 1 for liking, -1 for dislike, 0 where the words do not say. said: the sentence, verbatim."""

    who: str
    leaning: int
    said: str

    @property
    def read(self) -> str:
        """The sentence as it is read."""
        return speech.clean(self.said)

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
        for said in _passages(hit.text, embedder):
            if speech.is_question(said) or not _speaks_of(said, hit, person, name, names):
                continue
            if content_stems(said):
                told.append((said, hit.id))
    if embedder is None:
        return [(Taste(name, way, said), i) for said, i in told if (way := tastes.leaning(speech.clean(said)))]
    found: list[tuple[Taste, str]] = []
    plain = [speech.clean(said) for said, _ in told]
    spotted = spotting.things(plain, embedder)
    masked = [_mask(said, name, one[0]) if one else said for said, one in zip(plain, spotted, strict=True)]
    judged = leanings.judge(masked, embedder)
    for (said, i), read_as, (leans, of_taste) in zip(told, plain, judged, strict=True):
        if of_taste >= ABOUT or tastes.leaning(read_as):
            found.append((Taste(name, _way(leans, TOLD), said), i))
    return found


def _passages(text: str, embedder: Embedder | None) -> list[str]:
    """The sentences of a message, verbatim, those together of which only one has a thing: "Opera? Not for me." """
    spans = speech.spans(text)
    if embedder is None or len(spans) == 1:
        return [text[start:end] for start, end in spans]
    things = spotting.things([speech.clean(text[start:end]) for start, end in spans], embedder)
    joined: list[tuple[int, int, float]] = []
    for (start, end), one in zip(spans, things, strict=True):
        part, score = text[start:end], one[0].score if one else -1.0
        first, last, there = joined[-1] if joined else (start, start, 0.0)
        before = text[first:last]
        leads = speech.is_question(before) and len(content_words(before)) <= ASIDE
        together = bool(before) and len(words(before)) + len(words(part)) <= TOGETHER
        if together and (leads or (score < NO_THING <= there)) and not speech.is_question(part):
            joined[-1] = (first, end, max(score, there))
        else:
            joined.append((start, end, score))
    return [text[first:last] for first, last, _ in joined]


def _way(leans: float, least: float) -> int:
    return 0 if abs(leans) < least else 1 if leans > 0 else -1


def _speaks_of(sentence: str, hit: Hit, person: str, name: str, names: Mapping[str, Sequence[str]]) -> bool:
    if hit.sender == person:
        others = [one for one in named_people(sentence, names) if one not in (person, *hit.receivers)]
        return not others or bool({"i", "me", "my"} & set(words(sentence)))
    return person in named_people(sentence, names) or name.casefold() in words(sentence)


def alike(
    left: Sequence[Taste], right: Sequence[Taste], *, opposite: bool, liked: bool, embedder: Embedder | None
) -> list[str]:
    """The things that two people see alike, or in opposite ways. liked: alike means that both like it, else neither does.

    Of every sentence the likeliest things are tried: two of the same words fit, or where none do, two of one meaning; both
    of these are named then. A sentence is judged with the thing masked; the pair that fits most clearly decides, and
    further things count that fit as well.
    """
    if embedder is None:
        pairs = _in_common(left, right)
        likely = [p.thing for p in pairs if p.fit(p.one.leaning, p.other.leaning, opposite, liked) >= LIKELY]
        return list(dict.fromkeys(likely))
    mine, theirs = _spotted(left, embedder), _spotted(right, embedder)
    for pairs, least in ((_of_same_words(mine, theirs), LIKELY), (_of_one_meaning(mine, theirs, embedder), ALIKELY)):
        fits = _fits(pairs, opposite, liked, embedder)
        best = max(fits.values(), default=0.0)
        if best >= least:
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
        return _mask(self.one.read, self.one.who, self.thing), _mask(self.other.read, self.other.who, self.again)

    def fit(self, a: float, b: float, opposite: bool, liked: bool) -> float:
        """How likely the pair fits, of how the two lean."""
        p, q = (1 / (1 + exp(-STEEP * leaning)) for leaning in (a, b))
        if opposite:
            return self.weight * (p * (1 - q) + q * (1 - p))
        return self.weight * (p * q if liked else (1 - p) * (1 - q))


def _mask(said: str, who: str, thing: Thing | str) -> str:
    """A sentence with the thing masked, and who it is about: neither is to say how it leans."""
    text = thing if isinstance(thing, str) else thing.text
    said = re.sub(rf"(?:\b(?:an?|the|my|his|her|their) )?\b{re.escape(text)}\b", leanings.MASK, said, flags=re.I)
    return re.sub(rf"\b{re.escape(who)}\b", "she", said)


def _fits(pairs: Sequence[_Pair], opposite: bool, liked: bool, embedder: Embedder) -> dict[str, float]:
    """How well each thing fits, by the best pair of sentences about it."""
    texts = list(dict.fromkeys(text for pair in pairs for text in pair.masked()))
    lean = {text: way for text, (way, _) in zip(texts, leanings.judge(texts, embedder), strict=True)}
    fits: dict[str, float] = {}
    called: dict[frozenset[str], str] = {}
    for pair in pairs:
        one, other = pair.masked()
        named = pair.thing if content_stems(pair.thing) == content_stems(pair.again) else f"{pair.thing}, {pair.again}"
        key = called.setdefault(content_stems(named), named)
        fits[key] = max(fits.get(key, -1.0), pair.fit(lean[one], lean[other], opposite, liked))
    return fits


_Spotted = tuple[Taste, Thing, float]
"""A sentence, a thing of it, and how sure that is, in (0, 1)."""


def _spotted(side: Sequence[Taste], embedder: Embedder) -> list[_Spotted]:
    found = spotting.things([taste.read for taste in side], embedder)
    return [
        (taste, thing, share / (1 + exp(SURE * (DOUBTED - thing.score))))
        for taste, one in zip(side, found, strict=True)
        for thing, share in zip(one[:TRIED], _shares(one), strict=False)
    ]


def _shares(found: Sequence[Thing]) -> list[float]:
    """How likely each of them is the thing of its sentence rather than another, if one is."""
    odds = [exp(SURE * thing.score) for thing in found]
    return [one / sum(odds) for one in odds]


def _of_same_words(left: Sequence[_Spotted], right: Sequence[_Spotted]) -> list[_Pair]:
    """Pairs of sentences whose things have the same words, or one the words of the other and more."""
    pairs: list[_Pair] = []
    stems = {thing.text: content_stems(thing.text) for _, thing, _ in (*left, *right)}
    for one, thing, sure in left:
        for other, again, as_sure in right:
            a, b = stems[thing.text], stems[again.text]
            if a and b and (a <= b or b <= a):
                weight = sure * as_sure * (1.0 if a == b else WITHIN)
                short, long = sorted((thing.text, again.text), key=len)
                both = (short, short) if a != b and short.casefold() in long.casefold() else (thing.text, again.text)
                pairs.append(_Pair(one, other, *both, weight))
    return pairs


def _of_one_meaning(left: Sequence[_Spotted], right: Sequence[_Spotted], embedder: Embedder) -> list[_Pair]:
    """Pairs of sentences with things that mean much the same."""
    if not left or not right:
        return []
    near = (
        embedder.embed([thing.text for _, thing, _ in left]) @ embedder.embed([thing.text for _, thing, _ in right]).T
    )
    return [
        _Pair(one, other, thing.text, again.text, float(near[a, b]) * sure * as_sure)
        for a, (one, thing, sure) in enumerate(left)
        for b, (other, again, as_sure) in enumerate(right)
        if near[a, b] >= LIKE_EACH_OTHER
    ]


def _in_common(left: Sequence[Taste], right: Sequence[Taste]) -> list[_Pair]:
    """Pairs of sentences with words in common; words of many sentences weigh less, as they are hardly the thing."""
    held = Counter(word for taste in {*left, *right} for word in content_stems(taste.said))
    pairs: list[_Pair] = []
    for one in left:
        for other in right:
            for place, thing in enumerate(tastes.runs(one.read, other.read)):
                if stems := content_stems(thing):
                    weight = max(2 / max(2, held[word]) for word in stems) / (1 + place)
                    pairs.append(_Pair(one, other, thing, thing, weight))
    return pairs
