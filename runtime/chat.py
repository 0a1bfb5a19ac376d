"""The `ChatModel` seam: what a model is asked, what it answers, what it cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from kithnet.runtime.errors import ConfigError

Role = Literal["system", "user", "assistant"]
OnText = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ReplySpec:
    """How a reply is to be made.

    max_tokens: generated tokens at most. temperature: 0 is greedy. schema: a JSON schema the whole reply must
    match. grammar: GBNF, for models whose traits say `grammar`; never together with schema. stop: strings that
    end the reply and are not part of it. raw: the messages' contents are joined and continued as plain text,
    without a chat template. purpose: a label for traces and meters.

    top_k: draw from so many of the likeliest tokens, 0 for all. top_p: draw from the likeliest tokens that make up
    this share. min_p: tokens less likely than this share of the likeliest are never drawn. logit_bias: (token id, added
    to its logit) pairs. timeout: seconds until the call is given up as ModelUnavailable, None for no end. adapter: name
    of a LoRA adapter the model was loaded with, empty for none. owner: whose agent asks; what was evaluated last under
    a name can be saved under it. reasoning_tokens: tokens that a model which reasons may spend on it beside max_tokens;
    None for what the model was opened with, 0 to answer without, where its template can be told so. A local model does
    not reason before a schema or a grammar.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    seed: int = 0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.05
    logit_bias: tuple[tuple[int, float], ...] = ()
    timeout: float | None = None
    adapter: str = ""
    owner: str = ""
    schema: Mapping[str, Any] | None = None
    grammar: str | None = None
    stop: tuple[str, ...] = ()
    raw: bool = False
    purpose: str = "reply"
    reasoning_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.temperature < 0 or self.seed < 0:
            raise ConfigError(
                f"max_tokens={self.max_tokens}, temperature={self.temperature}, seed={self.seed} is out of range",
                "max_tokens is at least 1, temperature and seed at least 0",
            )
        if not (
            self.top_k >= 0
            and 0 < self.top_p <= 1
            and 0 <= self.min_p <= 1
            and (self.timeout is None or self.timeout > 0)
        ):
            raise ConfigError(
                f"top_k={self.top_k}, top_p={self.top_p}, min_p={self.min_p}, timeout={self.timeout} is out of range",
                "top_k is at least 0, top_p above 0 and at most 1, min_p from 0 to 1, timeout above 0 or None",
            )
        if self.reasoning_tokens is not None and self.reasoning_tokens < 0:
            raise ConfigError(f"reasoning_tokens={self.reasoning_tokens} is out of range", "it is 0 or more, or None")
        if self.schema is not None and self.grammar is not None:
            raise ConfigError("a reply takes a schema or a grammar, not both", "drop one of the two")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and the model's own time. `evaluated` <= `sent`: the difference was a reused prompt prefix."""

    sent: int = 0
    evaluated: int = 0
    generated: int = 0
    seconds: float = 0.0
    calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.sent + other.sent,
            self.evaluated + other.evaluated,
            self.generated + other.generated,
            self.seconds + other.seconds,
            self.calls + other.calls,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """`finish` is "length" when max_tokens cut the text off. stopped_by: which of the stop strings ended it, empty
    where none did or the backend does not say. reasoning: what the model said besides (see runtime/reasoning.py): never
    part of `text`, never given to `on_text`; it may be traced and is not to be shown, remembered or told. A model that
    only reasoned has an empty text."""

    text: str
    finish: Literal["stop", "length"]
    usage: Usage
    stopped_by: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """Log-probabilities (natural log, summed over tokens) of given continuations, and their token counts.

    exact: False where the backend cannot score and only named its pick (0.0 for it, -inf for the others).
    """

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    exact: bool
    usage: Usage

    @property
    def best(self) -> int:
        return max(range(len(self.logprobs)), key=self.logprobs.__getitem__)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model is. capable: it can plan and phrase freely, so grammars may be loose (see agents/)."""

    name: str
    context: int
    capable: bool
    grammar: bool

    def with_(self, **changes: Any) -> "Traits":
        return replace(self, **changes)


class ChatModel(Protocol):
    """A model that continues a conversation. Implementations are safe to share between tasks."""

    @property
    def traits(self) -> Traits: ...

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        """Continue `messages` as `spec` asks; `on_text` receives the pieces of the text as they are made.

        Raises ContextOverflow when the prompt does not fit, ModelUnavailable when the backend cannot answer,
        ReplyInvalid when the text was cut off inside its schema, does not match it, or never came after reasoning.
        """

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        """Log-probability of each choice as the continuation of `messages`; `choices` must not be empty."""

    async def close(self) -> None:
        """Free what the model holds. Further calls raise ModelUnavailable."""
