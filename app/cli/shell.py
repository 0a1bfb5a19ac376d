"""What `kith` is to a shell: its version, and the completion of its commands."""

import io
from contextlib import redirect_stdout
from typing import Annotated, Literal

import typer

from kithnet.app.cli import output

ASKED = "_KITH_COMPLETE"
"""Set by the completion scripts: `kith` then prints what could stand at the cursor, and does nothing else."""


def answer() -> None:
    """Have typer answer the completion scripts when the command tree is run; it reads `ASKED` itself."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()  # typer's way to make its shells known; the options it returns are not ours


def completion(
    context: typer.Context,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    as_json: output.AsJson = False,
) -> None:
    """Print the script with which Tab completes commands and options in a shell.

    In ~/.bashrc: source <(kith completion bash). In ~/.zshrc, after compinit: source <(kith completion zsh).
    For fish, once: kith completion fish > ~/.config/fish/completions/kith.fish

    Example: kith completion bash
    """
    from typer.completion import shell_complete

    answer()
    printed = io.StringIO()
    with redirect_stdout(printed):
        shell_complete(context.find_root().command, {}, "kith", ASKED, f"source_{shell}")
    script = printed.getvalue().strip()
    output.show({"shell": shell, "script": script}, script, as_json)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"kith {version('kithnet')}")
        raise typer.Exit()


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What may stand before a command."""
