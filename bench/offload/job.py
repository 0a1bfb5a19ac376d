"""What a child process is told to run, and what it tells back: both as JSON."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

How = Literal["mmap", "mmap+willneed", "memory", "offload"]


@dataclass(frozen=True, slots=True)
class Job:
    """One run. model: a GGUF, or a store for `offload`. options: of `ExpertOptions`, for `offload`. tokens: fed one by
    one; the first `warm` are not timed. free: after them, draw the likeliest token so many times instead. reference:
    a file of log-probabilities to compare with, "" for none; keep: where to write one's own. cage: a control group."""

    model: str
    how: How
    tokens: list[int]
    warm: int
    options: dict[str, Any] = field(default_factory=dict)
    free: int = 0
    reference: str = ""
    keep: str = ""
    cage: str = ""
    timeline: bool = False

    def as_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Outcome:
    """ms: of each timed token. bytes: read from the disk for each of them, on average. digests: of all logits up to each
    token, warm ones too. kl, agreement: from the reference, None without one. anonymous: bytes of the process that are
    no file's, at their most. stats: of the offloading. drawn: tokens that were drawn. timeline: (label, start, end) in
    ms of the last token."""

    ms: list[float]
    bytes: float
    digests: list[str]
    kl: float | None = None
    kl_p99: float | None = None
    agreement: float | None = None
    anonymous: int = 0
    load_seconds: float = 0.0
    stats: dict[str, Any] = field(default_factory=dict)
    drawn: list[int] = field(default_factory=list)
    timeline: list[tuple[str, float, float]] = field(default_factory=list)
