"""Number formats: conversion by ggml's own routines, row by row, in any number of threads."""

import numpy as np
import pytest

from kithnet.runtime import ggml
from kithnet.runtime.errors import ConfigError

ROWS = np.random.default_rng(0).normal(0, 0.03, (4099, 512)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "loss"),
    [("F16", 3e-4), ("Q8_0", 0.006), ("Q6_K", 0.02), ("Q4_0", 0.09), ("Q3_K", 0.17), ("Q2_K", 0.32)],
)
def test_a_type_takes_the_bytes_it_says_and_loses_little(name: str, loss: float) -> None:
    code = ggml.named(name)
    few = ROWS[:64]
    packed = ggml.quantise(few, code)
    assert len(packed) == 64 * ggml.row_bytes(code, 512)
    back = ggml.dequantise(packed, code, 64, 512)
    assert np.linalg.norm(back - few) / np.linalg.norm(few) < loss


def test_threads_change_no_byte() -> None:
    code = ggml.named("Q4_0")
    assert np.array_equal(ggml.quantise(ROWS, code, threads=1), ggml.quantise(ROWS, code, threads=3))
    packed, (rows, columns) = ggml.quantise(ROWS, code), ROWS.shape
    one, three = (ggml.dequantise(packed, code, rows, columns, threads) for threads in (1, 3))
    assert np.array_equal(one, three)


def test_full_precision_comes_back_as_it_was() -> None:
    assert np.array_equal(ggml.dequantise(ggml.quantise(ROWS, ggml.F32), ggml.F32, *ROWS.shape), ROWS)


@pytest.mark.parametrize("name", ["Q9_9", "IQ2_XXS", ""])
def test_a_type_that_cannot_be_written_is_refused_with_those_that_can(name: str) -> None:
    with pytest.raises(ConfigError, match="no type") as caught:
        ggml.named(name)
    assert "Q3_K" in caught.value.hint


def test_rows_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigError, match="rows of 192 weights cannot be Q3_K"):
        ggml.row_bytes(ggml.named("Q3_K"), 192)
