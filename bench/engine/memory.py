"""memory: what is left behind by many short requests."""

import asyncio
import random

import psutil

from kithnet.bench.engine.paired import PARALLEL, Found, Setup, opened, row
from kithnet.bench.engine.texts import counting
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.local import LocalModel

CONTEXT = 512
MEGABYTE = 1e6


async def measure(setup: Setup) -> Found:
    """Resident memory of this process after a warm-up and after many more requests."""
    warm, requests = setup.size(200, 32), setup.size(2000, 100)
    draw = random.Random(setup.seed)
    async with opened(setup, CONTEXT) as model:
        await _ask(model, draw, warm)
        before = _resident()
        await _ask(model, draw, requests)
        after = _resident()
    growth = after - before
    rows = [
        row("memory", f"resident after {warm} requests", "MB", [before]),
        row("memory", f"growth over {requests} more", "MB", [growth]),
    ]
    return Found(rows, [Bar(f"memory: growth over {requests} requests / resident", growth / before, 0.05, "lower")])


async def _ask(model: LocalModel, draw: random.Random, count: int) -> None:
    """Requests of which as many wait as run; each is another owner's."""
    left = [f"{counting(draw)} {number}," for number in range(count)]

    async def client() -> None:
        while left:
            text = left.pop()
            await model.reply([Message("user", text)], ReplySpec(max_tokens=4, raw=True, owner=text))

    await asyncio.gather(*(client() for _ in range(2 * PARALLEL)))


def _resident() -> float:
    return float(psutil.Process().memory_info().rss) / MEGABYTE
