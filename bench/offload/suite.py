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
OURS = (of.LCU, of.MIXED_LRU, of.MIXED_LCU, of.PREFETCH, of.SKIP, of.RESIDENT)
"""Those that offload, but plain LRU; the best of them is held against the opponents."""
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
        repeats = size.repeats if name == SYNTHETIC else max(size.repeats // 2, 1)
        mine = measure(subject, size, wanted.folder, repeats=repeats, free=name == MOEFIED, tell=say, only=wanted.arms)
        after = disk_speed(subject.store)
        rows += as_rows(mine) + _replayed(name, routing, subject.store.bytes_of("high"), size.shares, subject)
        rows.append(_disk(name, before, after, subject))
        bars += list(bars_of(mine, name, subject.trunk))
        found += mine
        if name == SYNTHETIC and (drawn := _of(mine, of.MIXED_LCU, _SMALL)) and drawn.outcomes:
            spans = {"arm": drawn.run.arm, "spans": timeline(subject, drawn, size).timeline}
    report = write_report(wanted.folder, rows, found, spans)
    short = ", few repeats" * (size.repeats < WHOLE.repeats)
    title = f"Experts offloaded beside llama.cpp's own means; memory limited by: {kind()}{short}"
    return Result(title, rows, bars, wanted.seed, time.perf_counter() - started), report


def bars_of(found: Sequence[Measured], name: str, trunk: int) -> Iterator[Bar]:
    """What the design asks for, of one model. trunk: bytes of it that are no experts."""
    shares = sorted({each.share for each in found if each.share < 1})
    best = next(each for each in found if each.run.arm == of.UNLIMITED)
    for share in shares:
        at = {each.run.arm: each for each in found if each.share == share and each.outcomes}
        ours = [at[arm] for arm in OURS if arm in at]
        if name == SYNTHETIC and ours:
            yield from _speed_bars(at, ours, share, best)
        if ours and of.STATIC in at:
            fastest = max(ours, key=_speed)
            kl, static = fastest.outcomes[-1].kl or 0.0, at[of.STATIC].outcomes[-1].kl or 0.0
            yield Bar(f"{name} {share:.0%}: KL of {fastest.run.arm}, beside static mixed", kl, static, "lower")
        exact = [each for each in at.values() if each.run.exact]
        same = [o.digest == best.outcomes[0].digest for each in exact for o in each.outcomes]
        if same:
            named = f"{name} {share:.0%}: high-only runs with the logits of unlimited memory"
            yield Bar(named, sum(same) / len(same), 1.0, "higher")
        caged = [each for each in ours if each.limit]
        if caged:
            over = max(max(each.peaks) / each.limit for each in caged)
            yield Bar(f"{name} {share:.0%}: peak charge by the kernel, of the limit", over, _TOLERANCE, "lower")
            held = max((each.anonymous + trunk) / each.limit for each in caged)
            yield Bar(f"{name} {share:.0%}: anonymous memory and trunk, of the limit", held, _TOLERANCE, "lower")


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


def _speed_bars(at: Mapping[str, Measured], ours: Sequence[Measured], share: float, best: Measured) -> Iterator[Bar]:
    fastest = max(ours, key=_speed)
    named = f"{share:.0%}: {fastest.run.arm}, times"
    if of.STOCK in at:
        yield Bar(f"{named} {of.STOCK}", _ratio(fastest, at[of.STOCK]), 2.0, "higher")
    if share <= _SMALL:
        for arm in (of.WILLNEED, of.LRU):
            if arm in at:
                yield Bar(f"{named} {arm}", _ratio(fastest, at[arm]), 1.15, "higher")
    if of.RESIDENT in at and share == _SMALL:
        yield Bar(f"{share:.0%}: {of.RESIDENT}, of unlimited", _speed(at[of.RESIDENT]) / _speed(best), 0.6, "higher")


def _speed(each: Measured) -> float:
    """Tokens a second, the median over runs."""
    return statistics.median(each.speeds())


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
