"""A large chat brought into a world, beside the plainest way to put the same file into a database."""

import json
import multiprocessing
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from kithnet.app.adding import Wanted, add
from kithnet.bench.report import Bar, Result
from kithnet.memory.store import Store

WRITERS, VOCABULARY, BEGIN = 7, 20_000, 1_577_836_800


def run(messages: int, seed: int) -> Result:
    """Add a Telegram-shaped group of so many messages to a new world, and load it with `json` into one bare SQLite table.

    Each in a process of its own, one after the other, so that its peak of memory is its own.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside)
        export = folder / "result.json"
        written(export, messages, seed)
        ours, seconds, peak = _alone(_ours, folder, export)
        again, seconds_again, _ = _alone(_ours, folder, export)
        plain, bare, bare_peak = _alone(_bare, folder, export)
        with Store.open(folder / "big" / "kith.db") as store:
            heard = sum(len(one.receivers) for one in store.messages())
        size = export.stat().st_size / 2**20
    table = [
        {"what": "kith world add", "messages": ours, "seconds": seconds, "peak_mb": round(peak)},
        {"what": "the same file again", "messages": again, "seconds": seconds_again, "peak_mb": None},
        {
            "what": "baseline: json.load and one bare table",
            "messages": plain,
            "seconds": bare,
            "peak_mb": round(bare_peak),
        },
        {"what": "rows, if each listener had one", "messages": heard, "seconds": None, "peak_mb": None},
    ]
    scale = messages / 1_000_000
    bars = (
        Bar("seconds for a million messages", seconds / scale, 300, "lower"),
        Bar("peak MB", peak, 1_000, "lower"),
        Bar("messages that are new in the same file again", float(again), 0, "lower"),
        Bar("rows a listener for each message stored", heard / messages, 1, "higher"),
    )
    title = f"{messages:,} messages of a group of {WRITERS}, {size:.0f} MB of JSON"
    return Result(title, table, bars, seed, time.perf_counter() - started)


def written(path: Path, messages: int, seed: int) -> None:
    """A group's talk as Telegram Desktop exports it, of invented words."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(VOCABULARY)]
    with path.open("w", encoding="utf-8") as file:
        file.write('{"name": "Large group", "type": "private_group", "id": 77, "messages": [\n')
        for number in range(1, messages + 1):
            who = rng.randrange(WRITERS)
            said = {
                "id": number, "type": "message", "date_unixtime": str(BEGIN + 45 * number), "from": f"Person {who}",
                "from_id": f"user{who}", "text": " ".join(rng.choices(words, k=rng.randint(2, 14))), "text_entities": [],
            }  # fmt: skip
            file.write(json.dumps(said) + (",\n" if number < messages else "\n"))
        file.write("]}\n")


def _ours(folder: Path, export: Path) -> int:
    return add(folder, "big", [export], Wanted(zone="UTC")).messages["new"]


def _bare(folder: Path, export: Path) -> int:
    with export.open(encoding="utf-8") as file:
        found = json.load(file)["messages"]
    with closing(sqlite3.connect(folder / "bare.db")) as connection:
        connection.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, sender, text, at)")
        rows = ((one["id"], one["from_id"], one["text"], int(one["date_unixtime"])) for one in found)
        connection.executemany("INSERT INTO message VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    return len(found)


def _alone(work: Callable[[Path, Path], int], folder: Path, export: Path) -> tuple[int, float, float]:
    """What a piece of work gives in a process of its own, its seconds, and its peak of memory in MB."""
    context = multiprocessing.get_context("spawn")
    answers: Any = context.Queue()
    process = context.Process(target=_answer, args=(work, folder, export, answers))
    process.start()
    found: tuple[int, float, float] = answers.get()
    process.join()
    return found


def _answer(work: Callable[[Path, Path], int], folder: Path, export: Path, answers: Any) -> None:
    started = time.perf_counter()
    count = work(folder, export)
    seconds = time.perf_counter() - started
    answers.put((count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
