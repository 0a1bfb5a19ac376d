"""One llama context with several sequences: continues and scores token prompts, reusing evaluated prefixes.

Synchronous and for one thread at a time; `runtime.local` gives it a thread and an async face.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import ContextOverflow, ModelUnavailable, ReplyInvalid
from kithnet.runtime.llama import Batch, LlamaModel, forget_errors, last_error
from kithnet.runtime.prefix import PrefixTable
from kithnet.runtime.sampling import Grammar, Sampler, TextOut

PREFILL = 512  # prompt tokens per llama_decode
SCRATCH = 8  # sequences set aside for scoring choices side by side
SCORED = 64  # outputs per llama_decode when scoring: each holds a whole vocabulary of logits
KV_BYTES = 384 << 20  # memory the cells beyond one full context may take
_Q8_0, _F16 = 8, 1  # ggml types
_FLASH_ON, _FLASH_AUTO = 1, -1


class Stop:
    """A flag another thread raises to make a running decode return within milliseconds.

    llama.cpp polls a C function between graph nodes. libc's `strlen` on a two-byte string serves: it is 0 until
    the first byte is set, and unlike a Python callback it takes no interpreter lock on every node.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)

    def set(self) -> None:
        self._text[0] = b"\x01"

    def is_set(self) -> bool:
        return self._text[0] != b"\x00"

    def attach(self, context: Any) -> None:
        poll = ctypes.cast(ctypes.CDLL(None).strlen, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(context, poll, ctypes.cast(self._text, ctypes.c_void_p))


class Stopped(Exception):
    """The request's `Stop` was set; nobody waits for its outcome any more."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to generate. finish_json: the text must be complete when it ends (the grammar came from a schema)."""

    prompt: Sequence[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    grammar: str | None = None
    stop: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Generated:
    text: str
    finish: Literal["stop", "length"]
    evaluated: int
    generated: int


@dataclass(frozen=True, slots=True)
class Scored:
    logprobs: tuple[float, ...]
    evaluated: int


class Engine:
    """`context`: tokens one request may use, prompt and reply together. `slots`: prompts kept evaluated."""

    def __init__(self, model: LlamaModel, *, context: int, slots: int, threads: int) -> None:
        self.model = model
        self.context = min(context, model.trained_context or context)
        self._slots = slots
        self._handle = _open_context(model, self.context, slots + SCRATCH, threads)
        self._memory = lib.llama_get_memory(self._handle)
        self._table = PrefixTable(slots, divisible=model.divisible)
        self._batch = Batch(PREFILL)
        self._stop = Stop()
        self._logits_type = ctypes.c_float * model.vocab_size

    def close(self) -> None:
        if self._handle is not None:
            lib.llama_free(self._handle)
            self._batch.free()
            self._handle = None

    def generate(self, request: Request, stop: Stop, show: Callable[[str], None] | None = None) -> Generated:
        """Continue a prompt. `show` gets the pieces of text as they become certain.

        Raises ContextOverflow, ConfigError (grammar), ReplyInvalid (cut off though `whole`), Stopped.
        """
        room = self._room(len(request.prompt))
        limit = min(request.max_tokens, room)
        grammar = Grammar(self.model, request.grammar) if request.grammar is not None else None
        try:
            slot, evaluated = self._evaluate(request.prompt, stop)
            out = TextOut(request.stop)
            sampler = Sampler(request.temperature, request.seed, grammar)
            ended, count = self._decode(slot, sampler, grammar, limit, out, stop, show)
        finally:
            if grammar is not None:
                grammar.free()
        rest = out.finish()
        if rest and show:
            show(rest)
        if request.whole and not ended:
            raise ReplyInvalid(
                f"the reply was cut off inside its schema after {count} tokens",
                "raise max_tokens, or bound the schema with maxLength and maxItems",
            )
        return Generated(out.text, "stop" if ended else "length", evaluated, count)

    def score(self, prompt: Sequence[int], choices: Sequence[Sequence[int]], stop: Stop) -> Scored:
        """Log-probability of each choice's tokens after the prompt, which is evaluated once."""
        self._room(len(prompt) + max(map(len, choices)))
        slot, evaluated = self._evaluate(prompt, stop)
        first = _log_softmax(self._logits(-1))
        totals = [float(first[choice[0]]) for choice in choices]
        longer = [i for i, choice in enumerate(choices) if len(choice) > 1]
        for start in range(0, len(longer), SCRATCH):
            group = longer[start : start + SCRATCH]
            for i, logprob in zip(
                group, self._score_group(slot, len(prompt), [choices[i] for i in group]), strict=True
            ):
                totals[i] += logprob
            evaluated += sum(len(choices[i]) - 1 for i in group)
            if stop.is_set():
                raise Stopped
        return Scored(tuple(totals), evaluated)

    def _score_group(self, slot: int, start: int, choices: Sequence[Sequence[int]]) -> list[float]:
        """Sum of log-probabilities of every token but the first; all choices decoded side by side."""
        cells = [
            (choice[i], start + i, self._slots + lane, choice[i + 1], lane)
            for lane, choice in enumerate(choices)
            for i in range(len(choice) - 1)
        ]
        totals = [0.0] * len(choices)
        try:
            for lane in range(len(choices)):
                lib.llama_memory_seq_cp(self._memory, slot, self._slots + lane, 0, -1)
            for begin in range(0, len(cells), SCORED):
                chunk = cells[begin : begin + SCORED]
                tokens, positions, sequences, _, _ = zip(*chunk, strict=True)
                self._batch.put(tokens, positions, sequences, [True] * len(chunk))
                self._run(keeping=slot)
                for row, (_, _, _, target, lane) in enumerate(chunk):
                    totals[lane] += float(_log_softmax(self._logits(row))[target])
        finally:
            for lane in range(len(choices)):
                lib.llama_memory_seq_rm(self._memory, self._slots + lane, -1, -1)
        return totals

    def _room(self, sent: int) -> int:
        """Tokens left for the reply."""
        if sent >= self.context:
            raise ContextOverflow(
                f"the prompt has {sent} tokens and the context holds {self.context}",
                "shorten the prompt, or load the model with a larger context",
            )
        return self.context - sent

    def _evaluate(self, prompt: Sequence[int], stop: Stop) -> tuple[int, int]:
        """Bring a slot to hold exactly `prompt`, with the logits of its last token. Returns (slot, tokens evaluated)."""
        tokens = np.asarray(prompt, dtype=np.int32)
        plan = self._table.plan(tokens)
        if plan.source is not None:
            lib.llama_memory_seq_rm(self._memory, plan.slot, -1, -1)
            lib.llama_memory_seq_cp(self._memory, plan.source, plan.slot, 0, plan.keep)
        else:
            lib.llama_memory_seq_rm(self._memory, plan.slot, plan.keep, -1)
        stop.attach(self._handle)
        self._stop = stop  # llama.cpp keeps a pointer into it until the next one
        done = plan.keep
        try:
            while done < len(tokens):
                chunk = tokens[done : done + PREFILL]
                last = done + len(chunk) == len(tokens)
                wanted = [False] * (len(chunk) - 1) + [last]
                self._batch.put(chunk, range(done, done + len(chunk)), [plan.slot] * len(chunk), wanted)
                self._run(keeping=plan.slot, stop=stop)
                done += len(chunk)
        finally:
            self._settle(plan.slot, tokens[:done])
        return plan.slot, len(tokens) - plan.keep

    def _decode(
        self,
        slot: int,
        sampler: Sampler,
        grammar: Grammar | None,
        limit: int,
        out: TextOut,
        stop: Stop,
        show: Callable[[str], None] | None,
    ) -> tuple[bool, int]:
        """Sample until an end. Returns (ended by itself or a stop string, tokens generated)."""
        held = list(self._table.slots[slot].tokens)
        count = 0
        try:
            while count < limit:
                token = sampler.draw(self._logits(-1))
                count += 1
                if self.model.is_end(token):
                    return True, count
                text = out.feed(self.model.piece(token))
                if text and show:
                    show(text)
                if grammar is not None:
                    grammar.accept(token)
                if out.stopped or (grammar is not None and grammar.complete()):
                    return True, count
                if stop.is_set():
                    raise Stopped
                if count < limit:
                    self._batch.put_one(token, len(held), slot)
                    self._run(keeping=slot, stop=stop)
                    held.append(token)
            return False, count
        finally:
            self._settle(slot, held)

    def _settle(self, slot: int, tokens: Sequence[int] | npt.NDArray[np.int32]) -> None:
        """Make the table and the memory agree on what a slot holds, also after a decode that was cut short."""
        lib.llama_memory_seq_rm(self._memory, slot, len(tokens), -1)
        self._table.store(slot, tokens)

    def _run(self, *, keeping: int, stop: Stop | None = None) -> None:
        """llama_decode; gives up the least recently used prompts while the cells do not suffice."""
        while True:
            forget_errors()
            status = lib.llama_decode(self._handle, self._batch.raw)
            if status == 0:
                return
            if stop is not None and stop.is_set():
                raise Stopped
            victim = self._table.victim(keeping) if status == 1 else None
            if victim is None:
                raise ModelUnavailable(
                    f"llama.cpp failed to decode (status {status}): {last_error('no reason given')}",
                    "load the model again; if it repeats, use a smaller context",
                )
            lib.llama_memory_seq_rm(self._memory, victim, -1, -1)
            self._table.store(victim, ())

    def _logits(self, row: int) -> npt.NDArray[np.float32]:
        """(vocabulary,) logits of an output of the last batch; a view that the next decode overwrites."""
        pointer = lib.llama_get_logits_ith(self._handle, row)
        address = ctypes.addressof(pointer.contents)
        return np.ctypeslib.as_array(self._logits_type.from_address(address))


def _log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - float(logits.max())
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result


def _open_context(model: LlamaModel, context: int, sequences: int, threads: int) -> Any:
    """A context whose cells all sequences share.

    8-bit keys and values with flash attention: half the memory of 16-bit, and, on a CPU, decoding that is not
    slowed down by the cells of other conversations. Head sizes that 32 does not divide get 16-bit.
    """
    params = lib.llama_context_default_params()
    params.n_ctx = context + _spare_cells(model, context)
    params.n_batch = params.n_ubatch = PREFILL
    params.n_seq_max = sequences
    params.n_threads = params.n_threads_batch = threads
    params.kv_unified = True
    params.swa_full = True
    params.no_perf = True
    forget_errors()
    for kind, flash in ((_Q8_0, _FLASH_ON), (_F16, _FLASH_AUTO)):
        params.type_k = params.type_v = kind
        params.flash_attn_type = flash
        handle = lib.llama_init_from_model(model.handle, params)
        if handle:
            return handle
    raise ModelUnavailable(
        f"no context of {context} tokens could be made for {model.path.name}: {last_error('out of memory?')}",
        "load it with a smaller context",
    )


def _spare_cells(model: LlamaModel, context: int) -> int:
    """Cells beyond one full request, for prompts kept evaluated: as many again, or what KV_BYTES holds."""
    heads = max(lib.llama_model_n_head(model.handle), 1)
    width = lib.llama_model_n_embd(model.handle) // heads * max(lib.llama_model_n_head_kv(model.handle), 1)
    per_cell = 2 * width * lib.llama_model_n_layer(model.handle)
    return int(min(context, KV_BYTES // max(per_cell, 1)) // 256 * 256)
