"""The network as a graph: numbers, routes, and its picture."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from kithnet.network.drawing import draw, layout
from kithnet.network.generate import GenerateSpec, generate
from kithnet.network.graph import (
    communities,
    contacts,
    ego_network,
    gini,
    graph_of,
    message_counts,
    route,
    route_distance,
    statistics,
)
from kithnet.network.importers import read_friendstv
from kithnet.network.records import ChatMessage, Person, Tie
from kithnet.runtime.errors import InputError, UnknownPerson

PEOPLE = [Person(name, name.title()) for name in ("ann", "bob", "cid", "dee", "eve")]
TIES = [Tie("ann", "bob", "family"), Tie("bob", "cid"), Tie("ann", "cid"), Tie("cid", "dee")]
MESSAGES = [
    ChatMessage(seq, *pair, "hi", None, "") for seq, pair in enumerate([("ann", "cid"), ("cid", "ann"), ("bob", "ann")])
]


@pytest.fixture
def graph() -> nx.Graph:
    return graph_of(PEOPLE, TIES, message_counts(MESSAGES))


def test_nodes_have_names_and_edges_kinds_and_message_counts(graph: nx.Graph) -> None:
    assert graph.nodes["ann"] == {"name": "Ann"}
    assert graph.edges["ann", "bob"] == {"kind": "family", "weight": 1}
    assert graph.edges["cid", "ann"]["weight"] == 2
    assert graph.edges["cid", "dee"]["weight"] == 0


def test_statistics_of_a_small_network_are_right(graph: nx.Graph) -> None:
    facts = statistics(graph)
    assert (facts.people, facts.ties, facts.components, facts.diameter, facts.degree_max) == (5, 4, 2, 2, 3)
    assert facts.mean_path == pytest.approx(8 / 6)
    assert facts.clustering == pytest.approx((1 + 1 + 1 / 3) / 5)
    assert facts.density == pytest.approx(0.4)
    assert facts.degree_mean == pytest.approx(1.6)


def test_an_empty_network_and_one_without_ties_have_statistics() -> None:
    assert statistics(nx.Graph()).people == 0
    lonely = statistics(graph_of(PEOPLE, []))
    assert (lonely.components, lonely.diameter, lonely.mean_path, lonely.degree_gini) == (5, 0, 0.0, 0.0)


@pytest.mark.data
def test_season_one_has_the_numbers_of_the_paper(shared_data: Path) -> None:
    world = read_friendstv(shared_data / "friendstv" / "s01.csv")
    facts = statistics(graph_of(world.people, world.ties, message_counts(world.messages)))
    assert (facts.components, facts.diameter) == (1, 6)
    assert facts.mean_path == pytest.approx(2.189, abs=0.001)
    assert facts.clustering == pytest.approx(0.645, abs=0.001)


def test_gini_is_zero_for_equals_and_near_one_for_a_monopoly() -> None:
    assert gini([3, 3, 3]) == 0
    assert gini([0] * 99 + [1]) == pytest.approx(0.99)


def test_contacts_come_by_messages_and_routes_are_shortest(graph: nx.Graph) -> None:
    assert contacts(graph, "ann") == ["cid", "bob"]
    assert route(graph, "bob", "dee") == ["bob", "cid", "dee"]
    assert route_distance(graph, "bob", "dee") == 2
    assert route_distance(graph, "ann", "ann") == 0
    assert route_distance(graph, "ann", "eve") is None
    assert set(ego_network(graph, "dee")) == {"dee", "cid"}
    for ask in (contacts, ego_network):
        with pytest.raises(UnknownPerson, match="zed"):
            ask(graph, "zed")


def test_communities_do_not_depend_on_the_order_of_rows() -> None:
    world = generate(GenerateSpec(people=60, ties=150, messages=150))
    there = communities(graph_of(world.people, world.ties))
    back = communities(graph_of(list(reversed(world.people)), list(reversed(world.ties))))
    assert there == back
    assert len(there) >= 3


@pytest.mark.parametrize("ending", [".png", ".svg"])
@pytest.mark.parametrize(("people", "ties"), [(4, 4), (140, 588)])
def test_the_same_network_gives_the_same_picture(tmp_path: Path, people: int, ties: int, ending: str) -> None:
    world = generate(GenerateSpec(people, ties, messages=max(ties, 600)))
    graph = graph_of(world.people, world.ties, message_counts(world.messages))
    pictures = [tmp_path / f"{which}{ending}" for which in ("one", "two")]
    for picture in pictures:
        draw(graph, picture, "A network")
    one, two = (picture.read_bytes() for picture in pictures)
    assert one == two
    busiest = max(graph, key=graph.degree)
    if ending == ".svg":
        assert graph.nodes[busiest]["name"].encode() in one
    else:
        assert one.startswith(b"\x89PNG")


def test_nobody_stands_on_anybody_else() -> None:
    world = generate(GenerateSpec(messages=600))
    graph = graph_of(world.people, world.ties)
    places = np.array(list(layout(graph, communities(graph)).values()))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, 1)
    assert apart.min() > 0.01


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, graph: nx.Graph) -> None:
    with pytest.raises(InputError, match="cannot draw a"):
        draw(graph, tmp_path / "picture.bmp")
    with pytest.raises(InputError, match="nobody to draw"):
        draw(nx.Graph(), tmp_path / "picture.png")
