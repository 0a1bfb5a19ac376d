"""The committed dialogues are whole, and what is made of them for training says what they say."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.bench.reading import dialogues, examples, judging
from kithnet.runtime.errors import InputError
from kithnet.runtime.packing import Packer

ALL = dialogues.read()
PACKER = Packer(lambda word: [10 + len(word)], 1, 2)


def test_every_span_stands_in_its_line_and_every_writer_is_a_file() -> None:
    counts = dict(dialogues.counted(ALL))
    assert counts["dialogues"] >= 300 and counts["questions"] >= 1200
    assert len({one.id for one in ALL}) == len(ALL)
    for one in ALL:
        for question in one.questions:
            for answer in question.answers:
                text = one.lines[answer.line].text[answer.start : answer.end]
                assert text.strip() == text and text


def test_no_two_dialogues_begin_alike() -> None:
    openings = [" ".join(one.lines[0].text.casefold().split())[:60] for one in ALL]
    assert len(set(openings)) == len(openings)


def test_no_line_of_a_held_out_writer_is_anybody_elses() -> None:
    held, others = set[str](), set[str]()
    for path in dialogues.DATA.glob(dialogues.DIALOGUES):
        lines = {line.text for one in dialogues.read([path]) for line in one.lines if len(line.text.split()) > 6}
        (held if path.stem.startswith("held_out") else others).update(lines)
    assert held and not held & others


@pytest.mark.parametrize(
    "broken",
    [
        {"lines": []},
        {"questions": [{"q": "Who?", "kind": "who", "answers": [{"line": 9, "span": "x"}]}]},
        {"questions": [{"q": "Who?", "kind": "who", "answers": [{"line": 0, "span": "not there"}]}]},
        {"questions": [{"q": "Who?", "kind": "whither", "answers": []}]},
        {"earlier": [{"by": "Ana", "text": "x", "line": 0, "relation": "perhaps"}]},
        {"day": "yesterday"},
    ],
)
def test_a_broken_dialogue_is_named_by_file_and_line(tmp_path: Path, broken: dict[str, object]) -> None:
    line = {
        "by": "Ana",
        "text": "I work at the mill.",
        "kind": "fact",
        "stance": "holds",
        "about": ["Ana"],
        "secrecy": "ordinary",
    }
    row = {"id": "X-1", "day": "2025-01-01", "lines": [line] * 3, "questions": [], **broken}
    path = tmp_path / "writer_99.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match="line 1"):
        dialogues.read([path])


def test_questions_keep_their_spans_in_what_is_trained_on() -> None:
    asked, told, related = examples.own(ALL[:20], "x")
    assert len(told) == sum(len(one.lines) for one in ALL[:20]) and related
    for one in asked:
        for line, start, end in one.spans:
            first, cut = judging.window(one.lines, line)
            row = PACKER.window(one.question, cut)
            assert judging.tokens_of(row, (line - first, start, end)) or len(row.tokens) > 200


def test_people_get_other_names_and_rivals_the_names_of_those_asked_about() -> None:
    rng = random.Random(3)
    names = examples.renamed(["Ana Lim", "Ben"], ["cleo", "dora", "emil"], rng)
    assert set(names) == {"ana", "ben"} and len(set(names.values())) == 2
    lines = examples.as_if([("Zoe", "Zoe here, ask Yan"), ("Yan", "No")], ["Ana", "Ben"], rng)
    assert {by for by, _ in lines} == {"Ana", "Ben"}
    assert "Zoe" not in lines[0][1] and "Yan" not in lines[0][1]


@given(high=st.lists(st.floats(-5, 5), min_size=1, max_size=9), low=st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_auc_is_how_often_one_is_above_the_other(high: list[float], low: list[float]) -> None:
    pairs = [(a > b) + 0.5 * (a == b) for a in high for b in low]
    assert judging.auc(high, low) == pytest.approx(sum(pairs) / len(pairs))


def test_overlap_goes_by_words_without_articles() -> None:
    assert judging.overlap("the blue Pot", "a blue pot!") == 1.0
    assert judging.overlap("pot", "blue pot") == pytest.approx(2 / 3)
    assert judging.overlap("cat", "dog") == 0.0
