"""The tagger's classifiers fitted: multinomial logistic regressions with an L2 penalty, by L-BFGS."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize

from kithnet.bench.reading.labelled import Labelled
from kithnet.memory.vectors import Vectors
from kithnet.memory.writing import tagging
from kithnet.memory.writing.tagging import ACTS, GROUPS, LABELS, Group, Linear, WordEncoder
from kithnet.runtime.files import put_in_place

Labels = npt.NDArray[np.int64]
PENALTY = 1e-3
ROUNDS = 150
BALANCE = 0.5
"""How far rare labels are made up for: 0 not, 1 wholly."""


def fitted(messages: Sequence[Labelled], encoder: WordEncoder) -> tuple[dict[Group, Linear], Linear]:
    """The classifiers of units and of messages that fit these messages best."""
    rows: dict[Group, list[Vectors]] = {group: [] for group in LABELS}
    wanted: dict[Group, list[int]] = {group: [] for group in LABELS}
    whole: list[Vectors] = []
    vectors = encoder.word_vectors([[unit.text for unit in one.units] for one in messages])
    for message, found in zip(messages, vectors, strict=True):
        whole.append(tagging.of_message(found))
        features = tagging.features_of(message.units, found)
        for unit, label, row in zip(message.units, message.labels, features, strict=True):
            group = GROUPS[unit.kind]
            rows[group].append(row)
            wanted[group].append(LABELS[group].index(label) if label in LABELS[group] else 0)
    units = {group: logistic(np.stack(rows[group]), np.array(wanted[group]), len(LABELS[group])) for group in LABELS}
    acts = np.array([ACTS.index(message.act) for message in messages])
    return units, logistic(np.stack(whole), acts, len(ACTS))


def logistic(rows: Vectors, wanted: Labels, count: int) -> Linear:
    """The softmax regression of `wanted` (N,) on `rows` (N, dim), standardised while it is fitted. count: labels."""
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    scaled = (rows - middle) / spread
    dim = rows.shape[1]
    often = np.maximum(np.bincount(wanted, minlength=count), 1)
    worth = ((len(wanted) / count / often) ** BALANCE)[wanted].astype(np.float32)
    worth /= worth.mean()
    picked = (np.arange(len(wanted)), wanted)

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weight, bias = flat[: count * dim].reshape(count, dim).astype(np.float32), flat[count * dim :].astype(np.float32)
        odds = Linear(weight, bias).odds(scaled)
        value = float(-(np.log(odds[picked] + 1e-9) * worth).mean()) + PENALTY * float((weight * weight).sum()) / 2
        odds[picked] -= 1
        odds *= worth[:, None] / len(wanted)
        return value, np.concatenate([(odds.T @ scaled + PENALTY * weight).ravel(), odds.sum(axis=0)]).astype(np.float64)

    start = np.zeros(count * dim + count)
    found: Any = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS})
    weight = found.x[: count * dim].reshape(count, dim) / spread
    bias = found.x[count * dim :] - weight @ middle
    return Linear(weight.astype(np.float32), bias.astype(np.float32))


def save(path: Path, units: Mapping[Group, Linear], acts: Linear) -> None:
    """Write the weights where `tagging.tagger_of` reads them, in half precision."""
    held = {f"{group}_weight": one.weight for group, one in units.items()}
    held |= {f"{group}_bias": one.bias for group, one in units.items()}
    held |= {"act_weight": acts.weight, "act_bias": acts.bias}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **{name: array.astype(np.float16) for name, array in held.items()})  # type: ignore[arg-type]
    put_in_place(part, path)
