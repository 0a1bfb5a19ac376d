"""One suite for every VectorIndex: Chroma in a folder, a Chroma server, and the array in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.chroma_server import ChromaServerIndex, stated
from kithnet.memory.vectors import ArrayIndex, HashEmbedder, VectorIndex, Vectors
from kithnet.runtime.errors import InputError, StorageError

DIM = 16


@pytest.fixture(params=["chroma", "chroma-server", "array"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    made: VectorIndex
    if request.param == "chroma":
        made = ChromaIndex.open(tmp_path / "vectors", "hash", DIM)
    elif request.param == "chroma-server":
        url = request.getfixturevalue("chroma_url")
        made = ChromaServerIndex.rebuild(tmp_path / "vectors", url, "w", "hash", DIM)
    else:
        made = ArrayIndex("hash", DIM)
    yield made
    made.close()


def some(count: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    normal: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normal


def test_a_new_index_is_empty_and_answers_nothing(index: VectorIndex) -> None:
    assert index.count == 0
    assert index.ids() == set()
    assert index.query(some(1)[0], 5) == []


def test_the_nearest_come_first_with_their_cosines(index: VectorIndex) -> None:
    vectors = some(200)
    index.upsert(range(1, 201), vectors)
    found = index.query(vectors[41], 3)
    exact = np.argsort(-(vectors @ vectors[41]))[:3] + 1
    assert [item for item, _ in found] == exact.tolist()
    assert found[0][1] == pytest.approx(1.0, abs=1e-4)
    assert found[1][1] == pytest.approx(float(vectors[exact[1] - 1] @ vectors[41]), abs=1e-4)


def test_a_query_among_some_returns_no_others(index: VectorIndex) -> None:
    vectors = some(300)
    index.upsert(range(300), vectors)
    allowed = {7, 8, 9, 250, 100_000}
    found = index.query(vectors[0], 50, allowed)
    assert {item for item, _ in found} == {7, 8, 9, 250}
    assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)


def test_a_query_among_none_returns_nothing(index: VectorIndex) -> None:
    index.upsert([1], some(1))
    assert index.query(some(1)[0], 5, set()) == []
    assert index.query(some(1)[0], 5, {2, 3}) == []
    assert index.query(some(1)[0], 0) == []


def test_the_same_upsert_twice_changes_nothing(index: VectorIndex) -> None:
    index.upsert([1, 2, 3], some(3))
    index.upsert([1, 2, 3], some(3))
    assert index.count == 3
    assert index.ids() == {1, 2, 3}


def test_an_upsert_replaces_the_vector(index: VectorIndex) -> None:
    old, new = some(1, seed=1), some(1, seed=2)
    index.upsert([5], old)
    index.upsert([5], new)
    [(found, cosine)] = index.query(new[0], 1)
    assert found == 5 and cosine == pytest.approx(1.0, abs=1e-4)


def test_deleted_ids_are_gone_and_unknown_ones_are_no_error(index: VectorIndex) -> None:
    index.upsert([1, 2, 3], some(3))
    index.delete([2, 99])
    index.delete([])
    assert index.ids() == {1, 3}
    assert 2 not in [item for item, _ in index.query(some(3)[1], 10)]


def test_vectors_of_another_shape_are_refused(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="shape"):
        index.upsert([1, 2], some(3))
    with pytest.raises(ValueError, match="finite"):
        index.upsert([1], np.full((1, DIM), np.nan, dtype=np.float32))
    assert index.count == 0


def test_more_vectors_than_one_of_the_backends_batches_are_kept(index: VectorIndex) -> None:
    vectors = some(6_000)
    index.upsert(range(6_000), vectors)
    assert index.count == 6_000
    assert index.query(vectors[5_999], 1, set(range(3_000, 6_000)))[0][0] == 5_999


def test_an_id_that_is_named_twice_is_found_once(index: VectorIndex) -> None:
    vectors = some(50)
    index.upsert(range(50), vectors)
    index.upsert([3, 1, 2], vectors[[3, 1, 2]])
    found = index.query(vectors[3], 10, [3, 3, 1, 2, 2])
    assert found[0][0] == 3 and sorted(item for item, _ in found) == [1, 2, 3]


def test_a_query_sees_what_another_process_wrote_to_the_server_and_deleted(chroma_url: str, tmp_path: Path) -> None:
    vectors = some(6)
    with ChromaServerIndex.rebuild(tmp_path / "v", chroma_url, "w", "hash", DIM) as first:
        first.upsert([1, 2, 3], vectors[:3])
        with ChromaServerIndex.open(tmp_path / "v", "hash", DIM) as second:
            second.upsert([4], vectors[3:4])
            assert first.query(vectors[3], 1, {1, 2, 3, 4})[0][0] == 4
            second.delete([1])
            second.upsert([5], vectors[4:5])  # as many as before, but not the same
            assert {item for item, _ in first.query(vectors[0], 9, {1, 2, 3, 4})} == {2, 3, 4}
            assert first.ids() == second.ids() == {2, 3, 4, 5}


def test_a_rebuilt_collection_takes_the_place_of_the_old_one(chroma_url: str, tmp_path: Path) -> None:
    with ChromaServerIndex.rebuild(tmp_path / "v", chroma_url, "w", "hash", DIM) as old:
        old.upsert([1, 2, 3], some(3))
        with ChromaServerIndex.rebuild(tmp_path / "v", chroma_url, "w", "hash", DIM) as new:
            assert new.count == 0
        with pytest.raises(StorageError, match="holds no vectors") as caught:
            old.count  # noqa: B018
        assert "--fresh" in caught.value.hint


def test_a_renewed_collection_holds_only_what_is_kept(chroma_url: str, tmp_path: Path) -> None:
    vectors = some(5)
    with ChromaServerIndex.rebuild(tmp_path / "v", chroma_url, "my_world", "hash", DIM) as index:
        index.upsert(range(5), vectors)
        before = stated(tmp_path / "v")
        with index.renewed({1, 3, 77}) as renewed:
            assert renewed.ids() == {1, 3}
            assert renewed.query(vectors[3], 1)[0][0] == 3
    after = stated(tmp_path / "v")
    assert before and after and before.collection != after.collection
    assert after.collection.startswith("kith-my_world-")


def test_vectors_of_another_embedder_and_a_server_that_is_not_there_are_told(chroma_url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there"):
        ChromaServerIndex.open(tmp_path / "v", "hash", DIM)
    ChromaServerIndex.rebuild(tmp_path / "v", chroma_url, "w", "hash", DIM).close()
    with pytest.raises(StorageError, match="made by hash"):
        ChromaServerIndex.open(tmp_path / "v", "minilm", DIM)
    with pytest.raises(StorageError, match="cannot be used") as caught:
        ChromaServerIndex.rebuild(tmp_path / "v", "http://127.0.0.1:1", "w", "hash", DIM)
    assert "chroma run" in caught.value.hint
    for url in ("", "ftp://here", "127.0.0.1:8000", "http://h:x"):
        with pytest.raises(InputError):
            ChromaServerIndex.rebuild(tmp_path / "v", url, "w", "hash", DIM)
    (tmp_path / "v" / "server.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        ChromaServerIndex.open(tmp_path / "v", "hash", DIM)
    ChromaServerIndex.rebuild(tmp_path / "v", chroma_url, "w", "hash", DIM).close()
    ChromaServerIndex.open(tmp_path / "v", "hash", DIM).close()


def test_the_fake_embedder_is_deterministic_and_normalised() -> None:
    embedder = HashEmbedder(DIM)
    vectors = embedder.embed(["the baby is due", "the baby is here", "", "hockey tickets"])
    assert vectors.shape == (4, DIM) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[3]
    assert np.array_equal(
        vectors, HashEmbedder(DIM).embed(["the baby is due", "the baby is here", "", "hockey tickets"])
    )
