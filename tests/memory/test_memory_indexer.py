"""Vectors on disk: made once for each text, whatever dies in between, and never trusted over SQL."""

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, HashEmbedder, Vectors
from kithnet.network.records import ChatMessage, Person
from kithnet.runtime.errors import InputError, StorageError, WorldBusy

EMBEDDER = HashEmbedder()


class Counting(HashEmbedder):
    """Remembers what it was asked to embed; fails at the n-th text when told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.fail_at = fail_at

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.fail_at is not None and len(self.seen) + len(texts) > self.fail_at:
            raise RuntimeError("the engine died")
        self.seen.extend(texts)
        return super().embed(texts)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ChromaIndex]:
    with ChromaIndex.open(tmp_path / "vectors", EMBEDDER.name, EMBEDDER.dim) as opened:
        yield opened


def test_every_distinct_text_is_embedded_exactly_once(store: Store, index: ChromaIndex) -> None:
    embedder = Counting()
    indexer = Indexer(store, index, embedder)
    assert indexer.pending() == 11
    seen: list[tuple[int, int | None]] = []
    report = indexer.run(progress=lambda done, total: seen.append((done, total)), batch=4)
    assert (report.done, report.pending) == (11, 0)
    assert len(embedder.seen) == len(set(embedder.seen)) == 11
    assert seen == [(4, 11), (8, 11), (11, 11)]
    assert index.count == 11
    assert indexer.run().done == 0
    assert len(embedder.seen) == 11
    assert store.stats().embedder == embedder.name


def test_a_new_turn_is_the_only_thing_embedded_next_time(store: Store, index: ChromaIndex) -> None:
    Indexer(store, index, EMBEDDER).run()
    store.owner("ross").write_turn("carol", "A quite new sentence.", sender="ross", session="s9")
    store.owner("ross").write_turn("carol", "Pregnant? With a baby?", sender="ross", session="s9")
    embedder = Counting()
    assert Indexer(store, index, embedder).run().done == 1
    assert embedder.seen == ["A quite new sentence."]


def test_a_forgotten_text_loses_its_vector(store: Store, index: ChromaIndex) -> None:
    ross = store.owner("ross")
    kept = ross.remember(about="carol", text="Carol likes figs.", told_by="carol", kind="fact", evidence=["m1"])
    Indexer(store, index, EMBEDDER).run()
    assert index.count == 12
    ross.forget(kept.id)
    assert Indexer(store, index, EMBEDDER).run().done == 1
    assert index.count == 11


def test_a_time_limit_leaves_the_rest_for_the_next_run(store: Store, index: ChromaIndex) -> None:
    report = Indexer(store, index, EMBEDDER).run(seconds=0.0)
    assert (report.done, report.pending) == (0, 11)
    assert Indexer(store, index, EMBEDDER).run().done == 11


def test_a_failing_embedder_keeps_what_was_done(store: Store, index: ChromaIndex) -> None:
    with pytest.raises(RuntimeError, match="engine died"):
        Indexer(store, index, Counting(fail_at=7)).run(batch=3)
    rest = Counting()
    assert Indexer(store, index, rest).run(batch=3).done == 5
    assert index.count == 11


def test_recall_turns_hybrid_when_there_are_vectors_and_is_lexical_before(store: Store, index: ChromaIndex) -> None:
    ross = store.owner("ross", index, EMBEDDER)
    assert ross.recall("due in April").mode == "lexical"
    Indexer(store, index, EMBEDDER).run()
    found = ross.recall("due in April")
    assert found.mode == "hybrid"
    assert found.hits[0].cosine is not None and found.hits[0].text == "Yes. The baby is due in April."


def test_vectors_lost_from_the_index_are_made_again(store: Store, index: ChromaIndex) -> None:
    Indexer(store, index, EMBEDDER).run()
    index.delete([3, 4])
    index.upsert([9_999], EMBEDDER.embed(["a ghost"]))
    embedder = Counting()
    Indexer(store, index, embedder).run()
    assert len(embedder.seen) == 2
    assert index.ids() == set(range(1, 12))


def test_a_ghost_in_the_index_is_never_a_hit(store: Store) -> None:
    index = ArrayIndex(EMBEDDER.name, EMBEDDER.dim)
    Indexer(store, index, EMBEDDER).run()
    index.upsert([9_999], EMBEDDER.embed(["hockey tickets"]))
    hits = store.owner("chandler", index, EMBEDDER).recall("hockey tickets").hits
    assert hits[0].text.startswith("I bought two tickets")


def test_another_embedder_is_refused_with_a_way_out(tmp_path: Path) -> None:
    ChromaIndex.open(tmp_path / "v", "minilm", 64).close()
    with pytest.raises(StorageError, match="made by minilm") as caught:
        ChromaIndex.open(tmp_path / "v", EMBEDDER.name, 64)
    assert "--fresh" in caught.value.hint
    with ChromaIndex.rebuild(tmp_path / "v", EMBEDDER.name, 64) as index:
        assert index.count == 0
    assert [path.name for path in (tmp_path / "v").glob("gen-*")] == ["gen-2"]


def test_a_store_and_an_index_of_different_embedders_do_not_meet(store: Store, index: ChromaIndex) -> None:
    with pytest.raises(InputError):
        Indexer(store, index, HashEmbedder(32))
    with pytest.raises(InputError):
        store.owner("ross", index, HashEmbedder(32))


@pytest.mark.parametrize("damage", ["database", "about", "pointer", "gone"])
def test_a_damaged_folder_is_told_and_can_be_rebuilt(store: Store, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "v"
    with ChromaIndex.open(folder, EMBEDDER.name, EMBEDDER.dim) as index:
        Indexer(store, index, EMBEDDER).run()
    if damage == "database":
        (folder / "gen-1" / "chroma.sqlite3").write_bytes(b"not a database at all" * 500)
    elif damage == "about":
        (folder / "gen-1" / "about.json").write_text("{")
    elif damage == "pointer":
        (folder / "current").write_bytes(b"\xff\xfe")
    else:
        (folder / "current").write_text("gen-7")
    with pytest.raises(StorageError) as caught:
        ChromaIndex.open(folder, EMBEDDER.name, EMBEDDER.dim)
    assert "--fresh" in caught.value.hint
    with ChromaIndex.rebuild(folder, EMBEDDER.name, EMBEDDER.dim) as index:
        assert Indexer(store, index, EMBEDDER).run().done == 11
        assert index.count == 11


def test_a_folder_is_not_opened_twice_in_one_process(index: ChromaIndex, tmp_path: Path) -> None:
    with pytest.raises(WorldBusy):
        ChromaIndex.open(tmp_path / "vectors", EMBEDDER.name, EMBEDDER.dim)
    with pytest.raises(WorldBusy):
        ChromaIndex.rebuild(tmp_path / "vectors", EMBEDDER.name, EMBEDDER.dim)
    index.close()
    index.close()
    ChromaIndex.open(tmp_path / "vectors", EMBEDDER.name, EMBEDDER.dim).close()


def test_vectors_survive_closing_and_opening(tmp_path: Path) -> None:
    vectors = np.eye(50, EMBEDDER.dim, dtype=np.float32)
    with ChromaIndex.open(tmp_path / "v", EMBEDDER.name, EMBEDDER.dim) as index:
        index.upsert(range(50), vectors)
    with ChromaIndex.open(tmp_path / "v", EMBEDDER.name, EMBEDDER.dim) as index:
        assert index.count == 50
        assert index.query(vectors[7], 1)[0][0] == 7


def test_the_vector_folder_holds_no_word_of_any_message(store: Store, index: ChromaIndex, tmp_path: Path) -> None:
    Indexer(store, index, EMBEDDER).run()
    index.close()
    for path in (tmp_path / "vectors").rglob("*"):
        if path.is_file():
            assert b"xylophone" not in path.read_bytes(), path


INDEX = """
import sys, time
from pathlib import Path
from kithnet.memory.chroma import ChromaIndex
from kithnet.memory.indexer import Indexer
from kithnet.memory.store import Store
from kithnet.memory.vectors import HashEmbedder
class Slow(HashEmbedder):
    def embed(self, texts):
        with open(sys.argv[3], "a") as log:
            log.writelines(text + "\\n" for text in texts)
        time.sleep(float(sys.argv[4]))
        return super().embed(texts)
