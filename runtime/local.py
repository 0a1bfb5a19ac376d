"""`LocalModel`: a chat model on llama.cpp, in this process. Many requests are evaluated side by side."""

import asyncio
import contextlib
import functools
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2

from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits, Usage
from kithnet.runtime.engine import saved
from kithnet.runtime.engine.context import MOST_SEQUENCES, Context
from kithnet.runtime.engine.core import Core
from kithnet.runtime.engine.gbnf import schema_grammar
from kithnet.runtime.engine.jobs import Generated, Generation, Request, ScoreRequest, Scoring
from kithnet.runtime.engine.kvtypes import DEFAULT, KvTypes
from kithnet.runtime.engine.sampling import Choice
from kithnet.runtime.engine.stats import Counters, EngineStats
from kithnet.runtime.engine.thread import Engine
from kithnet.runtime.errors import ConfigError, ContextOverflow, ModelFileError, ModelUnavailable
from kithnet.runtime.hook import Both, EvalHook
from kithnet.runtime.llama import LlamaModel, default_threads
from kithnet.runtime.lora import AdapterFile, Adapters
from kithnet.runtime.offload.advise import AdviseHook
from kithnet.runtime.offload.fit import expert_budget
from kithnet.runtime.offload.offloaded import Offloaded
from kithnet.runtime.offload.opening import Source, source
from kithnet.runtime.offload.options import ExpertOptions
from kithnet.runtime.offload.stats import ExpertStats
from kithnet.runtime.structured import check_schema, parse_reply

CAPABLE_PARAMETERS = 3_000_000_000  # smaller models cannot be trusted to plan and phrase freely
KEPT = 96  # sequences beside those in use: evaluated prompts kept for later, and continuations being scored
PADDING = 256  # llama.cpp rounds the number of cells up to a multiple of this
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """How a model runs here.

    context: tokens of one request, prompt and reply together; never more than the model was trained for. parallel:
    requests evaluated at once. kv: precision of keys and values. kv_mb: megabytes they may take in all; 0: as many
    tokens again as one context, for prompts that are kept evaluated. threads: 0 for all cores this process may use.
    capable: see Traits; by default, whether the model has at least 3e9 parameters. adapters: LoRA files, chosen by
    name in a ReplySpec. hook: see runtime/hook.py. experts: how those of a mixture are kept, see ExpertOptions.
    reasoning_tokens: that a model whose template lets it reason may spend on it beside a reply's own; 0: it does not.
    """

    context: int = 8192
    parallel: int = 16
    kv: KvTypes = DEFAULT
    kv_mb: float = 0
    threads: int = 0
    capable: bool | None = None
    adapters: Sequence[AdapterFile] = ()
    hook: EvalHook | None = None
    experts: ExpertOptions = field(default_factory=ExpertOptions)
    reasoning_tokens: int = 2048

    def __post_init__(self) -> None:
        bad = self.context < 1 or self.threads < 0 or self.kv_mb < 0 or self.reasoning_tokens < 0
        if bad or not 1 <= self.parallel <= MOST_SEQUENCES - KEPT:
            raise ConfigError(
                f"context={self.context}, parallel={self.parallel}, threads={self.threads}, kv_mb={self.kv_mb} is out of range",
                f"context is at least 1, parallel 1 to {MOST_SEQUENCES - KEPT}, threads, kv_mb and reasoning_tokens 0 or more",
            )


