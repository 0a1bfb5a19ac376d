"""`kith chat` with a model behind a URL that thinks aloud: nobody sees, stores or traces what it thought as a reply."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from kithnet.agents.chat.chat_reader import UNKNOWN
from kithnet.app.chat import Lines, chat
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.config import Config, ModelConfig
from kithnet.runtime.remote import RemoteModel

from ..runtime.endpoint import Act, Server, answer, send
from ..runtime.test_reasoning import FORMS

THOUGHTS = ("think", "analysis", "Friday, it says", "[THINK]", "<|", "Let me see", "user")
REPLY = "The dentist is on Friday."


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "worlds" / "w"
    said = ChatMessage(0, "ana", "ben", "The violin lesson moved to Thursday.", datetime(2024, 5, 1), "s0")
    with Store.create(folder / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person("ana", "Ana"), Person("ben", "Ben")], [Tie("ana", "ben")], [said])
    return folder


REPLIED = json.dumps({"notes": [], "act": {"do": "speak", "text": "Good day to you.", "evidence": []}})
MODEL = Config(model=ModelConfig(mind="model"))


def in_field(text: str) -> Act:
    message = {"role": "assistant", "content": text, "reasoning_content": "Let me see, the user"}
    return send(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": None}))


@pytest.mark.parametrize("form", [*FORMS, "field"])
def test_what_the_model_thinks_is_neither_shown_nor_kept(server: Server, world: Path, form: str) -> None:
    spoken = in_field(REPLIED) if form == "field" else answer(FORMS[form].replace(REPLY, REPLIED))
    server.acts = [spoken, spoken, answer(FORMS.get(form, FORMS["qwen3"]))]  # the last is asked for as the chat ends
    shown: list[str] = []
    typed = iter(["Good morning to you.", "And a good day."])
    lines = Lines(lambda: next(typed, None), shown.append, shown.append)
    chat(world, world.parent / "models", MODEL, "ben", None, lines, model=RemoteModel(server.url, "tiny"))
    told = "".join(shown)
    assert told.count("Good day to you.") == 2
    assert not [thought for thought in THOUGHTS if thought in told]
    kept = [file.read_bytes() for file in world.rglob("*") if file.is_file()]
    assert not [t for t in ("<think>", "Let me see", "analysis", "[THINK]") if any(t.encode() in one for one in kept)]


def test_a_model_that_only_thinks_is_stood_in_for_by_the_reader(server: Server, world: Path) -> None:
    server.acts = [answer("<think>Let me see, the user", "length") for _ in range(6)]
    shown: list[str] = []
    typed = iter(["Where does the zebra live?"])
    lines = Lines(lambda: next(typed, None), shown.append, shown.append)
    chat(world, world.parent / "models", MODEL, "ben", None, lines, model=RemoteModel(server.url, "tiny"))
    assert UNKNOWN in shown
    assert "Let me see" not in "".join(shown)
