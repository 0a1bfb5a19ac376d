"""`kith demo`: the main job in one command, as `make demo` runs it."""

from typing import TYPE_CHECKING, Annotated

import typer

from kithnet.app.cli import output

if TYPE_CHECKING:
    from kithnet.app.simulate import Tally

NAME = "demo"
MESSAGES = 10_000
"""Few enough to be embedded in a minute; `kith world generate` makes 70,000."""


def demo(
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="How many tasks the agents work on.")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Of the world and of the tasks.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """Make a network of 140 people and let their agents work on tasks together; ends with a report.

    Example: kith demo --tasks 12
    """
    import os

    from kithnet.app import simulate as run
    from kithnet.app.cli.simulate import contract, summary
    from kithnet.app.home import models_folder, worlds_folder
    from kithnet.app.world_names import is_world
    from kithnet.app.worlds import create_world, index_world, world_folder
    from kithnet.network.generate import GenerateSpec, generate
    from kithnet.runtime.config import Config

    name = f"{NAME}-{seed}"
    worlds, models, config = worlds_folder(os.environ), models_folder(os.environ), Config()
    folder = world_folder(worlds, name)
    if not is_world(folder):
        with output.progress(f"writing a network of 140 people ({name})", "messages") as bar:
            create_world(worlds, name, generate(GenerateSpec(messages=MESSAGES, seed=seed)), bar)
    with output.progress("embedding what they said", "texts") as bar:
        index_world(worlds, name, models, config.embedder.name, bar)
    with output.progress("agents at work", "tasks") as bar:

        def tell(tally: "Tally", planned: int) -> None:
            bar(tally.done, planned, f"{tally.turns} utterances")

        plan = run.Plan(tasks, seed)
        done = run.simulate(
            folder, models, config, plan, tell, operator=True, foresee=lambda one: output.note(one.told())
        )
    output.show(contract(done), f"{summary(done)}\n\nOpen the report in a browser: {done.run.report}", as_json)
