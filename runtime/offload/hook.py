"""The hook that brings experts in while the model is being evaluated.

In each layer llama.cpp calls twice. When the selection is final (`MoeLayer.decided`), the plan for the layer is made,
what must be here is read and waited for, and what is computed elsewhere is pointed away from in the ids. When the
experts have spoken (`MoeLayer.said`), what was computed beside the graph is written over what stands in its place.
"""

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.runtime.errors import StorageError
from kithnet.runtime.hook import BatchAhead, TensorView
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.offload.cache import Mask, Records
from kithnet.runtime.offload.graph import MoeLayer, follow
from kithnet.runtime.offload.heat import LAYERS, Heat
from kithnet.runtime.offload.loader import Load, Urgency
from kithnet.runtime.offload.plan import Ids, Plan, Rules, plan, redirect, rows_of
from kithnet.runtime.offload.prefetch import Guess, Prophet
from kithnet.runtime.offload.score import HIGH, LOW, decide, unimportance
from kithnet.runtime.offload.shelf import Shelf
from kithnet.runtime.offload.side import Matrices, Side
from kithnet.runtime.offload.stats import ExpertCounters
from kithnet.runtime.offload.store import ExpertStore, Part


@dataclass(frozen=True, slots=True)
class Tiers:
    """The shelves, and the rules they are used by. low: where low precision is used at all. t1, t2: see `decide`."""

    high: Shelf
    low: Shelf | None
    t1: float
    t2: float
    rules: Rules


@dataclass(frozen=True, slots=True)
class _Aside:
    """What is left to compute beside the graph in one layer: rows of (tokens x K) and their inputs. skipped: rows that
    nothing computes."""

    plan: Plan
    rows: npt.NDArray[Any]
    experts: Ids
    inputs: npt.NDArray[np.float32]
    skipped: npt.NDArray[Any]


