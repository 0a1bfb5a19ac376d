"""A real server on a free loopback port, in a thread, and clients that talk to it."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

import httpx2
import openai
import pytest

from kithnet.app.server.listen import Server, bind, url_of
from kithnet.app.server.services import Services
from kithnet.app.server.web import create_app
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import ModelError
from kithnet.runtime.scripted import ScriptedModel


@dataclass(frozen=True)
class Live:
    """A server that answers. http: a plain client of it. client: the openai package's."""

    url: str
    http: httpx2.Client
    client: openai.OpenAI
    stop: Callable[[], None]

    def metric(self, line: str) -> float:
        """The value of one line of /metrics, 0 where it is not there."""
        found = [row for row in self.http.get("/metrics").text.splitlines() if row.startswith(f"{line} ")]
        return float(found[0].rpartition(" ")[2]) if found else 0.0


Opens = Callable[[], AbstractAsyncContextManager[Services]]
"""Opens what is served on the server's own event loop."""


@contextmanager
def live(services: Services | Opens, config: ServeConfig | None = None, token: str = "") -> Iterator[Live]:
    """Serve until the block ends."""
    config = config or ServeConfig(grace=0.1)
    ready = threading.Event()
    servers: list[Server] = []
    with bind("127.0.0.1", 0) as sock:

        async def run() -> None:
            async with nullcontext(services) if isinstance(services, Services) else services() as offered:
                servers.append(Server(create_app(offered, config, token), config.grace, ready.set))
                await servers[0].serve(sockets=[sock])

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        url = url_of(sock)

        def stop() -> None:
            servers[0].should_exit = True
            thread.join(15)
            assert not thread.is_alive()

        headers = {"authorization": f"Bearer {token}"} if token else {}
        with (
            httpx2.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as http,
            openai.OpenAI(
                base_url=f"{url}/v1", api_key=token or "none", max_retries=0, timeout=20,
                http_client=httpx2.Client(trust_env=False),
            ) as client,
        ):  # fmt: skip
            thread.start()
            assert ready.wait(15)
            try:
                yield Live(url, http, client, stop)
            finally:
                stop()


Serve = Callable[..., Live]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve scripted replies (or other services) until the test ends."""
    with ExitStack() as stack:

        def start(
            what: Sequence[str | ModelError] | Services | Opens, config: ServeConfig | None = None, token: str = ""
        ) -> Live:
            services = Services({"scripted": ScriptedModel(what)}) if isinstance(what, Sequence) else what
            return stack.enter_context(live(services, config, token))

        yield start
