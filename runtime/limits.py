"""Wrappers of the `ChatModel` seam that count what a model cost and stop it at a limit."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits, Usage
from kithnet.runtime.errors import ConfigError, LimitExceeded, ModelError

SCORING = "score"  # the purpose under which scored choices are counted


class Meter:
    """Running totals of model calls. Thread-safe; one meter may serve several models."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._purposes: dict[str, Usage] = {}
        self._failures: dict[str, int] = {}

    def add(self, purpose: str, usage: Usage) -> None:
        with self._lock:
            self._purposes[purpose] = self._purposes.get(purpose, Usage()) + usage

    def fail(self, purpose: str, seconds: float) -> None:
        """Count a call that raised; what it sent and generated is not known."""
        with self._lock:
            self._purposes[purpose] = self._purposes.get(purpose, Usage()) + Usage(seconds=seconds, calls=1)
            self._failures[purpose] = self._failures.get(purpose, 0) + 1

    @property
    def total(self) -> Usage:
        return sum(self.by_purpose().values(), Usage())

    @property
    def failures(self) -> int:
        with self._lock:
            return sum(self._failures.values())

    def by_purpose(self) -> dict[str, Usage]:
        with self._lock:
            return dict(self._purposes)


class MeteredModel:
    """See `metered`."""

    def __init__(self, model: ChatModel, meter: Meter) -> None:
        self._model = model
        self._meter = meter

    @property
    def traits(self) -> Traits:
        return self._model.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        start = time.perf_counter()
        try:
            reply = await self._model.reply(messages, spec, on_text)
        except ModelError:
            self._meter.fail(spec.purpose, time.perf_counter() - start)
            raise
        self._meter.add(spec.purpose, reply.usage)
        return reply

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        start = time.perf_counter()
        try:
            scores = await self._model.score(messages, choices, raw=raw)
        except ModelError:
            self._meter.fail(SCORING, time.perf_counter() - start)
            raise
        self._meter.add(SCORING, scores.usage)
        return scores

    async def close(self) -> None:
        await self._model.close()


def metered(model: ChatModel, meter: Meter) -> ChatModel:
    """The same model; every call is added to `meter` under its purpose (scored choices under "score")."""
    return MeteredModel(model, meter)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a piece of work may cost; None: no limit.

    calls: model calls started. tokens: prompt tokens sent plus tokens generated. seconds: wall-clock time
    since the first call.
    """

    calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "seconds"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f"the limit on {name} is {value}", "a limit is 0 or more, or None for no limit")


class LimitedModel:
    """See `limited`. `spent` is what has been used so far."""

    def __init__(self, model: ChatModel, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self._lock = threading.Lock()
        self._started: float | None = None
        self._calls = 0
        self.spent = Usage()

    @property
    def traits(self) -> Traits:
        return self._model.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        deadline = self._admit()
        try:
            async with asyncio.timeout(deadline):
                reply = await self._model.reply(messages, spec, on_text)
        except TimeoutError as error:
            raise self._exceeded("seconds") from error
        self._spend(reply.usage)
        return reply

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        deadline = self._admit()
        try:
            async with asyncio.timeout(deadline):
                scores = await self._model.score(messages, choices, raw=raw)
        except TimeoutError as error:
            raise self._exceeded("seconds") from error
        self._spend(scores.usage)
        return scores

    async def close(self) -> None:
        await self._model.close()

    def _admit(self) -> float | None:
        """Count one more call, or refuse it. Returns the seconds it may take."""
        limits = self._limits
        with self._lock:
            now = time.monotonic()
            self._started = now if self._started is None else self._started
            left = None if limits.seconds is None else limits.seconds - (now - self._started)
            if limits.calls is not None and self._calls >= limits.calls:
                raise self._exceeded("calls")
            if limits.tokens is not None and self.spent.sent + self.spent.generated >= limits.tokens:
                raise self._exceeded("tokens")
            if left is not None and left <= 0:
                raise self._exceeded("seconds")
            self._calls += 1
            return left

    def _spend(self, usage: Usage) -> None:
        with self._lock:
            self.spent = self.spent + usage

    def _exceeded(self, what: str) -> LimitExceeded:
        return LimitExceeded(
            f"the limit of {getattr(self._limits, what)} {what} for this work has been reached",
            f"raise the limit on {what}, or make the task smaller",
        )


def limited(model: ChatModel, limits: Limits) -> ChatModel:
    """The same model, which raises LimitExceeded instead of starting a call once a limit is reached.

    A call that runs past `seconds` is cancelled and raises too; one call may overshoot `tokens`.
    """
    return LimitedModel(model, limits)
