"""T1 and T2 of a model chosen by what they cost: KL divergence of the model with most misses lowered, measured here.

Candidates are shares of selections that are high, low and skipped; each is turned into thresholds by quantiles of the
recorded scores (`calibrate.thresholds`). The model is then run with room for next to nothing, so that nearly every
selection is a miss and is lowered as the thresholds say: the worst case of any budget.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kithnet.runtime.divergence import log_probs
from kithnet.runtime.engine.context import Context
from kithnet.runtime.errors import ConfigError, StoreError
from kithnet.runtime.files import OnProgress
from kithnet.runtime.llama import LlamaModel, default_threads
from kithnet.runtime.offload.calibrate import MIXTRAL_SHARES, Thresholds, thresholds
from kithnet.runtime.offload.offloaded import Offloaded
from kithnet.runtime.offload.options import ExpertOptions, least_memory
from kithnet.runtime.offload.routing import Routing
from kithnet.runtime.offload.store import ExpertStore

SHARES = (MIXTRAL_SHARES, (0.85, 0.15, 0.0), (0.5, 0.47, 0.03), (0.3, 0.65, 0.05), (0.67, 0.2, 0.13))
"""Tried by default, Mixtral's published ones first."""
KL_LIMIT = 0.05
"""Nats that the chosen pair may cost by default."""
_WINDOW = 128


@dataclass(frozen=True, slots=True)
class Tried:
    """One pair. kl, agreement: against the model in high precision. bytes: of what is read for a miss, 1 for high only."""

    thresholds: Thresholds
    kl: float
    agreement: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found. chosen: the pair with the fewest bytes whose KL is within the limit; None where no pair is."""

    rows: tuple[Tried, ...]
    chosen: Tried | None
    positions: int


def tune(
    store: ExpertStore, routing: Routing, tokens: Sequence[int], *, shares: Sequence[tuple[float, float, float]] = SHARES,
    limit: float = KL_LIMIT, progress: OnProgress | None = None,
) -> Tuning:  # fmt: skip
    """Try every one of `shares` on a text that `routing` is of the same kind as.

    Raises ConfigError for less than a window of tokens, and what loading an offloaded model raises.
    """
    parts = [list(tokens[at : at + _WINDOW]) for at in range(0, len(tokens) - _WINDOW + 1, _WINDOW)]
    if not parts:
        raise ConfigError(f"{len(tokens)} tokens are too few to tune by", f"give {_WINDOW} or more")
    cost = store.bytes_of("low") / store.bytes_of("high")
    pairs = list(dict.fromkeys(thresholds(routing.rows(), share) for share in shares))
    exact = _read(store, ExpertOptions(mode="offload"), parts)
    rows = []
    for done, pair in enumerate(pairs):
        if progress:
            progress(done, len(pairs), f"t1 {pair.t1:.2f}, t2 {pair.t2:.2f}")
        options = ExpertOptions(mode="offload", t1=pair.t1, t2=pair.t2, skip=pair.shares[2] > 0)
        found = _read(store, replace(options, memory_bytes=least_memory(store, options)), parts)
        kl = [
            np.maximum((np.exp(a) * (a - b)).sum(axis=1, dtype=np.float64), 0)
            for a, b in zip(exact, found, strict=True)
        ]
        same = [a.argmax(axis=1) == b.argmax(axis=1) for a, b in zip(exact, found, strict=True)]
        high, low, _ = pair.shares
        rows.append(
            Tried(pair, float(np.concatenate(kl).mean()), float(np.concatenate(same).mean()), high + cost * low)
        )
    within = [row for row in rows if row.kl <= limit]
    chosen = min(within, key=lambda row: row.bytes) if within else None
    return Tuning(tuple(rows), chosen, sum(map(len, parts)))


def keep(store: Path, chosen: Tried) -> Path:
    """Write the choice beside the store, whole or not at all. Returns its file."""
    file = kept_in(store)
    part = file.with_name(file.name + ".part")
    body: dict[str, Any] = {**asdict(chosen.thresholds), "kl": chosen.kl, "agreement": chosen.agreement}
    part.write_text(json.dumps(body), encoding="utf-8")
    part.replace(file)
    return file


def kept(store: Path) -> Thresholds | None:
    """What `keep` wrote; None where nothing was chosen. Raises StoreError for a file that is damaged."""
    file = kept_in(store)
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        high, low, skip = map(float, body["shares"])
        return Thresholds(float(body["t1"]), float(body["t2"]), (high, low, skip))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{file} cannot be understood: {error}", "choose again: kith model calibrate") from error


def kept_in(store: Path) -> Path:
    return store.with_name(store.name + ".thresholds.json")


def _read(
    store: ExpertStore, options: ExpertOptions, parts: Sequence[Sequence[int]]
) -> list["np.ndarray[Any, np.dtype[np.float32]]"]:
    """Log-probabilities of each part, each token decoded on its own: in a batch the most careful token decides."""
    found = []
    with ExitStack() as stack:
        trunk = stack.enter_context(closing(LlamaModel.load(store.trunk, repack=False)))
        experts = stack.enter_context(closing(Offloaded(trunk, store, options, default_threads())))
        context = stack.enter_context(
            closing(Context(trunk, cells=_WINDOW, sequences=1, threads=default_threads(), hook=experts.hook))
        )
        for part in parts:
            found.append(np.concatenate(list(log_probs(context, part, rows=1))))
    return found