class LocalModel:
    """A GGUF model behind the `ChatModel` seam. Safe to share between tasks, threads and event loops.

    Requests run on one engine thread. When it dies, all who wait get the error, and the next request a fresh engine.
    Build it with `LocalModel.load`.
    """

    def __init__(self, model: LlamaModel, options: LocalOptions, loaded: Source | None = None) -> None:
        self._model = model
        self._options = options
        self._adapters = Adapters(model, options.adapters)
        self._counters = Counters()
        self._lock = threading.Lock()
        self._closed = False
        context = min(options.context, model.trained_context or options.context)
        self._cells = cells_for(model, context, options.kv, options.kv_mb)
        able = model.parameters >= CAPABLE_PARAMETERS if options.capable is None else options.capable
        self._traits = Traits(model.path.stem, context, able, grammar=True)
        self._experts: Offloaded | None = None
        self._hook = options.hook
        if loaded is not None:
            self._keep_experts(loaded)
        try:
            self._engine = self._new_engine()
        except BaseException:
            self._free_experts()
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], options: LocalOptions | None = None) -> "LocalModel":
        """Load a GGUF file, or the trunk of an expert store.

        Raises ModelFileError for a file that is no usable chat model, StoreError for a store that is damaged or of
        another model, ConfigError where the KV budget holds less than one context or the memory for experts is too
        little, SetupError for an unknown binding.
        """
        options = options or LocalOptions()
        loaded = source(Path(path), options.experts)
        model = LlamaModel.load(loaded.path, mapped=loaded.mapped, repack=loaded.repack)
        try:
            if not model.generates:
                raise ModelFileError(
                    f"{path} is an embedding model: it cannot continue a text", "give the path of a chat model's GGUF"
                )
            return cls(model, options, loaded)
        except BaseException:
            model.close()
            raise

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names that a ReplySpec may choose."""
        return self._adapters.names

    def stats(self) -> EngineStats:
        """What has been done and what is going on."""
        return self._engine.stats()

    def expert_stats(self) -> ExpertStats | None:
        """What offloading has done; None where the model's experts are not offloaded."""
        return self._experts.stats() if self._experts is not None else None

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text as it stands in a reply, for a logit bias."""
        return self._model.tokenise(text, begin=False, special=False)

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        """See `ChatModel.reply`. Cancelling the awaiting task gives its place free within one batch."""
        stream = _Stream(on_text) if on_text else None
        job = await asyncio.to_thread(self._generation, messages, spec, stream.send if stream else None)
        work = asyncio.ensure_future(self._alive().generate(job))
        if stream is not None:
            stream.work = work
        try:
            async with asyncio.timeout(spec.timeout):
                made = await work
        except TimeoutError as error:
            raise ModelUnavailable(
                f"{self._traits.name} was not done within {spec.timeout:g} s",
                "raise the timeout, or ask for fewer tokens",
            ) from error
        except asyncio.CancelledError:
            if stream is not None and stream.failure is not None:
                raise stream.failure from None
            raise
        if spec.schema is not None:
            parse_reply(made.text, spec.schema)
        usage = Usage(len(job.prompt), made.evaluated, made.generated, job.seconds, calls=1)
        return Reply(made.text, made.finish, usage, made.stopped_by, made.reasoning)

    async def score(
        self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False, adapter: str = ""
    ) -> Scores:
        """See `ChatModel.score`. A choice is tokenised on its own: after a raw prompt begin it with its space."""
        if not choices or not all(choices):
            raise ConfigError("score needs at least one choice, and no empty ones", "pass the texts to compare")
        job, lengths = await asyncio.to_thread(self._scoring, messages, choices, raw, adapter)
        scored = await self._alive().score(job)
        usage = Usage(len(job.prompt) + sum(lengths), scored.evaluated, 0, job.seconds, calls=1)
        return Scores(scored.logprobs, lengths, exact=True, usage=usage)

    async def sleep(self, owner: str, file: Path) -> int:
        """Save what was evaluated last for `owner` (see ReplySpec), so that `wake` need not evaluate it again.

        Returns the tokens saved, 0 where nothing is held (no file is written then). Raises StorageError.
        """

        def state(core: Core) -> saved.State | None:
            last = core.last_of(owner)
            return saved.State(*last, core.state_of(*last)) if last else None

        held = await self._alive().call(state)
        if held is None:
            return 0
        await asyncio.to_thread(saved.write, file, self._fingerprint, held)
        return len(held.tokens)

    async def wake(self, owner: str, file: Path) -> int:
        """Hold again what `sleep` saved. Returns its tokens, 0 where there is no room for them now.

        Raises ModelFileError for a file that is damaged or of another model, adapter or KV precision.
        """
        state = await asyncio.to_thread(saved.read, file, self._fingerprint)
        if state.adapter and state.adapter not in self._adapters.names:
            raise ModelFileError(f"{file} was made with the adapter {state.adapter}", "load it, or delete the file")
        put = await self._alive().call(lambda core: core.put_state(state.adapter, state.tokens, state.cells, owner))
        return len(state.tokens) if put else 0

    async def close(self) -> None:
        """Stop what runs, then free the context and the weights. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        await asyncio.to_thread(self._free)

    def _free(self) -> None:
        self._engine.close()
        self._free_experts()
        self._adapters.close()
        self._model.close()

    def _keep_experts(self, loaded: Source) -> None:
        """Bring the experts in as the options say, by a hook beside the one that was given."""
        ours: EvalHook | None = None
        if loaded.store is not None:
            chosen = self._options.experts
            if not chosen.memory_bytes:
                kv = int(self._cells * self._options.kv.bytes_per_token(*self._model.kv_widths))
                chosen = replace(chosen, memory_bytes=expert_budget(loaded.store, kv))
            threads = self._options.threads or default_threads()
            self._experts = Offloaded(self._model, loaded.store, chosen, threads)
            ours = self._experts.hook
        elif loaded.willneed:
            ours = AdviseHook.of(self._model)
        if ours is not None:
            self._hook = ours if self._hook is None else Both(ours, self._hook)

    def _free_experts(self) -> None:
        if self._experts is not None:
            self._experts.close()

    def _new_engine(self) -> Engine:
        options = self._options
        context = Context(
            self._model, cells=self._cells, sequences=options.parallel + KEPT,
            threads=options.threads or default_threads(), kv=options.kv, hook=self._hook,
        )  # fmt: skip
        return Engine(Core(context, self._adapters, self._counters, parallel=options.parallel), self._traits.name)

    def _alive(self) -> Engine:
        """The engine, a fresh one where the last has died."""
        with self._lock:
            if self._closed:
                raise ModelUnavailable(f"{self._traits.name} has been closed", "load the model again")
            if self._engine.dead:
                self._counters.restarts += 1
                self._engine = self._new_engine()
            return self._engine

    @functools.cached_property
    def _fingerprint(self) -> saved.Fingerprint:
        return saved.Fingerprint.of(self._model.path, str(self._options.kv))

    def _generation(
        self, messages: Sequence[Message], spec: ReplySpec, show: Callable[[str], None] | None
    ) -> Generation:
        grammar = _grammar_of(spec)
        self._ready(messages, spec.adapter)
        with self._templating():
            budget = 0 if spec.raw or grammar is not None else self._budget(spec)
            opened = bool(budget) and self._model.template.opens
        prompt = self._prompt(messages, raw=spec.raw, closed=not budget)
        choice = Choice(spec.temperature, spec.seed, spec.top_k, spec.top_p, spec.min_p, spec.logit_bias)
        request = Request(
            prompt, spec.max_tokens, choice, grammar, spec.stop, spec.schema is not None, spec.adapter,
            spec.owner, budget, opened,
        )  # fmt: skip
        return Generation(self._model, request, self._room(len(prompt)), show)

    def _scoring(
        self, messages: Sequence[Message], choices: Sequence[str], raw: bool, adapter: str
    ) -> tuple[Scoring, tuple[int, ...]]:
        self._ready(messages, adapter)
        prompt = self._prompt(messages, raw=raw, closed=True)
        options = [self._model.tokenise(c, begin=False, special=False) for c in choices]
        self._room(len(prompt) + max(map(len, options)))
        return Scoring(ScoreRequest(prompt, options, adapter)), tuple(map(len, options))

    def _budget(self, spec: ReplySpec) -> int:
        """Tokens for reasoning; 0 for a model that does none."""
        given = self._options.reasoning_tokens if spec.reasoning_tokens is None else spec.reasoning_tokens
        return given if self._model.template.reasoning else 0

    def _prompt(self, messages: Sequence[Message], *, raw: bool, closed: bool) -> list[int]:
        with self._templating():
            tokens = self._model.prompt(messages, raw=raw, closed=closed)
        if not tokens:
            raise ConfigError("the prompt is empty", "give messages with content")
        return tokens

    @contextlib.contextmanager
    def _templating(self) -> Iterator[None]:
        """What the chat template refuses is the caller's error."""
        try:
            yield
        except (jinja2.TemplateError, ValueError) as error:
            raise ConfigError(
                f"the chat template of {self._traits.name} refuses these messages: {error}",
                "most templates want user and assistant turns in alternation, a system turn only at the start",
            ) from error

    def _room(self, sent: int) -> int:
        """Tokens left for the reply."""
        if sent >= self._traits.context:
            raise ContextOverflow(
                f"the prompt has {sent} tokens and the context holds {self._traits.context}",
                "shorten the prompt, or load the model with a larger context",
            )
        return self._traits.context - sent

    def _ready(self, messages: Sequence[Message], adapter: str) -> None:
        if not messages:
            raise ConfigError("no messages to continue", "give at least one message")
        if self._closed:
            raise ModelUnavailable(f"{self._traits.name} has been closed", "load the model again")
        if adapter and adapter not in self._adapters.names:
            there = ", ".join(self._adapters.names) or "none"
            raise ConfigError(f"{self._traits.name} has no adapter {adapter!r}", f"loaded with it: {there}")


