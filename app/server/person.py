"""A personal agent as a model: what of a chat request reaches it."""

import asyncio
import re

from kithnet.app.server import asks, complete
from kithnet.app.server.answers import FromMemory
from kithnet.app.server.asks import text_of
from kithnet.app.server.complete import Emit, Made, Outcome, Text, Work
from kithnet.app.server.failures import Refused
from kithnet.app.server.services import PERSON, PersonalAgents
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import InputError


def work(people: PersonalAgents, ask: asks.ChatAsk, config: ServeConfig) -> Work:
    """Say the last user turn to the agent. Raises UnknownPerson, Refused, InputError.

    The agent keeps the conversation itself: of the messages only the last is said, and that there is but one user
    turn begins a new session. Its own instructions stand: system messages and sampling settings are left aside.
    """
    _check(ask)
    said = [turn for turn in ask.messages if isinstance(turn, asks.UserTurn)]
    if ask.messages[-1] is not said[-1] or not (text := text_of(said[-1].content).strip()):
        raise Refused(400, "the last message must be a user's and hold text", "invalid_value", "messages")
    person = people.resolve(ask.model.removeprefix(PERSON))
    partner = None if ask.user is None else people.resolve(ask.user)  # an empty name is nobody's
    if partner == person:
        raise InputError(f"{person} is not a partner of its own agent", "leave `user` out to speak as its own person")

    async def say(emit: Emit) -> Outcome:
        def heard(reply: str) -> None:
            for piece in pieces(reply):
                emit(Text(0, piece))

        try:
            async with asyncio.timeout(config.timeout):
                exchange, usage = await people.say(person, partner, text, len(said) == 1, heard)
        except TimeoutError as error:
            raise complete.too_slow(ask.model, config.timeout) from error
        made = Made(0, exchange.reply, None, "stop", usage, usage)
        emit(made)
        used = [hit.id for hit in exchange.used]
        return Outcome((made,), FromMemory(used=used))

    return say


def pieces(reply: str) -> list[str]:
    """A reply word by word, each with the blanks before it. An agent's reply is whole before any of it is said: what
    must not be said is found in the whole."""
    return re.findall(r"\s*\S+|\s+", reply)


def _check(ask: asks.ChatAsk) -> None:
    """Refuse what would change a reply and an agent cannot do."""
    asked = {
        "n": (ask.n or 1) > 1,
        "tools": bool(ask.tools),
        "tool_choice": ask.tool_choice not in (None, "none", "auto"),
        "response_format": not isinstance(ask.response_format, asks.PlainText | None),
        "stop": bool(ask.stop),
        "logit_bias": bool(ask.logit_bias),
    }
    for name, wanted in asked.items():
        if wanted:
            raise Refused(400, f"{name} is not supported by personal agents", "unsupported", name)
    if not any(isinstance(turn, asks.UserTurn) for turn in ask.messages):
        raise Refused(400, "there is no user turn to answer", "invalid_value", "messages")
