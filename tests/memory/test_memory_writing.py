"""What an owner writes: memories with evidence and audience, turns, disclosures."""

import threading
from datetime import datetime

import pytest

from kithnet.memory.egocentric import Remembered
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, HashEmbedder
from kithnet.runtime.errors import InputError, UnknownPerson


def told(store: Store, text: str = "Carol is pregnant.", **changes: object) -> Remembered:
    """Ross notes what Carol told him."""
    note = {"about": "carol", "text": text, "told_by": "carol", "kind": "fact", "evidence": ["m1"], **changes}
    return store.owner("ross").remember(**note)  # type: ignore[arg-type]


def test_a_memory_is_recalled_with_its_evidence_and_teller(store: Store) -> None:
    kept = told(store, "Carol's mother is called Zelda.", evidence=["m1", "m3"], session="s1", at=datetime(1994, 9, 22))
    assert kept == Remembered("k1", False)
    hit = store.owner("ross").recall("Zelda").hits[0]
    assert (hit.id, hit.kind, hit.about, hit.told_by) == ("k1", "fact", "carol", "carol")
    assert hit.messages == ("m1", "m3") and hit.session == "s1" and hit.valid_from == datetime(1994, 9, 22)
    assert store.owner("ross").message("k1").text == hit.text


def test_the_same_fact_again_reinforces_instead_of_adding(store: Store) -> None:
    first = told(store)
    again = told(store, "carol is  PREGNANT", evidence=["m3"])
    assert again == Remembered(first.id, True)
    assert store.stats().memories == 1
    assert store.owner("ross").message(first.id).messages == ("m1", "m3")


def test_replaying_a_session_ten_times_adds_nothing(store: Store) -> None:
    for _ in range(10):
        told(store)
        told(store, "The baby is due in April.", slot="due", evidence=["m3"])
    assert store.stats().memories == 2


def test_a_new_value_of_a_slot_closes_the_old_one(store: Store) -> None:
    told(store, "Carol works at the museum.", slot="job", at=datetime(1994, 1, 1))
    told(store, "Carol works at a school.", slot="job", at=datetime(1995, 1, 1))
    ross = store.owner("ross")
    assert [hit.text for hit in ross.memories(about="carol")] == ["Carol works at a school."]
    assert [hit.text for hit in ross.recall("where does Carol work").hits if hit.id[0] == "k"] == [
        "Carol works at a school."
    ]
    then = ross.recall("where does Carol work", at=datetime(1994, 6, 1)).hits
    assert [hit.text for hit in then] == ["Carol works at the museum."]
    old = ross.message("k1")
    assert old.valid_to == datetime(1995, 1, 1)


def test_a_memory_can_be_corrected_by_name(store: Store) -> None:
    wrong = told(store, "The baby is due in May.")
    told(store, "The baby is due in April.", supersedes=wrong.id)
    assert [hit.text for hit in store.owner("ross").memories()] == ["The baby is due in April."]
    with pytest.raises(InputError):
        told(store, "Something else.", supersedes="k99")


def test_a_memory_told_in_confidence_never_reaches_another_partner(store: Store) -> None:
    told(store, "Carol fears the xenolith.", audience=["carol"])
    ross = store.owner("ross")
    assert ross.recall("xenolith").hits[0].audience == ("carol",)
    assert ross.recall("xenolith", partner="carol").hits
    for partner in ("monica", "somebody unknown", ""):
        found = ross.recall("xenolith", partner=partner)
        assert not found.hits and found.searched == 6, partner


def test_a_memory_for_nobody_is_the_owners_alone(store: Store) -> None:
    told(store, "Carol fears the xenolith.", audience=[])
    ross = store.owner("ross")
    assert ross.recall("xenolith").hits
    assert not ross.recall("xenolith", partner="carol").hits


def test_the_audience_holds_for_vectors_too(store: Store) -> None:
    embedder = HashEmbedder()
    index = ArrayIndex(embedder.name, embedder.dim)
    told(store, "Carol fears the xenolith.", audience=["carol"])
    Indexer(store, index, embedder).run()
    ross = store.owner("ross", index, embedder)
    assert ross.recall("fears the xenolith", partner="carol").hits[0].id == "k1"
    assert "k1" not in [hit.id for hit in ross.recall("fears the xenolith", partner="monica").hits]


def test_neither_audience_of_a_fact_heard_twice_widens_the_other(store: Store) -> None:
    told(store, "Carol fears the xenolith.", audience=["carol"])
    assert told(store, "Carol fears the xenolith.", audience=["carol", "monica"]).reinforced is False
    assert told(store, "Carol fears the xenolith.", audience=["carol"]).reinforced is True
    ross = store.owner("ross")
    assert [hit.id for hit in ross.recall("xenolith", partner="monica").hits] == ["k2"]
    assert not ross.recall("xenolith", partner="chandler").hits


