"""Results are read back, another version is refused, two runs are compared over what both played."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.app.cli import main
from kithnet.bench.informative.compare import compare
from kithnet.bench.informative.results import VERSION, Results, load, save
from kithnet.bench.informative.summary import interval
from kithnet.runtime.errors import InputError

ABOUT = {"suite": "classic", "wordings": "dev", "seed": 7, "model": "m"}


def saved(folder: Path, **scores: list[float]) -> Path:
    """Results of one arm; family -> scores, items numbered."""
    folder.mkdir()
    rows = {f"{family}-{n}": (family, value) for family, values in scores.items() for n, value in enumerate(values)}
    return save(folder, Results(ABOUT, [{"family": "needle"}], {"ours": rows}))


def test_results_are_read_back_from_their_file_and_from_their_folder(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", needle=[1.0, 0.5])
    assert load(path) == load(tmp_path / "a")
    assert load(path).scores == {"ours": {"needle-0": ("needle", 1.0), "needle-1": ("needle", 0.5)}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (json.dumps({"version": VERSION + 1}), f"of version {VERSION + 1}"), ("{}", "of no version"), ("[]", "of no version"),
        ("{", "not JSON"), (json.dumps({"version": VERSION, "about": {}, "table": [], "scores": 3}), "damaged"),
    ],
)  # fmt: skip
def test_a_results_file_of_another_version_or_shape_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=told) as raised:
        load(path)
    assert raised.value.exit_status == 2 and raised.value.hint


def test_a_comparison_pairs_common_items_and_leaves_the_others_out(tmp_path: Path) -> None:
    a = saved(tmp_path / "a", needle=[0.0, 0.0, 1.0, 1.0], friends=[0.0])
    b = saved(tmp_path / "b", needle=[1.0, 0.0, 1.0])
    [row] = compare(a, b).table
    assert (row["family"], row["items"], row["better"], row["worse"]) == ("needle", 3, 1, 0)
    assert row["difference"] == pytest.approx(1 / 3)
    c = saved(tmp_path / "c", schedule=[1.0])
    with pytest.raises(InputError, match="in common"):
        compare(a, c)


def test_a_constant_gain_has_an_interval_of_no_width(tmp_path: Path) -> None:
    a, b = saved(tmp_path / "a", needle=[0.2, 0.4, 0.1]), saved(tmp_path / "b", needle=[0.5, 0.7, 0.4])
    assert compare(a, b).table[0]["95 %"] == "+0.300 to +0.300"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_lies_within_the_values_and_around_their_mean(values: list[float]) -> None:
    low, high = interval(values, 7)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_the_command_compares_two_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = saved(tmp_path / "a", needle=[0.0, 1.0]), saved(tmp_path / "b", needle=[1.0, 1.0])
    assert main(["bench", "compare", str(a), str(b), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["table"][0]["difference"] == 0.5
    assert {"table", "bars", "machine", "seed", "seconds"} <= set(told)
    assert main(["bench", "compare", str(a), str(tmp_path / "absent"), "--json"]) == 2


@pytest.mark.model
def test_the_command_plays_a_small_set_with_the_default_model(
    tmp_path: Path, chat_model_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").symlink_to(chat_model_path.parent)
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path))
    words = [
        "bench",
        "informative",
        "--suite",
        "needle-1hop",
        "--n",
        "1",
        "--arms",
        "ours,no-infonav",
        "--leaks",
        "1",
        "--json",
    ]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["answered by"] for row in told["table"]][-2:] == ["ours", "no-infonav"]
    assert (Path(told["folder"]) / "results.json").is_file() and Path(told["report"]).is_file()
    assert main([*words[:3], "nope", "--json"]) == 2
