"""The application: routes behind the guard, described as they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from kithnet.app.server import chat_route, docs_page, embed_route, failures, info_routes
from kithnet.app.server.answers import ChatChunk
from kithnet.app.server.chat_route import Chats
from kithnet.app.server.guard import OPEN_PATHS, Guard, Rules
from kithnet.app.server.health import Pulse
from kithnet.app.server.metrics import Metrics
from kithnet.app.server.services import Services
from kithnet.runtime.config import ServeConfig

REFERENCE = "#/components/schemas/{model}"
BODY_SECONDS = 30.0


def create_app(services: Services, config: ServeConfig, token: str = "") -> FastAPI:
    """The server's application.

    token: what clients must show; without one only loopback names are served. `app.state.closing` is an event: once
    it is set, replies under way are ended. At its shutdown the conversations with people are ended, the models stay
    open: they belong to whoever made them.
    """
    closing = asyncio.Event()
    metrics, pulse = Metrics(services.stats, services.experts), Pulse(services)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tidying = asyncio.ensure_future(services.people.tidy()) if services.people else None
        try:
            yield
        finally:
            if services.people and tidying:
                tidying.cancel()
                with suppress(asyncio.CancelledError):
                    await tidying
                await services.people.close()

    app = _Described(
        title="Kithnet", version=version("kithnet"), lifespan=lifespan, docs_url=None, redoc_url=None,
        description="Chat models and personal agents behind an OpenAI-compatible API.",
    )  # fmt: skip
    app.state.closing = closing
    app.needs_token = bool(token)
    failures.install(app)
    chats = Chats(services, config, metrics, pulse, closing)
    app.include_router(chat_route.routes(chats))
    app.include_router(embed_route.routes(services, config, metrics))
    app.include_router(info_routes.routes(services, metrics, pulse))
    app.include_router(docs_page.routes(app.openapi))
    rules = Rules(token, config.body_bytes, BODY_SECONDS, config.in_flight)
    app.add_middleware(Guard, rules=rules, metrics=metrics)
    return app


class _Described(FastAPI):
    """An application whose description says the token, and the events of a stream."""

    needs_token = False

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            made = get_openapi(title=self.title, version=self.version, description=self.description, routes=self.routes)
            parts = made["components"]
            chunk = ChatChunk.model_json_schema(ref_template=REFERENCE)
            parts["schemas"] |= {**chunk.pop("$defs"), "ChatChunk": chunk}
            if self.needs_token:
                parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                made["security"] = [{"token": []}]
                for path in OPEN_PATHS:
                    made["paths"][path]["get"]["security"] = []
            self.openapi_schema = made
        return self.openapi_schema
