"""The store as the truth of a world: filling, finding people, exporting, refusing what is not right."""

import csv
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from kithnet.memory import schema
from kithnet.memory.migrations import MIGRATIONS
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Task, Tie
from kithnet.runtime.errors import RecordError, StorageError, UnknownPerson, UnknownWorld, WorldBusy

TWO = [Person("a", "Anna"), Person("b", "Bert")]


def hello(count: int) -> Iterator[ChatMessage]:
    for seq in range(count):
        yield ChatMessage(seq, "a", "b", f"hello number {seq}", None, f"s{seq // 10}")


def test_what_was_ingested_comes_back_in_order(store: Store) -> None:
    stats = store.stats()
    assert (stats.people, stats.messages, stats.sessions, stats.texts) == (5, 12, 5, 11)
    assert stats.source == {"kind": "test"}
    exported = list(store.messages())
    assert [message.seq for message in exported] == list(range(12))
    assert exported[0].sender == "carol" and exported[0].at == datetime(1994, 9, 22, 9, 0)
    assert [person.id for person in store.people()] == ["monica", "ross", "carol", "chandler", "phoebe"]
    assert store.person("phoebe").aliases == ("Pheebs",)


def test_ties_count_the_messages_in_both_directions(store: Store) -> None:
    counts = {(tie.a, tie.b): tie.messages for tie in store.ties()}
    assert counts["carol", "ross"] == 3
    assert counts["monica", "ross"] == 2


def test_a_text_said_to_several_people_is_stored_once(store: Store) -> None:
    assert store.stats().messages - store.stats().texts == 1


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("ross", "ross"),
        ("ROSS", "ross"),
        ("Ross Geller", "ross"),
        ("pheebs", "phoebe"),
        ("Chan", "chandler"),
        ("willick", "carol"),
        ("  monica   geller ", "monica"),
    ],
)
def test_a_person_is_found_by_id_name_alias_or_unique_beginning(store: Store, name: str, person: str) -> None:
    assert store.resolve(name).id == person


def test_an_unknown_name_lists_the_closest_ones(store: Store) -> None:
    with pytest.raises(UnknownPerson) as caught:
        store.resolve("chandlr")
    assert "chandler" in caught.value.hint


def test_an_ambiguous_name_lists_whom_it_may_mean(store: Store) -> None:
    with pytest.raises(UnknownPerson, match="monica, ross"):
        store.resolve("Geller")


def test_an_empty_name_is_nobody(store: Store) -> None:
    with pytest.raises(UnknownPerson):
        store.resolve("   ")


def test_tasks_keep_their_evidence_and_no_owner_can_read_them(world_path: Path) -> None:
    task = Task("t1", "Which number?", "zanzibar", ("zb",), "a", "b", ("b",), (3,))
    with Store.create(world_path) as store:
        store.ingest(TWO, [Tie("a", "b")], hello(5), [task])
        assert store.tasks()[0].evidence == ("m4",)
        assert store.tasks()[0].aliases == ("zb",)
        for person in ("a", "b"):
            assert not store.owner(person).recall("zanzibar").hits


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"text": "  \n"}, RecordError),
        ({"receiver": "a"}, RecordError),
        ({"seq": 0}, RecordError),
        ({"receiver": "nobody"}, UnknownPerson),
    ],
)
def test_a_row_that_cannot_be_stored_leaves_the_world_empty(
    world_path: Path, broken: dict[str, object], error: type[Exception]
) -> None:
    messages = list(hello(3))
    messages[2] = replace(messages[2], **broken)  # type: ignore[arg-type]
    with Store.create(world_path) as store:
        with pytest.raises(error, match="message"):
            store.ingest(TWO, [], messages)
        assert store.stats().people == 0
        store.ingest(TWO, [], hello(3))  # and can be filled after all


def test_a_world_is_filled_once(store: Store) -> None:
    with pytest.raises(UnknownWorld):
        store.ingest(TWO, [], hello(1))


def test_two_people_with_one_id_are_refused(world_path: Path) -> None:
    with Store.create(world_path) as store, pytest.raises(RecordError, match="'a'"):
        store.ingest([*TWO, Person("a", "Again")], [], [])


def test_creating_over_an_existing_world_is_refused(store: Store, world_path: Path) -> None:
    with pytest.raises(UnknownWorld):
        Store.create(world_path)


def test_opening_a_world_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownWorld):
        Store.open(tmp_path / "kith.db")


def test_a_world_survives_closing_and_opening(world_path: Path) -> None:
    with Store.create(world_path) as store:
        store.ingest(TWO, [], hello(30))
    assert not world_path.with_name("kith.db-wal").exists()
    with Store.open(world_path) as store:
        assert store.owner("a").recall("number 17").hits[0].text == "hello number 17"


def test_a_database_without_tables_is_migrated_from_version_0(world_path: Path) -> None:
    world_path.parent.mkdir()
    world_path.touch()
    with Store.open(world_path) as store:
        assert store.stats().schema == len(MIGRATIONS)
        store.ingest(TWO, [], hello(3))


def test_migrations_make_the_tables_that_the_schema_declares(store: Store, world_path: Path) -> None:
    engine = create_engine(f"sqlite:///{world_path}")
    found = inspect(engine)
    for name, table in schema.metadata.tables.items():
        assert [column["name"] for column in found.get_columns(name)] == [column.name for column in table.columns]
        assert [
            c["name"] for c in found.get_columns(name) if not c["nullable"] and c["name"] not in table.primary_key
        ] == [column.name for column in table.columns if not column.nullable and not column.primary_key]
    engine.dispose()


