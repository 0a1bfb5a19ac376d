"""Running the server: the models, the world, and what is written when it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from kithnet.app import collaborate, engines
from kithnet.app.runs import new_run
from kithnet.app.server.listen import Server, bind, check, url_of
from kithnet.app.server.people import People
from kithnet.app.server.services import Services
from kithnet.app.server.web import create_app
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.local import LocalModel, adapted

Told = Callable[[str, Sequence[str]], None]
"""Hears the server's URL and the names of its models once it answers."""


def serve(
    world: Path | None, models: Path, config: Config, token: str, told: Told, model: ChatModel | None = None
) -> int:
    """Serve until a signal comes; returns its number. `model` takes the place of the configured one.

    Raises ConfigError, UnknownModel, UnknownWorld, ModelFileError, StorageError.
    """
    check(config.serve, token)
    with bind(config.serve.host, config.serve.port) as sock:
        return asyncio.run(_serve(sock, world, models, config, token, told, model))


async def _serve(
    sock: socket.socket, world: Path | None, models: Path, config: Config, token: str, told: Told,
    model: ChatModel | None,
) -> int:  # fmt: skip
    url = url_of(sock)
    async with services(world, models, config, model) as offered:
        app = create_app(offered, config.serve, token)
        server = Server(app, config.serve.grace, lambda: told(url, offered.names()))
        try:
            await server.serve(sockets=[sock])
        finally:
            if offered.people is not None:  # again, where a second signal cut the first end short
                await offered.people.close()
    return server.signal


@asynccontextmanager
async def services(
    world: Path | None, models: Path, config: Config, model: ChatModel | None = None
) -> AsyncIterator[Services]:
    """Open what is served; without a world there are no personal agents."""
    if world is None:
        with engines.embedder(config, models) as embedder:
            async with engines.chat_model(config, models, model) as chat:
                yield _offered(chat, embedder, None)
        return
    if model is None:
        engines.need_ready(config, models)
    run = new_run(world, "serve", config)
    async with collaborate.scene(world, models, config, run, model=model) as scene:
        chat = scene.stage.model
        scene.trace.emit("run", run=run.id, command="serve", world=world.name, model=chat.traits.name)
        yield _offered(chat, scene.embedder, People(scene, world, config.serve.idle))


def _offered(chat: ChatModel, embedder: LlamaEmbedder | None, people: People | None) -> Services:
    """One chat model under its own name, and one more name for each of its adapters; a local one tells what its
    engine does."""
    name = chat.traits.name
    if not isinstance(chat, LocalModel):
        return Services({name: chat}, embedder, people)
    models = {name: chat, **{f"{name}+{one}": adapted(chat, one) for one in chat.adapters}}
    return Services(models, embedder, people, stats=chat.stats, experts=chat.expert_stats)
