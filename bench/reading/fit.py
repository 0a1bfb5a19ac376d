"""The tagger's classifiers fitted: multinomial logistic regressions with an L2 penalty, fitted step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kithnet.bench.reading.labelled import Labelled
from kithnet.memory.vectors import Vectors
from kithnet.memory.writing import tagging
from kithnet.memory.writing.tagging import (
    ACTS,
    GROUPS,
    LABELS,
    SUBJECTS,
    Group,
    Linear,
    Weights,
    WordEncoder,
    WordVectors,
)
from kithnet.runtime.files import put_in_place

Labels = npt.NDArray[np.int64]
PENALTY = 1e-3
BATCH = 256
KEPT = 0.6
"""Of the words without a label, the share that is fitted to: most of them are told easily."""
BALANCE = 0.3
"""How far rare labels are made up for: 0 not, 1 wholly."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a fit goes. rate: of the first steps; it falls to none. times: messages made of each template.

    dropped: of the features, the share that is not seen at a time, so that none decides alone (dropout, Srivastava et al.
    2014).
    """

    dropped: float
    rate: float
    epochs: int
    times: int


COURSES = (Course(0.3, 1e-2, 12, 2), Course(0.5, 5e-3, 10, 2))
"""The fits whose mean ships: each is unsure of other wordings."""


def fitted(messages: Sequence[Labelled], encoder: WordEncoder, course: Course) -> Weights:
    """The classifiers of units and of messages that fit these messages best."""
    rows: dict[Group, list[Vectors]] = {group: [] for group in LABELS}
    wanted: dict[Group, list[int]] = {group: [] for group in LABELS}
    whole: list[Vectors] = []
    vectors = WordVectors(encoder).of([[unit.text for unit in one.units] for one in messages])
    rng = np.random.default_rng(0)
    for message, (found, alone) in zip(messages, vectors, strict=True):
        whole.append(tagging.of_message(found))
        features = tagging.features_of(message.units, found, alone)
        for unit, label, row in zip(message.units, message.labels, features, strict=True):
            group = GROUPS[unit.kind]
            if group != "word" or label or rng.random() < KEPT:
                rows[group].append(row)
                wanted[group].append(LABELS[group].index(label) if label in LABELS[group] else 0)
    units = {
        group: logistic(np.stack(rows[group]), np.array(wanted[group]), len(LABELS[group]), course) for group in LABELS
    }
    acts = logistic(np.stack(whole), np.array([ACTS.index(message.act) for message in messages]), len(ACTS), course)
    about = [(row, SUBJECTS.index(one.subject)) for row, one in zip(whole, messages, strict=True) if one.subject]
    subjects = logistic(
        np.stack([row for row, _ in about]), np.array([place for _, place in about]), len(SUBJECTS), course
    )
    return Weights(units, acts, subjects)


def logistic(rows: Vectors, wanted: Labels, count: int, course: Course) -> Linear:
    """The softmax regression of `wanted` (N,) on `rows` (N, dim), standardised while it is fitted. count: labels.

    Adam over small batches with a falling rate (Kingma & Ba, arXiv 1412.6980), in an order that a seed draws.
    """
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    often = np.maximum(np.bincount(wanted, minlength=count), 1)
    worth = ((len(wanted) / count / often) ** BALANCE)[wanted].astype(np.float32)
    worth /= worth.mean()
    rng = np.random.default_rng(0)
    weight, bias = np.zeros((count, rows.shape[1]), np.float32), np.zeros(count, np.float32)
    moments = [np.zeros_like(one) for one in (weight, bias, weight, bias)]
    steps = course.epochs * -(-len(rows) // BATCH)
    orders = (part for _ in range(course.epochs) for part in _parts(rng.permutation(len(rows))))
    for step, some in enumerate(orders, 1):
        scaled = (rows[some] - middle) / spread
        scaled *= (rng.random(scaled.shape, np.float32) >= course.dropped) / np.float32(1 - course.dropped)
        odds = Linear(weight, bias).odds(scaled)
        odds[np.arange(len(some)), wanted[some]] -= 1
        odds *= worth[some, None] / len(some)
        rate = course.rate * (1 - step / (steps + 1))
        for place, (held, slope) in enumerate(((weight, odds.T @ scaled + PENALTY * weight), (bias, odds.sum(axis=0)))):
            first, second = moments[place], moments[place + 2]
            first += 0.1 * (slope - first)
            second += 0.001 * (slope * slope - second)
            held -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return Linear((weight / spread).astype(np.float32), (bias - (weight / spread) @ middle).astype(np.float32))


def _parts(order: Labels) -> list[Labels]:
    return [order[at : at + BATCH] for at in range(0, len(order), BATCH)]


def mean(found: Sequence[Weights]) -> Weights:
    """The mean of several fits: their scores are linear, so it weighs all of them."""

    def of(parts: Sequence[Linear]) -> Linear:
        weight, bias = (np.mean([getattr(one, name) for one in parts], axis=0) for name in ("weight", "bias"))
        return Linear(weight, bias)

    units = {group: of([one.units[group] for one in found]) for group in LABELS}
    return Weights(units, of([one.acts for one in found]), of([one.subjects for one in found]))


def save(path: Path, weights: Weights) -> None:
    """Write the weights where `tagging.tagger_of` reads them, in half precision."""
    named: dict[str, Linear] = {"acts": weights.acts, "subjects": weights.subjects}
    named |= {str(group): one for group, one in weights.units.items()}
    held = {f"{name}_weight": one.weight for name, one in named.items()}
    held |= {f"{name}_bias": one.bias for name, one in named.items()}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **{name: array.astype(np.float16) for name, array in held.items()})  # type: ignore[arg-type]
    put_in_place(part, path)
