"""A mixture of experts from a dense model: each feed-forward block is cut into groups of neurons, the experts.

A SwiGLU block is a sum over its neurons, so with all experts used the mixture computes what the dense model does. With
fewer, a router chooses the groups that write most, and down-projections are fitted anew to make up for the others. Gate
weights are normalised over the chosen experts (llama.cpp's `llama` architecture), so down-projections carry a factor of
top_k.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kithnet.runtime import ggml
from kithnet.runtime.convert.activations import block_inputs
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
from kithnet.runtime.convert.grouping import (
    Floats,
    Ids,
    activity,
    fit_router,
    gate_weights,
    groups_of,
    refit_down,
    weight_of_groups,
)
from kithnet.runtime.divergence import Divergence, divergence
from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.files import OnProgress, need_space, put_in_place, storing
from kithnet.runtime.llama import LlamaModel, default_threads

FIT_TOKENS, TEST_TOKENS = 4096, 1024
_SPREAD = 0.1  # standard deviation of a router's logits: weights tell experts apart; 0.3 doubles the divergence
_ROLES = ("gate", "up", "down")
_FEED_FORWARD = tuple(f"ffn_{role}.weight" for role in _ROLES)


@dataclass(frozen=True, slots=True)
class Moefied:
    """What was made. neurons: of one expert. figures: against the dense model, on text that nothing was fitted to."""

    path: Path
    experts: int
    top_k: int
    layers: int
    neurons: int
    figures: Divergence
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """experts: groups of each block. top_k: how many a token uses. type: of the experts' weights."""

    experts: int
    top_k: int
    type: str = "Q8_0"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """One block cut up. groups: (experts, neurons each). router: (experts, width), all 0 where every expert is used.
    down: (width, neurons), fitted anew."""

    groups: Ids
    router: Floats
    down: Floats


def moefy(model: Path, out: Path, text: str, wanted: Wanted, progress: OnProgress | None = None) -> Moefied:
    """Write `out`, a GGUF of the `llama` architecture with `wanted.experts` experts in every layer.

    text: long enough for FIT_TOKENS to fit by and TEST_TOKENS to judge by. Raises
    ModelFileError for a model that is no dense llama, ConfigError where its neurons do not divide or the text is short.
    """
    started = time.perf_counter()
    source = read_source(model)
    layers = _checked(source, wanted)
    fit, test = _texts(model, text)
    tell = progress or (lambda done, total=None, note="": None)
    tell(0, layers + 1, "reading the text")
    inputs = block_inputs(model, fit)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    with storing(out.parent):
        _write(source, part, wanted, inputs, lambda done: tell(done, layers + 1, "grouping neurons"))
        tell(layers, layers + 1, "comparing with the dense model")
        figures = divergence(model, part, test)
        put_in_place(part, out)
    return Moefied(
        out, wanted.experts, wanted.top_k, layers,
        source.number("feed_forward_length") // wanted.experts, figures, out.stat().st_size, time.perf_counter() - started,
    )  # fmt: skip


def cut(x: Floats, gate: Floats, up: Floats, down: Floats, wanted: Wanted) -> Split:
    """Cut one block. x: (tokens, width) of its inputs. gate, up: (neurons, width); down: (width, neurons)."""
    h = activity(x, gate, up)
    groups = groups_of(h, down, wanted.experts, wanted.seed)
    router = fit_router(x, weight_of_groups(h, down, groups)) * np.float32(_SPREAD)
    if wanted.top_k == wanted.experts:
        router = np.zeros_like(router)
    weights = gate_weights(x, router, wanted.top_k)
    return Split(groups, router, refit_down(h, down, groups, weights, wanted.top_k))


