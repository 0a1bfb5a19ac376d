"""A mixture of experts from a dense model: exact with all experts, and as good as it can be with fewer."""

from pathlib import Path

import numpy as np
import pytest

from kithnet.runtime.convert.grouping import (
    activity,
    fit_router,
    gate_weights,
    groups_of,
    refit_down,
    weight_of_groups,
)
from kithnet.runtime.convert.moefy import FIT_TOKENS, TEST_TOKENS, Wanted, moefy
from kithnet.runtime.errors import ConfigError, ModelFileError

from .tiny_dense import LAYERS, write_dense

TEXT = "".join(chr(97 + int(c)) for c in np.random.default_rng(0).integers(0, 26, FIT_TOKENS + TEST_TOKENS + 8))


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    return write_dense(tmp_path / "dense.gguf")


def test_with_every_expert_used_it_answers_as_the_dense_model(dense: Path, tmp_path: Path) -> None:
    made = moefy(dense, tmp_path / "moe.gguf", TEXT, Wanted(4, 4, "F32"))
    assert made.figures.kl < 1e-7 and made.figures.agreement == 1.0
    assert (made.layers, made.experts, made.neurons) == (LAYERS, 4, 16)


def test_with_fewer_it_costs_more_the_fewer_there_are(dense: Path, tmp_path: Path) -> None:
    kls = [moefy(dense, tmp_path / "moe.gguf", TEXT, Wanted(4, k, "F32")).figures.kl for k in (3, 1)]
    assert 1e-4 < kls[0] < kls[1]


def test_a_mixture_is_not_split_again(dense: Path, tmp_path: Path) -> None:
    made = moefy(dense, tmp_path / "moe.gguf", TEXT, Wanted(4, 4, "F32"))
    with pytest.raises(ModelFileError, match="already"):
        moefy(made.path, tmp_path / "again.gguf", TEXT, Wanted(4, 4))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(5, 1), "64 neurons cannot be cut into 5"),
        (Wanted(4, 5), "5 of 4"),
        (Wanted(4, 2, "Q8_0"), "cannot be Q8_0"),
    ],
)
def test_what_does_not_divide_is_refused(dense: Path, tmp_path: Path, wanted: Wanted, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        moefy(dense, tmp_path / "moe.gguf", TEXT, wanted)


def test_a_short_text_is_refused(dense: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tokens, and"):
        moefy(dense, tmp_path / "moe.gguf", "short", Wanted(4, 4, "F32"))


class TestGroups:
    """Neurons with planted teams that are active together."""

    draw = np.random.default_rng(1)
    count, size, tokens = 4, 12, 600
    team = draw.permutation(np.repeat(np.arange(count), size))
    on = draw.random((tokens, count)) < 0.3
    h = (
        on[:, team] * draw.normal(1, 0.2, (tokens, count * size)) + draw.normal(0, 0.05, (tokens, count * size))
    ).astype(np.float32)
    down = draw.normal(0, 1, (20, count * size)).astype(np.float32)

    def test_every_neuron_is_in_one_group_of_the_same_size(self) -> None:
        groups = groups_of(self.h, self.down, self.count)
        assert groups.shape == (self.count, self.size)
        assert sorted(groups.reshape(-1)) == list(range(self.count * self.size))

    def test_teams_are_found_among_the_neurons_that_are_not_in_the_first_group(self) -> None:
        loud = self.draw.normal(0, 9, (self.tokens, self.size)).astype(np.float32)
        h, down = np.hstack([loud, self.h]), np.hstack([self.down[:, : self.size], self.down])
        groups = groups_of(h, down, self.count + 1)
        assert list(groups[0]) == list(range(self.size))
        for group in groups[1:]:
            assert len(set(self.team[group - self.size])) == 1

    def test_a_router_finds_the_groups_that_write_most(self) -> None:
        x = self.on.astype(np.float32) @ self.draw.normal(0, 1, (self.count, 16)).astype(np.float32)
        groups = np.stack([np.flatnonzero(self.team == one) for one in range(self.count)])
        importance = weight_of_groups(self.h, self.down, groups)
        first = (x @ fit_router(x, importance).T).argmax(axis=1)
        alone = self.on.sum(axis=1) == 1
        assert (first == importance.argmax(axis=1))[alone].mean() > 0.95

    def test_a_refitted_projection_makes_up_for_what_is_left_out(self) -> None:
        x = self.draw.normal(0, 1, (self.tokens, 8)).astype(np.float32)
        gate, up = (self.draw.normal(0, 1, (self.count * self.size, 8)).astype(np.float32) for _ in range(2))
        h = activity(x, gate, up)
        groups = groups_of(h, self.down, self.count)
        weights = gate_weights(x, fit_router(x, weight_of_groups(h, self.down, groups)) * np.float32(0.1), 2)
        owner = np.empty(h.shape[1], np.int64)
        for group, ids in enumerate(groups):
            owner[ids] = group
        left = h * weights[:, owner]
        wanted = h @ self.down.T
        before = np.linalg.norm(left @ (2 * self.down).T - wanted)
        after = np.linalg.norm(left @ refit_down(h, self.down, groups, weights, 2).T - wanted)
        assert after < 0.9 * before

    def test_nothing_is_changed_where_nothing_is_left_out(self) -> None:
        groups = groups_of(self.h, self.down, self.count)
        equal = np.full((self.tokens, self.count), 1 / self.count, np.float32)
        assert np.allclose(refit_down(self.h, self.down, groups, equal, self.count), self.count * self.down, atol=1e-5)
