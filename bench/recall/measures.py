"""What a ranking of turns is worth: shares of the evidence, sessions, prompt tokens; intervals by conversation."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kithnet.bench.recall.locomo import ANSWERABLE, Conversation, Question
from kithnet.memory.recall import cost

DRAWS = 2_000
CUTS = (1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50)


@dataclass(frozen=True, slots=True)
class Score:
    """One question's outcome. recall: share of its evidence among the first k, by `CUTS`. tokens: what those k take in
    a prompt. session_first: the best session is one of the evidence; sessions: share of those among the first ten.
    abstained: the search says that it found no support; None where it cannot.
    """

    conversation: int
    category: int
    recall: tuple[float, ...]
    tokens: tuple[int, ...]
    session_first: float
    sessions: float
    abstained: bool | None

    def at(self, k: int) -> float:
        return self.recall[CUTS.index(k)]


def score(
    place: int, conversation: Conversation, question: Question, ranked: Sequence[int], abstained: bool | None = None
) -> Score:
    """Measure one ranking: message numbers, best first."""
    messages = conversation.messages
    sessions = list(dict.fromkeys(messages[item].session for item in ranked))
    wanted = {messages[item].session for item in question.evidence}
    return Score(
        place,
        question.category,
        tuple(len(question.evidence.intersection(ranked[:k])) / len(question.evidence) for k in CUTS),
        tuple(sum(cost(messages[item].text) for item in ranked[:k]) for k in CUTS),
        float(bool(sessions) and sessions[0] in wanted),
        len(wanted.intersection(sessions[:10])) / len(wanted),
        abstained,
    )


def mean(scores: Iterable[Score], of: Callable[[Score], float]) -> float:
    """The mean over questions; 0 for none."""
    values = [of(one) for one in scores]
    return float(np.mean(values)) if values else 0.0


def interval(scores: Sequence[Score], of: Callable[[Score], float], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean when whole conversations are drawn."""
    places = sorted({one.conversation for one in scores})
    sums = np.array([sum(of(one) for one in scores if one.conversation == place) for place in places])
    counts = np.array([sum(one.conversation == place for one in scores) for place in places])
    drawn = np.random.default_rng(seed).integers(0, len(places), (DRAWS, len(places)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def tokens_for(scores: Sequence[Score], wanted: float) -> tuple[float, bool]:
    """Mean prompt tokens at the first cut whose mean recall reaches `wanted`, and whether one does; else at the last."""
    for place, _ in enumerate(CUTS):
        if np.mean([one.recall[place] for one in scores]) >= wanted:
            return float(np.mean([one.tokens[place] for one in scores])), True
    return float(np.mean([one.tokens[-1] for one in scores])), False


def answerable(scores: Iterable[Score]) -> list[Score]:
    """Those of questions that have an answer."""
    return [one for one in scores if one.category in ANSWERABLE]
