"""Plots of a run as SVG: scores with intervals beside baselines and the paper, cost, states of the rationales.

matplotlib is imported when something is drawn: it writes a font cache as soon as it is imported.
"""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, OTHERS, BASES, PAPER = "#D55E00", "#E69F00", "#7A7A7A", "#0072B2"
"""Okabe and Ito's colours, told apart by colour-blind readers."""
_BASES = ("constant", "instructor's side alone", "assistant's side alone", "oracle")


def scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Family -> a bar a row, with its 95 % interval where there is one."""
    families = dict.fromkeys(row["family"] for row in rows)
    return {family: _family([row for row in rows if row["family"] == family]) for family in families}


def _family(rows: Sequence[Mapping[str, Any]]) -> str:
    figure = _figure(9, 0.5 + 0.3 * len(rows))
    axes = figure.add_subplot()
    names = [row["answered by"] for row in rows]
    values = [row["score"] for row in rows]
    places = range(len(rows))
    axes.barh(places, values, color=[_colour(name) for name in names], height=0.72)
    for place, row in enumerate(rows):
        if "95 %" in row:
            low, high = map(float, row["95 %"].split("-"))
            axes.plot([low, high], [place, place], color="#222222", linewidth=1.4)
        axes.text(1.02, place, f"{row['score']:.3f}", va="center", fontsize=8)
    axes.set_yticks(list(places), names, fontsize=8)
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_xlabel("score", fontsize=8)
    return _svg(figure)


def _colour(name: str) -> str:
    if name == "ours":
        return OURS
    if name.endswith("(paper)"):
        return PAPER
    return BASES if name in _BASES else OTHERS


def cost(rows: Sequence[Mapping[str, Any]]) -> str:
    """Model calls, tokens sent and seconds of a task, by family and arm."""
    played = [row for row in rows if "calls" in row]
    figure = _figure(9, 0.9 + 0.22 * len(played))
    names = [f"{row['family']}, {row['answered by']}" for row in played]
    for place, (column, title) in enumerate(
        (("calls", "model calls"), ("sent", "tokens sent"), ("seconds", "seconds"))
    ):
        axes = figure.add_subplot(1, 3, place + 1)
        axes.barh(
            range(len(played)), [row[column] for row in played], color=[_colour(row["answered by"]) for row in played]
        )
        axes.set_yticks(range(len(played)), names if not place else [], fontsize=7)
        axes.set_title(f"{title} a task", fontsize=9)
        axes.tick_params(axis="x", labelsize=7)
        axes.invert_yaxis()
    return _svg(figure)


def rationales(rows: Sequence[Mapping[str, Any]]) -> str:
    """Shares of the rationales that were solved, held by both sides, and solved without evidence."""
    played = [row for row in rows if "solved" in row]
    figure = _figure(9, 0.9 + 0.24 * len(played))
    axes = figure.add_subplot()
    names = [f"{row['family']}, {row['answered by']}" for row in played]
    for shift, column, colour in ((-0.25, "solved", OURS), (0.0, "consensus", PAPER), (0.25, "fake-solved", BASES)):
        places = [place + shift for place in range(len(played))]
        axes.barh(places, [row[column] for row in played], height=0.23, color=colour, label=column)
    axes.set_yticks(range(len(played)), names, fontsize=7)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the rationales", fontsize=8)
    axes.invert_yaxis()
    axes.legend(fontsize=8)
    return _svg(figure)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def _svg(figure: "Figure") -> str:
    """The figure as an element of a page; the same figure gives the same text."""
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": "kithnet", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.DOTALL)
