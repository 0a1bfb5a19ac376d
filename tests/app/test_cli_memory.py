"""`kith memory`: what it prints and refuses, and an erasure proven by a scan of every byte of the world."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from kithnet.app import erasure, memory_view
from kithnet.app.cli import main
from kithnet.app.locate import world_named
from kithnet.app.runs import all_runs, new_run
from kithnet.app.world_names import ERASING
from kithnet.app.worlds import open_world
from kithnet.bench.memory import planted
from kithnet.memory import erase
from kithnet.memory.closure import Request
from kithnet.memory.store import Store
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, WorldBusy
from kithnet.runtime.trace import TraceWriter

Kith = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def world(home: Path) -> Path:
    return home / "worlds" / "w"


@pytest.fixture
def secret(world: Path) -> planted.Secret:
    """The planted world is the only one of the home."""
    return planted.plant(world, 7)


@pytest.fixture
def kith(home: Path, capsys: pytest.CaptureFixture[str]) -> Kith:
    """Exit status and the one JSON object of a `kith memory` command."""

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = main(["memory", *arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return call


def test_search_gives_hits_with_their_evidence_and_audience(kith: Kith, secret: planted.Secret) -> None:
    status, found = kith("search", "ana", f"Who keeps the {secret.words[0]}?", "--k", "3")
    assert status == 0 and not found["abstained"] and len(found["hits"]) == 3
    hit = found["hits"][0]
    assert {"id", "kind", "text", "score", "messages", "told_by", "audience", "valid_from", "valid_to"} == hit.keys()
    assert any(secret.words[0] in hit["text"] for hit in found["hits"])


def test_search_for_a_partner_leaves_out_what_is_not_for_them(kith: Kith, world: Path, secret: planted.Secret) -> None:
    with Store.open(world / "kith.db") as store:
        ana = store.owner("ana")
        ana.remember(
            about="ben", text="A quincunx is planned.", told_by="ben", kind="plan", evidence=[], audience=["cleo"]
        )
    for partner, seen in (("cleo", True), ("dan", False), (None, True)):
        options = ["--as", partner] if partner else []
        _, found = kith("search", "ana", "quincunx", *options)
        assert any("quincunx" in hit["text"] for hit in found["hits"]) is seen
        _, explained = kith("explain", "ana", "quincunx", *options)
        assert ("A quincunx is planned." in json.dumps(explained)) is seen


def test_search_as_of_a_time_gives_what_held_then(kith: Kith, world: Path, secret: planted.Secret) -> None:
    with Store.open(world / "kith.db") as store:
        ana = store.owner("ana")
        for text, at in (("Dan lives in Oslo.", "2024-01-01"), ("Dan lives in Turin.", "2024-06-01")):
            ana.remember(
                about="dan", text=text, told_by="dan", kind="fact", evidence=[], slot="home", at=memory_view.moment(at)
            )
    texts = [hit["text"] for hit in kith("search", "ana", "Where lives Dan?", "--at", "2024-03-01")[1]["hits"]]
    assert "Dan lives in Oslo." in texts and "Dan lives in Turin." not in texts
    texts = [hit["text"] for hit in kith("search", "ana", "Where lives Dan?")[1]["hits"]]
    assert "Dan lives in Turin." in texts and "Dan lives in Oslo." not in texts


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("search", "nobody", "x"), "UnknownPerson"),
        (("search", "ana", "x", "--as", "nobody"), "UnknownPerson"),
        (("search", "ana", "x", "--at", "soon"), "InputError"),
        (("search", "ana", "x", "--world", "none"), "UnknownWorld"),
        (("search", "ana", "x", "--k", "0"), "InputError"),
        (("show", "ana", "m9999"), "InputError"),
        (("show", "ana", "'; DROP TABLE message; --"), "InputError"),
        (("show", "cleo", "k1"), "InputError"),  # ana's
        (("erase", "m9999", "--yes"), "InputError"),
        (("erase", "--yes"), "InputError"),
        (("erase", "m21"), "InputError"),  # nobody can be asked
        (("erase", "--person", "nobody", "--yes"), "UnknownPerson"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    kith: Kith, world: Path, secret: planted.Secret, arguments: tuple[str, ...], kind: str
) -> None:
    status, printed = kith(*arguments)
    assert (status, printed["error"]["type"]) == (2, kind) and printed["error"]["hint"] is not None
    assert planted.held(world, secret) and not (world / ERASING).exists()


def test_show_lists_memories_and_tells_what_stands_behind_one(kith: Kith, secret: planted.Secret) -> None:
    status, shown = kith("show", "ana")
    assert status == 0 and {item["id"] for item in shown["items"]} >= {"k2", "k6"}
    _, shown = kith("show", "ana", "k1")
    (item,) = shown["items"]
    assert (item["messages"], item["superseded_by"], item["uses"]) == (["m21"], "k5", 1)
    assert item["links"] == [{"a": "k5", "b": "k1", "type": "updates", "evidence": "m21"}]
    assert item["used"][0]["partner"] == "dan"
    _, shown = kith("show", "ana", "m21")
    assert shown["items"][0]["sender"] == "ben" and shown["items"][0]["links"] == []


def test_explain_tells_of_each_candidate_why(kith: Kith, secret: planted.Secret) -> None:
    status, explained = kith("explain", "ana", f"Who keeps the {secret.words[0]}?")
    assert status == 0 and explained["told"] == []
    kept = [one for one in explained["candidates"] if one["kept"]]
    assert kept and all(one["why"] and one["scores"] for one in explained["candidates"])
    assert len(kept) < len(explained["candidates"])


def test_explain_tells_who_knows_what_about_a_person_and_why(kith: Kith, secret: planted.Secret) -> None:
    _, explained = kith("explain", "ben")
    told = explained["told"]
    assert {(one["teller"], one["person"], one["action"], one["item"]) for one in told} == {
        ("ana", "dan", "tell", "m21"), ("ana", "dan", "tell", "k1"),
    }  # fmt: skip
    texts = {one["item"]: one["text"] for one in told}
    assert texts["m21"] == secret.text  # he said it himself
    assert texts["k1"] is None  # ana's own words are hers
    assert all(one["rule"] == "default: ordinary" for one in told)
    assert kith("explain", "dan")[1]["told"] == []


def test_a_dry_run_shows_what_would_go_and_changes_nothing(kith: Kith, world: Path, secret: planted.Secret) -> None:
    before = {path: path.read_bytes() for path in world.rglob("*") if path.is_file() and path.suffix != ".lock"}
    status, shown = kith("erase", "m21", "--dry-run")
    assert status == 0 and shown["dry_run"]
    assert {row["id"] for row in shown["rows"]} == {"m21", "m22", "k1", "k2", "k3", "k4", "k5", "u1", "t1"}
    assert (len(shown["runs"]), shown["states"]) == (1, 1)
    assert before == {path: path.read_bytes() for path in world.rglob("*") if path in before}


@pytest.mark.parametrize("arguments", [["m21"], ["--person", "Ben"]])
def test_an_erased_message_is_in_no_byte_of_the_world(
    kith: Kith, world: Path, secret: planted.Secret, arguments: list[str]
) -> None:
    before = planted.scan(world, secret)
    assert all(before[form] for form in ("text", "words", "vectors"))
    runs = len(all_runs(world))
    status, done = kith("erase", *arguments, "--yes")
    assert status == 0
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0)
    (receipt,) = done["receipts"]
    assert receipt["finished"] and receipt["remains"] == [] and receipt["removed"]["states"] == 1
    assert secret.text not in json.dumps(done, ensure_ascii=False)
    assert len(all_runs(world)) == runs - 1  # the run that did not hold it is there
    assert not (world / "states").exists()
    assert kith("fsck")[0] == 0
    _, found = kith("search", "ana", f"Who keeps the {secret.words[0]}?")
    assert not any(word in hit["text"] for hit in found["hits"] for word in secret.words)


def test_a_memory_is_erased_and_the_message_it_came_from_stays(kith: Kith, world: Path, secret: planted.Secret) -> None:
    assert kith("erase", "k1", "--yes")[0] == 0
    assert planted.held(world, secret)
    assert kith("show", "ana", "k1")[0] == 2


def test_an_erasure_that_was_killed_is_finished_by_the_next_command(
    world: Path, secret: planted.Secret, kith: Kith
) -> None:
    with Store.open(world / "kith.db") as store:
        (world / ERASING).touch()
        erase.begin(store, Request(("m21",)))  # and here it dies
    assert planted.scan(world, secret)["text"] > 0
    status, found = kith("search", "ana", "trains")
    assert status == 0 and found["hits"]
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0)
    assert not (world / ERASING).exists()
    assert kith("erase", "--resume")[1]["receipts"] == []


def test_the_same_command_after_a_kill_finishes_and_does_not_ask_for_what_is_gone(
    world: Path, secret: planted.Secret, kith: Kith
) -> None:
    with Store.open(world / "kith.db") as store:
        (world / ERASING).touch()
        erase.begin(store, Request(("m21",)))
    status, done = kith("erase", "m21", "--yes")
    assert status == 0 and done["receipts"][0]["finished"]
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0)
    assert kith("erase", "m21", "--yes")[0] == 2  # now there is no such message


def test_whoever_opens_the_world_finishes_an_erasure(world: Path, secret: planted.Secret) -> None:
    with Store.open(world / "kith.db") as store:
        (world / ERASING).touch()
        erase.begin(store, Request(("m21",)))
    with open_world(world.parent, "w") as store:
        assert erase.unfinished(store) == []
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0)


def test_resume_finishes_what_was_begun(world: Path, secret: planted.Secret, kith: Kith) -> None:
    with Store.open(world / "kith.db") as store:
        (world / ERASING).touch()
        erase.begin(store, Request(("m21",)))
    status, done = kith("erase", "--resume")
    assert status == 0 and done["receipts"][0]["remains"] == []
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0)


def test_a_mark_without_an_erasure_is_removed(world: Path, secret: planted.Secret) -> None:
    (world / ERASING).touch()  # it died before its transaction was committed
    assert world_named("w").folder == world
    assert not (world / ERASING).exists() and planted.held(world, secret)


@pytest.mark.parametrize("busy", ["run", "vectors", "erasure"])
def test_nothing_is_erased_while_another_process_is_at_work(world: Path, secret: planted.Secret, busy: str) -> None:
    places = {
        "run": all_runs(world)[0].folder / "run.lock",
        "vectors": world / "vectors" / "lock",
        "erasure": world / erasure.LOCK,
    }
    with FileLock(places[busy]), pytest.raises(WorldBusy):
        erasure.run(world, Request(("m21",)))
    assert planted.held(world, secret) and not (world / ERASING).exists()


def test_vectors_that_cannot_be_read_are_dropped_with_what_they_hold(world: Path, secret: planted.Secret) -> None:
    (world / "vectors" / "gen-1" / "chroma.sqlite3").write_bytes(b"not a database" * 500)
    erasure.run(world, Request(("m21",)))
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0) | {"ids of vectors": 0}
    assert not list((world / "vectors").glob("gen-*"))


def test_a_run_that_only_cites_it_is_removed_and_others_stay(world: Path, secret: planted.Secret) -> None:
    cites, other = new_run(world, "ask", Config()), new_run(world, "ask", Config())
    for run, item in ((cites, "m21"), (other, "m2")):
        with TraceWriter(run.trace) as trace:
            trace.emit("recall", dialogue="t1", hits=[[item, 0.5]])
    erasure.run(world, Request(("m21",)))
    assert not cites.folder.exists() and other.folder.exists()


def test_words_that_stay_elsewhere_are_not_looked_for_and_are_told(world: Path, secret: planted.Secret) -> None:
    with Store.open(world / "kith.db") as store:
        item = store.owner("ana").write_turn("dan", f"He said: {secret.text}", sender="ana", session="s99")
    foreseen = erasure.foresee(world, Request(("m21",)))
    assert foreseen.elsewhere == (item,)
    assert erasure.run(world, Request(("m21",))).remains == ()
    with Store.open(world / "kith.db") as store:
        assert store.owner("ana").message(item).text.endswith(secret.text)
    erasure.run(world, Request((item,)))
    assert planted.scan(world, secret)["text"] == 0


def test_fsck_says_what_is_wrong_and_repairs_it(kith: Kith, world: Path, secret: planted.Secret) -> None:
    status, found = kith("fsck")
    assert (status, found["clean"]) == (0, True) and found["seconds"] < 5
    shutil.rmtree(world / "vectors" / "gen-1")
    status, found = kith("fsck")
    assert (status, found["clean"]) == (1, False)
    assert {one["name"] for one in found["checks"] if one["found"]} == {"vectors"}
    status, found = kith("fsck", "--repair")
    assert (status, found["clean"]) == (0, True)
    assert kith("fsck")[0] == 0


@pytest.mark.model
def test_reindex_makes_the_vectors_again_and_recall_goes_on_without_them(
    kith: Kith, home: Path, world: Path, secret: planted.Secret, embedder_path: Path
) -> None:
    (home / "models").symlink_to(embedder_path.parent)
    status, done = kith("reindex")
    assert status == 0 and done["pending"] == 0
    assert [path.name for path in (world / "vectors").glob("gen-*")] == ["gen-2"]
    assert kith("search", "ana", "gardens")[1]["mode"] == "hybrid"
    assert kith("fsck")[1]["clean"]
    with FileLock(world / "vectors" / "lock"), open_world(home / "worlds", "w") as store:
        assert store.stats().pending == 0
        assert kith("search", "ana", "gardens")[1]["mode"] == "lexical"
        status, failed = kith("reindex")
        assert (status, failed["error"]["type"]) == (1, "WorldBusy")


@pytest.mark.model
@pytest.mark.timeout(120)
def test_a_chat_that_the_model_has_read_is_erased_with_its_saved_state(
    kith: Kith, home: Path, world: Path, chat_model_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planted.plant(world, 3)
    (home / "models").symlink_to(chat_model_path.parent)
    said = "My bicycle is called Xanthippe Quillfeather."
    typed = tmp_path / "typed.txt"
    typed.write_text(f"{said}\nHow are you today\n/quit\n", encoding="utf-8")
    with typed.open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["chat", "ana", "--world", "w"]) == 0
    assert list((world / "states").glob("*.kv"))
    with Store.open(world / "kith.db") as store:
        item = next(one.answers for one in store.owner("ana").utterances() if one.answers)
    assert kith("erase", item, "--yes")[0] == 0
    assert not (world / "states").exists()
    for path in world.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(word in data for word in (b"Xanthippe", b"Quillfeather", "Xanthippe".encode("utf-16-le"))), (
                path
            )


def test_a_time_is_read_in_two_lengths_and_nothing_else() -> None:
    assert memory_view.moment("2024-05-31") is not None and memory_view.moment("2024-05-31T18:20") is not None
    assert memory_view.moment(None) is None
    with pytest.raises(InputError):
        memory_view.moment("yesterday")


def test_a_reader_in_another_process_holds_up_the_end_of_an_erasure_and_not_more(
    world: Path, secret: planted.Secret
) -> None:
    with closing(sqlite3.connect(world / "kith.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM message").fetchone()
        with pytest.raises(WorldBusy):
            erasure.run(world, Request(("m21",)))
        assert (world / ERASING).exists() and not planted.held(world, secret)
    assert erasure.resume(world)[0].remains == ()
    assert planted.scan(world, secret) == dict.fromkeys(planted.FORMS, 0)
