"""Run as a child process by test_simulate.py, to be killed: a simulation with a model that takes its time.

Usage: slow_simulation.py WORLD_FOLDER TASKS
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from kithnet.app.simulate import Plan, simulate
from kithnet.runtime.chat import Message, OnText, Reply, ReplySpec
from kithnet.runtime.config import Config
from kithnet.runtime.scripted import ScriptedModel


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    """Plan nothing, copy the whole message, leave the answer to code."""
    if spec.purpose == "copy":
        said = [line for line in messages[-1].content.splitlines() if line.startswith("Message, ")]
        return said[-1].partition(": ")[2]
    return '{"questions": []}' if spec.purpose == "plan" else ""


class Slow(ScriptedModel):
    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        await asyncio.sleep(0.25)
        return await super().reply(messages, spec, on_text)


if __name__ == "__main__":
    world = Path(sys.argv[1])
    plan = Plan(int(sys.argv[2]), seed=1, in_flight=2)
    simulate(
        world, world.parent / "models", Config(), plan, lambda tally, planned: None, model=Slow(script, capable=False)
    )
