"""Whether what holds now is what is answered, after it changed; and whether a session read again adds anything."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from kithnet.bench.memory.played import Played, Tools, opened
from kithnet.bench.report import Bar
from kithnet.memory import schema
from kithnet.network.generate.mixed import mixed_episode, update_script
from kithnet.network.generate.spec import Phrases

Measured = tuple[list[dict[str, Any]], list[Bar]]
Tell = Callable[[int, int], None]
REPLAYS = 10


def stale(scripts: int, *, seed: int, phrases: Phrases, tools: Tools, tell: Tell | None = None) -> Measured:
    """Ask each script's question at its end; the first memory that states a value of the thing is the answer."""
    count: Counter[str] = Counter()
    for number in range(scripts):
        episode = update_script(seed * 10_000 + number, phrases)
        with tempfile.TemporaryDirectory() as beside, opened(episode, Path(beside), tools) as played:
            for session in range(len(episode.sessions)):
                played.write(session)
                played.write_flat(session)
            played.look()
            _ask(played, count)
        if tell and number % 10 == 0:
            tell(number, scripts)
    asked = count["asked"]
    rows: list[dict[str, Any]] = [
        {"what": "stale answers after updates", "n": asked, "kithnet": count["stale"] / asked, "emma": count["flat stale"] / asked},
        {"what": "  right answers", "n": asked, "kithnet": count["right"] / asked, "emma": count["flat right"] / asked},
        {"what": "  neither value among the first 20 hits", "n": asked, "kithnet": count["neither"] / asked},
        {"what": "  an old value still held for true", "n": asked, "kithnet": count["held"] / asked, "emma": 1.0},
    ]  # fmt: skip
    return rows, [Bar(f"current-value errors on {asked:,} update scripts", count["stale"] / asked, 0.01, "lower")]


def _ask(played: Played, count: Counter[str]) -> None:
    (question,) = played.episode.questions
    now, before = set(played.of_gold[question.memory]), {one for g in question.stale for one in played.of_gold[g]}
    # A memory that an update confirmed in other words states both; what it says last is what it is asked for.
    before -= now
    found = played.agent.memory.recall(question.text, speakers=(question.about,), k=20, budget=4_000)
    first = next((hit.id for hit in found.hits if hit.id in now | before), None)
    count["asked"] += 1
    count["right"] += first in now
    count["stale"] += first in before
    count["neither"] += first is None
    count["held"] += any(played.memories[one].valid_to is None for one in before)
    top = played.flat.top(question.text)
    gold = played.episode.memories
    count["flat right"] += top in played.flat_of(gold[question.memory])
    count["flat stale"] += any(top in played.flat_of(gold[one]) for one in question.stale)


def replayed(episodes: int, *, seed: int, phrases: Phrases, tools: Tools) -> Measured:
    """Write every session of some episodes ten more times and count what has grown."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for number in range(episodes):
        episode = mixed_episode(seed * 1_000 + number, phrases)
        with tempfile.TemporaryDirectory() as beside, opened(episode, Path(beside), tools) as played:
            for session in range(len(episode.sessions)):
                played.write(session)
                played.write_flat(session)
            before += _sizes(played)
            for _ in range(REPLAYS):
                for session in range(len(episode.sessions)):
                    played.write(session)
                    played.write_flat(session)
            after += _sizes(played)
    growth = {name: after[name] / before[name] - 1 if before[name] else 0.0 for name in before}
    rows: list[dict[str, Any]] = [
        {"what": "growth by 10 replays: memories", "n": before["memory"], "kithnet": growth["memory"], "emma": growth["flat"]},
        {"what": "  links", "n": before["link"], "kithnet": growth["link"]},
        {"what": "  evidence", "n": before["evidence"], "kithnet": growth["evidence"]},
    ]  # fmt: skip
    return rows, [Bar("growth by replaying sessions 10 times", max(growth["memory"], growth["link"]), 0.01, "lower")]


def _sizes(played: Played) -> Counter[str]:
    with played.store.database.read() as connection:
        sizes = {
            name: connection.scalar(select(func.count()).select_from(schema.metadata.tables[name])) or 0
            for name in ("memory", "link", "evidence")
        }
    return Counter({**sizes, "flat": len(played.flat.statements)})
