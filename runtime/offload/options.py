"""How a model's experts are kept, and how a budget is divided between their two precisions."""

from dataclasses import dataclass
from typing import Literal, get_args

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.offload.cache import POLICIES
from kithnet.runtime.offload.store import ExpertStore

Mode = Literal["auto", "memory", "mmap", "mmap+willneed", "offload"]
MODES: tuple[str, ...] = get_args(Mode)
MOST_READERS, MOST_LAYERS_AHEAD = 64, 8


@dataclass(frozen=True, slots=True)
class ExpertOptions:
    """mode: memory reads every weight into memory; mmap lets the system page the file in and out; mmap+willneed asks
    it for each selected expert as soon as it is selected; offload reads experts from a store; auto is offload for a
    store, and for a GGUF that has one beside it and does not fit into memory, else mmap.

    The rest is for offload. memory_bytes: what experts may take, 0 for as much as all of them. policy: see
    `cache.POLICIES`. t1, t2: unimportance up to which a missing expert is read in high, and in low precision (see
    `score.decide`); t1 of 1 never lowers, t1 below 0 always does. skip: leave out what is above t2 (else it is read
    low). resident_low: all low-precision experts stay in memory and a miss never waits. low_share: of the memory, for
    low precision where it is not resident; little is enough, since a low copy serves only what weighs little, and a high
    one everything. prefetch: layers ahead that are predicted, 0 for none. readers: threads that
    read. direct: bypass the page cache where that is possible.
    """

    mode: Mode = "auto"
    memory_bytes: int = 0
    policy: str = "lcu"
    t1: float = 1.0
    t2: float = 1.0
    skip: bool = False
    resident_low: bool = False
    low_share: float = 0.06
    prefetch: int = 0
    readers: int = 3
    direct: bool = True

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"experts={self.mode!r} is no way to keep experts", f"choose from {', '.join(MODES)}")
        if self.policy not in POLICIES:
            raise ConfigError(f"there is no eviction policy {self.policy!r}", f"choose from {', '.join(POLICIES)}")
        ranges = {
            "t1": (self.t1, -1.0, 1.0), "t2": (self.t2, self.t1, 1.0), "low_share": (self.low_share, 0.0, 0.9),
            "prefetch": (self.prefetch, 0, MOST_LAYERS_AHEAD), "readers": (self.readers, 1, MOST_READERS),
            "memory_bytes": (self.memory_bytes, 0, float("inf")),
        }  # fmt: skip
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise ConfigError(f"{name}={value:g} is out of range", f"{name} is {low:g} to {high:g}")

    @property
    def lowers(self) -> bool:
        """Whether low precision is used at all."""
        return self.t1 < 1 or self.resident_low


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes for each precision."""

    high: int
    low: int

    @property
    def total(self) -> int:
        return self.high + self.low


def divide(store: ExpertStore, options: ExpertOptions) -> Budget:
    """Divide the memory between the precisions. ConfigError, with the least that works, where it is too little."""
    everything = _whole(store, "high")
    low_whole = _whole(store, "low") if options.lowers else 0
    least = _least(store, options)
    total = options.memory_bytes or everything + low_whole
    if total < least.total:
        raise ConfigError(
            f"{total:,} bytes are too little for the experts of {store.path.name}: {store.top_k} of a layer must be there "
            f"at once{', beside all of low precision' if options.resident_low else ''}",
            f"give {least.total:,} bytes or more (--expert-memory {-(-least.total // 1_000_000)}MB)",
        )
    if not options.lowers:
        return Budget(min(total, everything), 0)
    low = low_whole if options.resident_low else min(max(int(total * options.low_share), least.low), low_whole)
    low = min(low, total - least.high)
    return Budget(min(total - low, everything), low)


def least_memory(store: ExpertStore, options: ExpertOptions) -> int:
    """Bytes below which `divide` refuses."""
    return _least(store, options).total


def _least(store: ExpertStore, options: ExpertOptions) -> Budget:
    low = 0
    if options.lowers:
        low = _whole(store, "low") if options.resident_low else store.top_k * max(places(store, "low"))
    return Budget(store.top_k * max(places(store, "high")), low)


def places(store: ExpertStore, precision: str) -> tuple[int, ...]:
    """The size of an expert's place in each layer: that of the layer's largest record."""
    return tuple(max(store.record(n, e, precision).nbytes for e in range(store.experts)) for n in store.layers)


def _whole(store: ExpertStore, precision: str) -> int:
    return sum(places(store, precision)) * store.experts
