"""`kith serve` as a subprocess, and light clients for it: they share two cores with what they measure."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from kithnet.runtime.errors import ModelUnavailable

START = "import sys; from kithnet.app.cli import main; sys.exit(main(sys.argv[1:]))"
START_SECONDS, STOP_SECONDS, REPLY_SECONDS = 60.0, 15.0, 120.0
END = "[DONE]"


@dataclass(slots=True)
class Heard:
    """What a client got. first: seconds to the first text, None where the reply was empty. lost: why it failed."""

    first: float | None = None
    pieces: int = 0
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    model: str

    def client(self, connections: int) -> httpx2.AsyncClient:
        limits = httpx2.Limits(max_connections=connections + 1, max_keepalive_connections=connections + 1)
        return httpx2.AsyncClient(base_url=self.url, limits=limits, timeout=REPLY_SECONDS, trust_env=False)

    async def metric(self, http: httpx2.AsyncClient, name: str) -> float:
        """A number of /metrics. Raises ModelUnavailable where there is none of that name."""
        for line in (await http.get("/metrics")).text.splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return float(value)
        raise ModelUnavailable(f"{self.url}/metrics has no {name}", "the model must be one that runs here")

    async def ask(
        self, http: httpx2.AsyncClient, text: str, tokens: int, heard: Heard, bias: Mapping[str, float] | None = None
    ) -> None:
        """One streamed reply; what becomes of it stands in `heard`."""
        body: dict[str, Any] = {
            "model": self.model, "messages": [{"role": "user", "content": text}], "max_tokens": tokens, "stream": True
        }  # fmt: skip
        if bias:
            body["logit_bias"] = dict(bias)
        started = time.perf_counter()
        heard.lost = "cut"
        try:
            async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
                if answer.status_code != 200:
                    heard.lost = f"status {answer.status_code}"
                    return
                async for line in answer.aiter_lines():
                    _take(line, started, heard)
        except httpx2.HTTPError as error:
            heard.lost = type(error).__name__


def _take(line: str, started: float, heard: Heard) -> None:
    """Read one line of the event stream. It is whole when its last event is there and none told of an error."""
    data = line.removeprefix("data:").strip()
    if data == line.strip():  # a blank line, or another field
        return
    if data == END:
        heard.lost = "" if heard.lost == "cut" else heard.lost
        return
    event = json.loads(data)
    if "error" in event:
        heard.lost = str(event["error"].get("code") or event["error"].get("type"))
    elif any(choice["delta"].get("content") for choice in event.get("choices", ())):
        heard.pieces += 1
        if heard.first is None:
            heard.first = time.perf_counter() - started


@asynccontextmanager
async def serving(path: Path, threads: int, in_flight: int) -> AsyncIterator[Server]:
    """Run `kith serve` on a free port of this machine. Raises ModelUnavailable where it does not start."""
    settings = (f"model.name={json.dumps(str(path))}", f"model.threads={threads}", f"serve.in_flight={in_flight}")
    given = [word for setting in settings for word in ("-c", setting)]
    command = [sys.executable, "-c", START, "serve", "--port", "0", "--json", *given]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield await _started(process)
    finally:
        await _stopped(process)


async def _started(process: asyncio.subprocess.Process) -> Server:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            told = json.loads(await process.stdout.readline() or b"{}")
    except TimeoutError as error:
        raise ModelUnavailable(f"kith serve said nothing for {START_SECONDS:g} s", "try `kith serve`") from error
    if "url" not in told:
        raise ModelUnavailable(f"kith serve did not start: {told.get('error', {}).get('message')}", "try `kith serve`")
    return Server(told["url"], told["models"][0])


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
