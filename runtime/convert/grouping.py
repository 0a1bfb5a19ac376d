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
_REFIT_RIDGE = 0.1  # of the neurons' mean square: measured best of 0.01, 0.1 and 1 on text that was not fitted to


def activity(x: Floats, gate: Floats, up: Floats) -> Floats:
    """(tokens, neurons): SwiGLU of the inputs. gate, up: (neurons, width)."""
    driven = x @ gate.T
    return np.asarray(driven / (1 + np.exp(-np.clip(driven, -60, 60))) * (x @ up.T), np.float32)


def groups_of(h: Floats, down: Floats, count: int, seed: int = 0) -> Ids:
    """(count, neurons/count): the neurons that write most, whatever the token, then those that are active together.

    down: (width, neurons). A neuron counts with the length of what it writes. The first group is what models with a
    shared expert have in it. The others are found by balanced k-means over the neurons' activity.
    """
    size = h.shape[1] // count
    strength = np.abs(h) * np.linalg.norm(down, axis=0)
    order = np.argsort(-(strength**2).mean(axis=0), kind="stable")
    first, rest = np.sort(order[:size]), np.sort(order[size:])
    if count == 1:
        return first[None]
    return np.concatenate([first[None], rest[_clusters(strength[:, rest], count - 1, seed)]])


def _clusters(strength: Floats, count: int, seed: int) -> Ids:
    """(count, neurons/count). Every group gets the same number of neurons: the assignment in each round is the cheapest
    under that condition (Hungarian algorithm)."""
    neurons = strength.shape[1]
    size = neurons // count
    draw = np.random.default_rng(seed)
    strength = strength - strength.mean(axis=0)
    mixing = draw.standard_normal((_DIRECTIONS, len(strength))).astype(np.float32) / np.sqrt(_DIRECTIONS)
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


def gate_weights(x: Floats, router: Floats, top_k: int) -> Floats:
    """(tokens, groups): weights of the chosen groups, which sum to 1, and 0 for the others; as llama.cpp computes them."""
    logits = x @ router.T
    used = np.zeros(logits.shape, np.bool_)
    np.put_along_axis(used, np.argsort(-logits, axis=1)[:, :top_k], True, axis=1)
    raised = np.where(used, np.exp(logits - logits.max(axis=1, keepdims=True)), 0)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def refit_down(h: Floats, down: Floats, groups: Ids, weights: Floats, top_k: int) -> Floats:
    """(width, neurons): a down-projection for groups that are weighed, which makes up for those a token leaves out.

    weights: (tokens, groups), of `gate_weights`. Ridge regression, on the neurons as they are weighed, of what is then
    missing. Where every group has the same weight nothing is missing, and `top_k * down` comes back.
    """
    owner = np.empty(h.shape[1], np.int64)
    for group, ids in enumerate(groups):
        owner[ids] = group
    left = h * (weights * top_k)[:, owner]
    missing = (h - left) @ down.T
    gram = left.T.astype(np.float64) @ left
    gram[np.diag_indices_from(gram)] += _REFIT_RIDGE * np.trace(gram) / len(gram)
    change = np.linalg.solve(gram, left.T.astype(np.float64) @ missing)
    return np.asarray((down + change.T) * top_k, np.float32)


def _spread(points: Floats, count: int, draw: np.random.Generator) -> Floats:
    """First centres: each far from those before it (k-means++)."""
    chosen = [int(draw.integers(len(points)))]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(draw.choice(len(points), p=nearest / nearest.sum())))
    return points[chosen]