class ExpertHook:
    """See the module. For one context at a time, in the thread that decodes."""

    def __init__(
        self, store: ExpertStore, layers: Sequence[MoeLayer], tiers: Tiers, records: Records, side: Side,
        counters: ExpertCounters, prophet: Prophet | None = None,
    ) -> None:  # fmt: skip
        self._store, self._layers, self._tiers = store, tuple(layers), tiers
        self._records, self._side, self._counters, self._prophet = records, side, counters, prophet
        self._decided = {layer.decided: at for at, layer in enumerate(layers)}
        high = tiers.high
        crowded = any(high.capacity(at) < layer.experts for at, layer in enumerate(layers))
        aside = tiers.low is not None or crowded
        self._said = {layer.said: at for at, layer in enumerate(layers)} if aside else {}
        promotes = tiers.rules.no_wait and all(
            high.capacity(at) >= LAYERS * layer.top_k for at, layer in enumerate(layers)
        )
        self._heat = Heat(records.layers, store.experts) if promotes else None
        self._aside: dict[int, _Aside] = {}
        self._guesses: dict[int, list[Guess]] = {}
        self._ends: dict[int, int] = {}
        self._idle = self._quiet = False
        self._narrowed: tuple[int, int] | None = None  # a tensor of ids, and how many each token has
        self._pinned = -1  # the layer whose experts are, -1 for none
        self._first: Mask = np.zeros(0, np.bool_)
        self._wanted: Mask = np.zeros(0, np.bool_)
        self._stopped = _never

    def wants(self, name: str) -> bool:
        return not self._idle and (name in self._decided or name in self._said)

    def begin(self, batch: BatchAhead) -> bool:
        """Another batch. A record of uses begins anew when no sequence of it goes on from an earlier batch.

        Once every expert is here there is nothing left to do, for good: no node is wanted any more.
        """
        self._counters.batches += 1
        self._counters.tokens += len(batch.positions)
        if not self._idle:
            self._prepare(batch)
            self._idle = self._tiers.high.complete
            if not self._idle:
                return False
        self._counters.hits += len(batch.positions) * sum(layer.top_k for layer in self._layers)
        turned, self._quiet = not self._quiet, True
        return turned

    def _prepare(self, batch: BatchAhead) -> None:
        self._stopped = batch.stopped
        self._first = np.asarray(batch.positions) == 0
        self._wanted = np.asarray(batch.wanted, np.bool_)
        for shelf in (self._tiers.high, self._tiers.low):
            if shelf is not None:
                shelf.begin()
        self._pinned = -1
        self._aside.clear()
        self._guesses.clear()
        ends: dict[int, int] = {}
        goes_on = False
        for sequence, position in zip(batch.sequences, batch.positions, strict=True):
            goes_on = goes_on or (sequence not in ends and self._ends.get(sequence) == position - 1)
            ends[sequence] = position
        if not goes_on:
            self._records.reset()
            self._counters.sequences += 1
            self._ends = ends
        else:
            self._ends.update(ends)
        self._records.begin_pass()
        if self._heat is not None:
            self._heat.begin_pass()

    def end(self) -> None:
        """Give the graph back as it was, also where the batch ended between a selection and its experts."""
        self._widen()

    def computed(self, tensor: TensorView) -> None:
        if self._stopped():
            return  # nobody will look at what this batch says
        name = tensor.name
        at = self._decided.get(name)
        if at is not None:
            self._choose(at, tensor)
        else:
            self._correct(self._said[name], tensor)

    def _choose(self, at: int, weights: TensorView) -> None:
        """The selection of a layer is final: have it here, or arrange for what is not."""
        layer, high = self._layers[at], self._tiers.high
        ids = TensorView(follow(weights.address, layer.to_ids))
        tokens = ids.ne[1]
        self._let_go()
        if high.coming:
            high.settle()
        selected = _single(ids, layer.top_k) if tokens == 1 else None
        if selected is not None and high.here[at].issuperset(selected):
            self._counters.hits += len(selected)
            self._records.use(at, selected)
            if self._heat is not None:
                self._heat.use(at, np.array(selected), weights.numpy().reshape(-1))
            if self._prophet is not None:
                self._pin(high, at, selected)
        else:
            selected = self._arrange(at, layer, ids, weights)
        if self._prophet is not None:
            self._review(at, selected)
            self._foresee(at, layer, weights, tokens)

    def _arrange(self, at: int, layer: MoeLayer, ids: TensorView, weights: TensorView) -> list[int]:
        """Plan the layer and carry it out, as far as it comes before the experts speak. Returns what was selected."""
        tiers = self._tiers
        table: Ids = ids.numpy().reshape(-1, layer.top_k)
        chosen = table.copy()
        weigh = weights.numpy().reshape(chosen.shape)
        if tiers.low is not None and tiers.low.coming:
            tiers.low.settle()
        wanted = decide(unimportance(weigh), tiers.t1, tiers.t2) if tiers.t1 < 1 else np.zeros(chosen.shape, np.int8)
        made = plan(
            chosen, wanted, self._protected(len(chosen)), tiers.high.held[at],
            None if tiers.low is None else tiers.low.held[at], tiers.high.capacity(at), tiers.rules,
        )  # fmt: skip
        self._count(at, made)
        if self._heat is not None:
            self._heat.use(at, table, weigh)
        self._bring(at, made)
        if made.stream or made.low or made.skip:
            if len(chosen) == 1:
                self._narrow(ids, table, weigh, made)
                chosen = table.copy()
            else:
                table[:] = redirect(chosen, made)
            if made.skip:
                weigh.reshape(-1)[rows_of(chosen, made.skip)] = 0
            rows = rows_of(chosen, made.stream + made.low)
            entered = TensorView(follow(weights.address, layer.to_input)).numpy().reshape(len(chosen), -1)
            self._aside[at] = _Aside(
                made, rows, chosen.reshape(-1)[rows], entered[rows // layer.top_k], rows_of(chosen, made.skip)
            )
        return list(map(int, np.unique(chosen)))

    def _narrow(self, ids: TensorView, table: Ids, weigh: npt.NDArray[Any], made: Plan) -> None:
        """Let the graph compute only those experts of a token that are in its memory: they come first, and the products
        see as many ids as there are of them. `_widen` puts the number right again."""
        inside = set(made.in_graph)
        order = sorted(range(table.shape[1]), key=[expert not in inside for expert in table[0].tolist()].__getitem__)
        table[0], weigh[0] = table[0][order], weigh[0][order]
        self._narrowed = (ids.address, table.shape[1])
        GgmlTensor.from_address(ids.address).ne[0] = len(made.in_graph)

    def _widen(self) -> None:
        if self._narrowed is not None:
            address, count = self._narrowed
            GgmlTensor.from_address(address).ne[0], self._narrowed = count, None

    def _bring(self, at: int, made: Plan) -> None:
        """Read what the graph is about to use, and begin to read what is needed right after."""
        high, low = self._tiers.high, self._tiers.low
        self._pin(high, at, made.in_graph)
        loads: list[Load] = []
        for expert in made.load:
            self._counters.early += (at, expert) in high.coming
            load = high.fetch(at, expert, Urgency.DEMAND)
            if load is not None:
                loads.append(load)
            elif not high.held[at, expert]:  # computing with it would give plausible nonsense
                raise StorageError(
                    f"there is no room for expert {expert} of layer {self._layers[at].number}, though it was planned",
                    "this is a defect: report it with the settings in use",
                )
        if low is not None:
            self._pin(low, at, made.low)
            for expert in made.low:
                if low.fetch(at, expert, Urgency.DEMAND) is None and not low.held[at, expert]:
                    low.pinned[at, expert] = False
        if loads:
            self._stall(high, loads)
        if made.hot and self._heat is not None and not high.coming:
            self._promote(at, self._heat.hottest(at, made.hot), self._heat)

    def _stall(self, shelf: Shelf, loads: Sequence[Load]) -> bool:
        started = time.perf_counter()
        try:
            return shelf.await_all(loads, self._stopped)
        finally:
            self._counters.stalls += 1
            self._counters.stall_seconds += time.perf_counter() - started

    def _promote(self, at: int, expert: int, heat: Heat) -> None:
        """Read high precision in the background, one expert at a time, where it is hotter than what would have to leave."""
        high = self._tiers.high
        if high.arena.fits(at) or heat.pays((at, expert), high.lowest(at)):
            self._counters.promoted += high.fetch(at, expert, Urgency.PROMOTION) is not None

    def _correct(self, at: int, said: TensorView) -> None:
        """The experts have spoken: write what was computed beside the graph where it belongs."""
        self._widen()
        work = self._aside.pop(at, None)
        if work is None:
            return
        values = said.numpy()
        values = values.reshape(-1, values.shape[-1])
        assert np.shares_memory(values, said.numpy())
        if work.plan.stream:
            self._tiers.high.pinned[at] = False  # the graph is done with them
            self._compute(at, self._tiers.high, work.plan.stream, work, values)
        values[work.skipped] = 0  # no weight times what never was computed may be no number
        if work.plan.low and self._tiers.low is not None:
            self._compute(at, self._tiers.low, work.plan.low, work, values)

    def _compute(self, at: int, shelf: Shelf, experts: Sequence[int], work: _Aside, values: npt.NDArray[Any]) -> None:
        """Compute experts as they arrive, as many at a time as there is room for."""
        pending = list(experts)
        while pending:
            for expert in pending:
                shelf.pinned[at, expert] = True
                if shelf.fetch(at, expert, Urgency.DEMAND) is None and not shelf.held[at, expert]:
                    shelf.pinned[at, expert] = False
                    break
            ready = [expert for expert in pending if shelf.held[at, expert]]
            if not ready:
                first = next(shelf.coming[at, expert] for expert in pending if (at, expert) in shelf.coming)
                if not self._stall(shelf, [first]):
                    return
                continue
            started = time.perf_counter()
            for parts, same in self._kinds(at, shelf.precision, ready).items():
                mine = rows_of(work.experts, same)
                matrices = _matrices(shelf, at, parts)
                values[work.rows[mine]] = self._side.run(
                    self._layers[at], matrices, work.inputs[mine], work.experts[mine].tolist()
                )
            self._counters.side_seconds += time.perf_counter() - started
            shelf.pinned[at, ready] = False
            pending = [expert for expert in pending if expert not in ready]

    def _kinds(self, at: int, precision: str, experts: Sequence[int]) -> Mapping[tuple[Part, ...], list[int]]:
        """Experts by the form of their records: those of one layer may differ in type."""
        kinds: dict[tuple[Part, ...], list[int]] = {}
        for expert in experts:
            kinds.setdefault(self._store.record(self._layers[at].number, expert, precision).parts, []).append(expert)
        return kinds

    def _protected(self, tokens: int) -> Mask:
        """Tokens that nothing is lowered for: the first of a sequence, which all others attend to.

        In its last layer llama.cpp computes only tokens whose output is wanted.
        """
        if tokens == len(self._first):
            return self._first
        if tokens == int(self._wanted.sum()):
            return np.asarray(self._first[self._wanted], np.bool_)
        return np.full(tokens, bool(self._first.any()))

    def _count(self, at: int, made: Plan) -> None:
        counters, low = self._counters, self._tiers.low
        counters.hits += len(made.held)
        counters.misses += len(made.load) + len(made.stream)
        counters.streamed += len(made.stream)
        here = 0 if low is None else int(low.held[at, list(made.low)].sum())
        counters.low_hits += here
        counters.low_misses += len(made.low) - here
        counters.skipped += len(made.skip)
        self._records.use(at, made.held + made.load + made.stream, made.low)

    def _review(self, at: int, selected: Sequence[int]) -> None:
        """A layer that was predicted has come: learn from it, and stop reading what it does not want."""
        assert self._prophet is not None
        for guess in self._guesses.pop(at, ()):
            self._counters.predicted += len(guess.experts)
            self._counters.confirmed += self._prophet.learn(guess, selected)
        for shelf in (self._tiers.high, self._tiers.low):
            if shelf is None:
                continue
            wrong = [
                key for key, load in shelf.coming.items()
                if key[0] == at and load.urgency == Urgency.PREFETCH and key[1] not in selected
            ]  # fmt: skip
            shelf.cancel(wrong)
            self._counters.cancelled += len(wrong)
            shelf.guarded[at] = False

    def _foresee(self, at: int, layer: MoeLayer, weights: TensorView, tokens: int) -> None:
        """Read ahead for the first later layer that will miss something; what it will want meanwhile may not leave."""
        assert self._prophet is not None
        high, low = self._tiers.high, self._tiers.low
        if high.complete:
            return
        entered = TensorView(follow(weights.address, layer.to_input)).numpy().reshape(tokens, -1)
        for guess in self._prophet.look(at, entered):
            if not any(known.distance == guess.distance for known in self._guesses.get(guess.layer, ())):
                self._guesses.setdefault(guess.layer, []).append(guess)
            begun = False
            for expert, need in zip(guess.experts, guess.needs, strict=True):
                shelf = high if need == HIGH or low is None else low if need == LOW else None
                if shelf is None or (shelf is low and high.held[guess.layer, expert]):
                    continue
                shelf.guarded[guess.layer, expert] = shelf.held[guess.layer, expert]
                known = (guess.layer, expert) in shelf.coming
                if shelf.fetch(guess.layer, expert, Urgency.PREFETCH) is not None:
                    shelf.guarded[guess.layer, expert] = begun = True
                    self._counters.prefetched += not known
            if begun:
                return

    def _pin(self, shelf: Shelf, at: int, experts: Sequence[int]) -> None:
        """Keep experts of the layer at work from leaving, until the next layer comes."""
        shelf.pinned[at, list(experts)] = True
        self._pinned = at

    def _let_go(self) -> None:
        """The layer before is over: what it used may leave."""
        if self._pinned >= 0:
            for shelf in (self._tiers.high, self._tiers.low):
                if shelf is not None:
                    shelf.pinned[self._pinned] = False
            self._pinned = -1


def _never() -> bool:
    return False


def _single(ids: TensorView, top_k: int) -> list[int]:
    """The experts of one token; a row of a table of ids is contiguous."""
    return list((ctypes.c_int32 * top_k).from_address(ids.data))


def _matrices(shelf: Shelf, at: int, parts: Sequence[Part]) -> Mapping[str, Matrices]:
    first, step = shelf.arena.address(at, 0), shelf.arena.places[at]
    return {part.role: Matrices(part.type, part.rows, part.cols, first + part.offset, step) for part in parts}
