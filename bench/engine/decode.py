"""decode16: sixteen replies at once against one reply of the plain class."""

import asyncio
import random
import time
from functools import partial

from kithnet.bench.engine.paired import PARALLEL, Found, Setup, in_turns, opened, ratio, row
from kithnet.bench.engine.plain import Plain, plain
from kithnet.bench.engine.texts import counting, prose
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.local import LocalModel

CONTEXT = 2048
ALONE = (1, 4, 8)  # streams shown beside the sixteen


async def measure(setup: Setup) -> Found:
    """Tokens per second of wall clock, prompts included; every prompt is new, every run begins with an empty cache."""
    tokens = setup.size(100, 12)
    with plain(setup, CONTEXT) as baseline:
        sides = [partial(_plain, setup, baseline, tokens)]
        sides += [partial(_fresh, setup, tokens, streams) for streams in (*ALONE, PARALLEL)]
        if not setup.quick:
            sides.append(partial(_filled, setup, tokens))
        found = await in_turns(setup.size(5, 1), *sides)
    base, ours = found[0], found[1 : len(ALONE) + 2]
    rows = [row("decode16", "llama_cpp.Llama, 1 stream", "tokens/s", base)]
    for streams, figures in zip((*ALONE, PARALLEL), ours, strict=True):
        rows.append(row("decode16", f"engine, {streams} stream{'s' * (streams > 1)}", "tokens/s", figures))
    for figures in found[len(ALONE) + 2 :]:
        rows.append(row("decode16", f"engine, {PARALLEL} streams beside a cache full of prompts", "tokens/s", figures))
    value = ratio(ours[-1], base)
    return Found(rows, [Bar(f"decode16: {PARALLEL} streams / llama_cpp.Llama's one", value, 1.9, "higher")])


async def _plain(setup: Setup, baseline: Plain, count: int, turn: int) -> float:
    prompt = setup.model.tokenise(counting(random.Random(f"{setup.seed} plain {turn}")), begin=True, special=False)
    started = time.perf_counter()
    baseline.write(prompt, count)
    return count / (time.perf_counter() - started)


async def _fresh(setup: Setup, count: int, streams: int, turn: int) -> float:
    async with opened(setup, CONTEXT) as model:
        return await _speed(model, random.Random(f"{setup.seed} {streams} {turn}"), count, streams)


async def _filled(setup: Setup, count: int, turn: int) -> float:
    """Beside kept prompts of others in all cells: attention passes over them too."""
    draw = random.Random(f"{setup.seed} filled {turn}")
    async with opened(setup, CONTEXT) as model:
        long = CONTEXT // 2
        for _ in range(model.stats().cells // long):
            await model.reply([Message("user", prose(draw, setup.model, long - 1))], ReplySpec(max_tokens=1, raw=True))
        return await _speed(model, draw, count, PARALLEL)


async def _speed(model: LocalModel, draw: random.Random, count: int, streams: int) -> float:
    prompts = [counting(draw) for _ in range(streams)]
    started = time.perf_counter()
    spec = ReplySpec(max_tokens=count, raw=True)
    replies = await asyncio.gather(*(model.reply([Message("user", prompt)], spec) for prompt in prompts))
    return sum(reply.usage.generated for reply in replies) / (time.perf_counter() - started)
