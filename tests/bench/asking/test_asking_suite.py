"""A run of questions: parts, minds, the table; what was asked is not asked again; the command and its JSON."""

import json
from pathlib import Path

import pytest

from kithnet.app.cli import main
from kithnet.bench.asking import suite
from kithnet.bench.asking.outcomes import Outcome, kept
from kithnet.bench.asking.question import Question
from kithnet.bench.asking.suite import Plan
from kithnet.bench.asking.table import bars, rows
from kithnet.bench.report import as_json, as_text
from kithnet.runtime.chat import Message, ReplySpec
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, ModelUnavailable, RecordError
from kithnet.runtime.scripted import ScriptedModel

from .test_asking_questions import conversation

CONFIG = Config.load()


def silent(done: int, total: int, what: str) -> None:
    """Nobody looks."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([conversation("conv-1"), conversation("conv-2")]))
    return path


def knowing(messages: object, spec: ReplySpec) -> str:
    """Reads a teapot where it is shown one; knows nothing by heart."""
    assert isinstance(messages, list | tuple)
    shown = " ".join(one.content for one in messages if isinstance(one, Message))
    known = "bought a teapot" in shown and "What did Ann buy" in shown
    return json.dumps({"known": known, "answer": "a teapot" if known else ""})


def run(home: Path, plan: Plan, model: ScriptedModel | None = None) -> suite.Ran:
    return suite.run(home, home / "models", CONFIG, plan, silent, model=model)


def test_each_part_is_measured_and_unanswerable_questions_are_right_when_left_open(tmp_path: Path, file: Path) -> None:
    plan = Plan(locomo=file, parts=("recall", "evidence", "scene", "closed-book"))
    model = ScriptedModel(knowing)
    result = run(tmp_path / "home", plan, model).result
    by_part = {row["part"]: row for row in result.table}
    assert by_part["recall"]["recall@12"] == pytest.approx(4 / 6) and by_part["recall"]["n"] == 6
    assert by_part["evidence"]["right"] == pytest.approx(4 / 6) and by_part["evidence"]["refused"] == 1.0
    assert by_part["closed-book"]["right"] == pytest.approx(2 / 6) and by_part["closed-book"]["wrong"] == 0
    assert by_part["scene"]["not known"] == pytest.approx(2 / 6) and by_part["scene"]["calls"] == 1
    assert "recall@50" in as_text(result) and as_json(result)["seed"] == 13


def test_what_was_asked_is_not_asked_again(tmp_path: Path, file: Path) -> None:
    plan = Plan(locomo=file, parts=("evidence",))
    broken = ScriptedModel([json.dumps({"known": False, "answer": ""})] * 2, name="two replies")
    with pytest.raises(ModelUnavailable):
        run(tmp_path / "home", plan, broken)
    model = ScriptedModel(knowing)
    ran = run(tmp_path / "home", plan, model)
    assert len(model.calls) == 4 and ran.result.table[0]["n"] == 6
    assert run(tmp_path / "home", plan, ScriptedModel([])).result.table == ran.result.table


def test_the_agents_play_the_whole_and_the_renamed_world(tmp_path: Path, file: Path) -> None:
    plan = Plan(locomo=file, n=2, ids="all", minds=("reader",), parts=("whole", "renamed"), in_flight=2)
    ran = run(tmp_path / "home", plan, ScriptedModel(lambda messages, spec: "none"))
    whole = {row["part"]: row for row in ran.result.table if row["kind"] == "all"}
    assert whole.keys() == {"whole", "renamed"} and all(row["n"] == 2 for row in whole.values())
    lines = (ran.folder / "outcomes.jsonl").read_text().splitlines()
    assert {json.loads(line)["part"] for line in lines} == {"whole", "renamed"}
    made = tmp_path / "home" / "bench" / "asking" / "worlds"
    assert any("renamed" in place.name for place in made.iterdir())


def test_a_mind_is_paired_with_todays_route_by_the_sign_test() -> None:
    questions = [Question(str(n), "?", "a", "b", ("x",), (0,)) for n in range(6)]
    ended = [Outcome(q.id, "whole", "reader", right=q.id == "0", known=True, calls=2) for q in questions]
    ended += [
        Outcome(q.id, "whole", "model", right=True, known=True, cites=True, calls=1, seconds=70.0) for q in questions
    ]
    outcomes = {one.key: one for one in ended}
    *_, pair = rows(questions, outcomes, ("whole",), ("reader", "model"))
    assert (pair["mind"], pair["better"], pair["worse"], pair["n"]) == ("model less reader", 5, 0, 6)
    assert pair["p"] == pytest.approx(0.0625)
    judged = {bar.name: bar.ok for bar in bars("friendsqa", questions, outcomes, ("whole",), ("reader", "model"))}
    assert judged["right, friendsqa, model"] and not judged["longest platform seconds, whole, model"]
    assert "right, friendsqa, reader" not in judged


def test_outcomes_are_read_back_without_a_line_that_a_kill_cut(tmp_path: Path) -> None:
    kept(tmp_path).add(Outcome("q", "recall", "", rank=3))
    path = tmp_path / "outcomes.jsonl"
    path.write_text(path.read_text() + '{"version": 1, "quest')
    assert kept(tmp_path).outcomes == {("recall", "", "q"): Outcome("q", "recall", "", rank=3)}
    path.write_text('{"version": 99}\n')
    with pytest.raises(RecordError, match="damaged"):
        kept(tmp_path)


@pytest.mark.parametrize("plan", [{}, {"friendsqa": Path("a")}, {"locomo": Path("a"), "parts": ("nope",)}])
def test_a_plan_without_one_source_or_with_an_unknown_part_is_refused(plan: dict[str, Path]) -> None:
    with pytest.raises(InputError):
        Plan(**plan)  # type: ignore[arg-type]


@pytest.mark.model
def test_the_command_speaks_json(
    tmp_path: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    chat_model_path: Path,
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(chat_model_path.parent)
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    assert main(["bench", "asking", "--locomo", str(file), "--part", "recall", "--n", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"table", "bars", "machine", "seed", "seconds", "folder"} == set(told)
    assert told["table"][0]["n"] == 2 and Path(told["folder"], "outcomes.jsonl").is_file()
    assert main(["bench", "asking", "--locomo", str(file), "--mind", "nobody", "--json"]) == 2
