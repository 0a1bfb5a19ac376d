"""Small worlds for the tests of memory/, on a real SQLite file."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie

PEOPLE = [
    Person("monica", "Monica Geller", "A chef.", ("Mon",)),
    Person("ross", "Ross Geller", "A palaeontologist."),
    Person("carol", "Carol Willick"),
    Person("chandler", "Chandler Bing"),
    Person("phoebe", "Phoebe Buffay", aliases=("Pheebs",)),
]
START = datetime(1994, 9, 22, 9, 0)

# sender, receiver, text, session
LINES = [
    ("carol", "ross", "Ross, I have to tell you something. I'm pregnant.", "s1"),
    ("ross", "carol", "Pregnant? With a baby?", "s1"),
    ("carol", "ross", "Yes. The baby is due in April.", "s1"),
    ("ross", "monica", "Carol is having a baby, and it is mine!", "s2"),
    ("ross", "chandler", "Carol is having a baby, and it is mine!", "s2"),
    ("monica", "ross", "Oh my god. Do Mom and Dad know?", "s2"),
    ("chandler", "monica", "I bought two tickets for the hockey game on Friday.", "s3"),
    ("monica", "chandler", "I cannot, I am cooking lasagne for twelve people on Friday.", "s3"),
    ("phoebe", "chandler", "My secret password is xylophone.", "s4"),
    ("chandler", "phoebe", "Your password is safe with me.", "s4"),
    ("monica", "phoebe", "What time does your flight land?", "s5"),
    ("phoebe", "monica", "At seven tomorrow evening.", "s5"),
]


def messages_of(lines: Sequence[tuple[str, str, str, str]]) -> list[ChatMessage]:
    return [
        ChatMessage(seq, sender, receiver, text, START + timedelta(hours=seq), session)
        for seq, (sender, receiver, text, session) in enumerate(lines)
    ]


def ties_of(lines: Sequence[tuple[str, str, str, str]]) -> list[Tie]:
    pairs = sorted({(min(a, b), max(a, b)) for a, b, _, _ in lines})
    return [Tie(a, b, "friend") for a, b in pairs]


@pytest.fixture
def world_path(tmp_path: Path) -> Path:
    return tmp_path / "world" / "kith.db"


@pytest.fixture
def store(world_path: Path) -> Iterator[Store]:
    """Five friends and their twelve messages."""
    with Store.create(world_path, {"kind": "test"}) as made:
        made.ingest(PEOPLE, ties_of(LINES), messages_of(LINES))
        yield made


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `python -W error -c script args...`; whatever still runs at the end is killed and reaped."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *args: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
