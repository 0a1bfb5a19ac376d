"""A picture of the network: communities by colour, people by their number of ties, the best connected by name.

matplotlib is imported when something is drawn: it writes a font cache as soon as it is imported.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from kithnet.network.graph import communities, statistics
from kithnet.runtime.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7A7A7A")
"""Okabe and Ito's colours, told apart by colour-blind readers; the smallest communities share the last, grey."""
LABELS = 28
LAYOUT_SEED = 3
CROWD = 800
"""Above so many people dots may overlap: parting them compares every two."""
POINTS_ACROSS = 560
"""About as wide, in points, as the network is drawn."""
FORMATS = (".png", ".svg", ".pdf")

Positions = Mapping[str, np.ndarray]


def draw(graph: nx.Graph, path: Path, title: str = "") -> None:
    """Draw `graph` (see graph.graph_of) into a PNG, SVG or PDF file; the same graph gives the same picture.

    Raises InputError for another kind of file or an empty network.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"cannot draw a {path.suffix or 'file without ending'}", f"end the name in {', '.join(FORMATS)}"
        )
    if not graph:
        raise InputError("there is nobody to draw", "import or generate a world first")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = communities(graph)
    places = layout(graph, groups)
    figure = Figure(figsize=(11, 9), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.margins(0.06)
    _draw_ties(axes, graph, places)
    _draw_people(axes, graph, places, groups)
    _draw_names(axes, graph, places)
    facts = statistics(graph)
    groups_said = "1 community" if facts.communities == 1 else f"{facts.communities} communities"
    figure.suptitle(title or "Network", x=0.012, ha="left", fontsize=15, color="#222222")
    figure.supxlabel(
        f"{facts.people} people, {facts.ties} ties, {groups_said}, diameter {facts.diameter}. "
        "Size: number of ties. Colour: community. Line: messages.",
        x=0.012,
        ha="left",
        fontsize=9,
        color="#555555",
    )
    with rc_context({"svg.hashsalt": "kithnet", "svg.fonttype": "none"}):  # two drawings of one network are identical
        figure.savefig(path, metadata=None if path.suffix.lower() == ".png" else _undated(path))


def _undated(path: Path) -> dict[str, None]:
    return {"Date": None} if path.suffix.lower() == ".svg" else {"CreationDate": None}


def layout(graph: nx.Graph, groups: Sequence[Sequence[str]]) -> Positions:
    """Where everybody stands, (2,) each: a spring layout in which ties inside a community pull harder."""
    group_of = {person: number for number, group in enumerate(groups) for person in group}
    pull = nx.Graph()
    pull.add_nodes_from(sorted(graph.nodes))
    for a, b in sorted(tuple(sorted(edge)) for edge in graph.edges):
        pull.add_edge(a, b, weight=2.2 if group_of[a] == group_of[b] else 0.5)
    spread = 2.6 / np.sqrt(len(pull))
    places = nx.spring_layout(pull, k=spread, iterations=220, seed=LAYOUT_SEED, weight="weight", method="force")
    people = list(pull.nodes)
    spots = _gathered(np.array([places[person] for person in people], dtype=float))
    if len(people) <= CROWD:
        reach = np.sqrt([_size(graph, person) for person in people]) / 2 / POINTS_ACROSS * 1.25
        spots = _parted(spots, reach)
    return dict(zip(people, spots, strict=True))


def _gathered(spots: np.ndarray) -> np.ndarray:
    """(N, 2) spots with the far ones drawn in, scaled to a box of side 1: one chain of people must not shrink the rest."""
    middle = np.median(spots, axis=0)
    away = spots - middle
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    away = away / np.maximum(distance, 1e-9) * distance**0.7
    span = np.ptp(away, axis=0).max()
    return np.asarray(away / span if span else away)


def _parted(spots: np.ndarray, reach: np.ndarray, rounds: int = 60) -> np.ndarray:
    """(N, 2) spots moved apart until no two dots of radius `reach` (N,) overlap, or nearly so."""
    spots = spots.copy()
    least = reach[:, None] + reach[None, :]
    for _ in range(rounds):
        away = spots[:, None, :] - spots[None, :, :]
        distance = np.linalg.norm(away, axis=2)
        np.fill_diagonal(distance, np.inf)
        overlap = np.maximum(least - distance, 0.0)
        if not overlap.any():
            break
        spots += (away / np.maximum(distance, 1e-6)[:, :, None] * overlap[:, :, None] / 2).sum(axis=1)
    return spots


def _draw_ties(axes: "Axes", graph: nx.Graph, places: Positions) -> None:
    """Lines, wider and darker where more was said."""
    edges = sorted(graph.edges(data="weight", default=0), key=lambda edge: (edge[2] or 0, edge[0], edge[1]))
    if not edges:
        return
    from matplotlib.collections import LineCollection

    weights = np.array([edge[2] or 0 for edge in edges], dtype=float)
    strength = np.log1p(weights) / max(1e-9, float(np.log1p(weights).max()))
    crowd = min(1.0, 45 / len(edges))
    alpha = np.clip(0.14 + 0.5 * crowd + 0.35 * strength**2, 0.0, 0.85)
    colours = np.zeros((len(edges), 4))
    colours[:, :3] = 0.36
    colours[:, 3] = alpha
    lines = [(places[a], places[b]) for a, b, _ in edges]
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.5 + 2.0 * strength**2, zorder=1))


def _draw_people(axes: "Axes", graph: nx.Graph, places: Positions, groups: Sequence[Sequence[str]]) -> None:
    for number, group in enumerate(groups):
        spots = np.array([places[person] for person in group])
        axes.scatter(
            spots[:, 0],
            spots[:, 1],
            s=[_size(graph, person) for person in group],
            color=PALETTE[min(number, len(PALETTE) - 1)],
            edgecolors="white",
            linewidths=1.1,
            zorder=2,
        )


def _size(graph: nx.Graph, person: str) -> float:
    """Area of a person's dot in square points: by ties, within bounds that stay legible in any network."""
    crowd = min(1.0, 60 / len(graph))
    return float((60 + 300 * crowd) * (0.35 + np.sqrt(graph.degree(person)) / 3.2))


def _draw_names(axes: "Axes", graph: nx.Graph, places: Positions) -> None:
    """Names of the best connected, under their dots; one that would lie on a name already written is left out."""
    ranked = sorted(graph.nodes, key=lambda person: (-graph.degree(person), person))
    spots = np.array([places[person] for person in graph.nodes])
    extent = np.maximum(np.ptp(spots, axis=0), 1e-9)
    written: list[np.ndarray] = []
    for person in ranked:
        if len(written) >= LABELS:
            break
        name = str(graph.nodes[person].get("name", person))
        spot = places[person]
        reach = np.array([0.0085 * len(name) + 0.02, 0.024])
        if any(np.all(np.abs(spot - other) / extent < reach) for other in written):
            continue
        written.append(spot)
        axes.annotate(
            name,
            (float(spot[0]), float(spot[1])),
            xytext=(0, -np.sqrt(_size(graph, person)) / 2 - 2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=9.5,
            color="#111111",
            zorder=3,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.6},
        )
