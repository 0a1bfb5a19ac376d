"""What others withhold leaves no trace with who asked: in the answer, the views of the run, the report, a search, a chat."""

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kithnet.app import collaborate, simulate, tasks
from kithnet.app.cli import main
from kithnet.app.run_views import seen
from kithnet.app.runs import all_runs
from kithnet.app.tasks import Planned
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Task, Tie
from kithnet.runtime.config import Config
from kithnet.runtime.scripted import ScriptedModel
from kithnet.runtime.trace import read_trace

KEY = "Where is the spare key?"
SECRET = "Between us, the spare key is under the blue flower pot."
PLAIN = "Between us, my brother is under the weather again today."
Kith = Callable[..., tuple[int, Any]]


def make(folder: Path, said: str, others: int = 1) -> Path:
    """Ben, whom Ana asks, heard `said` from Dora; he knows so many others, who know nothing."""
    lines = [("ana", "ben", "Are you coming to the concert on Sunday?"), ("dora", "ben", said)]
    lines += [("ben", f"friend{n}", f"Good morning, number {n}!") for n in range(others)]
    at = datetime(2024, 5, 1)
    messages = [ChatMessage(n, a, b, t, at + timedelta(hours=n), f"s-{a}-{b}") for n, (a, b, t) in enumerate(lines)]
    ids = sorted({person for a, b, _ in lines for person in (a, b)})
    ties = [Tie(*pair, kind="friend") for pair in sorted({(min(a, b), max(a, b)) for a, b, _ in lines})]
    with Store.create(folder / "kith.db", {"kind": "test"}) as store:
        gold = Task("t1", KEY, "under the blue flower pot", (), "ana", "ben", ("ben", "dora"), (1,), "test")
        store.ingest([Person(i, i.capitalize()) for i in ids], ties, messages, [gold])
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KITHNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def world(home: Path) -> Path:
    return make(home / "worlds" / "w", SECRET)


