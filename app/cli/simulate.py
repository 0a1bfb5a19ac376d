"""`kith simulate`: many tasks over a network, with a report."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from kithnet.app.cli import output
from kithnet.app.cli.ask import ConfigFile, ExpertMemory, Experts, Setting, Stats, Yes, model_settings, need_consent

if TYPE_CHECKING:
    from kithnet.app.simulate import Done, Tally


def simulate(
    world: Annotated[str, typer.Argument(help="The world.")],
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="How many tasks to draw over the network.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Which tasks are drawn.")] = 0,
    in_flight: Annotated[
        int | None, typer.Option("--in-flight", min=1, help="Tasks at once; default: executor.in_flight.")
    ] = None,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="One task after another, no memories written: repeats exactly.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin a new run even if one is unfinished.")] = False,
    operator: Annotated[
        bool, typer.Option("--operator", help="Let the report show everything, what was withheld as well.")
    ] = False,
    config: ConfigFile = None,
    setting: Setting = None,
    experts: Experts = None,
    expert_memory: ExpertMemory = None,
    yes: Yes = False,
    stats: Stats = False,
    as_json: output.AsJson = False,
) -> None:
    """Let the agents of a network work on many tasks; the same command goes on where a run was cut off.

    Example: kith simulate friends --tasks 5
    """
    from kithnet.app import engine_stats
    from kithnet.app import simulate as run
    from kithnet.app.locate import settings, world_named

    place, loaded = world_named(world), settings(config, model_settings(setting, experts, expert_memory))
    need_consent(loaded, yes)
    plan = run.Plan(tasks, seed, in_flight or loaded.executor.in_flight, lockstep)
    with output.progress(f"simulating {place.name}", "tasks") as bar:
        started = time.perf_counter()

        def tell(tally: "Tally", planned: int) -> None:
            spent = time.perf_counter() - started
            tokens = tally.usage.evaluated + tally.usage.generated
            bar(tally.done, planned, f"{tally.turns} utterances, {tokens / spent if spent else 0:.0f} tokens/s")

        done = run.simulate(
            place.folder, place.models, loaded, plan, tell, fresh=fresh, operator=operator,
            foresee=lambda one: output.note(one.told()),
        )  # fmt: skip
    payload, text = contract(done), summary(done)
    if stats:
        told = engine_stats.of_run(done.run)
        payload["stats"], text = told, f"{text}\n{engine_stats.as_text(told)}"
    output.show(payload, text, as_json)
    if done.stalled:
        raise typer.Exit(1)


def contract(done: "Done") -> dict[str, object]:
    """The JSON of `kith simulate --json` (docs/json.md)."""
    return {
        "tasks": {"planned": done.planned, "done": done.done, "failed": done.failed},
        "scores": {"judged": done.judged, "correct": done.correct, "cites_gold": done.cites_gold},
        "run": done.run.id,
        "report": str(done.run.report),
        "seconds": round(done.seconds, 3),
        "calls": done.usage.calls,
        "tokens": {"sent": done.usage.sent, "evaluated": done.usage.evaluated, "generated": done.usage.generated},
        "estimate": done.estimate.contract(),
        "stalled": done.stalled or None,
    }


def summary(done: "Done") -> str:
    """How the run ended, for a person to read."""
    from kithnet.app.estimate import cost

    usage, foreseen = done.usage, done.estimate
    lines = [
        f"{done.done} of {done.planned} tasks done, {done.failed} failed, in {done.seconds:.1f} s",
        f"right: {done.correct} of {done.judged} judged; citing the gold message: {done.cites_gold}",
        f"{usage.calls} model calls, {usage.sent:,} prompt tokens sent, {usage.evaluated:,} evaluated",
        f"estimated: {cost(foreseen.calls, foreseen.sent + foreseen.generated, foreseen.seconds)};"
        f" real: {cost(usage.calls, usage.sent + usage.generated, done.seconds)}",
        f"report: {done.run.report}",
    ]
    if done.stalled:
        lines.insert(0, f"stopped: {done.stalled}. Look with `kith trace {done.run.id}`; the same command goes on")
    return "\n".join(lines)
