"""What came of each question in each part."""

from dataclasses import dataclass
from pathlib import Path

from kithnet.bench.kept import Kept

Key = tuple[str, str, str]
"""(part, mind, question)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question in one part.

    right: the answer holds the gold, or nothing was answered where there is no answer. known: something was answered.
    cites: a message of the gold evidence is cited. rank: of the first gold message in recall, from 1; 0 where it is not
    among those asked for; reranked: its place once the trained reader has ranked the first ones. seconds: of the whole;
    model_seconds: of them inside the model. error: why it failed.
    """

    question: str
    part: str
    mind: str
    right: bool = False
    known: bool = False
    cites: bool = False
    answer: str = ""
    rank: int = 0
    reranked: int = 0
    calls: int = 0
    sent: int = 0
    evaluated: int = 0
    generated: int = 0
    seconds: float = 0.0
    model_seconds: float = 0.0
    stopped: str = ""
    error: str = ""

    @property
    def key(self) -> Key:
        return self.part, self.mind, self.question


def kept(folder: Path) -> Kept[Key, Outcome]:
    """The outcomes of a run's folder. Raises RecordError."""
    return Kept(folder, Outcome, lambda one: one.key)
