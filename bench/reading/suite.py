"""How well messages and questions are read in voices that nothing was fitted to: by the trained reader, by the tagger of plans,
by rules; and the tagger's fit."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from kithnet.bench.informative.wordings import read_book
from kithnet.bench.reading import fit, heads, requests, talks
from kithnet.bench.reading.labelled import Labelled, Labeller, writers
from kithnet.bench.report import Bar, Result
from kithnet.memory.writing import tagging
from kithnet.memory.writing.tagging import GROUPS, LABELS, Tagger, Tags
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.errors import InputError
from kithnet.runtime.reader import LlamaReader

FULL, QUICK = 40, 8
"""Days that are told in each writer's words."""
REQUESTS = {"dates": 0.95, "clock times": 0.99}
"""What share of those in real requests is to be read right."""
WEIGHTS = Path(tagging.__file__).with_name(tagging.WEIGHTS)
Tell = Callable[[int, int], None]


def run(
    embedder: Path, reader: Path, *, shared: Path | None = None, asked: Path | None = None, quick: bool = False,
    refit: bool = False, seed: int = 7, target: Path = WEIGHTS, tell: Tell = lambda done, of: None,
) -> Result:  # fmt: skip
    """Report on the writers that are held out. refit: first fit the weights again and write them to `target`. asked: a file of
    real requests, whose dates and times are read too. shared: a folder with public data that the trained reader is judged by too.

    Raises InputError for an embedder that the weights do not belong to, and for a file that cannot be read.
    """
    with closing(LlamaReader.load(reader)) as reads:
        of_heads, head_bars = heads.rows(reads, shared, quick=quick)
    of_requests = requests.rows(requests.load(asked)) if asked else []
    started, steps = time.perf_counter(), len(fit.COURSES) + 2
    with closing(LlamaEmbedder.load(embedder)) as encoder:
        if refit:
            books = writers()
            found = []
            for number, course in enumerate(fit.COURSES):
                found.append(fit.fitted(list(Labeller(books, 1).messages(course.times)), encoder, course))
                tell(number + 1, steps)
            fit.save(target, fit.mean(found))
        tagger = tagging.tagger_of(encoder)
        if tagger is None:
            raise InputError(
                f"the tagger belongs to {tagging.ENCODER}, not to {encoder.name}", "set embedder.name to it"
            )
        held = list(Labeller(writers("held_out"), seed).messages(2))
        table: list[dict[str, Any]] = _labels(held, tagger.tag([one.units for one in held]))
        tell(steps - 1, steps)
        table += _talks(tagger, QUICK if quick else FULL, seed)
        tell(steps, steps)
    table += of_requests + of_heads
    unseen = [row for row in table if "tagger" in row and row["of"] != "dev"]
    bars = [Bar(f"talk of {row['of']} read, F1", row["tagger"], row["rules"], "higher") for row in unseen]
    bars += [
        Bar(f"{row['of']} read", row["right"], REQUESTS[row["of"]], "higher")
        for row in of_requests
        if row["of"] in REQUESTS
    ]
    bars += head_bars
    return Result("Messages and questions, read", table, bars, seed, time.perf_counter() - started)


def _labels(held: Sequence[Labelled], tags: Sequence[Tags]) -> list[dict[str, Any]]:
    """Of the units of each group, and of whole messages, how many are labelled as they should be."""
    rows = []
    for group, labels in LABELS.items():
        right = [
            labels[int(np.argmax(odds))] == (label if label in labels else "")
            for one, tagged in zip(held, tags, strict=True)
            for unit, label, odds in zip(one.units, one.labels, tagged.odds, strict=True)
            if GROUPS[unit.kind] == group
        ]
        rows.append({"of": f"labels of {group}", "count": len(right), "right": sum(right) / max(1, len(right))})
    acts = [one.act == tagged.act for one, tagged in zip(held, tags, strict=True)]
    about = [one.subject == tagged.subject for one, tagged in zip(held, tags, strict=True) if one.subject]
    for name, right in (("acts", acts), ("subjects", about)):
        rows.append({"of": name, "count": len(right), "right": sum(right) / max(1, len(right))})
    return rows


def _talks(tagger: Tagger, count: int, seed: int) -> list[dict[str, Any]]:
    """Of the facts told in whole talks, the F1 of those read, by rules and by the tagger with rules beside it."""
    books = {"dev": read_book("schedule", "dev"), "test": read_book("schedule", "test")}
    books |= {name: talks.book_of(phrases) for name, phrases in writers("held_out").items()}
    rows = []
    for name, book in books.items():
        told = talks.talks(book, count, seed)
        by_rules, by_tagger = talks.score(told, None), talks.score(told, tagger)
        rows.append({"of": name, "count": by_rules.told, "rules": by_rules.f1, "tagger": by_tagger.f1})
    return rows
