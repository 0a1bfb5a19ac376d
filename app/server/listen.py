"""The address a server listens on, and how it starts and ends."""

import asyncio
import math
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from kithnet.app.server.guard import is_loopback
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.errors import ConfigError


def check(config: ServeConfig, token: str) -> None:
    """Raises ConfigError for an address that others can reach without a token, and for a token no header can carry."""
    if token and not (token.isascii() and token.isprintable() and token == token.strip()):
        raise ConfigError("the token must be printable ASCII without blanks at its ends", "choose another one")
    if not token and not is_loopback(config.host):
        raise ConfigError(
            f"{config.host} can be reached by others, and no token is set",
            "set KITHNET_TOKEN (or --token), or serve 127.0.0.1",
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError where the address cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:  # a name that is not known is one of them
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}",
            "another program may have the port: choose one with --port, or 0 for any that is free",
        ) from error


def url_of(sock: socket.socket) -> str:
    """The address of a listening socket as a URL."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A server that ends its replies before it goes, and remembers which signal ended it.

    grace: seconds that requests may go on after the signal. ready: called once it answers.
    """

    def __init__(self, app: FastAPI, grace: float, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app, http="h11", ws="none", loop="asyncio", lifespan="on", log_config=None, access_log=False, server_header=False,
            timeout_graceful_shutdown=math.ceil(grace) + 5,
        )  # fmt: skip
        super().__init__(config)
        self._grace, self._ready = grace, ready
        self._closing: asyncio.Event = app.state.closing
        self.signal: int = signal.SIGTERM

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends the server in peace, the second at once. Neither is raised again afterwards."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.signal = sig

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(0 if self.force_exit else self._grace, self._closing.set)
        await super().shutdown(sockets)
