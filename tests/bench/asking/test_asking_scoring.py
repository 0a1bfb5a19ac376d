"""What counts as right, and what a share of few questions is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.bench.asking.scoring import LONGEST, right, sign_test, telling, tokens, wilson


@pytest.mark.parametrize(
    ("answer", "golds", "is_right"),
    [
        ("It was the red kayak.", ["red kayak"], True), ("A kayak", ["red kayak"], False), ("2023-05-07", ["7 May 2023"], True),
        ("On May 7th, 2023", ["7 May 2023"], True), ("nine", ["9"], True), ("Tom", ["Tom Weld", "Tom"], True),
        ("", ["x"], False), ("x", [], False), ("x", ["the"], False), ("Zoë's", ["zoes"], True),
        (" ".join(["word"] * LONGEST + ["kayak"]), ["kayak"], False),
    ],
)  # fmt: skip
def test_an_answer_holds_seven_tenths_of_the_words_of_an_accepted_one(
    answer: str, golds: list[str], is_right: bool
) -> None:
    assert right(answer, golds) is is_right


@pytest.mark.parametrize(
    ("answer", "golds", "question", "is_right"),
    [
        ("baker", ["Ilse is a baker ."], "What does Ilse do?", True),
        ("Ilse", ["Ilse is a baker ."], "What does Ilse do?", False),
        ("a plumber", ["Ilse is a baker ."], "What does Ilse do?", False),
        ("Tom", ["little Tom"], "Who does she call the little one?", True),
        ("", ["baker"], "What?", False),
    ],
)
def test_what_an_accepted_answer_adds_to_its_question_is_what_tells(
    answer: str, golds: list[str], question: str, is_right: bool
) -> None:
    assert telling(answer, golds, question) is is_right


def test_a_day_that_is_none_stays_a_number() -> None:
    assert tokens("2023-99-99") == ["2023", "99", "99"]


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_holds_the_share(drawn: tuple[int, int]) -> None:
    hits, n = drawn
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n + 1e-9 and hits / n - 1e-9 <= high <= 1


def test_figures_that_are_known() -> None:
    assert wilson(15, 72) == pytest.approx((0.1307, 0.3155), abs=5e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert sign_test(9, 1) == pytest.approx(0.0215, abs=1e-4)
    assert sign_test(3, 3) == sign_test(0, 0) == 1.0
