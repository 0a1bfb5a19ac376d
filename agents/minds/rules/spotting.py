"""Which words of a sentence are the thing it speaks of, learnt from examples in which that is known.

Candidates are the runs of up to `LONGEST` words that no function word or mark breaks. What speaks for one is what its words
mean, as things resemble each other, and what stands around it, as "a soft spot for ..., always" has a place for a thing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np

from kithnet.agents.minds.rules.examples import examples
from kithnet.agents.wording import FUNCTION_WORDS, content_words
from kithnet.memory.language.text import stem
from kithnet.memory.vectors import Embedder

LONGEST = 4
"""Words of a thing at most."""
OTHERS, COMMON = 4, 4
"""Runs of an example that are learnt as no thing; in how many runs a feature must stand to be one."""
RIDGE, WEIGHT, RARE = 2.0, 0.5, 2.0
"""Weight of the penalty; of a feature beside the embedding; of a thing beside the runs that are none."""
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Thing:
    """A run of words. first, last: where it stands in its sentence. score: about 1 for a thing, -1 for other words."""

    text: str
    first: int
    last: int
    score: float


def things(sentences: Sequence[str], embedder: Embedder) -> list[list[Thing]]:
    """For each sentence what may be its thing, the likeliest first."""
    return _spotter(embedder).things(sentences)  # type: ignore[arg-type]  # an object: it can be hashed


@lru_cache(maxsize=2)
def _spotter(embedder: Embedder) -> "_Spotter":
    """Fitted once."""
    return _Spotter(embedder)


@dataclass(frozen=True, slots=True)
class _Run:
    """Words of a sentence, from place `a` up to place `b`."""

    said: tuple[str, ...]
    a: int
    b: int

    @property
    def text(self) -> str:
        return " ".join(self.said[self.a : self.b]).casefold()


class _Spotter:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        banks = examples("leanings")
        self._used = frozenset(stem(word) for bank in banks.values() for one in bank for word in content_words(one))
        runs, wanted = _examples()
        found = [self._features(run) for run in runs]
        counts = Counter(feature for one in found for feature in one)
        self._places = {one: place for place, one in enumerate(sorted(o for o, n in counts.items() if n >= COMMON))}
        rows = self._rows(runs, found)
        weight = np.where(wanted > 0, RARE, 1.0)
        squares = (rows * weight[:, None]).T @ rows + RIDGE * np.eye(rows.shape[1])
        self._weights = np.linalg.solve(squares, rows.T @ (weight * wanted))

    def things(self, sentences: Sequence[str]) -> list[list[Thing]]:
        cut = [list(_TOKEN.finditer(sentence)) for sentence in sentences]
        runs = [list(_runs(tuple(token[0] for token in tokens))) for tokens in cut]
        flat = [run for one in runs for run in one]
        scores = iter(self._rows(flat, [self._features(run) for run in flat]) @ self._weights if flat else ())
        found: list[list[Thing]] = []
        for sentence, tokens, one in zip(sentences, cut, runs, strict=True):
            places = [(tokens[run.a].start(), tokens[run.b - 1].end()) for run in one]
            spotted = [Thing(sentence[a:b], a, b, float(next(scores))) for a, b in places]
            found.append(sorted(spotted, key=lambda thing: -thing.score))
        return found

    def _rows(self, runs: Sequence[_Run], features: Sequence[Sequence[str]]) -> np.ndarray:
        marks = np.zeros((len(runs), len(self._places)))
        for row, one in zip(marks, features, strict=True):
            row[[self._places[feature] for feature in one if feature in self._places]] = WEIGHT
        return np.hstack([self._embedder.embed([run.text for run in runs]), marks, np.ones((len(runs), 1))])

    def _features(self, run: _Run) -> list[str]:
        """What stands before and behind a run, its words as far as the examples use them of any thing, how they end."""
        low = [word.casefold() for word in run.said]
        held = low[run.a : run.b]
        before, two_before, after, two_after = (_sort(low, at) for at in (run.a - 1, run.a - 2, run.b, run.b + 1))
        known = [one for word in held if (one := stem(word)) in self._used]
        return [
            f"<{before}", f"<<{two_before} {before}", f">{after}", f">>{after} {two_after}", f"<>{before} {after}",
            f"<{_class(low, run.a - 1)}", f">{_class(low, run.b)}", f"long {len(held)}",
            f"alone {run.a == 0 and run.b >= len(low) - 1}", f"used {len(known) / len(held):.1f}",
            *(f"is {one}" for one in known), f"...{held[0][-3:]}", f"{held[-1][-2:]}.", f"{held[-1][-3:]}.",
        ]  # fmt: skip


def _sort(low: Sequence[str], at: int) -> str:
    if not 0 <= at < len(low):
        return "edge"
    return stem(low[at]) if low[at][0].isalnum() else low[at]


def _class(low: Sequence[str], at: int) -> str:
    word = low[at] if 0 <= at < len(low) else "."
    return "mark" if not word[0].isalnum() else "function" if word in FUNCTION_WORDS else "content"


def _runs(said: tuple[str, ...]) -> Iterator[_Run]:
    """Every run that may be a thing."""
    start = 0
    for at in range(len(said) + 1):
        if at < len(said) and said[at][0].isalnum() and said[at].casefold().replace("’", "'") not in FUNCTION_WORDS:
            continue
        for a in range(start, at):
            yield from (_Run(said, a, b) for b in range(a + 1, min(at, a + LONGEST) + 1))
        start = at + 1


def _examples() -> tuple[list[_Run], np.ndarray]:
    """Runs of the examples with things put into them, and 1 for the thing, -1 for another."""
    rng = Random("things")
    named = examples("things")["things"]
    runs: list[_Run] = []
    wanted: list[float] = []
    for pattern in (one for bank in examples("leanings").values() for one in bank if "{}" in one):
        thing = tuple(_TOKEN.findall(rng.choice(named).removeprefix("the ")))
        before, _, after = pattern.partition("{}")
        head = tuple(_TOKEN.findall(before))
        said = (*head, *thing, *_TOKEN.findall(after.replace("{}", "them")))
        right = _Run(said, len(head), len(head) + len(thing))
        others = [run for run in _runs(said) if run != right]
        some = rng.sample(others, min(OTHERS, len(others)))
        runs += [right, *some]
        wanted += [1.0, *(-1.0 for _ in some)]
    return runs, np.array(wanted)
