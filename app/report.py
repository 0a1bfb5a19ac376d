"""report.html of a run: one page that stands alone, told from the run's trace and the network it ran on."""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import networkx as nx
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kithnet.app import report_figures as figures
from kithnet.app.report_drawing import NARROW, WIDE, Drawing, draw, lay_out, role_of, shown
from kithnet.app.report_events import typed
from kithnet.app.report_paths import Paths, paths_of
from kithnet.app.report_story import RunStory, TaskStory, tell
from kithnet.app.run_views import seen
from kithnet.runtime.errors import StorageError
from kithnet.runtime.trace import read_trace

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class TaskPage:
    """A task as the page shows it. number: from 1, also in anchors. anchors: utterance id -> the bubble's anchor."""

    number: int
    story: TaskStory
    paths: Paths
    anchors: Mapping[str, str]

    def role(self, person: str) -> str:
        """instructor, assistant, witness or consulted."""
        return role_of(person, self.paths)


def write_report(run_folder: Path, graph: nx.Graph, *, operator: bool = False) -> Path:
    """Write `report.html` beside the run's `trace.jsonl`; returns its path.

    The page asks for nothing outside itself, and can be written while the run goes on. graph: people are nodes, by
    id, with the shown name as the attribute `name`; ties are edges. People of the trace who are not in it are told
    of but not drawn. operator: with all that anybody's agent did, said and withheld; else as those see it who asked
    (see `run_views`). Raises StorageError when the trace cannot be read or the page not written.
    """
    events = list(read_trace(run_folder / "trace.jsonl"))
    whole = tell(typed(events))
    page = _page(whole if operator else tell(typed(seen(events))), graph)
    path = run_folder / "report.html"
    beside = run_folder / "report.html.part"
    try:
        with beside.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}", "free some space or make it writable") from error
    return path


def _page(run: RunStory, graph: nx.Graph) -> str:
    tasks = [_task_page(number, task) for number, task in enumerate(run.tasks, start=1)]
    names = _names(graph, tasks)
    took_part = tuple(dict.fromkeys(person for task in tasks for person in task.paths.people))
    environment = _environment(names)
    style = environment.get_template("report.css.j2").render(numbers=[task.number for task in tasks])
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        run=run,
        tasks=tasks,
        headline=figures.headline(run),
        groups=figures.groups(
            run, len(took_part), sum(any(chain.untold for chain in task.paths.chains) for task in tasks)
        ),
        drawings=_drawings(graph, tasks, took_part, names),
        people_in_all=len(graph),
        took_part=took_part,
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
    )


def _task_page(number: int, task: TaskStory) -> TaskPage:
    anchors = {said.id: f"said-{number}-{at}" for at, said in enumerate(task.said, start=1)}
    return TaskPage(number, task, paths_of(task), anchors)


def _names(graph: nx.Graph, tasks: list[TaskPage]) -> dict[str, str]:
    """Person id -> shown name, for everyone in the network or the trace."""
    names = {person: person for task in tasks for person in task.paths.people}
    return names | {person: data.get("name") or str(person) for person, data in graph.nodes(data=True)}


def _drawings(
    graph: nx.Graph, tasks: list[TaskPage], took_part: tuple[str, ...], names: Mapping[str, str]
) -> tuple[Drawing, ...]:
    """The network for a wide and for a narrow screen; nothing for a network without people."""
    part = shown(graph, took_part)
    if not len(part):
        return ()
    places = lay_out(part)
    routes = [task.paths for task in tasks]
    return tuple(draw(canvas, part, places, routes, names) for canvas in (WIDE, NARROW))


def _environment(names: Mapping[str, str]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "name": lambda person: names.get(person, person),
        "count": figures.count,
        "seconds": figures.seconds,
        "moment": figures.moment,
        "plural": figures.plural,
        "times": figures.times,
        "percent": partial(figures.share, whole=1),
    }
    return environment


def _hash(text: str) -> str:
    """What a content security policy calls the one style or script it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
