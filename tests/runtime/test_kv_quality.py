"""Precision of the KV cache: what is measured, what is chosen by it, and what is kept."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.runtime.engine.kvchoice import (
    LEAST_AGREEMENT,
    MOST_KL,
    SAME,
    Kept,
    check_writable,
    choice_path,
    choose,
    keep,
    kv_choice,
)
from kithnet.runtime.engine.kvquality import PAIRS, KvFigures, KvRow, measure
from kithnet.runtime.engine.kvtypes import NAMES, KvTypes
from kithnet.runtime.errors import ConfigError, StorageError
from kithnet.runtime.llama import LlamaModel

F16, Q8, Q4, MIXED = map(KvTypes.parse, ("f16", "q8_0", "q4_0", "q8_0/q4_0"))
WIDTHS = (5760, 5760)
CONTEXT = 64


@pytest.fixture(scope="module")
def model(chat_model_path: Path) -> Iterator[LlamaModel]:
    loaded = LlamaModel.load(chat_model_path)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def tokens(model: LlamaModel) -> list[int]:
    lines = (
        f"Ana: on day {day} I met {('Ben', 'Cleo', 'Dan')[day % 3]} at the {('harbour', 'mill', 'market', 'station')[day % 4]}, "
        f"and we spoke about the {('boat', 'garden', 'old piano', 'wedding', 'exam')[day % 5]} until {day % 12 + 1} o'clock."
        for day in range(1, 13)
    )
    return model.tokenise("\n".join(lines), begin=False, special=False)


@pytest.fixture(scope="module")
def rows(model: LlamaModel, tokens: list[int]) -> dict[KvTypes, KvRow]:
    measured = measure(model, tokens, (F16, Q8, MIXED, Q4), context=CONTEXT, windows=2, threads=1)
    return {row.types: row for row in measured}


def figures(row: KvRow) -> KvFigures:
    assert row.figures is not None, row.refused
    return row.figures


@pytest.mark.model
def test_sixteen_bits_against_themselves_do_not_diverge_at_all(rows: dict[KvTypes, KvRow]) -> None:
    exact = figures(rows[F16])
    assert (exact.kl_mean, exact.kl_high, exact.kl_p99, exact.kl_max, exact.agreement) == (0, 0, 0, 0, 1)
    assert exact.positions == CONTEXT


@pytest.mark.model
def test_fewer_bits_diverge_more(rows: dict[KvTypes, KvRow]) -> None:
    eight, mixed, four = (figures(rows[types]) for types in (Q8, MIXED, Q4))
    assert 0 < eight.kl_mean < 0.01 < four.kl_mean
    assert eight.kl_mean < mixed.kl_mean < four.kl_mean
    assert eight.agreement > 0.9
    for row in (eight, mixed, four):
        assert row.kl_low <= row.kl_mean <= row.kl_high
        assert row.kl_mean <= row.kl_p99 <= row.kl_max
        assert row.tokens_per_second > 0


@pytest.mark.model
def test_bytes_per_token_are_those_of_a_saved_sequence(rows: dict[KvTypes, KvRow]) -> None:
    for row in rows.values():
        assert figures(row).state_bytes_per_token == pytest.approx(row.bytes_per_token, rel=0.03)


@pytest.mark.model
def test_what_is_evaluated_side_by_side_does_not_change_the_figures(
    model: LlamaModel, tokens: list[int], rows: dict[KvTypes, KvRow]
) -> None:
    told: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None = None, note: str = "") -> None:
        told.append((done, total))

    alone = measure(model, tokens, (Q8, Q4), context=CONTEXT, windows=2, threads=1, memory=0, progress=progress)
    for row in alone:
        speed = figures(rows[row.types]).tokens_per_second
        assert replace(figures(row), tokens_per_second=speed) == rows[row.types].figures
    assert told[-1] == (2 * 2 * 2 * CONTEXT, 2 * 2 * 2 * CONTEXT)


@pytest.mark.model
@pytest.mark.parametrize(
    ("context", "words"),
    [(8, "too short to measure"), (8193, "beyond that"), (4096, "the text has .* tokens, and a context of 4096 needs")],
)
def test_a_context_that_cannot_be_measured_is_refused(
    context: int, words: str, model: LlamaModel, tokens: list[int]
) -> None:
    with pytest.raises(ConfigError, match=words):
        measure(model, tokens, (Q8,), context=context)


def test_a_precision_that_llama_cpp_refuses_is_shown_with_its_reason(tmp_path: Path) -> None:
    small = LlamaModel.load(write_tiny(tmp_path / "tiny.gguf"))
    try:
        exact, refused = measure(small, range(3, 131), (F16, Q8), context=64, threads=1)
        assert figures(exact).kl_max == 0
        assert (refused.types, refused.figures) == (Q8, None)
        assert "does not divide" in refused.refused
    finally:
        small.close()


def write_tiny(path: Path) -> Path:
    """A random chat model whose heads of 8 values are smaller than a block of any quantised type."""
    width, heads = 32, 4
    words = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_block_count(1)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * len(words))
    writer.add_token_types([2, 3, 3, *[6] * 256])
    for name in ("token_embd", "output"):
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.3, (len(words), width)).astype(np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", random.normal(0, 0.3, (width, width)).astype(np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_usual_pairs_begin_with_the_reference_and_tell_keys_from_values() -> None:
    assert PAIRS[0] == F16
    assert {MIXED, KvTypes.parse("q4_0/q8_0")} < set(PAIRS)


# Choosing


def row(types: str, kl: float, *, spread: float = 0.0, agreement: float = 1.0) -> KvRow:
    one = KvTypes.parse(types)
    of = KvFigures(1000, kl, kl - spread, kl + spread, 4 * kl, 9 * kl, agreement, 0.0, 50.0)
    return KvRow(one, one.bytes_per_token(*WIDTHS), of)


ROWS = [row("f16", 0), row("q8_0", 0.002), row("q8_0/q4_0", 0.0065), row("q5_1", 0.0088), row("q4_0", 0.034)]
EVERY = [KvTypes(keys, values) for keys in NAMES for values in NAMES]
rows_of_any_model = st.lists(
    st.builds(
        lambda types, kl, spread, agreement: row(str(types), kl, spread=spread, agreement=agreement),
        st.sampled_from(EVERY),
        st.floats(0, 0.2),
        st.floats(0, 0.01),
        st.floats(0.5, 1),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.types,
)


def test_the_most_exact_that_fits_the_budget_is_chosen() -> None:
    for megabytes, expected in ((500, "f16"), (300, "q8_0"), (240, "q8_0/q4_0"), (180, "q5_1"), (170, "q4_0")):
        chosen = choose(ROWS, megabytes * 1e6, 10, 2048)
        assert str(chosen.types) == expected
        assert chosen.bytes_per_token * 10 * 2048 <= megabytes * 1e6
        assert f"{megabytes:,.1f} MB" in chosen.reason or "smaller than" in chosen.reason
    assert "worse than the limits" in chosen.reason


def test_a_budget_that_holds_nothing_names_the_one_that_would() -> None:
    with pytest.raises(ConfigError) as raised:
        choose(ROWS, 1e6, 10, 2048)
    assert "132.8 MB" in raised.value.hint
    assert choose(ROWS, 132.8e6, 10, 2048).types == Q4


def test_equals_go_to_the_smaller() -> None:
    close = [row("f16", 0), row("q8_0", SAME / 2), row("q4_0", 0.03)]
    assert choose(close, 1e12, 1, 2048).types == Q8
    unsure = [row("q8_0", 0.010, spread=0.004), row("q8_0/q4_0", 0.012, spread=0.003)]
    assert choose(unsure, 1e12, 1, 2048).types == MIXED
    sure = [row("q8_0", 0.010, spread=0.001), row("q8_0/q4_0", 0.012, spread=0.001)]
    assert choose(sure, 1e12, 1, 2048).types == Q8


def test_without_a_budget_the_smallest_within_the_limits_is_chosen() -> None:
    assert choose(ROWS, None, 1, 2048).types == MIXED
    doubtful = [row("q8_0", 0.002, agreement=LEAST_AGREEMENT - 0.01), row("q4_0", MOST_KL * 2)]
    chosen = choose(doubtful, None, 1, 2048)
    assert (chosen.types, "none is within the limits" in chosen.reason) == (Q8, True)


def test_what_llama_cpp_refuses_is_never_chosen() -> None:
    refused = KvRow(Q4, Q4.bytes_per_token(*WIDTHS), None, refused="head size")
    assert choose([*ROWS[:2], refused], 1e12, 1, 2048).types == F16
    with pytest.raises(ConfigError, match="refuses every one"):
        choose([refused], None, 1, 2048)


@given(rows=rows_of_any_model, budget=st.floats(1e6, 1e9), agents=st.integers(1, 64), context=st.integers(64, 8192))
def test_a_choice_fits_and_nothing_that_fits_is_clearly_better(
    rows: list[KvRow], budget: float, agents: int, context: int
) -> None:
    fitting = [one for one in rows if one.bytes_per_token * agents * context <= budget]
    if not fitting:
        with pytest.raises(ConfigError):
            choose(rows, budget, agents, context)
        return
    chosen = choose(rows, budget, agents, context)
    assert replace(chosen, reason="") in fitting
    assert chosen.reason
    mine = figures(chosen)
    lowest = min(figures(one).kl_mean for one in fitting)
    unsure = [of for of in map(figures, fitting) if of.kl_low <= lowest]
    assert mine.kl_mean < max([lowest + SAME, *(of.kl_mean for of in unsure)]) + 1e-12
    for one in fitting:
        smaller, better = one.bytes_per_token < chosen.bytes_per_token, figures(one).kl_mean < mine.kl_mean
        assert not (smaller and better)


@given(rows=rows_of_any_model)
def test_without_a_budget_a_choice_is_within_the_limits_or_the_most_exact(rows: list[KvRow]) -> None:
    of = figures(choose(rows, None, 1, 2048))
    good = of.kl_mean <= MOST_KL and of.agreement >= LEAST_AGREEMENT
    assert good or of.kl_mean == min(figures(one).kl_mean for one in rows)


# Keeping


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "some.model.gguf"
    path.write_bytes(b"GGUF" + bytes(range(256)) * 64)
    return path


def kept(weights: Path) -> Path:
    return keep(weights, Kept(choose(ROWS, 240e6, 10, 2048), ROWS, 2048, 10, 240e6))


def test_a_kept_choice_is_read_again(weights: Path) -> None:
    assert kv_choice(weights) is None
    file = kept(weights)
    assert file == weights.with_name("some.model.kv.json") == choice_path(weights)
    assert kv_choice(weights) == MIXED
    body = json.loads(file.read_text())
    assert (body["context"], body["agents"], len(body["rows"])) == (2048, 10, len(ROWS))
    assert [path.name for path in weights.parent.glob("*part*")] == []


def test_a_choice_for_other_weights_does_not_count(weights: Path) -> None:
    kept(weights)
    weights.write_bytes(b"GGUF" + bytes(reversed(range(256))) * 64)
    assert kv_choice(weights) is None
    weights.unlink()
    assert kv_choice(weights) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-40],
        lambda text: "[1, 2]",
        lambda text: '"q8_0"',
        lambda text: text.replace('"types": "q8_0/q4_0"', '"types": "q9"', 1),
        lambda text: text.replace('"types": "q8_0/q4_0"', '"types": 7', 1),
        lambda text: text.replace('"version": 1', '"version": 99'),
        lambda text: "[" * 100_000,
        lambda text: "\udcff",
    ],
)
def test_a_damaged_choice_does_not_count(damage: Callable[[str], str], weights: Path) -> None:
    file = kept(weights)
    file.write_bytes(damage(file.read_text()).encode("utf-8", "surrogateescape"))
    assert kv_choice(weights) is None


def test_a_folder_that_cannot_be_written_is_told_before_measuring(weights: Path) -> None:
    check_writable(weights)
    with pytest.raises(StorageError, match="cannot write"):
        check_writable(weights.parent / "nowhere" / "some.gguf")
