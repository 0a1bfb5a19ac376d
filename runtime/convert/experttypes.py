"""Which matrices of a model are experts, and in which types a store keeps them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from kithnet.runtime import ggml
from kithnet.runtime.convert.gguffile import Source, Tensor
from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.offload.store import Role

AUTO = "auto"
_EXPERTS = re.compile(r"blk\.(\d+)\.ffn_(gate|up|down|gate_up)_exps\.weight")
_APART = re.compile(r"blk\.\d+\.ffn_(gate|up|down)\.\d+\.weight")
_ORDER: dict[str, int] = {"gate": 0, "gate_up": 1, "up": 2, "down": 3}
_FINE = 7  # bits of a weight from which on the copy of 3 bits is worth having, not the one of 2


@dataclass(frozen=True, slots=True)
class Matrix:
    """One role of all experts of a layer. tensor: (experts, rows, cols) in the model. high, low: ggml types."""

    layer: int
    role: Role
    tensor: Tensor
    high: int
    low: int

    @property
    def experts(self) -> int:
        return self.tensor.shape[0]

    def code(self, precision: str) -> int:
        return self.high if precision == "high" else self.low


def is_expert(name: str) -> bool:
    """Whether a tensor of this name holds the weights of experts that a router chooses from. Biases, shared experts and
    routers do not: every token needs them."""
    return _EXPERTS.fullmatch(name) is not None


def matrices(source: Source, high: str, low: str) -> list[Matrix]:
    """The expert matrices of a model by layer, in the order in which a record holds them.

    high, low: a type's name, or `auto`: high is then the model's own type, and low as `low_type` chooses.
    Raises ModelFileError for a model without experts, ConfigError for types that its rows do not fit.
    """
    found = []
    for tensor in source.tensors:
        if match := _EXPERTS.fullmatch(tensor.name):
            code = _high_type(tensor, high)
            copy = low_type(code, tensor.shape[-1]) if low == AUTO else ggml.named(low)
            _check(tensor, code, copy)
            found.append(Matrix(int(match[1]), cast(Role, match[2]), tensor, code, copy))
    if not found:
        raise _without_experts(source)
    _check_layers(source, found)
    return sorted(found, key=lambda matrix: (matrix.layer, _ORDER[matrix.role]))


def low_type(high: int, columns: int) -> int:
    """The type of the low copy of rows of `columns` weights.

    Beside 8 bits and more Q3_K, beside less Q2_K. Both need rows that divide by 256; for others Q4_0 serves, since the
    2-bit type with smaller blocks, Q2_0, loses far more (docs/experts.md has figures).
    """
    if columns % ggml.block(ggml.named("Q3_K")) == 0:
        return ggml.named("Q3_K" if ggml.bits(high) >= _FINE else "Q2_K")
    return ggml.named("Q4_0")


def _high_type(tensor: Tensor, high: str) -> int:
    if high == AUTO:
        return tensor.type
    code = ggml.named(high)
    if ggml.bits(code) > ggml.bits(tensor.type):
        raise ConfigError(
            f"{tensor.name} is {ggml.name_of(tensor.type)}: as {high} it would be larger and no more exact",
            "leave --high out to keep the model's own types",
        )
    return code


def _check(tensor: Tensor, high: int, low: int) -> None:
    columns = tensor.shape[-1]
    for code in (tensor.type, high, low):
        if code not in ggml.names().values():
            raise ConfigError(
                f"{tensor.name} is {ggml.name_of(code)}, which cannot be converted", "use another model file"
            )
        ggml.row_bytes(code, columns)
    if ggml.bits(low) >= ggml.bits(high):
        raise ConfigError(
            f"{tensor.name} would be {ggml.name_of(low)} in low precision and {ggml.name_of(high)} in high: nothing is saved",
            "choose a lower type with --low, or a model file of higher precision",
        )


def _without_experts(source: Source) -> ModelFileError:
    if any(_APART.fullmatch(tensor.name) for tensor in source.tensors):
        return ModelFileError(
            f"{source.path} has its experts in tensors of their own, an old form", "fetch a newer file"
        )
    return ModelFileError(
        f"{source.path} has no experts: it is a dense model",
        "kith model moefy makes a mixture of experts of a dense model",
    )


def _check_layers(source: Source, found: Sequence[Matrix]) -> None:
    by_layer: dict[int, list[Matrix]] = {}
    for matrix in found:
        by_layer.setdefault(matrix.layer, []).append(matrix)
    count = source.number("expert_count")
    for layer, members in by_layer.items():
        roles = {matrix.role for matrix in members}
        if roles not in ({"gate", "up", "down"}, {"gate_up", "down"}, {"up", "down"}):
            raise ModelFileError(
                f"layer {layer} of {source.path} has only {', '.join(sorted(roles))} experts", "fetch it again"
            )
        if {matrix.experts for matrix in members} != {count}:
            raise ModelFileError(
                f"layer {layer} of {source.path} has not the {count} experts it says", "fetch it again"
            )
