"""A network as shapes on a canvas: where people stand, and the paths facts took between them.

All lengths are CSS pixels of the canvas; y points down. Nothing here knows HTML; the template writes the shapes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from kithnet.app.report_labels import Box, Label, place
from kithnet.app.report_paths import Paths

Points = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]

LAYOUT_SEED = 11
EVEN = 0.7
"""How far coordinates are drawn towards an even spread: 0 keeps the layout, 1 makes every strip hold as many people."""
AROUND = 7.0
"""Free space about people who took part, so that arrows and names find room."""
MOST_PEOPLE = 600


@dataclass(frozen=True, slots=True)
class Canvas:
    """width, height and margin of a drawing. font: size of the labels. smallest, largest: radii of people.

    badge: radius of the numbers on arrows.
    """

    name: str
    width: int
    height: int
    margin: int
    font: float
    smallest: float
    largest: float
    badge: float


WIDE = Canvas("wide", 760, 600, 28, 13, 2.6, 11, 7.5)
NARROW = Canvas("narrow", 358, 440, 16, 11.5, 1.8, 7, 6)


@dataclass(frozen=True, slots=True)
class Dot:
    """A person. part: took part in a task."""

    person: str
    x: float
    y: float
    r: float
    part: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """curve: SVG path data. head: points of the arrow's head, "" for a line without one.

    stops: places along it for its number, the best first; at: the one that was chosen. step: the number, 0 for none.
    """

    curve: str
    head: str
    stops: tuple[tuple[float, float], ...]
    step: int
    style: str
    at: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ring:
    """A person who took part in a task. role: instructor, assistant, witness or consulted."""

    person: str
    x: float
    y: float
    r: float
    role: str


@dataclass(frozen=True, slots=True)
class RouteDrawing:
    """What is drawn when a task is picked."""

    arrows: tuple[Arrow, ...]
    rings: tuple[Ring, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The network on one canvas. ties: SVG path data of all of them. labels: of those whom a cited fact passed."""

    canvas: Canvas
    dots: tuple[Dot, ...]
    ties: str
    overview: tuple[Arrow, ...]
    labels: tuple[Label, ...]
    routes: tuple[RouteDrawing, ...]


def shown(graph: nx.Graph, taking_part: Iterable[str]) -> nx.Graph:
    """The part of a network that is drawn: all of it, or of a large one those who took part and the best connected."""
    part = [person for person in taking_part if person in graph]
    if len(graph) <= MOST_PEOPLE:
        return graph
    near = {other for person in part for other in graph[person]}
    by_degree = sorted(graph, key=lambda person: (person not in near, -graph.degree[person], str(person)))
    return graph.subgraph(list(dict.fromkeys([*part, *by_degree]))[:MOST_PEOPLE])


def lay_out(graph: nx.Graph) -> dict[str, tuple[float, float]]:
    """A place for every person in the unit square, the same for the same network."""
    ordered = nx.Graph()
    ordered.add_nodes_from(sorted(graph, key=str))
    ordered.add_edges_from(sorted((min(a, b), max(a, b)) for a, b in graph.edges if a != b))
    people = list(ordered)
    if len(people) < 2:
        return dict.fromkeys(people, (0.5, 0.5))
    spring = nx.spring_layout(ordered, seed=LAYOUT_SEED, k=2.2 / len(people) ** 0.5, iterations=200, method="force")
    placed = np.array([spring[person] for person in people])
    even = (1 - EVEN) * _scaled(placed) + EVEN * _ranks(placed)
    return {person: (float(x), float(y)) for person, (x, y) in zip(people, _scaled(even), strict=True)}


def draw(
    canvas: Canvas, graph: nx.Graph, places: Mapping[str, tuple[float, float]], routes: Sequence[Paths],
    names: Mapping[str, str],
) -> Drawing:  # fmt: skip
    """The network on a canvas, with one route drawing for each of `routes`."""
    part = {person for route in routes for person in route.people}
    dots = _dots(canvas, graph, places, part)
    by_person = {dot.person: dot for dot in dots}
    ties = "".join(
        f"M{by_person[a].x:.1f} {by_person[a].y:.1f}L{by_person[b].x:.1f} {by_person[b].y:.1f}"
        for a, b in graph.edges
        if a in by_person and b in by_person
    )
    cited = {(one.sender, one.receiver) for route in routes for one in route.passings if one.cited}
    overview = tuple(
        _arrow(by_person[a], by_person[b], "cited", 0) for a, b in sorted(cited) if a in by_person and b in by_person
    )
    named = {person for pair in cited for person in pair}
    ordered = sorted((dot for dot in dots if dot.person in named), key=lambda dot: (-dot.r, dot.person))
    labels = place(
        [(names.get(dot.person, dot.person), dot.x, dot.y, dot.r) for dot in ordered],
        [Box.around(dot.x, dot.y, dot.r) for dot in dots if dot.part],
        canvas.width, canvas.height, canvas.font, everyone=False,
    )  # fmt: skip
    drawn = tuple(_route(canvas, route, by_person, names) for route in routes)
    return Drawing(canvas, dots, ties, overview, labels, drawn)


def _scaled(points: Points) -> Points:
    """(N, 2) points stretched to fill the unit square."""
    low, high = points.min(axis=0), points.max(axis=0)
    scaled: Points = (points - low) / np.maximum(high - low, 1e-9)
    return scaled


def _ranks(points: Points) -> Points:
    """(N, 2) each coordinate's rank, in [0, 1]."""
    ranks: Points = points.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(1, len(points) - 1)
    return ranks


