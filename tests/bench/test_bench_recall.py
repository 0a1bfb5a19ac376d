"""`kith bench recall`: the loader and its errors, the measures, tuning, and a run on small conversations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kithnet.bench.recall import arms, latency, locomo, suite, tune
from kithnet.bench.recall.measures import CUTS, Score, interval, score, tokens_for
from kithnet.bench.report import as_json
from kithnet.memory.vectors import HashEmbedder
from kithnet.memory.weights import LEXICAL
from kithnet.runtime.errors import RecordError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "locomo" / "locomo_dev.json"


def sample(name: str, things: list[str]) -> dict[str, Any]:
    """A conversation in which Ann gets one thing a session and Ben answers."""
    conversation: dict[str, Any] = {"speaker_a": "Ann", "speaker_b": "Ben"}
    for number, thing in enumerate(things, start=1):
        conversation[f"session_{number}_date_time"] = f"1:{number:02} pm on {number} May, 2023"
        conversation[f"session_{number}"] = [
            {"speaker": "Ann", "dia_id": f"D{number}:1", "text": f"Yesterday I bought a {thing}."},
            {"speaker": "Ben", "dia_id": f"D{number}:2", "text": "How lovely!", "blip_caption": f"{thing} shop"},
            {"speaker": "Ben", "dia_id": f"D{number}:3", "text": "I stayed at home with the dog."},
        ]
    qa = [
        {"question": f"When did Ann buy a {thing}?", "category": number % 5 + 1, "evidence": [f"D{number + 1}:1"]}
        for number, thing in enumerate(things)
    ]
    qa += [
        {"question": "Nothing?", "category": 3, "evidence": []},
        {"question": "Odd?", "category": 3, "evidence": ["D:9:9"]},
    ]
    return {"sample_id": name, "conversation": conversation, "qa": qa}


THINGS = ["teapot", "bassoon", "canoe", "lantern", "violin", "tractor"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([sample("one", THINGS), sample("two", THINGS[::-1])]))
    return path


def test_a_conversation_becomes_messages_with_dates_captions_and_evidence(file: Path) -> None:
    one, _ = locomo.load(file)
    assert (one.id, one.sessions, len(one.messages), len(one.questions), one.dropped) == ("one", 6, 18, 6, 2)
    assert [person.id for person in one.people] == ["ann", "ben"]
    second = one.messages[1]
    assert (second.sender, second.receiver, second.text) == ("ben", "ann", "How lovely! [teapot shop]")
    assert second.at is not None and (second.at.day, second.at.hour) == (1, 13)
    assert one.questions[2].evidence == {6}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no JSON"),
        ("{}", "no list"),
        ("[]", "no list"),
        ("[1]", "conversation 1"),
        ('[{"conversation": {}, "qa": []}]', "no session"),
        (
            '[{"conversation": {"session_1": [{"speaker": "A", "dia_id": "D1:1", "text": "x"}]}, "qa": []}]',
            "1 people speak",
        ),
        ('[{"conversation": {"session_1": [{"speaker": "A"}]}, "qa": []}]', "dia_id"),
        ('[{"conversation": {"session_1": []}, "qa": [{"question": "x", "category": 9}]}]', "category"),
    ],
)
def test_a_file_of_another_shape_is_told_plainly(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=told):
        locomo.load(path)
    with pytest.raises(RecordError, match="cannot read"):
        locomo.load(tmp_path / "absent.json")


def test_a_ranking_is_measured_by_its_evidence_sessions_and_tokens(file: Path) -> None:
    one, _ = locomo.load(file)
    measured = score(0, one, locomo.Question("?", 1, frozenset((0, 6))), [1, 0, 4, 7, 6])
    assert (measured.at(1), measured.at(2), measured.at(5), measured.at(10)) == (0.0, 0.5, 1.0, 1.0)
    assert measured.session_first == 1.0 and measured.sessions == 1.0
    nothing = score(0, one, one.questions[0], [])
    assert (nothing.at(50), nothing.session_first, nothing.tokens[-1]) == (0.0, 0.0, 0)


def test_tokens_are_those_of_the_first_cut_that_reaches_the_share() -> None:
    def made(recall: float) -> Score:
        steps = tuple(recall * (place > 2) for place in range(len(CUTS)))
        return Score(0, 1, steps, tuple(range(10, 10 + len(CUTS))), 1.0, 1.0, None)

    assert tokens_for([made(1.0)], 0.8) == (13.0, True)
    assert tokens_for([made(0.5)], 0.8) == (9.0 + len(CUTS), False)


def test_intervals_are_drawn_by_conversation_and_repeat() -> None:
    scores = [Score(place, 1, (float(place % 2),) * len(CUTS), (0,) * len(CUTS), 0.0, 0.0, None) for place in range(6)]
    low, high = interval(scores, lambda one: one.at(10), 7)
    assert low < 0.5 < high and (low, high) == interval(scores, lambda one: one.at(10), 7)


def test_tuning_finds_the_signal_that_tells_and_leaves_the_others_small() -> None:
    rng = np.random.default_rng(0)
    given = []
    for number in range(30):
        signals = rng.random((20, len(LEXICAL)))
        gold = np.zeros(20, dtype=bool)
        gold[int(signals[:, 0].argmax())] = True
        given.append(tune.Case(number % 3, 0, 4, signals, tuple(range(20)), gold))
    found = tune.fit(given, LEXICAL)
    first, *others = (found[name] for name in LEXICAL if name not in tune.BY_HAND)
    assert first > 2 * max(map(abs, others))
    assert found["asks"] <= 0 and found["linked"] == LEXICAL["linked"]
    assert found == tune.fit(given, LEXICAL)


def test_every_arm_ranks_real_messages_and_ours_finds_what_was_said(file: Path, tmp_path: Path) -> None:
    one, _ = locomo.load(file)
    embedder = HashEmbedder(64)
    with arms.world(one, tmp_path / "world", embedder) as here:
        found = arms.arms(here, embedder)
        assert [name.split()[0] for name in found] == ["EMMA:", "iAgents:", "stemmed", "dense", "ours,", "ours,"]
        for name, search in found.items():
            ranked, abstained = search(one.questions[1])
            assert len(set(ranked)) == len(ranked) and set(ranked) <= set(range(18)), name
            assert (abstained is None) is not name.startswith("ours")
            if name.startswith("ours"):
                assert ranked[0] == 3
        assert not found["stemmed BM25 (FTS5)"](locomo.Question("?!", 1, frozenset((0,))))[0]
        assert not found["iAgents: LIKE keywords, windows"](locomo.Question("?!", 1, frozenset((0,))))[0]
        weighed = tune.cases(0, one, here.lexical, LEXICAL)
        assert len(weighed) == 6 and weighed[0].signals.shape[1] == len(LEXICAL)
        assert all(case.gold.sum() == 1 for case in weighed)


def test_recall_is_timed_in_a_world_of_messages_and_notes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "ASKED", 3)
    found = list(latency.measure(locomo.load(file), HashEmbedder(32), 60, 7))
    assert [(one.items, one.mode) for one in found] == [(60, "lexical"), (60, "hybrid")]
    assert all(0 < one.p50 <= one.p95 and one.first > 0 for one in found)


def test_a_run_by_words_alone_reports_every_bar_in_the_contract(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "QUICK_SIZES", {40: 9.0})
    monkeypatch.setattr(latency, "ASKED", 2)
    heard: list[tuple[int, int, str]] = []
    result = suite.run(file, tmp_path, None, quick=True, seed=7, tell=lambda *step: heard.append(step))
    told = json.loads(json.dumps(as_json(result), allow_nan=False))
    assert heard[0] == (0, 3, "one") and heard[-1] == (3, 3, "")
    rows = {row["arm"]: row for row in told["table"]}
    assert rows["ours, lexical"]["R@10"] == 1.0 and "adversarial R@10" in rows["ours, lexical"]
    assert "ours, lexical, each left out once" in rows and "latency, lexical, 40 items" in rows
    assert {bar["name"] for bar in told["bars"]} >= {"turn R@10, lexical", "turn R@20, lexical, left out"}


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_file(), reason="needs ../shared/data/locomo")
def test_the_development_file_is_read_whole() -> None:
    found = locomo.load(DATA)
    assert [len(one.messages) for one in found] == [419, 369, 663, 629, 680]
    assert sum(one.dropped for one in found) == 2
    assert all(message.at for one in found for message in one.messages)
