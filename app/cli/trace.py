"""`kith trace`: what happened in a run, step by step."""

import os
from typing import Annotated

import typer

from kithnet.app.cli import output
from kithnet.runtime.errors import InputError


def trace(
    run: Annotated[str, typer.Argument(help='A run\'s id, "last", or the path of a run folder.')],
    kind: Annotated[
        list[str] | None, typer.Option("--kind", "-k", help="Only events of this kind; repeatable.")
    ] = None,
    person: Annotated[str, typer.Option("--person", "-p", help="Only events about this person (an id).")] = "",
    task: Annotated[str, typer.Option("--task", "-t", help="Only events of this task, consultations included.")] = "",
    world: Annotated[str | None, typer.Option("--world", "-w", help="Look for the run in this world only.")] = None,
    owner: Annotated[
        str,
        typer.Option(
            "--owner", help="As this person sees it (an id): with what their agent withheld from whom and why."
        ),
    ] = "",
    operator: Annotated[bool, typer.Option("--operator", help="Everything, whoever's it is.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is done, or Ctrl-C.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Show what happened in a run, as who asked sees it: one line a step, filterable.

    A refusal looks like not knowing there. `--owner` and `--operator` show what was withheld.

    Example: kith trace last --operator --kind utterance --kind disclosure --task t1
    """
    from kithnet.app import trace_view
    from kithnet.app.home import worlds_folder
    from kithnet.app.run_views import seen
    from kithnet.runtime.trace import read_trace

    if follow and as_json:
        raise InputError(
            "--follow prints as the run goes on, --json prints one object at the end", "leave one of them out"
        )
    if owner and operator:
        raise InputError("--owner shows one person's view, --operator everybody's", "leave one of them out")
    found = trace_view.find(worlds_folder(os.environ), run, world)
    wanted = trace_view.Wanted(tuple(kind or ()), person, task)
    if follow:
        came = trace_view.follow(found, after=0)
        for event in came if operator else seen(came, owner or None):
            if trace_view.fits(event, wanted):
                print(trace_view.line(event), flush=True)
        return
    every = list(read_trace(found.trace))
    if owner:
        trace_view.known_person(every, owner)
    events = trace_view.select(every if operator else seen(every, owner or None), wanted)
    text = "\n".join(trace_view.line(event) for event in events) or "no such events"
    output.show({"run": found.id, "events": events}, text, as_json)
