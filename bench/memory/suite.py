"""`kith bench memory`: every measurement in turn, in one table."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from kithnet.bench.memory import changing, faults, keeping, leaking
from kithnet.bench.memory.played import Tools
from kithnet.bench.report import Bar, Result
from kithnet.network.generate.spec import Phrases
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.errors import InputError
from kithnet.runtime.reader import LlamaReader

Measured = tuple[list[dict[str, Any]], list[Bar]]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each thing is measured."""

    episodes: int = 60
    probes: int = 10_000
    scripts: int = 1_000
    replays: int = 4
    kills: int = faults.FULL
    erasures: int = 20


QUICK = Sizes(episodes=4, probes=200, scripts=20, replays=1, kills=20, erasures=3)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a measurement gets. folder: an empty one, for its worlds."""

    sizes: Sizes
    seed: int
    phrases: Phrases
    tools: Tools
    folder: Path
    tell: Tell


def _keeping(s: Setup) -> Measured:
    return keeping.kept(s.sizes.episodes, seed=s.seed, phrases=s.phrases, tools=s.tools)


def _leaking(s: Setup) -> Measured:
    return leaking.leaks(s.sizes.probes, seed=s.seed, phrases=s.phrases, tools=s.tools)


def _stale(s: Setup) -> Measured:
    return changing.stale(s.sizes.scripts, seed=s.seed, phrases=s.phrases, tools=s.tools, tell=s.tell)


def _replayed(s: Setup) -> Measured:
    return changing.replayed(s.sizes.replays, seed=s.seed, phrases=s.phrases, tools=s.tools)


def _kills(s: Setup) -> Measured:
    return faults.kills(s.sizes.kills, seed=s.seed, folder=s.folder)


def _erased(s: Setup) -> Measured:
    return faults.erased(s.sizes.erasures, seed=s.seed, folder=s.folder)


MEASURES: dict[str, Callable[[Setup], Measured]] = {
    "keep": _keeping,
    "leak": _leaking,
    "stale": _stale,
    "replay": _replayed,
    "kill": _kills,
    "erase": _erased,
}


def run(
    embedder: Path, reader: Path, *, only: Sequence[str] = (), quick: bool = False, seed: int = 7, phrases: str = "held-out",
    tell: Tell = lambda done, of: None,
) -> Result:  # fmt: skip
    """Measure, with the held-out wordings unless others are asked for. Raises InputError for an unknown measurement."""
    if unknown := [name for name in only if name not in MEASURES]:
        raise InputError(f"there is no measurement {unknown[0]!r}", f"choose from {', '.join(MEASURES)}")
    if phrases not in get_args(Phrases):
        raise InputError(f"there is no phrase set {phrases!r}", f"choose one of {', '.join(get_args(Phrases))}")
    wordings: Phrases = "default" if phrases == "default" else "held-out"
    started = time.perf_counter()
    table: list[dict[str, Any]] = []
    bars: list[Bar] = []
    chosen = [name for name in MEASURES if name in only or not only]
    with closing(LlamaEmbedder.load(embedder)) as loaded, closing(LlamaReader.load(reader)) as reads:
        tools = Tools(loaded, reads)
        for name in chosen:
            with tempfile.TemporaryDirectory() as beside:
                setup = Setup(QUICK if quick else Sizes(), seed, wordings, tools, Path(beside), tell)
                rows, more = MEASURES[name](setup)
            table += rows
            bars += more
    title = f"Memory of mixed sessions, {phrases} wordings; the baseline is EMMA's flat list (dense top-1)"
    return Result(title, table, bars, seed, time.perf_counter() - started)
