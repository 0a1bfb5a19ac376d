"""http: many streaming clients of `kith serve` in a process of its own."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from kithnet.bench.engine.clients import Heard, Server, serving
from kithnet.bench.engine.paired import Found, Setup, row
from kithnet.bench.engine.plain import Plain, plain
from kithnet.bench.engine.texts import endless, prose
from kithnet.bench.report import Bar
from kithnet.runtime.chat import Message

CLIENTS, TOKENS, LONG = 64, 24, 1000
LEFT_ON = 2  # streams that go on while another client leaves
POLL, SETTLE, PATIENCE = 0.01, 0.5, 10.0


@dataclass(slots=True)
class _Load:
    """What the clients met. firsts: seconds to the first text of each request; lost: why requests failed."""

    firsts: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0


async def measure(setup: Setup) -> Found:
    """The plain class answers prompts of the same kind one after another, before the load and after it."""
    seconds = setup.size(60, 10)
    with plain(setup, 512) as baseline:
        speeds = [_alone(setup, baseline, "before")]
        async with serving(setup.model.path, setup.threads, 2 * CLIENTS) as server:
            load = await _loaded(setup, server, seconds)
            freed = await _leave(setup, server)
        speeds.append(_alone(setup, baseline, "after"))
    firsts = load.firsts or [0.0]
    rows = [
        row("http", "llama_cpp.Llama in a process, one after another", "tokens/s", speeds),
        row("http", f"{CLIENTS} clients, all together", "tokens/s", [load.tokens / load.seconds]),
        row("http", f"first text of {len(load.firsts)} replies", "s", firsts),
        row("http", "lost: " + (", ".join(sorted(set(load.lost))[:3]) or "none"), "requests", [len(load.lost)]),
        row("http", "a place is free after its client left", "s", [freed]),
    ]
    return Found(rows, _bars(load, firsts, freed))


def _bars(load: _Load, firsts: Sequence[float], freed: float) -> Sequence[Bar]:
    slowest = max(firsts) / max(statistics.median(firsts), 1e-9)
    return (
        Bar(f"http: slowest first text / median, {CLIENTS} clients", slowest, 4.0, "lower"),
        Bar(f"http: lost requests of {len(load.firsts) + len(load.lost)}", len(load.lost), 0, "lower"),
        Bar("http: seconds until a client that left frees its place", freed, 2.0, "lower"),
    )


def _alone(setup: Setup, baseline: Plain, when: str) -> float:
    draw = random.Random(f"{setup.seed} {when}")
    prompts = [setup.model.prompt([Message("user", _question(draw, setup))], raw=False) for _ in range(8)]
    started = time.perf_counter()
    for prompt in prompts:
        baseline.write(prompt, TOKENS, afresh=False)
    return len(prompts) * TOKENS / (time.perf_counter() - started)


def _question(draw: random.Random, setup: Setup) -> str:
    return f"Say something about {prose(draw, setup.model, 8)}."


async def _loaded(setup: Setup, server: Server, seconds: float) -> _Load:
    """Let the clients ask until the time is over; replies that were begun then are heard to their ends."""
    load = _Load()
    until = time.perf_counter() + seconds

    async def client(number: int, http: httpx2.AsyncClient) -> None:
        draw = random.Random(f"{setup.seed} client {number}")
        while time.perf_counter() < until:
            heard = Heard()
            await server.ask(http, _question(draw, setup), TOKENS, heard)
            if heard.lost:
                load.lost.append(heard.lost)
            elif heard.first is not None:
                load.firsts.append(heard.first)

    async with server.client(CLIENTS) as http:
        before, started = await server.metric(http, "kith_engine_generated_tokens"), time.perf_counter()
        await asyncio.gather(*(client(number, http) for number in range(CLIENTS)))
        load.seconds = time.perf_counter() - started
        load.tokens = int(await server.metric(http, "kith_engine_generated_tokens") - before)
    return load


async def _leave(setup: Setup, server: Server) -> float:
    """Seconds from a client's leaving until the engine runs as many replies as before it came."""
    bias = {str(token): weight for token, weight in endless(setup.model)}

    def begin(number: int) -> asyncio.Task[None]:
        return asyncio.create_task(server.ask(http, f"Tell me story {number}.", LONG, Heard(), bias))

    async with server.client(LEFT_ON + 1) as http:
        streams = [begin(number) for number in range(LEFT_ON)]
        await _runs(http, server, LEFT_ON)
        streams.append(begin(LEFT_ON))
        await _runs(http, server, LEFT_ON + 1)
        await asyncio.sleep(SETTLE)
        streams[-1].cancel()
        seconds = await _runs(http, server, LEFT_ON)
        for one in streams:
            one.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    return seconds


async def _runs(http: httpx2.AsyncClient, server: Server, replies: int) -> float:
    """Wait until the engine runs so many replies; returns the seconds it took, PATIENCE where it never did."""
    started = time.perf_counter()
    while (waited := time.perf_counter() - started) < PATIENCE:
        if await server.metric(http, "kith_engine_running") == replies:
            return waited
        await asyncio.sleep(POLL)
    return PATIENCE
