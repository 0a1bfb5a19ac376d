"""`kith serve`: models and personal agents over HTTP."""

import signal
from collections.abc import Sequence
from typing import Annotated

import typer

from kithnet.app.cli import output
from kithnet.app.cli.ask import ConfigFile, ExpertMemory, Experts, Setting, Yes, model_settings, need_consent

MANY = 6
"""More models than this are counted, not listed, in the line for a person."""


def serve(
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="Serve the agents of its people too, as person:ID.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="The address; 127.0.0.1 unless set. Any other needs a token.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="8080 unless set; 0 takes one that is free.")] = None,
    token: Annotated[
        str, typer.Option("--token", envvar="KITHNET_TOKEN", help="What clients must show as their API key.")
    ] = "",
    config: ConfigFile = None,
    setting: Setting = None,
    experts: Experts = None,
    expert_memory: ExpertMemory = None,
    yes: Yes = False,
    as_json: output.AsJson = False,
) -> None:
    """Serve the chat model, the embedder and the agents of a world's people: an OpenAI-compatible API.

    It runs until Ctrl-C; what was said with agents is remembered then.

    Example: kith serve --world friends --port 8080
    """
    from kithnet.app.locate import models_here, settings, world_named
    from kithnet.app.server import listen, serving

    given = [f"serve.host={host}"] if host is not None else []
    given += [f"serve.port={port}"] if port is not None else []
    loaded = settings(config, [*model_settings(setting, experts, expert_memory), *given])
    listen.check(loaded.serve, token)
    if world:
        need_consent(loaded, yes)
    place = world_named(world) if world else None

    def told(url: str, models: Sequence[str]) -> None:
        shown = (
            ", ".join(models) if len(models) <= MANY else f"{', '.join(models[:MANY])} and {len(models) - MANY} more"
        )
        if as_json:
            output.show({"url": url, "models": list(models)}, "", as_json)
        output.note(f"serving {shown} on {url}/v1")

    stopped_by = serving.serve(place.folder if place else None, models_here(), loaded, token, told)
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
