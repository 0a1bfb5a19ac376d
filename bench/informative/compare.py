"""Two runs side by side over the items that both played: the difference of means, with a paired bootstrap interval."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kithnet.bench.informative.results import Results, load
from kithnet.bench.informative.summary import DRAWS
from kithnet.bench.report import Result
from kithnet.runtime.errors import InputError


def compare(a: Path, b: Path, seed: int = 7) -> Result:
    """A row for each family and arm, and one for all families. Raises InputError when nothing is common to both."""
    started = time.perf_counter()
    one, other = load(a), load(b)
    rows: list[dict[str, Any]] = []
    for arm in one.scores:
        pairs = _common(one, other, arm)
        families = list(dict.fromkeys(family for family, _, _ in pairs))
        for family in families:
            rows.append(_row(family, arm, [pair for pair in pairs if pair[0] == family], seed))
        if len(families) > 1:
            rows.append(_row("all", arm, pairs, seed))
    if not rows:
        raise InputError(
            f"{a} and {b} have no item and arm in common", "compare runs of the same suite, seed and wordings"
        )
    return Result(
        f"B less A, paired over common items: A is {_called(one)}, B is {_called(other)}",
        rows,
        (),
        seed,
        time.perf_counter() - started,
    )


def _common(one: Results, other: Results, arm: str) -> list[tuple[str, float, float]]:
    """(family, score in A, score in B) of the items that both played in an arm."""
    theirs = other.scores.get(arm, {})
    return [(family, score, theirs[item][1]) for item, (family, score) in one.scores[arm].items() if item in theirs]


def _row(family: str, arm: str, pairs: Sequence[tuple[str, float, float]], seed: int) -> dict[str, Any]:
    a, b = (np.asarray([pair[place] for pair in pairs]) for place in (1, 2))
    difference = b - a
    drawn = difference[np.random.default_rng(seed).integers(0, len(difference), (DRAWS, len(difference)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {
        "family": family, "arm": arm, "items": len(pairs), "A": float(a.mean()), "B": float(b.mean()),
        "difference": float(difference.mean()), "95 %": f"{low:+.3f} to {high:+.3f}", "better": int((difference > 0).sum()),
        "worse": int((difference < 0).sum()),
    }  # fmt: skip


def _called(results: Results) -> str:
    about = results.about
    return f"{about.get('suite')}, {about.get('wordings')} wordings, seed {about.get('seed')}, {about.get('model')}"
