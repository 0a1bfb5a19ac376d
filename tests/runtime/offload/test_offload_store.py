"""The store: what conversion writes, what it refuses, and that a kill loses nothing that was finished."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import pytest

from kithnet.runtime import ggml
from kithnet.runtime.convert.experts import TRUNK_KEY, convert_experts
from kithnet.runtime.convert.experttypes import low_type
from kithnet.runtime.convert.gguffile import GgufDraft, Tensor, read_source
from kithnet.runtime.errors import ConfigError, ModelFileError, StorageError, StoreError
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.offload.store import ALIGNMENT, PRECISIONS, ExpertStore

from ..tiny_dense import write_dense
from .tiny_moe import EXPERTS, KINDS, LAYERS, TOP_K, write_moe

KILLED = """
import os, signal, sys
from pathlib import Path
from kithnet.runtime.convert import experts
experts._SYNC_AFTER = 1
def stop(done, total=None, note=""):
    if done > total // 2:
        os.kill(os.getpid(), signal.SIGKILL)
experts.convert_experts(Path(sys.argv[1]), Path(sys.argv[2]), threads=1, progress=stop)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_moe(tmp_path / "tiny.gguf")


@pytest.fixture
def store(model: Path) -> ExpertStore:
    return ExpertStore.open(convert_experts(model, model.with_suffix(".experts"), threads=1).store)


def expert_bytes(model: Path, layer: int, role: str, expert: int) -> bytes:
    tensor = next(t for t in gguf.GGUFReader(model).tensors if t.name == f"blk.{layer}.ffn_{role}_exps.weight")
    return bytes(np.ascontiguousarray(tensor.data[expert]).view(np.uint8).reshape(-1))


def read(store: ExpertStore, layer: int, expert: int, precision: str) -> dict[str, bytes]:
    record = store.record(layer, expert, precision)
    data = store.path.read_bytes()[record.offset : record.offset + record.nbytes]
    return {part.role: data[part.offset : part.offset + part.nbytes] for part in record.parts}


@pytest.mark.parametrize("kind", KINDS)
def test_the_high_precision_is_the_models_own_bytes_for_every_architecture(kind: str, tmp_path: Path) -> None:
    model = write_moe(tmp_path / "tiny.gguf", kind)
    store = ExpertStore.open(convert_experts(model, tmp_path / "tiny.experts", threads=1).store)
    assert (store.experts, store.top_k) == (EXPERTS, TOP_K)
    assert store.layers == tuple(range(1 if kind.startswith("deepseek2") else 0, LAYERS))
    for layer in store.layers:
        for expert in (0, EXPERTS - 1):
            for role, data in read(store, layer, expert, "high").items():
                assert data == expert_bytes(model, layer, role, expert)
    store.verify()


def test_the_low_precision_is_the_model_quantised_by_ggml(model: Path, store: ExpertStore) -> None:
    raw = np.frombuffer(expert_bytes(model, 1, "down", 3), np.uint8)
    values = ggml.dequantise(raw, ggml.named("Q8_0"), 64, 96)
    assert read(store, 1, 3, "low")["down"] == ggml.quantise(values, ggml.named("Q4_0")).tobytes()


def test_records_lie_on_pages_one_after_the_other(store: ExpertStore) -> None:
    end = ALIGNMENT
    for record in store.records:
        assert record.offset == end and record.nbytes % ALIGNMENT == 0
        end += record.nbytes
    assert sum(map(store.bytes_of, PRECISIONS)) == end - ALIGNMENT


def test_the_low_type_follows_the_rows_and_the_high_type() -> None:
    kinds = {
        (high, rows): ggml.name_of(low_type(ggml.named(high), rows)) for high in ("Q8_0", "Q6_K") for rows in (512, 192)
    }
    assert kinds == {("Q8_0", 512): "Q3_K", ("Q8_0", 192): "Q4_0", ("Q6_K", 512): "Q2_K", ("Q6_K", 192): "Q4_0"}


def test_the_trunk_has_every_tensor_and_zeros_for_experts(model: Path, store: ExpertStore) -> None:
    trunk, whole = gguf.GGUFReader(store.trunk), gguf.GGUFReader(model)
    assert trunk.get_field(TRUNK_KEY) is not None
    assert {(t.name, tuple(t.shape)) for t in trunk.tensors} == {(t.name, tuple(t.shape)) for t in whole.tensors}
    original = {tensor.name: tensor for tensor in whole.tensors}
    for tensor in trunk.tensors:
        if "_exps.weight" in tensor.name:
            assert not tensor.data.any()
            assert tensor.n_bytes < original[tensor.name].n_bytes  # what llama.cpp maps and fills with zeros
        else:
            assert tensor.tensor_type == original[tensor.name].tensor_type
            assert np.array_equal(tensor.data, original[tensor.name].data)
    LlamaModel.load(store.trunk).close()


def test_the_trunk_takes_no_disk_for_experts(tmp_path: Path) -> None:
    model = write_moe(tmp_path / "wide.gguf", width=256, inner=512)
    made = convert_experts(model, tmp_path / "wide.experts", threads=1)
    assert made.trunk_bytes < made.model_bytes - made.high_bytes + 64 * ALIGNMENT
    assert made.low == ("Q3_K",) and made.low_bytes < 0.42 * made.high_bytes


