"""`kith model kv`: measure precisions of a model's KV cache, choose one under a memory budget, keep the choice."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from kithnet.network.generate import GenerateSpec, generate
from kithnet.network.generate.spec import LARGEST
from kithnet.runtime.engine.kvchoice import Kept, check_writable, choose, keep, row_json
from kithnet.runtime.engine.kvquality import MEMORY, PAIRS, TOKENS, KvRow, check_context, measure
from kithnet.runtime.engine.kvtypes import NAMES, KvTypes
from kithnet.runtime.errors import ConfigError, InputError, ModelFileError
from kithnet.runtime.files import OnProgress
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.registry import Registry

GIB = 1 << 30
MEGABYTE = 1e6
SEED = 7
_LEAST_PER_MESSAGE = 5  # tokens of a generated message with its sender's name; three times as many are usual
_GENERATED = "generated conversations"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `kith model kv` was asked for. budget_mb, agents: None where not given; either makes the budget count.
    text: a file to judge by. pairs: `q8_0/q4_0`, ...; none for the usual ones. windows: 0 for the usual number."""

    context: int
    budget_mb: float | None = None
    agents: int | None = None
    text: Path | None = None
    pairs: Sequence[str] = ()
    every: bool = False
    windows: int = 0
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Precision:
    """What came out. budget: bytes; the columns show how many agents fit, budget_from says whose number it is.
    positions: judged. kept: the file, None with --dry-run."""

    name: str
    context: int
    text: str
    positions: int
    budget: float
    budget_from: str
    agents: int
    rows: Sequence[KvRow]
    chosen: KvRow
    kept: Path | None
    seconds: float


