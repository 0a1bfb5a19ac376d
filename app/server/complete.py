"""Making the replies of one request: text, calls of tools, several at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from kithnet.app.server import tools
from kithnet.app.server.answers import FromMemory
from kithnet.app.server.tools import Call, Calling
from kithnet.app.server.translate import Order
from kithnet.runtime.chat import ChatModel, OnText, Reply, ReplySpec, Usage
from kithnet.runtime.errors import ConfigError, ModelUnavailable


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a reply's text."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """One finished reply. prompt: what its first prompt cost. total: of all its model calls. reasoning: what the model
    said besides, never a part of the text."""

    index: int
    text: str
    call: Call | None
    finish: Literal["stop", "length", "tool_calls"]
    prompt: Usage
    total: Usage
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All replies of a request, by index."""

    made: tuple[Made, ...]
    memory: FromMemory | None = None

    @property
    def prompt(self) -> Usage:
        return self.made[0].prompt

    @property
    def total(self) -> Usage:
        return sum((one.total for one in self.made), Usage())


Emit = Callable[[Text | Made], None]
Work = Callable[[Emit], Awaitable[Outcome]]


async def answer(model: ChatModel, order: Order, emit: Emit) -> Outcome:
    """Make every reply of an order, all at once; the first failure ends the others. `emit` hears of each step."""
    tasks = [asyncio.create_task(_reply(model, order, index, emit)) for index in range(order.count)]
    try:
        return Outcome(tuple(await asyncio.gather(*tasks)))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _reply(model: ChatModel, order: Order, index: int, emit: Emit) -> Made:
    spec, calling = order.spec_of(index), order.calling

    def heard(text: str) -> None:
        if text:
            emit(Text(index, text))

    if calling and calling.choice == "required":
        reply = await _ask(model, order, _for_call(spec, calling), None)
        made = Made(index, "", tools.read_call(reply.text), "tool_calls", reply.usage, reply.usage)
    elif calling:
        made = await _perhaps_call(model, order, index, calling, heard)
    else:
        reply = await _ask(model, order, spec, heard)
        made = Made(index, reply.text, None, reply.finish, reply.usage, reply.usage, reply.reasoning)
    emit(made)
    return made


async def _perhaps_call(model: ChatModel, order: Order, index: int, calling: Calling, heard: OnText) -> Made:
    """Let the model speak; where it begins a call, let it make that call under the schema.

    The second prompt is the first one again, whose evaluation is reused.
    """
    spec = order.spec_of(index)
    spoken = await _ask(model, order, replace(spec, stop=(*spec.stop, tools.OPEN)), heard)
    if spoken.stopped_by != tools.OPEN:
        return Made(index, spoken.text, None, spoken.finish, spoken.usage, spoken.usage, spoken.reasoning)
    called = await _ask(model, order, _for_call(spec, calling), None)
    total = spoken.usage + called.usage
    return Made(index, spoken.text, tools.read_call(called.text), "tool_calls", spoken.usage, total, spoken.reasoning)


def _for_call(spec: ReplySpec, calling: Calling) -> ReplySpec:
    return replace(spec, schema=calling.schema, stop=(), purpose="tool")


async def _ask(model: ChatModel, order: Order, spec: ReplySpec, heard: OnText | None) -> Reply:
    """One model call within its time, whatever the model makes of `timeout` itself."""
    try:
        async with asyncio.timeout(spec.timeout):
            return await model.reply(order.messages, spec, heard)
    except TimeoutError as error:
        raise too_slow(model.traits.name, spec.timeout or 0) from error
    except RecursionError as error:
        raise ConfigError("the schema is nested too deeply", "make it flatter") from error


class TooSlow(ModelUnavailable):
    """A call that took longer than it may. The model itself is there."""


def too_slow(name: str, seconds: float) -> ModelUnavailable:
    return TooSlow(f"{name} did not answer within {seconds:g} s", "ask for fewer tokens, or raise serve.timeout")
