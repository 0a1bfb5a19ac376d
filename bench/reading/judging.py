"""How well a reader reads: figures over talk that it was not trained on, whether PyTorch or llama.cpp runs it."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from kithnet.bench.reading.examples import Asked, Related, Task, Told
from kithnet.runtime.packing import Line, Row
from kithnet.runtime.reader import KINDS, RELATIONS, SECRECY, STANCES, TOOLS, Floats, Judged, Span

MESSAGE_HEADS = (
    ("kind", KINDS, 0.5),
    ("stance", STANCES, 0.5),
    ("secrecy", SECRECY, 1.0),
)
"""Heads that read a message: their labels, and what their loss counts."""
AROUND = 2
"""Lines before and behind the one that a window is about."""


class Reads(NamedTuple):
    """What is judged: the functions of a `Reader`."""

    relevance: Callable[[str, Sequence[tuple[Line | None, Line]]], Floats]
    spans: Callable[[str, Sequence[Sequence[Line]]], Sequence[Span | None]]
    judged: Callable[[Sequence[tuple[Line | None, Line]]], Sequence[Judged]]
    relations: Callable[[Sequence[tuple[Line, Line]]], Floats]
    tools: Callable[[Sequence[str]], Floats]


def tokens_of(row: Row, span: tuple[int, int, int]) -> tuple[int, int] | None:
    """The first and the last token of a span in a packed row, None where it was cut off."""
    line, start, end = span
    inside = [
        word for word in row.words
        if word.line == line and (word.start == -1 if start < 0 else word.end > start and word.start < end and word.start >= 0)
    ]  # fmt: skip
    return (inside[0].first, inside[-1].last) if inside else None


def window(lines: Sequence[Line], at: int) -> tuple[int, Sequence[Line]]:
    """(number of its first line, the lines) around one."""
    first = max(0, at - AROUND)
    return first, lines[first : at + AROUND + 1]


def text_of(lines: Sequence[Line], span: Span) -> str:
    by, text = lines[span.line]
    return by if span.start < 0 else text[span.start : span.end]


def overlap(one: str, two: str) -> float:
    """F1 of two texts' words, articles and punctuation apart (SQuAD's measure)."""
    a, b = _words(one), _words(two)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b)) if shared else 0.0


def _words(text: str) -> list[str]:
    return re.sub(r"\b(a|an|the)\b", " ", "".join(c if c.isalnum() else " " for c in text.casefold())).split()


class OfQuestion(NamedTuple):
    """line, f1: whether the best span over all windows of the talk lies in a right line, and its F1. given: F1 where the window
    of a right line is given. odds: of the best span. ranked: place of the first right line by relevance, from 1, 0 for none."""

    line: bool
    f1: float
    given: float
    odds: float
    ranked: int
    answered: bool


def question(reads: Reads, one: Asked) -> OfQuestion:
    """A question judged over its own talk."""
    cuts = [window(one.lines, at) for at in range(len(one.lines))]
    found = [
        (first + span.line, text_of(lines, span), span.odds, at)
        for at, ((first, lines), span) in enumerate(
            zip(cuts, reads.spans(one.question, [c for _, c in cuts]), strict=True)
        )
        if span
    ]
    golds = [one.lines[line][0] if start < 0 else one.lines[line][1][start:end] for line, start, end in one.spans]
    best = max(found, key=lambda item: item[2])
    given = max((item for item in found if item[3] in one.gold), key=lambda item: item[2], default=None)
    ranks = reads.relevance(
        one.question, [(one.lines[at - 1] if at else None, line) for at, line in enumerate(one.lines)]
    )
    order = list(np.argsort(-ranks))
    return OfQuestion(
        best[0] in one.gold,
        max((overlap(best[1], gold) for gold in golds), default=0.0),
        max((overlap(given[1], gold) for gold in golds), default=0.0) if given else 0.0,
        best[2],
        next((place for place, at in enumerate(order, 1) if at in one.gold), 0),
        bool(one.spans),
    )


def questions(reads: Reads, asked: Sequence[Asked]) -> dict[str, float]:
    """Shares over questions that are answered in their talk, and how well the odds tell them from those that are not."""
    rows = [question(reads, one) for one in asked]
    there = [row for row in rows if row.answered]
    found = {
        "n": float(len(there)),
        "right line": float(np.mean([row.line for row in there])),
        "span F1": float(np.mean([row.f1 for row in there])),
        "span F1, right line given": float(np.mean([row.given for row in there])),
        "right line ranked first": float(np.mean([row.ranked == 1 for row in there])),
    }
    absent = [row.odds for row in rows if not row.answered]
    if absent:
        found["unanswered told from answered, AUC"] = auc([row.odds for row in there], absent)
    return found


def auc(high: Sequence[float], low: Sequence[float]) -> float:
    """How often one of `high` is above one of `low`."""
    a, b = np.array(high)[:, None], np.array(low)[None, :]
    return float((a > b).mean() + 0.5 * (a == b).mean())


def messages(reads: Reads, told: Sequence[Told]) -> dict[str, float]:
    """Of kind and stance the share that is right; of secrecy what is missed and what is held back for nothing."""
    found = reads.judged([(one.before if one.before[1] else None, one.line) for one in told])
    figures = {}
    for name, labels, _ in MESSAGE_HEADS[:2]:
        right = [
            labels[int(np.argmax(getattr(odds, name)))] == getattr(one, name)
            for one, odds in zip(told, found, strict=True)
            if getattr(one, name)
        ]
        if right:
            figures[f"{name} right"] = float(np.mean(right))
    odds = np.stack([one.secrecy for one in found])
    truth = np.array([SECRECY.index(one.secrecy) for one in told])
    kept = 1 - odds[:, 0]
    for level, name in ((2, "confidences"), (1, "delicate")):
        if (truth == level).any() and (truth == 0).any():
            figures[f"{name}, AUC"] = auc(list(kept[truth == level]), list(kept[truth == 0]))
            limit = float(np.quantile(kept[truth == 0], 0.95))
            figures[f"{name} missed with .05 of ordinary held back"] = float((kept[truth == level] <= limit).mean())
    return figures


def pairs(reads: Reads, related: Sequence[Related]) -> dict[str, float]:
    """The share of relations that is right, and of replacements against all others."""
    odds = reads.relations([(one.old, one.new) for one in related])
    truth = np.array([RELATIONS.index(one.relation) for one in related])
    replaced = odds[:, 0] > 0.5
    return {
        "relation right": float((odds.argmax(axis=1) == truth).mean()),
        "replacements missed": float((~replaced[truth == 0]).mean()),
        "replaced for nothing": float(replaced[truth != 0].mean()),
    }


def tools(reads: Reads, asked: Sequence[Task]) -> dict[str, float]:
    """The share of tasks whose tool is told, of those that want one and of those that want none."""
    found = [TOOLS[int(at)] for at in reads.tools([one.text for one in asked]).argmax(axis=1)]
    right = {False: [], True: []}  # type: dict[bool, list[bool]]
    for one, tool in zip(asked, found, strict=True):
        right[one.tool == "none"].append(one.tool == tool)
    return {"tool told": float(np.mean(right[False])), "no tool told": float(np.mean(right[True]))}
