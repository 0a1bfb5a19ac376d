"""How well each utterance and memory answers a query: pure functions over arrays, no database.

An item (an utterance of the owner's view, or a memory) is supported by the query's terms that it holds, by those
that name the people it passed between, and, more weakly, by those that its neighbours in the session hold: in a
chat the question is often in one message and the answer in the next. All terms are weighed by their rarity in the
owner's own view. The result is a share of what a perfect item would get, so that it compares across queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.memory.view import View

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_HIT = 12  # who said it to whom, when, and its id, as a prompt shows them


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that the owner knows. id: "m17" for a message, "k4" for a memory.

    score: in [0, 1], what the hits are ordered by. lexical, cosine, coverage: its components, see `Weights`;
    cosine is None when no vector took part. sender, receiver: of a message; of a memory, who told it and the owner.
    messages: ids of the messages that state it. audience: None for everybody, else the people it may be told.
    excerpt: `text` is cut around the matched words because it alone would pass the budget.
    """

    id: str
    kind: str
    text: str
    score: float
    lexical: float
    cosine: float | None
    coverage: float
    sender: str
    receiver: str
    at: datetime | None
    session: str
    messages: tuple[str, ...]
    told_by: str
    audience: tuple[str, ...] | None = None
    about: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    excerpt: bool = False


@dataclass(frozen=True, slots=True)
class Recall:
    """hits: best first, within the token budget. searched: messages and memories that the query ran over.

    abstained: nothing supports the query well enough to be taken for an answer. mode: "lexical" or "hybrid".
    seconds: wall clock.
    """

    hits: tuple[Hit, ...]
    searched: int
    abstained: bool
    seconds: float
    mode: str


@dataclass(frozen=True, slots=True)
class Weights:
    """k1, b: BM25's saturation and length normalisation (every term counts once: chat messages are short).

    sent_by_named to next_to: what a term counts that names the sender or receiver, or that is held by the utterance
    one, two, three steps away, relative to one that the item itself holds (1). speaker_*: how much more an item
    counts that a person of the question sent or received. cosine: its share in the score; cosine_floor: the cosine
    of unrelated texts. abstain_*: an answer is in doubt when no hit reaches either.
    """

    k1: float = 1.2
    b: float = 0.3
    sent_by_named: float = 0.6
    sent_to_named: float = 0.15
    next_to: tuple[float, ...] = (0.6, 0.35, 0.15)
    speaker_sent: float = 0.6
    speaker_received: float = 0.05
    cosine: float = 0.3
    cosine_floor: float = 0.15
    abstain_coverage: float = 0.34
    abstain_cosine: float = 0.45


WEIGHTS = Weights()


@dataclass(frozen=True)
class Evidence:
    """What is known of D items for T terms. All (T, D) but `words` (D,) and `speaker` (D,).

    held: the item's text holds the term. named: 0..1, the term names its sender or receiver.
    near: 0..1, a neighbour in the session holds it. speaker: 0..1, a person named in the question took part.
    """

    held: Bools
    named: Floats
    near: Floats
    words: Floats
    speaker: Floats


@dataclass(frozen=True)
class Support:
    """(D,) each. lexical: what items are ranked by; 1 for a perfect item, a little more if the right person said it.

    coverage: in [0, 1], the share of the query that is accounted for.
    """

    lexical: Floats
    coverage: Floats
    idf: Floats = field(repr=False)  # (T,)


def inverse_frequency(frequency: npt.NDArray[np.int64], items: int) -> Floats:
    """BM25's idf of terms that `frequency` of `items` hold; positive, highest for a term that none holds."""
    return np.log1p((items - frequency + 0.5) / (frequency + 0.5)).astype(np.float64)


def support(evidence: Evidence, weights: Weights = WEIGHTS) -> Support:
    """Weigh every item."""
    present = evidence.held | (evidence.named > 0)
    items = evidence.held.shape[1]
    idf = inverse_frequency(present.sum(axis=1), items)
    if not items or not len(idf):
        return Support(np.zeros(items), np.zeros(items), idf)
    average = max(float(evidence.words.mean()), 1.0)
    length = 1 - weights.b + weights.b * np.minimum(evidence.words / average, 8.0)
    saturation = (weights.k1 + 1) / (1 + weights.k1 * length)
    highest = (weights.k1 + 1) / (1 + weights.k1 * (1 - weights.b))
    share = idf / idf.sum()
    around = np.maximum(evidence.named, evidence.near) * ~evidence.held
    own = share @ evidence.held * saturation / highest
    lexical = (own + share @ around) * (1 + evidence.speaker)
    coverage = share @ np.maximum(evidence.held, around)
    return Support(lexical, np.minimum(coverage, 1.0), idf)


def neighbours(held: Bools, view: View, weights: Weights = WEIGHTS) -> Floats:
    """(T, G) how much the utterances beside each one, in the same session, hold of each term."""
    session = view.of_starts("session")
    near = np.zeros(held.shape)
    for distance, weight in enumerate(weights.next_to, start=1):
        if len(session) <= distance:
            break
        together = session[distance:] == session[:-distance]
        before = held[:, :-distance] & together
        after = held[:, distance:] & together
        near[:, distance:] = np.maximum(near[:, distance:], weight * before)
        near[:, :-distance] = np.maximum(near[:, :-distance], weight * after)
    return near


def fuse(lexical: Floats, cosines: Floats | None, weights: Weights = WEIGHTS) -> Floats:
    """(D,) one score from both searches: a weighted mean of lexical support and rescaled cosine.

    cosines: (D,), NaN where there is none. Scores are averaged rather than ranks because both are absolute: a weak
    best hit stays weak.
    """
    if cosines is None:
        return lexical
    rescaled = np.clip((np.nan_to_num(cosines, nan=-1.0) - weights.cosine_floor) / (1 - weights.cosine_floor), 0, 1)
    return (1 - weights.cosine) * lexical + weights.cosine * rescaled


def cost(text: str) -> int:
    """About how many tokens a hit takes in a prompt."""
    return len(text) // CHARACTERS_PER_TOKEN + TOKENS_PER_HIT


def excerpt(text: str, wanted: Sequence[str], characters: int) -> str:
    """The stretch of `text`, at most `characters` long, around the first of the wanted words that it holds."""
    if len(text) <= characters:
        return text
    folded = text.casefold()
    places = [place for word in wanted if (place := folded.find(word)) >= 0]
    start = max(0, min(min(places, default=0) - characters // 3, len(text) - characters))
    return text[start : start + characters]


def as_json(hit: Hit) -> dict[str, Any]:
    """The hit as `kith memory search --json` prints it."""
    return {
        "id": hit.id,
        "kind": hit.kind,
        "text": hit.text,
        "score": round(hit.score, 4),
        "messages": list(hit.messages),
        "told_by": hit.told_by,
        "audience": None if hit.audience is None else list(hit.audience),
        "valid_from": hit.valid_from.isoformat() if hit.valid_from else None,
        "valid_to": hit.valid_to.isoformat() if hit.valid_to else None,
    }
