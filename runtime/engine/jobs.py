"""What the engine is asked to do, and how far it has come: generating a text, scoring given continuations.

A job advances one or more strands: llama.cpp sequences with tokens still to evaluate. The core evaluates them in
batches and hands the logits back; jobs know nothing of batches, cells or other jobs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from kithnet.runtime.engine.context import Logits
from kithnet.runtime.engine.sampling import Choice, Grammar, Sampler, TextOut
from kithnet.runtime.engine.tree import Tokens
from kithnet.runtime.errors import ReplyInvalid
from kithnet.runtime.llama import LlamaModel

CLOSING = 24  # tokens that may be put after reasoning which has used up its budget
SCORED = 64  # outputs of one batch for scoring: each holds a whole vocabulary of logits

_GREEDY = Choice()


@dataclass(frozen=True, slots=True)
class Request:
    """What to generate. whole: the text must be complete when it ends (the grammar came from a schema).

    adapter, owner: see ReplySpec. reasoning: tokens of it that do not count; 0: all count. opened: the prompt ends
    inside a block of reasoning.
    """

    prompt: Sequence[int]
    max_tokens: int
    choice: Choice = _GREEDY
    grammar: str | None = None
    stop: tuple[str, ...] = ()
    whole: bool = False
    adapter: str = ""
    owner: str = ""
    reasoning: int = 0
    opened: bool = False


@dataclass(frozen=True, slots=True)
class Generated:
    """stopped_by: the stop string that ended it. evaluated: prompt tokens that were not held already."""

    text: str
    finish: Literal["stop", "length"]
    evaluated: int
    generated: int
    stopped_by: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Continuations of a prompt whose log-probabilities are wanted; none of them empty."""

    prompt: Sequence[int]
    choices: Sequence[Sequence[int]]
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """Natural log-probability of each choice, summed over its tokens."""

    logprobs: tuple[float, ...]
    evaluated: int


@dataclass(eq=False, slots=True)
class Strand:
    """One sequence being advanced.

    held: tokens evaluated. todo: tokens to evaluate next. published: how many of `held` the prefix tree accounts for.
    lane: which continuation of a scored prompt this is: the outputs of all its tokens are wanted, not the last one's
    only, and it never enters the tree.
    """

    sequence: int
    held: list[int]
    todo: list[int]
    published: int = 0
    lane: int | None = None

    @property
    def every(self) -> bool:
        return self.lane is not None

    @property
    def own(self) -> int:
        """Cells that this strand alone holds."""
        return len(self.held) - self.published


class Job(Protocol):
    """A request in progress.

    longest: tokens in all at the most. evaluated: prompt tokens that were not held. seconds: from its admission to its
    end. generates: its outputs are tokens of a reply.
    """

    prompt: Tokens
    longest: int
    adapter: str
    owner: str
    cancelled: bool
    evaluated: int
    seconds: float
    generates: bool

    @property
    def result(self) -> "Generated | Scored | None":
        """What came of it, once there is nothing more to evaluate."""

    def take(self, strand: Strand, rows: Sequence[Logits]) -> None:
        """Take the outputs of tokens just evaluated and say what comes next. Raises ConfigError, ReplyInvalid."""

    def forks(self, most: int) -> Sequence[tuple[int, Sequence[int]]]:
        """(lane, tokens) of continuations to evaluate now, at most `most`, side by side, each in its own strand."""

    def free(self) -> None:
        """Give up what the job holds in llama.cpp."""


