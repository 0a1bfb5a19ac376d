"""Low precision, skipping, and what never is lowered."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from kithnet.runtime.engine.context import Piece
from kithnet.runtime.hook import TensorView
from kithnet.runtime.offload.options import ExpertOptions

from .running import decode, distance, make, offloaded, one_by_one, plain, same, tight, tokens
from .tiny_moe import KINDS, write_moe


@pytest.mark.parametrize("kind", KINDS)
def test_all_in_low_precision_equals_a_model_of_that_precision(tmp_path: Path, kind: str) -> None:
    made = make(tmp_path, kind, high="Q8_0", low="Q4_0", experts=Type.F32)
    native = write_moe(tmp_path / "native.gguf", kind, experts=Type.Q4_0)
    batches = [*one_by_one(25, start=1), [Piece(0, 1, tokens(30), 1)]]  # no token is the first of its sequence
    with plain(native) as model:
        expected = decode(model, None, batches)
    with offloaded(made.store, tight(made.store, t1=-1, t2=1)) as (trunk, experts):
        assert distance(expected, decode(trunk, experts.hook, batches)) < 1e-4
        stats = experts.stats()
    assert stats.low_misses > 50
    assert stats.hits == stats.misses == 0


def test_k_quants_in_low_precision_equal_a_model_of_that_precision(tmp_path: Path) -> None:
    made = make(tmp_path, high="Q6_K", low="Q2_K", experts=Type.F32, width=256, inner=256)
    native = write_moe(tmp_path / "native.gguf", experts=Type.Q2_K, width=256, inner=256)
    batches = [*one_by_one(10, start=1), [Piece(0, 1, tokens(60), 1)]]
    with plain(native) as model:
        expected = decode(model, None, batches)
    with offloaded(made.store, tight(made.store, t1=-1, t2=1)) as (trunk, experts):
        assert distance(expected, decode(trunk, experts.hook, batches)) < 1e-4


def test_the_first_token_of_a_sequence_is_never_lowered(tmp_path: Path) -> None:
    made = make(tmp_path)
    batches = [[Piece(3, 0, [1], 1)], [Piece(5, 0, [1], 1)]]
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    for options in ({"t1": -1.0, "t2": -1.0, "skip": True}, {"resident_low": True}):
        with offloaded(made.store, tight(made.store, **options)) as (trunk, experts):
            assert same(expected, decode(trunk, experts.hook, batches))
            stats = experts.stats()
        assert stats.low_hits == stats.low_misses == stats.skipped == 0


def test_nothing_is_lowered_while_high_precision_is_there(tmp_path: Path) -> None:
    made = make(tmp_path)
    batches = one_by_one(30)
    with plain(made.model) as model:
        expected = decode(model, None, batches)
    high = made.store.bytes_of("high")
    options = ExpertOptions(t1=0.0, t2=0.0, skip=True, memory_bytes=2 * high, low_share=0.5)
    with offloaded(made.store, options) as (trunk, experts):
        for seed in range(12):  # first tokens want high precision, and between them every expert
            decode(trunk, experts.hook, [[Piece(s, 0, [t], 1)] for s, t in enumerate(tokens(8, seed))])
        assert experts.stats().held_bytes == high
        assert same(expected, decode(trunk, experts.hook, batches))


class Zeroing:
    """Sets the weight of each token's second expert to nothing, in a run without offloading."""

    def wants(self, name: str) -> bool:
        return name.startswith("ffn_moe_weights_norm") and name.endswith("(reshaped)")

    def computed(self, tensor: TensorView) -> None:
        weights = tensor.numpy().reshape(-1, 2)
        weights[np.arange(len(weights)), weights.argmin(axis=1)] = 0


def test_to_skip_an_expert_is_to_give_it_no_weight(tmp_path: Path) -> None:
    made = make(tmp_path)
    batches = one_by_one(30, prompt=1, start=1)
    with plain(made.model) as model:
        expected = decode(model, Zeroing(), batches)
    with offloaded(made.store, tight(made.store, t1=0.0, t2=0.0, skip=True, policy="lru")) as (trunk, experts):
        assert distance(expected, decode(trunk, experts.hook, batches)) < 1e-5
        assert experts.stats().skipped > 20


def test_a_resident_low_tier_never_waits_and_promotes_what_stays_hot(tmp_path: Path) -> None:
    made = make(tmp_path)
    low = made.store.bytes_of("low")
    options = ExpertOptions(resident_low=True, memory_bytes=low + made.store.bytes_of("high") // 2)
    drawn = tokens(6)
    prompt = [Piece(0, 0, [1], 1)]
    repeated = [[Piece(0, 1 + i, [drawn[i % 3]], 1)] for i in range(120)]
    with offloaded(made.store, options) as (trunk, experts):
        experts.wait()
        decode(trunk, experts.hook, [prompt])
        before = experts.stats()
        decode(trunk, experts.hook, [prompt, *repeated])
        stats = experts.stats()
    assert stats.low_hits > 0
    assert stats.low_misses == 0
    assert stats.stalls - before.stalls <= 3  # for the first token alone
    assert stats.promoted > 0
    assert stats.hits > before.hits
    assert stats.peak_bytes <= stats.budget_bytes


def test_a_shelf_that_holds_less_than_two_layers_select_promotes_nothing(tmp_path: Path) -> None:
    made = make(tmp_path)
    with offloaded(made.store, tight(made.store, resident_low=True)) as (trunk, experts):
        experts.wait()
        decode(trunk, experts.hook, one_by_one(40))
        assert experts.stats().promoted == 0
        assert experts.stats().low_hits > 40
