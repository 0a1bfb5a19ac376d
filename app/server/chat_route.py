"""POST /v1/chat/completions."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from kithnet.app.server import complete, extras, person, translate, wording
from kithnet.app.server.answers import ChatAnswer
from kithnet.app.server.asks import ChatAsk
from kithnet.app.server.attend import EventStream, Steps, attended, emitting
from kithnet.app.server.complete import Work
from kithnet.app.server.failures import Refused, responses, told
from kithnet.app.server.health import Pulse
from kithnet.app.server.metrics import Metrics
from kithnet.app.server.services import PERSON, Services
from kithnet.app.server.wording import Growing, Heading
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import KithnetError, UnknownModel

EVENT = {
    "type": "object",
    "description": "One server-sent event: its data is a ChatChunk or a FaultBody as JSON, of the last one [DONE].",
    "properties": {"data": {"type": "string"}},
    "required": ["data"],
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ChatAnswer,
        "description": "The replies, with `stream` as events.",
        "content": {"text/event-stream": {"schema": EVENT}},
        "headers": {extras.HEADER: {"description": "fields that had no effect", "schema": {"type": "string"}}},
    },
    **responses(400, 404, 408, 413, 415, 422, 429, 500, 503),
}


class Chats:
    """Answers chat completions, whole or streamed."""

    def __init__(
        self, services: Services, config: ServeConfig, metrics: Metrics, pulse: Pulse, closing: asyncio.Event
    ) -> None:
        self._services, self._config, self._metrics = services, config, metrics
        self._pulse, self._closing = pulse, closing

    async def answer(self, ask: ChatAsk, request: Request) -> Response:
        started = time.perf_counter()
        label = "person" if ask.model.startswith(PERSON) else ask.model
        seen = self._metrics.first_token

        def first() -> None:
            seen.labels(label).observe(time.perf_counter() - started)

        work = self._counted(label, emitting(self._work(ask), first))
        heading = Heading(ask.model)
        headers = extras.told(extras.ignored(ask, label == "person"))
        if not ask.stream:
            outcome = await attended(request, self._closing, work(lambda step: None))
            return JSONResponse(heading.whole(outcome), headers=headers)
        usage = bool(ask.stream_options and ask.stream_options.include_usage)
        steps = Steps(work)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(steps.close)
            await attended(request, self._closing, steps.begin())
            return EventStream(self._events(steps, Growing(heading, usage)), stack.pop_all().aclose, headers)

    def _work(self, ask: ChatAsk) -> Work:
        """What has to be done for a request. Raises UnknownModel, UnknownPerson, Refused."""
        services = self._services
        if ask.model.startswith(PERSON) and services.people is not None:
            return person.work(services.people, ask, self._config)
        model = services.models.get(ask.model)
        if model is None:
            known = ", ".join(services.models)
            raise UnknownModel(f"there is no chat model {ask.model!r}", f"there are: {known}")
        return self._pulse.feeling(ask.model, partial(complete.answer, model, translate.order(ask, self._config)))

    def _counted(self, label: str, work: Work) -> Work:
        async def counted(emit: complete.Emit) -> complete.Outcome:
            outcome = await work(emit)
            self._metrics.spent(label, outcome.total)
            return outcome

        return counted

    async def _events(self, steps: Steps, growing: Growing) -> AsyncGenerator[bytes]:
        """The answer's events. What fails after the first of them is told as the last one."""
        try:
            async with aclosing(steps.following(self._closing)) as following:
                async for step in following:
                    for event in growing.step(step):
                        yield event
            for event in growing.end(steps.outcome):
                yield event
        except (KithnetError, Refused) as error:
            yield wording.event(told(error)[1])


def routes(chats: Chats) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/chat/completions", responses=ANSWERS, response_model=None, operation_id="chat")
    async def chat(ask: ChatAsk, request: Request) -> Response:
        """Continue a conversation. The model `person:ID` is the agent of a person; `user` says who speaks with it."""
        return await chats.answer(ask, request)

    return router
