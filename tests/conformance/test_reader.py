"""One suite for every Reader: the trained one on llama.cpp, and the fake that goes by words."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from kithnet.memory.language.reader import KINDS, RELATIONS, SECRECY, STANCES, Reader, WordReader
from kithnet.runtime.reader import LlamaReader

TALK = [
    ("Mara", "The plumber comes on Thursday at eight."),
    ("Iqbal", "Great. I still owe Nadia forty euros for the paint."),
    ("Mara", "lol yes 😀"),
]
QUESTION = "When does the plumber come to Mara?"


@pytest.fixture(params=["words", pytest.param("llama", marks=pytest.mark.model)], scope="module")
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    if request.param == "words":
        yield WordReader()
        return
    loaded = LlamaReader.load(request.getfixturevalue("reader_path"))
    yield loaded
    loaded.close()


def test_the_line_that_answers_is_ranked_above_the_others(reader: Reader) -> None:
    odds = reader.relevance(QUESTION, [(None, TALK[0]), (TALK[0], TALK[1]), (TALK[1], TALK[2])])
    assert odds.shape == (3,) and odds.dtype == np.float32
    assert int(np.argmax(odds)) == 0


def test_a_span_stands_in_its_line(reader: Reader) -> None:
    (span,) = reader.spans(QUESTION, [TALK])
    assert span is not None and span.line == 0
    assert "Thursday" in TALK[0][1][span.start : span.end]


def test_more_that_does_not_answer_has_lower_odds(reader: Reader) -> None:
    there, not_there = reader.spans(QUESTION, [TALK[:1], TALK[1:]])
    assert there is not None and (not_there is None or not_there.odds < there.odds)


def test_odds_of_a_message_add_up_to_one(reader: Reader) -> None:
    found = reader.judged([(None, TALK[0]), (TALK[0], TALK[1])])
    assert len(found) == 2
    for one in found:
        for odds, labels in ((one.kind, KINDS), (one.stance, STANCES), (one.secrecy, SECRECY)):
            assert len(odds) == len(labels)
            assert float(np.sum(odds)) == pytest.approx(1, abs=1e-4)


def test_relations_of_pairs_add_up_to_one(reader: Reader) -> None:
    odds = reader.relations([(TALK[0], ("Mara", "Actually the plumber comes on Friday.")), (TALK[0], TALK[1])])
    assert odds.shape == (2, len(RELATIONS))
    assert odds.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert odds[0, 0] > odds[1, 0]


def test_nothing_gives_nothing(reader: Reader) -> None:
    assert list(reader.relevance(QUESTION, [])) == []
    assert list(reader.spans(QUESTION, [])) == []
    assert list(reader.judged([])) == []
    assert len(reader.relations([])) == 0


@pytest.mark.parametrize("text", ["", "😀", "x" * 1_000_000, "word " * 3000, "明日は水曜日です", "\x00\u202e"])
def test_any_text_is_read_or_left_alone(reader: Reader, text: str) -> None:
    assert reader.relevance(text, [(("", text), ("", text))]).shape == (1,)
    (span,) = reader.spans(text, [[("", text)]])
    assert span is None or text[span.start : span.end].strip()
    assert len(reader.judged([(None, ("", text))])) == 1


def test_the_same_is_read_the_same_from_several_threads(reader: Reader) -> None:
    pairs = [(None, line) for line in TALK]
    alone = reader.relevance(QUESTION, pairs)
    found: list[float] = []

    def read() -> None:
        for _ in range(4):
            found.append(float(np.abs(reader.relevance(QUESTION, pairs) - alone).max()))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12 and max(found) < 0.05  # rows of several callers share batches: rounding differs
