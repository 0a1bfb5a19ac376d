"""Conversion of a sentence encoder: the same bytes each time, and llama.cpp runs what comes out."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest

from kithnet.runtime.convert.minilm import convert_minilm
from kithnet.runtime.convert.safetensors import SafeTensors
from kithnet.runtime.errors import ModelFileError

WIDTH, INNER, POSITIONS, LAYERS = 24, 48, 32, 2
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "lobster", "##s", "of", "ross", "\u00e9\u2028"]
NAMES = {"<f4": "F32", "<f2": "F16", "<i8": "I64", "<u2": "BF16"}


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blobs, end = [], 0
    for name, values in tensors.items():
        blob = values.tobytes()
        shape, offsets = list(values.shape), [end, end + len(blob)]
        header[name] = {"dtype": NAMES[values.dtype.str], "shape": shape, "data_offsets": offsets}
        blobs.append(blob)
        end += len(blob)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    return path


def encoder(words: int) -> dict[str, np.ndarray]:
    """The tensors of a small BERT, under the names of the published MiniLM."""
    random = np.random.default_rng(7)

    def linear(name: str, rows: int, columns: int) -> dict[str, np.ndarray]:
        weight = random.normal(0, 0.2, (rows, columns)).astype(np.float32)
        return {f"{name}.weight": weight, f"{name}.bias": np.zeros(rows, np.float32)}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}

    tensors: dict[str, np.ndarray] = {"embeddings.position_ids": np.arange(POSITIONS, dtype=np.int64)[None]}
    for name, rows in (("word", words), ("position", POSITIONS), ("token_type", 2)):
        values = random.normal(0, 1, (rows, WIDTH)).astype(np.float32)
        tensors[f"embeddings.{name}_embeddings.weight"] = values
    tensors |= norm("embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            tensors |= linear(f"{layer}.attention.{part}", WIDTH, WIDTH)
        tensors |= norm(f"{layer}.attention.output.LayerNorm") | norm(f"{layer}.output.LayerNorm")
        tensors |= linear(f"{layer}.intermediate.dense", INNER, WIDTH)
        tensors |= linear(f"{layer}.output.dense", WIDTH, INNER)
    return tensors | linear("pooler.dense", WIDTH, WIDTH)


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return write_safetensors(tmp_path / "model.safetensors", encoder(len(WORDS))), vocabulary


def test_the_same_inputs_give_the_same_bytes(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("first.gguf", "second.gguf"):
        convert_minilm(*inputs, tmp_path / name)
    assert (tmp_path / "first.gguf").read_bytes() == (tmp_path / "second.gguf").read_bytes()


def test_the_header_describes_the_encoder_and_the_pooler_is_left_out(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    convert_minilm(*inputs, tmp_path / "out.gguf")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    described = {name: field.contents() for name, field in reader.fields.items()}
    assert described["general.architecture"] == "bert"
    assert described["bert.block_count"] == LAYERS
    assert (described["bert.embedding_length"], described["bert.feed_forward_length"]) == (WIDTH, INNER)
    assert described["bert.context_length"] == POSITIONS
    assert described["bert.pooling_type"] == gguf.PoolingType.MEAN
    assert described["tokenizer.ggml.tokens"][4:8] == ["[MASK]", "\u2581the", "\u2581lobster", "s"]
    assert len(reader.tensors) == len(encoder(len(WORDS))) - 3
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert (types["token_embd.weight"], types["position_embd.weight"]) == ("F16", "F32")
    assert (types["blk.1.ffn_up.weight"], types["blk.1.ffn_up.bias"]) == ("F16", "F32")


def test_llama_cpp_runs_what_comes_out(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    from llama_cpp import Llama

    convert_minilm(*inputs, tmp_path / "out.gguf")
    model = Llama(str(tmp_path / "out.gguf"), embedding=True, n_ctx=32, n_batch=32, verbose=False)
    try:
        assert model.tokenize(b"the lobsters of ross") == [2, 5, 6, 7, 8, 9, 3]
        one, again, other = (np.array(model.embed(text)) for text in ("lobsters", "lobsters", "of the"))
    finally:
        model.close()
    assert one.shape == (WIDTH,)
    assert np.isfinite(one).all()
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)


def test_tensors_come_back_as_they_were_written(tmp_path: Path) -> None:
    whole = np.arange(6, dtype=np.float32).reshape(2, 3)
    written: dict[str, np.ndarray] = {"a": whole, "b": whole.astype(np.float16), "c": np.array([1, -2], np.int64)}
    brain = (whole.view(np.uint32) >> 16).astype(np.uint16)
    tensors = SafeTensors(write_safetensors(tmp_path / "x.safetensors", written | {"d": brain}))
    assert list(tensors) == ["a", "b", "c", "d"]
    for name, values in written.items():
        assert np.array_equal(tensors[name], values)
        assert tensors[name].dtype == values.dtype
    assert tensors["d"].dtype == np.float32
    assert np.array_equal(tensors["d"], whole)  # small whole numbers are exact in bfloat16


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_weights_file_is_a_model_file_error(inputs: tuple[Path, Path], tmp_path: Path, keep: int) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(inputs[0].read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        convert_minilm(cut, inputs[1], tmp_path / "out.gguf")


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[]",
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [1]}}',
        b'{"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]}}',
    ],
)
def test_an_unreadable_header_is_a_model_file_error(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    with pytest.raises(ModelFileError, match="header is not readable"):
        SafeTensors(path)


@pytest.mark.parametrize(
    "slot",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]},
    ],
)
def test_a_tensor_that_is_not_there_is_a_model_file_error(tmp_path: Path, slot: dict[str, object]) -> None:
    path = tmp_path / "bad.safetensors"
    header = json.dumps({"a": slot}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    with pytest.raises(ModelFileError):
        SafeTensors(path)["a"]


def test_a_vocabulary_of_another_model_is_refused(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    inputs[1].write_text("\n".join([*WORDS, "extra"]), encoding="utf-8")
    with pytest.raises(ModelFileError, match="12 tokens"):
        convert_minilm(*inputs, tmp_path / "out.gguf")
    inputs[1].write_text("\n".join(["x", *WORDS[1:]]), encoding="utf-8")
    with pytest.raises(ModelFileError, match="no \\[PAD\\]"):
        convert_minilm(*inputs, tmp_path / "out.gguf")


def test_weights_of_another_kind_of_model_are_refused(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_safetensors(tmp_path / "other.safetensors", {"lm_head.weight": np.zeros((2, 2), np.float32)})
    with pytest.raises(ModelFileError, match="not a MiniLM encoder"):
        convert_minilm(other, inputs[1], tmp_path / "out.gguf")
    strange = encoder(len(WORDS)) | {"strange.weight": np.zeros(2, np.float32)}
    with pytest.raises(ModelFileError, match="strange"):
        convert_minilm(write_safetensors(inputs[0], strange), inputs[1], tmp_path / "out.gguf")
