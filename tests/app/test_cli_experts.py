"""`kith model convert`, `verify`, `moefy`, `synthetic`, `calibrate`, `replay`: what they refuse, and how."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kithnet.app.cli import main
from kithnet.runtime.offload.tuning import kept

from ..runtime.offload.tiny_moe import write_moe
from ..runtime.tiny_dense import write_dense


def kith(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Mapping[str, Any]]:
    """Exit status and the one JSON object on stdout."""
    status = main(["model", *map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture
def moe(tmp_path: Path) -> Path:
    return write_moe(tmp_path / "tiny.gguf")


def test_a_model_is_converted_verified_and_tuned_beside_itself(moe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, made = kith(capsys, "convert", moe)
    assert status == 0 and made["store"] == str(moe.with_suffix(".experts"))
    assert made["low_overhead"] == round(made["low_bytes"] / moe.stat().st_size, 4)
    assert kith(capsys, "verify", made["store"])[1]["records"] == 2 * 3 * 8
    trace = moe.with_name("routing.npz")
    status, found = kith(capsys, "calibrate", moe, "--tokens", 128, "--limit", 9, "--record", trace)
    assert status == 0 and found["kept"] == made["store"] + ".thresholds.json"
    chosen = kept(Path(made["store"]))
    assert chosen is not None and chosen.t1 == found["chosen"]["thresholds"]["t1"]
    status, rows = kith(capsys, "replay", trace, "--share", 0.4)
    assert status == 0 and rows["rows"][0]["policy"] == "belady"
    assert all(rows["rows"][0]["penalty"] <= row["penalty"] for row in rows["rows"])


def test_the_text_says_what_the_low_copy_costs(moe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "convert", str(moe)]) == 0
    shown = capsys.readouterr().out
    assert "8 experts in each of 3 layers, 2 used by a token" in shown and "of the model's" in shown


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("convert", "dense.gguf"), "ModelFileError", "no experts"),
        (("convert", "tiny.gguf", "--low", "Q9"), "ConfigError", "no type 'Q9'"),
        (("convert", "tiny.gguf", "--low", "Q3_K"), "ConfigError", "cannot be Q3_K"),
        (("convert", "none.gguf"), "UnknownModel", "none.gguf"),
        (("verify", "tiny.gguf"), "StoreError", "not an expert store"),
        (("moefy", "tiny.gguf"), "ModelFileError", "already"),
        (("moefy", "dense.gguf", "--experts", "7"), "ConfigError", "7 experts"),
        (("synthetic", "x.gguf", "--locality", "2"), "ConfigError", "locality"),
        (("calibrate", "tiny.gguf"), "StoreError", "cannot be read"),
        (("replay", "tiny.gguf"), "InputError", "no record"),
    ],
)
def test_bad_input_is_refused_with_status_2(
    arguments: tuple[str, ...], kind: str, said: str, moe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dense(tmp_path / "dense.gguf")
    command, file, *rest = arguments
    status, told = kith(capsys, command, tmp_path / file, *rest)
    assert status == 2 and told["error"]["type"] == kind
    assert said in told["error"]["message"] and told["error"]["hint"]
