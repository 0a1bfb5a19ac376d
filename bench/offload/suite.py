"""`kith bench offload`: both models, every arm, the bars, and what a person reads afterwards."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kithnet.bench.offload import arms as of
from kithnet.bench.offload.cage import kind
from kithnet.bench.offload.drawing import write_report
from kithnet.bench.offload.measure import Measured, as_rows, measure, timeline
from kithnet.bench.offload.subjects import MOEFIED, QUICK, SYNTHETIC, WHOLE, Sizes, moefied, synthetic
from kithnet.bench.report import Bar, Result
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.offload.fit import disk_speed
from kithnet.runtime.offload.replay import BELADY, Rules, compare
from kithnet.runtime.offload.routing import Routing

Tell = Callable[[int, int | None, str], None]
OURS = (of.LRU, of.LCU, of.MIXED_LRU, of.MIXED_LCU, of.PREFETCH, of.SKIP, of.RESIDENT)
"""Those that offload."""
CHOSEN = of.PREFETCH
"""The arm that is held against the opponents, chosen before anything is measured: what `precision = "mixed"` with
`prefetch = 2` does."""
_REPLAYED = (BELADY, "lru", "lfu", "lcu", "hobbit")
_SMALL = 0.5  # of the high model: up to here the bars beside willneed and LRU count
_TOLERANCE = 1.05  # of a limit


@dataclass(frozen=True, slots=True)
class Wanted:
    """folder: where models, runs and the report are kept. dense: what the second model is cut from. text: to cut and
    measure it with. only: one of the models, "" for both. arms: some of them; all when empty."""

    folder: Path
    dense: Path
    text: str
    sizes: Sizes
    seed: int
    only: str = ""
    arms: tuple[str, ...] = ()


def run(wanted: Wanted, tell: Tell) -> tuple[Result, Path]:
    """Measure, and write `report.html` into the folder. Raises what making and running the models raises."""
    started = time.perf_counter()
    size = _checked(wanted)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    steps = 0

    def say(note: str) -> None:
        nonlocal steps
        steps += 1
        tell(steps, None, note)

    rows: list[dict[str, Any]] = []
    bars: list[Bar] = []
    found: list[Measured] = []
    spans: Mapping[str, Any] = {}
    for name in [wanted.only] if wanted.only else [SYNTHETIC, MOEFIED]:
        if name == SYNTHETIC:
            subject, routing = synthetic(wanted.folder, size, wanted.seed, say)
        else:
            subject, routing = moefied(wanted.folder, wanted.dense, wanted.text, size, say)
        before = disk_speed(subject.store)
        mine = measure(
            subject, size, wanted.folder, free=size.free_shares if name == MOEFIED else (), tell=say, only=wanted.arms
        )
        after = disk_speed(subject.store)
        rows += as_rows(mine) + _replayed(name, routing, subject.store.bytes_of("high"), size.shares, subject)
        rows.append(_disk(name, before, after, subject))
        bars += list(bars_of(mine, name))
        found += mine
        if name == SYNTHETIC and (drawn := _of(mine, of.MIXED_LCU, _SMALL)) and drawn.outcomes:
            spans = {"arm": drawn.run.arm, "spans": timeline(subject, drawn, size).timeline}
    report = write_report(wanted.folder, rows, found, spans)
    short = ", few repeats" * (size.repeats < WHOLE.repeats)
    title = f"Experts offloaded beside llama.cpp's own means; memory limited by: {kind()}{short}"
    return Result(title, rows, bars, wanted.seed, time.perf_counter() - started), report


def bars_of(found: Sequence[Measured], name: str) -> Iterator[Bar]:
    """What the design asks for, of one model."""
    shares = sorted({each.share for each in found if each.share < 1})
    best = next(each for each in found if each.run.arm == of.UNLIMITED)
    for share in shares:
        at = {each.run.arm: each for each in found if each.share == share and each.outcomes}
        ours = [at[arm] for arm in OURS if arm in at]
        if name == SYNTHETIC:
            yield from _speed_bars(at, share, best)
        if CHOSEN in at and of.STATIC in at:
            kl, static = (at[arm].outcomes[-1].kl or 0.0 for arm in (CHOSEN, of.STATIC))
            yield Bar(f"{name} {share:.0%}: KL of {CHOSEN}, beside static mixed", kl, static, "lower")
        exact = [each for each in at.values() if each.run.exact]
        whole = best.outcomes[0].digests  # a run that was cut short has the first of them
        same = [o.digests[-1] == whole[len(o.digests) - 1] for each in exact for o in each.outcomes]
        if same:
            named = f"{name} {share:.0%}: high-only runs with the logits of unlimited memory"
            yield Bar(named, sum(same) / len(same), 1.0, "higher")
        caged = [each for each in ours if each.limit]
        if caged:
            over = max(max(each.peaks) / each.limit for each in caged)
            yield Bar(f"{name} {share:.0%}: peak charge by the kernel, of the limit", over, _TOLERANCE, "lower")
            held = max(each.anonymous / each.limit for each in caged)
            yield Bar(f"{name} {share:.0%}: memory of the process, of the limit", held, _TOLERANCE, "lower")


def sizes(quick: bool, shares: Sequence[float] = (), synthetic_bytes: int = 0) -> Sizes:
    """The usual sizes; shares of memory, and bytes of the synthetic model's experts, where they are given."""
    usual = QUICK if quick else WHOLE
    return replace(usual, shares=tuple(shares) or usual.shares, synthetic=synthetic_bytes or usual.synthetic)


