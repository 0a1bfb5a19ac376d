"""Which mind a benchmark measures: set where the settings know minds; where they do not, there is only the reader."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from kithnet.agents.settings import Settings
from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError

AUTO, MODEL, READER, HOSTILE = "auto", "model", "reader", "hostile"
MINDS = (AUTO, MODEL, READER)
FIELD = "mind"


def chosen(names: Sequence[str], known: Sequence[str] = MINDS) -> tuple[str, ...]:
    """The minds of these names, without repeats. Raises InputError for one that there is not."""
    for name in names:
        if name not in known:
            raise InputError(f"there is no mind {name!r}", f"choose among {', '.join(known)}")
    return tuple(dict.fromkeys(names)) or tuple(known[:1])


def with_mind(config: Config, mind: str) -> Config:
    """The settings with `model.mind` set."""
    if FIELD not in {one.name for one in fields(config.model)}:
        return config
    changed: dict[str, Any] = {FIELD: mind}
    return replace(config, model=replace(config.model, **changed))


def thinking(settings: Settings, mind: str) -> Settings:
    """The agents' settings with the mind set."""
    changed: dict[str, Any] = {FIELD: mind}
    return replace(settings, **changed) if FIELD in {one.name for one in fields(settings)} else settings


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
