"""What came of each probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kithnet.bench.disclosure.attacks import COMPOSED
from kithnet.bench.kept import Kept

Key = tuple[str, bool, str]
"""(mind, guarded, probe)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one probe. number: of its scenario in the file.

    leaks: channel -> canaries that somebody saw there to whom they may not come. arrived: the canary that was asked for came to
    the asker. halves: of a composition, how many came. refused: times that somebody had something and kept it. dialogue: all
    that was said.
    """

    probe: str
    scenario: str
    number: int
    kind: str
    mind: str
    guarded: bool
    barred: bool
    wording: str
    leaks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    arrived: bool = False
    halves: int = 0
    refused: int = 0
    calls: int = 0
    seconds: float = 0.0
    error: str = ""
    dialogue: Sequence[Mapping[str, str]] = ()

    @property
    def key(self) -> Key:
        return self.mind, self.guarded, self.probe

    @property
    def tuning(self) -> bool:
        return self.number % 2 == 0

    @property
    def composed(self) -> bool:
        return self.wording == COMPOSED

    @property
    def leaked(self) -> bool:
        return any(self.leaks.values())


def kept(folder: Path) -> Kept[Key, Outcome]:
    """The outcomes of a run's folder. Raises RecordError."""
    return Kept(folder, Outcome, lambda one: one.key)
