"""POST /v1/embeddings."""

import asyncio
import base64
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from kithnet.app.server.answers import Embedding, EmbeddingAnswer, EmbeddingSpent
from kithnet.app.server.asks import EmbeddingAsk
from kithnet.app.server.failures import Refused, responses
from kithnet.app.server.metrics import Metrics
from kithnet.app.server.services import Embeds, Services
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import UnknownModel

ERRORS = responses(400, 404, 408, 413, 415, 429, 500, 503)


def routes(services: Services, config: ServeConfig, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/embeddings", response_model=EmbeddingAnswer, responses=ERRORS, operation_id="embed")
    async def embeddings(ask: EmbeddingAsk) -> JSONResponse:
        """Vectors of length 1 for texts, by the server's one embedder."""
        embedder = services.embedder
        if embedder is None or ask.model != embedder.name:
            hint = f"there is: {embedder.name}" if embedder else "this server has none"
            raise UnknownModel(f"there is no embedder {ask.model!r}", hint)
        texts = _texts(ask, embedder, config)
        vectors = await asyncio.to_thread(embedder.embed, texts)
        metrics.embedded.inc(len(texts))
        return JSONResponse(_answer(ask, vectors, texts))

    return router


def _texts(ask: EmbeddingAsk, embedder: Embeds, config: ServeConfig) -> list[str]:
    texts = [ask.input] if isinstance(ask.input, str) else ask.input
    if not all(texts):
        raise Refused(400, "an input is empty", "invalid_value", "input")
    if len(texts) > config.inputs:
        raise Refused(400, f"{len(texts)} inputs are more than {config.inputs}", "too_many_inputs", "input")
    if ask.dimensions not in (None, embedder.dim):
        raise Refused(400, f"vectors of {embedder.name} have {embedder.dim} dimensions", "unsupported", "dimensions")
    return texts


def _answer(ask: EmbeddingAsk, vectors: "np.ndarray[Any, Any]", texts: list[str]) -> dict[str, Any]:
    packed = ask.encoding_format == "base64"
    data = [
        Embedding(
            object="embedding",
            index=index,
            embedding=base64.b64encode(row.astype("<f4").tobytes()).decode() if packed else row.tolist(),
        )
        for index, row in enumerate(vectors)
    ]
    words = sum(len(text.split()) for text in texts)  # the embedder does not tell its tokens
    spent = EmbeddingSpent(prompt_tokens=words, total_tokens=words)
    return EmbeddingAnswer(object="list", data=data, model=ask.model, usage=spent).model_dump()
