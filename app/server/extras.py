"""What clients send beside the OpenAI API's own fields: what of it holds, and what did nothing."""

import re
from typing import Any

from kithnet.app.server.asks import ChatAsk, Options, Sent

HEADER = "X-Kithnet-Ignored"
"""Names the fields of a request that had no effect."""
MOST_NAMED = 40
NEUTRAL: dict[str, Any] = {"repeat_penalty": 1, "think": False, "chat_template_kwargs": {}}
"""Values that ask for nothing, or for what is done."""
LEFT_ASIDE = "temperature top_k top_p min_p seed max_tokens max_completion_tokens options chat_template_kwargs".split()
"""What a personal agent decides by itself, beside what has no effect anywhere."""
NAMED = re.compile(r"[A-Za-z0-9_-]{1,64}")
THINKING = "enable_thinking"


def settled(ask: ChatAsk) -> ChatAsk:
    """The request with what its `options` say put where the request itself says nothing."""
    if ask.options is None:
        return ask
    given = {name: getattr(ask.options, name) for name in Options.model_fields if name != "num_predict"}
    if ask.max_completion_tokens is None:
        given["max_tokens"] = ask.options.num_predict
    changes = {name: value for name, value in given.items() if value is not None and getattr(ask, name) is None}
    return ask.model_copy(update=changes)


def thinks(ask: ChatAsk) -> bool:
    """Whether a model that can reason may: `think: false` or `chat_template_kwargs: {"enable_thinking": false}` say no."""
    return ask.think is not False and (ask.chat_template_kwargs or {}).get(THINKING) is not False


def ignored(ask: ChatAsk, personal: bool) -> list[str]:
    """Names of the fields that had no effect. personal: a personal agent answered."""
    names = [name for name in Sent.model_fields if _asks(ask, name)]
    if personal:
        return [*names, *(name for name in LEFT_ASIDE if _asks(ask, name))]
    if ask.user is not None:
        names.append("user")
    names += [f"chat_template_kwargs.{key}" for key in ask.chat_template_kwargs or {} if key != THINKING]
    if ask.options is not None:
        names += [f"options.{key}" for key in ask.options.model_extra or {}]
    return names


def told(names: list[str]) -> dict[str, str]:
    """The header that names them, none where there are none. A name that is no plain word is shown as `?`."""
    plain = [".".join(part if NAMED.fullmatch(part) else "?" for part in name.split(".", 1)) for name in names]
    return {HEADER: ", ".join(dict.fromkeys(plain[:MOST_NAMED]))} if plain else {}


def _asks(ask: ChatAsk, name: str) -> bool:
    value = getattr(ask, name)
    return value is not None and value != NEUTRAL.get(name, ask)