embedder = Slow()
with Store.open(Path(sys.argv[1])) as store, ChromaIndex.open(Path(sys.argv[2]), embedder.name, embedder.dim) as index:
    Indexer(store, index, embedder).run(progress=lambda done, total: print(done, flush=True), batch=20)
"""


@pytest.fixture
def big(world_path: Path) -> Iterator[Store]:
    messages = [ChatMessage(i, "a", "b", f"line {i} of the chat", None, f"s{i // 10}") for i in range(300)]
    with Store.create(world_path) as store:
        store.ingest([Person("a", "Anna"), Person("b", "Bert")], [], messages)
        yield store


def test_kill_minus_9_while_indexing_repeats_at_most_one_batch_and_loses_nothing(
    big: Store, world_path: Path, tmp_path: Path, child: Callable[..., "subprocess.Popen[str]"]
) -> None:
    log = tmp_path / "embedded.log"
    for batches in (1, 3, 2):
        process = child(INDEX, world_path, tmp_path / "v", log, 0.05)
        assert process.stdout is not None
        for _ in range(batches):
            assert process.stdout.readline()
        process.kill()
        process.wait()
    with ChromaIndex.open(tmp_path / "v", EMBEDDER.name, EMBEDDER.dim) as index:
        last = Counting()
        assert Indexer(big, index, last).run(batch=20).pending == 0
        assert index.count == 300
    embedded = log.read_text().splitlines() + last.seen
    assert len(set(embedded)) == 300
    assert len(embedded) <= 300 + 3 * 20


def test_one_indexer_at_a_time_and_others_recall_by_words_meanwhile(
    big: Store, world_path: Path, tmp_path: Path, child: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = child(INDEX, world_path, tmp_path / "v", tmp_path / "log", 0.3)
    assert process.stdout is not None
    assert process.stdout.readline()
    with pytest.raises(WorldBusy) as caught:
        ChromaIndex.open(tmp_path / "v", EMBEDDER.name, EMBEDDER.dim)
    assert "words" in caught.value.hint
    with pytest.raises(WorldBusy):
        Indexer(big, ArrayIndex(EMBEDDER.name, EMBEDDER.dim), EMBEDDER).run()
    found = big.owner("a").recall("line 7 of the chat")
    assert found.mode == "lexical" and found.hits[0].text == "line 7 of the chat"
    _, error = process.communicate(timeout=50)
    assert process.returncode == 0, error
    with ChromaIndex.open(tmp_path / "v", EMBEDDER.name, EMBEDDER.dim) as index:
        assert index.count == 300


def test_a_query_of_one_thread_survives_the_deletions_of_another(index: ChromaIndex) -> None:
    vectors = EMBEDDER.embed([f"text {i}" for i in range(400)])
    index.upsert(range(400), vectors)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            while index.count > 20:
                assert len(index.query(vectors[0], 10, set(range(400)))) == 10
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for item in range(20, 400, 20):
        index.delete(range(item, item + 20))
    thread.join()
    assert failures == []


def test_many_threads_recall_while_vectors_are_being_made(big: Store, index: ChromaIndex) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def ask(number: int) -> None:
        try:
            owner = big.owner("ab"[number % 2], index, EMBEDDER)
            while not stop.is_set():
                assert owner.recall(f"line {number} of the chat").hits
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    Indexer(big, index, EMBEDDER).run(batch=25)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
