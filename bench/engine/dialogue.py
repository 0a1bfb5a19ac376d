"""dialogue: two agents in turns on one engine; each prompt is its agent's instructions and all that was said."""

import random
import time
from collections.abc import Sequence

from kithnet.bench.engine.paired import Found, Setup, opened, row
from kithnet.bench.engine.plain import Plain, plain
from kithnet.bench.engine.texts import prose
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message, ReplySpec, Usage
from kithnet.runtime.local import LocalModel

CONTEXT = 2048
TURNS, SPOKEN, REMEMBERED = 10, 40, 400


async def measure(setup: Setup) -> Found:
    """Prompt tokens evaluated / sent. The plain class gets the same prompts and keeps the last one's prefix."""
    turns, remembered = setup.size(TURNS, 4), setup.size(REMEMBERED, 100)
    draw = random.Random(setup.seed)
    briefs = [f"You are {name}. You remember: {prose(draw, setup.model, remembered)}" for name in ("Ana", "Ben")]
    spec = ReplySpec(max_tokens=setup.size(SPOKEN, 16))
    total, read, taken = Usage(), 0, [0.0, 0.0]
    said: list[str] = ["Hello, what do you know about the letter?"]
    with plain(setup, CONTEXT) as baseline:
        async with opened(setup, CONTEXT) as model:
            for turn in range(turns):
                messages = _heard(briefs[turn % 2], said)
                usage, text, seconds = await _ours(model, messages, spec)
                evaluated, plain_seconds = _plain(setup, baseline, messages, max(usage.generated, 1))
                total, read = total + usage, read + evaluated
                taken = [taken[0] + plain_seconds, taken[1] + seconds]
                said.append(text)
    plainly, ours = read / total.sent, total.evaluated / total.sent
    rows = [
        row("dialogue", "llama_cpp.Llama, evaluated / sent", "share", [plainly]),
        row("dialogue", f"engine, evaluated / sent of {total.sent} tokens", "share", [ours]),
        row("dialogue", f"llama_cpp.Llama, {turns} turns", "s", taken[:1]),
        row("dialogue", f"engine, {turns} turns", "s", taken[1:]),
    ]
    return Found(rows, [Bar(f"dialogue: prompt tokens evaluated / sent in {turns} turns", ours, 0.25, "lower")])


def _heard(brief: str, said: Sequence[str]) -> list[Message]:
    """The transcript from the side of the one who speaks next, beginning with what the other said."""
    turns = said[1 - len(said) % 2 :]
    return [
        Message("system", brief),
        *(Message("assistant" if at % 2 else "user", text) for at, text in enumerate(turns)),
    ]


async def _ours(model: LocalModel, messages: Sequence[Message], spec: ReplySpec) -> tuple[Usage, str, float]:
    started = time.perf_counter()
    reply = await model.reply(messages, spec)
    return reply.usage, reply.text, time.perf_counter() - started


def _plain(setup: Setup, baseline: Plain, messages: Sequence[Message], count: int) -> tuple[int, float]:
    prompt = setup.model.prompt(messages, raw=False)
    started = time.perf_counter()
    return baseline.write(prompt, count, afresh=False), time.perf_counter() - started
