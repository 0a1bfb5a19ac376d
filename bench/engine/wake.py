"""wake: an agent's evaluated past read from disk, against evaluating it again."""

import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kithnet.bench.engine.paired import Found, Setup, opened, ratio, row
from kithnet.bench.engine.plain import plain
from kithnet.bench.engine.texts import prose
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message, Reply, ReplySpec
from kithnet.runtime.local import LocalModel

PAST = 2000
OWNER = "ana"
SPEC = ReplySpec(max_tokens=12, raw=True, owner=OWNER)


@dataclass(frozen=True, slots=True)
class _Night:
    """An agent that went to sleep: what was said, how it went on without sleeping, where its state is."""

    past: str
    more: str
    awake: Reply
    file: Path
    asleep_seconds: float


async def measure(setup: Setup) -> Found:
    """Seconds until the past is there again. The file is taken out of the page cache before it is read."""
    length = setup.size(PAST, 300)
    with tempfile.TemporaryDirectory() as folder, plain(setup, 2 * length) as baseline:
        night = await _sleep(setup, length, Path(folder) / "ana.state")
        past = setup.model.tokenise(night.past, begin=True, special=False)
        read, woken = [], []
        for _ in range(setup.size(5, 1)):
            started = time.perf_counter()
            baseline.read(past)
            read.append(time.perf_counter() - started)
            seconds, held, reply = await _wake(setup, length, night)
            woken.append(seconds)
    size = night.awake.usage.sent - held
    rows = [
        row("wake", f"llama_cpp.Llama.eval of {len(past)} tokens", "s", read),
        row("wake", f"engine, {held} tokens from disk", "s", woken),
        row("wake", "engine, to disk", "s", [night.asleep_seconds]),
        row("wake", f"engine, evaluated by the first reply ({size} tokens are new)", "tokens", [reply.usage.evaluated]),
    ]
    return Found(rows, _bars(ratio(read, woken), reply, night.awake, size))


def _bars(value: float, reply: Reply, awake: Reply, new: int) -> Sequence[Bar]:
    differs = reply.text != awake.text or reply.usage.evaluated != awake.usage.evaluated
    return (
        Bar("wake: seconds of llama_cpp.Llama.eval / seconds of waking", value, 10.0, "higher"),
        Bar("wake: tokens evaluated by the first reply beyond the new ones", reply.usage.evaluated - new, 0, "lower"),
        Bar("wake: first replies unlike those of an engine that did not sleep", int(differs), 0, "lower"),
    )


async def _sleep(setup: Setup, length: int, file: Path) -> _Night:
    draw = random.Random(setup.seed)
    past, question = prose(draw, setup.model, length), prose(draw, setup.model, 20)
    async with opened(setup, 2 * length) as model:
        first = await model.reply([Message("user", past)], SPEC)
        started = time.perf_counter()
        await model.sleep(OWNER, file)
        seconds = time.perf_counter() - started
        more = f"{past}{first.text}\n{question}"
        return _Night(past, more, await model.reply([Message("user", more)], SPEC), file, seconds)


async def _wake(setup: Setup, length: int, night: _Night) -> tuple[float, int, Reply]:
    """Seconds of waking, the tokens that are held then, the first reply."""
    async with opened(setup, 2 * length) as model:
        _forget(night.file)
        started = time.perf_counter()
        held = await model.wake(OWNER, night.file)
        seconds = time.perf_counter() - started
        return seconds, held, await _again(model, night)


async def _again(model: LocalModel, night: _Night) -> Reply:
    return await model.reply([Message("user", night.more)], SPEC)


def _forget(file: Path) -> None:
    """Ask the system to read the file from the disk next time."""
    if hasattr(os, "posix_fadvise"):
        with file.open("rb") as opened_file:
            os.posix_fadvise(opened_file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
