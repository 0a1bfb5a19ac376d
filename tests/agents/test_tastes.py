"""What two people like alike, or see in opposite ways, by what each of them has said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.agents.minds.rules import tastes
from kithnet.agents.minds.rules.tastes import Taste
from kithnet.memory.recall import Hit
from kithnet.memory.store import Store
from kithnet.memory.writing.tastes import leaning, shared

from .conftest import Bench, Chooses, Line

LINES: list[Line] = [
    ("ana", "ben", "I love roller skates."),
    ("ana", "ben", "Wind chimes drive me mad."),
    ("ben", "ana", "It rained all day here."),
    ("cleo", "dora", "I can't get enough of roller skates!"),
    ("cleo", "dora", "I'm really fond of wind chimes, I must say."),
    ("dora", "cleo", "The bus was late again."),
]


@pytest.fixture
def four(bench: Bench) -> Store:
    """Ben heard from Ana, Dora from Cleo; Ben and Dora know each other."""
    return bench.world(LINES, [("ben", "dora")])


def test_what_both_like_is_found_from_what_each_was_told(bench: Bench, four: Store) -> None:
    talk = bench.talk(four, "What do Ana and Cleo both like?", ("ben", "dora"), reader=Chooses("alike"))
    assert talk.state["result"]["answer"] == "roller skates"
    assert set(talk.state["result"]["citations"]) == {"m1", "m4"}


def test_what_they_see_in_opposite_ways_is_another_thing(bench: Bench, four: Store) -> None:
    task = "What does one of Ana and Cleo love that the other cannot stand?"
    talk = bench.talk(four, task, ("ben", "dora"), reader=Chooses("apart"))
    assert talk.state["result"]["answer"].casefold() == "wind chimes"


def test_nothing_is_made_up_where_they_share_nothing(bench: Bench) -> None:
    store = bench.world([("ana", "ben", "I love skates."), ("cleo", "dora", "I love kites.")], [("ben", "dora")])
    talk = bench.talk(store, "What do Ana and Cleo both like?", ("ben", "dora"), reader=Chooses("alike"))
    assert not talk.state["result"]["known"]


@pytest.mark.parametrize(
    ("sentence", "way"),
    [
        ("I adore old maps.", 1),
        ("Nothing makes me happier than old maps.", 1),
        ("I'm not a fan of old maps.", -1),
        ("I can't stand old maps.", -1),
        ("Old maps get on my nerves.", -1),
        ("I would like old maps for the wall.", 0),
        ("The old maps are in the cellar.", 0),
    ],
)
def test_cues_and_their_negation_say_which_way_a_sentence_leans(sentence: str, way: int) -> None:
    assert leaning(sentence) == way


def test_the_thing_is_what_both_sentences_speak_of() -> None:
    assert shared("I love old maps.", "Old maps drive me mad!") == "old maps"
    assert shared("I love it.", "I love this.") == ""


@pytest.mark.parametrize("taste", [Taste("Ana", 1, "I love maps."), Taste("Ben B.", -1, "No!"), Taste("C", 0, "Well.")])
def test_a_taste_is_read_back_from_its_words(taste: Taste) -> None:
    assert tastes.entry(str(taste)) == taste and tastes.entry(f"{taste} indeed") is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["I love ", "kites", '"', "“", "”", "...", "!", "?", "\n", " ", "🎉", "hate", "; "]),
        max_size=14,
    ).map("".join)
)
def test_an_entry_quotes_a_message_verbatim_and_is_read_back_from_what_is_spoken(text: str) -> None:
    said = Hit("m1", "message", text, 1.0, 1.0, None, 1.0, "ana", ("ben",), None, "s1", ("m1",), "ana")
    for taste, _ in tastes.read([said], "ana", "Ana", {"ana": ("Ana",)}, None):
        assert taste.said in text
        assert tastes.entry(str(taste)) == taste
