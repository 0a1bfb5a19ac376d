"""Erase from a whole world: its database, vectors, saved states and runs, so that no file holds a byte of it.

The database comes first: once its transaction is committed nobody recalls what was erased. A mark in the folder says
that files are still to be cleared; whoever opens the world next finishes that. A run that holds the text or cites what
was erased is removed whole; saved states hold everything as tokens, so all of them go (they are a cache).
"""

import contextlib
import html
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kithnet.app.runs import Run, all_runs, held
from kithnet.app.warmth import FOLDER as STATES
from kithnet.app.world_names import ERASING
from kithnet.memory import erase, generations, people
from kithnet.memory.closure import Doomed, Request
from kithnet.memory.language.text import sentences
from kithnet.memory.store import Store
from kithnet.runtime.errors import InputError, StorageError, WorldBusy

LOCK = "erase.lock"
SHORTEST, PIECES, SCANNED = 12, 20, 50
"""Characters of a piece of text worth a search, sentences taken of one text, and pieces that a scan looks for."""
_CITED = re.compile(rb'"([mk][0-9]+)"')


@dataclass(frozen=True, slots=True)
class Files:
    """What of a world's files goes: runs by id, the number of saved states, whether vectors are copied."""

    runs: tuple[str, ...]
    states: int
    vectors: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """remains: files in which the last scan still found a text; none, if all is well. scanned: texts it looked for."""

    receipt: erase.Receipt
    remains: tuple[str, ...]
    scanned: int


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an erasure would do. request: with the person by id."""

    request: Request
    rows: tuple[Doomed, ...]
    elsewhere: tuple[str, ...]
    files: Files

    def contract(self, world: str) -> dict[str, Any]:
        """As `kith memory erase --dry-run --json` prints it."""
        return {
            **contract(world, []),
            "dry_run": True,
            "rows": [{"id": row.id, "kind": row.kind, "why": row.why, "text": row.text} for row in self.rows],
            "elsewhere": list(self.elsewhere),
            "runs": list(self.files.runs),
            "states": self.files.states,
        }


def contract(world: str, done: Sequence[Erased]) -> dict[str, Any]:
    """As `kith memory erase --json` prints it: what was erased is not told again."""
    return {
        "world": world,
        "dry_run": False,
        "rows": [],
        "elsewhere": [],
        "runs": [],
        "states": 0,
        "receipts": [
            {
                "id": one.receipt.id,
                "kind": one.receipt.kind,
                "begun": one.receipt.begun.isoformat(),
                "finished": one.receipt.finished.isoformat() if one.receipt.finished else None,
                "removed": dict(one.receipt.removed),
                "scanned": one.scanned,
                "remains": list(one.remains),
            }
            for one in done
        ],
    }


def foresee(world: Path, request: Request) -> Foreseen:
    """What `run` would remove. Raises InputError for an id that there is not or nothing to erase, UnknownPerson."""
    if not request.items and request.person is None:
        raise InputError("nothing to erase was named", "name messages (m17) or memories (k4), or --person NAME")
    with Store.open(world / "kith.db") as store:
        if request.person is not None:
            person = people.resolve(store.people(outside=True), request.person).id
            request = replace(request, person=person)
        found = erase.plan(store, request)
    ids = [row.id for row in found.rows if row.kind != "task"]
    texts = () if found.elsewhere else tuple(row.text for row in found.rows)
    return Foreseen(request, found.rows, found.elsewhere, files(world, texts, ids))


def files(world: Path, texts: Sequence[str], ids: Iterable[str]) -> Files:
    """What of the files goes with these texts and ids."""
    states = world / STATES
    return Files(
        tuple(run.id for run in _touched(world, texts, frozenset(ids))),
        sum(1 for path in states.iterdir() if path.is_file()) if states.is_dir() else 0,
        (world / "vectors").is_dir(),
    )


def run(world: Path, request: Request) -> Erased:
    """Erase from a world's database and then from its files.

    Raises InputError for an id that there is not, UnknownPerson; WorldBusy, before anything is changed, while a run
    or an indexer is at work on the world.
    """
    with _alone(world), Store.open(world / "kith.db") as store:
        for earlier in erase.unfinished(store):
            _clear(world, store, earlier)
        with ExitStack() as undo:
            undo.callback((world / ERASING).unlink, missing_ok=True)
            work = erase.begin(store, request)
            undo.pop_all()
        erased = _clear(world, store, work)
        (world / ERASING).unlink(missing_ok=True)
        return erased


def resume(world: Path) -> list[Erased]:
    """Finish what an earlier process began; [] when nothing is left. Raises WorldBusy while another is at it."""
    with _alone(world), Store.open(world / "kith.db") as store:
        done = [_clear(world, store, work) for work in erase.unfinished(store)]
        (world / ERASING).unlink(missing_ok=True)
        return done


def pending(world: Path) -> bool:
    """Whether an erasure may have been begun and not finished."""
    return (world / ERASING).exists()


def _clear(world: Path, store: Store, work: erase.Unfinished) -> Erased:
    """Remove the texts from every file; may be killed anywhere and called again."""
    pieces = _pieces(store, work.texts)
    states = world / STATES
    removed = {"states": files(world, (), ()).states, "runs": 0, "vectors": 0}
    if states.is_dir():
        shutil.rmtree(states)
    for one in _touched(world, pieces, work.ids):
        shutil.rmtree(one.folder)
        removed["runs"] += 1
    removed["vectors"] = _renew(world / "vectors", store)
    receipt = erase.settle(store, work.receipt, {what: count for what, count in removed.items() if count})
    scanned = pieces[:SCANNED]
    return Erased(receipt, tuple(remains(world, scanned)), len(scanned))


def _renew(folder: Path, store: Store) -> int:
    """Copy the vectors that stay into a new generation; damaged ones are dropped and made again by the next index."""
    if not folder.is_dir():
        return 0
    from kithnet.memory import chroma  # a second's import, for worlds that have vectors

    keep = erase.vectors_settled(store)
    for unused in chroma.strays(folder):
        shutil.rmtree(unused, ignore_errors=True)
    try:
        index = generations.opened(folder)
        if index is None:
            return 0
        with contextlib.closing(index):
            return generations.keep_only(index, keep)
    except WorldBusy:
        raise
    except StorageError:
        if generations.in_server(folder):  # it may only be out of reach, and still hold them
            raise
        chroma.discard(folder)
        return 0


@contextmanager
def _alone(world: Path) -> Iterator[None]:
    """Nobody else erases, and no run is at work: it could write down again what it has read.

    The mark is set first: whoever comes from now on waits for the erasure.
    """
    lock, mark = FileLock(world / LOCK, blocking=False), world / ERASING
    try:
        lock.acquire()
    except Timeout as error:
        raise WorldBusy(f"something is being erased from {world.name}", "wait for it to finish") from error
    try:
        begun = mark.exists()
        mark.touch()
        try:
            _idle(world)
        except WorldBusy:
            if not begun:
                mark.unlink()
            raise
        yield
    finally:
        lock.release()


def _idle(world: Path) -> None:
    for one in all_runs(world):
        with held(one):
            pass
    if (world / "vectors").is_dir():
        _not_open(world / "vectors")


def _not_open(vectors: Path) -> None:
    """Raises WorldBusy while another process has the vectors open."""
    try:
        with FileLock(vectors / "lock", blocking=False):
            pass
    except Timeout as error:
        raise WorldBusy(
            f"the vectors in {vectors} are in use", "end the process that has them open, then again"
        ) from error


# --- what a file may hold ---


def _pieces(store: Store, texts: Sequence[str]) -> list[str]:
    """The texts, and the longer sentences of each, as far as no text that stays holds them too; longest first."""
    pieces: dict[str, None] = {}
    for text in texts:
        parts = sentences(text)
        pieces |= dict.fromkeys([text, *[part for part in parts if len(part) >= 2 * SHORTEST][:PIECES]])
    wanted = {piece for piece in pieces if len(piece) >= SHORTEST}
    return sorted(wanted - erase.still_said(store, wanted), key=len, reverse=True)


def forms(text: str) -> set[bytes]:
    """How a text may stand in a file: in UTF-8 and UTF-16, escaped for JSON and for HTML."""
    marked = html.escape(text)
    written = {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        marked,
        marked.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    }
    return {text.encode("utf-16-le"), text.encode("utf-16-be"), *(form.encode("utf-8") for form in written)}


def remains(folder: Path, texts: Iterable[str]) -> list[str]:
    """The files below a folder that hold any of the texts in any form, as paths within it."""
    wanted = set().union(*(forms(text) for text in texts)) if texts else set()
    found = []
    for path in sorted(folder.rglob("*")) if wanted else ():
        if path.is_file():
            data = path.read_bytes()
            if any(form in data for form in wanted):
                found.append(path.relative_to(folder).as_posix())
    return found


def _touched(world: Path, pieces: Sequence[str], ids: frozenset[str]) -> list[Run]:
    """Runs that cite one of the ids or hold one of the pieces."""
    return [run for run in all_runs(world) if _cites(run.folder, ids) or remains(run.folder, pieces[:SCANNED])]


def _cites(folder: Path, ids: frozenset[str]) -> bool:
    for name in ("trace.jsonl", "tasks.json"):
        if (folder / name).is_file() and ids:
            cited = {found.decode() for found in _CITED.findall((folder / name).read_bytes())}
            if not ids.isdisjoint(cited):
                return True
    return False
