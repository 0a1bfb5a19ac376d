"""What a kill at any moment leaves behind, and what an erasure does: nothing lost, nothing made up, no byte left.

`kills` starts writers on one world and kills them, at random or at their n-th statement or file operation. `erased`
erases single messages and people from worlds in which everything there is holds them, and scans every byte; some of
the erasures are killed on the way and finished by the next opening.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from kithnet.app import erasure
from kithnet.bench.memory import planted
from kithnet.bench.report import Bar
from kithnet.memory import erase, fsck
from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.closure import Request
from kithnet.memory.indexer import Indexer, compare
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.store import Store
from kithnet.memory.vectors import HashEmbedder
from kithnet.network.records import Person, Tie
from kithnet.runtime.errors import InputError

EMBEDDER = HashEmbedder()
FULL, QUICK = 1_000, 50
"""Kills of the whole benchmark, and of its short version."""
CHECK_EVERY = 25
LONGEST = 40.0
POINTS = 220
"""About how many points at which it may die an erasure passes."""
WRITES = {"open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.truncate"}
"""What Python tells an audit hook of; with every SQL statement they are the points at which a child kills itself."""
Measured = tuple[list[dict[str, Any]], list[Bar]]


def kills(count: int = FULL, *, seed: int = 7, folder: Path) -> Measured:
    """Kill `count` writers of one world, each at another moment, and look after each kill for what they had written.

    folder: for the world. Returns the table's rows and the bars.
    """
    choose, tally = random.Random(seed), _Tally()
    world = folder / "killed"
    with Store.create(world / "kith.db") as store:
        store.ingest(
            [Person(p, p.title()) for p in ("ana", "ben", "cleo")], [Tie("ana", "ben"), Tie("ana", "cleo")], []
        )
    for number in range(1, count + 1):
        with Store.open(world / "kith.db") as store:
            before = store.stats()
        point = int(2 ** choose.uniform(0, 9)) if number % 2 else 0
        _killed(_write, (world, world / "acknowledged", choose.getrandbits(32)), choose, point=point)
        acknowledged = _acknowledged(world / "acknowledged")
        with Store.open(world / "kith.db") as store:
            tally.compare(store, before.messages + before.memories, acknowledged)
            if number % CHECK_EVERY == 0 or number == count:
                tally.check(store, world)
    rows = [
        {
            "fault": "kill -9 of a writer",
            "times": count,
            "acknowledged": tally.acknowledged,
            "lost": tally.lost,
            "ghosts": tally.ghosts,
            "fsck": f"{tally.checks} times, {tally.wrong} wrong, {tally.seconds:.2f} s at most",
        }
    ]
    return rows, [
        Bar("acknowledged writes lost by kill -9", tally.lost, 0, "lower"),
        Bar("ghosts after kill -9", tally.ghosts, 0, "lower"),
        Bar("fsck findings after kill -9", tally.wrong, 0, "lower"),
        Bar("seconds of fsck", round(tally.seconds, 2), 5.0, "lower"),
    ]


def erased(count: int = 20, *, seed: int = 7, folder: Path) -> Measured:
    """Erase from `count` worlds in which everything holds what is erased, a third of them killed on the way."""
    choose = random.Random(seed)
    found, before, receipts, killed = dict.fromkeys(planted.FORMS, 0), 0, 0, 0
    for number in range(count):
        world = folder / f"erased-{number}"
        secret = planted.plant(world, choose.getrandbits(32))
        before += sum(planted.scan(world, secret).values()) > 0
        request = Request(person=planted.WHO) if number % 5 == 4 else Request((secret.message,))
        if number % 3 == 2:
            killed += 1
            _killed(_erase, (world, request), choose, point=choose.randint(1, POINTS))
            erasure.resume(world)
            if planted.held(world, secret):  # it had not been begun, so all of it must still be there
                erasure.run(world, request)
        else:
            erasure.run(world, request)
        for form, hits in planted.scan(world, secret).items():
            found[form] += hits
        with Store.open(world / "kith.db") as store:
            receipts += all(receipt.finished for receipt in erase.receipts(store))
    rows = [
        {"erased": form, "worlds": count, "killed": killed, "hits before": before, "hits": hits}
        for form, hits in found.items()
    ]
    return rows, [
        Bar("byte hits of what was erased", sum(found.values()), 0, "lower"),
        Bar("worlds in which the scan found it before", before, count, "higher"),
        Bar("erasures with a closed receipt", receipts, count, "higher"),
    ]


# --- children ---


def _killed(work: Callable[..., None], arguments: tuple[Any, ...], choose: random.Random, *, point: int) -> None:
    """Run `work` in a child that dies by SIGKILL: at a point of its own, or for point 0 after a random time."""
    child = _forks().Process(target=_child, args=(point, work, arguments))
    child.start()
    child.join(LONGEST if point else choose.uniform(0.05, 0.6))
    if child.is_alive():
        child.kill()
    child.join()
    if child.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a child that was to be killed failed by itself: exit status {child.exitcode}")
    child.close()


def _forks() -> ForkServerContext:
    """Children of a process that has imported everything and holds no file or thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _child(point: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    if point:
        _die_at(point)
    work(*arguments)


def _die_at(point: int) -> None:
    """Kill this process at its n-th statement, commit or file operation."""
    from sqlalchemy import Engine, event

    left = [point]

    def step(*_: object) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, name, step)
    sys.addaudithook(lambda name, _: step() if name in WRITES else None)


