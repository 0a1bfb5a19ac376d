"""From logits to a token, and from tokens to text: sampling, grammars, stop strings, UTF-8."""

import codecs
import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.llama import LlamaModel, forget_errors, last_error
from kithnet.runtime.reasoning import Parting, Visible

Logits = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data
_SEEDS = 1 << 32
_BEST_FIRST = (32, 1024)  # how many of the likeliest tokens to try on the grammar before the whole vocabulary


@dataclass(frozen=True, slots=True)
class Choice:
    """How tokens are drawn, as in `ReplySpec`: temperature 0 always takes the likeliest."""

    temperature: float = 0.0
    seed: int = 0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.05
    logit_bias: tuple[tuple[int, float], ...] = ()


class Grammar:
    """A GBNF grammar and how far a reply has come in it. Free it when done."""

    def __init__(self, model: LlamaModel, text: str) -> None:
        """ConfigError when the text does not parse, is left-recursive or has no root rule."""
        if not text.strip():
            raise ConfigError("the grammar is empty", "give GBNF with a root rule, or no grammar at all")
        forget_errors()
        self._sampler = lib.llama_sampler_init_grammar(model.vocab, text.encode(), b"root")
        if not self._sampler:
            raise ConfigError(
                f"the grammar does not parse: {last_error('llama.cpp gave no reason')}",
                "check its GBNF: rules are `name ::= ...`, one of them `root`, none left-recursive",
            )
        self._single, self._every = model.visible_tokens  # made here: the first time takes a while
        end = lib.llama_vocab_eos(model.vocab)
        self._end = np.array([end], np.int32)

    def allows(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Which of the tokens may come next. ids: (N,). Returns (N,)."""
        candidates = np.zeros(len(ids), _CANDIDATE)
        candidates["id"] = ids
        array = lib.llama_token_data_array(
            data=candidates.ctypes.data_as(lib.llama_token_data_p), size=len(ids), selected=-1, sorted=False
        )
        lib.llama_sampler_apply(self._sampler, ctypes.byref(array))
        allowed: npt.NDArray[np.bool_] = candidates["logit"] > -np.inf
        return allowed

    def accept(self, token: int) -> None:
        """Advance by a token that `allows` said yes to; llama.cpp ends the process on any other."""
        lib.llama_sampler_accept(self._sampler, token)

    def complete(self) -> bool:
        """Whether the reply can only end here: nothing but blanks and the end may follow."""
        if not self.allows(self._end)[0]:
            return False
        return not (self.allows(self._single).any() or self.allows(self._every).any())

    def free(self) -> None:
        if self._sampler:
            lib.llama_sampler_free(self._sampler)
            self._sampler = None


class Sampler:
    """Draws tokens: the likeliest at temperature 0, else from llama.cpp's chain of top-k, top-p, min-p and temperature.

    A drawn token that the grammar rejects is drawn again from the allowed ones only: the allowed tokens keep
    their relative weights, and in the common case one token is checked instead of the vocabulary.
    Free it when done.
    """

    def __init__(self, model: LlamaModel, choice: Choice, grammar: Grammar | None) -> None:
        self._bias = _bias(choice.logit_bias, model.vocab_size)
        self._grammar = grammar
        self._chain = _chain(choice) if choice.temperature > 0 else None

    def draw(self, logits: Logits) -> int:
        """The next token. logits: (vocabulary,), left as they are. ConfigError where the grammar allows none."""
        if self._bias is not None:
            ids, weights = self._bias
            logits = logits.copy()
            logits[ids] += weights
        token = self._pick(logits)
        grammar = self._grammar
        if grammar is None or grammar.allows(np.array([token], np.int32))[0]:
            return token
        if self._chain is None:
            return _first_allowed(logits, grammar)
        every = np.arange(len(logits), dtype=np.int32)
        allowed = every[grammar.allows(every)]
        if not len(allowed):
            raise _dead_end()
        return self._draw_from(allowed, logits[allowed])

    def free(self) -> None:
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)
            self._chain = None

    def _pick(self, logits: Logits) -> int:
        if self._chain is None:
            return int(logits.argmax())
        return self._draw_from(np.arange(len(logits), dtype=np.int32), logits)

    def _draw_from(self, ids: Ids, logits: Logits) -> int:
        candidates = np.zeros(len(ids), _CANDIDATE)
        candidates["id"], candidates["logit"] = ids, logits
        array = lib.llama_token_data_array(
            data=candidates.ctypes.data_as(lib.llama_token_data_p), size=len(ids), selected=-1, sorted=False
        )
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(candidates["id"][array.selected])


def _chain(choice: Choice) -> Any:
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    if choice.top_k > 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(choice.top_k))
    if choice.top_p < 1:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(choice.top_p, 1))
    if choice.min_p > 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_min_p(choice.min_p, 1))
    lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(choice.temperature))
    lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_dist(choice.seed % _SEEDS))
    return chain


def _bias(pairs: Sequence[tuple[int, float]], vocabulary: int) -> tuple[Ids, Logits] | None:
    if not pairs:
        return None
    ids, weights = zip(*dict(pairs).items(), strict=True)
    if not all(0 <= token < vocabulary for token in ids):
        wrong = next(token for token in ids if not 0 <= token < vocabulary)
        raise ConfigError(f"logit_bias names token {wrong}", f"this model's tokens are 0 to {vocabulary - 1}")
    return np.array(ids, np.int32), np.array(weights, np.float32)


def _first_allowed(logits: Logits, grammar: Grammar) -> int:
    """The likeliest token that the grammar allows."""
    for count in (*_BEST_FIRST, len(logits)):
        if count < len(logits):
            ids = np.argpartition(logits, -count)[-count:].astype(np.int32)
        else:
            ids = np.arange(len(logits), dtype=np.int32)
        allowed = ids[grammar.allows(ids)]
        if len(allowed):
            return int(allowed[logits[allowed].argmax()])
    raise _dead_end()


def _dead_end() -> ConfigError:
    return ConfigError("the grammar allows no token here", "the grammar has a dead end: check its rules")


class TextOut:
    """Turns token bytes into text that may be shown: whole code points, no reasoning, never a part of a stop string."""

    def __init__(self, stop: tuple[str, ...], opened: bool = False) -> None:
        """opened: the prompt ends inside a block of reasoning."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._visible = Visible(stop, opened)

    @property
    def text(self) -> str:
        return self._visible.text

    @property
    def stopped(self) -> str:
        """The stop string that came."""
        return self._visible.stopped

    @property
    def parting(self) -> Parting:
        """What is reasoning."""
        return self._visible.parting

    def feed(self, piece: bytes) -> str:
        """Take a token's bytes; returns the text now safe to show. Sets `stopped` to the first stop string."""
        return self._visible.feed(self._decode(piece))

    def finish(self, cut: bool = False) -> str:
        """The text still held back, once no more tokens come. Half a code point is dropped. cut: by a limit."""
        return self._visible.finish(cut)
