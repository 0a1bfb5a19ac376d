"""The opponents that need no offloading: the same model with its experts in lower precision, as one GGUF."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kithnet.runtime import ggml
from kithnet.runtime.convert.experttypes import Matrix, matrices
from kithnet.runtime.convert.gguffile import (
    GgufDraft,
    Source,
    Tensor,
    read_at,
    read_source,
    reading,
    writable,
    write_at,
)
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.files import put_in_place
from kithnet.runtime.llama import default_threads

LADDER = ("Q8_0", "Q6_K", "Q5_1", "Q5_K", "Q5_0", "Q4_K", "Q4_0", "Q3_K", "Q2_K", "Q2_0")
"""Types that are tried, from exact to small; only those that the rows of a model divide into."""


def uniform_types(source: Source, room: int) -> dict[int, str] | None:
    """Layer to type: for every layer the same, the most exact with which the file has at most `room` bytes."""
    layers = _layers(source)
    for name in _ladder(source):
        if size_with(source, dict.fromkeys(layers, name)) <= room:
            return dict.fromkeys(layers, name)
    return None


def mixed_types(source: Source, room: int) -> dict[int, str] | None:
    """Layer to type: two neighbours of the ladder, the more exact one for as many layers as fit. Those at the two ends
    of the model get it first, as is usual."""
    layers = _layers(source)
    base = uniform_types(source, room)
    if base is None:
        return None
    ladder = _ladder(source)
    at = ladder.index(base[layers[0]])
    if at == 0:
        return base
    middle = (layers[0] + layers[-1]) / 2
    chosen = dict(base)
    for layer in sorted(layers, key=lambda layer: -abs(layer - middle)):
        better = {**chosen, layer: ladder[at - 1]}
        if size_with(source, better) > room:
            break
        chosen = better
    return chosen


def size_with(source: Source, types: Mapping[int, str]) -> int:
    """Bytes of the tensors of a model whose experts have these types."""
    return sum(tensor.nbytes for tensor in _tensors(source, types))


def write_lowered(model: Path, out: Path, types: Mapping[int, str]) -> None:
    """Write the model with these types, expert by expert."""
    source = read_source(model)
    made = _tensors(source, types)
    part = out.with_name(out.name + ".part")
    part.unlink(missing_ok=True)
    draft = GgufDraft(source, made)
    draft.begin(part)
    experts = {matrix.tensor.name for matrix in _matrices(source)}
    with reading(model) as given, writable(part) as target:
        for tensor, wanted in zip(source.tensors, made, strict=True):
            place = draft.tensors[tensor.name]
            count = tensor.shape[0] if tensor.name in experts else 1
            size, each = tensor.nbytes // count, place.nbytes // count
            for at in range(count):
                raw = read_at(given, size, tensor.offset + at * size)
                if wanted.type != tensor.type:
                    rows, cols = tensor.shape[-2:]
                    values = ggml.dequantise(raw, tensor.type, rows, cols, default_threads())
                    raw = ggml.quantise(values, wanted.type, default_threads())
                write_at(target, raw, place.offset + at * each)
    put_in_place(part, out)


def _tensors(source: Source, types: Mapping[int, str]) -> list[Tensor]:
    by_name = {matrix.tensor.name: types[matrix.layer] for matrix in _matrices(source)}
    return [
        Tensor(t.name, t.shape, ggml.named(by_name[t.name]) if t.name in by_name else t.type) for t in source.tensors
    ]


def _ladder(source: Source) -> list[str]:
    found = []
    experts = _matrices(source)
    for name in LADDER:
        code = ggml.named(name)
        fits = all(matrix.tensor.shape[-1] % ggml.block(code) == 0 for matrix in experts)
        if fits and ggml.bits(code) <= min(ggml.bits(matrix.tensor.type) for matrix in experts):
            found.append(name)
    if not found:
        raise ConfigError(f"the experts of {source.path} cannot be lowered", "measure with a model of higher precision")
    return found


def _layers(source: Source) -> Sequence[int]:
    return sorted({matrix.layer for matrix in _matrices(source)})


def _matrices(source: Source) -> list[Matrix]:
    return matrices(source, "auto", "auto")