def find(models: Path, name: str, wanted: Wanted, tell: OnProgress) -> Precision:
    """Measure the model called `name`, choose, and keep the choice beside its file.

    Raises UnknownModel, ModelFileError, ConfigError, InputError for a text that cannot be read, StorageError.
    """
    started = time.monotonic()
    _check(wanted)
    pairs = _pairs(wanted)
    path = Registry(models).resolve(name)
    if wanted.keep:
        check_writable(path)
    budget, budget_from = _budget(wanted)
    with closing(LlamaModel.load(path)) as model:
        if not model.generates:
            raise ModelFileError(f"{path} is an embedding model: it keeps no conversation", "name a chat model")
        check_context(model, wanted.context)
        text = read_text(wanted.text) if wanted.text else talk(wanted.context * (wanted.windows or 1))
        tokens = model.tokenise(text, begin=False, special=False)
        rows = measure(
            model, tokens, pairs, context=wanted.context, windows=wanted.windows, progress=tell,
            memory=min(MEMORY, psutil.virtual_memory().available // 2),
        )  # fmt: skip
    counts = wanted.budget_mb is not None or wanted.agents is not None
    agents = wanted.agents or 1
    chosen = choose(rows, budget if counts else None, agents, wanted.context)
    choice = Kept(chosen, rows, wanted.context, agents, budget if counts else None)
    kept = keep(path, choice) if wanted.keep else None
    positions = max(row.figures.positions for row in rows if row.figures)
    return Precision(
        name, wanted.context, str(wanted.text or _GENERATED), positions, budget, budget_from, agents,
        [chosen if row.types == chosen.types else row for row in rows], chosen, kept, time.monotonic() - started,
    )  # fmt: skip


def talk(tokens: int, seed: int = SEED) -> str:
    """Generated conversations of at least so many tokens (and never less than the usual number)."""
    messages = min(max(tokens, TOKENS) // _LEAST_PER_MESSAGE, LARGEST["messages"])
    world = generate(GenerateSpec(people=16, ties=40, messages=messages, seed=seed, tasks=0))
    names = {person.id: person.name for person in world.people}
    lines, session = [], ""
    for message in world.messages:
        if message.session != session:
            session = message.session
            lines.append(f"\n{names[message.sender]} and {names[message.receiver]}, {message.at:%A %d %B %Y}")
        lines.append(f"{names[message.sender]}: {message.text}")
    return "\n".join(lines)


def contract(found: Precision) -> dict[str, Any]:
    """As docs/json.md says."""
    return {
        "name": found.name,
        "context": found.context,
        "text": found.text,
        "positions": found.positions,
        "budget_mb": found.budget / MEGABYTE,
        "budget_from": found.budget_from,
        "agents": found.agents,
        "rows": [_row(found, row) for row in found.rows],
        "chosen": str(found.chosen.types),
        "reason": found.chosen.reason,
        "kept": str(found.kept) if found.kept else "",
        "seconds": found.seconds,
    }


def as_text(found: Precision) -> str:
    """A table for a person, the chosen row marked with `*`."""
    lines = [
        f"{found.name} at {found.context:,} tokens: {found.positions:,} positions of {found.text}, compared with f16",
        f"  {'keys/values':<11} {'bytes/token':>11} {'agents':>7} {'KL mean':>9} {'95% interval':>17} {'KL p99':>8} "
        f"{'KL max':>8} {'top-1':>7} {'tokens/s':>8}",
    ]
    for row in found.rows:
        mark = "*" if row.types == found.chosen.types else " "
        start = f"{mark} {row.types!s:<11} {row.bytes_per_token:>11,} {_fitting(found, row):>7,}"
        if row.figures is None:
            lines.append(f"{start}  refused: {row.refused}")
            continue
        of = row.figures
        interval = f"{of.kl_low:.5f}-{of.kl_high:.5f}"
        lines.append(
            f"{start} {of.kl_mean:>9.5f} {interval:>17} {of.kl_p99:>8.4f} {of.kl_max:>8.3f} {of.agreement:>7.2%} "
            f"{of.tokens_per_second:>8.0f}"
        )
    lines += [
        f"agents: conversations of {found.context:,} tokens in {found.budget / MEGABYTE:,.0f} MB ({found.budget_from})",
        f"chosen: {found.chosen.types}, {found.chosen.reason}",
        f"kept in {found.kept}; model.kv = auto uses it" if found.kept else "not kept (--dry-run)",
    ]
    return "\n".join(lines)


def _row(found: Precision, row: KvRow) -> Mapping[str, Any]:
    return {**row_json(row), "agents": _fitting(found, row)}


def _fitting(found: Precision, row: KvRow) -> int:
    return int(found.budget // (row.bytes_per_token * found.context))


def _check(wanted: Wanted) -> None:
    if wanted.budget_mb is not None and not 0 < wanted.budget_mb < float("inf"):
        raise ConfigError(f"a budget of {wanted.budget_mb:g} MB holds nothing", "give a number above 0")
    if wanted.agents is not None and wanted.agents < 1:
        raise ConfigError(f"{wanted.agents} agents need no memory", "give 1 or more")
    if wanted.windows < 0:
        raise ConfigError(f"{wanted.windows} windows are none", "give 1 or more, or 0 for the usual number")
    if wanted.every and wanted.pairs:
        raise ConfigError("--all and --pair exclude each other", "leave one of them out")


def _pairs(wanted: Wanted) -> list[KvTypes]:
    if wanted.every:
        return [KvTypes(keys, values) for keys in NAMES for values in NAMES]
    return list(dict.fromkeys(map(KvTypes.parse, wanted.pairs))) or list(PAIRS)


def _budget(wanted: Wanted) -> tuple[float, str]:
    """Bytes, and whose number it is."""
    if wanted.budget_mb is not None:
        return wanted.budget_mb * MEGABYTE, "given"
    half = psutil.virtual_memory().available / 2
    return (half, "half of the free memory") if half < GIB else (float(GIB), "1 GiB, the default")


def read_text(path: Path) -> str:
    """A text that was given as a file. Raises InputError."""
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error.reason}", "give a plain text file") from error
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"the text {path} cannot be read: {reason}", "check the path") from error
