"""A run plays every item in every arm, goes on where it stopped, is answered from its recording, and takes any model."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.settings import Settings
from kithnet.bench.informative import needle, playing, results, suite, suites, summary
from kithnet.bench.informative.arms import OURS
from kithnet.bench.informative.suite import Plan, Ran, run
from kithnet.bench.informative.wordings import Wordings
from kithnet.bench.report import as_json
from kithnet.memory.vectors import HashEmbedder
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config
from kithnet.runtime.errors import (
    InputError,
    KithnetError,
    LimitExceeded,
    ModelUnavailable,
    RecordError,
    StorageError,
    WorldBusy,
)
from kithnet.runtime.limits import Limits
from kithnet.runtime.scripted import ScriptedModel

Script = Callable[[Sequence[Message], ReplySpec], str]
PLAN = Plan("needle-1hop", 2, seed=3, arms=("ours", "no-memory"), leaks=2)


MODEL = Config.load(None, ["model.mind=model"])


def mumble(messages: Sequence[Message], spec: ReplySpec) -> str:
    """What no mind can use: the reader makes every move."""
    return "yes"


def plain(script: Script = mumble) -> ScriptedModel:
    return ScriptedModel(script)


def played(home: Path, plan: Plan = PLAN, model: ScriptedModel | None = None, **more: bool) -> Ran:
    told: list[tuple[int, int, str]] = []
    ran = run(
        home, home / "models", MODEL, plan, lambda *step: told.append(step), model=model or plain(),
        embedder=HashEmbedder(), **more,
    )  # fmt: skip
    assert told[-1][0] == told[-1][1]
    return ran


def lines(ran: Ran) -> list[dict[str, object]]:
    """The outcomes on disk, without what a clock decides."""
    text = (ran.folder / results.OUTCOMES).read_text(encoding="utf-8").splitlines()[1:]
    return [{**json.loads(line), "seconds": 0} for line in text]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return played(tmp_path_factory.mktemp("home"))


def test_every_item_is_played_in_every_arm_and_probed_for_leaks(ran: Ran) -> None:
    keys = [(row["item"], row["arm"]) for row in lines(ran)]
    items = ["needle-1hop-0", "needle-1hop-1"]
    assert sorted(keys) == sorted(
        [(item, arm) for item in items for arm in PLAN.arms] + [(f"probe-{item}", suite.LEAK) for item in items]
    )


def test_the_result_keeps_the_contract_and_counts_fake_solved_and_leaks(ran: Ran) -> None:
    told = as_json(ran.result)
    assert {"table", "bars", "machine", "seed", "seconds"} == set(told)
    bars = {bar["name"]: bar for bar in told["bars"]}
    assert bars["fake-solved rationales"]["value"] == 0 and bars["fake-solved rationales"]["ok"]
    [leaks] = [bar for name, bar in bars.items() if name.startswith("leaks of refused facts in 2 probes")]
    assert leaks["value"] == 0 and leaks["ok"]
    ours = next(row for row in told["table"] if row["answered by"] == "ours")
    for column in ("score", "95 %", "turns", "calls", "sent", "seconds", "solved", "fake-solved", "consensus"):
        assert column in ours
    assert [row["score"] for row in told["table"] if row["answered by"] == "oracle"] == [1.0]


def test_what_is_refused_is_told_without_the_rule_and_never_spoken_with_it(tmp_path: Path) -> None:
    [item] = [one for one in needle.one_hop(8, 3, "dev") if one.kind == "collect"][:1]
    with playing.opened(item.setting, tmp_path, None) as world:
        spoken = {}
        for refused in (False, True):
            policy = playing.refusing(Policy(), item) if refused else Policy()
            table = playing.Table(plain(), None, Settings(), policy, Limits())
            played_ = playing.play(item, OURS, world, table, tmp_path / f"p{refused}", tmp_path / f"{refused}.jsonl")
            outcome = asyncio.run(played_)
            spoken[refused] = (playing.leaked(item, outcome), outcome.refused > 0)
    assert spoken == {False: (True, False), True: (False, True)}


def test_the_report_shows_bars_plots_and_every_dialogue(ran: Ran) -> None:
    page = (ran.folder / "report.html").read_text(encoding="utf-8")
    for piece in ("<svg", "needle-1hop-1", "no-memory", "fake-solved rationales", "Can you help"):
        assert piece in page
    assert not re.search(r'(?:src|href)="?(?:https?:)?//', page)  # it asks for nothing outside itself


def test_the_same_plan_gives_the_same_outcomes_anywhere(ran: Ran, tmp_path: Path) -> None:
    assert lines(played(tmp_path)) == lines(ran)


def test_a_run_that_lost_its_model_goes_on_and_repeats_no_finished_item(ran: Ran, tmp_path: Path) -> None:
    calls = 0

    def dying(messages: Sequence[Message], spec: ReplySpec) -> str:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise ModelUnavailable("gone", "bring it back")
        return mumble(messages, spec)

    with pytest.raises(ModelUnavailable):
        played(tmp_path, model=plain(dying))
    folder = tmp_path / "bench" / "informative" / PLAN.key(MODEL)
    before = (folder / results.OUTCOMES).read_text()
    assert 1 <= before.count("\n") - 1 < 6
    assert not (folder / results.RESULTS).exists()
    (folder / suite.WORLDS / "left").mkdir(parents=True)
    for name in (results.OUTCOMES, "calls/ours.jsonl"):  # a kill in the middle of a line
        with (folder / name).open("a") as file:
            file.write('{"item": "needle-1h')
    again = played(tmp_path)
    assert (folder / results.OUTCOMES).read_text().startswith(before)
    assert list((folder / suite.WORLDS).iterdir()) == []
    assert lines(again) == lines(ran)


def test_a_model_that_cannot_answer_costs_the_task_and_a_broken_disk_stops_the_run(tmp_path: Path) -> None:
    def failing(messages: Sequence[Message], spec: ReplySpec) -> str:
        raise LimitExceeded("no calls left", "")

    plan = replace(PLAN, arms=("ours",), count=1, leaks=0)
    [row] = lines(played(tmp_path, plan, plain(failing)))
    assert row["score"] == 0.0
    [item] = needle.one_hop(1, 3, "dev")
    (tmp_path / "w").mkdir()
    with playing.opened(item.setting, tmp_path / "w", None) as world:
        table = playing.Table(plain(), None, Settings(), Policy(), Limits())
        for file in (tmp_path / "w").iterdir():
            file.write_bytes(b"damaged " * 2_000)
        with pytest.raises(StorageError):
            asyncio.run(playing.play(item, OURS, world, table, tmp_path / "state", tmp_path / "trace.jsonl"))


def test_a_finished_run_is_answered_from_its_outcomes_and_a_fresh_one_is_not(tmp_path: Path) -> None:
    first, second, third = plain(), plain(), plain()
    played(tmp_path, model=first)
    played(tmp_path, model=second)
    assert first.calls and not second.calls
    played(tmp_path, model=third, fresh=True)
    assert len(third.calls) == len(first.calls)


def test_a_recorded_run_is_repeated_without_a_model(ran: Ran, tmp_path: Path) -> None:
    played(tmp_path)
    silent = run(tmp_path, tmp_path / "models", MODEL, PLAN, lambda *_: None, replay=True, embedder=HashEmbedder())
    assert lines(silent) == lines(ran)
    with pytest.raises(KithnetError, match="no recording"):
        run(tmp_path, tmp_path, MODEL, replace(PLAN, seed=9), lambda *_: None, replay=True, embedder=HashEmbedder())


@pytest.mark.parametrize("said", ["", "yes", "kite " * 5_000], ids=["answers nothing", "always the same", "too long"])
@pytest.mark.parametrize("capable", [False, True])
def test_a_useless_model_is_scored_and_not_an_error(said: str, capable: bool, tmp_path: Path) -> None:
    plan = replace(PLAN, arms=("ours",), count=1, leaks=0)
    model = ScriptedModel(lambda messages, spec: said, capable=capable)
    [row] = lines(played(tmp_path, plan, model))
    assert row["error"] == ""
    assert row["fake"] == 0
    assert 0 <= float(str(row["score"])) <= 1


def test_outcomes_of_another_version_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bench" / "informative" / PLAN.key(MODEL)
    folder.mkdir(parents=True)
    (folder / results.OUTCOMES).write_text('{"version": 99}\n')
    with pytest.raises(InputError, match="version 99") as raised:
        played(tmp_path)
    assert "--fresh" in raised.value.hint
    (folder / results.OUTCOMES).write_text(f'{{"version": {results.VERSION}}}\n{{"item": 1}}\n')
    with pytest.raises(RecordError, match="damaged"):
        played(tmp_path)


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "bench" / "informative" / PLAN.key(MODEL)
    with suite._held(folder, fresh=False, replay=False), pytest.raises(WorldBusy):
        played(tmp_path)


def test_an_agent_with_all_facts_hears_every_message(tmp_path: Path) -> None:
    plan = Plan("needle", 1, seed=3, arms=("all-facts",), leaks=0)
    [row] = lines(played(tmp_path, plan))
    assert row["arm"] == "all-facts" and row["error"] == ""


BAD: list[tuple[dict[str, object], str]] = [
    ({"suite": "nope"}, "no suite 'nope'"),
    ({"arms": ("nope",)}, "no arm 'nope'"),
    ({"data": (Path("a.txt"), Path("b.txt"))}, "cannot be made"),
]


@pytest.mark.parametrize(("change", "told"), BAD)
def test_what_does_not_exist_is_bad_input(change: dict[str, object], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        played(tmp_path, replace(PLAN, **change))  # type: ignore[arg-type]


def test_the_suites_have_the_papers_sizes() -> None:
    for name in ("classic", "asymmetric"):
        items = suites.draw(name, None, 7, "test")
        assert {family: len(some) for family, some in summary.by_family(items).items()} == {
            "schedule-easy": 30, "schedule-medium": 30, "schedule-hard": 30, "needle": 100, "friends": 100,
        }  # fmt: skip
        assert len({item.id for item in items}) == len(items)


@pytest.mark.parametrize("wordings", ["dev", "test"])
def test_no_constant_and_no_side_solves_an_item_of_the_asymmetric_suite(wordings: Wordings) -> None:
    for family, some in summary.by_family(suites.draw("asymmetric", 20, 11, wordings)).items():
        base = summary.baselines(some)
        assert max(base["instructor's side alone"]) < 1 and max(base["assistant's side alone"]) < 1, family
        assert sum(base["constant"]) / len(some) <= 0.5, family
        assert set(base["oracle"]) == {1.0}
