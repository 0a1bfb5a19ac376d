"""From logits to a token, and from tokens to text: sampling, grammars, stop strings, UTF-8."""

import codecs
import ctypes
import functools

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib
from llama_cpp.llama_grammar import json_schema_to_gbnf

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.llama import LlamaModel, forget_errors, last_error

Logits = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]

MIN_P = 0.05  # tokens less likely than this share of the likeliest are never drawn
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data
_BEST_FIRST = (32, 1024)  # how many of the likeliest tokens to try on the grammar before the whole vocabulary


@functools.lru_cache(maxsize=256)
def schema_grammar(schema: str) -> str:
    """GBNF of a JSON schema given as JSON text. ConfigError when the schema cannot be turned into a grammar."""
    try:
        return str(json_schema_to_gbnf(schema))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError, RecursionError) as error:
        raise ConfigError(
            f"the JSON schema cannot be made a grammar: {error or type(error).__name__}",
            "use type, properties, required, enum, const, items, anyOf, pattern, minLength, maxLength, $ref in the schema",
        ) from error


class Grammar:
    """A GBNF grammar and how far a reply has come in it. Free it when done."""

    def __init__(self, model: LlamaModel, text: str) -> None:
        """ConfigError when the text does not parse, is left-recursive or has no root rule."""
        if not text.strip():
            raise ConfigError("the grammar is empty", "give GBNF with a root rule, or no grammar at all")
        self._model = model
        forget_errors()
        self._sampler = lib.llama_sampler_init_grammar(model.vocab, text.encode(), b"root")
        if not self._sampler:
            raise ConfigError(
                f"the grammar does not parse: {last_error('llama.cpp gave no reason')}",
                "check its GBNF: rules are `name ::= ...`, one of them `root`, none left-recursive",
            )
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
        single, every = self._model.visible_tokens
        return not (self.allows(single).any() or self.allows(every).any())

    def free(self) -> None:
        if self._sampler:
            lib.llama_sampler_free(self._sampler)
            self._sampler = None


class Sampler:
    """Draws tokens: greedy at temperature 0, else by temperature over the tokens that pass min-p.

    A drawn token that the grammar rejects is drawn again from the allowed ones only: the allowed tokens keep
    their relative weights, and in the common case one token is checked instead of the vocabulary.
    """

    def __init__(self, temperature: float, seed: int, grammar: Grammar | None) -> None:
        self._temperature = temperature
        self._random = np.random.default_rng(seed)
        self._grammar = grammar

    def draw(self, logits: Logits) -> int:
        token = self._pick(logits)
        grammar = self._grammar
        if grammar is None or grammar.allows(np.array([token], np.int32))[0]:
            return token
        if self._temperature == 0:
            return self._first_allowed(logits, grammar)
        masked = np.where(grammar.allows(np.arange(len(logits), dtype=np.int32)), logits, -np.inf)
        return self._pick(masked.astype(np.float32, copy=False))

    def _pick(self, logits: Logits) -> int:
        if self._temperature == 0:
            return int(logits.argmax())
        top = float(logits.max())
        ids = np.flatnonzero(logits >= top + np.log(MIN_P))
        weights = np.exp((logits[ids].astype(np.float64) - top) / self._temperature)
        return int(self._random.choice(ids, p=weights / weights.sum()))

    @staticmethod
    def _first_allowed(logits: Logits, grammar: Grammar) -> int:
        for count in (*_BEST_FIRST, len(logits)):
            if count < len(logits):
                ids = np.argpartition(logits, -count)[-count:].astype(np.int32)
            else:
                ids = np.arange(len(logits), dtype=np.int32)
            allowed = ids[grammar.allows(ids)]
            if len(allowed):
                return int(allowed[logits[allowed].argmax()])
        raise ConfigError("the grammar allows no token here", "the grammar has a dead end: check its rules")


class TextOut:
    """Turns token bytes into text that may be shown: whole code points, and never a part of a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._stop = tuple(s for s in stop if s)
        self._held = ""
        self._shown: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        return "".join(self._shown)

    def feed(self, piece: bytes) -> str:
        """Take a token's bytes; returns the text now safe to show. Sets `stopped` when a stop string came."""
        self._held += self._decode(piece)
        found = [at for at in (self._held.find(s) for s in self._stop) if at >= 0]
        if found:
            self.stopped = True
            return self._show(min(found), drop=True)
        return self._show(len(self._held) - self._hold_back())

    def finish(self) -> str:
        """The text still held back, once no more tokens come. Half a code point is dropped."""
        return "" if self.stopped else self._show(len(self._held))

    def _show(self, count: int, drop: bool = False) -> str:
        text, self._held = self._held[:count], "" if drop else self._held[count:]
        if text:
            self._shown.append(text)
        return text

    def _hold_back(self) -> int:
        """Length of the longest end of the held text that could be the start of a stop string."""
        longest = max((len(s) for s in self._stop), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(s.startswith(self._held[-size:]) for s in self._stop):
                return size
        return 0
