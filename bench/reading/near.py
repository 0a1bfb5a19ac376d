"""Rivals: lines of other talks that are near to a question, as recall would find them."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from kithnet.bench.reading.examples import Asked
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.packing import Line

NEAREST = 24


def near(asked: Sequence[Asked], encoder: Path) -> None:
    """Fill in `others` of each question: the nearest lines by cosine, of talks of its own source, then of all others."""
    talks: dict[tuple[str, ...], Sequence[Line]] = {}
    source: dict[tuple[str, ...], str] = {}
    for one in asked:
        key = tuple(text for _, text in one.lines)
        talks.setdefault(key, one.lines)
        source[key] = one.source
    places = [(key, at) for key in talks for at in range(len(key))]
    with closing(LlamaEmbedder.load(encoder)) as embedder:
        lines = embedder.embed([": ".join(talks[key][at]) for key, at in places])
        wanted = embedder.embed([one.question for one in asked])
    numbers = {key: number for number, key in enumerate(talks)}
    of_talk = np.array([numbers[key] for key, _ in places])
    alike = np.array([source[key] == "friendsqa" for key, _ in places])
    for one, vector in zip(asked, wanted, strict=True):
        mine = numbers[tuple(text for _, text in one.lines)]
        fit = lines @ vector + 0.05 * (alike == (one.source == "friendsqa"))
        fit[of_talk == mine] = -1
        for place in np.argsort(-fit)[:NEAREST]:
            key, at = places[int(place)]
            one.others.append((talks[key], at))
