"""The command reference as Markdown, from the command tree itself: `python -m kithnet.app.cli.reference FILE`.

What it writes depends on the commands only, not on the terminal: `make docs` writes it, a test compares it.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from kithnet.app.cli import build

HEAD = """# Commands

Made by `make docs` from the commands themselves; `kith COMMAND --help`, or `-h`, says the same. `kith --version` prints the
version.

`--json` prints one JSON object on stdout ([json.md](json.md)). Exit status: 0 done, 1 could not, 2 bad input,
130 stopped by Ctrl-C. `KITHNET_HOME` is the folder of models and worlds ([worlds.md](worlds.md)).
"""
EXAMPLE = "Example: "

Node = Any
"""A command or a group, as typer builds it. typer does not export the types of its tree."""


def commands(root: Node, name: str = "kith") -> Iterator[tuple[str, Node]]:
    """Every node of a command tree below `root` with its full name, in the order of `--help`."""
    below: Mapping[str, Node] = getattr(root, "commands", {})
    for word, command in below.items():
        full = f"{name} {word}"
        yield full, command
        yield from commands(command, full)


def is_group(command: Node) -> bool:
    return bool(getattr(command, "commands", None))


def example(command: Node) -> str:
    """The example line of a command's help, "" where it has none."""
    lines = (command.help or "").splitlines()
    return next((line.strip().removeprefix(EXAMPLE) for line in lines if line.strip().startswith(EXAMPLE)), "")


def reference() -> str:
    """The whole reference as Markdown."""
    root = typer.main.get_command(build())
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands(root))])


def _section(name: str, command: Node) -> str:
    if is_group(command):
        return f"## {name}\n\n{_prose(command)}\n"
    context = typer.Context(command, info_name=name)
    rows = [(_bare(shown), about) for shown, about in (p.get_help_record(context) for p in command.get_params(context))]
    usage = " ".join([name, *filter(None, (_in_usage(shown, about) for shown, about in rows)), "[OPTIONS]"])
    level = "##" if name.count(" ") == 1 else "###"
    parts = [f"{level} {name}", f"```sh\n{usage}\n```", _prose(command), _table(rows)]
    if shown := example(command):
        parts.append(f"Example:\n\n```sh\n{shown}\n```")
    return "\n\n".join(parts) + "\n"


def _prose(command: Node) -> str:
    """A command's help without its example, each paragraph on one line."""
    paragraphs = (" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    return "\n\n".join(part for part in paragraphs if not part.startswith(EXAMPLE))


def _bare(shown: str) -> str:
    """`FROM` for an argument that typer shows as `FROM <str>`, `--tasks N` for `--tasks <int range>`."""
    name, typed, kind = shown.partition(" <")
    if not shown.startswith("-"):
        return name.upper()
    values = {"int": "N", "int range": "N", "path": "FILE"}
    return f"{name} {values.get(kind.rstrip('>'), 'TEXT')}" if typed else shown


def _in_usage(shown: str, about: str) -> str:
    """How a parameter stands in the line of usage; "" for an option that may be left out."""
    required = "[required]" in about
    if shown.startswith("-"):
        return shown.rpartition(", ")[2] if required else ""
    return shown if required else f"[{shown}]"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f"| `{shown}` | {' '.join(about.split()).replace('|', '/')} |" for shown, about in rows)
    return "\n".join(["| | |", "| --- | --- |", *cells])


def main(arguments: list[str]) -> int:
    """Write the reference to the file that is named, or to stdout."""
    if arguments:
        Path(arguments[0]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
