"""overhead: what the engine adds to `llama_decode` while sixteen replies are being decoded."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from kithnet.bench.engine.paired import PARALLEL, Found, Setup, in_turns, opened, row
from kithnet.bench.engine.rawdecode import Timed, raw
from kithnet.bench.engine.texts import counting
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.engine.stats import EngineStats
from kithnet.runtime.local import LocalModel

CONTEXT = 1024
LEAD = 8  # first tokens of a reply left out: other replies are still at their prompts then
MICRO = 1e6


@dataclass(slots=True)
class _Ticks:
    """When one of the replies got its tokens, and how far the engine was then."""

    model: LocalModel
    at: list[tuple[float, EngineStats]] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        self.at.append((time.perf_counter(), self.model.stats()))


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds of one step of the engine, of those not spent on `llama_decode` and its batch; the cells in use when
    the first of `steps` steps began."""

    step: float
    outside: float
    cells: int
    steps: int


async def measure(setup: Setup) -> Found:
    """Wall clock of a step of the engine against `llama_decode` alone: as many sequences, cells and positions."""
    tokens, engine, bare = setup.size(40, 20), list[_Run](), list[Timed]()
    sides = [partial(_pair, setup, tokens, streams, engine, bare) for streams in (1, PARALLEL)]
    one, all_ = await in_turns(setup.size(10, 1), *sides)
    parts = {
        "llama_decode alone, a step": [t.decode for t in bare],
        "engine, a step": [r.step for r in engine],
        "engine, a step without llama_decode and its batch": [r.outside for r in engine],
        "filling a batch": [t.fill for t in bare],
        "picking the likeliest of one output": [t.pick / PARALLEL for t in bare],
    }
    rows = [row("overhead", what, "us", [MICRO * s for s in figures]) for what, figures in parts.items()]
    rows.append(row("overhead", "engine over llama_decode, one reply streamed", "share", one))
    rows.append(row("overhead", "engine over llama_decode, all replies streamed", "share", all_))
    within = [r.outside / (r.step - r.outside) for r in engine]
    rows.append(row("overhead", "the same, both taken within the engine's runs", "share", within))
    name = f"overhead: engine's step over raw llama_decode's, {PARALLEL} sequences"
    return Found(rows, [Bar(name, statistics.median(one + all_), 0.05, "lower")])


async def _pair(
    setup: Setup, tokens: int, streams: int, engine: list[_Run], bare: list[Timed], turn: int
) -> float:  # fmt: skip
    """The engine's steps, then the same number of bare ones; returns what the former took longer, as a share."""
    draw = random.Random(f"{setup.seed} {streams} {turn}")
    prompts = [counting(draw) for _ in range(PARALLEL)]
    run = await _engine(setup, tokens, prompts, streams)
    timed = _bare(setup, prompts, run)
    engine.append(run)
    bare.append(timed)
    return run.step / timed.decode - 1


async def _engine(setup: Setup, tokens: int, prompts: Sequence[str], streams: int) -> _Run:
    spec = ReplySpec(max_tokens=tokens, raw=True)
    async with opened(setup, CONTEXT) as model:
        ticks = [_Ticks(model) for _ in range(streams)]
        listeners = [*ticks, *[None] * (len(prompts) - streams)]
        asked = (model.reply([Message("user", p)], spec, heard) for p, heard in zip(prompts, listeners, strict=True))
        await asyncio.gather(*asked)
    (began, before), *_, (ended, after) = ticks[0].at[LEAD:]
    steps = after.steps - before.steps
    step, inside = (ended - began) / steps, (after.step_seconds - before.step_seconds) / steps
    return _Run(step, step - inside, before.cells_used, steps)


def _bare(setup: Setup, prompts: Sequence[str], run: _Run) -> Timed:
    with raw(setup, CONTEXT) as steps:
        steps.begin([setup.model.tokenise(prompt, begin=True, special=False) for prompt in prompts])
        while steps.cells < run.cells:
            steps.step()
        timed = [steps.step() for _ in range(run.steps)]
    return Timed(
        statistics.fmean(one.fill for one in timed),
        statistics.fmean(one.decode for one in timed),
        statistics.fmean(one.pick for one in timed),
    )