def _checked(wanted: Wanted) -> Sizes:
    if unknown := [arm for arm in wanted.arms if arm not in of.ARMS]:
        raise ConfigError(f"there is no arm {unknown[0]!r}", f"there are: {', '.join(of.ARMS)}")
    if any(not 0 < share < 1 for share in wanted.sizes.shares):
        raise ConfigError("memory is a share of the model, between 0 and 1", "give for example --memory 0.5")
    return wanted.sizes


def _speed_bars(at: Mapping[str, Measured], share: float, best: Measured) -> Iterator[Bar]:
    for arm, factor in ((of.STOCK, 2.0), (of.WILLNEED, 1.15), (of.LRU, 1.15)):
        if CHOSEN in at and arm in at and (arm == of.STOCK or share <= _SMALL):
            yield Bar(f"{share:.0%}: {CHOSEN}, times {arm}", _ratio(at[CHOSEN], at[arm]), factor, "higher")
    if of.RESIDENT in at and share == _SMALL:
        yield Bar(f"{share:.0%}: {of.RESIDENT}, of unlimited", _ratio(at[of.RESIDENT], best), 0.6, "higher")


def _ratio(one: Measured, other: Measured) -> float:
    """The median over repeats of how much faster; a repeat's runs were taken close together."""
    return statistics.median(a / b for a, b in zip(one.speeds(), other.speeds(), strict=False))


def _of(found: Sequence[Measured], arm: str, share: float) -> Measured | None:
    return next((each for each in found if each.run.arm == arm and each.share == share), None)


def _replayed(
    name: str, routing: Routing, high: int, shares: Sequence[float], subject: of.Subject
) -> list[dict[str, Any]]:
    """Policies without decoding, high precision only, with the bound."""
    every = len(routing.layers) * routing.experts
    rows = []
    for share in shares:
        left = int(subject.bytes * share * (1 - of.SLACK)) - subject.trunk
        room = max(int(left / high * every), routing.ids.shape[2])
        for row in compare(routing, _REPLAYED, Rules("", room), high // every):
            rows.append(
                {"model": name, "memory": share, "arm": f"replay: {row.policy}", "MB/token": row.bytes_per_token / 1e6,
                 "penalty": row.penalty, "hits": row.hit_rate}
            )  # fmt: skip
    return rows


def _disk(name: str, before: float, after: float, subject: of.Subject) -> dict[str, Any]:
    low = subject.store.bytes_of("low")
    return {
        "model": name, "memory": "", "arm": "disk",
        "note": f"{before / 1e6:,.0f} MB/s before, {after / 1e6:,.0f} after; the low copy takes "
        f"{low / 1e6:,.0f} MB, {low / subject.bytes:.0%} of the model",
    }  # fmt: skip
