"""Dialogues that a capable model held, played again without it: what code made of each reply, and what was said.

A recording holds the world's lines that were cited (the others are dots), and for each step the state before it, the model's
replies, and what followed. No prompt and no ranking takes part, so neither can break it.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from kithnet.agents.dialogue import speaking, turn
from kithnet.agents.dialogue.state import Stage, State
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.settings import Settings
from kithnet.app.cast import Cast
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import MemoryTrace

FOLDER = Path(__file__).parent / "recorded"
DIALOGUES = sorted(FOLDER.glob("*.json"))
WIRES = sorted(FOLDER.glob("*.wire.jsonl"))


def world_of(recording: Mapping[str, Any], path: Path) -> Store:
    store = Store.create(path / "kith.db", {"kind": "test"})
    messages = [
        ChatMessage(n, a, b, text, datetime.fromisoformat(at), s) for n, a, b, text, at, s in recording["messages"]
    ]
    store.ingest([Person(*one) for one in recording["people"]], [Tie(*one) for one in recording["ties"]], messages)
    return store


async def followed(store: Store, step: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from one step."""
    replies: Iterator[str] = iter(step.get("replies", ()))
    model = ScriptedModel(lambda messages, spec: next(replies), capable=True)
    stage = Stage(model, Cast(store, Policy()).agent, Settings(mind="model"), MemoryTrace(), False)
    state = cast(State, step["state"])
    return await (speaking.speak if "said" in step else turn.think)(state, stage)


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_a_recorded_dialogue_goes_as_it_went(path: Path, tmp_path: Path) -> None:
    recording = json.loads(path.read_text("utf-8"))
    with world_of(recording, tmp_path) as store:
        for step in recording["steps"]:
            after = json.loads(json.dumps(asyncio.run(followed(store, step))))
            if "said" in step:
                assert after["utterances"][-1] == step["said"]
            else:
                assert {key: after[key] for key in step["after"]} == step["after"]
    act = recording["steps"][-1]["after"]["move"]["act"]
    assert (act["do"], act["text"]) == ("conclude", recording["answer"])


def test_there_are_a_dozen_of_them() -> None:
    assert len(DIALOGUES) >= 12 and len(WIRES) == 2


@pytest.mark.parametrize("path", WIRES, ids=lambda path: path.stem)
def test_on_the_wire_every_prompt_begins_with_the_one_before_it(path: Path) -> None:
    calls = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    prompts: dict[str, list[str]] = {}
    for call in calls:
        turns = [f"<{m['role']}>{m['content']}" for m in call["messages"]]
        prompts.setdefault(call["owner"], []).append("".join(turns))
    assert all(later.startswith(first) for mine in prompts.values() for first, later in pairwise(mine))
    sent = sum(len(prompt) for mine in prompts.values() for prompt in mine)
    evaluated = sum(len(mine[-1]) for mine in prompts.values())  # a prefix is evaluated once
    assert len(calls) >= 6 and evaluated / sent <= 0.5
