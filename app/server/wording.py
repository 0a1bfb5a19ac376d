"""A finished or growing reply as the bodies and events of the OpenAI API."""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kithnet.app.server.answers import (
    Call,
    CalledFunction,
    ChatAnswer,
    ChatChoice,
    PromptDetails,
    Said,
    Spent,
)
from kithnet.app.server.complete import Made, Outcome, Text
from kithnet.app.server.tools import Call as MadeCall

DONE = b"data: [DONE]\n\n"


def spent(outcome: Outcome) -> Spent:
    """What a request cost; see `Spent`."""
    prompt, generated = outcome.prompt, outcome.total.generated
    return Spent(
        prompt_tokens=prompt.sent,
        completion_tokens=generated,
        total_tokens=prompt.sent + generated,
        prompt_tokens_details=PromptDetails(cached_tokens=max(prompt.sent - prompt.evaluated, 0)),
    )


@dataclass(frozen=True, slots=True)
class Heading:
    """What all chunks of one answer share."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, outcome: Outcome) -> dict[str, Any]:
        """The body of an answer that is sent in one piece."""
        answer = ChatAnswer(
            id=self.id,
            object="chat.completion",
            created=self.created,
            model=self.model,
            choices=[_choice(made) for made in outcome.made],
            usage=spent(outcome),
            system_fingerprint=None,
        )
        if outcome.memory is not None:
            answer.kithnet = outcome.memory
        return answer.model_dump(exclude_unset=True)

    def chunk(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """One event of an answer that is sent piece by piece."""
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **more,
        }


def _choice(made: Made) -> ChatChoice:
    said = Said(role="assistant", content=made.text, refusal=None)
    if made.reasoning:
        said.reasoning_content = made.reasoning
    if made.call is not None:
        function = CalledFunction(name=made.call.name, arguments=made.call.arguments)
        said.content = made.text.strip() or None
        said.tool_calls = [Call(id=made.call.id, type="function", function=function)]
    return ChatChoice(index=made.index, message=said, logprobs=None, finish_reason=made.finish)


class Growing:
    """The events of an answer in their order: the role, pieces, how it ended; then the usage where it is wanted."""

    def __init__(self, heading: Heading, include_usage: bool) -> None:
        self._heading, self._usage = heading, include_usage
        self._begun: set[int] = set()

    def step(self, step: Text | Made) -> Iterator[bytes]:
        """The events of one step."""
        index = step.index
        if index not in self._begun:
            self._begun.add(index)
            yield self._event(index, {"role": "assistant", "content": ""})
        if isinstance(step, Text):
            yield self._event(index, {"content": step.text})
            return
        if step.call is not None:
            for part in _call_parts(step.call):
                yield self._event(index, {"tool_calls": [part]})
        yield self._event(index, {}, step.finish)

    def end(self, outcome: Outcome) -> Iterator[bytes]:
        """The events after the last reply."""
        if outcome.memory is not None:
            more: dict[str, Any] = {"usage": None} if self._usage else {}
            yield event(self._heading.chunk([], kithnet=outcome.memory.model_dump(), **more))
        if self._usage:
            yield event(self._heading.chunk([], usage=spent(outcome).model_dump()))
        yield DONE

    def _event(self, index: int, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        more: dict[str, Any] = {"usage": None} if self._usage else {}
        return event(self._heading.chunk([choice], **more))


def _call_parts(call: MadeCall) -> Iterator[dict[str, Any]]:
    """A call as its deltas: who is called, then with what."""
    yield {"index": 0, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    yield {"index": 0, "function": {"arguments": call.arguments}}


def event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode(errors="replace")