def test_a_higher_type_than_the_models_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger and no more exact"):
        convert_experts(model, tmp_path / "x.experts", high="F16")


def test_a_low_type_that_saves_nothing_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is saved"):
        convert_experts(model, tmp_path / "x.experts", low="Q8_0")


def test_a_lower_high_type_is_converted(model: Path, tmp_path: Path) -> None:
    made = convert_experts(model, tmp_path / "x.experts", high="Q5_0", low="Q4_0", threads=1)
    assert (made.high, made.low) == (("Q5_0",), ("Q4_0",))
    kinds = {part.type for one in ExpertStore.open(made.store).records if one.precision == "high" for part in one.parts}
    assert kinds == {gguf.GGMLQuantizationType.Q5_0}


def test_a_dense_model_is_refused_with_what_makes_experts_of_it(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no experts") as caught:
        convert_experts(write_dense(tmp_path / "dense.gguf"), tmp_path / "x.experts")
    assert "moefy" in caught.value.hint


def test_a_model_cut_off_in_its_experts_is_refused(model: Path, tmp_path: Path) -> None:
    os.truncate(model, model.stat().st_size * 2 // 3)
    with pytest.raises(ModelFileError, match="truncated"):
        convert_experts(model, tmp_path / "x.experts")


def test_a_killed_conversion_is_continued_by_the_same_call(model: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "tiny.experts", tmp_path / "other" / "tiny.experts"
    done = subprocess.run([sys.executable, "-c", KILLED, str(model), str(out)], check=False)
    assert done.returncode == -signal.SIGKILL and not out.exists()
    with (tmp_path / "tiny.experts.journal").open("a") as journal:
        journal.write("[4096, 12")  # a line that a power cut left half-written
    made = convert_experts(model, out, threads=1)
    assert 0 < made.resumed < 2 * EXPERTS * LAYERS
    assert out.read_bytes() == convert_experts(model, other, threads=1).store.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("tiny*")) == ["tiny.experts", "tiny.gguf", "tiny.trunk"]


def test_a_finished_conversion_is_not_done_again(model: Path, store: ExpertStore) -> None:
    before = store.path.stat().st_mtime_ns
    again = convert_experts(model, store.path, threads=1)
    assert store.path.stat().st_mtime_ns == before and again.resumed == len(store.records)


def test_a_journal_of_another_model_is_not_used(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.experts"
    subprocess.run([sys.executable, "-c", KILLED, str(model), str(out)], check=False)
    write_moe(model, seed=5)
    os.utime(model, ns=(time.time_ns(), time.time_ns() + 1))
    assert convert_experts(model, out, threads=1).resumed == 0
    ExpertStore.open(out).verify()


def test_two_conversions_of_one_store_exclude_each_other(model: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def beside(done: int, total: int | None = None, note: str = "") -> None:
        if not seen:
            with pytest.raises(StorageError, match="another process") as caught:
                convert_experts(model, tmp_path / "tiny.experts")
            seen.append(caught.value.hint)

    convert_experts(model, tmp_path / "tiny.experts", threads=1, progress=beside)
    assert seen


def test_a_store_of_another_version_is_refused(store: ExpertStore) -> None:
    with store.path.open("r+b") as file:
        file.seek(8)
        file.write(struct.pack("<I", 99))
    with pytest.raises(StoreError, match="version 99"):
        ExpertStore.open(store.path)


def test_a_damaged_record_is_named(store: ExpertStore) -> None:
    record = store.record(1, 4, "low")
    with store.path.open("r+b") as file:
        file.seek(record.offset + 100)
        byte = file.read(1)
        file.seek(record.offset + 100)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(StoreError, match="layer 1, expert 4, low precision"):
        ExpertStore.open(store.path).verify()


@pytest.mark.parametrize("cut", [10, 5000, -10])
def test_a_truncated_store_is_refused(store: ExpertStore, cut: int) -> None:
    os.truncate(store.path, cut if cut > 0 else store.path.stat().st_size + cut)
    with pytest.raises(StoreError):
        ExpertStore.open(store.path)


def test_a_file_that_is_no_store_is_refused(model: Path) -> None:
    with pytest.raises(StoreError, match="is not an expert store"):
        ExpertStore.open(model)


def test_the_trunk_of_another_model_is_refused(store: ExpertStore, tmp_path: Path) -> None:
    other = convert_experts(write_moe(tmp_path / "other.gguf", seed=9), tmp_path / "other.experts", threads=1)
    shutil.copy(other.trunk, store.trunk)
    with pytest.raises(StoreError, match="not the trunk"):
        ExpertStore.open(store.path)


def test_a_missing_trunk_is_named(store: ExpertStore) -> None:
    store.trunk.unlink()
    with pytest.raises(StoreError, match=r"tiny\.trunk"):
        ExpertStore.open(store.path)


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(tmp_path: Path) -> None:
    source = read_source(write_moe(tmp_path / "tiny.gguf"))
    huge = [
        Tensor(t.name, (EXPERTS, t.shape[1] << 20, t.shape[2]) if t.name.endswith("_exps.weight") else t.shape, t.type)
        for t in source.tensors
    ]
    GgufDraft(source, huge).begin(tmp_path / "huge.gguf")  # 4 TB of holes
    with pytest.raises(StorageError, match="MB are needed"):
        convert_experts(tmp_path / "huge.gguf", tmp_path / "huge.experts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["huge.gguf", "tiny.gguf"]
