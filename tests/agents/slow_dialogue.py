"""Run as a child process by test_resume.py, to be killed: one dialogue with a slow model that logs its calls.

Usage: slow_dialogue.py KITH_DB STATE_DB TRACE CALLS. CALLS gets a line `start KEY` and a line `done KEY` a call.
"""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kithnet.agents.dialogue.checkpoints import open_saver
from kithnet.agents.dialogue.graph import Dialogues
from kithnet.agents.dialogue.state import Stage
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.settings import Settings
from kithnet.app.cast import Cast
from kithnet.memory.store import Store
from kithnet.runtime.chat import Message, OnText, Reply, ReplySpec
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import TraceWriter

SECONDS = 0.3


TELL = {"do": "speak", "text": "It is under the blue flower pot.", "tells": ["r0"], "asks": []}
ASK = {"do": "speak", "text": "Where is the spare key?", "tells": [], "asks": ["r0"]}
PASS_ON = {"do": "ask_contact", "person": "Cleo", "question": "Where is the spare key?", "id": "r0"}
CONCLUDE = {"do": "conclude", "answer": "under the blue flower pot", "basis": "stated", "rests_on": ["r0"]}
READ = {"do": "fill", "id": "r0", "value": "under the blue flower pot", "evidence": ["m5"], "basis": "stated"}


def script(messages: Sequence[Message], spec: ReplySpec) -> str:
    """Ana asks Ben, Ben asks Cleo, who has read of the pot; by what the prompt shows, for a process may be another one."""
    heard = "flower pot" in "\n".join(message.content for message in messages[1:])
    act = {"ana": CONCLUDE if heard else ASK, "ben": TELL if heard else PASS_ON, "cleo": TELL}[spec.owner.split()[0]]
    return json.dumps({"notes": [READ] if spec.owner.startswith("cleo") else [], "act": act})


class Slow(ScriptedModel):
    """Takes its time, so that a test can kill the process inside a call."""

    def __init__(self, log: Path) -> None:
        super().__init__(script, capable=True)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        await self._pause("start", spec.purpose, messages, SECONDS)
        reply = await super().reply(messages, spec, on_text)
        await self._pause("done", spec.purpose, messages, 0)
        return reply

    async def _pause(self, what: str, purpose: str, messages: Sequence[Message], seconds: float) -> None:
        key = hashlib.sha256("".join(m.content for m in messages).encode()).hexdigest()[:12]
        os.write(self._log, f"{what} {purpose}-{key}\n".encode())
        await asyncio.sleep(seconds)


async def talk(db: Path, state: Path, trace: Path, calls: Path) -> None:
    with Store.open(db) as store, TraceWriter(trace) as writer:
        stage = Stage(Slow(calls), Cast(store, Policy()).agent, Settings(mind="model"), writer, journal=False)
        async with open_saver(state) as saver:
            ended = await Dialogues(stage, saver).run("t1", "Where is the spare key?", "ana", "ben")
    print(json.dumps({"result": ended["result"], "turn": ended["turn"], "stopped": ended["stopped"]}))


if __name__ == "__main__":
    asyncio.run(talk(*map(Path, sys.argv[1:])))
