"""Does a model fit into this machine's memory, and what is to be expected where its experts do not?"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from kithnet.runtime.offload.arena import Arena
from kithnet.runtime.offload.loader import Load, Loader, Urgency
from kithnet.runtime.offload.store import ExpertStore

RESERVE = 300_000_000
"""Bytes left to the program itself, llama.cpp's buffers and the system's page cache."""
_PROBE = 64 << 20
_UNLIMITED = 1 << 60
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_USAGES = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")

Verdict = Literal["fits", "offload", "too small"]


@dataclass(frozen=True, slots=True)
class Fit:
    """verdict: all of it fits; its experts have to be offloaded; not even that. needed: bytes of everything beside
    keys and values. experts: of those, bytes of experts. memory: what is free. budget: bytes that experts may take."""

    verdict: Verdict
    needed: int
    experts: int
    memory: int
    budget: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """Of decoding one token from a store. hit_rate: of its experts, those in memory. bytes_per_token, seconds: read for
    the others, and how long this disk takes to."""

    hit_rate: float
    bytes_per_token: float
    seconds: float


def free_memory() -> int:
    """Bytes that this process may still take: what is available, within the limit of its control group."""
    free = int(psutil.virtual_memory().available)
    for limit, usage in zip(_LIMITS, _USAGES, strict=True):
        with contextlib.suppress(OSError, ValueError):  # not this version of control groups, or no limit ("max")
            most, used = (int(Path(name).read_text(encoding="ascii")) for name in (limit, usage))
            if most < _UNLIMITED:
                free = min(free, max(most - used, 0))
    return free


def fit(trunk: int, experts: int, kv: int, memory: int, least: int) -> Fit:
    """Judge by bytes: of the model without its experts, of these, of keys and values, of free memory, and of the least
    that offloading works with (`options.least_memory`)."""
    room = memory - trunk - kv - RESERVE
    verdict: Verdict = "fits" if experts <= room else "offload" if experts and least <= room else "too small"
    return Fit(verdict, trunk + experts, experts, memory, max(min(room, experts), 0))


def expert_budget(store: ExpertStore, kv: int) -> int:
    """Bytes for the experts of a store whose trunk is loaded already: all of them, or what memory has left."""
    return min(store.bytes_of("high") + store.bytes_of("low"), max(free_memory() - kv - RESERVE, 0))


def expect(store: ExpertStore, budget: int, bytes_per_second: float) -> Expectation:
    """What decoding in high precision costs when every expert is as likely as any other.

    Real routers prefer some experts and come back to them, so this is a bound from below for their hit rate.
    """
    whole = max(store.bytes_of("high"), 1)
    hit_rate = min(budget / whole, 1.0)
    each = whole / (len(store.layers) * store.experts)
    read = len(store.layers) * store.top_k * each * (1 - hit_rate)
    return Expectation(hit_rate, read, read / bytes_per_second)


def disk_speed(store: ExpertStore, readers: int = 3) -> float:
    """Bytes a second that the loader gets from a store: measured, on up to 64 MB of it. Raises StorageError."""
    records = store.records
    records = records[:: max(len(records) * records[0].nbytes // _PROBE, 1)]
    return read_speed(store.path, [(record.offset, record.nbytes) for record in records], readers)[0]


def read_speed(path: Path, spans: Sequence[tuple[int, int]], readers: int = 3) -> tuple[float, bool]:
    """(bytes a second that the loader gets from a file, whether past the page cache). spans: (offset, bytes) to read.

    Raises StorageError.
    """
    largest = max(nbytes for _, nbytes in spans)
    loader = Loader(path, readers)
    arena = Arena([largest], len(spans), largest * len(spans))
    try:
        loads = [
            Load(arena.take(0, i), offset, nbytes, Urgency.DEMAND, f"{path} at {offset:,}")
            for i, (offset, nbytes) in enumerate(spans)
        ]
        started = time.perf_counter()
        for load in loads:
            loader.submit(load)
        loader.wait(loads)
        return sum(load.nbytes for load in loads) / max(time.perf_counter() - started, 1e-6), loader.direct
    finally:
        loader.close()
        arena.close()
