"""Does a model fit into this machine's memory, and what is to be expected where it does not?

`kith model show` tells, `kith doctor` warns before the system pages weights in and out for every token.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kithnet.runtime.convert.experttypes import is_expert
from kithnet.runtime.convert.gguffile import read_source
from kithnet.runtime.errors import StoreError
from kithnet.runtime.offload.fit import Expectation, Fit, disk_speed, expect, fit, free_memory
from kithnet.runtime.offload.opening import STORE_SUFFIX
from kithnet.runtime.offload.options import ExpertOptions, least_memory
from kithnet.runtime.offload.store import ExpertStore

_GB, _MB = 1e9, 1e6


@dataclass(frozen=True, slots=True)
class Outlook:
    """fit: of a GGUF. store: its expert store, "" where there is none. expected: of decoding from it, where that is what
    has to be done; disk_speed: bytes a second, measured."""

    model: str
    fit: Fit
    store: str
    expected: Expectation | None = None
    disk_speed: float | None = None


def look(model: Path, kv: int) -> Outlook:
    """Look at a GGUF. kv: bytes that keys and values are going to take. Measures the disk where experts must be read.

    Raises ModelFileError for a damaged GGUF.
    """
    source = read_source(model)
    sizes = [(tensor.nbytes, is_expert(tensor.name)) for tensor in source.tensors]
    experts = sum(size for size, chosen in sizes if chosen)
    store = _store(model)
    least = least_memory(store, ExpertOptions()) if store else experts // 2
    found = fit(sum(size for size, _ in sizes) - experts, experts, kv, free_memory(), least)
    if store is None or found.verdict != "offload":
        return Outlook(model.stem, found, str(store.path) if store else "")
    speed = disk_speed(store)
    return Outlook(model.stem, found, str(store.path), expect(store, found.budget, speed), speed)


def contract(outlook: Outlook) -> dict[str, Any]:
    """The `memory` of `kith model show --json`."""
    expected = outlook.expected
    return {
        **asdict(outlook.fit),
        "store": outlook.store,
        "disk_speed": None if outlook.disk_speed is None else round(outlook.disk_speed),
        "expected": None if expected is None else {key: round(value, 4) for key, value in asdict(expected).items()},
    }


def line(outlook: Outlook) -> str:
    """What it comes to, in a sentence."""
    of = outlook.fit
    needs = f"needs {of.needed / _GB:,.2f} GB, {of.memory / _GB:,.2f} GB are free"
    if of.verdict == "fits":
        return f"fits: {needs}"
    if of.verdict == "too small":
        return f"too large: {needs}"
    if outlook.expected is None:
        return f"does not fit ({needs}); with an expert store it would run: kith model convert {outlook.model}"
    expected = outlook.expected
    return (
        f"does not fit ({needs}): its experts are read by need (--experts offload) with {of.budget / _GB:,.2f} GB; about "
        f"{expected.bytes_per_token / _MB:,.0f} MB a token, {expected.seconds:.2f} s on this disk, or less where its routers "
        "come back to the same experts"
    )


def mend(outlook: Outlook) -> str:
    """What to do about a model that does not fit."""
    if outlook.fit.verdict == "too small":
        return "choose a smaller model, or close other programs"
    return f"run it with --experts offload{'' if outlook.store else f', after: kith model convert {outlook.model}'}"


def _store(model: Path) -> ExpertStore | None:
    beside = model.with_suffix(STORE_SUFFIX)
    try:
        return ExpertStore.open(beside) if beside.is_file() else None
    except StoreError:
        return None  # to be made again, as if there were none; running from it says what is wrong with it
