"""What a client may ask: the request bodies, checked where they enter. An unknown field is an error."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from kithnet.app.server.failures import INSTEAD_OF_PROMPT

MAX_DEPTH = 100
MAX_TOOLS = 128
BIGGEST_SEED = 1 << 63
TEXT_OR_PARTS = "text, or a list of text parts"
TOKEN_IDS = (
    "not supported here: token ids, which are another model's; send texts "
    "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
)
T = TypeVar("T")


class Ask(BaseModel):
    """A part of a request: nothing in it is ignored, numbers are finite, types are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def _refuse(why: str, *allowed: Any) -> BeforeValidator:
    """Take only the values that ask for nothing, and say why the others are refused."""

    def check(value: Any) -> Any:
        if value is None or any(value == one and type(value) is type(one) for one in allowed):
            return value
        raise PydanticCustomError("unsupported", "not supported here: {why}", {"why": why})

    return BeforeValidator(check)


class TextPart(Ask):
    """A piece of a message. Images, sound and files are not supported."""

    type: Literal["text"]
    text: str


Content = Annotated[str | list[TextPart], Field(description=TEXT_OR_PARTS)]


class FunctionCall(Ask):
    """A call as the assistant made it earlier; `arguments` is JSON text."""

    name: str
    arguments: str


class ToolCall(Ask):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class Instruction(Ask):
    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserTurn(Ask):
    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantTurn(Ask):
    """An earlier reply; null and empty fields of a reply that is sent back are accepted, and its reasoning, which the
    model does not see again."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: list[ToolCall] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    annotations: (
        Annotated[None, _refuse("annotations of a message", [])] | Annotated[list[Any], Field(max_length=0)]
    ) = None
    audio: Annotated[None, _refuse("sound")] = None
    function_call: Annotated[None, _refuse("function_call; use tool_calls")] = None


class ToolTurn(Ask):
    role: Literal["tool"]
    content: Content
    tool_call_id: str


Turn = Annotated[Instruction | UserTurn | AssistantTurn | ToolTurn, Field(discriminator="role")]


class Function(Ask):
    """parameters: a JSON schema of an object; without it the function takes no arguments."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Ask):
    type: Literal["function"]
    function: Function


class FunctionName(Ask):
    name: str


class NamedTool(Ask):
    type: Literal["function"]
    function: FunctionName


class PlainText(Ask):
    type: Literal["text"]


class AnyObject(Ask):
    type: Literal["json_object"]


class NamedSchema(Ask):
    """`schema` is kept to while the reply is made, whatever `strict` says."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class BySchema(Ask):
    type: Literal["json_schema"]
    json_schema: NamedSchema


class StreamOptions(Ask):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


Whole = Annotated[int, BeforeValidator(lambda value: _whole(value))]
"""A whole number, which in JSON may be written 1.0."""
Stop = Annotated[str, Field(min_length=1)]
LogitBias = Annotated[
    dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]],
    Field(max_length=1024),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": "^[0-9]{1,9}$"},
            "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
            "maxProperties": 1024,
        }
    ),
]
Limit = Annotated[Whole, Field(ge=1, le=1 << 20)]
Unlimited = Annotated[Literal[-1, -2], Field(description="no limit of the client's: the server's own holds")]
Share = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopK = Annotated[
    Whole, Field(ge=-1, lt=1 << 31, description="the likeliest tokens that are drawn from; 0 or -1 for all")
]
Seed = Annotated[Whole, Field(ge=-BIGGEST_SEED, lt=BIGGEST_SEED)]
Stops = Stop | Annotated[list[Stop], Field(max_length=4)]


class Options(Ask):
    """Ollama's settings. Those named here hold where the request itself does not say them; others have no effect."""

    model_config = ConfigDict(extra="allow")

    temperature: Temperature | None = None
    top_k: TopK | None = None
    top_p: Share | None = None
    min_p: Share | None = None
    seed: Seed | None = None
    num_predict: Limit | Unlimited | None = None
    stop: Stops | None = None


