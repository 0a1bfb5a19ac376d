"""Looking ahead: what later layers will select, what is read for it, and when it is given up."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from kithnet.runtime.offload.graph import moe_layers, probe
from kithnet.runtime.offload.options import ExpertOptions
from kithnet.runtime.offload.prefetch import Gate, Guess, Prophet, gates, scores
from kithnet.runtime.offload.score import HIGH, LOW, SKIP

from .running import decode, make, offloaded, one_by_one, plain, side_by_side
from .tiny_moe import EXPERTS, KINDS, LAYERS, write_moe

WIDTH = 6


def gate(*preferred: int, top_k: int = 2) -> Gate:
    """A router that likes experts in this order, more than all others, whatever the input of ones is."""
    weight = np.zeros((8, WIDTH), np.float32)
    for rank, expert in enumerate(preferred):
        weight[expert] = (len(preferred) - rank) / WIDTH
    return Gate(weight, None, None, "softmax", top_k)


ONES = np.ones((1, WIDTH), np.float32)


def test_the_next_layers_are_predicted_nearest_first_and_their_heaviest_expert_first() -> None:
    prophet = Prophet([gate(0), gate(3, 1), gate(5, 2), gate(7, 6)], ahead=2, t1=1, t2=1)
    assert [(guess.layer, guess.distance, guess.experts) for guess in prophet.look(0, ONES)] == [
        (1, 1, (3, 1)),
        (2, 2, (5, 2)),
    ]
    assert [guess.layer for guess in prophet.look(2, ONES)] == [3]
    assert prophet.look(3, ONES) == []


def test_experts_that_more_tokens_want_come_first() -> None:
    weight = np.zeros((8, WIDTH), np.float32)
    weight[1, 0] = weight[2, 1] = weight[3, 2] = 5.0
    tokens = np.eye(WIDTH, dtype=np.float32)[[0, 1, 1, 1, 2, 2]]
    prophet = Prophet([gate(0), Gate(weight, None, None, "softmax", 1)], ahead=1, t1=1, t2=1)
    assert prophet.look(0, tokens)[0].experts == (2, 3, 1)


def test_a_prediction_says_how_precisely_each_expert_will_be_needed() -> None:
    prophet = Prophet([gate(0), gate(4, 2, 6, top_k=3)], ahead=1, t1=0.5, t2=0.9)
    assert prophet.look(0, ONES)[0].needs == (HIGH, LOW, SKIP)


def test_layers_beyond_one_whose_predictions_fail_are_looked_at_no_more_until_they_come_true_again() -> None:
    prophet = Prophet([gate(0)] * 5, ahead=3, t1=1, t2=1)
    near, next_but_one = Guess(1, 1, (1, 2), (HIGH, HIGH)), Guess(2, 2, (1, 2), (HIGH, HIGH))
    assert prophet.reach == 3
    for _ in range(200):
        assert prophet.learn(next_but_one, [5, 6]) == 0
    assert prophet.reach == 2
    for _ in range(200):
        prophet.learn(near, [5, 6])
    assert prophet.reach == 1
    assert prophet.learn(near, [2, 5]) == 1
    for _ in range(200):
        prophet.learn(near, [1, 2])
        prophet.learn(next_but_one, [1, 2])
    assert prophet.reach == 3


def test_selections_that_are_shifted_are_predicted_with_the_shift() -> None:
    logits = np.array([[2.0, 1.0, 0.0]], np.float32)
    shift = np.array([0.0, 0.0, 1.0], np.float32)
    for activation in ("sigmoid", "softmax"):
        shifted = scores(Gate(np.eye(3, dtype=np.float32), None, shift, activation, 1), logits)
        assert int(shifted.argmax()) == 2
    biased = scores(Gate(np.eye(3, dtype=np.float32), np.array([0, 9, 0], np.float32), None, "none", 1), logits)
    assert int(biased.argmax()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_routers_of_a_loaded_model_are_those_of_its_file(tmp_path: Path, kind: str) -> None:
    path = write_moe(tmp_path / "model.gguf", kind)
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    with plain(path) as model:
        layers = moe_layers(probe(model), kind)
        every = gates(layers)
    assert len(layers) == LAYERS - (1 if kind.startswith("deepseek2") else 0)
    for layer, found in zip(layers, every, strict=True):
        name = f"blk.{layer.number}"
        assert np.array_equal(found.weight, tensors[f"{name}.ffn_gate_inp.weight"])
        assert (found.bias is not None) == (f"{name}.ffn_gate_inp.bias" in tensors)
        assert (found.shift is not None) == (f"{name}.exp_probs_b.bias" in tensors)
        assert (layer.experts, layer.top_k, found.top_k) == (EXPERTS, 2, 2)


def test_predictions_are_read_ahead_counted_and_given_up_where_they_were_wrong(tmp_path: Path) -> None:
    made = make(tmp_path)
    options = ExpertOptions(memory_bytes=made.store.bytes_of("high") // 2, prefetch=2, t1=0.5, t2=0.9)
    with offloaded(made.store, options) as (trunk, experts):
        decode(trunk, experts.hook, [*one_by_one(60), *side_by_side(3, 10)])
        stats = experts.stats()
    assert stats.predicted > stats.confirmed > 0
    assert stats.prefetched > 0
    assert stats.peak_bytes <= stats.budget_bytes
    assert 0 < stats.prefetch_accuracy < 1
