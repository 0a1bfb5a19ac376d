"""Recall on a LoCoMo file: every arm in the same run, the bars, tuning with one conversation left out, latency."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kithnet.bench.recall import arms, latency, locomo, tune
from kithnet.bench.recall.latency import Latency
from kithnet.bench.recall.locomo import ANSWERABLE, CATEGORIES, Conversation
from kithnet.bench.recall.measures import Score, answerable, interval, mean, score, tokens_for
from kithnet.bench.report import Bar, Result
from kithnet.memory.vectors import Embedder
from kithnet.memory.weights import HYBRID, LEXICAL
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.registry import Registry

Tell = Callable[[int, int, str], None]

SIZES = {10_000: 0.050, 100_000: 0.150}
"""Items of one owner -> seconds that 95 of 100 recalls may take."""
QUICK_SIZES = {2_000: 0.050}
SHIPPED: Mapping[str, Mapping[str, float]] = {"lexical": LEXICAL, "hybrid": HYBRID}
WANTED = 0.80
"""Share of the evidence at which the prompt is weighed."""

_MEASURES: Mapping[str, Callable[[Score], float]] = {
    "R@10": lambda one: one.at(10),
    "R@20": lambda one: one.at(20),
    "session Hit@1": lambda one: one.session_first,
    "session R@10": lambda one: one.sessions,
}


@dataclass
class _Run:
    """What has been measured so far."""

    scores: dict[str, list[Score]] = field(default_factory=dict)
    cases: dict[str, list[tune.Case]] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)


def run(path: Path, models: Path, embedder: str | None, *, quick: bool, seed: int, tell: Tell) -> Result:
    """Measure every arm on the conversations of `path`; `tell` hears (done, total, what comes next).

    embedder: a model's name, or None to measure the search by words alone. quick: two conversations and a small world.
    Raises RecordError for a file of another shape, ModelUnavailable and ModelFileError for the embedder.
    """
    conversations = locomo.load(path)[: 2 if quick else None]
    started = time.perf_counter()
    if embedder is None:
        found = _measure(conversations, None, QUICK_SIZES if quick else SIZES, seed, tell)
    else:
        with closing(LlamaEmbedder.load(Registry(models).resolve(embedder))) as loaded:
            found = _measure(conversations, loaded, QUICK_SIZES if quick else SIZES, seed, tell)
    fitted, left_out = _tuned(found.cases, conversations)
    rows = [_row(name, scores, seed) for name, scores in found.scores.items()]
    rows += [_row(f"ours, {mode}, refitted on all", scores, seed) for mode, scores in fitted.items()]
    rows += [_row(f"ours, {mode}, each left out once", scores, seed) for mode, scores in left_out.items()]
    rows += [_latency_row(one) for one in found.latencies]
    asked = sum(len(one.questions) for one in conversations)
    dropped = sum(one.dropped for one in conversations)
    title = (
        f"Recall on {path.name}: {len(conversations)} conversations, {asked} questions ({dropped} without evidence left "
        f"out); figures are of the {_answerable(conversations)} that have an answer unless a column says otherwise"
    )
    bars = _bars(found, left_out, QUICK_SIZES if quick else SIZES)
    return Result(title, rows, bars, seed, time.perf_counter() - started)


def _answerable(conversations: Sequence[Conversation]) -> int:
    return sum(question.category in ANSWERABLE for one in conversations for question in one.questions)


def _measure(
    conversations: Sequence[Conversation], embedder: Embedder | None, sizes: Mapping[int, float], seed: int, tell: Tell
) -> _Run:
    found = _Run()
    steps = len(conversations) + len(sizes)
    for place, conversation in enumerate(conversations):
        tell(place, steps, conversation.id)
        with tempfile.TemporaryDirectory() as folder, arms.world(conversation, Path(folder), embedder) as here:
            for name, search in arms.arms(here, embedder).items():
                for question in conversation.questions:
                    ranked, abstained = search(question)
                    result = score(place, conversation, question, ranked, abstained)
                    found.scores.setdefault(name, []).append(result)
            for mode, memory in (("lexical", here.lexical), ("hybrid", here.hybrid)):
                if memory is not None:
                    weighed = tune.cases(place, conversation, memory, SHIPPED[mode])
                    found.cases.setdefault(mode, []).extend(weighed)
    for place, items in enumerate(sizes):
        tell(len(conversations) + place, steps, f"{items:,} items")
        found.latencies += latency.measure(conversations, embedder, items, seed)
    tell(steps, steps, "")
    return found


def _tuned(
    cases: Mapping[str, Sequence[tune.Case]], conversations: Sequence[Conversation]
) -> tuple[dict[str, list[Score]], dict[str, list[Score]]]:
    """Mode -> scores by weights fitted on all conversations, and by weights that never saw the one they rank."""
    fitted, left_out = {}, {}
    for mode, given in cases.items():
        fitted[mode] = tune.replay(given, conversations, tune.fit(given, SHIPPED[mode]))
        if len(conversations) > 1:
            left_out[mode] = tune.left_out(given, conversations, SHIPPED[mode])
    return fitted, left_out


def _row(name: str, scores: Sequence[Score], seed: int) -> dict[str, Any]:
    asked = answerable(scores)
    low, high = interval(asked, _MEASURES["R@10"], seed)
    row: dict[str, Any] = {"arm": name, "R@10": mean(asked, _MEASURES["R@10"]), "95 %": f"{low:.3f}-{high:.3f}"}
    row |= {measure: mean(asked, of) for measure, of in _MEASURES.items() if measure != "R@10"}
    for category, called in CATEGORIES.items():
        if of_it := [one for one in scores if one.category == category]:
            row[f"{called} R@10"] = mean(of_it, _MEASURES["R@10"])
    row["all five R@10"] = mean(scores, _MEASURES["R@10"])
    tokens, reached = tokens_for(asked, WANTED)
    row[f"tokens at {WANTED:.2f}"] = round(tokens) if reached else "-"
    if all(one.abstained is not None for one in scores):
        row["in doubt"] = mean(asked, lambda one: float(bool(one.abstained)))
        row["adversarial in doubt"] = mean(
            [one for one in scores if one.category not in ANSWERABLE], lambda one: float(bool(one.abstained))
        )
    return row


def _latency_row(one: Latency) -> dict[str, Any]:
    times = {"p50 ms": one.p50 * 1000, "p95 ms": one.p95 * 1000, "first ms": one.first * 1000}
    return {"arm": f"latency, {one.mode}, {one.items:,} items"} | {name: round(ms, 1) for name, ms in times.items()}


def _bars(found: _Run, left_out: Mapping[str, Sequence[Score]], sizes: Mapping[int, float]) -> list[Bar]:
    bars = [
        *_turn_bars("lexical", found.scores["ours, lexical"], 0.76, 0.83),
        *_turn_bars("lexical, left out", left_out.get("lexical", ()), 0.76, 0.83),
    ]
    if "ours, hybrid" in found.scores:
        for name, scores in (
            ("hybrid", found.scores["ours, hybrid"]),
            ("hybrid, left out", left_out.get("hybrid", ())),
        ):
            asked = answerable(scores)
            if not asked:
                continue
            multi = [one for one in asked if one.category == 1]
            bars += [
                *_turn_bars(name, scores, 0.80, 0.85),
                Bar(f"session Hit@1, {name}", mean(asked, _MEASURES["session Hit@1"]), 0.755, "higher"),
                Bar(f"session R@10, {name}", mean(asked, _MEASURES["session R@10"]), 0.94, "higher"),
                Bar(f"multi-hop R@10, {name}", mean(multi, _MEASURES["R@10"]), 0.50, "higher"),
                Bar(f"prompt tokens at R >= {WANTED:.2f}, {name}", tokens_for(asked, WANTED)[0], 800, "lower"),
            ]
    for one in found.latencies:
        name = f"recall p95 ms at {one.items:,} items, {one.mode}"
        bars.append(Bar(name, one.p95 * 1000, sizes[one.items] * 1000, "lower"))
    return bars


def _turn_bars(name: str, scores: Sequence[Score], at_ten: float, at_twenty: float) -> list[Bar]:
    asked = answerable(scores)
    if not asked:
        return []
    return [
        Bar(f"turn R@10, {name}", mean(asked, _MEASURES["R@10"]), at_ten, "higher"),
        Bar(f"turn R@20, {name}", mean(asked, _MEASURES["R@20"]), at_twenty, "higher"),
    ]
