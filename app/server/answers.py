"""What a client gets back: the response bodies of the OpenAI API as far as this server fills them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Fault(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class FaultBody(BaseModel):
    """Every error of every route."""

    error: Fault


class CalledFunction(BaseModel):
    name: str
    arguments: Annotated[str, Field(description="JSON text that matches the tool's parameters")]


class Call(BaseModel):
    id: str
    type: Literal["function"]
    function: CalledFunction


class Said(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    tool_calls: list[Call] = []


Finish = Literal["stop", "length", "tool_calls"]


class ChatChoice(BaseModel):
    index: int
    message: Said
    logprobs: None
    finish_reason: Finish


class PromptDetails(BaseModel):
    cached_tokens: int


class Spent(BaseModel):
    """prompt_tokens: of one prompt, however many replies were made from it. cached_tokens: of these, not evaluated
    again. completion_tokens: generated, of all replies."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class FromMemory(BaseModel):
    """Of a personal agent's reply. used: ids of the memories it was made from. Of what was withheld it says nothing."""

    used: list[str]


class ChatAnswer(BaseModel):
    """A chat completion. `kithnet` is there for personal agents only."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Spent
    system_fingerprint: None = None
    kithnet: FromMemory | None = None


class CallDelta(BaseModel):
    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: dict[str, str]


class Delta(BaseModel):
    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[CallDelta] = []


class ChunkChoice(BaseModel):
    index: int
    delta: Delta
    logprobs: None
    finish_reason: Finish | None


class ChatChunk(BaseModel):
    """One event of a streamed chat completion."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Spent | None = None
    kithnet: FromMemory | None = None


class Embedding(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: Annotated[list[float] | str, Field(description="numbers, or base64 of little-endian 32-bit floats")]


class EmbeddingSpent(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingAnswer(BaseModel):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingSpent


class ModelCard(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelCard]


class Health(BaseModel):
    """status: "ok", or "unavailable" with the reason."""

    status: Literal["ok", "unavailable"]
    models: list[str]
    reason: str = ""
