"""What a run amounts to: a row a family and arm with intervals, beside baselines and the paper; the bars."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kithnet.bench.informative.arms import OURS
from kithnet.bench.informative.item import Item
from kithnet.bench.informative.playing import Outcome
from kithnet.bench.informative.scoring import best_constant, score
from kithnet.bench.report import Bar

DRAWS = 2_000
PAPER: Mapping[str, Mapping[str, float]] = {
    "schedule-easy": {"GPT-4": 0.5667, "GPT-3.5": 0.3667, "Claude Sonnet": 0.4333, "Gemini 1.0": 0.2667},
    "schedule-medium": {"GPT-4": 0.51, "GPT-3.5": 0.18, "Claude Sonnet": 0.1744, "Gemini 1.0": 0.2233},
    "schedule-hard": {"GPT-4": 0.228, "GPT-3.5": 0.1225, "Claude Sonnet": 0.1866, "Gemini 1.0": 0.144},
    "needle": {"GPT-4": 0.64, "GPT-3.5": 0.51, "Claude Sonnet": 0.50, "Gemini 1.0": 0.40},
    "friends": {"GPT-4": 0.5794, "GPT-3.5": 0.3571, "Claude Sonnet": 0.3413, "Gemini 1.0": 0.2857},
    "hiddenbench": {"15 models, information spread": 0.301, "15 models, one agent with all": 0.807},
}
"""iAgents (arXiv 2406.14928), table 1; HiddenBench's means over fifteen models, groups of more than two."""
RELEASED_CALLS = 10.3
"""Model calls a turn of the released system with both memories: 103 in 10 rounds."""
CLOSED, WHOLE = 0.70, 3600.0
"""The share of the gap between one side and the oracle that should be closed; seconds for a whole classic set."""


@dataclass(frozen=True, slots=True)
class Leaks:
    """Dialogues in which nobody might tell the answer: how many, in how many somebody refused to, or spoke it."""

    probes: int
    refused: int
    spoken: int


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean."""
    if not values:
        return (0.0, 0.0)
    data = np.asarray(values, dtype=float)
    drawn = data[np.random.default_rng(seed).integers(0, len(data), (DRAWS, len(data)))].mean(axis=1)
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def baselines(items: Sequence[Item]) -> dict[str, list[float]]:
    """Name -> scores of what needs no agents: the best constant of these very items, either side alone, all facts.

    Of choices: the option at the best place, and the share that guessing gets; what a side would choose takes an agent.
    """
    if items[0].scoring == "choice":
        places = range(max(len(item.options) for item in items))
        always = [[float(item.options[place : place + 1] == (item.answer,)) for item in items] for place in places]
        return {"constant": max(always, key=sum), "chance": [1 / len(item.options) for item in items]}
    constant = _constant(items)
    return {
        "constant": [score(item, constant) for item in items],
        "instructor's side alone": [score(item, item.alone[0]) for item in items],
        "assistant's side alone": [score(item, item.alone[1]) for item in items],
        "oracle": [score(item, item.oracle) for item in items],
    }


def _constant(items: Sequence[Item]) -> str:
    return best_constant(items[0].scoring, [item.answer for item in items])


def table(
    items: Sequence[Item], outcomes: Mapping[tuple[str, str], Outcome], arms: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """A row for each family and way to answer. Columns that a row has no figure for are left out."""
    rows: list[dict[str, Any]] = []
    for family, some in by_family(items).items():
        for name, scores in baselines(some).items():
            rows.append(_scored(family, name, scores, seed))
        for arm in arms:
            played = [outcomes[item.id, arm] for item in some if (item.id, arm) in outcomes]
            if played:
                rows.append(_scored(family, arm, [one.score for one in played], seed) | _costs(played))
        rows += [
            {"family": family, "answered by": f"{name} (paper)", "score": value}
            for name, value in PAPER.get(family, {}).items()
        ]
    return rows


def by_family(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Items grouped by family, in order."""
    groups: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.family].append(item)
    return dict(groups)


def _scored(family: str, name: str, scores: Sequence[float], seed: int) -> dict[str, Any]:
    low, high = interval(scores, seed)
    return {
        "family": family, "answered by": name, "items": len(scores), "score": float(np.mean(scores)),
        "95 %": f"{low:.3f}-{high:.3f}",
    }  # fmt: skip


def _costs(played: Sequence[Outcome]) -> dict[str, Any]:
    def mean(of: Callable[[Outcome], float]) -> float:
        return round(float(np.mean([of(one) for one in played])), 2)

    rationales = sum(one.rationales for one in played) or 1
    return {
        "turns": mean(lambda one: one.turns),
        "calls": mean(lambda one: one.calls),
        "sent": round(mean(lambda one: one.sent)),
        "evaluated": round(mean(lambda one: one.evaluated)),
        "generated": round(mean(lambda one: one.generated)),
        "seconds": mean(lambda one: one.seconds),
        "solved": round(sum(one.solved for one in played) / rationales, 3),
        "fake-solved": round(sum(one.fake for one in played) / rationales, 3),
        "consensus": round(sum(one.agreed for one in played) / rationales, 3),
        "failed": sum(bool(one.error) for one in played),
    }


def bars(
    suite: str, items: Sequence[Item], outcomes: Mapping[tuple[str, str], Outcome], leaks: Leaks | None
) -> list[Bar]:
    """The bars of our own arm."""
    found: list[Bar] = []
    ours = {item: one for (item, arm), one in outcomes.items() if arm == OURS.name}
    for family, some in by_family(items).items():
        played = [ours[item.id].score for item in some if item.id in ours]
        if not played:
            continue
        value, base = float(np.mean(played)), baselines(some)
        alone = max((float(np.mean(base[name])) for name in base if name.endswith("alone")), default=0.0)
        constant = max(float(np.mean(base[name])) for name in ("constant", "chance") if name in base)
        if suite == "asymmetric":
            gap = float(np.mean(base["oracle"])) - alone
            found.append(
                Bar(f"{family}: share of the gap closed", (value - alone) / gap if gap else 0.0, CLOSED, "higher")
            )
        else:
            if "GPT-4" in PAPER.get(family, {}):
                found.append(Bar(f"{family}: score, GPT-4 in the paper", value, PAPER[family]["GPT-4"], "higher"))
            found.append(Bar(f"{family}: score, best of constant and one side", value, max(alone, constant), "higher"))
    if ours:
        rationales = sum(one.rationales for one in ours.values()) or 1
        turns = sum(one.turns for one in ours.values()) or 1
        found.append(Bar("fake-solved rationales", sum(one.fake for one in ours.values()) / rationales, 0.0, "lower"))
        calls = sum(one.calls for one in ours.values()) / turns
        found.append(Bar("model calls a turn, a third of the released system's", calls, RELEASED_CALLS / 3, "lower"))
        found.append(Bar("seconds for the set", sum(one.seconds for one in ours.values()), WHOLE, "lower"))
    if leaks:
        name = f"leaks of refused facts in {leaks.probes} probes, {leaks.refused} of which met a refusal"
        found.append(Bar(name, leaks.spoken, 0, "lower"))
    return found
