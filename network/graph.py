"""The social network as a plain networkx graph: built from ties and messages, described in numbers, asked for routes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import networkx as nx

from kithnet.network.records import ChatMessage
from kithnet.runtime.errors import UnknownPerson

COMMUNITY_SEED = 1
"""Louvain breaks ties at random; a fixed seed makes the same network give the same communities."""


class PersonLike(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


class TieLike(Protocol):
    @property
    def a(self) -> str: ...
    @property
    def b(self) -> str: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Statistics:
    """A network in numbers. diameter, mean_path: of the largest component, in ties. clustering: mean over people.

    degree_gini: 0 when everybody has as many ties, near 1 when few have nearly all. density: share of possible ties.
    communities, modularity: of a seeded Louvain partition weighted by messages.
    """

    people: int
    ties: int
    components: int
    diameter: int
    mean_path: float
    clustering: float
    degree_max: int
    degree_mean: float
    degree_gini: float
    density: float
    communities: int
    modularity: float


def message_counts(messages: Iterable[ChatMessage]) -> dict[tuple[str, str], float]:
    """How many messages each pair exchanged, by (a, b) with a < b; one to n people counts 1/n for each."""
    counts: defaultdict[tuple[str, str], float] = defaultdict(float)
    for one in messages:
        for other in one.receivers:
            counts[min(one.sender, other), max(one.sender, other)] += 1 / len(one.receivers)
    return dict(counts)


def graph_of(
    people: Iterable[PersonLike], ties: Iterable[TieLike], counts: Mapping[tuple[str, str], float] | None = None
) -> nx.Graph:
    """An undirected graph: nodes are person ids with `name`, edges have `kind` and `weight` = messages exchanged.

    counts: as `message_counts` gives them; without it every weight is 0.
    """
    graph = nx.Graph()
    for person in people:
        graph.add_node(person.id, name=person.name)
    counts = counts or {}
    for tie in ties:
        pair = (tie.a, tie.b) if tie.a < tie.b else (tie.b, tie.a)
        graph.add_edge(tie.a, tie.b, kind=tie.kind, weight=counts.get(pair, 0))
    return graph


def statistics(graph: nx.Graph) -> Statistics:
    """Describe a network; an empty one is all zeros."""
    if not graph:
        return Statistics(0, 0, 0, 0, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0, 0.0)
    degrees = [degree for _, degree in graph.degree()]
    largest = graph.subgraph(max(nx.connected_components(graph), key=len))
    groups = communities(graph)
    return Statistics(
        people=len(graph),
        ties=graph.number_of_edges(),
        components=nx.number_connected_components(graph),
        diameter=nx.diameter(largest) if len(largest) > 1 else 0,
        mean_path=nx.average_shortest_path_length(largest) if len(largest) > 1 else 0.0,
        clustering=nx.average_clustering(graph),
        degree_max=max(degrees),
        degree_mean=sum(degrees) / len(degrees),
        degree_gini=gini(degrees),
        density=nx.density(graph),
        communities=len(groups),
        modularity=nx.community.modularity(graph, groups, weight=None) if graph.number_of_edges() else 0.0,
    )


def communities(graph: nx.Graph) -> list[list[str]]:
    """Groups of people tied more closely to each other than to the rest, largest first, each in order of id."""
    groups = nx.community.louvain_communities(_ordered(graph), weight=None, seed=COMMUNITY_SEED)
    return sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group[0]))


def gini(values: Sequence[float]) -> float:
    """Gini coefficient of non-negative values; 0 for none or all zeros."""
    total = sum(values)
    count = len(values)
    if not total:
        return 0.0
    return sum((2 * rank - count - 1) * value for rank, value in enumerate(sorted(values), 1)) / (count * total)


def contacts(graph: nx.Graph, ego: str) -> list[str]:
    """The people `ego` is tied to, those with the most messages first. Raises UnknownPerson."""
    _must_know(graph, ego)
    near: dict[str, dict[str, int]] = graph.adj[ego]
    return sorted(near, key=lambda alter: (-near[alter].get("weight", 0), alter))


def ego_network(graph: nx.Graph, ego: str, radius: int = 1) -> nx.Graph:
    """`ego`, everybody within `radius` ties and the ties among them, as a copy. Raises UnknownPerson."""
    _must_know(graph, ego)
    return nx.ego_graph(graph, ego, radius=radius)


def route(graph: nx.Graph, source: str, target: str) -> list[str]:
    """A shortest chain of people from `source` to `target`, both included; [] when there is none. Raises UnknownPerson."""
    _must_know(graph, source)
    _must_know(graph, target)
    try:
        return list(nx.shortest_path(graph, source, target))
    except nx.NetworkXNoPath:
        return []


def route_distance(graph: nx.Graph, source: str, target: str) -> int | None:
    """Ties between two people by the shortest route; None when there is no route. Raises UnknownPerson."""
    people = route(graph, source, target)
    return len(people) - 1 if people else None


def _ordered(graph: nx.Graph) -> nx.Graph:
    """The same graph with nodes and edges in order of id: some algorithms depend on the order of insertion."""
    ordered = nx.Graph()
    ordered.add_nodes_from(sorted(graph.nodes))
    ordered.add_edges_from(sorted(tuple(sorted(edge)) for edge in graph.edges))
    return ordered


def _must_know(graph: nx.Graph, person: str) -> None:
    if person not in graph:
        raise UnknownPerson(f"there is no {person!r} in this network", "`kith world show NAME` lists the people")
