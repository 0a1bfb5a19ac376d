"""Finding the answer to a question in what recall brought: the reader ranks the lines, reads the best ones in their scene, and says
how sure it is; nothing where it is not sure."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from math import exp

import numpy as np

from kithnet.agents.minds.mind import View
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import content_stems, content_words, named_people, says_i
from kithnet.memory.language.reader import Line, Span
from kithnet.memory.language.text import sentence_with, sentences
from kithnet.memory.owner import Hit

RANKED, READ = 50, 8
"""Hits that are ranked line by line, and of those the ones that are read with the lines around them."""
RECALLED = 12.0
"""What recall's score of a hit is worth beside the reader's log-odds."""
BUDGET = 20_000
"""Tokens that the hits may take together: they are read one by one, in no prompt."""
SHORT = 12
"""Words of a line that may say nothing without the one before it."""
QUOTATION = '“”"'
"""Marks that a span may have at one end alone."""
FAR = 0.5
"""Merit from which on somebody came near alone, and does not ask others: who has heard much of a matter and cannot tell is rarely
helped by who has heard less of it. It is nobody else's to know: that somebody came near would give away what is not told."""
FAR_ASKING = -0.5
"""The same for the one whose task it is: who asks is not supposed to know, and is near to nothing where others can tell (below
-0.5 in 16 of 24 tasks of a generated world, in 4 of 28 questions over ten seasons, where no third person was right)."""
BEYOND = 2.0
"""How far the merit of what a third person tells must be above what the one found who asks: of many who are asked, somebody always
seems to know. Of what the one who asks has found by itself it must be this much above 0: a small memory is soon sure, since it
has nothing beside."""
ITS_OWN = 0.75
"""Log-odds more for a third person whom the question names. It, `FAR` and `BEYOND` were chosen where everybody was asked: 28
questions over ten seasons (the two came to merit 0.8 or more each time, and no third person who was sure knew better) and 24 tasks
of a generated world (they came to 0.0 at most where a third person knew)."""
AROUND = 2
"""Lines before and behind a hit that are read with it; the reader is trained on such windows."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds that a span is the answer, per unit of each sign. span: its own log-odds. relevance: of its line. recall: the
    hit's score there. rivals: the mean score of the hits behind the best, many of which are near in years of talk and few in a
    small world. named: share of the people asked about that take part in its scene or are named in it. These make its merit.
    How sure it is comes of that, and of its lead: how far its merit is above that of the best one that says something else."""

    span: float
    relevance: float
    recall: float
    rivals: float
    named: float
    merit: float
    lead: float
    base: float


WEIGHTS = Weights(0.114, 0.103, 4.232, -5.064, 1.64, merit=0.729, lead=0.606, base=-2.914)
"""Fitted by `bench/reading/calibrate.py` to 132 questions over ten seasons and those of a generated world, which weigh alike."""
ALONE = 4.0
"""The lead of a span beside which nothing else was found."""
RIVALS = 9
"""Hits behind the best one whose scores are its rivals'."""


@dataclass(frozen=True, slots=True)
class Answer:
    """value: the words that answer. hit: the line they stand in. sure: how likely they answer, in [0, 1]. before: the line
    before it in the scene, where it is too short to say something by itself. signs: what its merit was computed from, in the
    order of `Weights`."""

    value: str
    hit: Hit
    sure: float
    before: Hit | None
    signs: tuple[float, ...]

    @property
    def quote(self) -> str:
        """The sentence that the value stands in: of a note, which may begin with what was asked, that one alone."""
        if self.hit.kind == "message":
            return sentence_with(self.value, self.hit.text)
        return next(
            (one for one in sentences(self.hit.text) if self.value in one), sentence_with(self.value, self.hit.text)
        )


def answers(agent: PersonalAgent, question: str, hits: Sequence[Hit]) -> list[Answer]:
    """What may answer, surest first: one for each line in which something was found."""
    look = _Ranked.of(agent, question, hits)
    near = look.order[:READ]
    windows = [look.scenes[hit.id] for hit in near]
    spans = agent.reader.spans(question, [[agent.line(one) for one in window] for window in windows])
    named = agent.named(question)
    found: dict[str, Answer] = {}
    for hit, window, span in zip(near, windows, spans, strict=True):
        if span is None:
            continue
        one = _answer(agent, window, span, hit, look, named)
        if one.hit.id not in found or merit(one.signs) > merit(found[one.hit.id].signs):
            found[one.hit.id] = one
    gone = agent.outdated([one.hit for one in found.values()])  # a line beside a hit was not recalled itself
    left = [one for one in found.values() if one.hit.id not in gone]
    told = [replace(one, sure=sure(one, left) * one.hit.trust) for one in left]
    return sorted(told, key=lambda one: -one.sure)


def told(
    agent: PersonalAgent, question: str, hits: Sequence[Hit], view: View, sure: float
) -> tuple[Answer | None, float | None]:
    """What may be told to a question, as far as its finder can know: where that was taken back since, what holds now; None below
    `sure`. And how near the memory came."""
    found = answers(agent, question, hits)
    if not found:
        return None, None
    best = found[0]
    if not view.top:
        best = of_third(agent, question, best, view.near.get(question))
    elif view.role == "instructor":
        best = of_asker(best)
    return renewed(agent, question, best) if best.sure >= sure else None, near(found)


def near(found: Sequence[Answer]) -> float | None:
    """How near to an answer a memory comes: the most merit of what its owner heard; None for nothing. Hearsay that was noted
    does not count: who knows better is asked all the same."""
    return max((merit(one.signs) for one in found if one.hit.trust >= 1), default=None)


