"""What an engine has done since it was loaded, and what it is doing now."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Running totals; they survive a restart of the engine.

    prompt_tokens: sent. evaluated_tokens: of those, not held already. steps: batches. step_seconds: spent in them.
    """

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    prompt_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0
    steps: int = 0
    step_seconds: float = 0.0
    evictions: int = 0
    restarts: int = 0

    def snapshot(self, *, waiting: int, running: int, cells: int, cells_used: int, cached_tokens: int) -> "EngineStats":
        return EngineStats(**asdict(self), waiting=waiting, running=running, cells=cells, cells_used=cells_used,
                           cached_tokens=cached_tokens)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EngineStats:
    """`Counters`, and the state of now. cells: tokens the KV cache holds; cached_tokens: of those used, the ones that
    the prefix tree knows."""

    requests: int
    failed: int
    cancelled: int
    prompt_tokens: int
    evaluated_tokens: int
    generated_tokens: int
    steps: int
    step_seconds: float
    evictions: int
    restarts: int
    waiting: int
    running: int
    cells: int
    cells_used: int
    cached_tokens: int
