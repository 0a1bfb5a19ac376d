"""Choose the precision of keys and values by what was measured (kvquality.py), and keep the choice beside the model.

The choice of `NAME.gguf` is `NAME.kv.json`. It counts only for the very weights it was measured with.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kithnet.runtime.engine.kvquality import KvFigures, KvRow
from kithnet.runtime.engine.kvtypes import KvTypes
from kithnet.runtime.engine.saved import Fingerprint
from kithnet.runtime.errors import ConfigError, StorageError
from kithnet.runtime.files import put_in_place, storing

SAME = 1e-3
"""Nats; means that differ by less are taken as equal."""
MOST_KL, LEAST_AGREEMENT = 0.0075, 0.95
"""Limits where no budget is given: mean KL in nats, and the share of positions with the same likeliest token. Of the
default model at 2,048 tokens they admit q8_0/q4_0 (0.0064, 96.3%) and no longer q5_1 (0.0091, 95.2%)."""
_VERSION = 1
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Kept:
    """A choice as it is kept. context: tokens it was measured at. budget_bytes: None where there was none."""

    chosen: KvRow
    rows: Sequence[KvRow]
    context: int
    agents: int
    budget_bytes: float | None


def choose(rows: Sequence[KvRow], budget_bytes: float | None, agents: int, context: int) -> KvRow:
    """One of `rows`, with its `reason`.

    With a budget: the lowest mean KL of those whose KV cache for `agents` contexts of `context` tokens fits; among
    equals (within SAME, or each mean within the other's interval) the smallest. Without: the smallest within the limits
    above, or the most exact where none is. Raises ConfigError where nothing fits.
    """
    measured = [(row, row.figures) for row in rows if row.figures is not None]
    if not measured:
        raise ConfigError("llama.cpp refuses every one of these precisions for this model", "measure f16 too")
    if budget_bytes is None:
        return _within_limits(measured)
    fitting = [(row, of) for row, of in measured if row.bytes_per_token * context * agents <= budget_bytes]
    if not fitting:
        least = min(row.bytes_per_token for row, _ in measured)
        raise ConfigError(
            f"{budget_bytes / _MEGABYTE:,.1f} MB hold no {agents} contexts of {context:,} tokens at any precision measured",
            f"give {_megabytes_up(least * context * agents):,.1f} MB, fewer agents, or a smaller context",
        )
    best, exact = min(fitting, key=lambda one: (one[1].kl_mean, one[0].bytes_per_token))
    still_equal = max(of.kl_mean for _, of in fitting if _equal(of, exact))
    chosen, of = min(((row, of) for row, of in fitting if of.kl_mean <= still_equal), key=_smallest)
    place = f"its {agents} x {context:,} tokens take {chosen.bytes_per_token * context * agents / _MEGABYTE:,.1f} MB"
    why = f"the lowest KL of the {len(fitting)} that fit into {budget_bytes / _MEGABYTE:,.1f} MB; {place}"
    if chosen.types != best.types:
        why = f"smaller than {best.types}, and about as exact; {place}"
    if not _good(of):
        why += f"; worse than the limits of a choice without a budget ({_limits()})"
    return replace(chosen, reason=why)


def _within_limits(measured: Sequence[tuple[KvRow, KvFigures]]) -> KvRow:
    good = [(row, of) for row, of in measured if _good(of)]
    if good:
        chosen, _ = min(good, key=_smallest)
        return replace(chosen, reason=f"the smallest of the {len(good)} within the limits ({_limits()})")
    chosen, _ = min(measured, key=lambda one: (one[1].kl_mean, one[0].bytes_per_token))
    return replace(chosen, reason=f"the most exact; none is within the limits ({_limits()})")


def _smallest(one: tuple[KvRow, KvFigures]) -> tuple[int, float]:
    return one[0].bytes_per_token, one[1].kl_mean


def _equal(worse: KvFigures, best: KvFigures) -> bool:
    return worse.kl_mean - best.kl_mean < SAME or (worse.kl_low <= best.kl_mean and worse.kl_mean <= best.kl_high)


def _good(of: KvFigures) -> bool:
    return of.kl_mean <= MOST_KL and of.agreement >= LEAST_AGREEMENT


def _limits() -> str:
    return f"mean KL at most {MOST_KL:g}, top-1 at least {LEAST_AGREEMENT:.0%}"


def _megabytes_up(count: float) -> float:
    return -(-count // (_MEGABYTE / 10)) / 10


def choice_path(model: Path) -> Path:
    """Where the choice for a model file is kept."""
    return model.with_name(f"{model.name.removesuffix('.gguf')}.kv.json")


def check_writable(model: Path) -> None:
    """Raises StorageError where `keep` could not write: better told before minutes of measuring."""
    folder = choice_path(model).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"cannot write {choice_path(model)}", f"make {folder} writable, or measure with --dry-run")


def keep(model: Path, choice: Kept) -> Path:
    """Write the choice, all of it or nothing; returns the file. Raises StorageError."""
    file = choice_path(model)
    types = str(choice.chosen.types)
    body = {
        "version": _VERSION,
        "types": types,
        "reason": choice.chosen.reason,
        "context": choice.context,
        "agents": choice.agents,
        "budget_bytes": choice.budget_bytes,
        "model": asdict(Fingerprint.of(model, types)),
        "rows": [row_json(row) for row in choice.rows],
    }
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with storing(file.parent):
        try:
            part.write_text(json.dumps(body, indent=1), encoding="utf-8")
            put_in_place(part, file)
        finally:
            part.unlink(missing_ok=True)
    return file


def row_json(row: KvRow) -> dict[str, Any]:
    """A row with plain values; the figures of a refused precision are null."""
    figures = asdict(row.figures) if row.figures else dict.fromkeys(KvFigures.__slots__)
    return {"types": str(row.types), "bytes_per_token": row.bytes_per_token, "refused": row.refused, **figures}


def kv_choice(model: Path) -> KvTypes | None:
    """The kept choice for a model file; None where there is none, it is damaged, or the model has changed since."""
    try:
        body = json.loads(choice_path(model).read_bytes())
        if body["version"] != _VERSION or body["model"] != asdict(Fingerprint.of(model, body["types"])):
            return None
        return KvTypes.parse(body["types"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ConfigError):
        return None
