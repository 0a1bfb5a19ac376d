"""Models without weights: scripted replies, and runs recorded once and replayed exactly."""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kithnet.runtime import errors
from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits, Usage
from kithnet.runtime.errors import (
    ConfigError,
    ContextOverflow,
    InputError,
    ModelError,
    ModelUnavailable,
    RecordError,
    ReplyInvalid,
)
from kithnet.runtime.reasoning import parted
from kithnet.runtime.structured import check_schema, parse_reply

Script = Callable[[Sequence[Message], ReplySpec], str]


class ScriptedModel:
    """A model that says what it is told to: for tests and demonstrations that must be exact.

    replies: texts (or errors to raise) in the order of the calls, or a function of messages and spec.
    A token is a word here. Reasoning is parted from the scripted text as from a real reply, and costs nothing; `stop`,
    `max_tokens` and `schema` act on what is left.
    `calls` keeps the conversations and specs it was asked to continue.
    """

    def __init__(
        self,
        replies: Sequence[str | ModelError] | Script,
        *,
        name: str = "scripted",
        context: int = 8192,
        capable: bool = True,
    ) -> None:
        self._script = replies
        self._traits = Traits(name, context, capable, grammar=False)
        self._lock = threading.Lock()
        self._closed = False
        self.calls: list[tuple[tuple[Message, ...], ReplySpec]] = []

    @property
    def traits(self) -> Traits:
        return self._traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        if spec.schema is not None:
            check_schema(spec.schema)
        sent = self._sent(messages)
        text, reasoning = parted(self._next(messages, spec))
        if spec.schema is not None and reasoning and not text:
            raise ReplyInvalid(f"{self._traits.name} only reasoned and gave no reply", "add one to the script")
        text, stopped_by = _stopped(text, spec.stop)
        pieces = _pieces(text)
        cut = len(pieces) > spec.max_tokens
        pieces = pieces[: spec.max_tokens]
        text = "".join(pieces)
        if spec.schema is not None:
            parse_reply(text, spec.schema)
        if on_text is not None:
            for piece in pieces:
                on_text(piece)
        await asyncio.sleep(0)  # a real model gives other tasks a turn
        usage = Usage(sent, sent, len(pieces), 0.0, calls=1)
        return Reply(text, "length" if cut else "stop", usage, "" if cut else stopped_by, reasoning)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        """The next scripted reply names the pick; ReplyInvalid when it is not among the choices."""
        if not choices or not all(choices):
            raise ConfigError("score needs at least one choice, and no empty ones", "pass the texts to compare")
        sent = self._sent(messages)
        pick = self._next(messages, ReplySpec(raw=raw, purpose="score"))
        await asyncio.sleep(0)
        return picked(pick, choices, Usage(sent, sent, 0, 0.0, calls=1))

    async def close(self) -> None:
        self._closed = True

    def _sent(self, messages: Sequence[Message]) -> int:
        if self._closed:
            raise ModelUnavailable(f"{self._traits.name} has been closed", "make a new one")
        if not messages:
            raise ConfigError("no messages to continue", "give at least one message")
        sent = sum(len(m.content.split()) for m in messages)
        if sent >= self._traits.context:
            raise ContextOverflow(
                f"the prompt has {sent} tokens and the context holds {self._traits.context}", "shorten the prompt"
            )
        return sent

    def _next(self, messages: Sequence[Message], spec: ReplySpec) -> str:
        with self._lock:
            self.calls.append((tuple(messages), spec))
            turn = len(self.calls)
        if callable(self._script):
            return self._script(messages, spec)
        if turn > len(self._script):
            raise ModelUnavailable(
                f"the script has {len(self._script)} replies and this is call {turn} ({spec.purpose})",
                "add a reply to the script",
            )
        scripted = self._script[turn - 1]
        if isinstance(scripted, ModelError):
            raise scripted
        return scripted


def picked(pick: str, choices: Sequence[str], usage: Usage) -> Scores:
    """Scores of a backend that only names its pick. ReplyInvalid when the pick is no choice."""
    if pick not in choices:
        raise ReplyInvalid(f"{pick!r} is not among the choices {list(choices)}", "answer with one of the choices")
    index = list(choices).index(pick)
    logprobs = tuple(0.0 if i == index else float("-inf") for i in range(len(choices)))
    return Scores(logprobs, tuple(len(c.split()) for c in choices), exact=False, usage=usage)


def _stopped(text: str, stops: Sequence[str]) -> tuple[str, str]:
    """The text before the first stop string in it, and that string; the whole text and "" where there is none."""
    at, stop = min(((text.find(one), one) for one in stops if one and one in text), default=(len(text), ""))
    return text[:at], stop


def _pieces(text: str) -> list[str]:
    """Words with the blanks before them; joined they are the text again."""
    pieces: list[str] = []
    rest = text
    while rest:
        lead = len(rest) - len(rest.lstrip())
        end = lead
        while end < len(rest) and not rest[end].isspace():
            end += 1
        if not rest[lead:].strip() and pieces:
            pieces[-1] += rest
            break
        pieces.append(rest[:end])
        rest = rest[end:]
    return pieces


