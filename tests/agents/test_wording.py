"""Words as agents compare them."""

import pytest

from kithnet.agents.wording import agree, content_words, core, named_people, normalise, questions, unknown_names
from kithnet.memory.language.text import sentences

NAMES = {
    "ross": ("Ross Geller", "ross"),
    "monica": ("Monica Geller", "monica", "Mon"),
    "all": ("All", "all"),
    "jo": ("Jo March", "jo"),
    "dr_green": ("Dr. Green", "dr_green"),
}


def test_people_are_found_by_first_name_full_name_alias_and_possessive_in_the_order_of_mention() -> None:
    assert named_people("Did Mon see Ross's monkey?", NAMES) == ["monica", "ross"]
    assert named_people("What did Ross’s sister Monica Geller say?", NAMES) == ["ross", "monica"]
    assert named_people("rossini and harmonica", NAMES) == []


def test_a_function_word_is_no_name_and_a_short_one_must_be_said_whole() -> None:
    assert named_people("Are we all there?", NAMES) == []
    assert named_people("Is Jo there?", NAMES) == ["jo"]  # by the id; two letters of a longer name are not enough
    assert named_people("Is Dr Green there?", NAMES) == ["dr_green"]


def test_capitalised_words_inside_a_sentence_name_people_one_has_not_met() -> None:
    assert set(unknown_names("What did Emily tell Ross about London?", NAMES)) == {"emily", "london"}
    assert unknown_names("Where is it? Nobody knows.", NAMES) == {}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("I saw Dr. Burke. He smiled!", ["I saw Dr. Burke.", "He smiled!"]),
        ("Ask J. Tribbiani. Really?", ["Ask J. Tribbiani.", "Really?"]),
        ("It costs 3.50 a piece", ["It costs 3.50 a piece"]),
        ("Well… yes.", ["Well…", "yes."]),
        ("", []),
        ("   ", []),
    ],
)
def test_sentences_end_at_marks_but_not_at_titles_and_initials(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("task", "asked"),
    [
        ("Where is the spare key?", "Where is the spare key?"),
        ("Please find out: Where is the spare key?", "Where is the spare key?"),
        ("Could you find this out for me: Who has the spare key?", "Who has the spare key?"),
        ("Tell me about the wedding.", "Tell me about the wedding."),
        ("The party: bring cake and wine", "The party: bring cake and wine"),
    ],
)
def test_courtesies_are_no_part_of_what_a_task_asks(task: str, asked: str) -> None:
    assert core(task) == asked


def test_a_task_of_several_questions_is_split_into_those_that_ask_something() -> None:
    assert questions("Who has the key? And when is the party? Okay?") == ["Who has the key?", "And when is the party?"]
    assert questions("I wonder where it is.") == []


def test_values_are_compared_without_case_punctuation_articles_and_number_words() -> None:
    assert normalise("The  SEVEN dwarfs!") == "7 dwarfs"
    assert normalise("…") == ""


@pytest.mark.parametrize(
    ("left", "right"),
    [("Seven", "7."), ("the red car", "Red car"), ("under the pot", "It is under the pot"), ("baking", "baked")],
)
def test_values_that_say_the_same_agree_either_way_round(left: str, right: str) -> None:
    assert agree(left, right)
    assert agree(right, left)


@pytest.mark.parametrize(("left", "right"), [("red", "blue"), ("7", "8"), ("", "red"), ("in April", "in May")])
def test_values_that_say_something_else_do_not(left: str, right: str) -> None:
    assert not agree(left, right)


def test_content_words_leave_out_what_carries_no_meaning() -> None:
    assert content_words("What did you tell me about the baby?") == ["baby"]
    assert content_words("I don't, I'm sorry") == ["sorry"]
