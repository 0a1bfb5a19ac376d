"""What may go wrong around a world: many processes, clocks, names and texts of every kind."""

import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from kithnet.memory import erase, fsck
from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.closure import Request
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.memory.vectors import HashEmbedder
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.errors import StorageError, UnknownPerson

EMBEDDER = HashEmbedder()
Child = Callable[..., "subprocess.Popen[str]"]

WORK = """
import random, sys, time
from pathlib import Path
from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.memory.vectors import HashEmbedder
from kithnet.runtime.errors import WorldBusy
name, embedder = sys.argv[2], HashEmbedder()
with Store.open(Path(sys.argv[1])) as store:
    ross = store.owner("ross")
    for turn in range(12):
        said = ross.write_turn("carol", f"turn {turn} of {name}", sender="carol", session=name)
        made = ross.remember(about="carol", text=f"Carol said {turn} to {name}.", told_by="carol", kind="fact",
                             evidence=[said])
        ross.record_usage(f"u:{name}:{turn}", [made.id], "monica")
        assert ross.recall(f"turn {turn} of {name}", k=3).hits
        if turn % 4 == int(name) % 4:
            ross.forget(made.id)
        if turn % 6 == 5:
            try:
                with ChromaIndex.open(Path(sys.argv[1]).parent / "vectors", embedder.name, embedder.dim) as index:
                    Indexer(store, index, embedder).run(batch=8)
            except WorldBusy:
                pass
"""


@pytest.mark.timeout(120)
def test_eight_processes_read_and_write_one_world(store: Store, world_path: Path, child: Child) -> None:
    workers = [child(WORK, world_path, number) for number in range(8)]
    for worker in workers:
        _, error = worker.communicate(timeout=100)
        assert worker.returncode == 0, error
    ross = store.owner("ross")
    for number in range(8):
        assert [hit.text for hit in ross.session(str(number))] == [f"turn {turn} of {number}" for turn in range(12)]
    assert store.stats().memories == 8 * 9
    with ChromaIndex.open(world_path.parent / "vectors", EMBEDDER.name, EMBEDDER.dim) as index:
        assert Indexer(store, index, EMBEDDER).run().pending == 0
    assert fsck.check(store, world_path.parent / "vectors").clean


def test_a_clock_that_goes_back_keeps_the_order_in_which_things_were_said_and_learnt(store: Store) -> None:
    ross, noon = store.owner("ross"), datetime(2024, 5, 1, 12)
    for number, at in enumerate([noon, noon - timedelta(days=400), noon - timedelta(days=1)]):
        said = ross.write_turn("carol", f"I live at number {number}.", sender="carol", session="s9", at=at)
        ross.remember(
            about="carol", text=f"Carol lives at number {number}.", told_by="carol", kind="fact", evidence=[said],
            slot="home", at=at,
        )  # fmt: skip
    assert [hit.text[-2] for hit in ross.session("s9")] == ["0", "1", "2"]
    current = [hit.text for hit in ross.memories(about="carol")]
    assert current == ["Carol lives at number 2."]
    found = ross.recall("Where does Carol live?", partner="monica")
    assert not any("number 0." in hit.text and hit.kind == "fact" for hit in found.hits)
    assert ross.recall("Carol home", at=noon - timedelta(days=800)) is not None


