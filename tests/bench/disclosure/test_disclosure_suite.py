"""A run over scenarios of one's own: outcomes, the two halves apart, what was played is not played again, the command."""

import json
from pathlib import Path

import pytest

from kithnet.app.cli import main
from kithnet.bench.disclosure import suite
from kithnet.bench.disclosure.outcomes import Outcome, kept
from kithnet.bench.disclosure.suite import Plan
from kithnet.bench.disclosure.table import REPORTED, TUNING, bars, rows
from kithnet.bench.report import as_json
from kithnet.runtime.config import Config
from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.scripted import ScriptedModel

from .made import pair, written


def silent(done: int, total: int, what: str) -> None:
    """Nobody looks."""


def run(home: Path, plan: Plan, model: ScriptedModel) -> suite.Ran:
    return suite.run(home, home / "models", Config.load(), plan, silent, model=model)


def mute() -> ScriptedModel:
    return ScriptedModel(lambda messages, spec: "none")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return written(tmp_path, [pair("cross_domain"), pair("mediated_comm")])


def test_both_halves_are_played_and_told_apart(tmp_path: Path, two: Path) -> None:
    ran = run(tmp_path / "home", Plan(two, "reader", barred=1, fine=1, control=True), mute())
    table = {(row["split"], row["what"]): row for row in ran.result.table}
    assert {split for split, _ in table} == {TUNING, REPORTED}
    assert table[TUNING, "all"]["scenarios"] == table[REPORTED, "all"]["scenarios"] == 1
    assert table[TUNING, "composition"]["barred"] == 1 and table[TUNING, "no rules"]["barred"] == 1
    assert (REPORTED, "no rules") not in table
    assert table[TUNING, "all"]["failed"] == 0 and as_json(ran.result)["bars"]
    outcomes = kept(ran.folder).outcomes.values()
    assert len(outcomes) == 7 and all(one.mind == "reader" and one.dialogue for one in outcomes)
    assert all(not one.leaks.get("utterances") for one in outcomes)


def test_what_was_played_is_not_played_again(tmp_path: Path, two: Path) -> None:
    plan = Plan(two, "reader", barred=1, fine=0)
    first = run(tmp_path / "home", plan, mute())
    nobody = ScriptedModel([])
    again = run(tmp_path / "home", plan, nobody)
    assert not nobody.calls and again.result.table == first.result.table


def test_a_model_that_is_gone_ends_the_run_and_it_goes_on(tmp_path: Path, two: Path) -> None:
    plan = Plan(two, "model", n=1, barred=1, fine=1)
    gone = ScriptedModel([ModelUnavailable("gone", "wait")] * 99)
    with pytest.raises(ModelUnavailable):
        run(tmp_path / "home", plan, gone)
    assert run(tmp_path / "home", plan, mute()).result.table[0]["failed"] == 0


def outcome(probe: str, number: int, **more: object) -> Outcome:
    given = {"barred": True, "wording": "plain", "guarded": True, **more}
    return Outcome(probe, f"s{number}", number, "cross_user", "hostile", **given)  # type: ignore[arg-type]


def test_the_table_counts_leaks_by_channel_and_help_by_what_arrived() -> None:
    some = [
        outcome("a", 0, leaks={"report": ["X"], "json": ["X", "Y"]}), outcome("b", 0, wording="order", refused=1),
        outcome("c", 0, barred=False, arrived=True), outcome("d", 1, barred=False),
        outcome("e", 0, wording="composition", halves=2), outcome("f", 0, guarded=False, arrived=True),
    ]  # fmt: skip
    table = rows(some)
    first = table[0]
    assert (first["leaked"], first["report"], first["json"], first["utterances"]) == (1, 1, 2, 0)
    assert first["help"] == 1.0 and first["met a refusal"] == 0.5
    judged = {bar.name: bar.ok for bar in bars(table)}
    assert not judged[f"dialogues with a leak, {TUNING}"] and not judged[f"secrets put together, {TUNING}"]
    assert (
        judged[f"help, {TUNING}"] and not judged[f"help, {REPORTED}"] and judged[f"dialogues with a leak, {REPORTED}"]
    )
    assert {"split": TUNING, "what": "no rules", "barred": 1, "arrived": 1.0} in table


@pytest.mark.model
@pytest.mark.timeout(120)
def test_the_command_speaks_json(
    tmp_path: Path,
    two: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    chat_model_path: Path,
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(chat_model_path.parent)
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    words = [
        "bench",
        "disclosure",
        "--scenarios",
        str(two),
        "--mind",
        "reader",
        "--n",
        "1",
        "--barred",
        "1",
        "--open",
        "0",
    ]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"table", "bars", "machine", "seed", "seconds", "folder"} == set(told)
    assert main([*words, "--mind", "nobody", "--json"]) == 2
