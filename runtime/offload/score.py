"""How precisely is an expert needed? A selected expert with little gate weight bears a cheaper copy, or none.

Source: HOBBIT (arXiv 2411.01433), section 3.2; MoE-APEX (ASPLOS 2026), section 4.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.floating[Any]]
Choices = npt.NDArray[np.int8]

HIGH, LOW, SKIP = 0, 1, 2
"""What to do about a selected expert that is not here: load it, load its cheaper copy, do without."""


def unimportance(weights: Weights) -> npt.NDArray[np.float64]:
    """Score each selected expert: the share of the gate weight that the experts ranked before it have.

    weights: (tokens, K) gate weights, none negative, in any order. Returns (tokens, K) in [0, 1): 0 for the heaviest.
    Of equal weights the one in front ranks first.
    """
    heavy: npt.NDArray[np.float64] = np.asarray(weights, np.float64)
    order = np.argsort(-heavy, axis=1, kind="stable")
    ranked = np.take_along_axis(heavy, order, axis=1)
    total = np.maximum(ranked.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    before = np.cumsum(ranked, axis=1) - ranked
    scores = np.empty_like(heavy)
    np.put_along_axis(scores, order, before / total, axis=1)
    return scores


def decide(scores: npt.NDArray[np.float64], t1: float, t2: float) -> Choices:
    """HIGH up to a score of `t1`, LOW up to `t2`, SKIP above. The heaviest expert scores 0: a `t1` of 0 keeps it.

    t1 of 1 or more lowers nothing, t2 of 1 or more skips nothing.
    """
    return np.where(scores <= t1, HIGH, np.where(scores <= t2, LOW, SKIP)).astype(np.int8)
