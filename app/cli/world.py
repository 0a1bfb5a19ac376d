"""`kith world`: social networks with their messages."""

import dataclasses
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kithnet.app.cli import output

if TYPE_CHECKING:
    from kithnet.app.worlds import WorldReport
    from kithnet.network.records import World

app = typer.Typer(no_args_is_help=True, help="Social networks with their messages: import, generate, show.")

Name = Annotated[str, typer.Option("--name", "-n", help="The world's name: lower-case letters, digits, - and _.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a world of that name, with its runs and vectors.")]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="Keep it in PostgreSQL: postgresql://user@host:5432/database."),
]


@app.command("import")
def import_world(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help="friendstv, generic, iagents or misc.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="A file; for generic also a folder or several.")
    ],
    name: Name,
    replace: Replace = False,
    database: Database = None,
    as_json: output.AsJson = False,
) -> None:
    """Import a network from files. The world appears whole, or not at all.

    friendstv: a CSV with sender, receiver, message, timestamp[, session]. generic: people, ties and messages as CSV
    or JSONL, told apart by their names; only messages are needed. iagents: the MySQL dump of the iAgents project.
    misc: the JSON lines of MiSC, mixed sessions of one main speaker with three partners.

    Example: kith world import friendstv s01.csv --name friends
    """
    from kithnet.app.worlds import free_name

    started = time.monotonic()
    free_name(_folder(), name, replace)
    with output.progress("reading") as tell:
        world = _read(kind, paths)
        tell(len(world.messages), len(world.messages))
    _store(name, world, replace, database, as_json, started)


@app.command("generate")
def generate_world(
    name: Name,
    people: Annotated[int, typer.Option("--people", help="How many people.")] = 140,
    ties: Annotated[int, typer.Option("--ties", help="How many ties between them.")] = 588,
    messages: Annotated[int, typer.Option("--messages", help="How many messages in all.")] = 70_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same world.")] = 7,
    phrases: Annotated[
        str, typer.Option("--phrases", help="default, or held-out: wording kept for testing.")
    ] = "default",
    tasks: Annotated[int, typer.Option("--tasks", help="How many questions with known answers.")] = 84,
    replace: Replace = False,
    database: Database = None,
    as_json: output.AsJson = False,
) -> None:
    """Generate a network whose people talk for a year and know things about each other.

    Example: kith world generate --people 140 --ties 588 --messages 70000 --seed 7 --name demo
    """
    from kithnet.app.worlds import free_name
    from kithnet.network.generate import GenerateSpec, generate

    started = time.monotonic()
    free_name(_folder(), name, replace)
    spec = GenerateSpec(people, ties, messages, seed, phrases, tasks)  # type: ignore[arg-type]  # it checks phrases
    with output.progress("writing messages") as tell:
        world = generate(spec)
        tell(len(world.messages), len(world.messages))
    _store(name, world, replace, database, as_json, started)