class Generation:
    """Continues a prompt token by token. `show` gets the pieces of text as they become certain.

    Reasoning that has used up its budget is closed as the model would close it, and the reply begins.
    """

    def __init__(self, model: LlamaModel, request: Request, room: int, show: Callable[[str], None] | None) -> None:
        """room: tokens that the context leaves for the reply. Raises ConfigError for a bad grammar or bias."""
        self.generates = True
        self.prompt = np.array(request.prompt, np.int32)
        self.adapter, self.owner = request.adapter, request.owner
        self.limit = min(request.max_tokens + (request.reasoning + CLOSING if request.reasoning else 0), room)
        self.longest = len(request.prompt) + self.limit
        self.cancelled = False
        self.evaluated = 0
        self.seconds = 0.0
        self.result: Generated | None = None
        self._request, self._model, self._show = request, model, show
        self._out = TextOut(request.stop, request.opened)
        self._count = self._thought = self._put = 0
        self._grammar = Grammar(model, request.grammar) if request.grammar is not None else None
        try:
            self._sampler = Sampler(model, request.choice, self._grammar)
        except BaseException:
            self._free_grammar()
            raise

    def take(self, strand: Strand, rows: Sequence[Logits]) -> None:
        token = self._sampler.draw(rows[-1])
        self._count += 1
        if self._model.is_end(token):
            return self._end("stop")
        thought = self._out.parting.thinking
        self._shown(self._out.feed(self._model.piece(token)))
        if self._grammar is not None:
            self._grammar.accept(token)
        if self._out.stopped or (self._grammar is not None and self._grammar.complete()):
            return self._end("stop")
        budget = self._request.reasoning
        self._thought += bool(budget) and (thought or self._out.parting.thinking)
        strand.todo.append(token)
        if budget and self._thought == budget and self._out.parting.thinking:
            strand.todo.extend(self._closed())
        if self._count - self._thought >= self._request.max_tokens or self._count + self._put >= self.limit:
            strand.todo.clear()
            return self._end("length")

    def _closed(self) -> list[int]:
        """Tokens that end the reasoning here, as far as there is room for them and a reply."""
        text = self._out.parting.closing
        tokens = self._model.tokenise(text, begin=False, special=True)
        if len(tokens) > CLOSING:
            return []
        self._put += len(tokens)
        self._shown(self._out.feed(text.encode()))
        return tokens

    def _shown(self, text: str) -> None:
        if text and self._show:
            self._show(text)

    def _end(self, finish: Literal["stop", "length"]) -> None:
        self._shown(self._out.finish(cut=finish == "length"))
        if finish == "length" and self._request.whole:
            raise ReplyInvalid(
                f"the reply was cut off inside its schema after {self._count} tokens",
                "raise max_tokens, or bound the schema with maxLength and maxItems",
            )
        self.result = Generated(
            self._out.text, finish, self.evaluated, self._count, self._out.stopped,
            self._out.parting.reasoning,
        )  # fmt: skip

    def forks(self, most: int) -> Sequence[tuple[int, Sequence[int]]]:
        return ()

    def free(self) -> None:
        self._sampler.free()
        self._free_grammar()

    def _free_grammar(self) -> None:
        if self._grammar is not None:
            self._grammar.free()


class Scoring:
    """Log-probabilities of given continuations: the prompt once, then all of them side by side."""

    def __init__(self, request: ScoreRequest) -> None:
        self.generates = False
        self.prompt = np.array(request.prompt, np.int32)
        self.adapter, self.owner = request.adapter, ""
        self.longest = len(request.prompt) + sum(len(choice) - 1 for choice in request.choices)
        self.cancelled = False
        self.evaluated = 0
        self.seconds = 0.0
        self.result: Scored | None = None
        self._choices = request.choices
        self._totals: list[float] = []
        self._waiting = [i for i, choice in enumerate(request.choices) if len(choice) > 1]
        self._open = 0

    def take(self, strand: Strand, rows: Sequence[Logits]) -> None:
        if strand.lane is None:
            first = log_softmax(rows[-1])
            self._totals = [float(first[choice[0]]) for choice in self._choices]
        else:
            done = len(strand.held) - len(self.prompt)
            targets = self._choices[strand.lane][done - len(rows) + 1 : done + 1]
            self._totals[strand.lane] += sum(float(log_softmax(r)[t]) for r, t in zip(rows, targets, strict=True))
            self.evaluated += len(rows)
            self._open -= not strand.todo
        if not (self._open or self._waiting):
            self.result = Scored(tuple(self._totals), self.evaluated)

    def forks(self, most: int) -> Sequence[tuple[int, Sequence[int]]]:
        if self._open or not self._totals:
            return ()
        now, self._waiting = self._waiting[:most], self._waiting[most:]
        self._open = len(now)
        return [(i, self._choices[i][:-1]) for i in now]

    def free(self) -> None:
        """Nothing to free."""


def log_softmax(logits: Logits) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Natural log-probabilities, (vocabulary,)."""
    shifted = logits.astype(np.float64) - float(logits.max())
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
