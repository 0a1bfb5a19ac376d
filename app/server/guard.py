"""Who may ask, and how much: the first thing a request meets, before any of its body is understood."""

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers

from kithnet.app.server.failures import RETRY_AFTER, Refused, told
from kithnet.app.server.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/health"})
"""Need no token: whoever watches over the server has none."""


@dataclass(frozen=True, slots=True)
class Rules:
    """token: what a bearer must show, empty where the server is on loopback only. body_bytes: of a request.
    body_seconds: for a body to arrive. in_flight: POST requests at once."""

    token: str
    body_bytes: int
    body_seconds: float
    in_flight: int


class Guard:
    """ASGI middleware: host or token, kind and size of the body, requests at once; counts every answer."""

    def __init__(self, app: App, rules: Rules, metrics: Metrics) -> None:
        self._app, self._rules, self._metrics = app, rules, metrics
        self._posts = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._admit(scope, receive, watched)
        finally:
            self._metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST") else "other"
            self._metrics.requests.labels(route, method, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    async def _admit(self, scope: Message, receive: Receive, send: Send) -> None:
        posted = scope["method"] == "POST"
        try:
            headers = Headers(scope=scope)
            self._known(scope["path"], headers)
            if posted:
                self._take(headers)
        except Refused as refused:
            await _answer(refused, scope, receive, send)
            return
        if not posted:
            await self._app(scope, receive, send)
            return
        self._posts += 1
        try:
            received = await self._whole(receive)
            await self._app(scope, _again(received, receive), send)
        except Refused as refused:
            await _answer(refused, scope, receive, send)
        except _Gone:
            return
        finally:
            self._posts -= 1

    def _known(self, path: str, headers: Headers) -> None:
        """Refuse whoever has not the token, or, where there is none, came under a foreign name."""
        if not self._rules.token:
            hosts = headers.getlist("host")
            if not hosts or not all(is_loopback(_hostname(host)) for host in hosts):
                raise Refused(403, "only loopback names are served: ask for 127.0.0.1 or localhost", "host_not_allowed")
            return
        kind, _, shown = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(shown.strip().encode(), self._rules.token.encode())
        if path not in OPEN_PATHS and not (right and kind.lower() == "bearer"):
            raise Refused(401, "the bearer token is missing or wrong", "invalid_api_key", www_authenticate="Bearer")

    def _take(self, headers: Headers) -> None:
        """Refuse a body by what is said of it, and any body while too many requests are being answered."""
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "send the body as application/json", "unsupported_media_type")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._rules.body_bytes:
            raise self._too_large()
        if self._posts >= self._rules.in_flight:
            raise Refused(
                429, f"{self._posts} requests are being answered; ask again soon", "too_many_requests",
                retry_after=RETRY_AFTER,
            )  # fmt: skip

    async def _whole(self, receive: Receive) -> bytes:
        """The body, read no further than the limit."""
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._rules.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._rules.body_bytes:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError as error:
            raise Refused(408, f"the body took longer than {self._rules.body_seconds:g} s", "body_timeout") from error

    def _too_large(self) -> Refused:
        return Refused(413, f"the body is larger than {self._rules.body_bytes} bytes", "body_too_large")


class _Gone(Exception):
    """The client left before its request was whole."""


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then whatever comes after it."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return next_message


async def _answer(refused: Refused, scope: Message, receive: Receive, send: Send) -> None:
    status, content, headers = told(refused)
    await JSONResponse(content, status, headers)(scope, receive, send)


def _hostname(host: str) -> str:
    """The name in a Host header, without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(name: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
