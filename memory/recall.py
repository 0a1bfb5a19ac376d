"""What a recall returns, and what it costs in a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_HIT = 12  # who said it to whom, when, and its id, as a prompt shows them


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that the owner knows. id: "m17" for a message, "k4" for a memory.

    score: in [0, 1], what the hits are ordered by. lexical, cosine, coverage: parts of it, see `signals`;
    cosine is None when no vector took part. sender: of a message, and receivers: who else could read it; of a
    memory, who told it and the owner.
    messages: ids of the messages that state it. audience: None for everybody, else the people it may be told.
    excerpt: `text` is cut around the matched words because it alone would pass the budget. trust: how good its evidence
    was, in [0, 1]: 1 for a message and what rests on messages of the owner's; what another agent passed on is worth no
    more than it was when it was written down.
    """

    id: str
    kind: str
    text: str
    score: float
    lexical: float
    cosine: float | None
    coverage: float
    sender: str
    receivers: tuple[str, ...]
    at: datetime | None
    session: str
    messages: tuple[str, ...]
    told_by: str
    audience: tuple[str, ...] | None = None
    about: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    excerpt: bool = False
    trust: float = 1.0


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
