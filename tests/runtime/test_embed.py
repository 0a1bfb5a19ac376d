"""The sentence embedder on llama.cpp."""

import csv
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kithnet.runtime.embed import LlamaEmbedder
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


def test_the_vectors_of_words_are_those_that_a_text_is_the_mean_of(embedder: LlamaEmbedder) -> None:
    text = ["a", "dog", "barks", "loudly"]
    (rows,) = embedder.word_vectors([text])
    assert rows.shape == (4, embedder.dim) and rows.dtype == np.float32
    mean = rows.mean(axis=0)
    assert mean / np.linalg.norm(mean) @ embedder.embed([" ".join(text)])[0] > 0.9  # the marks around it are missing
    (other,) = embedder.word_vectors([["a", "dog", "sleeps"]])
    assert not np.allclose(rows[1], other[1])  # a word's vector depends on the others


def test_words_beyond_the_window_and_words_of_no_text_get_zeros_and_nothing(embedder: LlamaEmbedder) -> None:
    long, none = embedder.word_vectors([["word"] * 400, []])
    assert long.shape == (400, embedder.dim) and none.shape == (0, embedder.dim)
    assert long[100].any() and not long[399].any()


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


def test_a_question_does_not_wait_behind_a_whole_index(embedder: LlamaEmbedder) -> None:
    """Callers take turns: one text of one caller is done long before the many of another."""
    texts = [f"message number {i} about the weather, the boat and the harbour" for i in range(1500)]
    index = threading.Thread(target=embedder.embed, args=(texts,))
    index.start()
    for i in range(3):
        embedder.embed([f"where is the boat, {i}?"])
    waiting = index.is_alive()
    index.join()
    assert waiting


def test_closing_tells_those_who_wait(embedder_path: Path) -> None:
    once = LlamaEmbedder.load(embedder_path, threads=1)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            once.embed([f"text {i} " * 20 for i in range(2000)])
        except ModelUnavailable as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not once.busy:
        time.sleep(0.01)
    once.close()
    thread.join()
    assert len(raised) == 1


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
