"""fsck finds what disagrees with the database, mends what can be made again, and says the rest."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from kithnet.memory import erase
from kithnet.memory.chroma import ChromaIndex, strays
from kithnet.memory.closure import Request
from kithnet.memory.fsck import Checked, check
from kithnet.memory.indexer import Indexer, compare
from kithnet.memory.store import Store
from kithnet.memory.vectors import HashEmbedder

EMBEDDER = HashEmbedder()


@pytest.fixture
def vectors(store: Store, world_path: Path) -> Path:
    """The vectors of the five friends, complete and closed."""
    folder = world_path.parent / "vectors"
    with opened(folder) as index:
        Indexer(store, index, EMBEDDER).run()
    return folder


def opened(folder: Path) -> ChromaIndex:
    return ChromaIndex.open(folder, EMBEDDER.name, EMBEDDER.dim)


def wrong(checked: Checked) -> dict[str, int]:
    return {finding.name: finding.found for finding in checked.findings if finding.found}


@pytest.fixture
def broken(store: Store, world_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that keeps no rules: what a defect or a bad disk could write."""
    ross, monica = store.owner("ross"), store.owner("monica")
    ross.remember(
        about="carol", text="Carol is due.", told_by="carol", kind="fact", evidence=["m1"], audience=["monica"]
    )
    ross.remember(about="carol", text="Carol is well.", told_by="carol", kind="fact", evidence=["m3"])
    monica.remember(about="ross", text="Ross is nervous.", told_by="ross", kind="fact", evidence=["m4"])
    ross.disclose(["m1"], partner="monica")
    with closing(sqlite3.connect(world_path, isolation_level=None)) as connection:
        yield connection


def test_a_sound_world_is_clean_with_and_without_vectors(store: Store, world_path: Path) -> None:
    assert wrong(check(store, world_path.parent / "vectors")) == {}
    with opened(world_path.parent / "vectors") as index:
        Indexer(store, index, EMBEDDER).run()
        checked = check(store, world_path.parent / "vectors")  # while they are open elsewhere they are not looked at
        assert checked.clean and any("not looked at" in finding.detail for finding in checked.findings)
    started = time.monotonic()
    assert check(store, world_path.parent / "vectors").clean
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("INSERT INTO evidence VALUES (1, 9)", "evidence"),
        ("UPDATE memory SET restricted = 0 WHERE id = 1", "audience"),
        ("INSERT INTO link VALUES (1, 3, 'causes', NULL)", "links"),
        ("INSERT INTO link VALUES (2, 2, 'causes', NULL)", "links"),
        ("INSERT INTO link VALUES (1, 2, 'causes', 9)", "evidence of links"),
        ("UPDATE memory SET superseded_by = 3 WHERE id = 1", "succession"),
        ("INSERT INTO disclosed VALUES (1, 9, NULL)", "disclosures"),
        ("INSERT INTO disclosed VALUES (1, NULL, 3)", "disclosures"),
        ("INSERT INTO text(digest, body, words) VALUES (x'00', 'nobody says this', 3)", "unused texts"),
        ("INSERT INTO circle VALUES (99, 'p2'); INSERT INTO circle_member VALUES (99, 2);"
         "UPDATE message SET circle = 99 WHERE sender <> 2 AND id = (SELECT max(id) FROM message WHERE sender <> 2)",
         "senders"),
        ("INSERT INTO outbox(op, text) VALUES ('delete', 1)", "outbox"),
        ("INSERT INTO lease VALUES ('indexer', 'elsewhere:1', 9999999999)", "lease"),
        ("DROP TRIGGER message_fts_insert; INSERT INTO message(seq, sender, conversation, circle, text, session)"
         " VALUES (99,1,1,1,1,1)",
         "full text of message"),
        ("INSERT INTO memory_fts(memory_fts, rowid, body, who) VALUES ('delete', 1, 'Carol is due.', 'p2')",
         "full text of memory"),
    ],
)  # fmt: skip
def test_what_disagrees_is_found_and_mended(
    store: Store, broken: sqlite3.Connection, tmp_path: Path, statement: str, name: str
) -> None:
    broken.executescript(statement)
    found = check(store, tmp_path / "none")
    assert name in wrong(found) and not found.clean
    mended = check(store, tmp_path / "none", repair=True)
    assert mended.clean and name in wrong(mended)
    assert wrong(check(store, tmp_path / "none")) == {}


