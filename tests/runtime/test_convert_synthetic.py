"""Synthetic mixtures of experts: they load, and their routing is as local as was asked for."""

from pathlib import Path

import numpy as np
import pytest

from kithnet.runtime.convert.synthetic import Shape, is_synthetic, local_tokens, sized, write_synthetic
from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.offload.routing import record

from .tiny_dense import write_dense

SMALL = Shape(layers=4, experts=16, top_k=2, width=256, neurons=64, values=8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "small.gguf"
    write_synthetic(path, SMALL)
    return path


def test_consecutive_tokens_use_the_same_experts_as_often_as_asked(model: Path) -> None:
    reuse = [record(model, local_tokens(model, 512, locality=wanted)).reuse for wanted in (0.4, 0.6, 0.9)]
    assert reuse == sorted(reuse)
    assert np.allclose(reuse, (0.4, 0.6, 0.9), atol=0.12)


def test_the_models_own_locality_is_the_default(model: Path) -> None:
    assert local_tokens(model, 50) == local_tokens(model, 50, locality=0.6)
    assert local_tokens(model, 50) != local_tokens(model, 50, seed=1)


def test_the_file_is_the_same_for_the_same_seed(model: Path, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "again.gguf", SMALL)
    assert (tmp_path / "again.gguf").read_bytes() == model.read_bytes()


def test_a_size_is_met_by_the_number_of_neurons() -> None:
    shape = sized(Shape(), 3_000_000_000)
    assert abs(shape.expert_bytes() / 3e9 - 1) < 0.05


@pytest.mark.parametrize(
    "change", [{"locality": 0.05}, {"locality": 1.5}, {"top_k": 17}, {"width": 100}, {"layers": 0}]
)
def test_a_shape_that_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Shape(**change)  # type: ignore[arg-type]


def test_tokens_of_another_model_are_refused(tmp_path: Path) -> None:
    dense = write_dense(tmp_path / "dense.gguf")
    assert not is_synthetic(dense)
    with pytest.raises(ModelFileError, match="not a synthetic model"):
        local_tokens(dense, 5)
