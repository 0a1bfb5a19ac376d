"""From a request to what the `ChatModel` seam is asked."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kithnet.app.server import asks, extras, schemas, tools
from kithnet.app.server.asks import text_of
from kithnet.app.server.failures import Refused
from kithnet.app.server.tools import Calling
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import ServeConfig

SEEDS = 1 << 32
LEAST_TOP_P = 1e-9
"""Stands for a top_p of 0: nothing but the likeliest token."""


@dataclass(frozen=True, slots=True)
class Order:
    """One request in the words of the seam. count: replies to make."""

    messages: tuple[Message, ...]
    spec: ReplySpec
    calling: Calling | None
    count: int

    def spec_of(self, index: int) -> ReplySpec:
        """The spec of one of the replies; each draws from a seed of its own."""
        return replace(self.spec, seed=(self.spec.seed + index) % SEEDS)


def order(ask: asks.ChatAsk, config: ServeConfig) -> Order:
    """What a request asks of a model. Refused, ConfigError for what it may not ask."""
    if ask.stream_options is not None and not ask.stream:
        raise Refused(400, "stream_options needs stream: true", "invalid_value", "stream_options")
    ask = extras.settled(ask)
    calling = tools.calling(ask)
    schema = _schema(ask)
    if calling and calling.choice == "auto" and schema is not None:
        raise Refused(
            400, "a JSON response_format goes with tools only where tool_choice is none, required or a name",
            "invalid_value", "response_format",
        )  # fmt: skip
    return Order(_messages(ask.messages, calling), _spec(ask, schema, config), calling, ask.n or 1)


def _schema(ask: asks.ChatAsk) -> dict[str, Any] | None:
    form = ask.response_format
    if isinstance(form, asks.AnyObject):
        return {"type": "object"}
    if isinstance(form, asks.BySchema):
        return schemas.checked(form.json_schema.schema_ or {"type": "object"}, "response_format.json_schema.schema")
    return None


def _spec(ask: asks.ChatAsk, schema: dict[str, Any] | None, config: ServeConfig) -> ReplySpec:
    defaults = ReplySpec()
    stop = [ask.stop] if isinstance(ask.stop, str) else ask.stop or []
    temperature = config.temperature if ask.temperature is None else ask.temperature
    seed = secrets.randbelow(SEEDS) if ask.seed is None and temperature > 0 else (ask.seed or 0) % SEEDS
    return ReplySpec(
        max_tokens=max(ask.max_completion_tokens or ask.max_tokens or 0, 0) or config.max_tokens,
        temperature=temperature,
        seed=seed,
        top_k=max(ask.top_k or 0, 0),
        top_p=defaults.top_p if ask.top_p is None else max(ask.top_p, LEAST_TOP_P),
        min_p=defaults.min_p if ask.min_p is None else ask.min_p,
        logit_bias=tuple((int(token), bias) for token, bias in (ask.logit_bias or {}).items()),
        timeout=config.timeout,
        schema=schema,
        stop=tuple(dict.fromkeys(stop)),
        purpose="serve",
        reasoning_tokens=None if extras.thinks(ask) else 0,
    )


def _messages(turns: Sequence[asks.Turn], calling: Calling | None) -> tuple[Message, ...]:
    """The conversation in the three roles of the seam.

    Instructions at the start become one system message, the tools the last part of it. What a tool returned is said
    in a user turn, joined with its neighbours: most templates want turns to alternate.
    """
    start = next((n for n, turn in enumerate(turns) if not isinstance(turn, asks.Instruction)), len(turns))
    instructions = [text_of(turn.content) for turn in turns[:start]]
    if calling:
        instructions.append(calling.told)
    messages = [Message("system", "\n\n".join(filter(None, instructions)))] if any(instructions) else []
    called: dict[str, str] = {}
    joins = False
    for turn in turns[start:]:
        message = _message(turn, called)
        returned = isinstance(turn, asks.ToolTurn)
        if message.role == "user" and messages and messages[-1].role == "user" and (joins or returned):
            message = Message("user", f"{messages.pop().content}\n\n{message.content}")
        joins = returned
        messages.append(message)
    if not messages:
        raise Refused(400, "the messages hold no text", "invalid_value", "messages")
    return tuple(messages)


def _message(turn: asks.Turn, called: dict[str, str]) -> Message:
    """One turn. called: call id -> tool, of the calls made so far."""
    if isinstance(turn, asks.Instruction):
        return Message("system", text_of(turn.content))
    if isinstance(turn, asks.UserTurn):
        return Message("user", text_of(turn.content))
    if isinstance(turn, asks.ToolTurn):
        name = called.get(turn.tool_call_id)
        if name is None:
            raise Refused(
                400, f"no call in these messages has the id {turn.tool_call_id!r}", "invalid_value", "messages"
            )
        return Message("user", f"{name} returned: {text_of(turn.content)}")
    calls = turn.tool_calls or []
    called |= {call.id: call.function.name for call in calls}
    return Message("assistant", "\n".join(filter(None, [text_of(turn.content), *map(tools.written, calls)])))
