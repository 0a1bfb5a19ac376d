"""Which way a sentence leans towards a thing, told by cues and by its meaning and words beside examples, the thing masked."""

from collections.abc import Sequence
from functools import lru_cache

from kithnet.agents.minds.rules.examples import examples
from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.memory.vectors import Embedder
from kithnet.memory.writing import tastes

MASK = "these"
"""Stands for the thing, so that what a sentence is about says nothing of how it leans."""
MASKS = (MASK, "it")
"""What stands for it in turns where a sentence is embedded: things are one or many."""
RIDGE, CUE = 0.5, 0.3
"""Weight of the penalty; what a cue adds to the leaning by example, which is about 1 where it is clear."""


@lru_cache(maxsize=2)
def _kinds(embedder: Embedder) -> Likeness:
    """Fitted once: every taste that is read or compared is judged by it."""
    kinds = {kind: [one.replace("{}", MASK) for one in bank] for kind, bank in examples("leanings").items()}
    return Likeness(kinds, embedder, ridge=RIDGE, said_for=(MASK, MASKS))


def judge(texts: Sequence[str], embedder: Embedder) -> list[tuple[float, float]]:
    """For each text how it leans, above 0 for liking, and how much it is of taste at all, above 0 rather than not.

    A thing that is known stands as `MASK` in it.
    """
    scores = _kinds(embedder).scores(texts)  # type: ignore[arg-type]  # an object: it can be hashed
    return [
        (float(like - dislike) / 2 + CUE * tastes.leaning(text), float(max(like, dislike) - neither))
        for text, (like, dislike, neither) in zip(texts, scores, strict=True)
    ]
