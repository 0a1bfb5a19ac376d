"""`kith world rename` and `kith world delete`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kithnet.app.cli import output
from kithnet.app.cli.world import app as app

if TYPE_CHECKING:
    from kithnet.app.world_keeping import Contents

__all__ = ["app", "delete", "rename"]


@app.command("rename")
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The world.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name: lower-case letters, digits, - and _.")],
    as_json: output.AsJson = False,
) -> None:
    """Give a world another name. Its memories, vectors and runs stay; what older runs printed keeps the old name.

    Example: kith world rename friends old-friends
    """
    from kithnet.app.world_keeping import rename_world

    rename_world(_folder(), old, new)
    output.show({"world": new, "was": old}, f"{old} is now called {new}", as_json)


@app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="The world.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Delete a world with its messages, memories, vectors and runs. It cannot be undone.

    Example: kith world delete friends --yes
    """
    from kithnet.app.world_keeping import delete_world, foresee

    found = foresee(_folder(), name)
    if found.left:
        output.show(found.contract(), f"{name}: what a stopped attempt had left is gone", as_json)
        return
    if not yes:
        _confirm(found)
    with output.working("deleting", as_json):
        delete_world(_folder(), name)
    output.show(found.contract(), f"deleted {_told(found)}", as_json)


def _confirm(found: "Contents") -> None:
    """Ask at the terminal. Raises InputError where nobody can answer."""
    from kithnet.runtime.errors import InputError

    if not sys.stdin.isatty():
        raise InputError(f"this would delete {_told(found)}; it cannot be undone", "add --yes")
    print(f"Delete {_told(found)}? It cannot be undone. [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        raise typer.Abort


def _told(found: "Contents") -> str:
    messages = "messages that cannot be read" if found.messages is None else f"{found.messages:,} messages"
    parts = [messages, f"{found.runs:,} run{'' if found.runs == 1 else 's'}", *found.servers]
    return f"{found.name}: {', '.join(parts)}"


def _folder() -> Path:
    from kithnet.app.home import worlds_folder

    return worlds_folder(os.environ)