def of_asker(found: Answer) -> Answer:
    """What somebody found who asks others for it, and is not supposed to know; as sure as it is then."""
    return _beyond(found, 0.0)


def of_third(agent: PersonalAgent, question: str, found: Answer, near: float | None) -> Answer:
    """What somebody found who is consulted, as sure as it is beside what the two came to whose task it is."""
    found = found if near is None else _beyond(found, near)
    if agent.person not in agent.named(question) or not 0 < found.sure < found.hit.trust:
        return found
    own = found.sure / found.hit.trust
    return replace(found, sure=found.hit.trust / (1 + exp(-ITS_OWN) * (1 - own) / own))


def _beyond(found: Answer, near: float) -> Answer:
    return found if merit(found.signs) >= near + BEYOND else replace(found, sure=0.0)


def renewed(agent: PersonalAgent, question: str, found: Answer) -> Answer:
    """The same answer, or what its speaker later put in its place."""
    later = agent.memory.taken_back(found.hit.id, question)
    if later is None:
        return found
    (span,) = agent.reader.spans(question, [[agent.line(later)]])
    inside = span is not None and span.odds > 0 and span.start >= 0
    value = later.text[span.start : span.end] if span is not None and inside else later.text
    return replace(found, value=value, hit=later, before=None)


def person(agent: PersonalAgent, found: Answer) -> str:
    """Whom an answer tells of: the one that its words name, its speaker where the sentence says "I", else whom that names."""
    names, sentence = agent.known_names, sentence_with(found.value, found.hit.text)
    inside, beside = named_people(found.value, names), named_people(sentence, names)
    if inside or not (says_i(sentence) or beside):
        return names[inside[0]][0] if inside else found.value
    if says_i(sentence) and found.hit.sender in names:
        return names[found.hit.sender][0]
    return names[beside[0]][0] if beside else found.value


def ranked(agent: PersonalAgent, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The first hits in the order in which they are read."""
    return _Ranked.of(agent, question, hits).order


@dataclass(frozen=True)
class _Ranked:
    """order: hits, the likeliest to answer first. scenes: each with the lines around it. relevance: log-odds of each. rivals: as
    in `Weights`."""

    order: list[Hit]
    scenes: Mapping[str, list[Hit]]
    relevance: Mapping[str, float]
    rivals: float

    @classmethod
    def of(cls, agent: PersonalAgent, question: str, hits: Sequence[Hit]) -> "_Ranked":
        lines = [hit for hit in hits if hit.kind != "summary"][:RANKED]
        scenes = {hit.id: _scene(agent, hit) for hit in lines}
        pairs = [(_before(agent, scenes[hit.id], hit), agent.line(hit)) for hit in lines]
        odds = agent.reader.relevance(question, pairs) if pairs else ()
        relevance = {hit.id: float(one) for hit, one in zip(lines, odds, strict=True)}
        order = sorted(lines, key=lambda hit: -standing(relevance[hit.id], hit))
        behind = sorted((hit.score for hit in lines), reverse=True)[1 : 1 + RIVALS]
        return cls(order, scenes, relevance, sum(behind) / len(behind) if behind else 0.0)


def _answer(
    agent: PersonalAgent, window: Sequence[Hit], span: Span, near: Hit, look: _Ranked, named: Mapping[str, Sequence[str]]
) -> Answer:  # fmt: skip
    hit = window[span.line]
    value = agent.line(hit)[0] if span.start < 0 else hit.text[span.start : span.end].strip(QUOTATION)
    if not content_words(value):  # "I" alone says nothing
        value = sentence_with(value, hit.text)
    there = {who for one in window for who in (one.sender, *one.receivers)}
    there |= {who for one in window for who in named_people(one.text, named)}
    share = len(there & named.keys()) / len(named) if named else 1.0
    relevance = look.relevance.get(hit.id, look.relevance[near.id])
    signs = (span.odds, relevance, near.score, look.rivals, share)
    short = span.line and len(hit.text.split()) <= SHORT
    return Answer(value, hit, 0.0, window[span.line - 1] if short else None, signs)


def sure(one: Answer, among: Sequence[Answer], weights: Weights = WEIGHTS) -> float:
    """How likely a span answers, beside all that were found."""
    own = merit(one.signs, weights)
    return 1 / (1 + exp(-weights.merit * own - weights.lead * lead(one, among, weights) - weights.base))


def merit(signs: Sequence[float], weights: Weights = WEIGHTS) -> float:
    """What the signs of a span come to, in log-odds but for a constant."""
    return float(np.dot(astuple(weights)[: len(signs)], signs))


def lead(one: Answer, among: Sequence[Answer], weights: Weights = WEIGHTS) -> float:
    """How far the merit of a span is above that of the best one that says something else."""
    said = content_stems(one.value)
    others = [merit(other.signs, weights) for other in among if not said & content_stems(other.value)]
    return merit(one.signs, weights) - max(others) if others else ALONE


def standing(relevance: float, hit: Hit) -> float:
    """What a hit is ranked by: the reader's log-odds that it answers, and recall's score, which knows names and words that the
    reader does not."""
    return relevance + RECALLED * hit.score


def _scene(agent: PersonalAgent, hit: Hit) -> list[Hit]:
    """The line and those around it, in their order."""
    before, after = agent.beside(hit, AROUND)
    return [*before, hit, *after]


def _before(agent: PersonalAgent, scene: Sequence[Hit], hit: Hit) -> Line | None:
    place = next(at for at, one in enumerate(scene) if one.id == hit.id)
    return agent.line(scene[place - 1]) if place else None
