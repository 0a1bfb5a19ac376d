"""The numbers of recall, fixed here. `kith bench recall` tunes them again and says how far it gets with its own.

The weights of the signals were fitted on the development conversations of LoCoMo alone (`bench/recall/tune.py`);
`mentioned` and `linked` cannot be learned there, where two people talk and nothing is noted, and were set by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """How the signals are made.

    k1, b: BM25's saturation and length normalisation for utterances (a term counts once: chat messages are short) and
    for whole sessions. sent_by_named, sent_to_named: what a term counts that names the sender or receiver. before,
    after: what it counts when an utterance so many steps before or after holds it; 1 when the item itself does.
    around: the same for nearness by vectors. cosine_floor: the cosine of unrelated texts. second_look: how many of
    the best are read for what their text tells. abstain_*: an answer is in doubt when no hit reaches either.
    said_by_named: how much more coverage supports what a named person said. cosine_share: the cosine's part in support.
    supporters: of the best, how many are looked at for the support that the best is scored by. steepness: the power by
    which scores fall behind the best.
    """

    k1: float = 1.2
    b: float = 0.3
    session_k1: float = 1.5
    session_b: float = 0.75
    sent_by_named: float = 0.6
    sent_to_named: float = 0.15
    before: tuple[float, ...] = (0.6, 0.35)
    after: tuple[float, ...] = (0.4, 0.2)
    around_before: tuple[float, ...] = (1.0, 0.4)
    around_after: tuple[float, ...] = (0.4, 0.2)
    cosine_floor: float = 0.15
    second_look: int = 150
    abstain_coverage: float = 0.34
    abstain_cosine: float = 0.45
    said_by_named: float = 0.6
    cosine_share: float = 0.3
    supporters: int = 3
    steepness: float = 2.0


SHAPE = Shape()

# Signal -> weight; `signals` says what each is. Without vectors other weights are best.
LEXICAL: Mapping[str, float] = {
    "coverage": 5.55,
    "best": 0.91,
    "session": 2.52,
    "speaker": 2.39,
    "mentioned": 0.5,
    "dated": 3.35,
    "length": 1.37,
    "linked": 2.0,
    "time": 1.31,
    "number": 1.41,
    "asks": -0.61,
}
HYBRID: Mapping[str, float] = {
    "coverage": 3.48,
    "best": 0.47,
    "session": 1.79,
    "speaker": 2.55,
    "mentioned": 0.5,
    "dated": 3.35,
    "length": 1.58,
    "linked": 2.0,
    "cosine": 0.88,
    "nearest": 2.17,
    "around": 1.5,
    "time": 1.52,
    "number": 1.08,
    "asks": -0.73,
}
