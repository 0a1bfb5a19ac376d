"""How recall reads a question and ranks: names, dates, sessions, links; and what it says of each candidate."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from kithnet.memory import asking, signals
from kithnet.memory.asking import Date
from kithnet.memory.indexer import Indexer
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.reading import wording
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, HashEmbedder
from kithnet.memory.weights import HYBRID, LEXICAL, SHAPE
from kithnet.network.records import ChatMessage, Person

NAMES = {1: {"ann", "ame"}, 2: {"ben"}, 3: {"hope"}}
START = datetime(2023, 5, 1, 12, 0)
LINES = [
    ("ann", "ben", "The choir sings in the old church on Sunday.", "s1"),
    ("ben", "ann", "I sing in the shower.", "s1"),
    ("ben", "ann", "Where do you sing?", "s2"),
    ("ann", "ben", "I moved to Oslo last week.", "s2"),
    ("ben", "ann", "Nice weather we have.", "s3"),
    ("ann", "ben", "My brother moved to Rome. Ben helped him.", "s3"),
]


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[OwnerMemory]:
    with Store.create(tmp_path / "kith.db") as store:
        people = [Person("ann", "Ann Ames"), Person("ben", "Ben"), Person("hope", "Hope"), Person("dan", "Dan")]
        messages = [
            ChatMessage(seq, a, b, text, START + timedelta(days=20 * seq), session)
            for seq, (a, b, text, session) in enumerate(LINES)
        ]
        store.ingest(people, [], messages)
        yield store.owner("ann")


@pytest.mark.parametrize(
    ("question", "people", "called"),
    [
        ("When did Ann move to Oslo?", {1}, ["ann"]),
        ("when did ann move to oslo", {1}, ["ann"]),
        ("Did Ben's choir sing for Ann?", {1, 2}, ["ben", "ann"]),
        ("Does Ben hope to sing?", {2}, ["ben"]),
        ("Does Hope sing?", {3}, ["hope"]),
        ("Is it about the choir?", set(), []),
    ],
)
def test_the_people_a_question_names_are_known_by_its_words(question: str, people: set[int], called: list[str]) -> None:
    asked = asking.read(question, NAMES)
    assert asked.people == people
    assert [term.word for term in asked.called] == called
    assert set(asked.called) <= set(asked.terms)


def test_a_name_that_many_share_names_nobody() -> None:
    asked = asking.read("Is Ann here?", {key: {"ann"} for key in range(1, 6)})
    assert not asked.people and [term.word for term in asked.terms] == ["ann"]


def test_a_question_is_asked_as_the_person_would_have_said_it() -> None:
    def said(question: str) -> str:
        return asking.as_said(asking.read(question, NAMES), NAMES)

    assert said("When did Ann move to Oslo?") == "When did I move to Oslo?"
    assert said("What is Ann Ames's job?") == "What is my job?"
    assert said("Who is Ben’s boss?") == "Who is my boss?"
    assert said("Where is Oslo?") == "Where is Oslo?"


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("What happened in May 2023?", [Date(2023, 5, None)]),
        ("on 7 May, 2023", [Date(2023, 5, 7)]),
        ("on 2023-05-07 or so", [Date(2023, 5, 7)]),
        ("Where were we on March 3rd?", [Date(None, 3, 3)]),
        ("What did you do in 1999?", [Date(1999, 0, None)]),
        ("You may march on", []),
        ("2023-13-45", [Date(2023, 0, None)]),
        ("in Jan or Dec", [Date(None, 1, None), Date(None, 12, None)]),
    ],
)
def test_dates_are_read_from_words_and_figures(text: str, dates: list[Date]) -> None:
    assert asking.dates(text) == dates


def test_what_was_said_on_the_day_asked_for_comes_first(ann: OwnerMemory) -> None:
    assert ann.recall("Who moved in June 2023?").hits[0].id == "m4"
    assert ann.recall("Who moved in August 2023?").hits[0].id == "m6"


def test_who_said_it_decides_between_the_same_words(ann: OwnerMemory) -> None:
    assert ann.recall("Where does Ben sing?").hits[0].sender == "ben"
    assert ann.recall("Where does Ann sing?").hits[0].sender == "ann"


def test_a_question_in_the_chat_ranks_below_what_tells() -> None:
    when = asking.read("When did she leave?", {})
    assert asking.answers(when, "I left yesterday.") == (1.0, 0.0, 0.0)
    assert asking.answers(when, "Did you leave?") == (0.0, 0.0, 1.0)
    many = asking.read("How many dogs?", {})
    assert asking.answers(many, "We have two dogs.") == (0.0, 1.0, 0.0)


def test_a_session_that_is_about_the_question_lifts_its_turns() -> None:
    held = np.array([[True, False, False, False, False, False], [False, True, False, False, False, True]])
    session = np.array([0, 0, 0, 0, 1, 1])
    zeros = np.zeros(6, dtype=np.float32)
    evidence = signals.Evidence(
        held, np.zeros((2, 6), dtype=np.float32), np.ones(6, dtype=np.float32) * 5, zeros, zeros, zeros, session
    )
    found = signals.spoken(evidence)
    assert found["session"][3] == 1.0 > found["session"][4] > 0
    assert found["coverage"][3] > 0  # what was said two turns before reaches it
    assert (found["coverage"] <= 1).all() and (found["best"] <= 1).all()


def test_nearness_by_vectors_reaches_the_turns_beside_it() -> None:
    cosines = np.array([0.9, np.nan, np.nan, np.nan, 0.2], dtype=np.float32)
    found = signals.seen(cosines, np.array([0, 0, 0, 1, 1]))
    assert found["nearest"].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert found["around"][1] == pytest.approx(SHAPE.around_before[0])
    assert found["around"][3] == 0.0
    nothing = signals.seen(np.full(3, np.nan, dtype=np.float32), np.array([0, 0]))
    assert all(not values.any() for values in nothing.values())


def test_scores_fall_from_the_support_of_the_best() -> None:
    total = np.array([2.0, 8.0, 4.0], dtype=np.float32)
    support = np.array([0.2, 0.5, 0.1], dtype=np.float32)
    scores = signals.scored(total, support, np.array([1, 2, 0]))
    assert scores[1] == pytest.approx(0.5) and scores[2] == pytest.approx(0.125) and 0 < scores[0] < scores[2]
    assert signals.scored(total, support, np.zeros(0, dtype=np.int64)).tolist() == [0.0, 0.0, 0.0]


def test_weights_are_of_signals_that_there_are() -> None:
    assert LEXICAL.keys() < HYBRID.keys()
    with pytest.raises(ValueError, match="weight"):
        signals.weighed({"coverage": np.ones(1, dtype=np.float32)}, {"other": 1.0})


def test_fillers_make_no_other_statement_and_a_negation_does() -> None:
    assert wording("Oh, I really love it!") == wording("i love it")
    assert wording("I do not love it") != wording("I do love it")
    assert wording("well, well") == "well well"


def note(memory: OwnerMemory, text: str, audience: list[str] | None = None, slot: str | None = None) -> str:
    return memory.remember(
        about="ben", text=text, told_by="ben", kind="fact", evidence=[], audience=audience, slot=slot
    ).id


def test_a_memory_one_link_away_is_found_and_only_for_those_it_is_for(ann: OwnerMemory) -> None:
    near, far, secret = (
        note(ann, "Ben plays the bassoon."), note(ann, "The wooden thing cost a fortune."),
        note(ann, "He stole it.", audience=["hope"]),
    )  # fmt: skip
    assert far not in [hit.id for hit in ann.recall("bassoon").hits]
    ann.link(near, far, "same_topic")
    ann.link(near, secret, "causes")
    assert {near, far, secret} <= {hit.id for hit in ann.recall("bassoon", partner="hope").hits}
    assert {near, far} <= {hit.id for hit in ann.recall("bassoon", partner="dan").hits}
    assert secret not in {hit.id for hit in ann.recall("bassoon", partner="dan").hits}
    assert secret not in {hit.id for hit in ann.recall("bassoon", partner="a stranger").hits}


def test_explain_keeps_what_recall_returns_in_the_same_order(ann: OwnerMemory) -> None:
    for query in ("Where does Ben sing?", "moved", "quantum", ""):
        hits = ann.recall(query, k=2).hits
        kept = [one for one in ann.explain(query, k=2) if one.kept]
        assert [one.id for one in kept] == [hit.id for hit in hits]
        assert [one.scores["score"] for one in kept] == [hit.score for hit in hits]


def test_explain_says_why_each_candidate_was_dropped(ann: OwnerMemory) -> None:
    again = ann.write_turn("ben", "Oh, I sing in the shower!", sender="ben", session="s9")
    ann.write_turn("ben", "sing " * 400, sender="ben", session="s8")
    old = note(ann, "Ben sings bass.", slot="voice")
    note(ann, "Ben sings tenor.", slot="voice")
    found = {one.id: one for one in ann.explain("sing", k=4, budget=100)}
    reasons = {one.why for one in found.values()}
    assert {"kept", "duplicate", "superseded"} <= reasons
    assert found[old].why == "superseded" and not found[old].kept and found[old].text == "Ben sings bass."
    assert found[again].why == "duplicate" or found["m2"].why == "duplicate"
    assert "rank > k" in {one.why for one in ann.explain("sing", k=1)}
    assert "budget" in {one.why for one in ann.explain("sing", k=20, budget=100)}
    assert all("+coverage" in one.scores for one in found.values() if one.scores["coverage"])


def test_explain_tells_a_partner_nothing_of_what_is_not_for_them(ann: OwnerMemory) -> None:
    secret = note(ann, "Ben sings falsetto in secret.", audience=["hope"])
    (withheld,) = [one for one in ann.explain("sing falsetto", partner="dan") if one.id == secret]
    assert (withheld.text, withheld.scores, withheld.kept, withheld.why) == ("", {}, False, "audience")
    assert (withheld.messages, withheld.told_by, withheld.audience) == ((), "", None)
    (shown,) = [one for one in ann.explain("sing falsetto", partner="hope") if one.id == secret]
    assert shown.kept and shown.audience == ("hope",)
    assert [one.text for one in ann.explain("sing falsetto") if one.id == secret] == ["Ben sings falsetto in secret."]


def test_explain_marks_hits_that_support_too_little(ann: OwnerMemory) -> None:
    query = "quantum lattice chromodynamics zebra choir giraffe"
    assert ann.recall(query).abstained
    assert {one.why for one in ann.explain(query) if one.kept} == {"kept, below threshold"}


def test_with_vectors_the_same_candidates_are_explained_by_cosines_too(tmp_path: Path) -> None:
    embedder = HashEmbedder(32)
    index = ArrayIndex(embedder.name, embedder.dim)
    with Store.create(tmp_path / "kith.db") as store:
        store.ingest(
            [Person("ann", "Ann"), Person("ben", "Ben")], [], [ChatMessage(0, "ann", "ben", "I sing.", None, "s")]
        )
        Indexer(store, index, embedder).run()
        (one,) = store.owner("ann", index, embedder).explain("sing")
        assert one.kept and {"score", "coverage", "cosine", "+cosine"} <= one.scores.keys()