class Sent(Ask):
    """What clients send by themselves, without effect here; see `extras.ignored`."""

    # OpenAI
    parallel_tool_calls: bool | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    # Ollama and its clients
    keep_alive: str | float | None = None
    think: bool | str | None = None
    # llama.cpp and its web page
    cache_prompt: bool | None = None
    repeat_penalty: Annotated[float, Field(ge=0)] | None = None
    repeat_last_n: Whole | None = None
    samplers: str | list[str] | None = None
    backend_sampling: bool | None = None
    reasoning_format: str | None = None
    return_progress: bool | None = None
    timings_per_token: bool | None = None
    dynatemp_range: float | None = None
    dynatemp_exponent: float | None = None
    typical_p: float | None = None
    typ_p: float | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: Whole | None = None
    dry_penalty_last_n: Whole | None = None


class ChatAsk(Sent):
    """POST /v1/chat/completions. Fields from `parallel_tool_calls` to `dry_penalty_last_n` are taken without effect."""

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    max_tokens: Limit | Unlimited | None = None
    max_completion_tokens: Limit | None = None
    temperature: Temperature | None = None
    top_k: TopK | None = None
    top_p: Share | None = None
    min_p: Share | None = None
    seed: Seed | None = None
    stop: Stops | None = None
    options: Options | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    n: Annotated[Whole, Field(ge=1, le=8)] | None = None
    logit_bias: LogitBias | None = None
    response_format: Annotated[PlainText | AnyObject | BySchema, Field(discriminator="type")] | None = None
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    # only what asks for nothing
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None
    store: Annotated[Literal[False] | None, _refuse("nothing is stored", False)] = None
    # what would change the reply and cannot be done
    frequency_penalty: Annotated[Literal[0] | None, _refuse("penalties", 0, 0.0)] = None
    presence_penalty: Annotated[Literal[0] | None, _refuse("penalties", 0, 0.0)] = None
    logprobs: Annotated[Literal[False] | None, _refuse("log-probabilities are not returned", False)] = None
    top_logprobs: Annotated[Literal[0] | None, _refuse("log-probabilities are not returned", 0)] = None
    audio: Annotated[None, _refuse("sound")] = None
    prediction: Annotated[None, _refuse("predicted output")] = None
    web_search_options: Annotated[None, _refuse("searching the web")] = None
    prompt: Annotated[None, _refuse(f"a prompt, of text or of token ids; {INSTEAD_OF_PROMPT}")] = None
    functions: Annotated[None, _refuse("functions; use tools")] = None
    function_call: Annotated[None, _refuse("function_call; use tool_choice")] = None

    @model_validator(mode="before")
    @classmethod
    def _is_plain(cls, data: Any) -> Any:
        return plain(data)


class EmbeddingAsk(Ask):
    """POST /v1/embeddings. `dimensions` may only be the model's own."""

    model: str
    input: Annotated[
        str | Annotated[list[str], Field(min_length=1)],
        BeforeValidator(lambda value: _no_tokens(value)),
        Field(description="a text or a list of texts; token ids are not supported"),
    ]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[Whole, Field(ge=1, le=1 << 16)] | None = None
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_plain(cls, data: Any) -> Any:
        return plain(data)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_tokens(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, int | list) for one in value):
        raise PydanticCustomError("unsupported", TOKEN_IDS)
    return value


def plain(data: T) -> T:
    """A body that is plain JSON: no NaN, no half characters, not nested without measure."""
    if too_deep(data):
        raise PydanticCustomError("too_deep", "nested deeper than {depth} levels", {"depth": MAX_DEPTH})
    try:
        json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("not_text", "the body holds half of a surrogate pair") from error
    except ValueError as error:
        raise PydanticCustomError("not_json", "the body holds NaN or an infinite number") from error
    return data


def too_deep(data: Any) -> bool:
    """Whether lists and objects are nested deeper than MAX_DEPTH."""
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def text_of(content: str | list[TextPart] | None) -> str:
    """The text of a message's content."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content)
