"""`kith world`: what it prints, what it refuses, and that a world is there whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from kithnet.agents.personal import OUTSIDE
from kithnet.app.cli import main
from kithnet.app.worlds import create_world, describe, open_world, world_folder, worlds
from kithnet.memory.utterances import CHAT
from kithnet.network.generate import GenerateSpec, generate
from kithnet.runtime.errors import UnknownWorld, WorldBusy

SMALL = ["--people", "8", "--ties", "12", "--messages", "400", "--seed", "3"]
CONTRACT = {"people", "ties", "messages", "sessions", "dropped", "components", "diameter", "seconds"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def kith(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON object of a command."""
    capsys.readouterr()
    status = main(["world", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_generate_list_and_show_speak_the_contract(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, made = kith(capsys, "generate", "--name", "tiny", *SMALL)
    assert status == 0
    assert made.keys() >= CONTRACT
    assert (made["people"], made["ties"], made["messages"], made["components"]) == (8, 12, 400, 1)
    assert kith(capsys, "list")[1]["worlds"] == ["tiny"]
    status, shown = kith(capsys, "show", "tiny", "--draw", str(home / "tiny.svg"))
    assert status == 0
    assert {key: shown[key] for key in CONTRACT - {"seconds"}} == {key: made[key] for key in CONTRACT - {"seconds"}}
    assert (home / "tiny.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.data
def test_importing_season_one_reports_140_people_582_ties_and_what_was_dropped(
    home: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, made = kith(capsys, "import", "friendstv", str(shared_data / "friendstv" / "s01.csv"), "--name", "friends")
    assert status == 0
    assert (made["people"], made["ties"], made["messages"]) == (140, 582, 6_177)
    assert (made["dropped"], made["diameter"], made["components"]) == ({"self-tie": 66}, 6, 1)
    with open_world(home / "worlds", "friends") as store:
        assert store.stats().sessions == made["sessions"]


def test_an_exported_world_is_imported_again_unchanged(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kith(capsys, "generate", "--name", "first", *SMALL)
    status, files = kith(capsys, "export", "first", str(home / "files"))
    assert status == 0
    assert [Path(file).name for file in files["files"]] == ["people.jsonl", "ties.jsonl", "messages.jsonl"]
    assert kith(capsys, "import", "generic", str(home / "files"), "--name", "second")[0] == 0
    with open_world(home / "worlds", "first") as first, open_world(home / "worlds", "second") as second:
        assert first.people() == second.people()
        assert sorted(map(repr, first.ties())) == sorted(map(repr, second.ties()))
        assert list(first.messages()) == list(second.messages())


def test_a_world_in_which_people_chatted_with_agents_is_exported_as_import_takes_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = kith(capsys, "generate", "--name", "first", *SMALL)[1]
    with open_world(home / "worlds", "first") as store:
        person, partner = (one.id for one in store.people()[:2])
        agent = store.owner(person)
        for other in (OUTSIDE, partner):
            heard = agent.write_turn(other, f"A word by {other}.", sender=other, session=f"{CHAT}{other}")
            agent.write_utterance(other, "A word by an agent.", session=f"{CHAT}{other}", answers=heard)
        agent.write_turn(partner, "And on it goes.", sender=person, session="s9")
    shown = kith(capsys, "show", "first")[1]
    assert shown["messages"] == made["messages"] + 2 and shown["people"] == made["people"]
    kith(capsys, "export", "first", str(home / "files"))
    assert kith(capsys, "import", "generic", str(home / "files"), "--name", "second")[0] == 0
    kith(capsys, "export", "second", str(home / "again"))
    for name in ("people", "ties", "messages"):
        assert (home / "files" / f"{name}.jsonl").read_text("utf-8") == (home / "again" / f"{name}.jsonl").read_text(
            "utf-8"
        )
    exported = (home / "files" / "messages.jsonl").read_text("utf-8")
    assert f"A word by {partner}." in exported and "by an agent" not in exported and OUTSIDE not in exported


def test_a_taken_name_is_refused_unless_it_is_to_be_replaced(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kith(capsys, "generate", "--name", "tiny", *SMALL)
    status, refused = kith(capsys, "generate", "--name", "tiny", *SMALL)
    assert status == 2
    assert refused["error"]["type"] == "UnknownWorld"
    assert "--replace" in refused["error"]["hint"]
    status, made = kith(capsys, "generate", "--name", "tiny", "--replace", *SMALL[:-3], "350", "--seed", "4")
    assert (status, made["messages"]) == (0, 350)
    assert sorted(path.name for path in (home / "worlds").iterdir()) == [".tiny.lock", "tiny"]


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("generate", "--name", "x", "--people", "10", "--ties", "5"), "ConfigError", "ties = 5 is too few"),
        (("generate", "--name", "x", "--phrases", "fancy"), "ConfigError", "'fancy'"),
        (("generate", "--name", "../x"), "UnknownWorld", "cannot name a world"),
        (("show", "nowhere"), "UnknownWorld", "no world 'nowhere'"),
        (("import", "friendstv", "nowhere.csv", "--name", "x"), "InputError", "there is no file"),
        (("import", "excel", "x.xls", "--name", "x"), "InputError", "there is no format 'excel'"),
        (("import", "friendstv", "a", "b", "--name", "x"), "InputError", "one file"),
        (("export", "nowhere", "files"), "UnknownWorld", "no world 'nowhere'"),
    ],
)
def test_bad_input_is_status_2_with_an_error_of_its_own(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], kind: str, said: str
) -> None:
    status, answer = kith(capsys, *arguments)
    assert status == 2
    assert answer["error"]["type"] == kind
    assert said in answer["error"]["message"]
    assert answer["error"]["hint"]
    assert not list((home / "worlds").glob("*/kith.db"))


def test_a_csv_that_lacks_a_column_leaves_no_world(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("sender,message,timestamp\na,hi,2024-01-01\n", encoding="utf-8")
    status, answer = kith(capsys, "import", "friendstv", str(path), "--name", "bad")
    assert (status, answer["error"]["type"]) == (2, "RecordError")
    assert "receiver" in answer["error"]["message"]
    assert kith(capsys, "list")[1]["worlds"] == []


IMPORT = [sys.executable, "-c", "import sys; from kithnet.app.cli import main; sys.exit(main())", "world"]


@pytest.mark.parametrize("pause", [0.0, 0.15, 0.6])
def test_kill_minus_9_in_the_middle_leaves_no_half_world_and_the_same_command_succeeds(
    home: Path, capsys: pytest.CaptureFixture[str], pause: float
) -> None:
    command = ["generate", "--name", "big", "--messages", "40000"]
    child = subprocess.Popen(
        [*IMPORT, *command], env={**os.environ, "KITHNET_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 40
    while (
        not list((home / "worlds").glob(".new-big.*/kith.db")) and time.monotonic() < deadline and child.poll() is None
    ):
        time.sleep(0.01)
    time.sleep(pause)
    assert child.poll() is None, "it ended before it could be killed"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert worlds(home / "worlds") == []
    status, made = kith(capsys, *command)
    assert (status, made["messages"]) == (0, 40_000)
    assert sorted(path.name for path in (home / "worlds").iterdir()) == [".big.lock", "big"]


def test_a_world_killed_while_it_replaced_another_leaves_the_older_one(tmp_path: Path) -> None:
    world = generate(GenerateSpec(4, 5, 60))
    create_world(tmp_path, "home", world)
    (tmp_path / "home").rename(tmp_path / ".old-home.0123abcd")  # as after a kill between the two renames
    with pytest.raises(UnknownWorld, match="exists"):
        create_world(tmp_path, "home", world)
    assert describe(tmp_path, "home").messages == 60


def test_two_processes_cannot_make_the_same_world(tmp_path: Path) -> None:
    world = generate(GenerateSpec(4, 5, 60))
    with FileLock(tmp_path / ".home.lock"), pytest.raises(WorldBusy, match="another process"):
        create_world(tmp_path, "home", world)
    assert create_world(tmp_path, "home", world).messages == 60


def test_a_full_or_unwritable_place_is_told_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "worlds").write_text("a file where the folder should be", encoding="utf-8")
    environ = {**os.environ, "KITHNET_HOME": str(tmp_path)}
    ran = subprocess.run(
        [*IMPORT, "generate", "--name", "x", *SMALL, "--json"], env=environ, capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["error"]["type"] == "StorageError"


@pytest.mark.parametrize("name", ["", "Big", "a b", "..", "a/b", "é", "x" * 65])
def test_names_that_could_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownWorld, match="cannot name a world"):
        world_folder(tmp_path, name)


def test_every_command_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("import", "generate", "list", "show", "export", "index"):
        assert main(["world", command, "--help"]) == 0
        assert f"kith world {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.model
def test_index_embeds_every_text_once_and_finds_nothing_to_do_the_second_time(
    tmp_path: Path, embedder_path: Path
) -> None:
    from kithnet.app.worlds import index_world

    create_world(tmp_path, "tiny", generate(GenerateSpec(4, 5, 60)))
    first = index_world(tmp_path, "tiny", embedder_path.parent, "minilm-l6")
    assert (first.done > 0, first.pending) == (True, 0)
    assert index_world(tmp_path, "tiny", embedder_path.parent, "minilm-l6").done == 0
