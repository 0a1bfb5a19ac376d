"""Experts of one precision that are held in memory: what is here, what is on its way, what leaves to make room."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kithnet.runtime.offload.arena import Arena, Place
from kithnet.runtime.offload.cache import Floats, Mask, Policy, Records, victim
from kithnet.runtime.offload.loader import Load, Loader, Urgency
from kithnet.runtime.offload.options import places
from kithnet.runtime.offload.store import ExpertStore


class Shelf:
    """See the module. For the decoding thread alone; the loader's threads only write into places given to them.

    held: (layers, experts), True for what may be computed with; here: the same, a set for each layer. pinned: what is
    being computed with now. guarded: what has been predicted, and leaves only when nothing else can.
    """

    def __init__(
        self, store: ExpertStore, precision: str, loader: Loader, records: Records, policy: Policy, budget: int
    ) -> None:
        self.precision = precision
        self._store, self._loader = store, loader
        self._records, self._policy = records, policy
        self.arena = Arena(places(store, precision), store.experts, budget)
        shape = (len(store.layers), store.experts)
        self.held: Mask = np.zeros(shape, np.bool_)
        self.pinned: Mask = np.zeros(shape, np.bool_)
        self.guarded: Mask = np.zeros(shape, np.bool_)
        self.here: list[set[int]] = [set() for _ in store.layers]
        self.coming: dict[Place, Load] = {}
        self.evictions = 0
        self._ranked: tuple[tuple[int, int, int], Floats] = ((-1, -1, -1), np.zeros(shape))

    @property
    def complete(self) -> bool:
        """Every expert is here."""
        return not self.coming and sum(map(len, self.here)) == self.held.size

    def capacity(self, layer: int) -> int:
        """Places of this layer's size that the budget has room for."""
        return self.arena.budget // self.arena.places[layer]

    def fetch(self, layer: int, expert: int, urgency: Urgency) -> Load | None:
        """Have an expert read, unless it is here. None: it is here, or, short of DEMAND, there is no room for it.

        DEMAND may drop what was predicted; it needs a budget that holds all that is pinned.
        """
        if self.held[layer, expert]:
            return None
        load = self.coming.get((layer, expert))
        if load is not None and load.cancelled:
            self._await([load])
            load = None
        if load is not None:
            self._loader.hasten(load, urgency)
            return load
        address = None if self.held[layer, expert] else self._place(layer, expert, urgency)
        if address is None:
            return None
        record = self._store.record(self._store.layers[layer], expert, self.precision)
        label = f"{self.precision} precision of expert {expert} of layer {record.layer} in {self._store.path.name}"
        load = Load(address, record.offset, record.nbytes, urgency, label)
        self.coming[layer, expert] = load
        self._loader.submit(load)
        return load

    def await_all(self, loads: Iterable[Load], stopped: Callable[[], bool]) -> bool:
        """Wait for loads and put them on the shelf. False when stopped before. Raises StorageError of a failed one."""
        try:
            return self._loader.wait(list(loads), stopped)
        finally:
            self.settle()

    def settle(self) -> None:
        """Take note of loads that are over: what came whole is held, what failed or was cancelled gives its place back.

        Raises StorageError where one failed that somebody waits for; a prediction's is forgotten, and read again.
        """
        failed: list[Load] = []
        for key in [key for key, load in self.coming.items() if load.settled]:
            load = self.coming.pop(key)
            if load.whole:
                self.held[key] = True
                self.here[key[0]].add(key[1])
                continue
            self.guarded[key] = False
            self.arena.give_back(*key)
            if load.urgency == Urgency.DEMAND:
                failed.append(load)
        for load in failed:
            load.raise_error()

    def begin(self) -> None:
        """Another batch: nothing is in use any more, and nobody waits for what an earlier batch has asked for."""
        self.pinned[:] = False
        for load in self.coming.values():
            load.urgency = max(load.urgency, Urgency.PREFETCH)
        self.settle()

    def cancel(self, keys: Iterable[Place]) -> None:
        """Stop reading these where they are on their way; what has come already stays."""
        for key in keys:
            self.guarded[key] = False
            if key in self.coming:
                self._loader.cancel(self.coming[key])

    def lowest(self, layer: int) -> Place | None:
        """What would leave next while `layer` is at work; None where nothing may leave."""
        moment = (layer, self._records.passes, self._records.time)
        if moment != self._ranked[0]:  # uses are the same for every load of a layer
            self._ranked = moment, self._policy(self._records, layer)
        return victim(self._ranked[1], self.held & ~self.pinned & ~self.guarded)

    def close(self) -> None:
        """Unmap the memory. The loader must be closed, and no tensor point here any more."""
        self.arena.close()

    def _place(self, layer: int, expert: int, urgency: Urgency) -> int | None:
        """The address to read to, after what has to leave has left; None where nothing may."""
        while not self.arena.fits(layer):
            leaves = self.lowest(layer)
            if leaves is None:
                if urgency != Urgency.DEMAND or not self._drop_predictions():
                    return None
                continue
            self._forget(leaves)
            if self.arena.places[leaves[0]] == self.arena.places[layer]:
                return self.arena.move(leaves, (layer, expert))
            self.arena.give_back(*leaves)
        return self.arena.take(layer, expert)

    def _forget(self, key: Place) -> None:
        """A held expert is about to leave."""
        assert self.held[key] and not self.pinned[key]
        self.held[key] = self.guarded[key] = False
        self.here[key[0]].remove(key[1])
        self.evictions += 1

    def _drop_predictions(self) -> bool:
        """Let go of whatever nobody waits for. False when there is nothing of the kind."""
        self.settle()
        waiting = [key for key, load in self.coming.items() if load.urgency != Urgency.DEMAND]
        loads = [self.coming[key] for key in waiting]
        had = bool(waiting) or bool(self.guarded.any())
        self.cancel(waiting)
        self.guarded[:] = False
        self._await(loads)
        return had

    def _await(self, loads: Sequence[Load]) -> None:
        """Wait until loads that nobody needs are settled, whatever became of them."""
        for load in loads:
            self._loader.settle(load)
        self.settle()
