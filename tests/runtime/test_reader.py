"""The shipped reader: llama.cpp says what PyTorch said, damaged files are told, and a closed one is no more."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kithnet.bench.reading import dialogues
from kithnet.memory.language import reader as seam
from kithnet.runtime import reader as runtime
from kithnet.runtime.errors import ModelFileError, ModelUnavailable
from kithnet.runtime.packing import Packer
from kithnet.runtime.reader import LlamaReader, best_span, read_heads
from kithnet.runtime.weights import READER_WEIGHTS

PARITY = json.loads((dialogues.DATA / "parity.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reader(reader_path: Path) -> Iterator[LlamaReader]:
    loaded = LlamaReader.load(reader_path)
    yield loaded
    loaded.close()


def test_both_sides_of_the_seam_name_the_same_labels() -> None:
    for name in ("KINDS", "STANCES", "SECRECY", "RELATIONS", "TOOLS"):
        assert getattr(seam, name) == getattr(runtime, name)


@pytest.mark.model
def test_llama_cpp_says_what_was_said_in_training(reader: LlamaReader) -> None:
    pairs = [(tuple(before) if before else None, tuple(line)) for before, line in PARITY["pairs"]]
    found = [float(reader.relevance(q, [pair])[0]) for q, pair in zip(PARITY["questions"], pairs, strict=True)]
    assert found == pytest.approx(PARITY["relevance"], abs=0.05)  # log-odds; the weights are float16 here
    odds = np.array([one.secrecy for one in reader.judged(pairs)])
    assert np.abs(odds - np.array(PARITY["secrecy"])).max() < 0.01
    for question, lines, wanted in zip(PARITY["questions"], PARITY["windows"], PARITY["spans"], strict=True):
        (span,) = reader.spans(question, [[tuple(line) for line in lines]])
        assert span is not None
        assert [*span[:3]] == wanted[:3]
        assert span.odds == pytest.approx(wanted[3], abs=0.15)  # four log-odds added up


def test_the_weights_are_those_of_their_card() -> None:
    heads = read_heads(READER_WEIGHTS)
    assert {"span", "answers", "kind", "stance", "secrecy", "relation", "task"} <= heads.weights.keys()
    assert heads.card["questions"] >= 2500 and READER_WEIGHTS.stat().st_size <= 4_000_000
    assert heads.card["version"] and heads.card["figures"]["friendsqa"]["right line"] > 0.6


def test_a_damaged_weights_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "reader.npz"
    path.write_bytes(READER_WEIGHTS.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="no weights file"):
        read_heads(path)


@pytest.mark.model
def test_an_encoder_of_other_weights_is_refused(embedder_path: Path) -> None:
    with pytest.raises(ModelFileError, match="unknown"):
        LlamaReader.load(embedder_path)


@pytest.mark.model
def test_a_closed_reader_reads_no_more(reader_path: Path) -> None:
    loaded = LlamaReader.load(reader_path, threads=1)
    loaded.close()
    loaded.close()
    with pytest.raises(ModelUnavailable):
        loaded.relevance("Who?", [(None, ("Ana", "Me."))])


def test_of_spans_that_overlap_the_one_that_has_most_in_common_with_them_is_taken() -> None:
    row = Packer(lambda word: [len(word)], 1, 2).window("Who?", [("", "the second witch of four"), ("", "here")])
    scores = np.full((len(row.tokens), 2), -9, np.float32)
    places = {(word.line, word.start): word for word in row.words}
    scores[places[1, 0].first] = 2.2  # "here" is the likeliest by itself
    for start, end in ((0, 11), (4, 17)):
        scores[places[0, start].first, 0] = scores[places[0, end].last, 1] = 2
    scores[0] = 0
    found = best_span(row, scores)
    assert found is not None and found.line == 0
    assert found.odds == pytest.approx(4.4)


def test_a_span_stays_in_one_line_and_apart_from_names() -> None:
    row = Packer(lambda word: [len(word)], 1, 2).window("Who?", [("Ana", "red car"), ("Ben", "blue bus")])
    scores = np.zeros((len(row.tokens), 2), np.float32)
    by_word = {(word.line, word.start): word for word in row.words}
    scores[by_word[0, 4].first, 0] = 5  # starts at "car" of the first line
    scores[by_word[1, 0].last, 1] = 5  # ends at "blue" of the second
    found = best_span(row, scores)
    assert found is not None and found.odds == 5.0
    scores[by_word[1, -1].first, 0] = 9  # the name "Ben"
    found = best_span(row, scores)
    assert found is not None and (found.line, found.start) == (1, -1)
