"""Who is tied to whom, and how much they talk: a connected network of communities held together by a few hubs.

Growth in three steps: a spanning tree that hangs people on hubs, on their community, or (rarely) on somebody at the
edge; then ties that close triangles, inside communities first; then a few that reach across. Large degrees and busy
ties are log-normal in weight, so both are heavy-tailed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from math import exp
from random import Random

KINDS = ("friend", "colleague", "family", "neighbour")
COMMUNITY = 13
"""People of one community on average, a hub among them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """ties: pairs of person numbers, low first, ascending. kinds, activity: one for each tie; activity sums to 1.
    community: one number for each person. contacts: each person's neighbours, ascending."""

    ties: tuple[tuple[int, int], ...]
    kinds: tuple[str, ...]
    activity: tuple[float, ...]
    community: tuple[int, ...]
    contacts: tuple[tuple[int, ...], ...]


def draw_shape(people: int, ties: int, rng: Random) -> Shape:
    """Draw a connected network with exactly these counts. ties must lie in [people - 1, people (people - 1) / 2]."""
    growth = _Growth(people, rng)
    growth.grow_tree()
    growth.close(ties)
    pairs = tuple(sorted(growth.pairs))
    return Shape(
        ties=pairs,
        kinds=_kinds(pairs, growth.community, rng),
        activity=_activity(pairs, growth.weight, growth.community, rng),
        community=tuple(growth.community),
        contacts=tuple(tuple(sorted(near)) for near in growth.near),
    )


class _Growth:
    """A network while it grows. near keeps order of arrival, so that nothing depends on how sets iterate."""

    def __init__(self, people: int, rng: Random) -> None:
        self.rng = rng
        self.people = people
        communities = max(1, round(people / COMMUNITY))
        sizes = [exp(rng.gauss(0, 0.45)) for _ in range(communities)]
        hubs = list(range(communities))
        self.community = [*hubs, *rng.choices(hubs, sizes, k=people - communities)]
        self.weight = [exp(rng.gauss(0, 0.8)) for _ in range(people)]
        for place, hub in enumerate(hubs):  # a few people know half the world, the rest of the hubs their corner
            self.weight[hub] *= 26 / (1 + place) ** 0.75 + 2
        self.hubs = hubs
        self.members = [[p for p in range(people) if self.community[p] == c] for c in hubs]
        self.near: list[list[int]] = [[] for _ in range(people)]
        self.pairs: set[tuple[int, int]] = set()
        self.quiet: set[int] = set()
        self.reach = list(accumulate(self.weight))

    def tie(self, a: int, b: int) -> bool:
        pair = (a, b) if a < b else (b, a)
        if a == b or pair in self.pairs:
            return False
        self.pairs.add(pair)
        self.near[a].append(b)
        self.near[b].append(a)
        return True

    def grow_tree(self) -> None:
        """Join everybody: hubs to each other or earlier ones, the others to a hub, and a few to somebody at the edge."""
        for hub in self.hubs[1:]:
            self.tie(hub, self.rng.choices(self.hubs[:hub], self.weight[:hub])[0])
        joined = [[hub] for hub in self.hubs]
        for person in range(len(self.hubs), self.people):
            own = joined[self.community[person]]
            draw = self.rng.random()
            if draw < 0.55:
                self.tie(person, self.rng.choices(self.hubs, self.weight[: len(self.hubs)])[0])
            elif draw < 0.93 or len(own) == 1:
                self.tie(person, own[0])
            else:  # one who knows nobody but somebody at the edge: this is what makes the longest paths long
                self.tie(person, own[-1])
                self.quiet.add(person)
            own.append(person)

    def close(self, ties: int) -> None:
        """Add ties up to the count: triangles first, then community, then chance by weight; then whatever is left."""
        attempts = 40 * ties
        while len(self.pairs) < ties and attempts:
            attempts -= 1
            a, b = self._candidate()
            if a not in self.quiet and b not in self.quiet:
                self.tie(a, b)
        if len(self.pairs) < ties:
            free = [pair for pair in combinations(range(self.people), 2) if pair not in self.pairs]
            for a, b in self.rng.sample(free, ties - len(self.pairs)):
                self.tie(a, b)

    def _candidate(self) -> tuple[int, int]:
        draw = self.rng.random()
        if draw < 0.55:  # introduce two contacts of one person to each other
            near = self.near[self.rng.randrange(self.people)]
            return self.rng.choice(near), self.rng.choice(near)
        a = self._somebody()
        if draw < 0.74:  # a contact's contact
            return a, self.rng.choice(self.near[self.rng.choice(self.near[a])])
        if draw < 0.86:
            return a, self.rng.choice(self.members[self.community[a]])
        return a, self.rng.choices(self.hubs, self.weight[: len(self.hubs)])[0]

    def _somebody(self) -> int:
        """Half of the time anybody, else by weight."""
        if self.rng.random() < 0.5:
            return self.rng.randrange(self.people)
        return self.rng.choices(range(self.people), cum_weights=self.reach)[0]


def _kinds(pairs: Sequence[tuple[int, int]], community: Sequence[int], rng: Random) -> tuple[str, ...]:
    """Most ties inside a community are of its own kind; across communities people are mostly friends."""
    flavour = rng.choices(KINDS, (5, 4, 2, 3), k=max(community) + 1)
    return tuple(
        flavour[community[a]]
        if community[a] == community[b] and rng.random() < 0.8
        else rng.choices(KINDS, (6, 2, 1, 2))[0]
        for a, b in pairs
    )


def _activity(
    pairs: Sequence[tuple[int, int]], weight: Sequence[float], community: Sequence[int], rng: Random
) -> tuple[float, ...]:
    """How the talk is shared among the ties: by both people's weight, more inside a community, with a heavy tail."""
    raw = [
        (weight[a] * weight[b]) ** 0.4 * exp(rng.gauss(0, 0.75)) * (1.6 if community[a] == community[b] else 1.0)
        for a, b in pairs
    ]
    total = sum(raw)
    return tuple(share / total for share in raw)
