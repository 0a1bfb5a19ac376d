"""Scripted talks from TOML files, played in a small world with the default models."""

import asyncio
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kithnet.agents.chat.conversation import Conversation
from kithnet.agents.dialogue.state import Stage
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.personal import OUTSIDE
from kithnet.agents.settings import Settings
from kithnet.app import engines
from kithnet.app.cast import Cast
from kithnet.memory.language.reader import Reader
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.config import Config
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.trace import NullTrace

HERE = Path(__file__).parent
PEOPLE = ("ida", "leah", "nora", "tom")
LINES = [
    ("tom", "nora", "The choir meets on Wednesday at eight now, bring the blue folder."),
    ("nora", "tom", "Thanks, I will be there."),
    ("leah", "nora", "I left the ladder in the shed behind the house."),
    ("nora", "leah", "Good, nobody will trip over it there."),
    ("ida", "nora", "Promise not to tell anyone: the surprise party for Tom is in the boathouse."),
    ("nora", "ida", "My lips are sealed."),
    ("leah", "ida", "I will come to the garden party, I just have to work till five."),
    ("ida", "tom", "Did you find out about the ferry?"),
    ("tom", "ida", "The ferry leaves at 7:40 in the morning, they told me."),
    ("tom", "ida", "The saw is in our cellar, behind the paint."),
    ("ida", "leah", "The weather is lovely in Bergen."),
]


def talks(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))["talk"]
    return found


def world(folder: Path) -> Path:
    at = datetime(2024, 5, 1)
    messages = [ChatMessage(n, a, b, t, at + timedelta(hours=n), f"s-{a}-{b}") for n, (a, b, t) in enumerate(LINES)]
    ties = [Tie(*pair) for pair in sorted({(min(a, b), max(a, b)) for a, b, _ in LINES})]
    with Store.create(folder / "kith.db", {"kind": "test"}) as store:
        store.ingest([Person(one, one.capitalize()) for one in PEOPLE], ties, messages)
    return folder


def play(
    folder: Path, models: Path, embedder: LlamaEmbedder, reader: Reader, turns: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Hold the talk; returns what was wrong with the replies. The world is opened anew for each chat."""
    return asyncio.run(_played(folder, models, embedder, reader, turns))


async def _played(
    folder: Path, models: Path, embedder: LlamaEmbedder, reader: Reader, turns: Sequence[Mapping[str, Any]]
) -> list[str]:
    wrong: list[str] = []
    async with engines.chat_model(Config(), models, None) as model:
        for number, some in enumerate(_chats(turns)):
            with Store.open(folder / "kith.db") as store:
                cast = Cast(store, Policy(), embedder=embedder, reader=reader)
                stage = Stage(model, cast.agent, Settings(), NullTrace(), embedder=embedder)
                partner = some[0].get("as", OUTSIDE)
                talk = Conversation(stage, "nora", partner, partner.capitalize(), f"c{number}")
                for one in some:
                    steps: list[str] = []
                    exchange = await talk.say(str(one["write"]), on_step=steps.append)
                    wrong += _wrong(one, "\n".join([*steps, exchange.reply]))
                talk.close()
    return wrong


def _chats(turns: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    chats: list[list[Mapping[str, Any]]] = [[]]
    for one in turns:
        if one.get("again"):
            chats.append([])
        chats[-1].append(one)
    return chats


def _wrong(one: Mapping[str, Any], said: str) -> list[str]:
    lacks = [part for part in [*one.get("says", ()), *one.get("steps", ())] if part.casefold() not in said.casefold()]
    holds = [part for part in one.get("not", ()) if part.casefold() in said.casefold()]
    return [f"{one['write']!r} -> {said!r} lacks {lacks}, holds {holds}"] if lacks or holds else []
