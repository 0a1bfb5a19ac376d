"""Worlds in PostgreSQL and vectors in a Chroma server, as a person meets them: made, replaced, out of reach."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import pytest

from kithnet.app.cli import main
from kithnet.app.locate import world_named
from kithnet.app.worlds import create_world, open_world
from kithnet.memory.chroma_server import stated
from kithnet.memory.database import Database, remove
from kithnet.memory.postgres import URL_FILE, PostgresPlace, address, address_beside, own_schema
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, World
from kithnet.runtime.errors import InputError, StorageError, UnknownWorld

SMALL = ["--people", "8", "--ties", "12", "--messages", "400", "--tasks", "0", "--seed", "3"]
PASSWORD = "s3cr3t-geheim"


class Server(Protocol):
    @property
    def url(self) -> str: ...


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own that has the models of the machine."""
    from kithnet.app.home import models_folder

    models = models_folder(os.environ)
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(models)
    monkeypatch.setenv("KITHNET_HOME", str(home))
    return home


def kith(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def schemas(server: Server, beginning: str) -> list[str]:
    import psycopg

    with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [beginning])
        return [row[0] for row in found]


# --- PostgreSQL ---


def test_a_world_is_made_in_postgresql_shown_replaced_and_brought_home(
    postgres: Server, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, made = kith(capsys, "world", "generate", "--name", "town", *SMALL, "--database", postgres.url)
    assert status == 0 and made["messages"] == 400
    folder = home / "worlds" / "town"
    assert [path.name for path in folder.iterdir()] == [URL_FILE]
    assert (folder / URL_FILE).stat().st_mode & 0o077 == 0
    first = schemas(postgres, "town_")
    assert len(first) == 1
    assert kith(capsys, "world", "list")[1]["worlds"] == ["town"]
    assert kith(capsys, "world", "show", "town")[1]["people"] == 8
    assert world_named(None).name == "town"
    assert kith(capsys, "world", "generate", "--name", "town", *SMALL, "--database", postgres.url)[0] == 2
    assert kith(capsys, "world", "generate", "--name", "town", *SMALL, "--database", postgres.url, "--replace")[0] == 0
    second = schemas(postgres, "town_")
    assert len(second) == 1 and second != first
    assert kith(capsys, "world", "export", "town", str(home / "out"))[0] == 0
    with open_world(home / "worlds", "town") as store:
        texts = [message.text for message in store.messages()]
    status, _ = kith(capsys, "world", "import", "generic", str(home / "out"), "--name", "town", "--replace")
    assert status == 0
    assert schemas(postgres, "town_") == []
    assert (folder / "kith.db").is_file() and not (folder / URL_FILE).exists()
    with open_world(home / "worlds", "town") as store:
        assert [message.text for message in store.messages()] == texts


def test_another_machine_opens_the_same_world_with_a_copy_of_the_file(postgres: Server, tmp_path: Path) -> None:
    here, there = tmp_path / "here" / "kith.db", tmp_path / "there" / "kith.db"
    with Store.create(here, {"kind": "test"}, own_schema(postgres.url, "shared", "ab12cd34")) as store:
        store.ingest([Person("a", "A"), Person("b", "B")], [], [ChatMessage(0, "a", "b", "Hello.", None, "s")])
        there.parent.mkdir()
        there.with_name(URL_FILE).write_text((here.with_name(URL_FILE)).read_text())
        with Store.open(there) as same:
            same.owner("a").write_turn("b", "From there.", sender="a", session="s")
        assert [hit.text for hit in store.owner("b").session("s")] == ["Hello.", "From there."]
    remove(here)
    with pytest.raises(UnknownWorld, match="no world in PostgreSQL"):
        Store.open(there)
    remove(there)  # once more removes nothing


MAKE = """
import os, sys
from pathlib import Path
from kithnet.app.worlds import create_world
from kithnet.network.records import ChatMessage, Person, World
people = (Person("a", "A"), Person("b", "B"))
messages = tuple(ChatMessage(n, "a", "b", f"line {n}", None, "s") for n in range(200_000))
world = World(people=people, ties=(), messages=messages, tasks=(), dropped={}, source={"kind": "test"})
create_world(Path(sys.argv[1]), "w", world, lambda done, total: print(done, flush=True), database=sys.argv[2])
"""


def test_kill_minus_9_while_a_world_is_made_leaves_none_and_the_next_attempt_tidies_up(
    postgres: Server, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKE, str(tmp_path), postgres.url], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "w").exists() and len(schemas(postgres, "w_")) == 1
    people = (Person("a", "A"), Person("b", "B"))
    messages = (ChatMessage(0, "a", "b", "Hello.", None, "s"),)
    world = World(people=people, ties=(), messages=messages, tasks=(), dropped={}, source={"kind": "test"})
    for _ in range(50):  # the server may still be ending the killed transaction
        create_world(tmp_path, "w", world, replace=True, database=postgres.url)
        if len(schemas(postgres, "w_")) == 1:
            break
        time.sleep(0.1)
    assert len(schemas(postgres, "w_")) == 1
    assert not list(tmp_path.glob(".new-*")) and not list(tmp_path.glob(".old-*"))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://kith:{PASSWORD}@127.0.0.1:1/postgres",
        f"postgresql://kith:{PASSWORD}@127.0.0.1:1/postgres?nonsense={PASSWORD}",
        f"postgresql://kith@127.0.0.1:1/postgres?password={PASSWORD}",
        f"postgresql://nobody:{PASSWORD}@/postgres?host=SOCKET",
        f"postgresql://kith:{PASSWORD}@/nodatabase?host=SOCKET",
        f"mysql://kith:{PASSWORD}@localhost/x",
        f"postgresql://kith:{PASSWORD}@localhost:port/x",
        f"{PASSWORD} is no URL",
        f"postgresql://kith:{PASSWORD}@/postgres?host=SOCKET&schema=mine",
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_the_password(
    postgres: Server, home: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    url = url.replace("SOCKET", postgres.url.partition("host=")[2])
    capsys.readouterr()
    assert main(["world", "generate", "--name", "x", *SMALL, "--database", url]) in (1, 2)
    out = capsys.readouterr()
    assert "error: " in out.err and "  -> " in out.err and "Traceback" not in out.err
    assert PASSWORD not in out.out + out.err
    assert [path.name for path in (home / "worlds").iterdir() if not path.name.endswith(".lock")] == []


def test_a_machine_without_psycopg_is_told_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from kithnet.memory.postgres import PostgresPlace, address\n"
        "from kithnet.runtime.errors import SetupError\n"
        "try: PostgresPlace(address('postgresql://h/p', 'w'))\n"
        "except SetupError as error: print(error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "pip install 'kithnet[postgres]'\n", done.stderr


def test_a_server_that_goes_away_is_told_and_found_again(postgres: Server, tmp_path: Path) -> None:
    path = tmp_path / "w" / "kith.db"
    with Store.create(path, {"kind": "test"}, own_schema(postgres.url, "w", "00aa11bb")) as store:
        store.ingest([Person("a", "A"), Person("b", "B")], [], [ChatMessage(0, "a", "b", "Hello.", None, "s")])
        import psycopg

        with (
            pytest.raises(StorageError, match="connection") as caught,
            store.database.write() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM message")
            with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = 'postgres'"
                )
            connection.exec_driver_sql("SELECT 1")
        assert caught.value.hint
        assert store.stats().messages == 1  # connections that were ended are made again
        store.note("a", "b")


def test_nul_characters_in_ids_and_names_are_replaced(postgres: Server, tmp_path: Path) -> None:
    with Store.create(tmp_path / "w" / "kith.db", {"a": "\0"}, own_schema(postgres.url, "w", "11aa11bb")) as store:
        store.ingest([Person("a", "A\0B"), Person("b", "B")], [], [ChatMessage(0, "a", "b", "Hi", None, "s\0")])
        assert store.person("a").name == "A\ufffdB"
        assert [hit.id for hit in store.owner("a").session("s\0")] == ["m1"]
        store.owner("a").disclose(["m1"], partner="c\0", task="\0", rule="r")
        assert store.owner("a").disclosures()[0].partner == "c\ufffd"


def test_a_url_names_a_database_and_a_schema() -> None:
    found = address("postgres://kith@db.example:5433/people?sslmode=require&schema=mine", "w")
    assert (found.schema, str(found)) == ("mine", "PostgreSQL db.example:5433/people, schema mine")
    assert address(found.full, "w") == found
    assert found.full == "postgresql+psycopg://kith@db.example:5433/people?schema=mine&sslmode=require"
    assert address("postgresql://localhost/people", "w").schema == "w"
    assert len(own_schema("postgresql://localhost/p", "x" * 64, "12345678").schema) == 63
    for url in ("", "sqlite:///x.db", f"postgresql://h/p?schema={'x' * 64}"):
        with pytest.raises(InputError):
            address(url, "w")


def test_a_schema_of_any_name_is_quoted(postgres: Server, tmp_path: Path) -> None:
    path = tmp_path / "w" / "kith.db"
    strange = address(f"{postgres.url}&schema=a-B%22%3B drop", "w")
    with Store.create(path, {"kind": "test"}, strange) as store:
        store.ingest([Person("a", "A"), Person("b", "B")], [], [ChatMessage(0, "a", "b", "Hi", None, "s")])
    assert address_beside(path) == strange
    with Store.open(path) as store:
        assert store.owner("a").recall("hi").hits
    again = tmp_path / "again" / "kith.db"
    with pytest.raises(UnknownWorld, match="already"):
        Store.create(again, {"kind": "test"}, strange)
    remove(path)


def test_scrubbing_writes_the_tables_anew(postgres: Server, tmp_path: Path) -> None:
    where = own_schema(postgres.url, "w", "22aa11bb")
    with Store.create(tmp_path / "w" / "kith.db", {"kind": "test"}, where) as store:
        store.ingest([Person("a", "A"), Person("b", "B")], [], [ChatMessage(0, "a", "b", "Hi", None, "s")])
        store.database.scrub()
        assert store.owner("a").recall("hi").hits
    database = Database(tmp_path / "w" / "kith.db", place=PostgresPlace(where))
    database.close()


# --- Chroma ---


@pytest.mark.model
def test_vectors_go_to_a_chroma_server_and_every_command_finds_them_there(
    chroma_url: str, home: Path, capsys: pytest.CaptureFixture[str], embedder_path: Path
) -> None:
    assert kith(capsys, "world", "generate", "--name", "town", *SMALL)[0] == 0
    assert kith(capsys, "world", "index", "town")[0] == 0
    vectors = home / "worlds" / "town" / "vectors"
    assert (vectors / "current").is_file()
    status, report = kith(capsys, "world", "index", "town", "--chroma", chroma_url)
    assert status == 0 and report["pending"] == 0
    assert not (vectors / "current").exists() and not list(vectors.glob("gen-*"))
    about = stated(vectors)
    assert about is not None and about.url == chroma_url
    assert kith(capsys, "world", "index", "town")[1]["done"] == 0
    assert stated(vectors) == about
    assert kith(capsys, "world", "index", "town", "--chroma", "http://127.0.0.1:1")[0] == 1
    assert stated(vectors) == about
    assert kith(capsys, "world", "index", "town", "--fresh")[0] == 0
    renewed = stated(vectors)
    assert renewed is not None and renewed.collection != about.collection
    assert kith(capsys, "world", "index", "town", "--chroma", "nonsense")[0] == 2
