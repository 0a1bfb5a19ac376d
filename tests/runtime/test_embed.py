"""The sentence embedder on llama.cpp."""

import csv
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kithnet.runtime.embed import BATCH_TEXTS, BATCH_TOKENS, LlamaEmbedder, _batches
from kithnet.runtime.errors import ModelFileError, ModelUnavailable

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def embedder(embedder_path: Path) -> Iterator[LlamaEmbedder]:
    loaded = LlamaEmbedder.load(embedder_path)
    yield loaded
    loaded.close()


def test_vectors_are_unit_length_and_follow_meaning(embedder: LlamaEmbedder) -> None:
    vectors = embedder.embed(["a dog barks", "the puppy is barking", "the stock market fell"])
    assert vectors.shape == (3, embedder.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]


def test_no_texts_give_no_vectors(embedder: LlamaEmbedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_results_come_in_input_order_whatever_the_lengths(embedder: LlamaEmbedder) -> None:
    texts = [f"number {i} " + "and so on " * (i * 7 % 40) for i in range(80)]
    together = embedder.embed(texts)
    for i in (0, 1, 17, 40, 79):
        alone = embedder.embed([texts[i]])[0]
        assert together[i] @ alone > 0.999
        assert int((together @ alone).argmax()) == i


def test_equal_texts_get_the_same_vector(embedder: LlamaEmbedder) -> None:
    vectors = embedder.embed(["hello", "other", "hello", ""])
    assert np.array_equal(vectors[0], vectors[2])
    assert np.isfinite(vectors).all()


def test_a_text_beyond_the_window_is_cut_not_refused(embedder: LlamaEmbedder) -> None:
    long, longer = embedder.embed(["word " * 400, "word " * 4000])
    assert long @ longer > 0.999


def test_several_threads_may_embed_at_once(embedder: LlamaEmbedder) -> None:
    expected = embedder.embed(["the first text", "the second text"])
    results: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        results[i] = embedder.embed(["the first text", "the second text"])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(results[i], expected, atol=1e-5) for i in range(4))


def test_batches_hold_every_text_once_within_their_bounds() -> None:
    lengths = [3, 250, 256, 1, 90, 90, 90] + [2] * 200
    groups = list(_batches(lengths))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in group) <= BATCH_TOKENS and len(group) <= BATCH_TEXTS for group in groups)


@pytest.mark.data
def test_real_messages_are_embedded(embedder: LlamaEmbedder, shared_data: Path) -> None:
    with (shared_data / "friendstv" / "ten_seasons.csv").open(encoding="utf-8") as file:
        texts = list(dict.fromkeys(row["message"] for row in csv.DictReader(file)))[::100]
    vectors = embedder.embed(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_chat_model_is_no_embedder(chat_model_path: Path) -> None:
    with pytest.raises(ModelFileError, match="chat model"):
        LlamaEmbedder.load(chat_model_path)


def test_a_closed_embedder_is_unavailable(embedder_path: Path) -> None:
    once = LlamaEmbedder.load(embedder_path, threads=1)
    once.close()
    once.close()
    with pytest.raises(ModelUnavailable):
        once.embed(["hello"])