def _erase(world: Path, request: Request) -> None:
    erasure.run(world, request)


def _write(world: Path, log: Path, seed: int) -> None:
    """Write in every way there is, and acknowledge each write once it has returned."""
    choose = random.Random(seed)
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(Store.open(world / "kith.db"))
        index = None
        if seed % 3 == 0:
            index = stack.enter_context(ChromaIndex.open(world / "vectors", EMBEDDER.name, EMBEDDER.dim))
        ana = store.owner("ana")
        for number in range(60):
            _one(ana, choose, f"{seed}-{number}", lambda *line: os.write(told, json.dumps(line).encode() + b"\n"))
            if index is not None and number % 8 == 7:
                Indexer(store, index, EMBEDDER).run(batch=4)


def _one(ana: OwnerMemory, choose: random.Random, tag: str, tell: Callable[[str, str, str], object]) -> None:
    """One random write. tell: what was written, its id and its text, once it is; that something is to go, before."""
    partner, turn = choose.choice(("ben", "cleo")), choose.random()
    if turn < 0.5:
        text = f"Turn {tag} of ana."
        tell("item", ana.write_turn(partner, text, sender="ana", session=f"s{tag}"), text)
    elif turn < 0.85:
        said = ana.write_turn(partner, f"Evidence {tag}.", sender=partner, session=f"s{tag}")
        text = f"Memory {tag}: {partner} said so."
        made = ana.remember(
            about=partner, text=text, told_by=partner, kind="fact", evidence=[said],
            audience=[partner] if turn < 0.6 else None, slot="saying" if turn > 0.7 else None,
        )  # fmt: skip
        ana.record_usage(f"u:{tag}", [made.id], partner)
        ana.disclose([made.id, said], partner=partner, task=tag, rule="ordinary")
        tell("two", made.id, text)
    elif known := ana.memories(limit=3):
        tell("going", known[-1].id, "")
        ana.forget(known[-1].id)
        tell("gone", known[-1].id, "")


def _acknowledged(log: Path) -> list[tuple[str, str, str]]:
    lines = log.read_bytes().splitlines(keepends=True) if log.exists() else []
    log.unlink(missing_ok=True)
    return [tuple(json.loads(line)) for line in lines if line.endswith(b"\n")]


# --- what is there afterwards ---


@dataclass
class _Tally:
    acknowledged: int = 0
    lost: int = 0
    ghosts: int = 0
    checks: int = 0
    wrong: int = 0
    seconds: float = 0.0
    gone: set[str] = field(default_factory=set)

    def compare(self, store: Store, before: int, acknowledged: list[tuple[str, str, str]]) -> None:
        """Every acknowledged write is there, and besides them at most the one that was under way."""
        ana = store.owner("ana")
        going = {item for kind, item, _ in acknowledged if kind == "going"}
        self.gone |= {item for kind, item, _ in acknowledged if kind == "gone"}
        added = 0
        for kind, item, text in acknowledged:
            self.acknowledged += kind != "going"
            added += {"item": 1, "two": 2, "gone": -1}.get(kind, 0)
            if kind in ("item", "two") and item not in going:
                self.lost += _text(ana, item) != text
        self.ghosts += sum(hit.id in self.gone for hit in ana.memories(limit=1_000))
        stats = store.stats()
        under_way = stats.messages + stats.memories - before - added
        self.ghosts += under_way not in (-1, 0, 1, 2)

    def check(self, store: Store, world: Path) -> None:
        """fsck as it is found, then once all vectors are made."""
        with ChromaIndex.open(world / "vectors", EMBEDDER.name, EMBEDDER.dim) as index:
            Indexer(store, index, EMBEDDER).run()
            self.ghosts += len(compare(store, index).ghosts)
            self.lost += len(compare(store, index).missing)
        started = time.monotonic()
        found = fsck.check(store, world / "vectors")
        self.seconds = max(self.seconds, time.monotonic() - started)
        self.wrong += sum(not finding.ok for finding in found.findings)
        self.checks += 1


def _text(memory: OwnerMemory, item: str) -> str | None:
    with contextlib.suppress(InputError):
        return memory.message(item).text
    return None
