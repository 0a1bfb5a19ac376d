"""A tagger of messages: which words say what is done, which time begins and which ends it, who takes part, and what the
message does - tell, change, call off, ask.

Linear classifiers over the vectors that a frozen sentence encoder gives each word in its context: wordings that nobody has
foreseen lie near those that the classifiers were fitted to (`kith bench reading`, bench/reading).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from kithnet.memory.vectors import Vectors
from kithnet.memory.writing.units import Kind, Unit

ENCODER = "minilm-l6"
"""The encoder that the weights belong to."""
WEIGHTS = "tagger.npz"
NEAR = 5
"""Words before and behind that are seen each for itself."""
KEPT = 20_000
"""Words whose vectors are kept."""
LONGEST = 90
"""Units of a message that is tagged; longer ones are not one statement."""

Label = Literal["", "activity", "after", "before", "start", "end", "wrong", "length", "gap", "shift", "who", "with"]
Act = Literal["none", "tell", "sleep", "lunch", "change", "cancel", "ask"]
Subject = Literal["speaker", "listener", "both", "others"]
Group = Literal["clock", "length", "people", "word"]
GROUPS: Mapping[Kind, Group] = {
    "clock": "clock", "length": "length", "person": "people", "pronoun": "people", "word": "word",
}  # fmt: skip
LABELS: Mapping[Group, tuple[Label, ...]] = {
    "clock": ("", "start", "end", "wrong"),
    "length": ("", "length", "gap", "shift"),
    "people": ("", "who", "with"),
    "word": ("", "activity", "after", "before"),
}
"""What a unit of each kind may be. after, before: (part of) the activity that it comes after or before. wrong: a time that
does not hold. gap: between that activity and this; shift: by how much something is moved."""
ACTS: tuple[Act, ...] = ("none", "tell", "sleep", "lunch", "change", "cancel", "ask")
SUBJECTS: tuple[Subject, ...] = ("speaker", "listener", "both", "others")
"""Whose activity a message is about: its speaker's, also where somebody comes along; others: people that it names."""


@runtime_checkable
class WordEncoder(Protocol):
    """Gives each word of a text a vector that depends on the others."""

    @property
    def name(self) -> str: ...

    def word_vectors(self, texts: Sequence[Sequence[str]]) -> list[Vectors]:
        """For each text, given in words, (words, dim) float32."""
        ...


@dataclass(frozen=True)
class Tags:
    """What a message is tagged with. odds: for each unit, how likely each label of its group is, in the order of `LABELS`.

    acts, subjects: how likely each of `ACTS` and of `SUBJECTS` is.
    """

    odds: tuple[Vectors, ...]
    acts: Vectors
    subjects: Vectors

    @property
    def act(self) -> Act:
        return ACTS[int(np.argmax(self.acts))]

    @property
    def subject(self) -> Subject:
        return SUBJECTS[int(np.argmax(self.subjects))]


