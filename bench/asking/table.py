"""What a run comes to: a row for each part, mind and kind, pairs with today's route, bars."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from kithnet.bench.asking.outcomes import Key, Outcome
from kithnet.bench.asking.parts import BY_AGENTS, CUTS, RECALL, WHOLE
from kithnet.bench.asking.question import Question
from kithnet.bench.asking.scoring import sign_test, telling, wilson
from kithnet.bench.minds import READER
from kithnet.bench.report import Bar

LONGEST_SECONDS = 60.0
"""Of platform time: what a question takes outside the model."""
GOALS: Mapping[str, Sequence[tuple[str, str, float]]] = {
    "friendsqa": (("right", "higher", 0.75), ("wrong", "lower", 0.10), ("calls", "lower", 4.0)),
    "locomo": (("right", "higher", 0.70), ("refused", "higher", 0.80)),
}
"""Source -> what the whole way has to reach with a model that thinks."""

Asked = Sequence[tuple[Question, Outcome]]


def rows(
    questions: Sequence[Question], outcomes: Mapping[Key, Outcome], parts: Sequence[str], minds: Sequence[str]
) -> list[dict[str, Any]]:
    """All questions first, then each kind of the parts that the agents play."""
    found = []
    for part, mind in ways(parts, minds):
        asked = _asked(questions, outcomes, part, mind)
        if not asked:
            continue
        found.append(_recall(asked) if part == RECALL else _row(part, mind, "all", asked))
        kinds = dict.fromkeys(one.kind for one, _ in asked if one.kind)
        if part in BY_AGENTS and len(kinds) > 1:
            of_kind = {kind: [pair for pair in asked if pair[0].kind == kind] for kind in kinds}
            found += [_row(part, mind, kind, some) for kind, some in of_kind.items()]
    return found + _pairs(questions, outcomes, parts, minds)


def ways(parts: Sequence[str], minds: Sequence[str]) -> list[tuple[str, str]]:
    """(part, mind): one for each mind where the agents play, one without a mind else."""
    return [(part, mind) for part in parts for mind in (minds if part in BY_AGENTS else ("",))]


def _asked(questions: Sequence[Question], outcomes: Mapping[Key, Outcome], part: str, mind: str) -> Asked:
    return [(one, outcomes[part, mind, one.id]) for one in questions if (part, mind, one.id) in outcomes]


def _row(part: str, mind: str, kind: str, asked: Asked) -> dict[str, Any]:
    n, ended = len(asked), [one for _, one in asked]
    hits = sum(one.right for one in ended)
    low, high = wilson(hits, n)
    without = [one for question, one in asked if not question.answerable]
    row: dict[str, Any] = {
        "part": part, "mind": mind or "-", "kind": kind, "n": n, "right": hits / n, "95 %": f"{low:.3f}-{high:.3f}",
        "telling": sum(_telling(*pair) for pair in asked) / n, "wrong": _wrong(asked) / n,
        "not known": sum(q.answerable and not one.known and not one.error for q, one in asked) / n,
    }  # fmt: skip
    if without:
        row["refused"] = fmean(not one.known for one in without)
    if part in BY_AGENTS:
        row["cites gold"] = sum(one.cites for one in ended) / n
    row |= {name: fmean(getattr(one, name) for one in ended) for name in ("calls", "sent", "evaluated", "generated")}
    row["seconds"] = fmean(one.seconds for one in ended)
    row["platform ms a call"] = 1000 * sum(map(_platform, ended)) / max(1, sum(one.calls for one in ended))
    row["longest platform s"] = max(map(_platform, ended))
    row["failed"] = sum(bool(one.error) for one in ended)
    return row


def _telling(question: Question, one: Outcome) -> bool:
    return one.right or (one.known and question.answerable and telling(one.answer, question.gold, question.text))


def _wrong(asked: Asked) -> int:
    return sum(one.known and not one.right for _, one in asked)


def _platform(one: Outcome) -> float:
    return max(0.0, one.seconds - one.model_seconds)


def _recall(asked: Asked) -> dict[str, Any]:
    n, ranks = len(asked), [one.rank for _, one in asked]
    row: dict[str, Any] = {"part": RECALL, "mind": "-", "kind": "all", "n": n}
    row |= {f"recall@{cut}": sum(0 < rank <= cut for rank in ranks) / n for cut in CUTS}
    if after := [one.reranked for _, one in asked if one.reranked]:
        row |= {f"reranked@{cut}": sum(rank <= cut for rank in after) / n for cut in CUTS[:-1]}
    return row | {"seconds": fmean(one.seconds for _, one in asked), "failed": sum(bool(one.error) for _, one in asked)}


def _pairs(
    questions: Sequence[Question], outcomes: Mapping[Key, Outcome], parts: Sequence[str], minds: Sequence[str]
) -> list[dict[str, Any]]:
    """Each mind beside today's route over the questions that both were asked, by the exact sign test."""
    found = []
    for part in [one for one in parts if one in BY_AGENTS]:
        before = {q.id: one for q, one in _asked(questions, outcomes, part, READER)}
        for mind in [one for one in minds if one != READER]:
            both = [(before[q.id], one) for q, one in _asked(questions, outcomes, part, mind) if q.id in before]
            if not both:
                continue
            better = sum(new.right and not old.right for old, new in both)
            worse = sum(old.right and not new.right for old, new in both)
            found.append(
                {"part": part, "mind": f"{mind} less {READER}", "kind": "paired", "n": len(both),
                 "right": (better - worse) / len(both), "better": better, "worse": worse, "p": sign_test(better, worse)}
            )  # fmt: skip
    return found


def bars(
    source: str,
    questions: Sequence[Question],
    outcomes: Mapping[Key, Outcome],
    parts: Sequence[str],
    minds: Sequence[str],
) -> list[Bar]:
    """What the whole way has to reach; the goals of answers only for a mind that is not today's route."""
    found = []
    for part, mind in ways(parts, minds):
        asked = _asked(questions, outcomes, part, mind)
        if part not in BY_AGENTS or not asked:
            continue
        row = _row(part, mind, "all", asked)
        if part == WHOLE and mind != READER:
            found += [Bar(f"{name}, {source}, {mind}", row[name], goal, better)  # type: ignore[arg-type]
                      for name, better, goal in GOALS.get(source, ()) if name in row]  # fmt: skip
        found.append(
            Bar(f"longest platform seconds, {part}, {mind}", row["longest platform s"], LONGEST_SECONDS, "lower")
        )
        found.append(Bar(f"failed, {part}, {mind}", row["failed"], 0, "lower"))
    return found
