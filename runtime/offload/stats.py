"""What offloading has done: running totals, and what they come to."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class ExpertCounters:
    """Selections are counted once for each expert, layer and batch, however many tokens of the batch chose it; once every
    expert is here nobody looks any more, and each token counts as top-k hits a layer.

    hits: high precision, there when it was needed. misses: read in high precision, of those streamed: for want of room
    beside the others of the layer. low_hits, low_misses: used in low precision, there and read. skipped: left out.
    early: misses that a prediction had begun to read. stall_seconds: decoding waited for reads. side_seconds: computing
    beside the graph. predicted, confirmed: experts of later layers, and those that were then selected. promoted: read
    in high precision after low had been used. sequences: times that the record of uses began anew.
    """

    batches: int = 0
    tokens: int = 0
    hits: int = 0
    misses: int = 0
    streamed: int = 0
    low_hits: int = 0
    low_misses: int = 0
    skipped: int = 0
    early: int = 0
    stalls: int = 0
    stall_seconds: float = 0.0
    side_seconds: float = 0.0
    predicted: int = 0
    confirmed: int = 0
    prefetched: int = 0
    cancelled: int = 0
    promoted: int = 0
    sequences: int = 0

    def snapshot(
        self, *, bytes_read: int, evictions: int, held_bytes: int, peak_bytes: int, budget_bytes: int, low_cost: float
    ) -> "ExpertStats":
        return ExpertStats(
            **asdict(self), bytes_read=bytes_read, evictions=evictions, held_bytes=held_bytes,
            peak_bytes=peak_bytes, budget_bytes=budget_bytes, low_cost=low_cost,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExpertStats:
    """`ExpertCounters`, and the state of now. low_cost: bytes of a low-precision expert beside a high one's."""

    batches: int
    tokens: int
    hits: int
    misses: int
    streamed: int
    low_hits: int
    low_misses: int
    skipped: int
    early: int
    stalls: int
    stall_seconds: float
    side_seconds: float
    predicted: int
    confirmed: int
    prefetched: int
    cancelled: int
    promoted: int
    sequences: int
    bytes_read: int
    evictions: int
    held_bytes: int
    peak_bytes: int
    budget_bytes: int
    low_cost: float

    @property
    def selections(self) -> int:
        return self.hits + self.misses + self.low_hits + self.low_misses + self.skipped

    @property
    def hit_rate(self) -> float:
        """Of all selections, those that needed no read."""
        return (self.hits + self.low_hits + self.skipped) / self.selections if self.selections else 0.0

    @property
    def miss_penalty(self) -> float:
        """Misses weighed by their bytes: 1 for high precision, less for low (MoE-APEX, 6.4)."""
        return self.misses + self.low_cost * self.low_misses

    @property
    def bytes_per_token(self) -> float:
        return self.bytes_read / self.tokens if self.tokens else 0.0

    @property
    def prefetch_accuracy(self) -> float:
        """Of the experts predicted, those that were then selected."""
        return self.confirmed / self.predicted if self.predicted else 0.0
