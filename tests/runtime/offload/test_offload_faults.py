"""What goes wrong surfaces from the decode that met it, and leaves nothing half-loaded behind."""

import os
import threading
from pathlib import Path

import pytest

from kithnet.runtime.engine.context import Context, Stop
from kithnet.runtime.errors import ConfigError, ModelFileError, StorageError, StoreError
from kithnet.runtime.hook import Both, TensorView
from kithnet.runtime.local import LocalModel, LocalOptions
from kithnet.runtime.offload.graph import moe_layers, probe
from kithnet.runtime.offload.offloaded import Offloaded
from kithnet.runtime.offload.options import ExpertOptions, least_memory
from kithnet.runtime.offload.store import ALIGNMENT

from ..tiny_models import write_mamba
from .running import Logits, Made, decode, make, offloaded, one_by_one, plain, same, side_by_side, tight


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path)


def truncate(made: Made, size: int) -> bytes:
    """Cut the store's file off at `size`; returns all of it."""
    whole = made.store.path.read_bytes()
    os.truncate(made.store.path, size)
    return whole


def put_back(made: Made, whole: bytes) -> None:
    with made.store.path.open("r+b") as file:
        file.write(whole)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("cut", [0, 100])
def test_a_store_truncated_while_it_is_used_fails_the_decode_and_the_next_one_works(
    made: Made, direct: bool, cut: int
) -> None:
    with plain(made.model) as model:
        expected = decode(model, None, one_by_one(30))
    with offloaded(made.store, tight(made.store, direct=direct)) as (trunk, experts):
        whole = truncate(made, made.store.record(1, 0, "high").offset + cut)
        with pytest.raises(StorageError, match=r"high precision of expert \d of layer \d in llama\.experts"):
            decode(trunk, experts.hook, one_by_one(30))
        put_back(made, whole)
        assert same(expected, decode(trunk, experts.hook, one_by_one(30)))


def test_a_read_that_fails_beside_the_graph_fails_the_decode_too(made: Made) -> None:
    with plain(made.model) as model:
        expected = decode(model, None, side_by_side(3, 5))
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        whole = truncate(made, made.store.record(0, 3, "high").offset)
        with pytest.raises(StorageError, match="layer 0"):
            decode(trunk, experts.hook, side_by_side(3, 5))
        put_back(made, whole)
        assert same(expected, decode(trunk, experts.hook, side_by_side(3, 5)))


def test_a_prefetch_that_fails_is_read_again_when_it_is_needed(made: Made) -> None:
    with offloaded(made.store, ExpertOptions(prefetch=2)) as (trunk, experts):
        truncate(made, made.store.record(2, 0, "high").offset)
        with pytest.raises(StorageError, match="layer 2"):
            decode(trunk, experts.hook, one_by_one(30))


def test_a_store_that_is_removed_while_it_is_used_stays_readable(made: Made) -> None:
    with plain(made.model) as model:
        expected = decode(model, None, one_by_one(30))
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        made.store.path.unlink()
        assert same(expected, decode(trunk, experts.hook, one_by_one(30)))


def test_a_store_that_is_gone_before_it_is_opened_is_said_to_be(made: Made) -> None:
    made.store.path.unlink()
    with plain(made.store.trunk) as trunk, pytest.raises(StorageError, match=r"llama\.experts cannot be read"):
        Offloaded(trunk, made.store, ExpertOptions(), threads=1)


def test_a_trunk_of_another_model_is_refused(made: Made, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other", inner=64)
    with plain(other.store.trunk) as trunk, pytest.raises(StoreError, match="does not fit"):
        Offloaded(trunk, made.store, ExpertOptions(), threads=1)
    made.store.trunk.write_bytes(other.store.trunk.read_bytes())
    with pytest.raises(StoreError, match="not the trunk"):
        LocalModel.load(made.store.path)


def test_a_store_of_another_version_is_refused(made: Made) -> None:
    with made.store.path.open("r+b") as file:
        head = bytearray(file.read(ALIGNMENT))
        head[8] = 99
        file.seek(0)
        file.write(head)
    with pytest.raises(StoreError, match="version 99"):
        LocalModel.load(made.store.path)


@pytest.mark.parametrize("options", [{}, {"t1": 0.5}, {"resident_low": True}])
def test_a_budget_below_one_selection_is_refused_with_the_least_that_works(
    made: Made, options: dict[str, float]
) -> None:
    least = least_memory(made.store, ExpertOptions(**options))  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as refused:
        LocalModel.load(made.store.path, LocalOptions(experts=ExpertOptions(memory_bytes=least - 1, **options)))  # type: ignore[arg-type]
    assert f"{least:,}" in refused.value.hint
    with offloaded(made.store, tight(made.store, **options)) as (trunk, experts):
        decode(trunk, experts.hook, one_by_one(5))


def test_a_model_without_experts_is_refused_with_what_was_found(tmp_path: Path) -> None:
    with plain(write_mamba(tmp_path / "mamba.gguf")) as model, pytest.raises(ModelFileError, match="no experts"):
        moe_layers(probe(model), "mamba")


class Raising:
    """Fails when a layer's output is seen."""

    def __init__(self) -> None:
        self.armed = True

    def wants(self, name: str) -> bool:
        return name == "l_out-1"

    def computed(self, tensor: TensorView) -> None:
        if self.armed:
            raise ZeroDivisionError("in the callback")


def test_an_exception_in_the_callback_is_raised_by_the_decode_and_leaves_the_shelf_in_order(made: Made) -> None:
    with plain(made.model) as model:
        expected = decode(model, None, one_by_one(30))
    failing = Raising()
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        with pytest.raises(ZeroDivisionError, match="in the callback"):
            decode(trunk, Both(experts.hook, failing), one_by_one(30))
        failing.armed = False
        assert same(expected, decode(trunk, Both(experts.hook, failing), one_by_one(30)))


class StopAt:
    """Raises the stop flag, as Ctrl-C does, once a node is computed; then leaves off."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.stop: Stop | None = None

    def wants(self, name: str) -> bool:
        return name == self._name

    def computed(self, tensor: TensorView) -> None:
        if self.stop is not None:
            self.stop.set()
            self.stop = None


@pytest.mark.parametrize("at", ["ffn_norm-1", "ffn_moe_weights_norm-1", "ffn_moe_swiglu-2"])
def test_a_decode_stopped_in_the_middle_of_a_token_returns_and_the_next_one_works(made: Made, at: str) -> None:
    batches = one_by_one(30)
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        stopping = StopAt(at)
        context = Context(trunk, cells=64, sequences=8, threads=1, hook=Both(stopping, experts.hook))
        stopping.stop = context.stop
        assert context.decode(batches[0]) == 2
        context.stop.clear()
        context.close()
        assert same(expected, decode(trunk, experts.hook, batches))


def test_two_models_on_one_store_do_not_disturb_each_other(made: Made) -> None:
    with plain(made.model) as model:
        expected = decode(model, None, one_by_one(40))
    found: dict[int, Logits] = {}

    def run(number: int) -> None:
        with offloaded(made.store, tight(made.store)) as (trunk, experts):
            found[number] = decode(trunk, experts.hook, one_by_one(40))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(expected, found[i]) for i in range(2))
