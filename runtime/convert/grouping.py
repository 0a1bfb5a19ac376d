"""Neurons of a dense feed-forward block into groups of equal size, and a router that tells which groups matter.

x: (tokens, width) inputs of the block. h: (tokens, neurons) what the neurons put out, before the down-projection.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_DIRECTIONS = 64  # that a neuron's activity over the tokens is projected on: enough to tell groups apart
_ROUNDS = 6
_RIDGE = 1e-2  # of the inputs' mean square: keeps the fit from following noise


def activity(x: Floats, gate: Floats, up: Floats) -> Floats:
    """(tokens, neurons): SwiGLU of the inputs. gate, up: (neurons, width)."""
    driven = x @ gate.T
    return np.asarray(driven / (1 + np.exp(-np.clip(driven, -60, 60))) * (x @ up.T), np.float32)


def groups_of(h: Floats, down: Floats, count: int, seed: int = 0) -> Ids:
    """(count, neurons/count): neurons that are active together, by balanced k-means over their activity.

    down: (width, neurons). A neuron counts with the length of what it writes. Every group gets the same number of
    neurons: the assignment in each round is the cheapest under that condition (Hungarian algorithm).
    """
    neurons = h.shape[1]
    size = neurons // count
    draw = np.random.default_rng(seed)
    strength = np.abs(h) * np.linalg.norm(down, axis=0)
    strength -= strength.mean(axis=0)
    mixing = draw.standard_normal((_DIRECTIONS, len(h))).astype(np.float32) / np.sqrt(_DIRECTIONS)
    points = (mixing @ strength).T
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-12
    centres = _spread(points, count, draw)
    assigned = np.full(neurons, -1)
    for _ in range(_ROUNDS):
        cost = -(points @ centres.T)
        rows, places = linear_sum_assignment(np.repeat(cost, size, axis=1))
        found = np.empty(neurons, np.int64)
        found[rows] = places // size
        if (found == assigned).all():
            break
        assigned = found
        centres = np.stack([points[assigned == group].mean(axis=0) for group in range(count)])
    return np.stack([np.flatnonzero(assigned == group) for group in range(count)])


def weight_of_groups(h: Floats, down: Floats, groups: Ids) -> Floats:
    """(tokens, groups): the length of what each group adds to the block's output."""
    return np.stack([np.linalg.norm(h[:, ids] @ down[:, ids].T, axis=1) for ids in groups], axis=1)


def fit_router(x: Floats, importance: Floats) -> Floats:
    """(groups, width): logits whose order is that of `importance`, by ridge regression on the inputs.

    importance: (tokens, groups). Only differences within a token matter, so each token's mean is taken off; the logits
    of the fit have a standard deviation of 1 over groups and tokens.
    """
    target = importance - importance.mean(axis=1, keepdims=True)
    gram = x.T.astype(np.float64) @ x
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    weights = np.linalg.solve(gram, x.T.astype(np.float64) @ target)
    spread = float((x @ weights).std()) or 1.0
    return np.asarray(weights.T / spread, np.float32)


def _spread(points: Floats, count: int, draw: np.random.Generator) -> Floats:
    """First centres: each far from those before it (k-means++)."""
    chosen = [int(draw.integers(len(points)))]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(draw.choice(len(points), p=nearest / nearest.sum())))
    return points[chosen]
