"""prefix: many requests that begin with the same long text, as one agent's requests do."""

import asyncio
import random
import time
from functools import partial

from kithnet.bench.engine.paired import Found, Setup, in_turns, opened, ratio, row
from kithnet.bench.engine.plain import Plain, plain
from kithnet.bench.engine.texts import endless, prose
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message, ReplySpec

CONTEXT = 2048
SHARED, OWN, GENERATED = 600, 60, 40
QUICKLY_SHARED = 150


async def measure(setup: Setup) -> Found:
    """Requests per second. The plain class is given a sample of the requests: its requests cost the same each."""
    requests, sample = setup.size(32, 3), setup.size(6, 1)
    with plain(setup, CONTEXT) as baseline:
        sides = (
            partial(_plain, setup, baseline, sample, afresh=True),
            partial(_ours, setup, requests),
            partial(_plain, setup, baseline, sample, afresh=False),
        )
        base, ours, kept = await in_turns(setup.size(3, 1), *sides)
    rows = [
        row("prefix", f"llama_cpp.Llama, every prompt evaluated, {sample} requests", "requests/s", base),
        row("prefix", f"llama_cpp.Llama, the last prompt's prefix kept, {sample} requests", "requests/s", kept),
        row("prefix", f"engine, {requests} requests at once", "requests/s", ours),
    ]
    value = ratio(ours, base)
    shared = setup.size(SHARED, QUICKLY_SHARED)
    return Found(rows, [Bar(f"prefix: {shared} shared tokens, requests/s / llama_cpp.Llama's", value, 5.0, "higher")])


def _prompts(setup: Setup, side: str, turn: int, count: int) -> list[str]:
    """No two runs share a text: what is reused was evaluated within the run."""
    draw = random.Random(f"{setup.seed} {side} {turn}")
    shared = prose(draw, setup.model, setup.size(SHARED, QUICKLY_SHARED))
    return [f"{shared}\n{prose(draw, setup.model, OWN)}" for _ in range(count)]


async def _plain(setup: Setup, baseline: Plain, count: int, turn: int, *, afresh: bool) -> float:
    texts = _prompts(setup, f"plain {afresh}", turn, count + 1)
    prompts = [setup.model.tokenise(text, begin=True, special=False) for text in texts]
    baseline.write(prompts.pop(), GENERATED)  # so that where prefixes are kept, that of all others is there
    started = time.perf_counter()
    for prompt in prompts:
        baseline.write(prompt, GENERATED, afresh=afresh)
    return count / (time.perf_counter() - started)


async def _ours(setup: Setup, count: int, turn: int) -> float:
    prompts = _prompts(setup, "engine", turn, count)
    spec = ReplySpec(max_tokens=GENERATED, raw=True, logit_bias=endless(setup.model))
    async with opened(setup, CONTEXT) as model:
        started = time.perf_counter()
        replies = await asyncio.gather(*(model.reply([Message("user", prompt)], spec) for prompt in prompts))
        seconds = time.perf_counter() - started
    assert all(reply.usage.generated == GENERATED for reply in replies)
    return count / seconds
