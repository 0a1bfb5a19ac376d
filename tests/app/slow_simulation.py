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


class Slow(ScriptedModel):
    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        await asyncio.sleep(0.25)
        return await super().reply(messages, spec, on_text)


if __name__ == "__main__":
    world = Path(sys.argv[1])
    plan = Plan(int(sys.argv[2]), seed=1, in_flight=2)
    config = Config.load(None, ["model.mind=model"])  # what is said no mind can use: the reader makes every move
    simulate(
        world, world.parent / "models", config, plan, lambda tally, planned: None, model=Slow(lambda messages, spec: "")
    )
