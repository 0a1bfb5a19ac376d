"""GET routes: models, health, metrics."""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from kithnet.app.server.answers import Health, ModelCard, ModelList
from kithnet.app.server.failures import responses
from kithnet.app.server.health import Pulse
from kithnet.app.server.metrics import Metrics
from kithnet.app.server.services import PERSON, Services
from kithnet.runtime.errors import UnknownModel

ILL: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "A model cannot answer."}}
TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


def routes(services: Services, metrics: Metrics, pulse: Pulse) -> APIRouter:
    router = APIRouter()
    since = int(time.time())

    def card(name: str) -> ModelCard:
        return ModelCard(id=name, object="model", created=since, owned_by="kithnet")

    @router.get("/v1/models", responses=responses(500), operation_id="models")
    async def models() -> ModelList:
        """Everything that may stand in `model`: chat models, the embedder, the agents of people."""
        return ModelList(object="list", data=[card(name) for name in services.names()])

    @router.get("/v1/models/{name:path}", responses=responses(404, 500), operation_id="model")
    async def model(name: str) -> ModelCard:
        """One model."""
        if services.people is not None and name.startswith(PERSON):
            return card(PERSON + services.people.resolve(name.removeprefix(PERSON)))
        if name not in services.names():
            raise UnknownModel(f"there is no model {name!r}", "GET /v1/models lists them")
        return card(name)

    @router.get("/health", response_model=Health, responses={**responses(), **ILL}, operation_id="health")
    async def health() -> JSONResponse:
        """Whether the server can answer; needs no token."""
        reason = await pulse.illness()
        told = Health(status="unavailable" if reason else "ok", models=list(services.models), reason=reason)
        return JSONResponse(told.model_dump(exclude_unset=True), 503 if reason else 200)

    @router.get("/metrics", response_class=Response, responses={**responses(500), **TEXT}, operation_id="metrics")
    async def measured() -> Response:
        """Counters for Prometheus."""
        metrics.sessions.set(services.people.open_sessions if services.people else 0)
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router
