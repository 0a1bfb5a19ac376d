"""Recall: what is found for a question, what any text as a question cannot do, and what fits the budget."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.memory.lexical import MAX_QUERY_CHARACTERS, terms
from kithnet.memory.recall import CHARACTERS_PER_TOKEN, cost, excerpt
from kithnet.memory.signals import inverse_frequency
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person
from kithnet.runtime.errors import InputError, UnknownPerson

START = datetime(1994, 9, 22, 9, 0)


def chat(path: Path, lines: Sequence[tuple[str, str, str]], session: str = "s") -> Store:
    """A world of three people (a, b, c) and these lines (sender, receiver, text)."""
    store = Store.create(path)
    people = [Person("a", "Anna Ames"), Person("b", "Bert Bell"), Person("c", "Cleo Cole")]
    messages = [
        ChatMessage(seq, sender, receiver, text, START + timedelta(minutes=seq), session)
        for seq, (sender, receiver, text) in enumerate(lines)
    ]
    store.ingest(people, [], messages)
    return store


def test_the_message_that_answers_comes_first_with_its_id_and_people(store: Store) -> None:
    found = store.owner("ross").recall("When is the baby due?")
    best = found.hits[0]
    assert best.text == "Yes. The baby is due in April."
    assert (best.id, best.sender, best.receivers, best.session, best.kind) == (
        "m3",
        "carol",
        ("ross",),
        "s1",
        "message",
    )
    assert best.messages == ("m3",) and best.told_by == "carol" and best.audience is None
    assert found.searched == 6 and found.mode == "lexical" and not found.abstained
    assert best.cosine is None and 0 < best.lexical <= 1 and 0 < best.coverage <= 1


def test_other_forms_of_a_word_match(store: Store) -> None:
    assert store.owner("monica").recall("cooked lasagnes").hits[0].text.startswith("I cannot, I am cooking")


def test_accents_and_case_do_not_matter(tmp_path: Path) -> None:
    with chat(tmp_path / "k.db", [("a", "b", "Meet me at the CAFÉ Zürich."), ("b", "a", "Fine.")]) as store:
        assert store.owner("a").recall("cafe zurich").hits[0].coverage == pytest.approx(1.0)


def test_messages_of_the_people_the_question_names_weigh_more(store: Store) -> None:
    by_carol = store.owner("ross").recall("baby", speakers=["carol"]).hits
    assert by_carol[0].sender == "carol"
    by_ross = store.owner("ross").recall("baby", speakers=["ross"]).hits
    assert by_ross[0].sender == "ross"
    assert store.owner("ross").recall("baby", speakers=["nobody"]).hits


def test_the_answer_beside_the_matching_question_is_found(store: Store) -> None:
    hits = store.owner("monica").recall("When does the flight land?").hits
    assert "At seven tomorrow evening." in [hit.text for hit in hits[:2]]


def test_a_line_heard_by_several_people_counts_once(store: Store) -> None:
    texts = [hit.text for hit in store.owner("ross").recall("Carol is having a baby").hits]
    assert texts.count("Carol is having a baby, and it is mine!") == 1


def test_the_same_wording_again_counts_once(tmp_path: Path) -> None:
    lines = [("a", "b", "The train leaves at nine."), ("b", "a", "the train LEAVES at nine!!"), ("a", "b", "A train?")]
    with chat(tmp_path / "k.db", lines) as store:
        assert len(store.owner("a").recall("train").hits) == 2


def test_a_question_about_nothing_known_is_abstained_from(store: Store) -> None:
    found = store.owner("ross").recall("quantum chromodynamics on a lattice")
    assert found.abstained and not found.hits and found.searched == 6


def test_weak_support_scores_lower_than_strong_support_across_questions(store: Store) -> None:
    ross = store.owner("ross")
    strong = ross.recall("baby due April").hits[0]
    weak = ross.recall("baby elephant trunk zoo").hits[0]
    assert strong.score > weak.score
    assert ross.recall("elephant trunk zoo baby").abstained


def test_scores_are_shares_in_falling_order(store: Store) -> None:
    hits = store.owner("ross").recall("Carol baby pregnant know").hits
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True) and all(0 < score <= 1 for score in scores)


def test_hits_stay_within_count_and_budget(tmp_path: Path) -> None:
    lines = [("a", "b", f"The garden has {number} roses and " + "many leaves " * 10) for number in range(50)]
    with chat(tmp_path / "k.db", lines) as store:
        owner = store.owner("a")
        assert len(owner.recall("garden roses", k=3).hits) == 3
        hits = owner.recall("garden roses", k=50, budget=200).hits
        assert hits and sum(cost(hit.text) for hit in hits) <= 200


def test_a_message_longer_than_the_budget_comes_as_an_excerpt_around_the_match(tmp_path: Path) -> None:
    long = "nothing to see here " * 50_000 + "the treasure lies under the oak" + " and so on" * 5_000
    with chat(tmp_path / "k.db", [("a", "b", long)]) as store:
        hit = store.owner("b").recall("treasure", budget=100).hits[0]
        assert "treasure lies under" in hit.text and len(hit.text) <= 100 * CHARACTERS_PER_TOKEN
        assert hit.excerpt
        assert store.owner("b").message("m1").text == long


def test_as_of_a_time_later_messages_are_unknown(store: Store) -> None:
    ross = store.owner("ross")
    early = ross.recall("baby", at=START + timedelta(hours=1))
    assert early.hits[0].id == "m2" and {hit.id for hit in early.hits} == {"m1", "m2"}
    assert early.searched == 2
    assert not ross.recall("baby", at=START - timedelta(hours=1)).hits


def test_a_turn_is_found_as_soon_as_it_is_written(store: Store) -> None:
    ross = store.owner("ross")
    assert not ross.recall("velociraptor").hits
    written = ross.write_turn("carol", "I found a velociraptor!", sender="ross", session="s9")
    assert [hit.id for hit in ross.recall("velociraptor").hits] == [written]
    assert [hit.id for hit in store.owner("carol").recall("velociraptor").hits] == [written]


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "'; DROP TABLE message; --",
        "baby AND OR NOT NEAR(",
        "who : p1 OR body : *",
        "{body} : baby ^ - + *",
        "NEAR(baby due, 2)",
        "message_fts MATCH",
        "\x00\x01\x1f\u200f\u202e",
        "baby\x00due",
        "\ud800 lone surrogate",
        "متى يولد الطفل؟",
        "宝宝什么时候出生",
        "👶🏽" * 500,
        "",
        "   \n\t ",
        "the of and",
        "a" * 100_000,
        "_ - __",
    ],
)
def test_no_text_breaks_a_query_or_acts_as_an_operator(store: Store, query: str) -> None:
    found = store.owner("ross").recall(query)
    assert all("ross" in (hit.sender, *hit.receivers) for hit in found.hits)


def test_an_operator_in_the_question_does_not_widen_it(store: Store) -> None:
    assert not store.owner("ross").recall('xylophone" OR who : p4 OR body : "xylophone').hits


def test_a_question_of_a_megabyte_is_answered_in_time(store: Store) -> None:
    started = time.monotonic()
    assert store.owner("ross").recall("baby " + "word " * 200_000).hits
    assert time.monotonic() - started < 5
    assert len(terms("x" * (MAX_QUERY_CHARACTERS * 2))) == 1


@pytest.mark.parametrize(
    "text", ["مرحبا بالعالم الجديد", "שלום עולם", "zebra\x00b\x07c", "zebra " + "x" * 1_000_000, "zebra \ud800"]
)
def test_messages_of_any_characters_are_kept_and_found(tmp_path: Path, text: str) -> None:
    with chat(tmp_path / "k.db", [("a", "b", "hello")]) as store:
        owner = store.owner("a")
        written = owner.write_turn("b", text, sender="a", session="t")
        kept = owner.message(written).text
        assert kept == text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        assert written in [hit.id for hit in owner.recall(text[:6], budget=10**6).hits]


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_terms_are_words_only_and_match_themselves(text: str) -> None:
    for term in terms(text):
        assert term.word and not set(term.word) & set("\"':*^(){}+- \x00_")


def test_a_message_is_read_by_its_id(store: Store) -> None:
    assert store.owner("ross").message("m3").text == "Yes. The baby is due in April."
    for wrong in ("m9", "m999", "3", "", "mm", "m-1", "k1", "m１"):
        with pytest.raises(InputError):
            store.owner("ross").message(wrong)


def test_neighbours_stay_in_the_session_and_skip_copies_of_a_line(store: Store) -> None:
    ross = store.owner("ross")
    assert [hit.id for hit in ross.neighbours("m2")] == ["m1", "m3"]
    assert [hit.id for hit in ross.neighbours("m3", before=1, after=5)] == ["m2"]
    assert [hit.id for hit in ross.neighbours("m6", before=3)] == ["m4"]
    with pytest.raises(InputError):
        ross.neighbours("m7")


def test_sessions_and_partners_are_the_owners(store: Store) -> None:
    ross = store.owner("ross")
    assert [hit.id for hit in ross.session("s2")] == ["m4", "m5", "m6"]
    assert ross.session("s4") == []
    assert ross.sessions_with("monica") == ["s2"]
    partners = ross.partners()
    assert [(partner.person, partner.messages) for partner in partners] == [
        ("carol", 3),
        ("monica", 2),
        ("chandler", 1),
    ]
    assert partners[0].last_at == START + timedelta(hours=2)


def test_mentions_say_who_spoke_of_it_not_who_heard_of_it(store: Store) -> None:
    assert store.owner("ross").mentions(["baby", "pregnant"]) == {"carol": 2}
    assert store.owner("monica").mentions(["baby"]) == {"ross": 1}
    assert store.owner("phoebe").mentions(["baby"]) == {}
    assert store.owner("phoebe").mentions([]) == {}


def test_an_owner_who_is_not_in_the_world_is_refused(store: Store) -> None:
    with pytest.raises(UnknownPerson):
        store.owner("gunther")


def test_a_person_without_messages_recalls_nothing(tmp_path: Path) -> None:
    with chat(tmp_path / "k.db", [("a", "b", "hello there")]) as store:
        cleo = store.owner("c")
        assert cleo.recall("hello").hits == () and cleo.recall("hello").searched == 0
        assert cleo.partners() == [] and cleo.memories() == []


def test_inverse_frequency_is_highest_for_what_nobody_said() -> None:
    idf = inverse_frequency(np.array([0, 1, 50, 100]), 100)
    assert (np.diff(idf) < 0).all() and (idf > 0).all()


@given(st.text(max_size=300), st.integers(0, 100))
def test_an_excerpt_is_a_stretch_of_the_text(text: str, characters: int) -> None:
    cut = excerpt(text, ["a"], characters)
    assert cut in text and len(cut) <= max(characters, 0)
