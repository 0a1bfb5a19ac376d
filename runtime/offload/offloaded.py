"""A model whose experts come from a store: everything that belongs to it, put together and taken apart again."""

from collections.abc import Sequence

from kithnet.runtime import ggml
from kithnet.runtime.errors import StoreError
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.offload.advise import drop_pages
from kithnet.runtime.offload.arena import Binding, Spot
from kithnet.runtime.offload.cache import Records, policy
from kithnet.runtime.offload.graph import MoeLayer, moe_layers, probe
from kithnet.runtime.offload.hook import ExpertHook, Tiers
from kithnet.runtime.offload.loader import Loader, Urgency
from kithnet.runtime.offload.options import ExpertOptions, divide, places
from kithnet.runtime.offload.plan import Rules
from kithnet.runtime.offload.prefetch import Prophet, gates
from kithnet.runtime.offload.residence import settle_in
from kithnet.runtime.offload.shelf import Shelf
from kithnet.runtime.offload.side import Side
from kithnet.runtime.offload.stats import ExpertCounters, ExpertStats
from kithnet.runtime.offload.store import ExpertStore

_AGAIN = "make the store again: kith model convert"


class Offloaded:
    """The experts of a loaded trunk, and the `hook` that its context must have. `close` it after the context.

    Raises StoreError where trunk and store do not fit, ModelFileError for a graph that is not known, ConfigError for a
    budget that is too small, StorageError where the store cannot be read.
    """

    def __init__(self, trunk: LlamaModel, store: ExpertStore, options: ExpertOptions, threads: int) -> None:
        budget = divide(store, options)
        layers = moe_layers(probe(trunk), store.path.stem)
        _check(store, layers)
        self.store, self.options, self.budget = store, options, budget
        self.counters = ExpertCounters()
        self._cost = store.bytes_of("low") / max(store.bytes_of("high"), 1)
        records = Records(len(layers), store.experts, self._cost)
        chosen = policy(options.policy)
        prophet = Prophet(gates(layers), options.prefetch, options.t1, options.t2) if options.prefetch else None
        self._loader = Loader(store.path, options.readers, direct=options.direct)
        self._high = Shelf(store, "high", self._loader, records, chosen, budget.high)
        self._low = Shelf(store, "low", self._loader, records, chosen, budget.low) if options.lowers else None
        self._shelves = [self._high] + ([self._low] if self._low else [])
        self._side = Side(threads)
        self._binding = Binding(_spots(store, layers, self._high))
        _settle(store, self._binding)
        rules = Rules(skip=options.skip, no_wait=options.resident_low)
        tiers = Tiers(self._high, self._low, options.t1, options.t2 if options.lowers else 1.0, rules)
        self.hook = ExpertHook(store, layers, tiers, records, self._side, self.counters, prophet)
        if options.resident_low and self._low is not None:
            for at in range(len(layers)):
                for expert in range(store.experts):
                    self._low.fetch(at, expert, Urgency.PROMOTION)

    def stats(self) -> ExpertStats:
        """From any thread."""
        return self.counters.snapshot(
            bytes_read=self._loader.bytes_read,
            evictions=sum(shelf.evictions for shelf in self._shelves),
            held_bytes=sum(shelf.arena.used for shelf in self._shelves),
            peak_bytes=sum(shelf.arena.peak for shelf in self._shelves),
            budget_bytes=self.budget.total,
            low_cost=self._cost,
        )

    def wait(self) -> None:
        """Wait until what is read in the background is here: all of low precision, where it is to stay in memory.

        Between two decodes only. Raises StorageError where it could not be read.
        """
        for shelf in self._shelves:
            shelf.await_all(list(shelf.coming.values()), lambda: False)

    def close(self) -> None:
        """Stop reading and free the memory. No context may use the hook any more. A second call does nothing."""
        self._loader.close()
        self._binding.undo()
        self._side.close()
        for shelf in self._shelves:
            shelf.close()


def _check(store: ExpertStore, layers: Sequence[MoeLayer]) -> None:
    """The tensors of the trunk must be what the records hold."""
    if tuple(layer.number for layer in layers) != store.layers:
        raise StoreError(f"{store.path} holds experts of other layers than {store.trunk.name} has", _AGAIN)
    for layer in layers:
        for expert in range(store.experts):
            for part in store.record(layer.number, expert, "high").parts:
                raw = GgmlTensor.from_address(layer.weights[part.role]) if part.role in layer.weights else None
                if raw is None or (raw.ne[0], raw.ne[1]) != (part.cols, part.rows):
                    raise StoreError(
                        f"{part.role} of expert {expert} of layer {layer.number} in {store.path} does not fit {store.trunk.name}",
                        _AGAIN,
                    )
        if layer.experts != store.experts:
            raise StoreError(
                f"{store.path} holds {store.experts} experts a layer, {store.trunk.name} {layer.experts}", _AGAIN
            )


def _settle(store: ExpertStore, binding: Binding) -> None:
    """Loading the trunk has filled the page cache with the zeros of its holes: give that memory back, and keep the rest."""
    for address, size in binding.left:
        drop_pages(address, size)
    settle_in(store.trunk, binding.left[0][0], store.kept)


def _spots(store: ExpertStore, layers: Sequence[MoeLayer], shelf: Shelf) -> dict[int, Spot]:
    """Where the tensors of the model point while its experts are on the shelf."""
    sizes = places(store, "high")
    return {
        layer.weights[part.role]: Spot(
            shelf.arena.address(at, 0) + part.offset, sizes[at], part.type,
            ggml.row_bytes(part.type, ggml.block(part.type)), ggml.row_bytes(part.type, part.cols),
        )
        for at, layer in enumerate(layers)
        for part in store.record(layer.number, 0, "high").parts
    }  # fmt: skip
