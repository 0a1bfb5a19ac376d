"""A mixture of experts from a dense model: each feed-forward block is cut into groups of neurons, the experts.

A SwiGLU block is a sum over its neurons, so with all experts used the mixture computes what the dense model does. With
fewer, a router chooses the groups that write most. Gate weights are normalised over the chosen experts (llama.cpp's
`llama` architecture), so down-projections carry a factor of top_k; how far the weights may differ from each other is
chosen by the KL divergence it costs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
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
from kithnet.runtime.convert.grouping import Floats, Ids, activity, fit_router, groups_of, weight_of_groups
from kithnet.runtime.divergence import Divergence, divergence
from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.files import OnProgress, need_space, put_in_place, storing
from kithnet.runtime.llama import LlamaModel, default_threads

FIT_TOKENS, CHOOSE_TOKENS, TEST_TOKENS = 4096, 768, 1024
SPREADS = (1e-4, 0.1, 0.3, 0.6, 1.0)
"""Standard deviations of the router's logits that are tried: from equal gate weights to telling ones."""
_ROLES = ("gate", "up", "down")
_FEED_FORWARD = tuple(f"ffn_{role}.weight" for role in _ROLES)


@dataclass(frozen=True, slots=True)
class Moefied:
    """What was made. spread: of the router's logits. figures: against the dense model, on text that nothing was fitted
    to."""

    path: Path
    experts: int
    top_k: int
    layers: int
    neurons: int
    spread: float
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
    """One block cut up. groups: (experts, neurons each). router: (experts, width)."""

    groups: Ids
    router: Floats


def moefy(model: Path, out: Path, text: str, wanted: Wanted, progress: OnProgress | None = None) -> Moefied:
    """Write `out`, a GGUF of the `llama` architecture with `wanted.experts` experts in every layer.

    text: long enough for FIT_TOKENS to fit groups and routers by, CHOOSE_TOKENS and TEST_TOKENS to judge by. Raises
    ModelFileError for a model that is no dense llama, ConfigError where its neurons do not divide or the text is short.
    """
    started = time.perf_counter()
    source = read_source(model)
    layers = _checked(source, wanted)
    fit, choose, test = _texts(model, text)
    tell = progress or (lambda done, total=None, note="": None)
    tell(0, layers + 2, "reading the text")
    inputs = block_inputs(model, fit)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    with storing(out.parent):
        routers = _write(source, part, wanted, inputs, lambda done: tell(done, layers + 2, "grouping neurons"))
        tell(layers, layers + 2, "choosing how telling gate weights are")
        spread = _best_spread(model, part, routers, choose)
        tell(layers + 1, layers + 2, "comparing with the dense model")
        figures = divergence(model, part, test)
        put_in_place(part, out)
    return Moefied(
        out, wanted.experts, wanted.top_k, layers, source.number("feed_forward_length"), spread, figures,
        out.stat().st_size, time.perf_counter() - started,
    )  # fmt: skip


def cut(x: Floats, gate: Floats, up: Floats, down: Floats, experts: int, seed: int = 0) -> Split:
    """Cut one block. x: (tokens, width) of its inputs. gate, up: (neurons, width); down: (width, neurons)."""
    h = activity(x, gate, up)
    groups = groups_of(h, down, experts, seed)
    return Split(groups, fit_router(x, weight_of_groups(h, down, groups)))


def _checked(source: Source, wanted: Wanted) -> int:
    """Layers of the model."""
    if source.number("expert_count"):
        raise ModelFileError(f"{source.path} is a mixture of experts already", "kith model convert makes a store of it")
    if source.architecture != "llama":
        raise ModelFileError(
            f"{source.path} has the architecture {source.architecture}; only llama can be split here", "take another model"
        )
    layers = source.number("block_count")
    names = {tensor.name for tensor in source.tensors}
    if missing := [n for i in range(layers) for role in _FEED_FORWARD if (n := f"blk.{i}.{role}") not in names]:
        raise ModelFileError(f"{source.path} has no {missing[0]}", "take a model with gated feed-forward blocks")
    neurons = source.number("feed_forward_length")
    if not 2 <= wanted.experts or neurons % wanted.experts:
        raise ConfigError(f"{neurons} neurons cannot be cut into {wanted.experts} experts", "choose a divisor, 2 or more")
    if not 1 <= wanted.top_k <= wanted.experts:
        raise ConfigError(f"--top-k {wanted.top_k} of {wanted.experts} experts", "choose 1 up to all of them")
    for columns in (neurons // wanted.experts, source.number("embedding_length")):
        ggml.row_bytes(ggml.named(wanted.type), columns)
    return layers


def _texts(model: Path, text: str) -> list[list[int]]:
    sizes = (FIT_TOKENS, CHOOSE_TOKENS, TEST_TOKENS)
    with closing(LlamaModel.load(model)) as loaded:
        tokens = loaded.tokenise(text, begin=False, special=False)
    if len(tokens) < sum(sizes):
        raise ConfigError(f"the text has {len(tokens)} tokens, and {sum(sizes)} are needed", "give a longer text")
    ends = np.cumsum(sizes)
    return [tokens[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _write(
    source: Source, out: Path, wanted: Wanted, inputs: Mapping[int, Floats], tell: Callable[[int], None]
) -> dict[Tensor, Floats]:
    """The file, with equal gate weights. Returns each router's place in it, and its weights."""
    draft = GgufDraft(source, _tensors(source, wanted), _changed(source, wanted))
    need_space(out.parent, source.path.stat().st_size * 2)
    draft.begin(out)
    routers = {}
    with reading(source.path) as model, writable(out) as target:
        for tensor in source.tensors:
            if not tensor.name.endswith(_FEED_FORWARD):
                write_at(target, read_at(model, tensor.nbytes, tensor.offset), draft.tensors[tensor.name].offset)
        by_name = {tensor.name: tensor for tensor in source.tensors}
        for layer in range(source.number("block_count")):
            tell(layer)
            gate, up, down = (_weights(model, by_name[f"blk.{layer}.{name}"]) for name in _FEED_FORWARD)
            split = cut(inputs[layer], gate, up, down, wanted.experts, wanted.seed)
            blocks = (gate[split.groups], up[split.groups], down.T[split.groups].transpose(0, 2, 1) * wanted.top_k)
            for role, block in zip(_ROLES, blocks, strict=True):
                place = draft.tensors[f"blk.{layer}.ffn_{role}_exps.weight"]
                rows = np.ascontiguousarray(block, np.float32).reshape(-1, block.shape[-1])
                write_at(target, ggml.quantise(rows, place.type, default_threads()), place.offset)
            routers[draft.tensors[f"blk.{layer}.ffn_gate_inp.weight"]] = split.router
    return routers


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


def _best_spread(model: Path, made: Path, routers: Mapping[Tensor, Floats], tokens: Sequence[int]) -> float:
    """The spread of logits with the least divergence, which the file then has."""
    found = {}
    for spread in SPREADS:
        _route(made, routers, spread)
        found[spread] = divergence(model, made, tokens).kl
    best = min(found, key=lambda spread: found[spread])
    _route(made, routers, best)
    return best


def _route(made: Path, routers: Mapping[Tensor, Floats], spread: float) -> None:
    with writable(made) as target:
        for place, weights in routers.items():
            write_at(target, np.ascontiguousarray(weights * np.float32(spread), np.float32), place.offset)


def _weights(model: int, tensor: Tensor) -> Floats:
    rows, columns = tensor.shape
    return ggml.dequantise(read_at(model, tensor.nbytes, tensor.offset), tensor.type, rows, columns, default_threads())
