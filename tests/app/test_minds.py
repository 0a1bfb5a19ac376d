"""Who thinks: a check is kept with what it is of, `model.mind` goes by it, and a model elsewhere needs a yes and has a limit."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kithnet.agents.minds import aptitude
from kithnet.agents.minds.aptitude import Aptitude, Played
from kithnet.agents.minds.model_mind import ModelMind
from kithnet.agents.minds.trials import trials
from kithnet.agents.settings import Settings
from kithnet.app import checked, consent, engines, minds
from kithnet.app.allowance import FILE, Allowance, AllowedModel
from kithnet.app.cli import main
from kithnet.runtime.chat import Message, ReplySpec, Usage
from kithnet.runtime.config import Config, ModelConfig
from kithnet.runtime.errors import InputError, LimitExceeded
from kithnet.runtime.local import LocalModel
from kithnet.runtime.scripted import ScriptedModel

from ..agents.aptitude_replies import RIGHT

AWAY = "https://models.example.org/v1"


def found(able: bool) -> Aptitude:
    made = [Played(trial.name, trial.kind, trial.safety, able) for trial in trials()]
    return aptitude.result(made, trials(), 1.0)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models folder of an empty home, with a file that passes for a model."""
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.gguf").write_bytes(b"GGUF\x03\0\0\0 and more")
    return folder


def config(*changes: str) -> Config:
    return Config.load(None, changes)


def resolved(settings: Config, models: Path) -> str:
    return asyncio.run(minds.resolve(settings, models, ScriptedModel([])))


# --- results on disk ---


def test_a_result_lies_beside_the_model_and_is_read_back(models: Path) -> None:
    mine = ModelConfig(name="mine")
    assert minds.kept(mine, models) is None
    file = minds.keep(mine, models, found(True))
    assert file == models / "mine.gguf.aptitude.json"
    assert minds.kept(mine, models) == found(True)
    assert [path.name for path in models.iterdir() if path.name.endswith(".part")] == []
    assert checked.in_short(models / "mine.gguf", models.parent) == {"able": True, "passed": 23, "of": 23}


def test_a_result_counts_only_for_the_weights_and_the_protocol_it_is_of(models: Path) -> None:
    mine = ModelConfig(name="mine")
    file = minds.keep(mine, models, found(True))
    body = json.loads(file.read_text())
    file.write_text(json.dumps({**body, "version": "of another day"}))
    assert minds.kept(mine, models) is None
    file.write_text(json.dumps(body))
    assert minds.kept(mine, models) is not None
    (models / "mine.gguf").write_bytes(b"GGUF\x03\0\0\0 and other weights")
    assert minds.kept(mine, models) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"weights": null}', "[" * 100_000])
def test_a_damaged_result_counts_as_none(models: Path, text: str) -> None:
    (models / "mine.gguf.aptitude.json").write_text(text)
    assert minds.kept(ModelConfig(name="mine"), models) is None


def test_results_of_endpoints_are_kept_apart_by_url_and_name(models: Path) -> None:
    one = ModelConfig(name="a", url="http://127.0.0.1:1/v1")
    file = minds.keep(one, models, found(False))
    assert file.parent == models.parent / "aptitude"
    assert minds.kept(one, models) == found(False)
    assert minds.kept(ModelConfig(name="a", url="http://127.0.0.1:1/v1/"), models) == found(False)
    assert minds.kept(ModelConfig(name="b", url=one.url), models) is None
    assert minds.kept(ModelConfig(name="a", url="http://127.0.0.1:2/v1"), models) is None


# --- who thinks ---


def test_a_setting_that_names_a_mind_is_heeded_whatever_was_found(models: Path) -> None:
    minds.keep(ModelConfig(name="mine"), models, found(False))
    assert resolved(config("model.name=mine", "model.mind=model"), models) == "model"
    minds.keep(ModelConfig(name="mine"), models, found(True))
    assert resolved(config("model.name=mine", "model.mind=reader"), models) == "reader"


@pytest.mark.parametrize(("able", "mind"), [(True, "model"), (False, "reader")])
def test_auto_goes_by_what_was_found(models: Path, able: bool, mind: str) -> None:
    settings = config("model.name=mine")
    minds.keep(settings.model, models, found(able))
    assert (resolved(settings, models), minds.expected(settings, models)) == (mind, mind)


def test_what_was_never_checked_counts_as_able_behind_a_url_only(models: Path) -> None:
    away = config("model.url=http://127.0.0.1:1/v1")
    assert (resolved(away, models), minds.expected(away, models)) == ("model", "model")
    assert resolved(config("model.name=mine"), models) == "reader"
    assert resolved(config("model.name=nothing"), models) == "reader"
    minds.keep(away.model, models, found(False))
    assert resolved(away, models) == "reader"


@pytest.mark.model
def test_a_local_model_is_checked_when_it_is_first_used_and_never_again(chat_model_path: Path, models: Path) -> None:
    (models / "small.gguf").symlink_to(chat_model_path)
    settings, said = config("model.name=small"), list[str]()

    async def twice() -> list[str]:
        model = LocalModel.load(models / "small.gguf")
        try:
            return [await minds.resolve(settings, models, model, said.append) for _ in range(2)]
        finally:
            await model.close()

    assert asyncio.run(twice()) == ["reader", "reader"]
    assert ["first time" in line for line in said] == [True, False]
    assert "the reader thinks" in said[-1]
    kept = minds.kept(settings.model, models)
    assert kept is not None
    assert not kept.able


# --- the command ---


