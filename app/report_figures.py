"""The numbers of a run as a person reads them."""

from dataclasses import dataclass
from datetime import datetime

from kithnet.app.report_events import LimitReached, ModelFailed, Withheld
from kithnet.app.report_story import RunStory


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its name. note: what it is a part of, or how it was counted."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    figures: tuple[Figure, ...]


def count(number: float) -> str:
    """A whole number with its thousands marked: 70,214."""
    return f"{round(number):,}"


def share(part: float, whole: float) -> str:
    """A part in per cent; a dash where there is nothing to be a part of. 0 % and 100 % are said only when exact."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "< 1 %"
    return "> 99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def seconds(duration: float) -> str:
    """A duration in the unit a person would use: 21 ms, 4.2 s, 1 min 32 s, 2 h 5 min."""
    if duration < 0.0005:
        return "0 s"
    if duration < 0.9995:
        return f"{1000 * duration:.0f} ms"
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(duration / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def moment(iso: str) -> str:
    """A wall time of the trace for a person; what is no time is shown as it is."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname() or ''}".strip()


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 task, 2 tasks."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def headline(run: RunStory) -> tuple[Figure, ...]:
    """What the run came to, in four or five numbers."""
    first = _one_task(run) if run.planned == 1 else _many_tasks(run)
    searched = Figure("messages searched", count(sum(task.searched for task in run.tasks)), "by all recalls")
    return (
        *first,
        searched,
        Figure("running time", seconds(run.seconds), "" if run.finished else "so far; not finished"),
    )


def _one_task(run: RunStory) -> tuple[Figure, ...]:
    said = sum(len(task.said) for task in run.tasks)
    took_part = len({person for task in run.tasks for one in task.said for person in (one.sender, one.receiver)})
    return (
        Figure("utterances", count(said), f"between {plural(took_part, 'person', 'people')}"),
        Figure("consultations", count(sum(len(task.consultations) for task in run.tasks)), "of third parties"),
    )


def _many_tasks(run: RunStory) -> tuple[Figure, ...]:
    done = [task for task in run.tasks if task.status == "done"]
    found = sum(task.known for task in done)
    figures = [
        Figure("tasks done", count(len(done)), f"of {count(run.planned)} planned"),
        Figure("answered", share(found, len(done)), f"{count(found)} of {count(len(done))} done"),
    ]
    judged = [task.cites_gold for task in done if task.cites_gold is not None]
    if judged:
        hits = f"{count(sum(judged))} of {count(len(judged))} with gold"
        figures.append(Figure("cite the gold message", share(sum(judged), len(judged)), hits))
    return tuple(figures)


def groups(run: RunStory, took_part: int, untold: int) -> tuple[Group, ...]:
    """Everything else that was counted. untold: tasks whose answer rests on what the instructor was never told."""
    return (_collaboration(run, took_part), _model(run), _discretion(run, untold), _faults(run))


def _collaboration(run: RunStory, took_part: int) -> Group:
    judged = [task.correct for task in run.tasks if task.correct is not None]
    figures = [
        Figure("turns", count(sum(task.turns for task in run.tasks)), "between instructor and assistant"),
        Figure("utterances", count(sum(len(task.said) for task in run.tasks)), "consultations included"),
        Figure("consultations", count(sum(len(task.consultations) for task in run.tasks))),
        Figure("people who took part", count(took_part)),
    ]
    if judged:
        figures.append(Figure("judged correct", f"{sum(judged)} of {len(judged)}"))
    return Group("Collaboration", tuple(figures))


def _model(run: RunStory) -> Group:
    usage = run.usage
    if usage is None:
        return Group("Model", (Figure("calls and tokens", "–", "counted when a task ends"),))
    processed = usage.evaluated + usage.generated
    rate = f"{processed / usage.seconds:,.0f}" if usage.seconds else "–"
    return Group(
        "Model",
        (
            Figure("calls", count(usage.calls)),
            Figure("prompt tokens sent", count(usage.sent)),
            Figure("prompt tokens evaluated", count(usage.evaluated), f"{share(usage.evaluated, usage.sent)} of sent"),
            Figure("tokens generated", count(usage.generated)),
            Figure("tokens a second", rate, "evaluated and generated"),
            Figure("time in the model", seconds(usage.seconds), "summed over calls"),
        ),
    )


def _discretion(run: RunStory, untold: int) -> Group:
    rows = [row for task in run.tasks for row in task.disclosures]
    told = sum(row.told for row in rows)
    return Group(
        "Discretion",
        (
            Figure("disclosures told", count(told)),
            Figure("disclosures refused", count(len(rows) - told)),
            Figure("texts withheld", count(run.count(Withheld)), "would have repeated a refused memory"),
            Figure("answers never told", count(untold), "rest on what nobody said to the instructor"),
        ),
    )


def _faults(run: RunStory) -> Group:
    return Group(
        "Faults",
        (
            Figure("tasks failed", count(sum(task.status == "failed" for task in run.tasks))),
            Figure("limits reached", count(run.count(LimitReached))),
            Figure("model replies unusable", count(run.count(ModelFailed))),
            Figure("times resumed", count(run.processes - 1)),
        ),
    )


def times(number: int) -> str:
    """How often: once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(number, f"{count(number)} times")
