"""`RemoteModel`: any OpenAI-compatible chat endpoint behind the `ChatModel` seam."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import httpx2
import openai
import pydantic
from openai import AsyncOpenAI

from kithnet.runtime.chat import Message, OnText, Reply, ReplySpec, Scores, Traits
from kithnet.runtime.errors import ConfigError, ContextOverflow, KithnetError, ModelUnavailable, ReplyInvalid
from kithnet.runtime.fencing import fenced
from kithnet.runtime.reasoning import Visible
from kithnet.runtime.scripted import picked
from kithnet.runtime.structured import check_schema, parse_reply
from kithnet.runtime.wire import Answer, Tokens, Told, both, usage_of

TELLING = 16  # tokens: a reply cut off sooner does not tell whether it is one
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before a retry; the wait doubles each time
RETRIED = frozenset({408, 409, 429})  # and every 5xx
T = TypeVar("T")


class RemoteModel:
    """A model served elsewhere, by llama.cpp, vLLM, Ollama or a paid API. Use it on one event loop.

    url: the base, up to and including /v1. timeout: seconds one attempt may take. retries: further attempts
    after 408, 409, 429, 5xx, a timeout or a refused connection, with doubling waits or the server's Retry-After.
    reasoning_tokens: that a model which reasons may spend on it, beside a reply's own.

    That a model reasons is learnt from its first reply that shows it. From then on it gets the tokens for it, and stop
    strings are looked for here, in the reply alone. Until a free reply has shown whether the template opens the block of
    reasoning by itself, a stream is shown at its end only, and stop strings are not sent. A first reply that was used up
    by reasoning, or is cut off before that shows, is asked for once more, with the tokens for reasoning.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 60,
        retries: int = 3,
        capable: bool = True,
        context: int = 32768,
        reasoning_tokens: int = 2048,
    ) -> None:
        if not _is_web_address(url):
            raise ConfigError(f"{url!r} is not a web address", "give a base URL such as http://127.0.0.1:8080/v1")
        if timeout <= 0 or retries < 0 or context < 1 or reasoning_tokens < 0:
            raise ConfigError(
                f"timeout={timeout}, retries={retries}, context={context}, reasoning_tokens={reasoning_tokens} "
                "is out of range"
            )
        self._url = url
        self._model = model
        self._timeout = timeout
        self._retries = retries
        self._reasoning_tokens = reasoning_tokens
        self._reasons = False
        self._sought = False
        self._opened: bool | None = None  # whether the template opens the block of reasoning
        self._traits = Traits(model, context, capable, grammar=False)
        self._closed = False
        # Local servers take any key, but the client refuses to start without one. It would retry by itself, but
        # not tell why it gave up, nor cap its waits by ours.
        self._client = AsyncOpenAI(base_url=url, api_key=api_key or "none", timeout=timeout, max_retries=0)

    @property
    def traits(self) -> Traits:
        return self._traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        """See `ChatModel.reply`. A grammar is a ConfigError: the wire format has none."""
        start = time.perf_counter()
        given = self._reasoning_tokens if spec.reasoning_tokens is None else spec.reasoning_tokens
        budget = given if self._reasons else 0
        told = await self._told(messages, spec, budget, on_text)
        used = told.usage
        if given and not budget and self._unclear(told, spec):
            self._sought = True
            second = await self._told(messages, spec, given, None)
            used = both(used, second.usage)
            if told.reasoned or second.reasoned:
                told, budget = second, given
                told.rest = told.visible.text
        if on_text is not None and told.rest:
            on_text(told.rest)
        if spec.schema is not None:
            self._check(told, spec, budget)
        finish: Literal["stop", "length"] = "length" if told.cut else "stop"
        usage = usage_of(used, time.perf_counter() - start)
        return Reply(told.visible.text, finish, usage, told.visible.stopped, told.reasoning)

    async def _told(self, messages: Sequence[Message], spec: ReplySpec, budget: int, on_text: OnText | None) -> Told:
        """One answer, and what it tells of the model's ways. budget: tokens for reasoning."""
        body = self._body(messages, spec, budget)
        # A grammar at the server begins with the reply: a structured one may come without the block being closed.
        told = Told(Visible(spec.stop, None if spec.schema is not None and self._opened else self._opened))
        if on_text is None:
            answer = await self._patiently(lambda: self._whole(body))
            told.finish, told.usage = answer.choices[0].finish_reason, answer.usage or Tokens()
            told.hear(answer.choices[0].message)
        else:
            await self._stream(body, told, on_text)
        told.rest = told.visible.finish(told.finish == "length")
        self._reasons = self._reasons or told.reasoned
        if told.visible.parting.lone:
            self._opened = True
        elif self._opened is None and (told.thought or (spec.schema is None and not told.cut)):
            self._opened = False
        return told

    def _unclear(self, told: Told, spec: ReplySpec) -> bool:
        """Whether an answer without tokens for reasoning holds reasoning alone, or may."""
        if told.reasoned:
            return not told.visible.text and (told.cut or bool(spec.stop))
        unknown = self._opened is None and not self._sought and spec.schema is None
        return unknown and told.cut and not told.shown and spec.max_tokens >= TELLING

    def _check(self, told: Told, spec: ReplySpec, budget: int) -> None:
        """Raises ReplyInvalid unless there is a whole reply that matches the schema."""
        assert spec.schema is not None
        if told.reasoned and not told.visible.text.strip():
            raise ReplyInvalid(
                f"{self._model} only reasoned and gave no reply within max_tokens={spec.max_tokens} and "
                f"reasoning_tokens={budget}",
                "raise model.reasoning_tokens",
            )
        if told.cut:
            raise ReplyInvalid(
                f"{self._model} was cut off inside its schema by max_tokens={spec.max_tokens}",
                "raise max_tokens, or model.reasoning_tokens where it reasons" if told.reasoned else "raise max_tokens",
            )
        parse_reply(told.visible.text, spec.schema)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        """The model's pick among the choices, by schema: the wire format gives no log-probability of a given text."""
        if not choices or not all(choices):
            raise ConfigError("score needs at least one choice, and no empty ones", "pass the texts to compare")
        schema = {
            "type": "object",
            "properties": {"choice": {"type": "string", "enum": list(choices)}},
            "required": ["choice"],
            "additionalProperties": False,
        }
        room = 32 + 2 * max(map(len, choices))
        reply = await self.reply(messages, ReplySpec(max_tokens=room, schema=schema, raw=raw, purpose="score"))
        return picked(json.loads(reply.text)["choice"], choices, reply.usage)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._client.close()

    def _body(self, messages: Sequence[Message], spec: ReplySpec, budget: int) -> dict[str, Any]:
        """The request. Contents are fenced: a server may take marks in them for what they look like."""
        if self._closed:
            raise ModelUnavailable(f"the connection to {self._url} has been closed", "make a new RemoteModel")
        if not messages:
            raise ConfigError("no messages to continue", "give at least one message")
        if spec.grammar is not None:
            raise ConfigError(f"{self._model} is remote and takes no grammar", "use a JSON schema, or a local model")
        turns = [(m.role, m.content) for m in messages]
        if spec.raw:
            turns = [("user", "".join(m.content for m in messages))]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": role, "content": fenced(content, tools=False)} for role, content in turns],
            "max_tokens": spec.max_tokens + budget,
            "temperature": spec.temperature,
            "seed": spec.seed,
        }
        if spec.stop and self._opened is False and not self._reasons:  # a server looks for them in reasoning, too
            body["stop"] = list(spec.stop)
        if spec.schema is not None:
            check_schema(spec.schema)
            named = {"name": "reply", "schema": dict(spec.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return body

    async def _whole(self, body: dict[str, Any]) -> Answer:
        response = await self._client.chat.completions.with_raw_response.create(**body)
        content = response.http_response.content
        try:
            answer = Answer.model_validate_json(content)
        except pydantic.ValidationError as error:
            raise self._nonsense(f"its answer is {content[:120]!r}") from error
        if not answer.choices or (answer.choices[0].message.content is None and not answer.choices[0].message.thought):
            raise self._nonsense(f"its answer holds no text: {content[:120]!r}")
        return answer

    async def _stream(self, body: dict[str, Any], told: Told, on_text: OnText) -> None:
        """Only the connection is retried: what has been shown cannot be taken back."""
        body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        stream = await self._patiently(lambda: self._client.chat.completions.create(**body))
        try:
            async with stream:
                async for event in stream:
                    chunk = Answer.model_validate(event.model_dump(warnings=False))
                    told.usage = chunk.usage or told.usage
                    for choice in chunk.choices[:1]:
                        told.finish = choice.finish_reason or told.finish
                        if shown := told.hear(choice.delta):
                            told.shown = True
                            on_text(shown)
        except (openai.OpenAIError, httpx2.TransportError) as error:
            raise self._failed(error, 1) from error
        except (json.JSONDecodeError, UnicodeDecodeError, pydantic.ValidationError) as error:
            raise self._nonsense(f"its stream makes no sense: {error}") from error
        if told.finish is None:
            raise self._nonsense("its stream ended before the reply did")

    def _nonsense(self, what: str) -> ModelUnavailable:
        """Whatever is there, it is no chat model: a person should hear of it, not get answers made without one."""
        return ModelUnavailable(f"{self._url} did not answer as a chat model: {what}", "check that the URL ends in /v1")

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try, and try again after failures that may pass."""
        for tried in range(1, self._retries + 2):
            try:
                # The client's own timeout restarts with every byte; a trickling server must not hold us for ever.
                async with asyncio.timeout(self._timeout):
                    return await attempt()
            except (openai.OpenAIError, TimeoutError) as error:
                wait = _wait(error, tried)
                if wait is None or tried > self._retries:
                    raise self._failed(error, tried) from error
                await asyncio.sleep(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _failed(self, error: Exception, tried: int) -> KithnetError:
        """The error of ours for what went wrong at the other end, with what to do about it."""
        after = f" after {tried} attempts" if tried > 1 else ""
        if isinstance(error, openai.APITimeoutError | TimeoutError):
            return ModelUnavailable(
                f"{self._url} did not answer within {self._timeout:g} s{after}",
                "raise the timeout, or try a smaller model",
            )
        if isinstance(error, openai.APIConnectionError):
            cause = error.__cause__ or error
            return ModelUnavailable(
                f"{self._url} cannot be reached{after}: {cause}", "is the server running, and the URL right?"
            )
        if isinstance(error, openai.APIStatusError):
            return self._refused(error, after)
        return ModelUnavailable(f"{self._url} failed{after}: {error}", "look at the server's log")

    def _refused(self, error: openai.APIStatusError, after: str) -> KithnetError:
        status, said = error.status_code, _said(error)
        if status in (400, 413, 422) and _is_overflow(error, said):
            return ContextOverflow(
                f"{self._model} at {self._url} refuses the prompt as too long: {said}", "shorten the prompt"
            )
        hints = {
            401: "set the API key in the environment variable that the configuration names",
            403: "this key may not use this model",
            404: "check the model's name, and that the URL ends in /v1",
            429: "wait, lower the number of parallel tasks, or raise the retries",
        }
        hint = hints.get(status, "look at the server's log" if status >= 500 else "the server takes no such request")
        return ModelUnavailable(f"{self._url} answered {status}{after}: {said}", hint)


def _wait(error: Exception, tried: int) -> float | None:
    """Seconds to wait before trying again; None when trying again is of no use."""
    if isinstance(error, openai.APIStatusError):
        if error.status_code not in RETRIED and error.status_code < 500:
            return None
        told = _retry_after(error.response.headers.get("retry-after"))
        if told is not None:
            return told if told <= LONGEST_WAIT else None
    elif not isinstance(error, openai.APIConnectionError | TimeoutError):
        return None
    return float(min(FIRST_WAIT * 2 ** (tried - 1), LONGEST_WAIT) * random.uniform(0.75, 1.0))


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _said(error: openai.APIStatusError) -> str:
    """What the server said, short: its error message when it sent one, else the start of the body."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])[:200]
    return error.message[:200]


def _is_overflow(error: openai.APIStatusError, said: str) -> bool:
    code = error.body.get("code") if isinstance(error.body, dict) else None
    kind = error.body.get("type") if isinstance(error.body, dict) else None
    if "context_length_exceeded" in (code, kind) or kind == "exceed_context_size_error":
        return True
    return "context" in said.lower() and any(word in said.lower() for word in ("length", "size", "window", "exceed"))


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port out of range, a bracket that is not closed
        return False
