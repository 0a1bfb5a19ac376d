"""Why each candidate of a recall was kept or dropped, as data; what a partner may not be served with stays unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from kithnet.memory import reading
from kithnet.memory.notes import withheld
from kithnet.memory.recall import Hit
from kithnet.memory.search import Question, Ranking, Search, supports

KEPT = "kept"
DOUBTFUL = "kept, below threshold"
WITHHELD = "audience"
OVER = "superseded"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that a query came to, best first, and what became of it.

    scores: "score" (what hits are ordered by), "coverage" and "cosine" (what abstention looks at; no "cosine" where no
    vector took part), and by "+NAME" what each signal adds to the sum that ranks. kept: `recall` returns it.

    why: "kept"; "kept, below threshold" where the recall abstains because no hit accounts for enough of the question;
    "rank > k"; "budget"; "duplicate" of one above; "superseded" for a memory that does not hold at that time;
    "audience" for a memory that the partner may not be served with: of that only the id and kind are given.
    """

    id: str
    kind: str
    text: str
    scores: Mapping[str, float]
    kept: bool
    why: str
    messages: tuple[str, ...]
    told_by: str
    audience: tuple[str, ...] | None
    at: datetime | None


_WHY = {"kept": KEPT, "rank": "rank > k", "budget": "budget", "duplicate": "duplicate"}


def explain(search: Search, question: Question) -> list[Candidate]:
    """Every candidate that was read back, in order, then the memories that match and were withheld or are over."""
    ranking = search.rank(question)
    choices = list(
        reading.choose(ranking.looked, ranking.built, question.asked, question.k, question.budget, every=True)
    )
    doubtful = not any(supports(choice.hit) for choice in choices if choice.kept)
    found = []
    for choice in choices:
        why = DOUBTFUL if choice.kept and doubtful else _WHY[choice.why]
        found.append(_candidate(choice.hit, _scores(ranking, choice.item, choice.hit.score), choice.kept, why))
    return found + _unserved(search, question, ranking)


def _unserved(search: Search, question: Question, ranking: Ranking) -> list[Candidate]:
    """Memories of the owner that match and were no candidates: not for this partner, or not true then."""
    allowed = set(ranking.notes.ids.tolist())
    everything = search.rank(question, search.notes)
    barred = withheld(search.scope, search.connection, question.partner)
    found = []
    for looked in everything.looked:
        hit = everything.built.hit(looked)
        if hit.kind == "message" or int(hit.id[1:]) in allowed:
            continue
        if int(hit.id[1:]) in barred:
            found.append(Candidate(hit.id, hit.kind, "", {}, False, WITHHELD, (), "", None, None))
        else:
            found.append(_candidate(hit, _scores(everything, looked.item, hit.score), False, OVER))
    return found


def _candidate(hit: Hit, scores: Mapping[str, float], kept: bool, why: str) -> Candidate:
    return Candidate(hit.id, hit.kind, hit.text, scores, kept, why, hit.messages, hit.told_by, hit.audience, hit.at)


def _scores(ranking: Ranking, item: int, score: float) -> dict[str, float]:
    scores = {"score": score, "coverage": float(ranking.built.signals["coverage"][item])}
    if ranking.built.cosines is not None and not np.isnan(ranking.built.cosines[item]):
        scores["cosine"] = float(ranking.built.cosines[item])
    parts = {name: weight * float(ranking.built.signals[name][item]) for name, weight in ranking.weights.items()}
    return scores | {f"+{name}": value for name, value in parts.items() if value}
