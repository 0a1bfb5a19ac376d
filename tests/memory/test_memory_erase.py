"""What an erasure takes along, what it leaves, and that nothing of it stays in the database."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from kithnet.memory import erase, schema
from kithnet.memory.closure import Repeats, Request, gather
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Task, Tie
from kithnet.runtime.errors import InputError, UnknownPerson

SECRET = "I'm pregnant"


def doomed(store: Store, *items: str, **options: Any) -> dict[str, str]:
    """Id -> why, of what would go with these items."""
    return {row.id: row.why for row in erase.plan(store, Request(items, **options)).rows}


def erased(store: Store, request: Request) -> erase.Receipt:
    return erase.settle(store, erase.begin(store, request).receipt, {})


def bytes_of(world_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in world_path.parent.rglob("*") if path.is_file())


def note(store: Store, owner: str, text: str, evidence: Iterable[str] = (), **options: object) -> str:
    settings: dict[str, object] = {"about": "carol", "told_by": "carol", "kind": "fact", **options}
    return store.owner(owner).remember(text=text, evidence=list(evidence), **settings).id  # type: ignore[arg-type]


def test_a_fact_goes_with_its_only_evidence_and_stays_with_other_evidence(store: Store) -> None:
    only = note(store, "ross", "Carol expects a child.", ["m1"])
    both = note(store, "ross", "Carol's baby is due.", ["m1", "m3"])
    assert doomed(store, "m1") == {"m1": "asked for", only: "its evidence is gone"}
    erased(store, Request(("m1",)))
    assert store.owner("ross").message(both).messages == ("m3",)


def test_a_fact_goes_when_it_says_what_only_the_erased_evidence_said(store: Store) -> None:
    kept = note(store, "ross", "The baby is due in April.", ["m1", "m3"])
    mixed = note(store, "ross", "Pregnant, due in April.", ["m1", "m3"])
    assert kept not in doomed(store, "m1")
    assert doomed(store, "m1")[mixed] == "says what only it said"


def test_a_summary_goes_with_any_of_its_evidence(store: Store) -> None:
    summary = note(store, "ross", "Carol and I spoke about April.", ["m1", "m3"], kind="summary")
    assert doomed(store, "m3")[summary] == "a summary of it and more"


def test_a_summary_without_evidence_goes_with_a_message_of_its_session(store: Store) -> None:
    summary = note(store, "ross", "Carol talked with me.", kind="summary", session="s1")
    other = note(store, "ross", "Monica talked with me.", kind="summary", session="s2")
    found = doomed(store, "m2")
    assert found[summary] == "a summary of its session" and other not in found


def test_what_an_agent_said_goes_with_what_it_answered_and_when_it_repeats_it(store: Store) -> None:
    ross = store.owner("ross")
    answer = ross.write_utterance("carol", "Congratulations!", session="c1", answers="m3")
    repeats = ross.write_utterance("monica", "She told me: the baby is due in April!", session="c2")
    other = ross.write_utterance("monica", "Nothing of that.", session="c2")
    assert doomed(store, "m3") == {"m3": "asked for", answer: "answers it", repeats: "repeats it"}
    assert doomed(store, other) == {other: "asked for"}
    assert doomed(store, person="monica")[other] == "by or to the person's agent"
    assert erased(store, Request(("m3",))).removed["utterances"] == 2
    assert [one.id for one in ross.utterances()] == [other]
    erased(store, Request(person="monica"))
    assert ross.utterances() == []


def test_what_repeats_four_words_goes_whoever_noted_it(store: Store) -> None:
    told = note(store, "monica", "Ross says: Carol is having a baby soon.", told_by="ross")
    assert doomed(store, "m4")[told] == "repeats it"


def test_all_words_of_a_short_message_are_a_repetition_for_those_who_took_part(store: Store) -> None:
    said = store.owner("phoebe").write_turn("monica", "In Lisbon, Sunday!", sender="phoebe", session="s9")
    mine = note(store, "monica", "Phoebe flies: in Lisbon Sunday.", about="phoebe", told_by="phoebe")
    other = note(store, "carol", "Lunch in Lisbon Sunday.", about="ross", told_by="ross")
    found = doomed(store, said)
    assert found[mine] == "repeats it" and other not in found


def test_what_was_noted_on_being_told_goes_with_its_handle(store: Store) -> None:
    first = note(store, "monica", "A child will come.", told_by="ross", handles=["m1"])
    second = note(store, "phoebe", "Somebody expects.", told_by="monica", handles=[first])
    found = doomed(store, "m1")
    assert found[first] == found[second] == "was told of it"


def test_one_line_heard_by_several_goes_whole(store: Store) -> None:
    assert doomed(store, "m4") == {"m4": "asked for", "m5": "the same line, heard by another"}


def test_the_same_words_said_elsewhere_stay_unless_they_are_asked_for(world_path: Path) -> None:
    lines = [("a", "b", "The key is blue."), ("b", "a", "Did you say: The key is blue. Well."), ("b", "a", "Yes.")]
    messages = [ChatMessage(n, x, y, text, None, f"s{n}") for n, (x, y, text) in enumerate(lines)]
    with Store.create(world_path) as store:
        store.ingest([Person("a", "Anna"), Person("b", "Bert")], [Tie("a", "b")], messages)
        assert erase.plan(store, Request(("m1",))).elsewhere == ("m2",)
        assert set(doomed(store, "m1")) == {"m1"}
        assert set(doomed(store, "m1", everywhere=True)) == {"m1", "m2"}


def test_a_memory_can_be_erased_and_its_evidence_stays(store: Store) -> None:
    kept = note(store, "ross", "Carol expects a child.", ["m1"])
    assert doomed(store, kept) == {kept: "asked for"}
    erased(store, Request((kept,)))
    assert store.owner("ross").message("m1").text
    with pytest.raises(InputError):
        store.owner("ross").message(kept)


def test_a_summary_goes_with_a_part_of_it(store: Store) -> None:
    part, whole = note(store, "ross", "One."), note(store, "ross", "All of it.", kind="summary")
    with store.database.write() as connection:
        connection.execute(insert(schema.link).values(a=int(part[1:]), b=int(whole[1:]), type="part_of"))
    assert doomed(store, part)[whole] == "a summary of it and more"


def test_links_usages_and_what_disclosures_say_go_and_that_something_was_told_stays(store: Store) -> None:
    ross = store.owner("ross")
    old = note(store, "ross", "Carol lives in Queens.", ["m1"], slot="home")
    note(store, "ross", "Carol lives in Brooklyn.", ["m3"], slot="home")
    ross.record_usage("u1", [old], "monica")
    ross.disclose(["m1", old], partner="monica", task="Is it so that I'm pregnant?", rule="default: ordinary")
    receipt = erased(store, Request(("m1",)))
    assert receipt.removed == {"messages": 1, "memories": 1, "links": 1, "usages": 1, "disclosures": 1}
    (told,) = ross.disclosures()
    assert (told.items, told.partner, told.task, told.rule) == ((), "monica", "", "default: ordinary")
    assert ross.recall("Brooklyn").hits


def test_nothing_of_a_message_is_left_in_the_file_or_its_log(store: Store, world_path: Path) -> None:
    note(store, "ross", "Carol said I'm pregnant.", ["m1"])
    assert SECRET.encode() in bytes_of(world_path)
    erased(store, Request(("m1", "m2")))
    data = bytes_of(world_path)
    for word in (SECRET, "pregnant", "Pregnant", "pregnanc"):
        assert word.encode() not in data, word
        assert word.encode("utf-16-le") not in data
    assert not store.owner("ross").recall("pregnant", k=3).hits or "pregnant" not in bytes_of(world_path).decode(
        "latin1"
    )


def test_a_receipt_says_when_and_how_many_but_not_what(store: Store) -> None:
    erased(store, Request(("m9",)))
    (receipt,) = erase.receipts(store)
    assert receipt.finished and receipt.kind == "message" and receipt.removed == {"messages": 1}
    with store.database.read() as connection:
        row = connection.execute(select(schema.erasure)).one()
    assert row.work == "" and "m9" not in json.dumps([str(value) for value in row])


def test_an_erasure_that_was_begun_is_not_seen_by_anybody_and_can_be_finished(store: Store) -> None:
    kept = note(store, "ross", "Carol expects a child.", ["m1"])
    begun = erase.begin(store, Request(("m1",)))
    assert not any(SECRET in hit.text for hit in store.owner("ross").recall("pregnant").hits)
    (left,) = erase.unfinished(store)
    assert left == begun and set(left.ids) == {"m1", kept}
    assert "Ross, I have to tell you something. I'm pregnant." in left.texts
    erase.settle(store, left.receipt, {"runs": 2})
    assert erase.unfinished(store) == []
    assert erase.receipts(store)[0].removed["runs"] == 2


def test_a_person_is_erased_with_all_they_said_heard_and_noted(store: Store, world_path: Path) -> None:
    store.owner("chandler").remember(about="phoebe", text="She has a word.", told_by="phoebe", kind="fact", evidence=[])
    store.owner("monica").remember(
        about="ross", text="Only Phoebe may know.", told_by="ross", kind="fact", evidence=[], audience=["phoebe"]
    )
    receipt = erased(store, Request(person="phoebe"))
    assert receipt.kind == "person" and receipt.removed["people"] == 1 and receipt.removed["messages"] == 4
    data = bytes_of(world_path)
    for word in (b"xylophone", b"Pheebs", b"Buffay", b"She has a word", b"What time does your flight"):
        assert word not in data, word
    with pytest.raises(UnknownPerson):
        store.person("phoebe")
    (hit,) = store.owner("monica").memories()
    assert hit.audience == ()  # what was for her alone is now for nobody


def test_what_a_person_heard_together_with_others_stays_with_those_others(store: Store) -> None:
    kept = note(store, "monica", "Carol is having a baby.", told_by="ross")
    erased(store, Request(person="chandler"))
    assert store.owner("monica").message("m4").text == "Carol is having a baby, and it is mine!"
    assert store.owner("monica").message(kept).text
    assert not any("chandler" in message.receivers for message in store.messages())


def test_tasks_that_quote_it_rest_on_it_or_are_the_persons_go(world_path: Path) -> None:
    tasks = [
        Task("t1", "Where?", "here", (), "a", "b", ("b",), (0,)),
        Task("t2", "Is the violet key under the old stone?", "yes", (), "a", "b", ("b",), ()),
        Task("t3", "What?", "that", (), "a", "b", ("b",), (1,)),
    ]
    messages = [
        ChatMessage(0, "a", "b", "The violet key is under the old stone.", None, "s"),
        ChatMessage(1, "b", "a", "Fine.", None, "s"),
    ]
    with Store.create(world_path) as store:
        store.ingest([Person("a", "Anna"), Person("b", "Bert")], [Tie("a", "b")], messages, tasks)
        erased(store, Request(("m1",)))
        assert [task.id for task in store.tasks()] == ["t3"]


@pytest.mark.parametrize("item", ["m99", "k1", "x3", "m", "m1 OR 1=1"])
def test_an_id_that_there_is_not_is_refused_and_nothing_goes(store: Store, item: str) -> None:
    with pytest.raises(InputError):
        erase.begin(store, Request(("m1", item)))
    assert store.stats().messages == 12 and erase.receipts(store) == []


def test_a_very_long_message_with_operators_is_erased(world_path: Path) -> None:
    long = '100% "NEAR(" * _ OR \' \x01 \u202e ' + "word " * 200_000 + "zephyr"
    messages = [ChatMessage(0, "a", "b", long, None, "s"), ChatMessage(1, "b", "a", "All of it.", None, "s")]
    with Store.create(world_path) as store:
        store.ingest([Person("a", "Anna"), Person("b", "Bert")], [], messages)
        erased(store, Request(("m1",)))
        assert store.stats().texts == 1
    assert b"zephyr" not in bytes_of(world_path)


def test_a_text_repeats_another_only_with_telling_words() -> None:
    repeats = Repeats(["Well, it is what it is, you know.", "The violet key is under the stone.", "Xylophone"])
    assert repeats.in_("He said the VIOLET key is under a tree", party=False)
    assert not repeats.in_("it is what it is, you know", party=True)
    assert repeats.in_("My word is xylophone.", party=True)
    assert not repeats.in_("My word is xylophone.", party=False)


def test_the_closure_is_the_same_however_often_it_is_asked(store: Store) -> None:
    note(store, "ross", "Carol expects a child.", ["m1"])
    with store.database.read() as connection:
        assert gather(connection, Request(("m1",))) == gather(connection, Request(("m1",)))
