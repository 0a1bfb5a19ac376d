"""`kith grants`: what a person allows to be told, in the words people use."""

from typing import Annotated

import typer

from kithnet.app.cli import output
from kithnet.app.cli.ask import World

app = typer.Typer(no_args_is_help=True, help="What a person allows their agent to tell: list, give, revoke.")

Owner = Annotated[str, typer.Argument(metavar="PERSON", help="Whose agent tells.")]


@app.command("list")
def listed(person: Owner, world: World = None, as_json: output.AsJson = False) -> None:
    """List the grants of PERSON: to whom, of what, how long, how often used.

    Example: kith grants list ross --world friends
    """
    from kithnet.app import granting
    from kithnet.app.locate import world_named

    found = granting.listed(world_named(world), person)
    output.show(found, granting.list_text(found), as_json)


@app.command("give")
def give(
    person: Owner,
    to: Annotated[str, typer.Argument(metavar="TO", help="Who may hear it: a person, or tie:KIND for a kind of tie.")],
    once: Annotated[bool, typer.Option("--once", help="For one telling.")] = False,
    always: Annotated[bool, typer.Option("--always", help="Until it is revoked.")] = False,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Such as 2024-05-31T18:20.")] = None,
    item: Annotated[str | None, typer.Option("--item", metavar="ID", help="A message (m12) or a memory (k3).")] = None,
    topic: Annotated[
        str, typer.Option("--topic", metavar="WORDS", help="All of them must stand in what is told.")
    ] = "",
    purpose: Annotated[
        str, typer.Option("--purpose", metavar="WORDS", help="All of them must stand in what it is asked for.")
    ] = "",
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Let PERSON's agent tell TO what its rules would not, once, always or until a time.

    Example: kith grants give ross monica --once --item m17 --world friends
    """
    from kithnet.app import granting
    from kithnet.app.locate import world_named

    wished = granting.Wished(to, once, always, until, item, topic, purpose)
    given = granting.give(world_named(world), person, wished)
    output.show(given, granting.line(given["grant"]), as_json)


@app.command("revoke")
def revoke(
    person: Owner,
    grant: Annotated[str, typer.Argument(metavar="ID", help="A grant, such as g3.")],
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Take a grant back, and close the memories of others that came of it, however far it was passed on.

    Example: kith grants revoke ross g3 --world friends
    """
    from kithnet.app import granting
    from kithnet.app.locate import world_named

    done = granting.revoke(world_named(world), person, grant)
    output.show(done, granting.revoke_text(done), as_json)
