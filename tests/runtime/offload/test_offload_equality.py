"""Offloading in high precision changes no bit, whatever the architecture, the batches and the memory."""

from pathlib import Path

import pytest
from gguf import GGMLQuantizationType as Type

from kithnet.runtime.offload.options import ExpertOptions

from .running import decode, make, offloaded, one_by_one, plain, same, side_by_side, tight
from .tiny_moe import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_high_only_equals_the_unlimited_run_to_the_last_bit_after_hundreds_of_evictions(
    tmp_path: Path, kind: str
) -> None:
    made = make(tmp_path, kind)
    batches = one_by_one(90)
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    with offloaded(made.store, tight(made.store, policy="lru")) as (trunk, experts):
        assert same(expected, decode(trunk, experts.hook, batches))
        stats = experts.stats()
    assert stats.evictions > 200
    assert stats.peak_bytes <= stats.budget_bytes
    assert stats.low_hits == stats.low_misses == stats.skipped == 0


@pytest.mark.parametrize("kind", KINDS)
def test_batches_that_select_more_experts_than_memory_holds_are_streamed_and_equal(tmp_path: Path, kind: str) -> None:
    made = make(tmp_path, kind)
    batches = side_by_side(4, 15)
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        assert same(expected, decode(trunk, experts.hook, batches))
        stats = experts.stats()
    assert stats.streamed > 50
    assert stats.peak_bytes <= stats.budget_bytes


@pytest.mark.parametrize("policy", ["lcu", "lfu", "hobbit"])
def test_every_policy_and_prefetch_leave_the_bits_alone(tmp_path: Path, policy: str) -> None:
    made = make(tmp_path)
    batches = [*one_by_one(40), *side_by_side(3, 20)]
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    half = made.store.bytes_of("high") // 2
    for memory in (half, 0):
        options = ExpertOptions(memory_bytes=memory, policy=policy, prefetch=2)
        with offloaded(made.store, options) as (trunk, experts):
            assert same(expected, decode(trunk, experts.hook, batches))
            assert experts.stats().prefetched > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_k_quants_whose_kernels_depend_on_the_number_of_rows_are_equal_too(tmp_path: Path, threads: int) -> None:
    made = make(tmp_path, low="Q2_K", width=256, inner=256, experts=Type.Q6_K)
    batches = [*side_by_side(2, 4, prompt=60), *one_by_one(10)]
    with plain(made.model) as model:
        expected = decode(model, None, batches, threads)
    with offloaded(made.store, tight(made.store)) as (trunk, experts):
        assert same(expected, decode(trunk, experts.hook, batches, threads))
        assert experts.stats().streamed > 0
