"""Which model suits this machine (`kith model recommend`): what fits, and how fast it can be at most.

A token cannot come faster than the bytes it needs are read: weights, keys and values from memory, experts that are not
there from the disk. Both speeds are measured; computing takes time too, so this is a bound from above.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from kithnet.app.engines import CONTEXT
from kithnet.runtime.catalogue import CATALOGUE, Listed
from kithnet.runtime.modelcard import AGENT_TOKENS
from kithnet.runtime.offload.fit import fit, free_memory
from kithnet.runtime.speed import DiskSpeed, disk_speed, memory_speed

USABLE = 5.0
"""Tokens a second from which on people wait for an agent."""
_GB, _MB = 1e9, 1e6


@dataclass(frozen=True, slots=True)
class Machine:
    """memory: bytes that a model may take. bandwidth: bytes a second read from memory. disk: None where not measured."""

    memory: int
    bandwidth: float
    disk: DiskSpeed | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A model in a type, as it would run here. needed: bytes of memory it takes, those of experts included that are
    held. weights: bytes of the file, computed. memory_read, disk_read: bytes a token reads of both."""

    model: Listed
    kind: str
    how: Literal["memory", "by need"]
    weights: int
    needed: int
    memory_read: int
    disk_read: int
    tokens_per_second: float

    @property
    def usable(self) -> bool:
        return self.tokens_per_second >= USABLE

    @property
    def fetch(self) -> str:
        """What `kith model fetch` takes for it."""
        return self.model.name if self.kind == self.model.types[0] else self.model.reference(self.kind)

    @property
    def weight(self) -> float:
        """How large it counts: the geometric mean of its parameters and those a token uses, a rule of thumb that sets a
        mixture of experts beside dense models."""
        return float((self.model.parameters * self.model.active) ** 0.5)


def look(models: Path, memory: int = 0, *, write: bool = True) -> Machine:
    """Measure this machine, in less than two seconds. memory: bytes to plan for instead of what is free."""
    free = free_memory()
    return Machine(memory or free, memory_speed(free), disk_speed(models, write=write))


def offer(model: Listed, kind: str, machine: Machine) -> Offer | None:
    """How a model would run, None where it does not fit. Two conversations of the usual length must fit beside it."""
    size = model.size(kind)
    kv = 2 * min(model.context, CONTEXT) * model.kv_bytes_per_token
    least = size.experts_read // model.layers if model.experts else 0  # those that one layer chooses
    found = fit(size.trunk, size.experts, kv, machine.memory, least)
    memory_read = size.trunk_read + size.experts_read + AGENT_TOKENS * model.kv_bytes_per_token
    if found.verdict == "fits":
        speed = machine.bandwidth / memory_read
        return Offer(model, kind, "memory", size.total, size.total + kv, memory_read, 0, speed)
    if found.verdict == "too small" or not model.by_need or machine.disk is None:
        return None
    disk_read = round(size.experts_read * (1 - found.budget / size.experts))
    seconds = memory_read / machine.bandwidth + disk_read / machine.disk.bytes_per_second
    needed = size.trunk + found.budget + kv
    return Offer(model, kind, "by need", size.total, needed, memory_read, disk_read, 1 / seconds)


def recommend(machine: Machine, models: Iterable[Listed] = CATALOGUE) -> list[Offer]:
    """What fits, the best first: the largest that is fast enough; then what is slower, the fastest first.

    Of each model the most exact type that is fast enough from memory alone, else the one that is fastest.
    """
    best = []
    for model in models:
        offers = [made for kind in model.types if (made := offer(model, kind, machine))]
        exact = [made for made in offers if made.usable and made.how == "memory"]
        if exact:
            best.append(max(exact, key=lambda made: made.weights))
        elif offers:
            best.append(max(offers, key=lambda made: made.tokens_per_second))
    return sorted(best, key=lambda made: (not made.usable, -made.weight if made.usable else -made.tokens_per_second))


def contract(machine: Machine, offers: list[Offer]) -> dict[str, Any]:
    """`kith model recommend --json`."""
    fitting = {made.model.name for made in offers}
    disk = machine.disk
    return {
        "memory": machine.memory,
        "memory_speed": round(machine.bandwidth),
        "disk": None if disk is None else {**asdict(disk), "bytes_per_second": round(disk.bytes_per_second)},
        "usable": USABLE,
        "models": [_row(made) for made in offers],
        "too_large": [model.name for model in CATALOGUE if model.name not in fitting],
    }


def _row(made: Offer) -> dict[str, Any]:
    model = made.model
    return {
        "name": model.name, "title": model.title, "fetch": made.fetch, "type": made.kind, "how": made.how,
        "usable": made.usable, "tokens_per_second": round(made.tokens_per_second, 2), "needed": made.needed,
        "bytes": made.weights, "sizes": {kind: model.size(kind).total for kind in model.types},
        "memory_read": made.memory_read, "disk_read": made.disk_read, "parameters": model.parameters,
        "active": model.active, "layers": model.layers, "experts": model.experts, "architecture": model.architecture,
        "kv_bytes_per_token": model.kv_bytes_per_token, "context": model.context, "license": model.license,
        "source": model.source,
    }  # fmt: skip


def as_text(machine: Machine, offers: list[Offer]) -> str:
    """The same for a person."""
    head = (
        f"{machine.memory / _GB:,.1f} GB of memory, read at {machine.bandwidth / _GB:,.1f} GB/s; {_disk(machine.disk)}"
    )
    if not offers:
        return f"{head}\nno model of the table fits: give more memory, or use one behind a URL (model.url)"
    rows = [f"{'':2}{'model':<22}{'type':<8}{'parameters':>18}{'needs':>10}  {'runs':<10}{'at most':>14}  license"]
    rows += [_line(made) for made in offers]
    first = offers[0]
    chosen = f"The first is the largest that can do {USABLE:g} tokens a second" if first.usable else (
        f"None can do {USABLE:g} tokens a second; the first is the fastest"
    )  # fmt: skip
    fetch = f"kith model fetch {first.fetch}" + ("" if first.how == "memory" else ", then kith model convert it")
    return "\n".join([
        head, "", *rows, "",
        f"{chosen}: a bound, since computing takes time too.",
        "Sizes are computed from bits a weight; two conversations fit beside each model.", f"Next: {fetch}",
    ])  # fmt: skip


def in_short(made: Offer) -> str:
    """One line for `kith doctor`."""
    way = "" if made.how == "memory" else ", its experts read by need"
    return f"{made.model.title}, {made.kind}{way}: at most {_speed(made)} tokens/s (kith model fetch {made.fetch})"


def _line(made: Offer) -> str:
    model = made.model
    size = f"{model.parameters / _GB:,.2f} B" + (f", {model.active / _GB:,.1f} used" if model.experts else "")
    mark = "" if made.usable else "-"
    return (
        f"{mark:<2}{model.name:<22}{made.kind:<8}{size:>18}{made.needed / _GB:>7,.2f} GB  {made.how:<10}"
        f"{_speed(made):>6} tokens/s  {model.license}"
    )


def _speed(made: Offer) -> str:
    return f"{made.tokens_per_second:,.0f}" if made.tokens_per_second >= 10 else f"{made.tokens_per_second:,.1f}"


def _disk(disk: DiskSpeed | None) -> str:
    if disk is None:
        return "the disk was not measured"
    way = "past the page cache" if disk.direct else "perhaps from the page cache"
    return f"the disk at {disk.bytes_per_second / _MB:,.0f} MB/s ({way}, {disk.of})"