@pytest.fixture
def kith(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kith:
    """Exit status and the one JSON object of a command, at which nobody types."""
    (tmp_path / "typed").write_text("")

    def call(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        with (tmp_path / "typed").open(encoding="utf-8") as typed:
            monkeypatch.setattr(sys, "stdin", typed)
            status = main([*arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return call


def asked(world: Path, question: str = KEY, **more: Any) -> tuple[dict[str, Any], Path, collaborate.Asked]:
    config, model = Config.load(None, more.get("settings", [])), ScriptedModel([])
    done, run = collaborate.ask(world, world / "none", config, ("ana", "ben"), question, model=model)
    return collaborate.contract(done, run), run.folder, done


def view(run: Path, owner: str | None = None) -> list[dict[str, Any]]:
    return list(seen(read_trace(run / "trace.jsonl"), owner))


# --- a refusal looks like not knowing ---


@pytest.mark.parametrize("others", [0, 1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("settings", [[], ["consult.depth=0"], ["consult.fan_out=1"]])
def test_what_the_asker_gets_is_the_same_for_refused_and_unknown(
    tmp_path: Path, others: int, settings: list[str]
) -> None:
    """Up to ids and times. Ben's own side differs, and the operator sees it."""
    told, traces, whole = [], [], []
    for name, said in (("refused", SECRET), ("unknown", PLAIN)):
        contract, run, done = asked(make(tmp_path / name, said, others), settings=settings)
        told.append({key: value for key, value in contract.items() if key not in ("seconds", "run")})
        traces.append([_timeless(event) for event in view(run)])
        whole.append(done)
    assert told[0] == told[1]
    assert traces[0] == traces[1]
    assert not told[0]["citations"]
    assert [row["told"] for row in whole[0].state["disclosures"]] == [False]
    assert whole[1].state["disclosures"] == []


def _timeless(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what differs between any two runs."""
    return {key: value for key, value in event.items() if key not in ("seq", "t", "at", "seconds", "run", "world")}


def test_each_owner_sees_what_was_withheld_from_whom_and_why_and_the_operator_sees_all(kith: Kith, world: Path) -> None:
    contract, run, done = asked(world)
    assert "disclosures" not in contract and "calls" not in contract and contract["ledgers"].keys() == {"instructor"}
    whole = collaborate.contract(done, all_runs(world)[0], operator=True)
    assert whole.keys() > contract.keys() and len(whole["disclosures"]) == 1
    plain = kith("trace", "last")[1]["events"]
    assert "disclosure" not in {e["kind"] for e in plain} and "flower" not in json.dumps(plain)
    assert all("usage" not in event and "searched" not in event for event in plain if event["kind"] != "recall")
    (kept,) = kith("trace", "last", "--owner", "ben", "--kind", "disclosure")[1]["events"]
    assert (kept["to"], kept["told"], kept["messages"]) == ("ana", False, ["m2"])
    assert kept["rule"] == "default: confidence"
    bens = kith("trace", "last", "--owner", "ben")[1]["events"]
    assert not [e for e in bens if e["kind"] in ("recall", "found", "plan") and e["person"] != "ben"]
    assert kith("trace", "last", "--operator")[1]["events"] == list(read_trace(run / "trace.jsonl"))
    for wrong in (("--owner", "nobody"), ("--owner", "ben", "--operator")):
        assert kith("trace", "last", *wrong)[0] == 2


def test_the_report_of_a_simulation_shows_what_was_withheld_to_the_operator_only(world: Path) -> None:
    pages = []
    for operator in (False, True):
        model = ScriptedModel([])
        plan = simulate.Plan(1, 0, lockstep=True)
        done = simulate.simulate(
            world,
            world / "none",
            Config(),
            plan,
            lambda tally, planned: None,
            fresh=True,
            model=model,
            operator=operator,
        )
        pages.append(done.run.report.read_text(encoding="utf-8"))
    assert "May not tell" not in pages[0] and "flower pot" not in pages[0]
    assert "May not tell" in pages[1]


def test_a_search_towards_a_partner_shows_and_counts_only_what_the_agent_would_tell(kith: Kith, world: Path) -> None:
    _, own = kith("memory", "search", "ben", "spare key", "--world", "w")
    assert "m2" in {hit["id"] for hit in own["hits"]} and not own["abstained"]
    status, found = kith("memory", "search", "ben", "spare key", "--as", "ana")
    assert status == 0 and "flower" not in json.dumps(found) and found["abstained"]
    assert found["searched"] == len(found["hits"])
    assert "m2" in {h["id"] for h in kith("memory", "search", "ben", "spare key", "--as", "dora")[1]["hits"]}
    given = kith("grants", "give", "ben", "ana", "--once", "--item", "m2")[1]["grant"]
    assert "m2" in {h["id"] for h in kith("memory", "search", "ben", "spare key", "--as", "ana")[1]["hits"]}
    (kept,) = kith("grants", "list", "ben")[1]["grants"]
    assert kept == given  # looking uses nothing up


# --- commands that are refused leave nothing ---


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "ben", "ben", KEY),
        ("ask", "ana", "nobody", KEY),
        ("ask", "ana", "ben", " "),
        ("chat", "ben", "--as", "ben"),
        ("chat", "ben", "--as", "nobody"),
        ("chat", "ben", "-c", "model.name=none-such"),
        ("ask", "ana", "ben", KEY, "-c", "model.name=none-such"),
        ("simulate", "w", "--tasks", "9"),
    ],
)
def test_a_command_that_is_refused_leaves_no_run(kith: Kith, world: Path, arguments: tuple[str, ...]) -> None:
    status, printed = kith(*arguments)
    assert status in (1, 2) and printed["error"]["hint"]
    assert all_runs(world) == [] and not list((world / "runs").glob("*"))


# --- `kith grants` ---


def test_grants_are_given_listed_and_revoked_on_the_command_line(kith: Kith, world: Path) -> None:
    contract, _, _ = asked(world)
    assert "could not find" in contract["answer"]
    _, given = kith("grants", "give", "ben", "Ana", "--always", "--topic", "spare key", "--purpose", "key")
    assert (given["person"], given["grant"]["to"], given["grant"]["state"]) == ("ben", "ana", "open")
    assert asked(world)[0]["citations"] == ["m2"]
    status, done = kith("grants", "revoke", "ben", "g1")
    assert status == 0 and done["grant"]["state"] == "revoked"
    assert done["closed"] == [{"person": "ana", "memories": 1}]
    assert "could not find" in asked(world)[0]["answer"]
    assert [grant["state"] for grant in kith("grants", "list", "ben")[1]["grants"]] == ["revoked"]


def test_a_grant_to_a_kind_of_tie_and_until_a_time(kith: Kith, world: Path) -> None:
    later = (datetime.now() + timedelta(days=1)).isoformat(timespec="minutes")
    _, given = kith("grants", "give", "ben", "tie:friend", "--until", later)
    assert (given["grant"]["to"], given["grant"]["term"]) == ("tie:friend", "until")
    assert asked(world)[0]["citations"] == ["m2"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("give", "ben", "ana"),
        ("give", "ben", "ana", "--once", "--always"),
        ("give", "ben", "nobody", "--once"),
        ("give", "nobody", "ana", "--once"),
        ("give", "ben", "ben", "--once"),
        ("give", "ben", "tie:enemy", "--once"),
        ("give", "ben", "ana", "--until", "soon"),
        ("give", "ben", "ana", "--until", "2001-01-01"),
        ("give", "ben", "ana", "--once", "--item", "m99"),
        ("give", "ben", "ana", "--once", "--item", "the key"),
        ("give", "ben", "ana", "--once", "--topic", "of the"),
        ("revoke", "ben", "g1"),
        ("revoke", "ben", "1"),
        ("list", "nobody"),
    ],
)
def test_grants_that_make_no_sense_are_refused_with_a_hint(kith: Kith, world: Path, arguments: tuple[str, ...]) -> None:
    status, printed = kith("grants", *arguments)
    assert status == 2 and printed["error"]["hint"]
    assert kith("grants", "list", "ben")[1]["grants"] == []


def test_the_tasks_of_this_world_are_what_a_simulation_draws(world: Path) -> None:
    with Store.open(world / "kith.db") as store:
        (drawn,) = tasks.draw(store, 1, 0)
    assert isinstance(drawn, Planned) and drawn.question == KEY
