"""Caches and policies compared on a record of routing: no model, no decoding, seconds instead of hours.

The rules are those of the running side for one sequence, one token after another: what a layer selects is all there
at once, and what it does not need may leave. `belady` is the bound: what no policy that loads on demand can undercut.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.offload.cache import Policy, Records, Tally, policy, victim
from kithnet.runtime.offload.routing import Routing
from kithnet.runtime.offload.score import HIGH, SKIP, decide, unimportance

BELADY = "belady"


@dataclass(frozen=True, slots=True)
class Rules:
    """What is replayed. high, low: experts of all layers together that fit in memory, in each precision. cost:
    B_low/B_high. t1, t2, skip: as in `ExpertOptions`."""

    policy: str
    high: int
    low: int = 0
    cost: float = 0.4
    t1: float = 1.0
    t2: float = 1.0
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """penalty: misses of a token, weighed by their bytes. bytes_per_token: with experts of `bytes_high`. hit_rate: of
    selections, those that loaded nothing."""

    policy: str
    tally: Tally
    penalty: float
    bytes_per_token: float
    hit_rate: float


def replay(routing: Routing, rules: Rules, bytes_high: int) -> Replayed:
    """One policy over one record. Raises ConfigError for room that holds less than a layer selects."""
    tokens, layers, top_k = routing.ids.shape
    lowers = rules.t1 < 1
    if rules.high < top_k or (lowers and rules.low < top_k):
        raise ConfigError(
            f"room for {rules.high} and {rules.low} experts", f"a layer selects {top_k}: give room for them"
        )
    tally = belady(routing, rules.high) if rules.policy == BELADY else _Run(routing, rules).tally()
    penalty = tally.penalty(rules.cost) / tokens
    misses = tally.misses + tally.low_misses
    return Replayed(rules.policy, tally, penalty, penalty * bytes_high, 1 - misses / (tokens * layers * top_k))


def compare(routing: Routing, policies: Sequence[str], rules: Rules, bytes_high: int) -> list[Replayed]:
    """Several policies over the same record, `belady` among them or not, in this order."""
    made = []
    for name in policies:
        its = Rules(name, rules.high, rules.low, rules.cost, rules.t1, rules.t2, rules.skip)
        made.append(replay(routing, its, bytes_high))
    return made


def belady(routing: Routing, room: int) -> Tally:
    """Misses of the best choice with the future known: what is needed again last leaves first (Belady's MIN).

    High precision only. Selections come one by one here, so nothing has to stay for its neighbours in a layer: a
    bound for every policy, whatever it must keep.
    """
    layers = routing.ids.shape[1]
    every = (np.arange(layers)[None, :, None] * routing.experts + routing.ids).reshape(-1)
    after = _next_uses(every)
    tally = Tally()
    held: dict[int, int] = {}  # expert to its next use
    order: list[tuple[int, int]] = []  # by farthest next use; entries that are out of date are passed over
    for at, expert in enumerate(map(int, every)):
        if expert in held:
            tally.hits += 1
        else:
            tally.misses += 1
            while len(held) >= room:
                use, farthest = heapq.heappop(order)
                if held.get(farthest) == -use:
                    del held[farthest]
        held[expert] = int(after[at])
        heapq.heappush(order, (-held[expert], expert))
    return tally


def _next_uses(every: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """For each selection, when the same expert is selected next; beyond the end for the last."""
    out = np.empty(len(every), np.int64)
    coming: dict[int, int] = {}
    for at in range(len(every) - 1, -1, -1):
        expert = int(every[at])
        out[at] = coming.get(expert, len(every) + expert)
        coming[expert] = at
    return out


class _Shelf:
    """Experts of one precision that are in memory."""

    def __init__(self, routing: Routing, room: int) -> None:
        self.held = np.zeros((len(routing.layers), routing.experts), np.bool_)
        self._room, self._count = room, 0

    def put(self, layer: int, expert: int, keep: Sequence[int], rank: Policy, records: Records) -> None:
        """Load an expert; one that is not to be kept leaves where there is no room."""
        if self._count >= self._room:
            may_leave = self.held.copy()
            may_leave[layer, list(keep)] = False
            leaving = victim(rank(records, layer), may_leave)
            assert leaving is not None  # the room holds more than a layer selects
            self.held[leaving] = False
            self._count -= 1
        self.held[layer, expert] = True
        self._count += 1


class _Run:
    def __init__(self, routing: Routing, rules: Rules) -> None:
        self._routing, self._rules = routing, rules
        self._policy = policy(rules.policy)
        self._records = Records(len(routing.layers), routing.experts, rules.cost)
        self._high, self._low = _Shelf(routing, rules.high), _Shelf(routing, rules.low)
        self._tally = Tally()

    def tally(self) -> Tally:
        routing, rules = self._routing, self._rules
        tokens, layers, top_k = routing.ids.shape
        chosen = decide(unimportance(routing.rows()), rules.t1, rules.t2).reshape(tokens, layers, top_k)
        for at in range(tokens):
            if routing.starts[at]:
                self._records.reset()
                chosen[at] = HIGH  # the first token sets up the attention of all others
            self._records.begin_pass()
            for layer in range(layers):
                self._step(layer, list(map(int, routing.ids[at, layer])), list(map(int, chosen[at, layer])))
        return self._tally

    def _step(self, layer: int, experts: Sequence[int], wanted: Sequence[int]) -> None:
        high, low = self._high, self._low
        used_high: list[int] = []
        used_low: list[int] = []
        for expert, want in zip(experts, wanted, strict=True):
            if high.held[layer, expert]:
                self._tally.hits += 1
                used_high.append(expert)
            elif want == HIGH:
                self._tally.misses += 1
                high.put(layer, expert, experts, self._policy, self._records)
                used_high.append(expert)
            elif want == SKIP and self._rules.skip and not low.held[layer, expert]:
                self._tally.skipped += 1
            else:
                used_low.append(expert)
                if low.held[layer, expert]:
                    self._tally.low_hits += 1
                else:
                    self._tally.low_misses += 1
                    low.put(layer, expert, experts, self._policy, self._records)
        self._records.use(layer, used_high, used_low)
