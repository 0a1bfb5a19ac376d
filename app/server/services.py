"""What a server has to offer: chat models, an embedder, the people of a world."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kithnet.agents.chat.conversation import Exchange
from kithnet.runtime.chat import ChatModel, OnText, Usage

PERSON = "person:"
"""How the model name of a personal agent begins."""


class Embeds(Protocol):
    """A sentence embedder; it is called from threads."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(N,) texts to (N, dim), each row of length 1."""


class PersonalAgents(Protocol):
    """The agents of a world's people."""

    def names(self) -> Sequence[str]:
        """The ids of the people."""

    def resolve(self, person: str) -> str:
        """The id of the person that is meant. Raises UnknownPerson."""

    @property
    def open_sessions(self) -> int: ...

    async def say(
        self, person: str, partner: str | None, text: str, fresh: bool, on_text: OnText
    ) -> tuple[Exchange, Usage]:
        """Say something to an agent; fresh: in a new session. partner None: its own person speaks."""

    async def tidy(self) -> None:
        """End the conversations that have been silent for long; runs until it is cancelled."""

    async def close(self) -> None:
        """End all conversations, writing what is remembered of them."""


@dataclass(frozen=True, slots=True)
class Services:
    """models: chat models by name. stats, experts: numbers of the engine and of its offloaded experts
    (None where there are none), frozen dataclasses, for /metrics. alive: whether the
    models can still answer, where that can be told without asking them."""

    models: Mapping[str, ChatModel]
    embedder: Embeds | None = None
    people: PersonalAgents | None = None
    stats: Callable[[], Any] | None = None
    experts: Callable[[], Any] | None = None
    alive: Callable[[], bool] | None = None

    def names(self) -> list[str]:
        """Every name that may stand in a request's `model`."""
        people = [f"{PERSON}{person}" for person in self.people.names()] if self.people else []
        return [*self.models, *([self.embedder.name] if self.embedder else []), *people]