class Endpoint(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint whose replies are those of a model that can think, or `reply` for all."""

    reply: str | None = None
    known: dict[str, str]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.reply if self.reply is not None else RIGHT[self.known[asked["messages"][-1]["content"]]]
        body = json.dumps({
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[ThreadingHTTPServer]:
    mind = ModelMind(ScriptedModel([]), Settings())
    known = {mind.messages(trial.view, 1 << 20)[-1].content: trial.name for trial in trials()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Endpoint,), {"known": known}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def kith(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def url_of(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1"


def test_a_capable_endpoint_is_checked_by_the_command_and_kept(
    models: Path, endpoint: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = kith(capsys, "model", "check", "clever", "--url", url_of(endpoint))
    assert (status, said["able"], said["passed"], said["stopped"]) == (0, True, 23, "")
    assert (said["model"], said["url"]) == ("clever", url_of(endpoint))
    assert Path(said["file"]).is_file()
    assert Allowance(models.parent).spent() == 23 * 110
    _, doctor = kith(capsys, "doctor", "-c", "model.name=clever", "-c", f"model.url={url_of(endpoint)}")
    mind = next(check for check in doctor["checks"] if check["name"] == "mind")
    assert "23 of 23" in mind["detail"]


def test_an_endpoint_that_only_reasons_is_not_able(
    models: Path, endpoint: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.RequestHandlerClass.reply = "<think>What does Nora want?"  # type: ignore[attr-defined]
    status, said = kith(capsys, "model", "check", "dreamer", "--url", url_of(endpoint))
    assert (status, said["able"], said["passed"]) == (0, False, 0)
    assert resolved(config("model.name=dreamer", f"model.url={url_of(endpoint)}"), models) == "reader"


def test_a_check_of_nothing_or_of_nobody_is_bad_input_and_keeps_nothing(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kith(capsys, "model", "check")[0] == 2
    assert kith(capsys, "model", "check", "nothing")[1]["error"]["type"] == "UnknownModel"
    status, said = kith(capsys, "model", "check", "a", "--url", "http://127.0.0.1:1/v1", "-c", "model.retries=0")
    assert (status, said["error"]["type"]) == (1, "ModelUnavailable")
    assert not (models.parent / "aptitude").exists()


# --- the owner's yes ---


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("http://127.0.0.1:8080/v1", True), ("http://localhost/v1", True), ("http://[::1]:1/v1", True),
        ("http://127.8.8.8/v1", True), ("http://192.168.0.7/v1", False), (AWAY, False), ("http://localhost.example.org", False),
    ],
)  # fmt: skip
def test_loopback_is_at_home_and_nothing_else(url: str, home: bool) -> None:
    assert consent.at_home(url) is home


def test_without_a_yes_nothing_may_be_sent_away(models: Path) -> None:
    settings = config(f"model.url={AWAY}", "model.name=big")
    with pytest.raises(InputError, match=r"models\.example\.org") as raised:
        engines.need_ready(settings, models)
    assert "--yes" in raised.value.hint
    consent.obtain(settings, models.parent, yes=True)
    engines.need_ready(settings, models)
    with pytest.raises(InputError):
        engines.need_ready(config("model.url=https://other.example.org/v1"), models)


def test_the_owner_is_asked_once_and_a_no_is_a_no(models: Path) -> None:
    settings, heard = config(f"model.url={AWAY}"), list[str]()

    def says(yes: bool) -> consent.Ask:
        return lambda text: heard.append(text) or yes  # type: ignore[func-returns-value]

    with pytest.raises(InputError):
        consent.obtain(settings, models.parent, yes=False, ask=says(False))
    consent.obtain(settings, models.parent, yes=False, ask=says(True))
    consent.obtain(settings, models.parent, yes=False, ask=says(False))
    assert len(heard) == 2
    assert "messages" in heard[0]


def test_a_setting_says_yes_and_a_key_in_the_address_is_not_kept(models: Path) -> None:
    settings = config("model.url=https://me:secret@models.example.org/v1/", "model.consent=true")
    consent.obtain(settings, models.parent, yes=False)
    text = (models.parent / consent.FILE).read_text()
    assert "secret" not in text
    assert list(json.loads(text)) == [AWAY]
    assert consent.given(config(f"model.url={AWAY}"), models.parent)


# --- the day's tokens ---


def test_tokens_of_a_day_are_counted_over_all_and_begin_anew_the_next(tmp_path: Path) -> None:
    day = [date(2024, 3, 5)]
    allowance = Allowance(tmp_path, 100, lambda: day[0])
    threads = [threading.Thread(target=allowance.add, args=(Usage(sent=3, generated=1),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Allowance(tmp_path, 100, lambda: day[0]).spent() == 80
    allowance.admit()
    allowance.add(Usage(sent=20))
    with pytest.raises(LimitExceeded, match="100") as raised:
        allowance.admit()
    assert "limits.tokens_per_day" in raised.value.hint
    day[0] = date(2024, 3, 6)
    allowance.admit()
    assert allowance.spent() == 0


def test_a_call_beyond_the_days_tokens_is_not_made(tmp_path: Path) -> None:
    inner = ScriptedModel(lambda messages, spec: "a b c")
    model = AllowedModel(inner, Allowance(tmp_path, 5))

    async def go() -> None:
        for _ in range(3):
            await model.reply([Message("user", "one two three")], ReplySpec())

    with pytest.raises(LimitExceeded):
        asyncio.run(go())
    assert len(inner.calls) == 1
    (tmp_path / FILE).write_text("damaged")
    assert Allowance(tmp_path).spent() == 0
