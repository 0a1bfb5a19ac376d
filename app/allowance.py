"""What remote models may cost in a day: tokens are counted in the home, for all processes together."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from filelock import FileLock

from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits, Usage
from kithnet.runtime.errors import LimitExceeded
from kithnet.runtime.files import storing

FILE = "remote/tokens.json"


@dataclass(frozen=True)
class Allowance:
    """The tokens of a day. most: that may be spent, 0 for no limit; they are counted all the same. today: which day it is."""

    home: Path
    most: int = 0
    today: Callable[[], date] = date.today

    def spent(self) -> int:
        """Tokens sent and generated today. A file that is damaged counts as none."""
        try:
            body = json.loads((self.home / FILE).read_bytes())
            return int(body["tokens"]) if body["day"] == self.today().isoformat() else 0
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return 0

    def add(self, usage: Usage) -> None:
        """Count a call. Raises StorageError."""
        file = self.home / FILE
        with storing(self.home):
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_suffix(".lock")):
                tokens = self.spent() + usage.sent + usage.generated
                part = file.with_name(f".{file.name}.{os.getpid()}.part")
                part.write_text(json.dumps({"day": self.today().isoformat(), "tokens": tokens}), encoding="utf-8")
                part.replace(file)  # not synced: a power cut may cost the count of a call, not the file

    def admit(self) -> None:
        """Raises LimitExceeded where the day's tokens are spent."""
        if self.most and self.spent() >= self.most:
            raise LimitExceeded(
                f"the {self.most:,} tokens that remote models may cost in a day are spent",
                "wait until tomorrow, raise limits.tokens_per_day, or use a model on this machine",
            )


class AllowedModel:
    """A remote model within its day's allowance; one call may overshoot it."""

    def __init__(self, model: ChatModel, allowance: Allowance) -> None:
        self._model, self._allowance = model, allowance

    @property
    def traits(self) -> Traits:
        return self._model.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        """See `ChatModel.reply`. Raises LimitExceeded too."""
        await asyncio.to_thread(self._allowance.admit)
        reply = await self._model.reply(messages, spec, on_text)
        await asyncio.to_thread(self._allowance.add, reply.usage)
        return reply

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        """See `ChatModel.score`. Raises LimitExceeded too."""
        await asyncio.to_thread(self._allowance.admit)
        scores = await self._model.score(messages, choices, raw=raw)
        await asyncio.to_thread(self._allowance.add, scores.usage)
        return scores

    async def close(self) -> None:
        await self._model.close()
