"""`kith chat`: talk with a personal agent."""

from typing import Annotated

import typer

from kithnet.app.cli import output
from kithnet.app.cli.ask import (
    ConfigFile,
    ExpertMemory,
    Experts,
    Setting,
    Stats,
    World,
    Yes,
    model_settings,
    need_consent,
)


def chat(
    person: Annotated[str, typer.Argument(help="Whose agent to talk with.")],
    partner: Annotated[
        str | None, typer.Option("--as", metavar="PARTNER", help="Talk as this person of the world, under its rules.")
    ] = None,
    world: World = None,
    config: ConfigFile = None,
    setting: Setting = None,
    experts: Experts = None,
    expert_memory: ExpertMemory = None,
    yes: Yes = False,
    stats: Stats = False,
    as_json: output.AsJson = False,
) -> None:
    """Talk with PERSON's agent as PERSON, or as someone else; what is said is remembered next time.

    Example: kith chat monica --world friends
    """
    from kithnet.app import chat as talk
    from kithnet.app import engine_stats
    from kithnet.app.locate import settings, world_named

    place, loaded = world_named(world), settings(config, model_settings(setting, experts, expert_memory))
    need_consent(loaded, yes)
    lines = talk.terminal()
    if as_json:
        lines = talk.Lines(lines.read, output.note, lambda piece: None)
    run = talk.chat(place.folder, place.models, loaded, person, partner, lines)
    contract: dict[str, object] = {"run": run.id, "exchanges": talk.exchanges(run)}
    text = f"(kept as {run.id})"
    if stats:
        done = engine_stats.of_run(run)
        contract["stats"], text = done, f"{text}\n{engine_stats.as_text(done)}"
    output.show(contract, text, as_json)
