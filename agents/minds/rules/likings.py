"""What is asked about the tastes of two people: what they share, or see in opposite ways; by likeness to examples.

In the examples the two are Ann and Ben; so they are made in a task before it is compared.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from kithnet.agents.minds.rules.examples import examples
from kithnet.agents.minds.rules.likeness import Likeness
from kithnet.agents.minds.rules.meanings import EXAMPLES, OF_TASTE, OTHERS, Tool
from kithnet.memory.language.text import stem, words
from kithnet.memory.vectors import Embedder

PLACEHOLDERS = ("Ann", "Ben")
FIRST, CUE = 0.2, 0.3
"""How far the winning kind must score above other questions, where examples are about 1 and others -1; what a cue adds."""


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_LIKING = _stems(
    "like love enjoy adore fond fan keen favourite favorite passion treat delight joy pleasure please pleases cherish mad"
)
_HATING = _stems(
    "hate dislike loathe detest stand bear despise aversion horror pain annoy avoid fear afraid disgust torment"
)
_PARTED = _stems(
    "disagree differ different differently opposite opposed contrary divide divided quarrel argue clash odds conflict apart "
    "dispute unlike separate contrast diverge disagreement split"
)
_JOINED = _stems(
    "both share shared sharing common same agree too alike also equally neither united unite each mutual as"
)


@lru_cache(maxsize=2)
def _kinds(embedder: Embedder) -> Likeness:
    banks = dict(examples("likings"))
    calendar = [example for tool, bank in EXAMPLES.items() if tool not in OF_TASTE for example in bank]
    return Likeness({**banks, "other": (*banks["other"], *OTHERS, *calendar)}, embedder)


def asked_of(task: str, people: Sequence[str], embedder: Embedder) -> tuple[Tool, bool] | None:
    """Whether the tastes of two people are compared, and whether what they like is meant; None where they are not."""
    said = task
    for name, placeholder in zip(people, PLACEHOLDERS, strict=True):
        said = re.sub(rf"\b{re.escape(name)}\b", placeholder, said, flags=re.IGNORECASE)
    ((alike, dislike, apart, other),) = _kinds(embedder).scores([said])  # type: ignore[arg-type]  # an object: it can be hashed
    stems = {stem(word) for word in words(task)}
    likes, hates = bool(stems & _LIKING), bool(stems & _HATING)
    agree = {stem(one) for one in ("agree", "share")}
    denied = bool(stems & agree) and bool({"can't", "cannot", "don't", "not", "never", "doesn't"} & set(words(task)))
    apart += CUE * bool(stems & _PARTED or denied or (likes and hates and "neither" not in stems))
    alike += CUE * bool(stems & _JOINED and not hates and not denied)
    dislike += CUE * bool(stems & _JOINED and hates and not likes)
    best = max(alike, dislike, apart)
    if best - other < FIRST:
        return None
    if best == apart:
        return "apart", True
    return "alike", bool(best == alike)
