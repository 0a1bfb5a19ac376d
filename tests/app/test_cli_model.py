"""`kith model`: what a person types, what comes back, and with which exit status."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from kithnet.app.cli import main


class Hub(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        found = self.path.endswith(("/tiny.gguf", "/Qwen3-0.6B-GGUF/resolve/main/Qwen3-0.6B-Q4_K_M.gguf"))
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(self.body) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_context_length(64)
    writer.add_block_count(2)
    writer.add_embedding_length(32)
    writer.add_head_count(4)
    writer.add_tensor("token_embd.weight", np.zeros((8, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def home(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, and a hub that holds one model."""
    handler = type("Bound", (Hub,), {"body": tiny.read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield tmp_path / "home"
    server.shutdown()
    thread.join()
    server.server_close()


def kith(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the one JSON object on stdout."""
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_an_empty_home_lists_the_defaults_as_missing_and_stays_empty(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, listed = kith(capsys, "model", "list")
    assert status == 0
    assert [(row["name"], row["state"]) for row in listed["models"]] == [
        ("smollm2-135m", "missing"),
        ("minilm-l6", "missing"),
        ("kith-reader", "missing"),
    ]
    assert not home.exists()


def test_a_model_of_a_hub_is_fetched_listed_and_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "hf:owner/repo/tiny.gguf"
    status, fetched = kith(capsys, "model", "fetch", name)
    path = home / "models/hf/owner/repo/tiny.gguf"
    assert (status, fetched["models"]) == (0, [{"name": name, "path": str(path), "bytes": path.stat().st_size}])
    _, listed = kith(capsys, "model", "list")
    assert (name, "present") in [(row["name"], row["state"]) for row in listed["models"]]
    status, shown = kith(capsys, "model", "show", name)
    assert status == 0
    assert (shown["architecture"], shown["parameters"], shown["types"]) == ("llama", 256, {"F32": 1})
    assert (shown["kv_bytes_per_token"], len(shown["sha256"])) == (2 * 4 * 16 * 2, 64)


def test_a_short_name_of_the_table_stands_for_its_file_on_the_hub(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "fetch", "qwen3-0.6b"]) == 0
    said = capsys.readouterr()
    path = home / "models/hf/unsloth/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q4_K_M.gguf"
    assert said.out.strip() == str(path)
    assert "qwen3-0.6b is ready; the sha256 it came with is pinned from now on (hf:unsloth/" in said.err
    status, shown = kith(capsys, "model", "show", "qwen3-0.6b")
    assert (status, shown["path"]) == (0, str(path))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert kith(capsys, "model", "fetch", "qwen3-0.6b")[0] == 0, "what was changed since is fetched anew"
    assert kith(capsys, "model", "show", "qwen3-0.6b")[1]["sha256"] == shown["sha256"]


def test_a_model_here_comes_before_a_short_name(tiny: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = tiny.rename(tiny.with_name("qwen3-0.6b.gguf"))
    assert kith(capsys, "model", "fetch", str(named))[0] == 0
    assert kith(capsys, "model", "show", "qwen3-0.6b")[1]["title"] == "Tiny"


def test_text_for_a_person_names_the_essentials(tiny: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "fetch", str(tiny)]) == 0
    assert main(["model", "show", "tiny"]) == 0
    text = capsys.readouterr().out
    assert "Tiny (tiny)" in text
    assert "agents of 2,048 tokens in 1 GiB" in text
    assert main(["model", "list"]) == 0
    assert "tiny " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "kind", "hint"),
    [
        (["show", "smollm2-135m"], "UnknownModel", "kith model fetch smollm2-135m"),
        (["show", "smollm"], "UnknownModel", "did you mean smollm2-135m?"),
        (["fetch", "hf:owner/repo/absent.gguf"], "UnknownModel", "check the owner"),
        (["fetch", "hf:owner"], "InputError", "hf:OWNER/REPOSITORY/FILE.gguf"),
        (["fetch", "/nowhere/a.gguf"], "UnknownModel", "kith model list"),
        (["show"], "InputError", "--help"),
    ],
)
def test_bad_input_is_exit_status_2_with_a_hint(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str, hint: str
) -> None:
    status, said = kith(capsys, "model", *arguments)
    assert (status, said["error"]["type"]) == (2, kind)
    assert hint in said["error"]["hint"]


def test_a_corrupt_model_is_exit_status_2_with_the_command_that_mends_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "smollm2-135m.gguf").write_bytes(b"GGUF\x03\0\0\0 and nothing more")
    status, said = kith(capsys, "model", "show", "smollm2-135m")
    assert (status, said["error"]["type"]) == (2, "ModelFileError")
    assert said["error"]["hint"] == "kith model fetch smollm2-135m --force"
    _, listed = kith(capsys, "model", "list")
    assert listed["models"][0]["state"] == "damaged"


def test_an_unwritable_home_is_exit_status_1(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text("a file in place of the folder")
    status, said = kith(capsys, "model", "fetch", "hf:owner/repo/tiny.gguf")
    assert (status, said["error"]["type"]) == (1, "StorageError")
    assert "KITHNET_HOME" in said["error"]["hint"]


@pytest.mark.parametrize(
    "command", [["model", "list"], ["model", "fetch"], ["model", "show"], ["model", "recommend"], ["doctor"]]
)
def test_help_holds_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    assert f"Example: kith {' '.join(command)}" in capsys.readouterr().out


def test_the_commands_are_known_without_loading_what_they_run() -> None:
    heavy = {"numpy", "httpx", "gguf", "filelock", "llama_cpp", "chromadb", "psutil", "kithnet.runtime.registry"}
    code = "import sys, kithnet.app.cli.model, kithnet.app.cli.doctor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert heavy.isdisjoint(loaded)
