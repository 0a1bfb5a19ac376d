"""Thresholds T1 and T2 of a model, from a record of how its routers weigh what they select.

The published pair (0.6, 0.9) is Mixtral's, whose top-2 weights give 67 % high, 30 % low, 3 % skipped. Another model's
weights are spread otherwise, so the thresholds are chosen for the shares, not copied.
"""

from dataclasses import dataclass

import numpy as np

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.offload.score import Weights, decide, unimportance

MIXTRAL_SHARES = (0.67, 0.30, 0.03)
"""Of selected experts: high, low, skipped (HOBBIT, section 3.2)."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """t1, t2: see `decide`. shares: of the selections they were chosen on, the part that is high, low and skipped."""

    t1: float
    t2: float
    shares: tuple[float, float, float]


def thresholds(weights: Weights, shares: tuple[float, float, float] = MIXTRAL_SHARES) -> Thresholds:
    """Choose T1 and T2 so that selections fall into high, low and skipped in the proportion `shares`.

    weights: (selections, K) gate weights of a routing record, one row for each token and layer. With few experts a
    token the scores are few as well, since the heaviest always has 0: then the nearest share that they allow is met,
    and the result says which. Raises ConfigError for an empty record or shares that are no proportion.
    """
    high, low, skip = shares
    if min(shares) < 0 or not np.isclose(high + low + skip, 1.0):
        raise ConfigError(f"{shares} are no shares of high, low and skipped", "give three numbers that add up to 1")
    if weights.ndim != 2 or not weights.size:
        raise ConfigError("the routing record is empty", "record one: kith model calibrate")
    scores = unimportance(weights)
    flat = np.sort(scores, axis=None)
    t1 = float(np.quantile(flat, high, method="inverted_cdf"))
    t2 = float(np.quantile(flat, high + low, method="inverted_cdf")) if skip > 0 else 1.0
    got = np.bincount(decide(scores, t1, t2).reshape(-1), minlength=3) / scores.size
    return Thresholds(t1, max(t1, t2), (float(got[0]), float(got[1]), float(got[2])))
