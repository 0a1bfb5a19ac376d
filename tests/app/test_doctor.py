"""`kith doctor` speaks whatever is broken, and names the command that mends it."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kithnet.app.cli import main
from kithnet.app.doctor import Check, Question, examine, healthy
from kithnet.app.home import home_folder

PATH = os.environ.get("PATH", "")


@pytest.fixture
def bindings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Quick stand-ins for the heavy packages that a child process imports; tests break them."""
    folder = tmp_path_factory.mktemp("bindings")
    (folder / "llama_cpp.py").write_text("__version__ = '0.3.36'")
    (folder / "chromadb.py").write_text("__version__ = '1.5.9'")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def checks(home: Path, **changes: object) -> dict[str, Check]:
    question = Question(home=home, model="smollm2-135m", embedder="minilm-l6", **({"programs": PATH} | changes))  # type: ignore[arg-type]
    return {check.name: check for check in examine(question)}


@pytest.mark.model
def test_a_machine_with_everything_is_healthy(
    chat_model_path: Path, embedder_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = {check["name"]: check for check in report["checks"]}
    assert report["ok"]
    assert found["llama-cpp-python"]["detail"] == "0.3.36"
    assert "FTS5" in found["sqlite"]["detail"]
    assert found["model smollm2-135m"]["detail"].startswith(str(chat_model_path))
    assert found["model minilm-l6"]["detail"].startswith(str(embedder_path))
    assert all(check["mend"] == "" for check in report["checks"] if check["ok"])


def test_an_empty_home_lacks_models_and_says_how_to_fetch_them(
    tmp_path: Path, bindings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "not" / "yet"
    monkeypatch.setenv("KITHNET_HOME", str(home))
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "-> kith model fetch smollm2-135m" in text
    assert f"{home} (will be made)" in text
    assert not home.parent.exists()


def test_without_a_compiler_only_an_uninstalled_binding_is_fatal(tmp_path: Path, bindings: Path) -> None:
    found = checks(tmp_path, programs="")
    compiler = found["C++ compiler"]
    assert (compiler.ok, compiler.needed) == (False, False)
    assert compiler.mend
    (bindings / "llama_cpp.py").write_text("raise ImportError('libllama.so: cannot open shared object file')")
    found = checks(tmp_path, programs="")
    assert (found["C++ compiler"].ok, found["C++ compiler"].needed) == (False, True)
    assert "libllama.so" in found["llama-cpp-python"].detail
    assert "pip install" in found["llama-cpp-python"].mend
    assert "llama-cpp-python==0.3.36" in found["llama-cpp-python"].mend


def test_a_compiler_that_does_not_run_is_no_compiler(tmp_path: Path, bindings: Path) -> None:
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    compiler = checks(tmp_path, programs=str(tmp_path))["C++ compiler"]
    assert not compiler.ok
    assert "does not run" in compiler.detail
    broken.write_text("#!/nowhere/sh\n")
    assert not checks(tmp_path, programs=str(tmp_path))["C++ compiler"].ok


def test_a_binding_that_kills_its_process_does_not_kill_the_doctor(tmp_path: Path, bindings: Path) -> None:
    (bindings / "llama_cpp.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    binding = checks(tmp_path)["llama-cpp-python"]
    assert (binding.ok, binding.needed) == (False, True)
    assert "signal 4" in binding.detail


def test_another_release_of_the_binding_is_refused(tmp_path: Path, bindings: Path) -> None:
    (bindings / "llama_cpp.py").write_text("__version__ = '0.3.35'")
    binding = checks(tmp_path)["llama-cpp-python"]
    assert (binding.ok, binding.detail) == (False, "0.3.35, not 0.3.36")


def test_a_file_in_place_of_the_home_is_not_writable(tmp_path: Path, bindings: Path) -> None:
    blocked = tmp_path / "home"
    blocked.write_text("in the way")
    found = checks(blocked)
    assert (found["home"].ok, found["home"].detail) == (False, f"{blocked} is not a folder")
    assert not found["model smollm2-135m"].ok
    assert not healthy(found.values())
    assert not checks(blocked / "below")["home"].ok


@pytest.mark.model
def test_only_a_deep_look_finds_a_flipped_byte(tmp_path: Path, embedder_path: Path, bindings: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    copy = bytearray(embedder_path.read_bytes())
    copy[-1] ^= 1
    (models / "minilm-l6.gguf").write_bytes(copy)
    assert checks(tmp_path)["model minilm-l6"].ok
    deep = checks(tmp_path, deep=True)["model minilm-l6"]
    assert (deep.ok, deep.mend) == (False, "kith model fetch minilm-l6 --force")
    (models / "minilm-l6.gguf").write_bytes(copy[:-1000])
    assert not checks(tmp_path)["model minilm-l6"].ok


class Endpoint(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.headers.get("Authorization") == "Bearer right" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[tuple[type[Endpoint], str]]:
    handler = type("Bound", (Endpoint,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_takes_the_chat_models_place(
    endpoint: tuple[type[Endpoint], str], tmp_path: Path, bindings: Path
) -> None:
    handler, url = endpoint
    found = checks(tmp_path, url=url, key="right")
    assert found["endpoint"].ok
    assert "model smollm2-135m" not in found
    assert not found["llama-cpp-python"].mend
    wrong = checks(tmp_path, url=url, key="wrong")["endpoint"]
    assert (wrong.ok, wrong.needed) == (False, True)
    assert "api_key_env" in wrong.mend
    handler.status = 503
    assert "503" in checks(tmp_path, url=url, key="right")["endpoint"].detail


def test_an_endpoint_that_refuses_is_named(
    tmp_path: Path, bindings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path))
    assert main(["doctor", "--json", "-c", "model.url=http://127.0.0.1:9/v1"]) == 1
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "does not answer" in found["endpoint"]["detail"]
    assert main(["doctor", "--json", "-c", "model.ur=x"]) == 2
    assert "model.url" in json.loads(capsys.readouterr().out)["error"]["hint"]


def test_the_home_is_where_the_variable_says(tmp_path: Path) -> None:
    assert home_folder({"KITHNET_HOME": str(tmp_path)}) == tmp_path
    assert home_folder({}).name == "kithnet"