def test_a_memory_that_lost_its_bounds_is_closed_again(
    store: Store, broken: sqlite3.Connection, tmp_path: Path
) -> None:
    broken.execute("UPDATE memory SET restricted = 0 WHERE id = 1")
    assert any(hit.id == "k1" for hit in store.owner("ross").recall("due", partner="phoebe").hits)
    check(store, tmp_path / "none", repair=True)
    assert not any(hit.id == "k1" for hit in store.owner("ross").recall("due", partner="phoebe").hits)
    assert any(hit.id == "k1" for hit in store.owner("ross").recall("due", partner="monica").hits)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE text SET body = 'something else' WHERE key = 1", "texts"),
        ("PRAGMA foreign_keys=OFF; DELETE FROM message WHERE id = 1", "references"),
    ],
)
def test_what_only_a_backup_can_mend_is_told_and_not_hidden(
    store: Store, broken: sqlite3.Connection, tmp_path: Path, statement: str, name: str
) -> None:
    broken.executescript(statement)
    assert not check(store, tmp_path / "none", repair=True).clean
    assert name in wrong(check(store, tmp_path / "none"))


def test_missing_vectors_are_queued_and_ghosts_removed_from_the_files(store: Store, vectors: Path) -> None:
    ghost = np.full((1, EMBEDDER.dim), 0.125, dtype=np.float32)
    with opened(vectors) as index:
        index.delete([3, 4])
        index.upsert([9_999], ghost)
    assert wrong(check(store, vectors)) == {"vectors that are missing": 2, "vectors of nothing": 1}
    assert check(store, vectors, repair=True).clean
    assert not any(ghost.tobytes() in path.read_bytes() for path in vectors.rglob("*") if path.is_file())
    with opened(vectors) as index:
        assert Indexer(store, index, EMBEDDER).run().done == 2
        assert index.count == 11 and not compare(store, index)


@pytest.mark.parametrize("damage", ["deleted", "truncated", "pointer", "about"])
def test_damaged_vectors_are_found_dropped_and_made_again(store: Store, vectors: Path, damage: str) -> None:
    generation = vectors / "gen-1"
    if damage == "deleted":
        for path in sorted(generation.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        generation.rmdir()
    elif damage == "truncated":
        with (generation / "chroma.sqlite3").open("r+b") as file:
            file.truncate(5_000)
    elif damage == "pointer":
        (vectors / "current").write_text("gen-9")
    else:
        (generation / "about.json").write_text("{")
    assert not check(store, vectors).clean
    assert check(store, vectors, repair=True).clean
    with opened(vectors) as index:
        assert Indexer(store, index, EMBEDDER).run().pending == 0
        assert index.count == 11
    assert wrong(check(store, vectors)) == {}


def test_a_folder_of_vectors_that_was_deleted_is_no_loss(store: Store, vectors: Path) -> None:
    for path in sorted(vectors.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert check(store, vectors).clean
    assert store.owner("ross").recall("baby").hits
    with opened(vectors) as index:
        Indexer(store, index, EMBEDDER).run()
        assert index.count == 11


def test_vectors_of_another_embedder_are_told(store: Store, vectors: Path) -> None:
    store.note("embedder", "another")
    assert wrong(check(store, vectors)) == {"embedder": 1}


def test_a_generation_that_nobody_uses_is_found_and_removed(store: Store, vectors: Path) -> None:
    ChromaIndex.beside(vectors, EMBEDDER.name, EMBEDDER.dim).close()
    assert wrong(check(store, vectors)) == {"generations": 1}
    assert check(store, vectors, repair=True).clean and strays(vectors) == []


def test_an_erasure_that_was_not_finished_is_told(store: Store, tmp_path: Path) -> None:
    erase.begin(store, Request(("m1",)))
    assert wrong(check(store, tmp_path / "none")) == {"erasures": 1}


def test_a_generation_is_made_beside_and_taken_over_when_it_is_complete(store: Store, vectors: Path) -> None:
    with ChromaIndex.beside(vectors, EMBEDDER.name, EMBEDDER.dim) as index:
        Indexer(store, index, EMBEDDER).run(seconds=0)
        assert index.count == 0 and (vectors / "current").read_text() == "gen-1"
    with ChromaIndex.beside(vectors, EMBEDDER.name, EMBEDDER.dim) as index:  # goes on with the one that was begun
        Indexer(store, index, EMBEDDER).run()
        assert index.count == 11 and (vectors / "current").read_text() == "gen-1"
        index.adopt()
    assert (vectors / "current").read_text() == "gen-2" and strays(vectors) == []
    assert wrong(check(store, vectors)) == {}


def test_vectors_that_go_are_in_no_file_afterwards(store: Store, vectors: Path) -> None:
    gone = EMBEDDER.embed([store.owner("phoebe").message("m9").text])[0]
    with opened(vectors) as index:
        keep = index.ids() - {key for key, _ in index.query(gone, 1)}
        index.renew(keep)
    # Looked for before this process, which has held the old vectors, opens the new ones: see `copying`.
    assert not any(gone.tobytes() in path.read_bytes() for path in vectors.rglob("*") if path.is_file())
    with opened(vectors) as index:
        assert index.ids() == keep
        again = index.query(EMBEDDER.embed(["Pregnant? With a baby?"])[0], 1)
        assert again[0][1] > 0.999
