"""An erasure from a world whose database or vectors are kept by a server: the rows, the vectors, and the files."""

from pathlib import Path

import pytest

from kithnet.app import erasure
from kithnet.app.world_names import ERASING
from kithnet.bench.memory import planted
from kithnet.memory import fsck
from kithnet.memory.chroma import discard
from kithnet.memory.chroma_server import SERVER_FILE, ChromaServerIndex
from kithnet.memory.closure import Request
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.runtime.errors import StorageError

EMBEDDER = planted.NoiseEmbedder()


@pytest.fixture
def world(tmp_path: Path, chroma_url: str) -> Path:
    """The planted world with its vectors in a server."""
    folder = tmp_path / "w"
    planted.plant(folder, 11)
    discard(folder / "vectors")
    with (
        Store.open(folder / "kith.db") as store,
        ChromaServerIndex.rebuild(folder / "vectors", chroma_url, "w", EMBEDDER.name, EMBEDDER.dim) as index,
    ):
        Indexer(store, index, EMBEDDER).run()
    return folder


def test_vectors_in_a_server_go_with_their_collection(world: Path) -> None:
    with ChromaServerIndex.open(world / "vectors", EMBEDDER.name, EMBEDDER.dim) as index:
        before = index.ids()
    older = (world / "vectors" / SERVER_FILE).read_text()
    done = erasure.run(world, Request(("m21",)))
    assert done.receipt.removed["vectors"] == 6 and done.remains == ()
    assert (world / "vectors" / SERVER_FILE).read_text() != older
    with (
        Store.open(world / "kith.db") as store,
        ChromaServerIndex.open(world / "vectors", EMBEDDER.name, EMBEDDER.dim) as index,
    ):
        assert index.count == store.stats().texts == len(before) - 6
        assert index.ids() < before
        assert fsck.check(store, world / "vectors").clean


def test_ghosts_in_a_server_are_found_and_removed(world: Path) -> None:
    with (
        Store.open(world / "kith.db") as store,
        ChromaServerIndex.open(world / "vectors", EMBEDDER.name, EMBEDDER.dim) as index,
    ):
        index.upsert([9_999], EMBEDDER.embed(["a ghost"]))
        index.delete([1])
        found = {one.name: one.found for one in fsck.check(store, world / "vectors").findings if one.found}
        assert found == {"vectors that are missing": 1, "vectors of nothing": 1}
        assert fsck.check(store, world / "vectors", repair=True).clean
        assert fsck.check(store, world / "vectors").clean


def test_without_its_server_an_erasure_is_left_to_be_finished(world: Path) -> None:
    file = world / "vectors" / SERVER_FILE
    stated = file.read_text()
    file.write_text(stated.replace("http://127.0.0.1:", "http://127.0.0.1:1#"))
    with pytest.raises(StorageError):
        erasure.run(world, Request(("m21",)))
    assert (world / ERASING).exists()
    with Store.open(world / "kith.db") as store:
        assert not fsck.check(store, world / "vectors", repair=True).clean  # nothing is thrown away meanwhile
    file.write_text(stated)
    assert erasure.resume(world)[0].remains == ()
    assert not (world / ERASING).exists()
