"""How talk is packed for the reader: where each word lies, what is cut off, what stands before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.runtime.packing import LONGEST, QUESTION, SEEN, Packer, with_before

BEGIN, END = 1, 2


def pieces(word: str) -> list[int]:
    """A token for every two letters."""
    return [10 + ord(word[at]) for at in range(0, len(word), 2)]


PACKER = Packer(pieces, BEGIN, END)
TEXTS = st.text(alphabet=st.sampled_from("ab cé'.!?  😀\n漢"), max_size=400)
NAMES = st.sampled_from(["", "Ana", "Ben Okri"])


@settings(max_examples=200, deadline=None)
@given(question=TEXTS, lines=st.lists(st.tuples(NAMES, TEXTS), max_size=6))
def test_every_word_of_a_row_is_where_it_says_and_no_row_is_too_long(
    question: str, lines: list[tuple[str, str]]
) -> None:
    row = PACKER.window(question, lines)
    assert len(row.tokens) <= LONGEST + 1
    assert row.tokens[0] == BEGIN and row.tokens[-1] == END
    assert row.tokens.count(END) == 2
    for word in row.words:
        by, text = lines[word.line]
        said = text[word.start : word.end] if word.start >= 0 else None
        tokens = row.tokens[word.first : word.last + 1]
        assert tokens == pieces(said) if said is not None else any(tokens == pieces(part) for part in by.split())


def test_a_long_question_is_cut_and_leaves_room_for_the_lines() -> None:
    row = PACKER.window("why " * 3000, [("Ana", "Because of the rain.")])
    assert row.tokens.index(END) == QUESTION + 1
    assert [word.start for word in row.words] == [-1, 0, 8, 11, 15, 19]


def test_a_message_without_a_word_is_packed() -> None:
    assert PACKER.message(("", ""), ("", "")).tokens == [BEGIN, END, END]
    assert PACKER.message(("Ben", "Really?"), ("Ana", "😀")).words[-1].start == 0


def test_only_a_short_line_is_ranked_with_the_one_before_it() -> None:
    before, short, long = ("Ben", "word " * 40), ("Ana", "the second one"), ("Ana", "a b c d e f g h i j k l m")
    assert with_before(before, short) == [("Ben", " ".join(["word"] * SEEN)), short]
    assert with_before(before, long) == [long]
    assert with_before(None, short) == [short]


def test_the_end_of_the_line_before_is_kept() -> None:
    row = PACKER.message(("Ben", "x " * 300 + "bb"), ("Ana", "Yes."))
    assert row.tokens[row.tokens.index(END) - 1] == pieces("bb")[0]