def request_key(messages: Sequence[Message], request: Mapping[str, Any]) -> str:
    """Identity of a request; the purpose is a label and does not count."""
    asked = {k: v for k, v in request.items() if k != "purpose"}
    canonical = json.dumps([[(m.role, m.content) for m in messages], asked], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _reply_request(spec: ReplySpec) -> dict[str, Any]:
    request = {"kind": "reply", **asdict(spec), "stop": list(spec.stop)}
    if spec.reasoning_tokens is None:
        del request["reasoning_tokens"]  # so that recordings from before there was such a thing keep their keys
    if not spec.top_k:
        del request["top_k"]  # likewise
    return request


def _score_request(choices: Sequence[str], raw: bool) -> dict[str, Any]:
    return {"kind": "score", "choices": list(choices), "raw": raw}


class RecordingModel:
    """Passes every call on to `model` and appends it with its outcome to a JSONL file; see `ReplayModel`."""

    def __init__(self, model: ChatModel, path: str | os.PathLike[str]) -> None:
        self._model = model
        self._path = Path(path)
        self._lock = threading.Lock()
        if not self._path.exists():
            self._write({"traits": asdict(model.traits)})

    @property
    def traits(self) -> Traits:
        return self._model.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        request = _reply_request(spec)
        try:
            reply = await self._model.reply(messages, spec, on_text)
        except ModelError as error:
            self._record(messages, request, error=_error_row(error))
            raise
        self._record(messages, request, reply=asdict(reply))
        return reply

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        request = _score_request(choices, raw)
        try:
            scores = await self._model.score(messages, choices, raw=raw)
        except ModelError as error:
            self._record(messages, request, error=_error_row(error))
            raise
        row = asdict(scores)
        row["logprobs"] = [None if p == float("-inf") else p for p in scores.logprobs]  # JSON has no infinity
        self._record(messages, request, scores=row)
        return scores

    async def close(self) -> None:
        await self._model.close()

    def _record(self, messages: Sequence[Message], request: dict[str, Any], **outcome: Any) -> None:
        key = request_key(messages, request)
        self._write({"key": key, "messages": [asdict(m) for m in messages], "request": request, **outcome})

    def _write(self, row: dict[str, Any]) -> None:
        line = json.dumps(row, ensure_ascii=False)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _error_row(error: ModelError) -> dict[str, str]:
    return {"type": type(error).__name__, "message": error.message, "hint": error.hint}


class ReplayModel:
    """Answers from a recording. A request recorded several times gets its outcomes in order, the last one repeated.

    Raises InputError when the file cannot be read, RecordError for a damaged line; a request that was never
    recorded is ModelUnavailable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._closed = False
        self._outcomes: dict[str, list[dict[str, Any]]] = {}
        self._traits = Traits(self._path.stem, 8192, capable=True, grammar=True)
        self._read()

    @property
    def traits(self) -> Traits:
        return self._traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        row = self._take(messages, _reply_request(spec), spec.purpose)["reply"]
        await asyncio.sleep(0)
        if on_text is not None and row["text"]:
            on_text(row["text"])
        told = {"stopped_by": "", "reasoning": "", **row}  # recordings older than these say nothing of them
        usage = Usage(**row["usage"])
        return Reply(row["text"], row["finish"], usage, told["stopped_by"], told["reasoning"])

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        row = self._take(messages, _score_request(choices, raw), "score")["scores"]
        await asyncio.sleep(0)
        logprobs = tuple(float("-inf") if p is None else p for p in row["logprobs"])
        return Scores(logprobs, tuple(row["tokens"]), row["exact"], Usage(**row["usage"]))

    async def close(self) -> None:
        self._closed = True

    def _read(self) -> None:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise InputError(
                f"recording {self._path} cannot be read: {error.strerror}", "record a run first"
            ) from error
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if "traits" in row:
                    self._traits = Traits(**row["traits"])
                else:
                    self._outcomes.setdefault(row["key"], []).append(row)
            except (ValueError, KeyError, TypeError) as error:
                raise RecordError(f"{self._path} is damaged: {error}", "record the run again", row=number) from error

    def _take(self, messages: Sequence[Message], request: dict[str, Any], purpose: str) -> dict[str, Any]:
        if self._closed:
            raise ModelUnavailable(f"the replay of {self._path} has been closed", "open it again")
        with self._lock:
            recorded = self._outcomes.get(request_key(messages, request))
            if not recorded:
                raise ModelUnavailable(
                    f"{self._path} holds no answer to this {purpose} request of {len(messages)} messages",
                    "the prompt or the spec has changed since the recording: record the run again",
                )
            row = recorded.pop(0) if len(recorded) > 1 else recorded[0]
        if "error" in row:
            kind = getattr(errors, row["error"]["type"])
            raise kind(row["error"]["message"], row["error"]["hint"])
        return row
