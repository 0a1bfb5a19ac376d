"""Which measurements there are, and a run of some or all of them."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from kithnet.bench.engine import decode, dialogue, memory, overhead, prefix, served, wake
from kithnet.bench.engine.paired import Found, Setup
from kithnet.bench.report import Result
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.llama import LlamaModel, default_threads

Tell = Callable[[int, int, str], None]

MEASURES: Mapping[str, Callable[[Setup], Coroutine[Any, Any, Found]]] = {
    "memory": memory.measure,  # first: in a process that has done nothing else yet
    "decode16": decode.measure,
    "prefix": prefix.measure,
    "dialogue": dialogue.measure,
    "wake": wake.measure,
    "overhead": overhead.measure,
    "http": served.measure,
}


def run(path: Path, *, only: Sequence[str], quick: bool, seed: int, tell: Tell) -> Result:
    """Measure a GGUF model; `tell` hears (done, total, what comes next).

    Raises ConfigError for an unknown name, ModelFileError, ModelUnavailable where `kith serve` does not start.
    """
    if unknown := [name for name in only if name not in MEASURES]:
        raise ConfigError(f"there is no measurement {unknown[0]!r}", f"there are: {', '.join(MEASURES)}")
    chosen = [name for name in MEASURES if not only or name in only]
    started = time.perf_counter()
    with closing(LlamaModel.load(path)) as model:
        setup = Setup(model, default_threads(), seed, quick)
        found = []
        for done, name in enumerate(chosen):
            tell(done, len(chosen), name)
            found.append(asyncio.run(MEASURES[name](setup)))
        tell(len(chosen), len(chosen), "")
    rows = [row for one in found for row in one.rows]
    bars = [bar for one in found for bar in one.bars]
    title = f"The engine beside llama_cpp.Llama, in turns: {path.stem}, {setup.threads} threads{', quick' * quick}"
    return Result(title, rows, bars, seed, time.perf_counter() - started)