def _checked(source: Source, wanted: Wanted) -> int:
    """Layers of the model."""
    if source.number("expert_count"):
        raise ModelFileError(f"{source.path} is a mixture of experts already", "kith model convert makes a store of it")
    if source.architecture != "llama":
        raise ModelFileError(
            f"{source.path} has the architecture {source.architecture}; only llama can be split here",
            "take another model",
        )
    layers = source.number("block_count")
    names = {tensor.name for tensor in source.tensors}
    if missing := [n for i in range(layers) for role in _FEED_FORWARD if (n := f"blk.{i}.{role}") not in names]:
        raise ModelFileError(f"{source.path} has no {missing[0]}", "take a model with gated feed-forward blocks")
    neurons = source.number("feed_forward_length")
    if wanted.experts < 2 or neurons % wanted.experts:
        raise ConfigError(
            f"{neurons} neurons cannot be cut into {wanted.experts} experts", "choose a divisor, 2 or more"
        )
    if not 1 <= wanted.top_k <= wanted.experts:
        raise ConfigError(f"--top-k {wanted.top_k} of {wanted.experts} experts", "choose 1 up to all of them")
    for columns in (neurons // wanted.experts, source.number("embedding_length")):
        ggml.row_bytes(ggml.named(wanted.type), columns)
    return layers


def _texts(model: Path, text: str) -> list[list[int]]:
    sizes = (FIT_TOKENS, TEST_TOKENS)
    with closing(LlamaModel.load(model)) as loaded:
        tokens = loaded.tokenise(text, begin=False, special=False)
    if len(tokens) < sum(sizes):
        raise ConfigError(f"the text has {len(tokens)} tokens, and {sum(sizes)} are needed", "give a longer text")
    ends = np.cumsum(sizes)
    return [tokens[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _write(
    source: Source, out: Path, wanted: Wanted, inputs: Mapping[int, Floats], tell: Callable[[int], object]
) -> None:
    draft = GgufDraft(source, _tensors(source, wanted), _changed(source, wanted))
    need_space(out.parent, source.path.stat().st_size * 2)
    draft.begin(out)
    with reading(source.path) as model, writable(out) as target:
        for tensor in source.tensors:
            if not tensor.name.endswith(_FEED_FORWARD):
                write_at(target, read_at(model, tensor.nbytes, tensor.offset), draft.tensors[tensor.name].offset)
        by_name = {tensor.name: tensor for tensor in source.tensors}
        for layer in range(source.number("block_count")):
            tell(layer)
            gate, up, down = (_weights(model, by_name[f"blk.{layer}.{name}"]) for name in _FEED_FORWARD)
            split = cut(inputs[layer], gate, up, down, wanted)
            blocks = (gate[split.groups], up[split.groups], split.down.T[split.groups].transpose(0, 2, 1))
            for role, block in zip(_ROLES, blocks, strict=True):
                place = draft.tensors[f"blk.{layer}.ffn_{role}_exps.weight"]
                rows = np.ascontiguousarray(block, np.float32).reshape(-1, block.shape[-1])
                write_at(target, ggml.quantise(rows, place.type, default_threads()), place.offset)
            write_at(
                target, np.ascontiguousarray(split.router), draft.tensors[f"blk.{layer}.ffn_gate_inp.weight"].offset
            )


def _tensors(source: Source, wanted: Wanted) -> list[Tensor]:
    made = []
    code = ggml.named(wanted.type)
    for tensor in source.tensors:
        if not tensor.name.endswith(_FEED_FORWARD):
            made.append(tensor)
            continue
        block = tensor.name.rsplit(".ffn_", 1)[0]
        role = tensor.name.rsplit("ffn_", 1)[1].removesuffix(".weight")
        rows, columns = tensor.shape
        if role == "gate":
            made.append(Tensor(f"{block}.ffn_gate_inp.weight", (wanted.experts, columns), ggml.F32))
        each = (rows, columns // wanted.experts) if role == "down" else (rows // wanted.experts, columns)
        made.append(Tensor(f"{block}.ffn_{role}_exps.weight", (wanted.experts, *each), code))
    return made


def _changed(source: Source, wanted: Wanted) -> dict[str, int]:
    name = source.architecture
    each = source.number("feed_forward_length") // wanted.experts
    return {
        f"{name}.feed_forward_length": each,
        f"{name}.expert_feed_forward_length": each,
        f"{name}.expert_count": wanted.experts,
        f"{name}.expert_used_count": wanted.top_k,
    }


def _weights(model: int, tensor: Tensor) -> Floats:
    rows, columns = tensor.shape
    return ggml.dequantise(read_at(model, tensor.nbytes, tensor.offset), tensor.type, rows, columns, default_threads())