@dataclass(frozen=True)
class Linear:
    """A softmax over linear scores. weight: (labels, dim); bias: (labels,)."""

    weight: Vectors
    bias: Vectors

    def odds(self, rows: Vectors) -> Vectors:
        """(N, dim) to (N, labels), each row adding up to 1."""
        scores = rows @ self.weight.T + self.bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return cast(Vectors, odds / odds.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Weights:
    """units: a classifier for each group; acts, subjects: one for whole messages each."""

    units: Mapping[Group, Linear]
    acts: Linear
    subjects: Linear


class Tagger:
    """Tags messages by the vectors that an encoder gives their words."""

    def __init__(self, encoder: WordEncoder, weights: Weights) -> None:
        self._vectors, self._weights = WordVectors(encoder), weights

    def tag(self, messages: Sequence[Sequence[Unit]]) -> list[Tags]:
        """The tags of each message; one without units or with more than LONGEST does nothing."""
        some = [units if 0 < len(units) <= LONGEST else () for units in messages]
        seen = self._vectors.of([[unit.text for unit in units] for units in some])
        return [self._of(units, *rows) for units, rows in zip(some, seen, strict=True)]

    def _of(self, units: Sequence[Unit], rows: Vectors, alone: Vectors) -> Tags:
        if not units:
            return Tags((), np.eye(len(ACTS), dtype=np.float32)[0], np.eye(len(SUBJECTS), dtype=np.float32)[0])
        held = self._weights
        features, whole = features_of(units, rows, alone), of_message(rows)[None]
        odds = [held.units[GROUPS[unit.kind]].odds(row[None])[0] for unit, row in zip(units, features, strict=True)]
        return Tags(tuple(odds), held.acts.odds(whole)[0], held.subjects.odds(whole)[0])


class WordVectors:
    """The vectors of texts' words as an encoder gives them, in their text and each alone; those alone are kept."""

    def __init__(self, encoder: WordEncoder) -> None:
        self._encoder = encoder
        self._alone: dict[str, Vectors] = {}

    def of(self, texts: Sequence[Sequence[str]]) -> list[tuple[Vectors, Vectors]]:
        """For each text (words, dim) in their context, and (words, dim) alone."""
        if len(self._alone) > KEPT:
            self._alone = {}
        new = [
            word
            for word in dict.fromkeys(word.casefold() for text in texts for word in text)
            if word not in self._alone
        ]
        self._alone.update(
            zip(new, (rows[0] for rows in self._encoder.word_vectors([[word] for word in new])), strict=True)
        )
        met = self._encoder.word_vectors(texts)
        return [
            (rows, np.stack([self._alone[word.casefold()] for word in text]) if text else rows)
            for text, rows in zip(texts, met, strict=True)
        ]


def features_of(units: Sequence[Unit], rows: Vectors, alone: Vectors) -> Vectors:
    """What the classifiers see of each unit: (units, 9 dim + 15). rows, alone: vectors of the words in context and alone.

    In context: its own vector, those of its neighbours, the mean of the two beyond on each side, the mean of all. Alone:
    its own, the mean of the five before and of the five behind. Then which of its kind it is, and how many times and
    lengths there are.
    """
    padded = np.pad(rows, ((3, 3), (0, 0)))
    count = len(units)
    at = [padded[3 + step : 3 + step + count] for step in (0, -1, 1, -2, -3, 2, 3)]
    everywhere = np.repeat(rows.mean(axis=0, keepdims=True), count, axis=0)
    sums = np.pad(np.cumsum(alone, axis=0), ((1 + NEAR, NEAR), (0, 0)), mode="edge")
    sums[: 1 + NEAR] = 0
    before = sums[NEAR : NEAR + count] - sums[:count]
    behind = sums[2 * NEAR + 1 : 2 * NEAR + 1 + count] - sums[NEAR + 1 : NEAR + 1 + count]
    around: list[npt.NDArray[Any]] = [np.hstack(at[:3]), (at[3] + at[4]) / 2, (at[5] + at[6]) / 2, everywhere]
    near: list[npt.NDArray[Any]] = [alone, before / NEAR, behind / NEAR, _shape(units)]
    return np.hstack([*around, *near]).astype(np.float32)


def of_message(rows: Vectors) -> Vectors:
    """What is seen of a whole message: the mean and the largest of its words' vectors, (2 dim,)."""
    return np.concatenate([rows.mean(axis=0), rows.max(axis=0)]).astype(np.float32)


def _shape(units: Sequence[Unit]) -> Vectors:
    kinds = [unit.kind for unit in units]
    clocks, lengths = kinds.count("clock"), kinds.count("length")
    rows = []
    for place, (unit, kind) in enumerate(zip(units, kinds, strict=True)):
        before, after = kinds[:place].count(kind), kinds[place + 1 :].count(kind)
        rows.append(
            (before == 0, before == 1, before > 1, after == 0, clocks == 1, clocks == 2, clocks > 2, lengths == 0, lengths == 1,
             lengths > 1, place / len(units), "clock" in kinds[:place], "length" in kinds[:place], kind == "person",
             place > 0 and unit.text[:1].isupper())
        )  # fmt: skip
    return np.asarray(rows, dtype=np.float32) * np.float32(0.5)


def tagger_of(encoder: object) -> Tagger | None:
    """The tagger over an encoder of words; None where the weights do not belong to it, as with another embedder."""
    if not isinstance(encoder, WordEncoder) or encoder.name != ENCODER:
        return None
    return Tagger(encoder, _weights())


@lru_cache(maxsize=1)
def _weights() -> Weights:
    with files(__package__).joinpath(WEIGHTS).open("rb") as file, np.load(file) as held:
        found = {name: held[name].astype(np.float32) for name in held.files}
    linear = {name: Linear(found[f"{name}_weight"], found[f"{name}_bias"]) for name in (*LABELS, "acts", "subjects")}
    return Weights({group: linear[group] for group in LABELS}, linear["acts"], linear["subjects"])
