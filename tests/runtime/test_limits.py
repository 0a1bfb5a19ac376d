"""Meters and limits around a model."""

import asyncio
from collections.abc import Sequence

import pytest

from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Usage
from kithnet.runtime.errors import ConfigError, LimitExceeded, ModelUnavailable
from kithnet.runtime.limits import Limits, Meter, limited, metered
from kithnet.runtime.scripted import ScriptedModel

ASK = [Message("user", "one two three")]


class SlowModel(ScriptedModel):
    """Takes its time; remembers whether it was cancelled."""

    cancelled = False

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return await super().reply(messages, spec, on_text)


def say(model: ChatModel, purpose: str = "reply") -> Reply:
    return asyncio.run(model.reply(ASK, ReplySpec(purpose=purpose)))


def test_a_meter_adds_up_by_purpose() -> None:
    meter = Meter()
    model = metered(ScriptedModel(["a b", "c", "yes"]), meter)
    say(model, "plan")
    say(model, "speak")
    asyncio.run(model.score(ASK, ["yes", "no"]))
    assert meter.by_purpose() == {
        "plan": Usage(3, 3, 2, 0.0, 1),
        "speak": Usage(3, 3, 1, 0.0, 1),
        "score": Usage(3, 3, 0, 0.0, 1),
    }
    assert meter.total == Usage(9, 9, 3, 0.0, 3)


def test_a_failed_call_is_counted() -> None:
    meter = Meter()
    with pytest.raises(ModelUnavailable):
        say(metered(ScriptedModel([]), meter), "plan")
    assert meter.total.calls == 1
    assert meter.failures == 1


def test_the_limit_on_calls_holds_for_parallel_calls_too() -> None:
    async def many() -> list[Reply | BaseException]:
        model = limited(ScriptedModel(lambda m, s: "fine"), Limits(calls=3))
        return await asyncio.gather(*(model.reply(ASK, ReplySpec()) for _ in range(5)), return_exceptions=True)

    outcomes = asyncio.run(many())
    assert sum(isinstance(o, Reply) for o in outcomes) == 3
    assert sum(isinstance(o, LimitExceeded) for o in outcomes) == 2


def test_the_limit_on_tokens_counts_prompts_and_replies() -> None:
    model = limited(ScriptedModel(["a b", "c d", "e f"]), Limits(tokens=8))
    say(model)
    say(model)
    with pytest.raises(LimitExceeded, match="8 tokens"):
        say(model)


def test_the_limit_on_seconds_cancels_a_running_call() -> None:
    slow = SlowModel(["late"])
    with pytest.raises(LimitExceeded, match="seconds"):
        say(limited(slow, Limits(seconds=0.05)))
    assert slow.cancelled


def test_wrappers_compose_and_a_refused_call_never_reaches_the_meter() -> None:
    meter = Meter()
    model = limited(metered(ScriptedModel(["a", "b"]), meter), Limits(calls=1))
    say(model)
    with pytest.raises(LimitExceeded):
        say(model)
    assert meter.total.calls == 1
    assert model.traits.name == "scripted"


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ConfigError):
        Limits(tokens=-1)
