"""A run's trace for a person: which run is meant, which events are wanted, and each as one line."""

import difflib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kithnet.app.runs import Run, all_runs
from kithnet.runtime.errors import InputError, UnknownPerson, UnknownRun
from kithnet.runtime.trace import read_trace

Event = dict[str, Any]

_PEOPLE = ("person", "asks", "sender", "receiver", "from", "to", "instructor", "assistant")
_HEAD = ("seq", "t", "at", "kind", "dialogue", "task")
_POLL = 0.3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to show; an empty field wants all. kinds: any of them."""

    kinds: tuple[str, ...] = ()
    person: str = ""
    task: str = ""


def find(worlds: Path, name: str, world: str | None = None) -> Run:
    """The run called `name` in any world or in `world`; "last" is the newest; a path is a run folder or its trace.

    Raises UnknownRun with near matches, or where several worlds have such a run.
    """
    try:
        as_path = Path(name).expanduser()
    except RuntimeError as error:
        raise UnknownRun(f"{name}: {error}", "give a path that can be found") from error
    folder = as_path.parent if as_path.name == "trace.jsonl" else as_path
    if (folder / "trace.jsonl").is_file() and (len(as_path.parts) > 1 or not worlds.is_dir()):
        return Run(folder.resolve().name, folder)
    folders = [path for path in sorted(worlds.iterdir()) if world in (None, path.name)] if worlds.is_dir() else []
    runs = [run for place in folders for run in all_runs(place)]
    if name == "last" and runs:
        return max(runs, key=lambda run: (run.config.stat().st_mtime, run.id))
    found = [run for run in runs if run.id == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownRun(f"{len(found)} worlds have a run {name!r}", "add --world NAME")
    near = difflib.get_close_matches(name, [run.id for run in runs], n=3, cutoff=0.5)
    recent = [run.id for run in sorted(runs, key=lambda run: run.config.stat().st_mtime, reverse=True)[:3]]
    where = f" in world {world!r}" if world else ""
    if not runs:
        raise UnknownRun(f"no run {name!r}{where}: there are no runs yet", "`kith ask` or `kith simulate` makes one")
    hint = f"did you mean {', '.join(near)}?" if near else f"the newest are {', '.join(recent)}"
    raise UnknownRun(f"no run {name!r}{where}", hint)


def select(events: Iterable[Event], wanted: Wanted) -> list[Event]:
    """The wanted events of a run, in order.

    Raises InputError for a kind that does not exist or a task, UnknownPerson for a person, not in the run.
    """
    every = list(events)
    _known(wanted.kinds, {*_LINES, *(event["kind"] for event in every)}, "kind of event", InputError)
    _known((wanted.task,), {event["task"] for event in every if event["kind"] == "task"}, "task", InputError)
    _known((wanted.person,), {person for event in every for person in people_in(event)}, "person", UnknownPerson)
    return [event for event in every if fits(event, wanted)]


def known_person(events: Iterable[Event], person: str) -> None:
    """Raises UnknownPerson, with near names, for one who has no part in the events."""
    _known((person,), {one for event in events for one in people_in(event)}, "person", UnknownPerson)


def fits(event: Event, wanted: Wanted) -> bool:
    """Whether an event is one of the wanted."""
    return (
        (not wanted.kinds or event["kind"] in wanted.kinds)
        and (not wanted.person or wanted.person in people_in(event))
        and (not wanted.task or _serves(event, wanted.task))
    )


def follow(run: Run, after: int) -> Iterator[Event]:
    """Events of a run as they come, those after seq `after`, until the run is done or stopped."""
    while True:
        for event in read_trace(run.trace):
            if event["seq"] > after:
                after = event["seq"]
                yield event
                if event["kind"] in ("run_done", "stalled"):
                    return
        time.sleep(_POLL)


def people_in(event: Event) -> set[str]:
    """The people an event is about."""
    found = {event[field] for field in _PEOPLE if isinstance(event.get(field), str)}
    found.update(event.get("pair") or ())
    found.update(event.get("consulted") or ())
    return found


def line(event: Event) -> str:
    """One event as one line: seconds, kind, where, what. Line breaks and control characters are shown as spaces."""
    kind = event["kind"]
    where = event.get("dialogue") or (event.get("task") if kind in ("task", "task_done") else "") or ""
    told = _LINES[kind](event) if kind in _LINES else _fields(event)
    whole = f"{event.get('t', 0):9.2f}s  {kind:<12} {where:<14} {told}".rstrip()
    return "".join(char if char.isprintable() else " " for char in whole)


def _serves(event: Event, task: str) -> bool:
    where = str(event.get("dialogue") or (event.get("task") if event["kind"] in ("task", "task_done") else ""))
    return where == task or where.startswith(f"{task}.")


def _known(names: Sequence[str], known: set[str], what: str, error: type[InputError]) -> None:
    for name in names:
        if name and name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(sorted(known)[:20]) or 'none'}"
            raise error(f"no {what} {name!r} in this run", hint)


def _fields(event: Event) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in event.items() if key not in _HEAD)


def _run(e: Event) -> str:
    size = f"{e.get('people', 0):,} people, {e.get('ties', 0):,} ties, {e.get('messages', 0):,} messages"
    return f"{e.get('command')} on {e.get('world')} ({size}); {e.get('model')}, seed {e.get('seed')}, {e.get('tasks')} tasks"


def _task_done(e: Event) -> str:
    if e.get("status") == "failed":
        return f"failed: {e.get('error')}"
    usage = e.get("usage")
    cost = (
        f", {usage.get('calls', 0)} calls, {usage.get('sent', 0):,} tokens sent, {usage.get('evaluated', 0):,} evaluated"
        if usage
        else ""
    )
    judged = {True: ", correct", False: ", wrong", None: ""}[e.get("correct")]
    cites = ", ".join(e.get("citations") or ()) or "nothing"
    return f"{e.get('answer')} [cites {cites}{judged}; {e.get('turns')} turns, {e.get('seconds')} s{cost}]"


def _recall(e: Event) -> str:
    hits = ", ".join(f"{id} {score:.2f}" for id, score in (e.get("hits") or ())[:4]) or "nothing"
    return f"{e['person']} for “{e.get('question')}”: {hits} ({e.get('searched', 0):,} searched, {e.get('mode')})"


def _disclosure(e: Event) -> str:
    outcome = "told" if e.get("told") else "refused"
    return f"{e.get('from')} -> {e.get('to')} {', '.join(e.get('messages') or ())}: {outcome} ({e.get('rule')})"


def _ledgers(e: Event) -> str:
    def told(side: str) -> str:
        return ", ".join(f"{row.get('id')} {row.get('status')}" for row in e.get(side) or ()) or "empty"

    return f"instructor: {told('instructor')}; assistant: {told('assistant')}"


def _engine(e: Event) -> str:
    experts = e.get("experts")
    of = f"; experts {experts['hit_rate']:.0%} there when needed" if experts else ""
    return f"{e.get('requests')} requests, {e.get('steps')} batches, {e.get('step_seconds', 0):.1f} s{of}"


_LINES: dict[str, Callable[[Event], str]] = {
    "run": _run,
    "stalled": lambda e: str(e.get("why")),
    "run_done": lambda e: f"after {e.get('seconds')} s",
    "task": lambda e: f"{e.get('instructor')} asks {e.get('assistant')}: {e.get('question')}",
    "task_done": _task_done,
    "dialogue": lambda e: f"{' with '.join(e.get('pair') or ())}: {e.get('task')}",
    "plan": lambda e: f"{e.get('person')}: {' | '.join(e.get('questions') or ())}",
    "recall": _recall,
    "found": lambda e: f"{e.get('person')} in {e.get('evidence')} (support {e.get('support')}): {e.get('value')}",
    "tool": lambda e: (
        f"{e.get('person')} will compute: {e.get('tool')} of {', '.join(e.get('people') or ()) or 'everybody'}"
    ),
    "compute": lambda e: (
        f"{e.get('tool')} over {len(e.get('entries') or ())} entries: {e.get('result') or 'not known'}"
    ),
    "routed": lambda e: f"{e.get('person')} chooses to ask {e.get('asks')} ({e.get('reason')}): {e.get('question')}",
    "move": lambda e: (
        f"{e.get('person')} ({e.get('mind')}): {e.get('act')}" + "".join(f"; {n}" for n in e.get("notes") or ())
    ),
    "looked": lambda e: (
        f"{e.get('person')} {e.get('act')}: {' | '.join(e.get('queries') or ())} -> {', '.join(e.get('shown') or ()) or 'nothing'}"
    ),
    "computed": lambda e: f"{e.get('person')} {e.get('id')} = {e.get('tool')} of {e.get('items')}: {e.get('result')}",
    "refused": lambda e: f"{e.get('person')}: {' | '.join(e.get('problems') or ())}",
    "fell_back": lambda e: f"{e.get('person')}: no usable move of the {e.get('mind')}, the reader makes it",
    "asked_back": lambda e: (
        f"{e.get('person')} asks back: {e.get('question')} -> {e.get('answer') or 'nobody answered'}"
    ),
    "consult": lambda e: f"{e.get('person')} turns to {e.get('asks')} ({e.get('reason')}): {e.get('question')}",
    "utterance": lambda e: f"{e.get('sender')} -> {e.get('receiver')}: {e.get('text')}",
    "disclosure": _disclosure,
    "not_asked": lambda e: (
        f"{e.get('person')} did not ask {e.get('asks')} “{e.get('question')}”: it rests on {', '.join(e.get('rests_on') or ())}"
    ),
    "cut": lambda e: (
        f"{e.get('person')}: {e.get('left_out')} entries beyond {e.get('kept')} left out: {e.get('question')}"
    ),
    "withheld": lambda e: f"{e.get('person')}: the text would have repeated a refused memory",
    "limit": lambda e: str(e.get("why")),
    "model_failed": lambda e: f"{e.get('purpose')}: {e.get('why')}",
    "answer": lambda e: (
        f"{e.get('answer')} [{', '.join(e.get('citations') or ()) or 'no evidence'}; {e.get('stopped_because')}]"
    ),
    "ledgers": _ledgers,
    "wake": lambda e: f"{e.get('owner')}: {e.get('tokens')} tokens held again {e.get('why', '')}".rstrip(),
    "engine": _engine,
    "sleep": lambda e: f"{e.get('owner')}: {e.get('tokens')} tokens saved {e.get('why', '')}".rstrip(),
    "kept": lambda e: (
        f"{e.get('person')} keeps {e.get('memory')}: {e.get('text')}"
        + (f", in place of {e.get('in_place_of')}" if e.get("in_place_of") else "")
    ),
    "remembered": lambda e: (
        f"{e.get('person')} of the talk with {e.get('partner')}: {len(e.get('added') or ())} new, "
        f"{len(e.get('confirmed') or ())} known, {e.get('updated')} closed, {e.get('linked')} links"
    ),
    "chat": lambda e: f"{e.get('partner')}: {e.get('text')} | {e.get('reply')}",
}
