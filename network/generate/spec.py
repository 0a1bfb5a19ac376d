"""What to generate, checked before any work is done."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from kithnet.runtime.errors import ConfigError

Phrases = Literal["default", "held-out"]
LARGEST = {"people": 5_000, "ties": 100_000, "messages": 2_000_000}


@dataclass(frozen=True, slots=True)
class GenerateSpec:
    """A world to generate; the same spec gives the same world, byte for byte, in any process.

    phrases: which wording states and asks for facts; "held-out" shares no fact wording with "default".
    tasks: how many tasks to aim for; a small world may hold fewer. first_day, days: when people talk.
    Raises ConfigError when no such world exists.
    """

    people: int = 140
    ties: int = 588
    messages: int = 70_000
    seed: int = 7
    phrases: Phrases = "default"
    tasks: int = 84
    first_day: date = date(2023, 9, 1)
    days: int = 365

    def __post_init__(self) -> None:
        most = self.people * (self.people - 1) // 2
        for name, least, why in (
            ("people", 4, "a collaboration with third parties needs four"),
            ("ties", self.people - 1, f"{self.people} connected people have at least {self.people - 1}"),
            ("messages", self.ties, "every tie has at least one message"),
            ("tasks", 0, "it counts questions"),
            ("days", 7, "talk is spread over at least a week"),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)} is too few: {why}", f"choose {name} >= {least}")
        if self.ties > most:
            raise ConfigError(
                f"ties = {self.ties} is too many: {self.people} people have at most {most}", f"choose ties <= {most}"
            )
        for name, limit in LARGEST.items():
            if getattr(self, name) > limit:
                raise ConfigError(
                    f"{name} = {getattr(self, name)} is more than we generate", f"choose {name} <= {limit}"
                )
        if self.phrases not in get_args(Phrases):
            raise ConfigError(
                f"there is no phrase set {self.phrases!r}", f"choose one of {', '.join(get_args(Phrases))}"
            )
