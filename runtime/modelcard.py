"""What a GGUF file says of itself, and what it will cost to run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kithnet.runtime.errors import ModelFileError

_MAGIC = b"GGUF"
_FIRST_VERSION = 2
_F16_BYTES = 2
AGENT_TOKENS = 2048
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model file.

    parameters: weights in all. context: tokens it was trained for. types: tensors of each quantisation.
    experts: per layer, 0 for a dense model. kv_bytes_per_token: key and value cache of one token at float16,
    0 for a model that keeps none (an encoder). agents_per_gib: contexts of 2,048 tokens that fit in a GiB.
    """

    architecture: str
    title: str
    license: str
    parameters: int
    context: int
    layers: int
    experts: int
    types: Mapping[str, int]
    kv_bytes_per_token: int
    agents_per_gib: int
    bytes: int


def check_magic(path: Path, hint: str) -> None:
    """Raises ModelFileError unless the file starts as a GGUF of a version that llama.cpp reads."""
    with path.open("rb") as file:
        head = file.read(8)
    if len(head) < 8 or head[:4] != _MAGIC or int.from_bytes(head[4:], "little") < _FIRST_VERSION:
        raise ModelFileError(f"{path} is not a GGUF model file", hint)


def read_card(path: Path, hint: str) -> ModelCard:
    """Read the header and check that every tensor lies inside the file (1-2 s where the vocabulary is long).

    Raises ModelFileError, with `hint`, where the file is truncated or damaged.
    """
    import gguf

    check_magic(path, hint)
    try:
        reader = gguf.GGUFReader(path)
        return _card(reader, path)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ModelFileError(f"{path} is truncated or damaged: {error}", hint) from error


def _card(reader: Any, path: Path) -> ModelCard:
    architecture = str(_text(reader, "general.architecture"))
    kv = _kv_bytes(reader, architecture)
    types: Counter[str] = Counter()
    parameters = 0
    for tensor in reader.tensors:
        types[tensor.tensor_type.name] += 1
        parameters += int(tensor.n_elements)
    return ModelCard(
        architecture=architecture,
        title=_text(reader, "general.name") or path.stem,
        license=_text(reader, "general.license"),
        parameters=parameters,
        context=_number(reader, f"{architecture}.context_length"),
        layers=_number(reader, f"{architecture}.block_count"),
        experts=_number(reader, f"{architecture}.expert_count"),
        types=dict(types.most_common()),
        kv_bytes_per_token=kv,
        agents_per_gib=_GIB // (kv * AGENT_TOKENS) if kv else 0,
        bytes=path.stat().st_size,
    )


def _kv_bytes(reader: Any, architecture: str) -> int:
    """2 bytes a value; heads may differ from layer to layer; an encoder (not causal) keeps no cache."""
    prefix = f"{architecture}.attention"
    causal = reader.get_field(f"{prefix}.causal")
    if causal is not None and not causal.contents():
        return 0
    heads = _number(reader, f"{prefix}.head_count")
    width = _number(reader, f"{architecture}.embedding_length")
    each = width // heads if heads else 0
    key = _number(reader, f"{prefix}.key_length") or each
    value = _number(reader, f"{prefix}.value_length") or each
    shared = reader.get_field(f"{prefix}.head_count_kv")
    per_layer = shared.contents() if shared is not None else heads
    layers = _number(reader, f"{architecture}.block_count")
    kv_heads = sum(per_layer) if isinstance(per_layer, list) else layers * int(per_layer)
    return kv_heads * (key + value) * _F16_BYTES


def _number(reader: Any, key: str) -> int:
    """0 where the key is absent; the largest where a model gives one number per layer."""
    field = reader.get_field(key)
    if field is None:
        return 0
    found = field.contents()
    return max(int(one) for one in found) if isinstance(found, list) else int(found)


def _text(reader: Any, key: str) -> str:
    field = reader.get_field(key)
    return "" if field is None else str(field.contents())
