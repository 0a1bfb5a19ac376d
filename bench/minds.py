"""Which mind a benchmark measures, and a model that its scenes share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kithnet.agents.settings import MindName, Settings
from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError

AUTO = "auto"
HOSTILE = "hostile"
MODEL: MindName = "model"
READER: MindName = "reader"
MINDS = (AUTO, MODEL, READER)


def chosen(names: Sequence[str], known: Sequence[str] = MINDS) -> tuple[str, ...]:
    """The minds of these names, without repeats. Raises InputError for one that there is not."""
    for name in names:
        if name not in known:
            raise InputError(f"there is no mind {name!r}", f"choose among {', '.join(known)}")
    return tuple(dict.fromkeys(names)) or tuple(known[:1])


def with_mind(config: Config, mind: str) -> Config:
    """The settings with `model.mind` set."""
    changed: dict[str, Any] = {"mind": mind}
    return replace(config, model=replace(config.model, **changed))


def thinking(settings: Settings, mind: MindName) -> Settings:
    """The agents' settings with the mind set."""
    return replace(settings, mind=mind)


@dataclass(frozen=True)
class Lent:
    """A model that one run opens and many scenes use: none of them closes it."""

    model: ChatModel

    @property
    def traits(self) -> Traits:
        return self.model.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        return await self.model.reply(messages, spec, on_text)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        return await self.model.score(messages, choices, raw=raw)

    async def close(self) -> None:
        """The model belongs to whoever opened it."""