@app.command("list")
def list_worlds(as_json: output.AsJson = False) -> None:
    """List the worlds on this machine.

    Example: kith world list
    """
    from kithnet.app.world_names import worlds

    names = worlds(_folder())
    text = (
        "\n".join(names)
        or "there are no worlds yet: `kith world add NAME PATH` or `kith world generate --name demo` makes one"
    )
    output.show({"folder": str(_folder()), "worlds": names}, text, as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The world.")],
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Draw the network: .png, .svg or .pdf.")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """Print what a world holds and the shape of its network, and draw it.

    Example: kith world show friends --draw friends.png
    """
    from kithnet.app.worlds import describe, open_world, stored_graph

    report = describe(_folder(), name)
    payload = report.contract()
    if draw is not None:
        from kithnet.network.drawing import draw as draw_network

        with open_world(_folder(), name) as store:
            draw_network(stored_graph(store), draw, title=name)
        payload["drawing"] = str(draw)
    text = _text(report) + (f"\ndrawn: {draw}" if draw else "")
    output.show(payload, text, as_json)


@app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="The world.")],
    folder: Annotated[Path, typer.Argument(help="A folder for the files; made if absent.")],
    form: Annotated[
        str, typer.Option("--to", help="generic: people, ties and messages; chatlab: a file a conversation.")
    ] = "generic",
    as_json: output.AsJson = False,
) -> None:
    """Write a world as files: `kith world import generic FOLDER` reads the one kind again, `kith world add` the other.

    Example: kith world export friends ./friends
    """
    from kithnet.app.exporting import export_world
    from kithnet.app.worlds import open_world

    with open_world(_folder(), name) as store, output.progress("exporting", "messages") as tell:
        files = export_world(store, folder, form, tell)
    output.show({"world": name, "files": [str(file) for file in files]}, "\n".join(map(str, files)), as_json)


@app.command("index")
def index(
    name: Annotated[str, typer.Argument(help="The world.")],
    embedder: Annotated[
        str, typer.Option("--embedder", help="The sentence embedder, as `kith model list` names it.")
    ] = "minilm-l6",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin again: for damaged vectors, or another embedder.")
    ] = False,
    chroma: Annotated[
        str | None,
        typer.Option("--chroma", metavar="URL", help="Keep the vectors in a Chroma server: http://host:8000."),
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """Embed the messages, so that recall also finds what is said in other words. Stopped, it continues next time.

    Example: kith world index friends
    """
    from kithnet.app.worlds import index_world

    with output.progress("embedding", "texts") as tell:
        report = index_world(_folder(), name, _models(), embedder, tell, fresh, chroma)
    text = f"{report.done:,} texts embedded in {report.seconds:.1f} s, {report.pending:,} to do"
    output.show(
        {"world": name, "done": report.done, "pending": report.pending, "seconds": report.seconds}, text, as_json
    )


def _folder() -> Path:
    from kithnet.app.home import worlds_folder

    return worlds_folder(os.environ)


def _models() -> Path:
    from kithnet.app.home import models_folder

    return models_folder(os.environ)


def _read(kind: str, paths: list[Path]) -> "World":
    from kithnet.network.importers import read_friendstv, read_generic, read_iagents_sql, read_misc
    from kithnet.runtime.errors import InputError

    if kind == "generic":
        return read_generic(paths)
    readers = {"friendstv": read_friendstv, "iagents": read_iagents_sql, "misc": read_misc}
    if kind not in readers:
        raise InputError(f"there is no format {kind!r}", "formats: friendstv, generic, iagents, misc")
    if len(paths) != 1:
        raise InputError(f"{kind} is one file, {len(paths)} were given", f"`kith world import {kind} FILE --name NAME`")
    return readers[kind](paths[0])


def _store(name: str, world: "World", replace: bool, database: str | None, as_json: bool, started: float) -> None:
    from kithnet.app.worlds import create_world

    with output.progress("storing", "messages") as tell:
        stored = create_world(_folder(), name, world, tell, replace, database)
    report = dataclasses.replace(stored, seconds=time.monotonic() - started)
    output.show(report.contract(), _text(report), as_json)


def _text(report: "WorldReport") -> str:
    shape = report.shape
    rows: list[tuple[str, Any]] = [
        ("people", f"{shape.people:,}"),
        ("ties", f"{shape.ties:,} (density {shape.density:.3f})"),
        ("messages", f"{report.messages:,} in {report.sessions:,} sessions"),
        (
            "components",
            f"{shape.components}, the largest with diameter {shape.diameter} and mean path {shape.mean_path:.2f}",
        ),
        ("degree", f"mean {shape.degree_mean:.1f}, largest {shape.degree_max}, Gini {shape.degree_gini:.2f}"),
        ("clustering", f"{shape.clustering:.2f}"),
        ("communities", f"{shape.communities} (modularity {shape.modularity:.2f})"),
        ("tasks", f"{report.tasks:,}"),
        ("dropped", ", ".join(f"{rows:,} {why}" for why, rows in report.dropped.items()) or "nothing"),
        ("seconds", f"{report.seconds:.1f}"),
    ]
    return "\n".join([f"world {report.name}", *(f"  {label:<12} {value}" for label, value in rows)])
