"""What the local model did in a run: an event of its trace, and the lines and JSON of `--stats`."""

from dataclasses import asdict
from typing import Any

from kithnet.app.runs import Run
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.local import LocalModel
from kithnet.runtime.offload.stats import ExpertStats
from kithnet.runtime.trace import Trace, read_trace


def emit(trace: Trace, model: ChatModel) -> None:
    """Write down what the engine of a local model has done so far; of any other model there is nothing to say."""
    if isinstance(model, LocalModel):
        experts = model.expert_stats()
        trace.emit("engine", **asdict(model.stats()), experts=None if experts is None else of_experts(experts))


def of_experts(stats: ExpertStats) -> dict[str, Any]:
    """Counts, and the rates they come to."""
    return {
        **asdict(stats),
        "hit_rate": round(stats.hit_rate, 4),
        "miss_penalty": round(stats.miss_penalty, 2),
        "bytes_per_token": round(stats.bytes_per_token),
        "prefetch_accuracy": round(stats.prefetch_accuracy, 4),
    }


def of_run(run: Run) -> dict[str, Any] | None:
    """The last thing that was written down of a run's engine; None for a model elsewhere."""
    told = [event for event in read_trace(run.trace) if event["kind"] == "engine"]
    return {key: value for key, value in told[-1].items() if key not in ("kind", "seq", "t", "at")} if told else None


def as_text(stats: dict[str, Any] | None) -> str:
    """The same for a person to read."""
    if stats is None:
        return "Engine: the model runs elsewhere"
    seconds = stats["step_seconds"]
    tokens = stats["evaluated_tokens"] + stats["generated_tokens"]
    lines = [
        f"Engine: {stats['requests']} requests, {stats['steps']} batches, {tokens:,} tokens evaluated in {seconds:.1f} s"
        + (f" ({tokens / seconds:.1f} tokens/s)" if seconds else "")
    ]
    experts = stats["experts"]
    if experts is not None:
        lines += _experts(experts)
    return "\n".join(lines)


def _experts(of: dict[str, Any]) -> list[str]:
    """Lines about offloading."""
    lines = [
        f"Experts: {of['held_bytes'] / 1e6:,.0f} of {of['budget_bytes'] / 1e6:,.0f} MB held, {of['hit_rate']:.1%} there "
        f"when needed, {of['bytes_per_token'] / 1e6:.1f} MB read a token, {of['stall_seconds']:.1f} s waited for",
        f"  high: {of['hits']:,} hits, {of['misses']:,} misses; low: {of['low_hits']:,} hits, {of['low_misses']:,} misses; "
        f"{of['skipped']:,} skipped, miss penalty {of['miss_penalty']:,.1f}",
    ]
    if of["predicted"]:
        lines.append(
            f"  prefetch: {of['prefetched']:,} read ahead, {of['prefetch_accuracy']:.1%} of predictions right, "
            f"{of['cancelled']:,} given up"
        )
    return lines
