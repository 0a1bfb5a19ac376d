"""How every benchmark reports: a table, bars with their limits, the machine and the seed (docs/json.md)."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psutil


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that should reach a limit. better: which side of `bar` is good. A missed bar is reported, not hidden."""

    name: str
    value: float
    bar: float
    better: Literal["higher", "lower"]

    @property
    def ok(self) -> bool:
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Result:
    """What a benchmark found. table: rows of the same columns."""

    title: str
    table: Sequence[Mapping[str, Any]]
    bars: Sequence[Bar]
    seed: int
    seconds: float


def machine() -> dict[str, Any]:
    """The machine a figure was taken on."""
    return {
        "cpu": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=True),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load": round(psutil.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def as_json(result: Result) -> dict[str, Any]:
    """The JSON of `kith bench ... --json`."""
    bars = [{"name": b.name, "value": b.value, "bar": b.bar, "better": b.better, "ok": b.ok} for b in result.bars]
    return {
        "table": list(result.table),
        "bars": bars,
        "machine": machine(),
        "seed": result.seed,
        "seconds": round(result.seconds, 3),
    }


def as_text(result: Result) -> str:
    """The table and the bars for a person to read."""
    lines = [result.title, ""]
    columns = list(dict.fromkeys(column for row in result.table for column in row))
    cells = [[_shown(row.get(column, "")) for column in columns] for row in result.table]
    widths = [max(len(column), *(len(row[at]) for row in cells)) for at, column in enumerate(columns)]
    lines.append("  ".join(column.ljust(width) for column, width in zip(columns, widths, strict=True)).rstrip())
    for row in cells:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    lines.append("")
    for bar in result.bars:
        sign = ">=" if bar.better == "higher" else "<="
        lines.append(f"{'ok  ' if bar.ok else 'MISS'}  {bar.name}: {_shown(bar.value)} (bar {sign} {_shown(bar.bar)})")
    about = machine()
    lines.append(f"\n{about['cores']} cores, {about['memory_gb']} GB, load {about['load']}, seed {result.seed}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
