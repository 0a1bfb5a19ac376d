"""Fit the weights of recall's signals on some conversations, and see what they are worth on another.

The loss is a softmax over the candidates of a question (ListNet's top-one form), each turn of the evidence against all
that are none. What recall weighs and ships is `memory/weights.py`; the benchmark refits them to say how far they carry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from kithnet.bench.recall.arms import RANKED, ROOM
from kithnet.bench.recall.locomo import ANSWERABLE, Conversation
from kithnet.bench.recall.measures import Score, score
from kithnet.memory.owner import OwnerMemory

BY_HAND = frozenset(("mentioned", "linked"))
"""Signals that two people who note nothing cannot teach: their weights stay as they ship."""
LOWERS = frozenset(("asks",))
RIDGE = 0.03
"""Keeps weights small: with five conversations less of it fits them no better, and the left-out one worse."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A question's candidates. signals: (C, S). numbers: (C,) of the messages. gold: (C,) whether it is evidence."""

    conversation: int
    question: int
    category: int
    signals: Floats
    numbers: tuple[int, ...]
    gold: npt.NDArray[np.bool_]


def cases(place: int, conversation: Conversation, memory: OwnerMemory, weights: Mapping[str, float]) -> list[Case]:
    """What recall weighs for each question, by what `explain` shows that each signal adds."""
    found = []
    for number, question in enumerate(conversation.questions):
        candidates = memory.explain(question.text, k=RANKED, budget=ROOM)
        numbers = tuple(int(one.id[1:]) - 1 for one in candidates)
        values = [[one.scores.get(f"+{name}", 0.0) / weight for name, weight in weights.items()] for one in candidates]
        signals = np.array(values, dtype=np.float64).reshape(len(candidates), len(weights))
        gold = np.array([item in question.evidence for item in numbers], dtype=bool)
        found.append(Case(place, number, question.category, signals, numbers, gold))
    return found


def fit(given: Sequence[Case], start: Mapping[str, float]) -> dict[str, float]:
    """The best weights for these cases' answerable questions. Deterministic."""
    taught = [case for case in given if case.category in ANSWERABLE and case.gold.any()]
    names = list(start)
    scale = np.concatenate([case.signals for case in taught]).std(axis=0) + 1e-6
    fixed = np.array([name in BY_HAND for name in names])
    first = np.array([start[name] for name in names]) * scale

    def loss(free: Floats) -> tuple[float, Floats]:
        weights = np.where(fixed, first, free)
        total, gradient = 0.0, np.zeros(len(names))
        for case in taught:
            part, slope = _loss(case.signals / scale, case.gold, weights)
            total += part / len(taught)
            gradient += slope / len(taught)
        penalty = RIDGE * float(weights @ weights)
        return total + penalty, np.where(fixed, 0.0, gradient + 2 * RIDGE * weights)

    bounds = [(None, 0.0) if name in LOWERS else (0.0, None) for name in names]
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds)
    best = np.where(fixed, first, found.x) / scale
    return {name: round(float(weight), 2) for name, weight in zip(names, best, strict=True)}


def _loss(signals: Floats, gold: npt.NDArray[np.bool_], weights: Floats) -> tuple[float, Floats]:
    scores = signals @ weights
    shares = np.exp(scores - scores.max())
    others = np.where(gold, 0.0, shares)
    total, gradient = 0.0, np.zeros(signals.shape[1])
    for item in np.flatnonzero(gold):
        room = others.sum() + shares[item]
        total -= float(np.log(shares[item] / room)) / gold.sum()
        gradient -= (signals[item] - (others @ signals + shares[item] * signals[item]) / room) / gold.sum()
    return total, gradient


def replay(given: Sequence[Case], conversations: Sequence[Conversation], weights: Mapping[str, float]) -> list[Score]:
    """The scores that these weights give to cases that were weighed already."""
    vector = np.array(list(weights.values()))
    scores = []
    for case in given:
        order = np.argsort(-(case.signals @ vector), kind="stable")[:RANKED]
        conversation = conversations[case.conversation]
        ranked = [case.numbers[item] for item in order]
        scores.append(score(case.conversation, conversation, conversation.questions[case.question], ranked))
    return scores


def left_out(given: Sequence[Case], conversations: Sequence[Conversation], start: Mapping[str, float]) -> list[Score]:
    """Each conversation's scores by weights that were fitted on all the others."""
    scores = []
    for place in range(len(conversations)):
        weights = fit([case for case in given if case.conversation != place], start)
        scores += replay([case for case in given if case.conversation == place], conversations, weights)
    return scores