def test_evidence_must_be_the_owners(store: Store) -> None:
    for evidence in (["m9"], ["m1", "m999"], ["k1"], ["17"]):
        with pytest.raises(InputError):
            told(store, evidence=evidence)
    assert store.stats().memories == 0
    with pytest.raises(UnknownPerson):
        told(store, about="nobody")
    with pytest.raises(InputError):
        told(store, text="  ")


def test_a_forgotten_memory_is_gone_and_its_number_is_not_used_again(store: Store) -> None:
    first = told(store, "Carol fears the xenolith.", audience=["carol"])
    ross = store.owner("ross")
    texts = store.stats().texts
    ross.forget(first.id)
    assert not ross.recall("xenolith").hits and ross.memories() == []
    assert store.stats().texts == texts - 1
    with pytest.raises(InputError):
        ross.forget(first.id)
    assert told(store).id != first.id


def test_forgetting_a_memory_keeps_a_message_with_the_same_words(store: Store) -> None:
    kept = told(store, "Yes. The baby is due in April.")
    store.owner("ross").forget(kept.id)
    assert store.owner("ross").message("m3").text == "Yes. The baby is due in April."


def test_another_owner_cannot_see_or_forget_a_memory(store: Store) -> None:
    kept = told(store, "Carol fears the xenolith.")
    monica = store.owner("monica")
    with pytest.raises(InputError):
        monica.message(kept.id)
    with pytest.raises(InputError):
        monica.forget(kept.id)
    with pytest.raises(InputError):
        monica.record_usage("You know what?", [kept.id], "phoebe")
    with pytest.raises(InputError):
        monica.disclose([kept.id], partner="phoebe")
    assert not monica.recall("xenolith").hits


def test_a_chat_with_somebody_from_outside_becomes_part_of_the_world(store: Store) -> None:
    monica = store.owner("monica")
    first = monica.write_turn("me", "Do you like truffles?", sender="me", session="chat-1")
    second = monica.write_turn("me", "I adore truffles.", sender="monica", session="chat-1")
    assert [hit.id for hit in monica.session("chat-1")] == [first, second]
    assert monica.recall("truffles").hits[0].receivers == ("me",)
    assert monica.sessions_with("me") == ["chat-1"]
    assert [person.id for person in store.people()] == ["monica", "ross", "carol", "chandler", "phoebe"]
    assert store.people(outside=True)[-1].id == "me" and store.person("me").outside
    assert store.stats().people == 5


@pytest.mark.parametrize(
    ("partner", "sender", "text"), [("ross", "carol", "hi"), ("monica", "monica", "hi"), ("ross", "ross", " ")]
)
def test_a_turn_that_makes_no_sense_is_refused(store: Store, partner: str, sender: str, text: str) -> None:
    with pytest.raises(InputError):
        store.owner("monica").write_turn(partner, text, sender=sender, session="x")


def test_disclosures_say_what_was_told_to_whom_and_why(store: Store) -> None:
    ross = store.owner("ross")
    kept = told(store)
    ross.disclose(["m1", kept.id], partner="monica", task="t1", rule="friends", action="tell")
    ross.disclose(["m3"], partner="chandler", task="t1", rule="default", action="refuse")
    rows = ross.disclosures()
    assert [(set(row.items), row.partner, row.action) for row in rows] == [
        ({"m1", "k1"}, "monica", "tell"),
        ({"m3"}, "chandler", "refuse"),
    ]
    assert rows[0].task == "t1" and rows[0].rule == "friends"
    assert store.owner("monica").disclosures() == []
    with pytest.raises(InputError):
        ross.disclose(["m9"], partner="monica")


def test_usage_counts_what_an_utterance_was_made_from(store: Store) -> None:
    kept = told(store)
    store.owner("ross").record_usage("She is pregnant!", [kept.id, "m1"], "monica")
    store.owner("ross").record_usage("Nothing used.", [], "monica")
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT uses FROM memory").scalar_one() == 1
        assert connection.exec_driver_sql("SELECT utterance FROM usage").scalar_one() == "She is pregnant!"


def test_many_threads_write_and_recall_at_once(store: Store) -> None:
    ross = store.owner("ross")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(8):
                ross.write_turn("carol", f"turn {turn} of thread {number}", sender="ross", session=f"t{number}")
                assert ross.recall(f"turn thread {number}").hits
                told(store, f"Carol counts to {turn}.", evidence=["m1"])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.stats().messages == 12 + 40
    assert store.stats().memories == 8


def test_the_full_text_indexes_agree_with_the_tables_after_all_kinds_of_change(store: Store) -> None:
    kept = told(store)
    told(store, "Carol works at the museum.", slot="job")
    told(store, "Carol works at a school.", slot="job")
    store.owner("ross").write_turn("carol", "hello", sender="ross", session="s9")
    store.owner("ross").forget(kept.id)
    with store.database.write() as connection:
        for index in ("message_fts", "memory_fts"):
            connection.exec_driver_sql(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
