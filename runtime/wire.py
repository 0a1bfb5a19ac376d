"""What we read of an OpenAI-compatible chat completion, whole or in pieces."""

from dataclasses import dataclass, field
from typing import Any

import pydantic

from kithnet.runtime.chat import Usage
from kithnet.runtime.reasoning import Visible


class Said(pydantic.BaseModel):
    """reasoning, reasoning_content: where servers put what they have parted from the content themselves."""

    content: str | None = None
    reasoning: Any = None
    reasoning_content: Any = None

    @property
    def thought(self) -> str:
        given = (self.reasoning_content, self.reasoning)
        return next((one for one in given if isinstance(one, str) and one), "")


class Choice(pydantic.BaseModel):
    message: Said = Said()
    delta: Said = Said()
    finish_reason: str | None = None


class Details(pydantic.BaseModel):
    cached_tokens: int | None = None


class Tokens(pydantic.BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: Details | None = None


class Answer(pydantic.BaseModel):
    """What we read of a chat completion, or of one piece of a streamed one."""

    choices: list[Choice]
    usage: Tokens | None = None


@dataclass(slots=True)
class Told:
    """An answer as far as it has come.

    thought: what came as reasoning in a field of its own. shown: whether any of it has been shown. rest: what was held
    back to the end.
    """

    visible: Visible
    thought: list[str] = field(default_factory=list)
    shown: bool = False
    rest: str = ""
    finish: str | None = None
    usage: Tokens = field(default_factory=Tokens)

    def hear(self, piece: Said) -> str:
        """Take a message or a piece of one; returns what of it may be shown now."""
        shown = ""
        if piece.thought:
            self.thought.append(piece.thought)
            shown = self.visible.settle()
        return shown + self.visible.feed(piece.content or "")

    @property
    def reasoned(self) -> bool:
        return bool(self.thought) or self.visible.parting.found

    @property
    def reasoning(self) -> str:
        return "".join(self.thought).strip() or self.visible.parting.reasoning

    @property
    def cut(self) -> bool:
        return self.finish == "length" and not self.visible.stopped


def both(first: Tokens, second: Tokens) -> Tokens:
    """What two calls used together."""
    cached = [(one.prompt_tokens_details or Details()).cached_tokens or 0 for one in (first, second)]
    return Tokens(
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        prompt_tokens_details=Details(cached_tokens=sum(cached)),
    )


def usage_of(tokens: Tokens, seconds: float) -> Usage:
    cached = (tokens.prompt_tokens_details or Details()).cached_tokens or 0
    evaluated = max(tokens.prompt_tokens - cached, 0)
    return Usage(tokens.prompt_tokens, evaluated, tokens.completion_tokens, seconds, calls=1)
