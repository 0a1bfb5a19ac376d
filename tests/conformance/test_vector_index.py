"""One suite for every VectorIndex: the real Chroma folder and the array in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.vectors import ArrayIndex, HashEmbedder, VectorIndex, Vectors

DIM = 16


@pytest.fixture(params=["chroma", "array"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    made: VectorIndex
    made = ChromaIndex.open(tmp_path / "vectors", "hash", DIM) if request.param == "chroma" else ArrayIndex("hash", DIM)
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


def test_the_fake_embedder_is_deterministic_and_normalised() -> None:
    embedder = HashEmbedder(DIM)
    vectors = embedder.embed(["the baby is due", "the baby is here", "", "hockey tickets"])
    assert vectors.shape == (4, DIM) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[3]
    assert np.array_equal(
        vectors, HashEmbedder(DIM).embed(["the baby is due", "the baby is here", "", "hockey tickets"])
    )