def test_two_people_of_one_name_are_told_apart_by_their_ids(world_path: Path) -> None:
    people = [Person("sam_1", "Sam Hill"), Person("sam_2", "Sam Hill"), Person("eve", "Eve")]
    messages = [
        ChatMessage(0, "sam_1", "eve", "My cat is called Miro.", None, "s0"),
        ChatMessage(1, "sam_2", "eve", "My cat is called Klee.", None, "s1"),
    ]
    with Store.create(world_path) as store:
        store.ingest(people, [Tie("sam_1", "eve"), Tie("sam_2", "eve")], messages)
        with pytest.raises(UnknownPerson, match="sam_1, sam_2"):
            store.resolve("Sam Hill")
        assert store.resolve("sam_2").id == "sam_2"
        eve = store.owner("eve")
        eve.remember(about="sam_1", text="Sam's cat is Miro.", told_by="sam_1", kind="fact", evidence=["m1"])
        eve.remember(about="sam_2", text="Sam's cat is Klee.", told_by="sam_2", kind="fact", evidence=["m2"])
        assert [hit.text for hit in eve.memories(about="sam_1")] == ["Sam's cat is Miro."]
        assert not any("Klee" in hit.text for hit in store.owner("sam_1").recall("cat called Klee").hits)
        erase.settle(store, erase.begin(store, Request(person="sam_1")).receipt, {})
        assert [hit.text for hit in eve.memories(about="sam_2")] == ["Sam's cat is Klee."]
        assert store.resolve("Sam Hill").id == "sam_2"


NASTY = [
    "'; DROP TABLE message; -- Quetzal",
    'Quetzal "NEAR(a b, 2)" AND OR NOT body:* ^ ( { + -',
    "100% of_Quetzal \\ / ? # [ ] *",
    "Quetzal \x00\x01\x07\x1b[31m red \x7f",
    "\u202eQuetzal\u202c \u200f\u200e\u2066 marks \ufeff",
    "Quetzal \U0001f426 e\u0301 \ud800 surrogate",
    "p1 who : p2 Quetzal",
]


@pytest.mark.parametrize("text", NASTY)
def test_any_text_is_kept_found_noted_and_erased(store: Store, world_path: Path, text: str) -> None:
    ross = store.owner("ross")
    item = ross.write_turn("carol", text, sender="carol", session="s9")
    noted = ross.remember(about="carol", text=f"She said {text}", told_by="carol", kind="fact", evidence=[item])
    kept = ross.message(item).text
    assert kept == text.replace("\ud800", "?").replace("\x00", "\ufffd")
    assert item in [message for hit in ross.recall(text).hits for message in hit.messages]
    assert ross.recall("Quetzal").hits
    assert not store.owner("phoebe").recall(text).hits or "Quetzal" not in str(store.owner("phoebe").recall(text).hits)
    assert fsck.check(store, world_path.parent / "none").clean
    receipt = erase.settle(store, erase.begin(store, Request((item,))).receipt, {})
    assert receipt.removed["messages"] == receipt.removed["memories"] == 1 and noted.id
    assert b"Quetzal" not in world_path.read_bytes() and b"quetzal" not in world_path.read_bytes()
    assert fsck.check(store, world_path.parent / "none").clean


def test_a_message_of_a_megabyte_is_kept_embedded_recalled_and_erased(store: Store, world_path: Path) -> None:
    long = " ".join(f"word{number}" for number in range(110_000)) + " Quetzal"
    assert len(long) > 1_000_000
    ross = store.owner("ross")
    item = ross.write_turn("carol", long, sender="ross", session="s9")
    folder = world_path.parent / "vectors"
    with ChromaIndex.open(folder, EMBEDDER.name, EMBEDDER.dim) as index:
        Indexer(store, index, EMBEDDER).run()
        found = store.owner("carol", index, EMBEDDER).recall("Quetzal word109999", budget=200)
    assert found.hits[0].id == item and len(found.hits[0].text) < 1_000
    assert fsck.check(store, folder).clean
    erase.settle(store, erase.begin(store, Request((item,))).receipt, {})
    assert world_path.stat().st_size < 500_000


def test_vectors_of_another_embedder_are_refused_and_recall_goes_on_by_words(store: Store, world_path: Path) -> None:
    folder = world_path.parent / "vectors"
    with ChromaIndex.open(folder, EMBEDDER.name, EMBEDDER.dim) as index:
        Indexer(store, index, EMBEDDER).run()
    with pytest.raises(StorageError, match="made by hash-64"):
        ChromaIndex.open(folder, "minilm-l6", 384)
    assert store.owner("ross").recall("baby").mode == "lexical"
    assert store.owner("ross").recall("baby").hits
