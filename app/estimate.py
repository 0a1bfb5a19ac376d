"""What a simulation is likely to cost, told before it begins: as earlier runs of this home went, else by the settings."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kithnet.agents.settings import MindName
from kithnet.app.runs import Run, all_runs
from kithnet.runtime.chat import Usage
from kithnet.runtime.config import Config

RUNS = 20
"""Earlier runs that are read, the newest."""
CALLS_A_TURN, ASKED, REPLY = 4, 200, 32
"""Where no run tells: most calls of a turn (plan, choose, read, word), tokens of a prompt beside its memories, of a reply."""
_KINDS = tuple(f'"kind":"{kind}"'.encode() for kind in ("run", "task_done", "engine"))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of `tasks` tasks. seconds: wall clock, None where no run has told how fast the model is.

    basis: "runs", the mean of `runs` earlier ones with the same model and mind; "settings": at most so much; "reader":
    it thinks for the agents, and no model is called.
    """

    tasks: int
    calls: int
    sent: int
    generated: int
    seconds: float | None
    basis: Literal["runs", "settings", "reader"]
    runs: int

    def contract(self) -> dict[str, Any]:
        """As `kith simulate --json` prints it."""
        return {
            "tasks": self.tasks,
            "calls": self.calls,
            "tokens": {"sent": self.sent, "generated": self.generated},
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "basis": self.basis,
            "runs": self.runs,
        }

    def told(self) -> str:
        """For a person to read."""
        by = "at most, by the settings: there is no earlier run to go by"
        if self.basis == "reader":
            by = "the reader thinks for the agents, no model is called"
        if self.runs:
            by = f"as {self.runs} earlier run{'s' if self.runs > 1 else ''} with this model went"
        return f"estimate for {self.tasks} tasks: {cost(self.calls, self.sent + self.generated, self.seconds)} ({by})"


def cost(calls: int, tokens: int, seconds: float | None) -> str:
    """Calls, tokens and minutes, for a person to read."""
    time = "minutes not known" if seconds is None else f"{seconds / 60:.1f} minutes"
    return f"{calls:,} calls, {tokens:,} tokens, {time}"


@dataclass(slots=True)
class _Told:
    """What traces tell of one model. seconds: wall clock of the tasks. stepped: in the engine, over `tokens`."""

    runs: int = 0
    tasks: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    tokens: int = 0
    stepped: float = 0.0


def estimate(world: Path, run: Run, config: Config, model: str, mind: MindName, tasks: int) -> Estimate:
    """The cost of so many tasks with a model and who thinks. run: the one to come, which tells nothing yet."""
    told = _Told()
    for path in _traces(world.parent, run):
        _add(list(_events(path)), model, mind, told)
    if told.tasks:
        share, usage = tasks / told.tasks, told.usage
        return Estimate(
            tasks, round(share * usage.calls), round(share * usage.sent), round(share * usage.generated),
            share * told.seconds, "runs", told.runs,
        )  # fmt: skip
    if mind == "reader":
        return Estimate(tasks, 0, 0, 0, None, "reader", 0)
    return _by_settings(config, tasks, told.tokens / told.stepped if told.stepped else 0.0)


def _by_settings(config: Config, tasks: int, speed: float) -> Estimate:
    """At most so much: every turn taken, within the limits. speed: tokens a second, 0 where it is not known."""
    limits = config.limits
    calls = min(config.dialogue.max_turns * CALLS_A_TURN, limits.calls or 1 << 30)
    sent, generated = calls * (config.recall.budget_tokens + ASKED), calls * REPLY
    if limits.tokens and limits.tokens < sent + generated:
        sent, generated = sent * limits.tokens // (sent + generated), generated * limits.tokens // (sent + generated)
    seconds = (sent + generated) / speed if speed else None
    if limits.seconds:
        seconds = min(limits.seconds, seconds or limits.seconds)
    return Estimate(
        tasks, tasks * calls, tasks * sent, tasks * generated, None if seconds is None else tasks * seconds,
        "settings", 0,
    )  # fmt: skip


def _traces(worlds: Path, run: Run) -> list[Path]:
    runs = [one for world in worlds.iterdir() if world.is_dir() for one in all_runs(world)]
    found = [one.trace for one in runs if one.folder != run.folder and one.trace.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime)[-RUNS:]


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """The events that tell of cost; a line that was cut off is left out. Nothing for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and any(kind in line for kind in _KINDS):
                    yield json.loads(line)
    except (OSError, ValueError):
        return


def _add(events: Sequence[dict[str, Any]], model: str, mind: MindName, told: _Told) -> None:
    """Add what one trace tells. One that was continued tells no wall clock, and is left out; so is who else thought."""
    begun = [event for event in events if event["kind"] == "run"]
    if len(begun) != 1 or (begun[0].get("model"), begun[0].get("mind", mind)) != (model, mind):
        return
    for engine in (event for event in events if event["kind"] == "engine"):
        told.tokens += engine["evaluated_tokens"] + engine["generated_tokens"]
        told.stepped += engine["step_seconds"]
    done = [event for event in events if event["kind"] == "task_done" and event["status"] == "done"]
    if done:
        told.runs += 1
        told.tasks += len(done)
        told.seconds += done[-1]["t"] - begun[0]["t"]
        told.usage = sum((Usage(**event["usage"]) for event in done), told.usage)
