"""The arms: ways to run one model in a given memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kithnet.bench.offload.job import How
from kithnet.bench.offload.lowered import mixed_types, size_with, uniform_types, write_lowered
from kithnet.runtime.convert.gguffile import Source
from kithnet.runtime.offload.calibrate import Thresholds
from kithnet.runtime.offload.options import ExpertOptions, least_memory
from kithnet.runtime.offload.store import ExpertStore

SLACK = 0.03
"""Of the memory, what an arena leaves for rounding and for pages that come and go."""
AHEAD = 2
"""Layers that are predicted where prefetching is measured."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under measurement, with everything that its arms need. trunk: bytes of it that are no experts."""

    name: str
    model: Path
    source: Source
    store: ExpertStore
    thresholds: Thresholds
    trunk: int
    tokens: Sequence[int]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.source.tensors)


@dataclass(frozen=True, slots=True)
class Run:
    """How an arm runs. file: what is loaded. refused: why it does not fit, "" where it does. exact: its logits must be
    those of unlimited memory. note: what is in the file."""

    arm: str
    file: Path
    how: How
    options: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""
    exact: bool = False
    note: str = ""


STOCK, WILLNEED, LRU, LCU = "mmap", "willneed", "lru", "lcu"
MIXED_LRU, MIXED_LCU, PREFETCH, SKIP = "mixed-lru", "mixed-lcu", "prefetch", "skip"
RESIDENT, UNIFORM, STATIC, UNLIMITED = "resident-low", "uniform", "static", "unlimited"
ARMS = (STOCK, WILLNEED, LRU, LCU, MIXED_LRU, MIXED_LCU, PREFETCH, SKIP, RESIDENT, UNIFORM, STATIC)
"""By name; `unlimited` is always run, and Belady's bound replayed."""


def arms(subject: Subject, room: int, folder: Path, only: Sequence[str] = ()) -> list[Run]:
    """All arms but `unlimited`, or `only` some, for `room` bytes of memory for the model. folder: for lowered GGUFs."""
    return [_run(subject, room, folder, arm) for arm in ARMS if not only or arm in only]


def _run(subject: Subject, room: int, folder: Path, arm: str) -> Run:
    t1, t2 = subject.thresholds.t1, subject.thresholds.t2
    mixed = {"t1": t1, "policy": "lcu"}
    ahead = {**mixed, "prefetch": AHEAD}
    if arm in (STOCK, WILLNEED):
        return Run(arm, subject.model, "mmap" if arm == STOCK else "mmap+willneed", exact=True)
    if arm in (UNIFORM, STATIC):
        return _lowered(subject, room, folder, arm)
    options: dict[str, dict[str, Any]] = {
        LRU: {"policy": "lru"},
        LCU: {"policy": "lcu"},
        MIXED_LRU: {**mixed, "policy": "lru"},
        MIXED_LCU: mixed,
        PREFETCH: ahead,
        SKIP: {**ahead, "t2": t2, "skip": True},
        RESIDENT: {**mixed, "resident_low": True},
    }
    return _offload(subject, room, arm, options[arm], exact=arm in (LRU, LCU))


def unlimited(subject: Subject) -> Run:
    return Run(UNLIMITED, subject.model, "memory", exact=True)


def _offload(subject: Subject, room: int, arm: str, options: Mapping[str, Any], exact: bool) -> Run:
    budget = int(room * (1 - SLACK)) - subject.trunk
    given = {**options, "memory_bytes": budget}
    least = least_memory(subject.store, ExpertOptions(mode="offload", **options))
    refused = (
        f"needs {least / 1e6:,.0f} MB for experts, {max(budget, 0) / 1e6:,.0f} MB are left" if budget < least else ""
    )
    return Run(arm, subject.store.path, "offload", given, refused, exact)


def _lowered(subject: Subject, room: int, folder: Path, arm: str) -> Run:
    chosen = (uniform_types if arm == UNIFORM else mixed_types)(subject.source, room)
    if chosen is None:
        return Run(arm, subject.model, "mmap", refused="no type is small enough")
    counts = {name: list(chosen.values()).count(name) for name in chosen.values()}
    note = ", ".join(f"{name} in {count} layers" for name, count in counts.items())
    file = folder / f"{subject.name}-{'-'.join(f'{name}x{count}' for name, count in counts.items())}.gguf"
    if not file.exists():
        write_lowered(subject.model, file, chosen)
    return Run(arm, file, "mmap", note=f"{note}; {size_with(subject.source, chosen) / 1e6:,.0f} MB")
