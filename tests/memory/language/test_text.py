"""The one reader of words: the same for all threads, and what it cuts out stands in the text letter by letter."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowballstemmer
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.memory import currency
from kithnet.memory.language.text import count, index_words, place_of, sentence_spans, sentences, stem, words
from kithnet.memory.writing import speech

PIECES = st.sampled_from(
    ["Can't make it", "Next one", "she said", '"', "“", "”", "’", "'", "...", "…", ".", "!", "?", " ", "  ", "\n", "\r\n",
     "🎉", "👩‍👩‍👧", "Dr.", "No.", ", so ", " but ", "(", ")", "Turin", "not Turin", "at 9", "\u2028", "\u200f", "é"]
)  # fmt: skip
MESSAGES = st.lists(PIECES, max_size=24).map("".join)


def some_words(seed: int, number: int) -> list[str]:
    """Words with English endings, some of them very long."""
    rng = random.Random(seed)
    ends = ["", "s", "'s", "ing", "ed", "ly", "ational", "fulness", "ies", "ement", "ization", "ses", "eed"]
    lengths = [
        rng.choice([2, 4, 6, 9, 14]) if rng.random() < 0.95 else rng.randrange(200, 2_000) for _ in range(number)
    ]
    letters = "abcdefghijklmnopqrstuvwxyzéü"
    return ["".join(rng.choice(letters) for _ in range(length)) + rng.choice(ends) for length in lengths]


def test_sixteen_threads_stem_thousands_of_words_as_one_does() -> None:
    banks = [some_words(seed, 3_000) for seed in range(4)]
    alone = snowballstemmer.stemmer("english")
    right = {word: alone.stemWord(word.removesuffix("'s")) for bank in banks for word in bank}
    stem.cache_clear()
    ready = threading.Barrier(16)

    def run(thread: int) -> list[tuple[str, str]]:
        ready.wait()
        order = [word for bank in banks[thread % 4 :] + banks[: thread % 4] for word in bank]
        return [(word, stem(word)) for word in order]

    with ThreadPoolExecutor(16) as pool:
        wrong = [one for found in pool.map(run, range(16)) for one in found if right[one[0]] != one[1]]
    assert wrong == []
    assert {word: stem(word) for word in right} == right  # what the cache keeps, too


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('She said "Can\'t make it. Next one!" Then she left.', ['She said "Can\'t make it.', 'Next one!"', "Then she left."]),
        ("Can't make it\nNext one!", ["Can't make it", "Next one!"]),
        ("(Well...) Yes.", ["(Well...)", "Yes."]),
        ("I saw Dr. Burke. He smiled!", ["I saw Dr. Burke.", "He smiled!"]),
    ],
)  # fmt: skip
def test_a_sentence_keeps_the_marks_that_close_it(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@settings(max_examples=300, deadline=None)
@given(MESSAGES)
def test_sentences_cover_a_message_in_order_and_verbatim(text: str) -> None:
    spans = sentence_spans(text)
    rest = text
    for start, end in reversed(spans):
        assert text[start:end] == text[start:end].strip() != ""
        rest = rest[:start] + rest[end:]
    assert not rest.strip()
    assert spans == sorted(spans)


@settings(max_examples=300, deadline=None)
@given(MESSAGES, MESSAGES)
def test_what_is_read_of_a_message_is_a_substring_of_it(text: str, old: str) -> None:
    assert all(text[start:end] in text for start, end in speech.spans(text))
    assert currency.replaced(text, old, {"turin", "9"}) in text


def test_words_are_folded_as_people_or_as_the_index_compare_them() -> None:
    assert words("Don’t ask René's") == ["don't", "ask", "rené's"]
    assert index_words("Don’t ask René's") == ["don", "t", "ask", "rene", "s"]
    assert count("Don’t ask") == 3
    assert place_of(("ask", "me"), ["do", "ask", "me"]) == 1
    assert place_of(("me", "ask"), ["do", "ask", "me"]) is None


def test_a_long_message_without_marks_is_cut_in_no_time() -> None:
    assert len(sentence_spans(" )" * 50_000 + "word " * 50_000)) == 1
