"""Checkpoints: plain data, one a dialogue; and a dialogue that is killed goes on where it was."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig

from kithnet.agents.dialogue.checkpoints import PrunedSaver, open_saver
from kithnet.agents.dialogue.graph import Dialogues
from kithnet.agents.dialogue.state import Stage, State
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.settings import Settings
from kithnet.app.cast import Cast
from kithnet.memory.store import Store
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import NullTrace, read_trace

CHILD = Path(__file__).with_name("slow_dialogue.py")
KEY = "Where is the spare key?"


def rows(state: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(state)) as connection:
        return connection.execute(query).fetchall()


def test_one_checkpoint_is_kept_for_each_dialogue(bench: Any, key_world: Store) -> None:
    bench.talk(key_world, KEY, ("ana", "ben"))
    state = key_world.database.path.parent / "state.db"
    kept = rows(state, "SELECT thread_id, count(*) FROM checkpoints GROUP BY thread_id ORDER BY thread_id")
    assert kept == [("t1", 1), ("t1.1-cleo", 1)]
    assert rows(state, "SELECT count(*) FROM writes w WHERE NOT EXISTS (SELECT 1 FROM checkpoints c "
                       "WHERE c.thread_id = w.thread_id AND c.checkpoint_id = w.checkpoint_id)") == [(0,)]  # fmt: skip


def test_a_checkpoint_holds_plain_data_and_neither_models_nor_agents(bench: Any, key_world: Store) -> None:
    talk = bench.talk(key_world, KEY, ("ana", "ben"))
    assert json.loads(json.dumps(talk.state["ledgers"])) == talk.state["ledgers"]
    state = key_world.database.path.parent / "state.db"
    for kind, blob in rows(state, "SELECT type, checkpoint FROM checkpoints"):
        assert kind == "msgpack"
        assert b"kithnet" not in blob  # no class of ours is named in it
        assert b"ScriptedModel" not in blob


def test_reading_a_checkpoint_makes_no_objects_of_ours(tmp_path: Path) -> None:
    async def round_trip() -> object:
        async with open_saver(tmp_path / "state.db") as saver:
            return saver.serde.loads_typed(saver.serde.dumps_typed({"odd": Evidence("m1", ("m1",), "ana")}))

    try:
        back = asyncio.run(round_trip())
    except Exception as refused:  # refusing is as good as not reviving: what matters is that no object comes back
        back = refused
    assert not isinstance(back, dict) or not isinstance(back.get("odd"), Evidence)


def test_a_finished_dialogue_asked_for_again_is_read_back_without_a_model_call(
    bench: Any, key_world: Store, scripted: Callable[..., ScriptedModel]
) -> None:
    first = bench.talk(key_world, KEY, ("ana", "ben"))
    model = scripted()
    again = bench.talk(key_world, KEY, ("ana", "ben"), model)
    assert model.calls == []
    assert again.trace.events == []
    assert again.state["result"]["answer"] == first.state["result"]["answer"]
    assert again.state["utterances"] == first.state["utterances"]


def test_a_dialogue_killed_in_the_middle_ends_the_same_and_repeats_no_finished_step(
    key_world: Store, tmp_path: Path
) -> None:
    trace, calls = tmp_path / "trace.jsonl", tmp_path / "calls.txt"
    calls.touch()
    command = [
        sys.executable,
        str(CHILD),
        str(key_world.database.path),
        str(tmp_path / "state.db"),
        str(trace),
        str(calls),
    ]

    def lines(what: str) -> list[str]:
        return [line.split()[1] for line in calls.read_text().splitlines() if line.startswith(what)]

    for number in (3, 5):  # the third party reads; then the answer is put into words
        child = subprocess.Popen(command)
        try:
            deadline = time.monotonic() + 30
            while len(lines("done")) < number - 1 or lines("start")[-1] in lines("done"):
                assert child.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(0.1)  # well inside the call
            os.kill(child.pid, signal.SIGKILL)
        finally:
            child.kill()
            child.wait()
        assert len(lines("done")) == number - 1
    ended = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=40).stdout)
    assert ended["result"]["citations"] == ["m5"]
    assert "blue flower pot" in ended["result"]["answer"]
    assert ended["stopped"] == "settled"
    assert len(lines("done")) == len(set(lines("done")))  # what had finished was not done again
    said = [event["id"] for event in read_trace(trace) if event["kind"] == "utterance"]
    assert len(said) == len(set(said)) == ended["turn"] + 2  # the dialogue and one consultation of two words


class Kept(PrunedSaver):
    """Copies the database after everything that is written to it: what a kill at that moment would leave behind."""

    folder: Path
    copies: int = 0

    async def aput(self, *args: Any, **more: Any) -> RunnableConfig:
        saved = await super().aput(*args, **more)
        self._keep()
        return saved

    async def aput_writes(self, *args: Any, **more: Any) -> None:
        await super().aput_writes(*args, **more)
        self._keep()

    def _keep(self) -> None:
        copy_of(self.folder / "state.db", self.folder / f"left{self.copies:03}.db")
        self.copies += 1


def copy_of(source: Path, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(source)) as now, contextlib.closing(sqlite3.connect(target)) as copy:
        now.backup(copy)


def test_a_dialogue_cut_off_at_any_write_of_its_checkpoints_ends_the_same(key_world: Store, tmp_path: Path) -> None:
    async def talk(saver: PrunedSaver) -> State:
        model = ScriptedModel([])
        stage = Stage(model, Cast(key_world, Policy()).agent, Settings(), NullTrace(), journal=False)
        return await Dialogues(stage, saver).run("t1", KEY, "ana", "ben")

    async def whole() -> State:
        async with aiosqlite.connect(tmp_path / "state.db") as connection:
            saver = Kept(connection)
            saver.folder = tmp_path
            await saver.setup()
            return await talk(saver)

    async def rest(left: Path) -> State:
        async with open_saver(left) as saver:
            return await talk(saver)

    ended = asyncio.run(whole())
    assert ended["result"]["citations"] == ["m5"]
    copies = sorted(tmp_path.glob("left*.db"))
    assert len(copies) > 40
    for left in copies:
        again = asyncio.run(rest(left))
        assert json.dumps(again["result"]) == json.dumps(ended["result"]), left.name
        assert again["utterances"] == ended["utterances"]
