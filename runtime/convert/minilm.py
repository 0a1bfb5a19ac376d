"""all-MiniLM-L6-v2 (a 6-layer BERT sentence embedder) from safetensors and a WordPiece vocabulary to GGUF; as it is, or as the
reader's encoder, with a trained adapter merged into its weights."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import gguf
import numpy as np

from kithnet.runtime.convert.safetensors import SafeTensors
from kithnet.runtime.errors import ModelFileError

READER_VERSION = "kithnet.reader.version"
"""Metadata of the reader's encoder: which weights it was made of."""

# What the weights' shapes do not tell (the published config.json).
_HEADS = 12
_NORM_EPSILON = 1e-12
_WORD_START = "\u2581"
_SPECIAL = {
    "unk": "[UNK]",
    "sep": "[SEP]",
    "pad": "[PAD]",
    "mask": "[MASK]",
    "bos": "[CLS]",
    "eos": "[SEP]",
}


def convert_minilm(weights: Path, vocabulary: Path, out: Path) -> None:
    """Write `out`, a GGUF that llama.cpp runs with mean pooling; the same inputs give the same bytes.

    weights: model.safetensors of a BERT encoder with float tensors. vocabulary: vocab.txt, one token a line.
    Matrices are stored as float16; vectors, norms, positions and token types as float32. The pooler, which
    mean pooling does not use, is left out. Raises ModelFileError when the inputs do not belong together.
    """
    _write(weights, SafeTensors(weights), vocabulary, out, "all-MiniLM-L6-v2", gguf.PoolingType.MEAN)


def convert_reader(weights: Path, vocabulary: Path, adapter: Path, out: Path) -> None:
    """Write `out`, the reader's encoder: MiniLM with the adapter of a weights file (`kithnet.runtime.reader`) merged in, without
    pooling. Deterministic, and raises, as `convert_minilm`.
    """
    with np.load(adapter, allow_pickle=False) as held:
        # In float64: what is summed in another order on another processor still rounds to the same float16.
        parts = {name: held[name].astype(np.float64) for name in held.files if name.startswith("adapter.")}
        version = str(json.loads(str(held["card"]))["version"])
    merged = dict(SafeTensors(weights))
    for name in [name.removesuffix(".a") for name in parts if name.endswith(".a")]:
        place = f"encoder.layer.{name.removeprefix('adapter.')}.weight"
        merged[place] = merged[place] + parts[f"{name}.b"] @ parts[f"{name}.a"]
    _write(weights, merged, vocabulary, out, "kith-reader", gguf.PoolingType.NONE, version)


def _write(
    weights: Path, tensors: Mapping[str, np.ndarray], vocabulary: Path, out: Path, name: str, pooling: gguf.PoolingType,
    version: str = "",
) -> None:  # fmt: skip
    tokens = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.BERT])
    try:
        _describe(writer, tensors, tokens, name, pooling)
        if version:
            writer.add_string(READER_VERSION, version)
        _add_vocabulary(writer, tokens)
        for place, values in _renamed(tensors):
            writer.add_tensor(place, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    except KeyError as error:
        raise ModelFileError(f"{weights} is not a MiniLM encoder: it has no {error}", "fetch it again") from error
    finally:
        writer.close()


def _describe(
    writer: gguf.GGUFWriter, tensors: Mapping[str, np.ndarray], tokens: list[str], name: str, pooling: gguf.PoolingType
) -> None:
    words, width = tensors["embeddings.word_embeddings.weight"].shape
    if words != len(tokens):
        raise ModelFileError(f"the vocabulary has {len(tokens)} tokens, the weights {words}", "fetch both again")
    writer.add_name(name)
    writer.add_context_length(tensors["embeddings.position_embeddings.weight"].shape[0])
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(tensors["encoder.layer.0.intermediate.dense.weight"].shape[0])
    writer.add_block_count(_layers(tensors))
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(_NORM_EPSILON)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_token_type_count(tensors["embeddings.token_type_embeddings.weight"].shape[0])


def _add_vocabulary(writer: gguf.GGUFWriter, tokens: list[str]) -> None:
    """llama.cpp marks the start of a word where WordPiece marks its continuation (`##`)."""
    special = [token.startswith("[") and token.endswith("]") for token in tokens]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([_piece(token, fixed) for token, fixed in zip(tokens, special, strict=True)])
    writer.add_token_types([gguf.TokenType.CONTROL if fixed else gguf.TokenType.NORMAL for fixed in special])
    for role, token in _SPECIAL.items():
        if token not in tokens:
            raise ModelFileError(f"the vocabulary has no {token}", "fetch it again")
        getattr(writer, f"add_{role}_token_id")(tokens.index(token))


def _piece(token: str, fixed: bool) -> str:
    if fixed:
        return token
    return token[2:] if token.startswith("##") else _WORD_START + token


def _renamed(tensors: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, _layers(tensors))
    for name in sorted(tensors):
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ModelFileError(f"the tensor {name} is not part of a BERT encoder", "check the file's origin")
        values = tensors[name]
        small = values.ndim < 2 or target.startswith(("position_embd", "token_types"))
        yield target, values.astype(np.float32 if small else np.float16)


def _layers(tensors: Mapping[str, np.ndarray]) -> int:
    numbers = (name.split(".")[2] for name in tensors if name.startswith("encoder.layer."))
    return 1 + max((int(number) for number in numbers), default=-1)
