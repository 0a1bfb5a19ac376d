"""`LocalModel`: a chat model on llama.cpp, in this process, that evaluates a shared prompt prefix once."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import jinja2

from kithnet.runtime.chat import Message, OnText, Reply, ReplySpec, Scores, Traits, Usage
from kithnet.runtime.engine import Engine, Generated, Request, Stop, Stopped
from kithnet.runtime.errors import ConfigError, ModelError, ModelFileError, ModelUnavailable
from kithnet.runtime.llama import LlamaModel, default_threads
from kithnet.runtime.sampling import schema_grammar
from kithnet.runtime.structured import check_schema, parse_reply

CAPABLE_PARAMETERS = 3_000_000_000  # smaller models cannot be trusted to plan and phrase freely
T = TypeVar("T")


class LocalModel:
    """A GGUF model behind the `ChatModel` seam. Safe to share between tasks, threads and event loops.

    All requests run one after another on one engine thread. Build it with `LocalModel.load`.
    """

    def __init__(self, engine: Engine, traits: Traits) -> None:
        self._engine = engine
        self._traits = traits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llama")
        self._running: set[Stop] = set()
        self._closed = False

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        context: int = 8192,
        slots: int = 6,
        threads: int | None = None,
        capable: bool | None = None,
    ) -> "LocalModel":
        """Load a GGUF file.

        context: tokens of one request, prompt and reply together; never more than the model was trained for.
        slots: prompts kept evaluated at a time. threads: default, all cores this process may use.
        capable: see Traits; default, whether it has at least 3e9 parameters.
        Raises ModelFileError for a file that is no usable chat model, SetupError for an unknown binding.
        """
        if context < 1 or slots < 1 or (threads is not None and threads < 1):
            raise ConfigError(f"context={context}, slots={slots}, threads={threads}: each must be at least 1")
        model = LlamaModel.load(path)
        if not model.generates:
            model.close()
            raise ModelFileError(
                f"{path} is an embedding model: it cannot continue a text", "give the path of a chat model's GGUF"
            )
        engine = Engine(model, context=context, slots=slots, threads=threads or default_threads())
        able = model.parameters >= CAPABLE_PARAMETERS if capable is None else capable
        return cls(engine, Traits(model.path.stem, engine.context, able, grammar=True))

    @property
    def traits(self) -> Traits:
        return self._traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        """See `ChatModel.reply`. Cancelling the awaiting task stops the decoding within milliseconds."""
        grammar = _grammar_of(spec)
        stop = Stop()
        stream = _Stream(on_text, stop) if on_text else None

        def work() -> tuple[int, Generated]:
            prompt = self._prompt(messages, raw=spec.raw)
            request = Request(
                prompt, spec.max_tokens, spec.temperature, spec.seed, grammar, spec.stop, spec.schema is not None
            )
            return len(prompt), self._engine.generate(request, stop, stream.send if stream else None)

        (sent, made), seconds = await self._in_thread(work, stop, stream)
        if stream is not None and stream.failure is not None:
            raise stream.failure
        if spec.schema is not None:
            parse_reply(made.text, spec.schema)
        return Reply(made.text, made.finish, Usage(sent, made.evaluated, made.generated, seconds, calls=1))

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        """See `ChatModel.score`. A choice is tokenised on its own: after a raw prompt begin it with its space."""
        if not choices or not all(choices):
            raise ConfigError("score needs at least one choice, and no empty ones", "pass the texts to compare")
        stop = Stop()

        def work() -> Scores:
            prompt = self._prompt(messages, raw=raw)
            options = [self._engine.model.tokenise(c, begin=False, special=False) for c in choices]
            scored = self._engine.score(prompt, options, stop)
            lengths = tuple(map(len, options))
            usage = Usage(len(prompt) + sum(lengths), scored.evaluated, 0, 0.0, calls=1)
            return Scores(scored.logprobs, lengths, exact=True, usage=usage)

        scores, seconds = await self._in_thread(work, stop)
        return Scores(scores.logprobs, scores.tokens, True, scores.usage + Usage(seconds=seconds))

    async def close(self) -> None:
        """Stop what runs, then free the context and the weights. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for stop in tuple(self._running):
            stop.set()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._free)
        self._thread.shutdown()

    def _free(self) -> None:
        self._engine.close()
        self._engine.model.close()

    def _prompt(self, messages: Sequence[Message], *, raw: bool) -> list[int]:
        if not messages:
            raise ConfigError("no messages to continue", "give at least one message")
        try:
            tokens = self._engine.model.prompt(messages, raw=raw)
        except (jinja2.TemplateError, ValueError) as error:
            raise ConfigError(
                f"the chat template of {self._traits.name} refuses these messages: {error}",
                "most templates want user and assistant turns in alternation, a system turn only at the start",
            ) from error
        if not tokens:
            raise ConfigError("the prompt is empty", "give messages with content")
        return tokens

    async def _in_thread(self, work: Callable[[], T], stop: Stop, stream: "_Stream | None" = None) -> tuple[T, float]:
        """Run on the engine thread. Returns the result and the seconds it took there, waiting not counted."""
        if self._closed:
            raise self._gone()

        def timed() -> tuple[T, float]:
            if self._closed:
                raise self._gone()
            start = time.perf_counter()
            return work(), time.perf_counter() - start

        self._running.add(stop)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, timed)
        except Stopped as error:
            if stream is not None and stream.failure is not None:
                raise stream.failure from error
            raise self._gone() from error
        except asyncio.CancelledError:
            stop.set()
            raise
        finally:
            self._running.discard(stop)

    def _gone(self) -> ModelError:
        return ModelUnavailable(f"{self._traits.name} has been closed", "load the model again")


class _Stream:
    """Carries pieces of text from the engine thread to the caller's event loop."""

    def __init__(self, on_text: OnText, stop: Stop) -> None:
        self._on_text = on_text
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self.failure: Exception | None = None

    def send(self, text: str) -> None:
        self._loop.call_soon_threadsafe(self._deliver, text)

    def _deliver(self, text: str) -> None:
        if self._stop.is_set():
            return
        try:
            self._on_text(text)
        except Exception as error:
            # Raised inside a loop callback it would only be logged: `reply` raises it instead.
            self.failure = error
            self._stop.set()


def _grammar_of(spec: ReplySpec) -> str | None:
    if spec.schema is None:
        return spec.grammar
    check_schema(spec.schema)
    return schema_grammar(json.dumps(spec.schema))
