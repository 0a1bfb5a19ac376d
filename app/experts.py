"""Mixtures of experts on this machine: made, converted to a store, tuned; what `kith model` says about it."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kithnet.app.precision import read_text, talk
from kithnet.runtime.convert.experts import Converted
from kithnet.runtime.convert.moefy import FIT_TOKENS, TEST_TOKENS, Moefied
from kithnet.runtime.convert.synthetic import Shape, is_synthetic, local_tokens
from kithnet.runtime.files import OnProgress
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.offload.routing import Routing, record
from kithnet.runtime.offload.store import ExpertStore
from kithnet.runtime.offload.tuning import Tuning, keep, tune

MEGABYTE = 1e6
_TUNED_TOKENS = 256


def store_beside(model: Path) -> Path:
    """Where the store of a model lies when nothing else is said."""
    return model.with_suffix(".experts")


def calibration_text(text: Path | None) -> str:
    """The text of a file, or generated conversations."""
    return read_text(text) if text else talk(2 * (FIT_TOKENS + TEST_TOKENS))


def text_tokens(model: Path, text: Path | None, count: int) -> list[int]:
    """Tokens to record routing with. For a synthetic model, whose tokens are no words, a sequence of its own kind."""
    if text is None and is_synthetic(model):
        return local_tokens(model, count, seed=1)
    with closing(LlamaModel.load(model)) as loaded:
        return loaded.tokenise(calibration_text(text), begin=False, special=False)[:count]


def calibrate(
    model: Path, store: Path, text: Path | None, tokens: int, limit: float, progress: OnProgress
) -> tuple[Routing, Tuning, Path | None]:
    """Record a model's routing, choose its thresholds, keep them beside the store. The path is None where none fits.

    Raises StoreError without a store, ModelFileError, ConfigError.
    """
    opened = ExpertStore.open(store)
    every = text_tokens(model, text, tokens + _TUNED_TOKENS)
    routing = record(model, every[:tokens], progress=progress)
    tuning = tune(opened, routing, every[tokens:] or every[-_TUNED_TOKENS:], limit=limit, progress=progress)
    return routing, tuning, keep(store, tuning.chosen) if tuning.chosen else None


def converted_json(made: Converted) -> dict[str, Any]:
    """As docs/json.md says."""
    low_share = made.low_bytes / made.model_bytes
    return {**_plain(asdict(made)), "low_overhead": round(low_share, 4)}


def converted_text(made: Converted) -> str:
    lines = [
        f"{made.store.name}: {made.experts} experts in each of {made.layers} layers, {made.top_k} used by a token",
        f"  high precision  {', '.join(made.high)}, {made.high_bytes / MEGABYTE:,.1f} MB",
        f"  low precision   {', '.join(made.low)}, {made.low_bytes / MEGABYTE:,.1f} MB: "
        f"{made.low_bytes / made.model_bytes:.0%} of the model's {made.model_bytes / MEGABYTE:,.1f} MB on top",
        f"  trunk           {made.trunk}, {made.trunk_bytes / MEGABYTE:,.1f} MB on the disk",
    ]
    if made.resumed:
        lines.append(f"  {made.resumed:,} records had been finished before")
    return "\n".join(lines)


def moefied_json(made: Moefied) -> dict[str, Any]:
    return _plain(asdict(made))


def moefied_text(made: Moefied) -> str:
    of = made.figures
    return "\n".join(
        [
            f"{made.path}: {made.experts} experts of {made.neurons} neurons in {made.layers} layers, {made.top_k} used by a token",
            f"  beside the dense model, on {of.positions:,} positions: KL {of.kl:.4f} nats (99%: {of.kl_p99:.3f}), "
            f"the same likeliest token in {of.agreement:.1%}",
        ]
    )


def synthetic_json(path: Path, shape: Shape, measured: float, seconds: float) -> dict[str, Any]:
    return {
        "path": str(path), "bytes": path.stat().st_size, **asdict(shape), "reuse": round(measured, 4), "seconds": seconds,
    }  # fmt: skip


def tuning_json(store: Path, routing: Routing, tuning: Tuning, kept: Path | None, seconds: float) -> dict[str, Any]:
    tokens, layers, top_k = routing.ids.shape
    return {
        "store": str(store),
        "tokens": tokens,
        "layers": layers,
        "top_k": top_k,
        "reuse": round(routing.reuse, 4),
        "positions": tuning.positions,
        "rows": [asdict(row) for row in tuning.rows],
        "chosen": asdict(tuning.chosen) if tuning.chosen else None,
        "kept": str(kept) if kept else "",
        "seconds": seconds,
    }


def tuning_text(routing: Routing, tuning: Tuning, kept: Path | None) -> str:
    tokens, layers, top_k = routing.ids.shape
    lines = [
        f"{tokens:,} tokens through {layers} layers, {top_k} experts each; {routing.reuse:.0%} of a token's experts were "
        "those of the token before",
        f"  {'T1':>6} {'T2':>6} {'high':>6} {'low':>6} {'skip':>6} {'bytes':>6} {'KL':>8} {'top-1':>7}",
    ]
    for row in tuning.rows:
        of = row.thresholds
        mark = "*" if row == tuning.chosen else " "
        shares = " ".join(f"{share:>6.1%}" for share in of.shares)
        lines.append(
            f"{mark} {of.t1:>6.3f} {of.t2:>6.3f} {shares} {row.bytes:>6.2f} {row.kl:>8.4f} {row.agreement:>7.1%}"
        )
    lines.append("bytes: of a miss beside high precision alone. KL, top-1: with nearly every selection a miss")
    lines.append(f"kept in {kept}" if kept else "none is within the limit: nothing was kept")
    return "\n".join(lines)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
