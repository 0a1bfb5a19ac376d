"""Finding the answer to a question in what recall brought: the reader ranks the lines, reads the best ones in their scene, and says
how sure it is; nothing where it is not sure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp

import numpy as np

from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import content_words, named_people, says_i
from kithnet.memory.language.reader import Line, Span
from kithnet.memory.language.text import sentence_with
from kithnet.memory.owner import Hit

RANKED, READ = 50, 8
"""Hits that are ranked line by line, and of those the ones that are read with the lines around them."""
RECALLED = 12.0
"""What recall's score of a hit is worth beside the reader's log-odds."""
BUDGET = 20_000
"""Tokens that the hits may take together: they are read one by one, in no prompt."""
SHORT = 12
"""Words of a line that may say nothing without the one before it."""
AROUND = 2
"""Lines before and behind a hit that are read with it; the reader is trained on such windows."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds that a span is the answer, per unit of each sign. span: its own log-odds. relevance: of its line. recall: the
    hit's score there. named: share of the people asked about that take part in its scene or are named in it."""

    span: float
    relevance: float
    recall: float
    named: float
    base: float


WEIGHTS = Weights(0.151, 0.05, 3.512, 0.306, -4.361)
"""Fitted by `bench/reading/calibrate.py` to 132 questions over ten seasons, each with the lines that recall found for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """value: the words that answer. hit: the line they stand in. sure: how likely they answer, in [0, 1]. before: the line
    before it in the scene, where it is too short to say something by itself. signs: what `sure` was computed from, in the order
    of `Weights` less its base."""

    value: str
    hit: Hit
    sure: float
    before: Hit | None
    signs: tuple[float, ...]


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
        one = _answer(agent, window, span, hit, look.relevance, named)
        if one.hit.id not in found or one.sure > found[one.hit.id].sure:
            found[one.hit.id] = one
    gone = agent.outdated([one.hit for one in found.values()])  # a line beside a hit was not recalled itself
    return sorted((one for one in found.values() if one.hit.id not in gone), key=lambda one: -one.sure)


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
    """order: hits, the likeliest to answer first. scenes: each with the lines around it. relevance: log-odds of each."""

    order: list[Hit]
    scenes: Mapping[str, list[Hit]]
    relevance: Mapping[str, float]

    @classmethod
    def of(cls, agent: PersonalAgent, question: str, hits: Sequence[Hit]) -> "_Ranked":
        lines = [hit for hit in hits if hit.kind != "summary"][:RANKED]
        scenes = {hit.id: _scene(agent, hit) for hit in lines}
        pairs = [(_before(agent, scenes[hit.id], hit), agent.line(hit)) for hit in lines]
        odds = agent.reader.relevance(question, pairs) if pairs else ()
        relevance = {hit.id: float(one) for hit, one in zip(lines, odds, strict=True)}
        # recall's own score counts too: a hit may be near by a name or a word that the reader does not know
        order = sorted(lines, key=lambda hit: -(relevance[hit.id] + RECALLED * hit.score))
        return cls(order, scenes, relevance)


def _answer(
    agent: PersonalAgent, window: Sequence[Hit], span: Span, near: Hit, ranks: Mapping[str, float],
    named: Mapping[str, Sequence[str]],
) -> Answer:  # fmt: skip
    hit = window[span.line]
    value = agent.line(hit)[0] if span.start < 0 else hit.text[span.start : span.end]
    if not content_words(value):  # "I" alone says nothing
        value = sentence_with(value, hit.text)
    there = {one.sender for one in window} | {one.receiver for one in window}
    there |= {who for one in window for who in named_people(one.text, named)}
    share = len(there & named.keys()) / len(named) if named else 1.0
    signs = (span.odds, ranks.get(hit.id, ranks[near.id]), near.score, share)
    short = span.line and len(hit.text.split()) <= SHORT
    return Answer(value, hit, sure(signs) * hit.trust, window[span.line - 1] if short else None, signs)


def sure(signs: Sequence[float], weights: Weights = WEIGHTS) -> float:
    """How likely a span with these signs is the answer."""
    terms = (weights.span, weights.relevance, weights.recall, weights.named)
    return 1 / (1 + exp(-float(np.dot(terms, signs)) - weights.base))


def _scene(agent: PersonalAgent, hit: Hit) -> list[Hit]:
    """The line and those around it, in their order."""
    before, after = agent.beside(hit, AROUND)
    return [*before, hit, *after]


def _before(agent: PersonalAgent, scene: Sequence[Hit], hit: Hit) -> Line | None:
    place = next(at for at, one in enumerate(scene) if one.id == hit.id)
    return agent.line(scene[place - 1]) if place else None
