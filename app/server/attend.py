"""Work that ends when its client leaves or the server stops, and replies sent while they are made."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from kithnet.app.server.complete import Emit, Made, Outcome, Text, Work
from kithnet.app.server.failures import ClientGone, Refused

T = TypeVar("T")
STOPPING = "server_stopping"


def stopping() -> Refused:
    return Refused(503, "the server is stopping", STOPPING)


async def attended(request: Request, closing: asyncio.Event, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client is gone (ClientGone) or the server stops (Refused)."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request.receive))
    ending = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({doing, gone, ending}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientGone if gone.done() else stopping()
    finally:
        await _cancelled(doing, gone, ending)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Steps:
    """The steps of work under way. End it with `close`; until then `following` gives each step as it is made."""

    def __init__(self, work: Work) -> None:
        self._queue: asyncio.Queue[Text | Made | None] = asyncio.Queue()
        self._task = asyncio.ensure_future(work(self._queue.put_nowait))
        self._task.add_done_callback(lambda task: self._queue.put_nowait(None))
        self._first: Text | Made | None = None

    async def begin(self) -> None:
        """Wait for the first step. Raises what the work raises if it fails before it."""
        self._first = await self._queue.get()
        if self._first is None:
            self._task.result()

    async def following(self, closing: asyncio.Event) -> AsyncGenerator[Text | Made]:
        """Every step from the first on. Raises what the work raises, Refused when the server stops meanwhile."""
        step = self._first
        ending = asyncio.ensure_future(closing.wait())
        ending.add_done_callback(lambda task: self._queue.put_nowait(None))
        try:
            while step is not None:
                yield step
                step = await self._queue.get()
            if not self._task.done():
                raise stopping()
            self._task.result()
        finally:
            ending.cancel()

    @property
    def outcome(self) -> Outcome:
        return self._task.result()

    async def close(self) -> None:
        """Cancel what is still at work."""
        await _cancelled(self._task)


class EventStream(StreamingResponse):
    """Server-sent events from a generator, which is closed at the end, whichever end it is."""

    def __init__(
        self, events: AsyncGenerator[bytes], done: Callable[[], Awaitable[None]], headers: Mapping[str, str]
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-cache", **headers})
        self._events, self._done = events, done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self.stream_response(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            await _cancelled(sending, gone)
            with contextlib.suppress(RuntimeError):  # a generator that is already at its end
                await self._events.aclose()
            await self._done()


def emitting(work: Work, first: Callable[[], None]) -> Work:
    """The same work; `first` is called at its first step."""

    async def watched(emit: Emit) -> Outcome:
        begun = False

        def heard(step: Text | Made) -> None:
            nonlocal begun
            if not begun:
                begun = True
                first()
            emit(step)

        return await work(heard)

    return watched
