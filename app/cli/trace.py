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
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is done, or Ctrl-C.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Show what happened in a run: one line a step, filterable.

    Example: kith trace last --kind utterance --kind disclosure --task t1
    """
    from kithnet.app import trace_view
    from kithnet.app.home import worlds_folder
    from kithnet.runtime.trace import read_trace

    if follow and as_json:
        raise InputError(
            "--follow prints as the run goes on, --json prints one object at the end", "leave one of them out"
        )
    found = trace_view.find(worlds_folder(os.environ), run, world)
    wanted = trace_view.Wanted(tuple(kind or ()), person, task)
    if follow:
        for event in trace_view.follow(found, after=0):
            if trace_view.fits(event, wanted):
                print(trace_view.line(event), flush=True)
        return
    events = trace_view.select(read_trace(found.trace), wanted)
    text = "\n".join(trace_view.line(event) for event in events) or "no such events"
    output.show({"run": found.id, "events": events}, text, as_json)