def _dots(
    canvas: Canvas, graph: nx.Graph, places: Mapping[str, tuple[float, float]], part: set[str]
) -> tuple[Dot, ...]:
    """People on the canvas, area by degree, moved apart where they would cover each other; those in part come last."""
    people = sorted((person for person in graph if person in places), key=str)
    if not people:
        return ()
    degrees = np.array([graph.degree[person] for person in people], dtype=float)
    share = np.sqrt(degrees / max(1.0, degrees.max()))
    radii = canvas.smallest + (canvas.largest - canvas.smallest) * share
    size = np.array([canvas.width - 2 * canvas.margin, canvas.height - 2 * canvas.margin])
    room = np.where([person in part for person in people], np.maximum(radii, _ring(canvas, 0)) + AROUND, radii + 1.5)
    points = _apart(np.array([places[person] for person in people]) * size, room)
    points = np.clip(points, 0, size) + canvas.margin
    dots = [
        Dot(person, round(float(x), 1), round(float(y), 1), round(float(r), 1), person in part)
        for person, (x, y), r in zip(people, points, radii, strict=True)
    ]
    return tuple(sorted(dots, key=lambda dot: dot.part))


def _apart(points: Points, radii: Vector, rounds: int = 60) -> Points:
    """(N, 2) points pushed apart until circles of `radii` hardly overlap."""
    need = radii[:, None] + radii[None, :]
    np.fill_diagonal(need, 0.0)
    for _ in range(rounds):
        delta = points[:, None, :] - points[None, :, :]
        distance = np.sqrt((delta**2).sum(axis=2)) + 1e-6
        push = np.maximum(0.0, need - distance)
        if push.max() < 0.2:
            break
        points = points + 0.35 * (delta / distance[:, :, None] * push[:, :, None]).sum(axis=1)
    return points


def _route(canvas: Canvas, route: Paths, by_person: Mapping[str, Dot], names: Mapping[str, str]) -> RouteDrawing:
    rings = tuple(
        Ring(person, dot.x, dot.y, _ring(canvas, dot.r), role_of(person, route))
        for person in route.people
        if (dot := by_person.get(person))
    )
    taken = [Box.around(ring.x, ring.y, ring.r) for ring in rings]
    arrows = [_line(by_person[a], by_person[b]) for a, b in route.fruitless if a in by_person and b in by_person]
    for one in sorted(route.passings, key=lambda one: (one.cited, one.step)):
        if one.sender in by_person and one.receiver in by_person:
            arrow = _arrow(by_person[one.sender], by_person[one.receiver], _style(one.cited, one.earlier), one.step)
            arrows.append(_numbered(arrow, taken, canvas.badge))
    labels = place(
        [(names.get(ring.person, ring.person), ring.x, ring.y, ring.r) for ring in rings],
        taken, canvas.width, canvas.height, canvas.font, everyone=True,
    )  # fmt: skip
    return RouteDrawing(tuple(arrows), rings, labels)


def _numbered(arrow: Arrow, taken: list[Box], r: float) -> Arrow:
    """The arrow with its number where it covers nothing taken; that place is taken then. Without one if all is full."""
    boxes = [Box.around(x, y, r) for x, y in arrow.stops]
    covered = [sum(box.overlap(other) for other in taken) for box in boxes]
    best = min(range(len(boxes)), key=lambda at: (covered[at], at))
    if covered[best] > 0.15 * (2 * r) ** 2:
        return replace(arrow, step=0)
    taken.append(boxes[best])
    return replace(arrow, at=arrow.stops[best])


def _ring(canvas: Canvas, r: float) -> float:
    """How large a person of radius `r` is drawn in a picked task: a letter must fit."""
    return max(r, canvas.font * 0.5) + 1.5


def role_of(person: str, route: Paths) -> str:
    """What a person was in a task, the most telling role first."""
    instructor, assistant = route.people[:2]
    if person == instructor:
        return "instructor"
    if person in route.witnesses:
        return "witness"
    return "assistant" if person == assistant else "consulted"


def _style(cited: bool, earlier: bool) -> str:
    return ("cited" if cited else "aside") + (" earlier" if earlier else "")


def _arrow(a: Dot, b: Dot, style: str, step: int) -> Arrow:
    """A bent arrow from the edge of one person to the edge of another; the way back bends to the other side."""
    start, end = np.array([a.x, a.y]), np.array([b.x, b.y])
    way = end - start
    length = float(np.hypot(*way)) + 1e-6
    across = np.array([-way[1], way[0]]) / length
    bend = min(34.0, 6 + 0.13 * length)
    middle = (start + end) / 2 + across * bend
    tip = end - _unit(end - middle) * (b.r + 3.5)
    tail = start + _unit(middle - start) * (a.r + 2.5)
    pointing = _unit(tip - middle)
    side = np.array([-pointing[1], pointing[0]])
    base = tip - pointing * 8.5
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, base + side * 4.2, base - side * 4.2))
    curve = f"M{tail[0]:.1f} {tail[1]:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {base[0]:.1f} {base[1]:.1f}"
    stops = tuple(_on_curve(tail, middle, base, share) for share in (0.5, 0.38, 0.62, 0.28, 0.72))
    return Arrow(curve, head, stops, step, style)


def _on_curve(tail: Vector, middle: Vector, base: Vector, share: float) -> tuple[float, float]:
    """The point of a quadratic curve at `share` of its parameter."""
    x, y = (1 - share) ** 2 * tail + 2 * share * (1 - share) * middle + share**2 * base
    return round(float(x), 1), round(float(y), 1)


def _line(a: Dot, b: Dot) -> Arrow:
    """A question that brought nothing."""
    return Arrow(f"M{a.x:.1f} {a.y:.1f}L{b.x:.1f} {b.y:.1f}", "", (), 0, "fruitless")


def _unit(vector: Vector) -> Vector:
    unit: Vector = vector / (float(np.hypot(*vector)) + 1e-9)
    return unit
