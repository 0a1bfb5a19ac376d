"""How fast a real network is imported and embedded, beside the plainest way to do each."""

import resource
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from kithnet.app.worlds import create_world, world_folder
from kithnet.bench.report import Bar, Result
from kithnet.memory.store import Store
from kithnet.network.importers import read_friendstv
from kithnet.network.records import ChatMessage
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.registry import Registry

TEXTS = 1500
ONE_BY_ONE = 200


def run(source: Path, folder: Path, models: Path, embedder: str) -> Result:
    """Import `source` (FriendsTV CSV) into a new world below `folder` and embed its first distinct texts.

    Baselines: inserting the rows into one bare SQLite table without a text index; embedding texts one at a time.
    """
    started = time.perf_counter()
    world = read_friendstv(source)
    create_world(folder, "bench", world)
    imported = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bare = _bare(world.messages, folder / "bare.db")
    with Store.open(world_folder(folder, "bench") / "kith.db") as store:
        stats = store.stats()
    texts = list(dict.fromkeys(message.text for message in world.messages))[:TEXTS]
    with closing(LlamaEmbedder.load(Registry(models).resolve(embedder))) as loaded:
        batched = _rate(loaded, [texts])
        single = _rate(loaded, [[text] for text in texts[:ONE_BY_ONE]])
    table = [
        {"what": "import into SQL and full text", "rows": stats.messages, "seconds": imported, "peak_mb": round(peak)},
        {"what": "baseline: bare SQLite table", "rows": stats.messages, "seconds": bare},
        {"what": "embedding, sorted batches", "rows": len(texts), "per_second": batched},
        {"what": "baseline: one text at a time", "rows": min(ONE_BY_ONE, len(texts)), "per_second": single},
    ]
    bars = (
        Bar("seconds to import", imported, 20, "lower"),
        Bar("peak MB of the import", peak, 500, "lower"),
        Bar("distinct messages embedded a second", batched, 100, "higher"),
    )
    return Result(f"Import of {source.name}", table, bars, 0, time.perf_counter() - started)


def _bare(messages: Sequence[ChatMessage], path: Path) -> float:
    started = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE message (seq INTEGER PRIMARY KEY, sender, receiver, text, at, session)")
        rows = ((m.seq, m.sender, m.receiver, m.text, str(m.at), m.session) for m in messages)
        connection.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    return time.perf_counter() - started


def _rate(embedder: LlamaEmbedder, calls: Sequence[Sequence[str]]) -> float:
    started = time.perf_counter()
    for texts in calls:
        embedder.embed(texts)
    return sum(map(len, calls)) / (time.perf_counter() - started)
