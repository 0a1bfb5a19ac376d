"""Tools: told to the model in its system message, called in a form that any chat template can carry."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kithnet.app.server import asks, schemas
from kithnet.app.server.failures import Refused

OPEN, CLOSE = "<tool_call>", "</tool_call>"
FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class Calling:
    """How tools may be used in one request. schema: what a call must look like. told: the text for the model."""

    choice: Literal["auto", "required"]
    schema: dict[str, Any]
    told: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call the model made. arguments: JSON text."""

    id: str
    name: str
    arguments: str


def calling(ask: asks.ChatAsk) -> Calling | None:
    """How this request lets tools be called, None where they are not. Refused for what contradicts itself."""
    tools, choice = ask.tools or [], ask.tool_choice
    if not tools:
        if choice not in (None, "none"):
            raise Refused(400, "tool_choice needs tools", "invalid_value", "tool_choice")
        return None
    names = [tool.function.name for tool in tools]
    if len(set(names)) < len(names):
        raise Refused(400, "two tools have the same name", "invalid_value", "tools")
    checked = [_parameters(number, tool) for number, tool in enumerate(tools)]
    if choice == "none":
        return None
    allowed = list(zip(tools, checked, strict=True))
    if isinstance(choice, asks.NamedTool):
        wanted = choice.function.name
        allowed = [pair for pair in allowed if pair[0].function.name == wanted]
        if not allowed:
            raise Refused(400, f"there is no tool called {wanted!r}", "invalid_value", "tool_choice")
    must = choice not in (None, "auto")
    schema = schemas.call_schema([(tool.function.name, parameters) for tool, parameters in allowed])
    return Calling("required" if must else "auto", schema, _told(allowed, must))


def _parameters(number: int, tool: asks.Tool) -> dict[str, Any]:
    given = tool.function.parameters
    return schemas.checked(schemas.NO_ARGUMENTS if given is None else given, f"tools.{number}.function.parameters")


def _told(allowed: Sequence[tuple[asks.Tool, dict[str, Any]]], required: bool) -> str:
    shown = [
        {
            "name": tool.function.name,
            "description": " ".join((tool.function.description or "").split()),
            "parameters": json.dumps(parameters, ensure_ascii=False),
        }
        for tool, parameters in allowed
    ]
    return _prompts().get_template("tools.md").render(tools=shown, required=required).strip()


@lru_cache(maxsize=1)
def _prompts() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def read_call(text: str) -> Call:
    """A call from the reply that was made under `Calling.schema`."""
    made = json.loads(text)
    return Call(new_id(), made["name"], json.dumps(made["arguments"], ensure_ascii=False))


def new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def written(call: asks.ToolCall) -> str:
    """An earlier call as the model sees it. Refused when its arguments are no JSON."""
    try:
        arguments = json.loads(call.function.arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise Refused(
            400, f"the arguments of the call {call.id!r} are not JSON", "invalid_value", "messages"
        ) from error
    content = json.dumps({"name": call.function.name, "arguments": arguments}, ensure_ascii=False)
    return f"{OPEN}{content}{CLOSE}"