class AdaptedModel:
    """See `adapted`."""

    def __init__(self, model: LocalModel, adapter: str) -> None:
        self._model, self._adapter = model, adapter

    @property
    def traits(self) -> Traits:
        return self._model.traits.with_(name=f"{self._model.traits.name}+{self._adapter}")

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        return await self._model.reply(messages, replace(spec, adapter=self._adapter), on_text)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        return await self._model.score(messages, choices, raw=raw, adapter=self._adapter)

    async def close(self) -> None:
        await self._model.close()


def adapted(model: LocalModel, adapter: str) -> ChatModel:
    """The same model, with one of its LoRA adapters in all that it says and scores."""
    return AdaptedModel(model, adapter)


def cells_for(model: LlamaModel, context: int, kv: KvTypes, kv_mb: float) -> int:
    """Tokens that the KV cache is to hold. Raises ConfigError where `kv_mb` is too little for one context."""
    if not kv_mb:
        return 2 * context
    each = kv.bytes_per_token(*model.kv_widths)
    cells = int(kv_mb * MEGABYTE / max(each, 1)) // PADDING * PADDING
    if cells < context:
        needed = -(-context // PADDING) * PADDING * each / MEGABYTE
        raise ConfigError(
            f"kv_mb={kv_mb:g} holds {cells} tokens of {model.path.stem}, fewer than its context of {context}",
            f"give {needed:.1f} MB or more, a smaller context, or a lower KV precision (kith model kv shows them)",
        )
    return cells


class _Stream:
    """Carries pieces of text from the engine thread to the caller's event loop."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._loop = asyncio.get_running_loop()
        self.work: asyncio.Future[Generated] | None = None
        self.failure: Exception | None = None

    def send(self, text: str) -> None:
        with contextlib.suppress(RuntimeError):  # that loop has been closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._deliver, text)

    def _deliver(self, text: str) -> None:
        if self.failure is not None or self.work is None or self.work.cancelled():
            return
        try:
            self._on_text(text)
        except Exception as error:
            # Raised inside a loop callback it would only be logged: `reply` raises it instead.
            self.failure = error
            self.work.cancel()


def _grammar_of(spec: ReplySpec) -> str | None:
    if spec.schema is None:
        return spec.grammar
    check_schema(spec.schema)
    return schema_grammar(json.dumps(spec.schema))
