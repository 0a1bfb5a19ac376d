"""`kith model kv`: measured at a small context, chosen, kept, and used by the next command that opens the model."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kithnet.app.cli import main
from kithnet.app.engines import open_chat_model
from kithnet.runtime.config import Config
from kithnet.runtime.engine.kvchoice import kv_choice
from kithnet.runtime.engine.kvtypes import KvTypes
from kithnet.runtime.errors import ConfigError

SMALL = ("--ctx", "64", "--windows", "1")
PAIRS = ("--pair", "q8_0", "--pair", "q4_0")


@pytest.fixture
def home(tmp_path: Path, chat_model_path: Path, embedder_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with the default models, so that no choice is kept beside the real ones."""
    models = tmp_path / "home/models"
    models.mkdir(parents=True)
    for path in (chat_model_path, embedder_path):
        (models / path.name).symlink_to(path)
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    return models


def kith(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Mapping[str, Any]]:
    """Exit status and the one JSON object on stdout."""
    status = main(["model", "kv", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.model
def test_a_choice_under_a_budget_is_kept_and_used(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tight = ("--budget", "4", "--agents", "8")  # 8 x 64 tokens: 6.3 MB at q8_0, 3.3 MB at q4_0
    status, found = kith(capsys, "smollm2-135m", *SMALL, *PAIRS, *tight)
    assert status == 0
    assert (found["chosen"], found["budget_from"], found["agents"], found["positions"]) == ("q4_0", "given", 8, 32)
    eight, four = found["rows"]
    assert (eight["agents"], four["agents"]) == (5, 9)
    assert eight["kl_mean"] < four["kl_mean"]
    assert "into 4.0 MB" in found["reason"]
    file = home / "smollm2-135m.kv.json"
    assert found["kept"] == str(file)
    assert kv_choice(home / "smollm2-135m.gguf") == KvTypes.parse("q4_0")
    assert [precision(home), precision(home, "model.kv=q8_0/q4_0")] == ["q4_0", "q8_0/q4_0"]
    file.unlink()
    assert precision(home) == "f16"


def precision(models: Path, *settings: str) -> str:
    """Of the cache of the model that a command would open."""
    opened: Any = open_chat_model(Config.load(None, ["model.context=64", *settings]), models)
    asyncio.run(opened.close())
    return str(opened._options.kv)


@pytest.mark.model
def test_a_dry_run_marks_its_choice_and_keeps_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "kv", "smollm2-135m", *SMALL, "--pair", "f16", *PAIRS, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    marked = [line.split()[1] for line in shown.splitlines() if line.startswith("* ")]
    (chosen,) = [line for line in shown.splitlines() if line.startswith("chosen: ")]
    assert [f"chosen: {name}" for name in marked] == [chosen.partition(",")[0]]
    assert "f16" in shown
    assert "MB (1 GiB, the default)" in shown or "MB (half of the free memory)" in shown
    assert "not kept" in shown
    assert sorted(path.suffix for path in home.iterdir()) == [".gguf", ".gguf"]


@pytest.mark.model
def test_a_text_of_ones_own_may_judge(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "mine.txt"
    text.write_text("The ferry leaves at seven, and nobody waits for those who are late. " * 6, encoding="utf-8")
    status, found = kith(capsys, "smollm2-135m", *SMALL, "--pair", "q8_0", "--text", str(text), "--dry-run")
    assert (status, found["text"], found["kept"]) == (0, str(text), "")
    text.write_text("Too short.", encoding="utf-8")
    status, failed = kith(capsys, "smollm2-135m", *SMALL, "--text", str(text))
    assert (status, failed["error"]["type"]) == (2, "ConfigError")
    assert failed["error"]["hint"] == "give a longer text, or a smaller context"


@pytest.mark.model
@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("nobody",), "UnknownModel", "no model called nobody"),
        (("minilm-l6",), "ModelFileError", "embedding model"),
        (("smollm2-135m", "--ctx", "8193"), "ConfigError", "trained for 8192"),
        (("smollm2-135m", "--ctx", "-1"), "ConfigError", "too short"),
        (("smollm2-135m", "--budget", "0"), "ConfigError", "a budget of 0 MB"),
        (("smollm2-135m", "--budget", "nan"), "ConfigError", "a budget of nan MB"),
        (("smollm2-135m", "--agents", "0"), "ConfigError", "0 agents"),
        (("smollm2-135m", "--windows", "-1"), "ConfigError", "-1 windows"),
        (("smollm2-135m", "--pair", "q2_k"), "ConfigError", "no KV precision 'q2_k'"),
        (("smollm2-135m", "--all", "--pair", "q8_0"), "ConfigError", "exclude each other"),
        (("smollm2-135m", "--text", "nowhere.txt"), "InputError", "cannot be read"),
        (("smollm2-135m", *SMALL, "--pair", "q4_0", "--budget", "0.1"), "ConfigError", "hold no 1 contexts"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: tuple[str, ...], kind: str, words: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, failed = kith(capsys, *arguments)
    assert (status, failed["error"]["type"]) == (2, kind)
    assert words in failed["error"]["message"]
    assert failed["error"]["hint"]
    assert not list(home.glob("*.kv.json"))


@pytest.mark.parametrize("setting", ["q2_k", "q8_0/", "/q8_0", "q8_0/q8_0/q8_0", "", "AUTO"])
def test_a_precision_that_is_none_is_refused_with_the_choices(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.kv") as raised:
        Config.load(None, [f"model.kv={setting}"])
    assert "q8_0/q4_0" in raised.value.hint
    assert "q5_1" in raised.value.hint