def test_a_newer_schema_is_refused(world_path: Path) -> None:
    Store.create(world_path).close()
    connection = sqlite3.connect(world_path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StorageError, match="version 999") as caught:
        Store.open(world_path)
    assert "newer" in caught.value.hint


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    with pytest.raises(StorageError, match="not made by Kithnet"):
        Store.open(path)


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "kith.db"
    path.write_bytes(b"this is not a database" * 1000)
    with pytest.raises(StorageError, match="damaged") as caught:
        Store.open(path)
    assert caught.value.hint


def test_a_truncated_database_is_called_damaged(world_path: Path) -> None:
    with Store.create(world_path) as store:
        store.ingest(TWO, [], hello(3000))
    size = world_path.stat().st_size
    with world_path.open("r+b") as file:
        file.truncate(size // 3)
    with pytest.raises(StorageError, match="damaged"), Store.open(world_path) as store:
        list(store.messages())


def test_a_locked_world_is_busy_after_a_bounded_wait(store: Store, world_path: Path) -> None:
    other = sqlite3.connect(world_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(WorldBusy):
        store.note("a", "b")
    assert time.monotonic() - started < 15
    assert store.owner("ross").recall("baby").hits  # readers are not held up
    other.close()
    store.note("a", "b")


INGEST = """
import sys, time
from pathlib import Path
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person
def messages():
    for seq in range(1_000_000):
        yield ChatMessage(seq, "a", "b", f"hello number {seq}", None, f"s{seq // 10}")
def progress(done, total):
    print(done, flush=True)
store = Store.open(Path(sys.argv[1]))
store.ingest([Person("a", "Anna"), Person("b", "Bert")], [], messages(), progress=progress)
"""


def test_kill_minus_9_in_the_middle_of_an_import_leaves_an_empty_world(
    world_path: Path, child: Callable[..., "subprocess.Popen[str]"]
) -> None:
    Store.create(world_path).close()
    process = child(INGEST, world_path)
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline()
    process.kill()
    process.wait()
    with Store.open(world_path) as store:
        assert (store.stats().people, store.stats().messages, store.stats().texts) == (0, 0, 0)
        store.ingest(TWO, [], hello(20))
        assert store.stats().messages == 20


FULL = """
import resource, sys
from pathlib import Path
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person
from kithnet.runtime.errors import StorageError
store = Store.create(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
messages = [ChatMessage(i, "a", "b", f"hello number {i} " * 20, None, "s") for i in range(20_000)]
try:
    store.ingest([Person("a", "Anna"), Person("b", "Bert")], [], messages)
except StorageError as error:
    print(error.message, "|", error.hint)
store.close()
"""


def test_a_full_disk_is_told_and_leaves_the_world_empty(
    world_path: Path, child: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = child(FULL, world_path)
    out, error = process.communicate(timeout=50)
    assert "could not write" in out and "free some disk space" in out, error
    with Store.open(world_path) as store:
        assert store.stats().people == 0


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make the folder"):
        Store.create(tmp_path / "file" / "world" / "kith.db")


CHAT = """
import sys
from pathlib import Path
from kithnet.memory.store import Store
with Store.open(Path(sys.argv[1])) as store:
    memory = store.owner("ross")
    for turn in range(40):
        memory.write_turn("carol", f"turn {turn} of {sys.argv[2]}", sender="ross", session=sys.argv[2])
        memory.recall("turn")
"""


def test_two_processes_write_one_world_at_once_and_lose_nothing(
    store: Store, world_path: Path, child: Callable[..., "subprocess.Popen[str]"]
) -> None:
    writers = [child(CHAT, world_path, name) for name in ("first", "second")]
    for writer in writers:
        _, error = writer.communicate(timeout=50)
        assert writer.returncode == 0, error
    seqs = [message.seq for message in store.messages()]
    assert len(seqs) == len(set(seqs)) == 12 + 80
    for name in ("first", "second"):
        turns = [hit.text for hit in store.owner("ross").session(name)]
        assert turns == [f"turn {turn} of {name}" for turn in range(40)]


def test_an_interrupted_ingest_leaves_no_lock(world_path: Path) -> None:
    def breaking() -> Iterator[ChatMessage]:
        yield from hello(10)
        raise KeyboardInterrupt

    with Store.create(world_path) as store:
        with pytest.raises(KeyboardInterrupt):
            store.ingest(TWO, [], breaking())
        assert store.ingest(TWO, [], hello(3)).messages == 3


@pytest.mark.data
def test_ten_seasons_are_stored_and_recalled(world_path: Path, shared_data: Path) -> None:
    messages: list[ChatMessage] = []
    with (shared_data / "friendstv" / "ten_seasons.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"])
            messages.append(
                ChatMessage(len(messages), row["sender"], row["receiver"], row["message"], at, row["session"])
            )
    people = [Person(name, name.title()) for name in sorted({p for m in messages for p in (m.sender, m.receiver)})]
    ties = sorted({(min(m.sender, m.receiver), max(m.sender, m.receiver)) for m in messages})
    with Store.create(world_path) as store:
        report = store.ingest(people, [Tie(a, b) for a, b in ties], messages)
        assert (report.people, report.ties, report.messages) == (140, 610, 73_723)
        owner = store.owner("rachel green")
        found = owner.recall("Whom did you leave at the altar?")
        assert "altar" in found.hits[0].text and found.searched > 20_000
    shutil.rmtree(world_path.parent)
