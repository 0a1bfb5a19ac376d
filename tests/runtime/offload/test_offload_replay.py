"""Records of routing, and policies replayed over them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.runtime.errors import ConfigError, InputError
from kithnet.runtime.offload.cache import POLICIES
from kithnet.runtime.offload.replay import BELADY, Rules, compare, replay
from kithnet.runtime.offload.routing import Routing, record

from .running import tokens
from .tiny_moe import EXPERTS, LAYERS, TOP_K, write_moe


def routing(ids: object, weights: object = None, starts: object = None) -> Routing:
    """ids: (tokens, layers, K)."""
    chosen = np.asarray(ids, np.int16)
    weigh = np.full(chosen.shape, 1 / chosen.shape[2]) if weights is None else weights
    begun = np.arange(len(chosen)) == 0 if starts is None else starts
    return Routing(chosen, np.asarray(weigh, np.float32), np.asarray(begun, np.bool_), tuple(range(chosen.shape[1])), 8)


@st.composite
def records(draw: st.DrawFn) -> Routing:
    seed, count, layers, top_k = (draw(st.integers(0, top)) for top in (2**16, 40, 2, 2))
    rng = np.random.default_rng(seed)
    ids = np.stack([[rng.permutation(8)[: top_k + 1] for _ in range(layers + 1)] for _ in range(count + 2)])
    weights = -np.sort(-rng.dirichlet(np.ones(top_k + 1), ids.shape[:2]), axis=2)
    return routing(ids, weights, rng.random(len(ids)) < 0.1)


@settings(max_examples=60, deadline=None)
@given(records(), st.integers(0, 20))
def test_no_policy_is_better_than_belady(made: Routing, more: int) -> None:
    room = made.ids.shape[2] + more
    best, *others = compare(made, [BELADY, *POLICIES], Rules("", room), 1)
    assert all(best.tally.misses <= other.tally.misses for other in others)


@settings(max_examples=40, deadline=None)
@given(records(), st.sampled_from(sorted(POLICIES)), st.booleans())
def test_every_selection_is_counted_once(made: Routing, policy: str, skip: bool) -> None:
    tally = replay(made, Rules(policy, 4, 4, 0.4, 0.4, 0.7, skip), 1).tally
    assert tally.hits + tally.misses + tally.low_hits + tally.low_misses + tally.skipped == made.ids.size
    assert skip or not tally.skipped


def test_with_room_for_all_each_expert_is_loaded_once() -> None:
    made = routing([[[0, 1]], [[1, 2]], [[0, 2]]])
    for each in compare(made, [BELADY, *POLICIES], Rules("", 8), 100):
        assert each.tally.misses == 3 and each.bytes_per_token == 100 and each.hit_rate == 0.5


def test_the_least_recently_used_leaves_first_and_belady_knows_better() -> None:
    made = routing([[[0]], [[1]], [[2]], [[0]], [[1]]])
    assert replay(made, Rules("lru", 2), 1).tally.misses == 5
    assert replay(made, Rules(BELADY, 2), 1).tally.misses == 4


def test_the_light_ones_are_lowered_and_the_lightest_skipped_but_not_for_the_first_token() -> None:
    made = routing([[[0, 1, 2]], [[3, 4, 5]]], [[[0.6, 0.3, 0.1]]] * 2)
    tally = replay(made, Rules("lru", 8, 8, 0.25, 0.5, 0.8, True), 1).tally
    assert (tally.misses, tally.low_misses, tally.skipped) == (4, 1, 1)
    assert tally.penalty(0.25) == 4.25


def test_too_little_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="room for 1 and 0 experts"):
        replay(routing([[[0, 1]]]), Rules("lru", 1), 1)


@pytest.mark.parametrize("kind", ["llama", "deepseek2", "gpt-oss", "olmoe"])
def test_a_record_has_what_every_layer_selects(kind: str, tmp_path: Path) -> None:
    made = record(write_moe(tmp_path / "tiny.gguf", kind), tokens(70), window=32)
    layers = LAYERS - kind.startswith("deepseek2")
    assert made.ids.shape == made.weights.shape == (70, layers, TOP_K)
    assert made.experts == EXPERTS and made.starts.sum() == 3
    assert ((made.ids >= 0) & (made.ids < EXPERTS)).all() and (made.ids[..., 0] != made.ids[..., 1]).all()
    assert (made.weights > 0).all()
    if kind == "llama":
        assert np.allclose(made.weights.sum(axis=2), 1, atol=1e-5)
        assert (made.weights[..., 0] >= made.weights[..., 1]).all()


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    made = record(write_moe(tmp_path / "tiny.gguf"), tokens(20))
    made.save(tmp_path / "routing.npz")
    again = Routing.load(tmp_path / "routing.npz")
    assert np.array_equal(again.ids, made.ids) and np.array_equal(again.weights, made.weights)
    assert (again.layers, again.experts, again.reuse) == (made.layers, made.experts, made.reuse)


def test_another_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no record of routing"):
        Routing.load(tmp_path / "x.npz")
