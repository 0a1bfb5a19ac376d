"""A description of a person is found by how it begins and by what joins its clause."""

import pytest

from kithnet.agents.minds.rules import chains
from kithnet.agents.minds.rules.chains import Chain
from kithnet.agents.minds.rules.describing import descriptions, ends, whole


@pytest.mark.parametrize(
    ("task", "chain"),
    [
        ("Where does whoever plays the oboe live?", Chain("Which person plays the oboe?", "Where does {} live?")),
        (
            "Where's our mate who's moved to 5 Oak Road employed?",
            Chain("Which person has moved to 5 Oak Road?", "Where's {} employed?"),
        ),
        ("What is the oboe player's address?", Chain("Which person is the oboe player?", "What is {}'s address?")),
        (
            "The one whose car is a Lancia - where do they live?",
            Chain("Which person's car is a Lancia?", "Where does {} live?"),
        ),
        (
            "I want to thank whoever baked the cake. Where do they live?",
            Chain("Which person baked the cake?", "Where does {} live?"),
        ),
        (
            "Name the landlord of the woman to whom Ana sold the boat.",
            Chain("Which person is it to whom Ana sold the boat?", "Name the landlord of {}."),
        ),
        (
            "Which car did the guy at whose wedding Ben sang, of all people, buy?",
            Chain("Which person is it at whose wedding Ben sang?", "Which car did {}, of all people, buy?"),
        ),
        (
            "What's the name of the dentist that the beginner on the tuba sees?",
            Chain("Which person is the beginner on the tuba?", "What's the name of the dentist that {} sees?"),
        ),
    ],
)
def test_a_person_is_described_in_many_ways(task: str, chain: Chain) -> None:
    assert chain in list(chains.possible(task))


@pytest.mark.parametrize("task", ["Who is the manager of the shop?", "Who is Ana's landlord?", "Where is the one?"])
def test_asking_who_somebody_is_holds_no_question_inside(task: str) -> None:
    assert list(chains.possible(task)) == []


def test_a_name_belongs_to_the_clause_where_that_leaves_a_question() -> None:
    seconds = [chain.second for chain in chains.possible("Where does the man who bought a red Morris Minor live?")]
    assert seconds == ["Where does {} live?"]


def test_a_noun_that_tells_something_of_the_person_is_asked_for_too() -> None:
    found = next(descriptions("What is the title of the book of the club member whose choice was The Tower"))
    assert f"{found.ask}{found.rest}" == "Which person is the club member whose choice was The Tower"


def test_a_clause_may_end_anywhere_but_behind_a_word_that_goes_on() -> None:
    clauses = [clause for clause, _ in ends("plays the oboe in Rome live", 2)]
    assert clauses == ["plays the oboe in Rome live", "plays the oboe in Rome", "plays the oboe"]


@pytest.mark.parametrize(
    ("lead", "tail", "fits"),
    [
        ("Where does", "live", True), ("Where does", "", False), ("Where is", "", True), ("What is the age of", "", True),
        ("What has", "the walls", False), ("If I wrote to", ", which address would I use", True),
    ],
)  # fmt: skip
def test_what_stands_around_a_name_makes_a_sentence_or_does_not(lead: str, tail: str, fits: bool) -> None:
    assert whole(lead, tail) is fits
