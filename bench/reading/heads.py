"""The trained reader judged head by head, over writers that it was not trained on and, where they are given, public data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kithnet.bench.reading import dialogues, judging
from kithnet.bench.reading.examples import agentsocial, friendsqa, own, tasks
from kithnet.bench.reading.judging import Reads
from kithnet.bench.report import Bar
from kithnet.runtime.reader import LlamaReader

QUICK, FULL = 30, 150
"""Questions of each set."""
RULES: Mapping[tuple[str, str], float] = {
    ("tasks_held_out", "tool told"): 0.26,
    ("tasks_held_out", "no tool told"): 0.95,
}
"""(set, figure) -> what the rules that were replaced came to there."""
BARS: Mapping[tuple[str, str], tuple[float, str]] = {
    ("friendsqa", "right line"): (0.66, "higher"),
    ("friendsqa", "span F1, right line given"): (0.66, "higher"),
    ("held_out_68", "confidences missed with .05 of ordinary held back"): (0.10, "lower"),
}


def rows(reader: LlamaReader, shared: Path | None, *, quick: bool) -> tuple[list[dict[str, Any]], list[Bar]]:
    """Figures of every set and their bars. shared: a folder with friendsqa/ and agentsocial/, None for own writers alone.

    Raises InputError, RecordError for files that cannot be read.
    """
    reads, most = (
        Reads(reader.relevance, reader.spans, reader.judged, reader.relations, reader.tools),
        QUICK if quick else FULL,
    )
    found: dict[str, dict[str, float]] = {}
    for path in sorted(dialogues.DATA.glob(f"held_out{dialogues.DIALOGUES}")):
        asked, told, related = own(dialogues.read([path]), path.stem)
        found[path.stem] = {
            **judging.questions(reads, asked[:most]), **judging.messages(reads, told), **judging.pairs(reads, related),
        }  # fmt: skip
    found["tasks_held_out"] = judging.tools(reads, tasks([dialogues.DATA / "tasks_held_out.jsonl"]))
    if shared is not None:
        watched = friendsqa(shared / "friendsqa" / "friendsqa_dev.json", watched=True)
        found["friendsqa"] = judging.questions(reads, watched[:most])
        scenarios = agentsocial(shared / "agentsocial" / "scenarios.jsonl", odd=True)
        found["agentsocial"] = judging.messages(reads, scenarios[: 10 * most])
    table = [
        {"of": f"{name}: {figure}", "count": int(figures.get("n", 0)) or None, "reader": value}
        | ({"rules": RULES[name, figure]} if (name, figure) in RULES else {})
        for name, figures in found.items()
        for figure, value in figures.items()
        if figure != "n"
    ]
    return table, _bars(found)


def _bars(found: Mapping[str, Mapping[str, float]]) -> list[Bar]:
    wanted: Sequence[tuple[str, str]] = [key for key in BARS if key[1] in found.get(key[0], {})]
    return [
        Bar(f"{name}: {figure}", found[name][figure], BARS[name, figure][0], BARS[name, figure][1])  # type: ignore[arg-type]
        for name, figure in wanted
    ]
