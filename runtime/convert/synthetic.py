"""Large mixture-of-experts models with random weights, whose tokens choose experts as told: for work on loading, not on
language.

Every token but the bytes stands for three digits. A layer's router looks at one of them (layer 0 at the first, layer 1 at
the second, ...), and each value of a digit prefers experts of its own in each layer. Blocks add little to the hidden
state, so digits survive to the last layer. `local_tokens` draws a sequence whose digits seldom change: then consecutive
tokens use the same experts, as often as asked for.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from kithnet.runtime import ggml
from kithnet.runtime.convert.gguffile import GgufDraft, Source, Tensor, read_source, writable, write_at
from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.files import OnProgress, need_space, put_in_place, storing
from kithnet.runtime.llama import default_threads

DIGITS = 3
_CONTROL = 3  # <unk>, <s>, </s>
FIRST = _CONTROL + 256
"""The first token that has digits; those before are control tokens and bytes."""
_HEAD = 64
_SPREAD = 2.0  # standard deviation of a router's logits, and of the model's
_ADDED = 0.1  # what a block adds to the hidden state, whose root mean square is 1
_SWIGLU = 0.6  # the root mean square of SwiGLU of two unit normals
_POOL = 4  # different random matrices; an expert is one of them with its rows turned
_LOCALITY, _VALUES = "kithnet.synthetic.locality", "kithnet.synthetic.values"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """What to make. neurons: of one expert. locality: chance that an expert used for a token is used for the next one
    too. values: of a digit. type: of the experts; everything else is Q8_0 or F32."""

    layers: int = 16
    experts: int = 16
    top_k: int = 2
    width: int = 1024
    neurons: int = 3584
    locality: float = 0.6
    values: int = 16
    type: str = "Q8_0"
    seed: int = 1

    def __post_init__(self) -> None:
        if not (self.layers >= 1 and self.experts >= 2 and 1 <= self.top_k <= self.experts and self.values >= 2):
            raise ConfigError(f"there is no mixture of experts of {self}", "layers, experts and top-k are positive")
        if self.width % _HEAD or self.neurons % 32 or self.width < _HEAD or self.neurons < 32:
            raise ConfigError(f"width {self.width}, neurons {self.neurons}", f"multiples of {_HEAD} and 32 are needed")
        if not self.chance <= self.locality <= 1:
            raise ConfigError(
                f"a locality of {self.locality:g} is not between {self.chance:.2f}, which is chance, and 1",
                "choose one between them",
            )

    @property
    def chance(self) -> float:
        """Locality of tokens drawn without regard to each other."""
        return self.top_k / self.experts

    @property
    def vocabulary(self) -> int:
        return FIRST + int(self.values**DIGITS)

    def expert_bytes(self) -> int:
        """Of all experts of all layers."""
        code = ggml.named(self.type)
        one = 2 * self.neurons * ggml.row_bytes(code, self.width) + self.width * ggml.row_bytes(code, self.neurons)
        return self.layers * self.experts * one


def sized(shape: Shape, size: int) -> Shape:
    """The shape with as many neurons as make experts of `size` bytes, rounded to 256."""
    each = shape.expert_bytes() / shape.neurons
    neurons = max(round(size / each / 256) * 256, 256)
    return replace(shape, neurons=neurons)


def write_synthetic(out: Path, shape: Shape, progress: OnProgress | None = None) -> float:
    """Write a GGUF of the `llama` architecture, one expert at a time. Returns seconds. Raises StorageError."""
    started = time.perf_counter()
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = GgufDraft(Source(out, "llama", _fields(shape), ()), list(_tensors(shape)))
    part = out.with_name(out.name + ".part")
    with storing(out.parent):
        need_space(out.parent, sum(tensor.nbytes for tensor in _tensors(shape)))
        part.unlink(missing_ok=True)
        draft.begin(part)
        with writable(part) as target:
            done = 0
            for offset, data in _contents(draft, shape):
                write_at(target, data, offset)
                done += len(data)
                if progress:
                    progress(done, draft.bytes, "writing")
        put_in_place(part, out)
    return time.perf_counter() - started


def is_synthetic(model: Path) -> bool:
    """Whether `local_tokens` has sequences for this model. Raises ModelFileError."""
    return _VALUES in read_source(model).fields


def local_tokens(model: Path, count: int, *, locality: float | None = None, seed: int = 0) -> list[int]:
    """A sequence for a synthetic model. locality: as the model's when None. Raises ModelFileError for another model."""
    source = read_source(model)
    if _VALUES not in source.fields:
        raise ModelFileError(f"{model} is not a synthetic model", "make one: kith model synthetic")
    values = int(source.fields[_VALUES][0])
    wanted = float(source.fields[_LOCALITY][0]) if locality is None else locality
    chance = source.number("expert_used_count") / source.number("expert_count")
    chance += (1 - chance) / values  # a digit that is drawn anew may be the old one
    stay = min(max((wanted - chance) / (1 - chance), 0.0), 1.0) if chance < 1 else 1.0
    draw = np.random.default_rng(seed)
    digits = draw.integers(values, size=DIGITS)
    tokens = []
    for _ in range(count):
        digits = np.where(draw.random(DIGITS) < stay, digits, draw.integers(values, size=DIGITS))
        tokens.append(FIRST + int(digits @ values ** np.arange(DIGITS)))
    return tokens


def _fields(shape: Shape) -> dict[str, tuple[Any, Any, Any]]:
    kinds = gguf.GGUFValueType
    numbers = {
        "block_count": shape.layers, "context_length": 4096, "embedding_length": shape.width,
        "feed_forward_length": shape.neurons, "expert_feed_forward_length": shape.neurons,
        "attention.head_count": shape.width // _HEAD, "attention.head_count_kv": _kv_heads(shape),
        "rope.dimension_count": _HEAD, "vocab_size": shape.vocabulary, "expert_count": shape.experts,
        "expert_used_count": shape.top_k,
    }  # fmt: skip
    made: dict[str, tuple[Any, Any, Any]] = {f"llama.{key}": (n, kinds.UINT32, None) for key, n in numbers.items()}
    made["llama.attention.layer_norm_rms_epsilon"] = (1e-5, kinds.FLOAT32, None)
    made["llama.rope.freq_base"] = (1e5, kinds.FLOAT32, None)
    made[_LOCALITY] = (shape.locality, kinds.FLOAT32, None)
    made[_VALUES] = (shape.values, kinds.UINT32, None)
    return made | _vocabulary(shape)


def _vocabulary(shape: Shape) -> dict[str, tuple[Any, Any, Any]]:
    kinds, tokens = gguf.GGUFValueType, gguf.TokenType
    words = [f" t{number}" for number in range(shape.vocabulary - FIRST)]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    sorts = [tokens.UNKNOWN, tokens.CONTROL, tokens.CONTROL, *[tokens.BYTE] * 256, *[tokens.NORMAL] * len(words)]
    return {
        "tokenizer.ggml.model": ("llama", kinds.STRING, None),
        "tokenizer.ggml.tokens": (pieces, kinds.ARRAY, kinds.STRING),
        "tokenizer.ggml.scores": ([0.0] * len(pieces), kinds.ARRAY, kinds.FLOAT32),
        "tokenizer.ggml.token_type": ([int(sort) for sort in sorts], kinds.ARRAY, kinds.INT32),
        "tokenizer.ggml.bos_token_id": (1, kinds.UINT32, None),
        "tokenizer.ggml.eos_token_id": (2, kinds.UINT32, None),
    }


def _tensors(shape: Shape) -> Iterator[Tensor]:
    q8, code = ggml.named("Q8_0"), ggml.named(shape.type)
    width, narrow = shape.width, _kv_heads(shape) * _HEAD
    yield Tensor("token_embd.weight", (shape.vocabulary, width), q8)
    yield Tensor("output_norm.weight", (width,), ggml.F32)
    yield Tensor("output.weight", (shape.vocabulary, width), q8)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for name in ("attn_norm", "ffn_norm"):
            yield Tensor(f"{block}{name}.weight", (width,), ggml.F32)
        for name, rows in (("q", width), ("k", narrow), ("v", narrow), ("output", width)):
            yield Tensor(f"{block}attn_{name}.weight", (rows, width), q8)
        yield Tensor(f"{block}ffn_gate_inp.weight", (shape.experts, width), ggml.F32)
        for role in ("gate", "up"):
            yield Tensor(f"{block}ffn_{role}_exps.weight", (shape.experts, shape.neurons, width), code)
        yield Tensor(f"{block}ffn_down_exps.weight", (shape.experts, width, shape.neurons), code)


def _contents(draft: GgufDraft, shape: Shape) -> Iterator[tuple[int, ggml.Bytes]]:
    """(offset, bytes) of the whole file behind its header, an expert's matrix at a time."""
    draw = np.random.default_rng(shape.seed)
    directions = draw.standard_normal((DIGITS, shape.values, shape.width), np.float32)
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    pools: dict[str, list[ggml.Bytes]] = {}
    for tensor in draft.tensors.values():
        if not tensor.name.endswith("_exps.weight"):
            rows = _values(tensor, shape, draw, directions)
            yield tensor.offset, ggml.quantise(rows.reshape(-1, tensor.shape[-1]), tensor.type, default_threads())
            continue
        _, rows_each, columns = tensor.shape
        role = tensor.name.rsplit(".ffn_", 1)[1]
        if role not in pools:
            scale = _ADDED / _SWIGLU if role.startswith("down") else 1.0
            pools[role] = [_random(draw, rows_each, columns, tensor.type, scale) for _ in range(_POOL)]
        size = tensor.nbytes // shape.experts
        for expert in range(shape.experts):
            turned = pools[role][int(draw.integers(_POOL))].reshape(rows_each, -1)
            moved = np.roll(turned, int(draw.integers(rows_each)), axis=0)
            yield tensor.offset + expert * size, moved.reshape(-1)


def _random(draw: np.random.Generator, rows: int, columns: int, code: int, scale: float) -> ggml.Bytes:
    """A matrix that keeps the root mean square of what it is applied to, times `scale`."""
    values = draw.standard_normal((rows, columns), np.float32) * np.float32(scale / columns**0.5)
    return ggml.quantise(values, code, default_threads())


def _values(tensor: Tensor, shape: Shape, draw: np.random.Generator, directions: Floats) -> Floats:
    """Of a tensor that is no expert."""
    name = tensor.name
    if name.endswith("_norm.weight"):
        return np.ones(tensor.shape, np.float32)
    if name.endswith("ffn_gate_inp.weight"):
        digit = int(name.split(".")[1]) % DIGITS
        preferred = _SPREAD * draw.standard_normal((shape.experts, shape.values), np.float32)
        strength = np.float32((shape.width / DIGITS) ** 0.5)
        return np.asarray(preferred @ directions[digit] / strength, np.float32)
    if name == "token_embd.weight":
        return _embeddings(shape, draw, directions)
    scale = _ADDED if "attn_output" in name else _SPREAD if name == "output.weight" else 1.0
    return draw.standard_normal(tensor.shape, np.float32) * np.float32(scale / shape.width**0.5)


def _embeddings(shape: Shape, draw: np.random.Generator, directions: Floats) -> Floats:
    """(vocabulary, width), each row of length sqrt(width): the sum of its digits' directions."""
    numbers = np.arange(shape.vocabulary - FIRST)
    rows = sum(directions[at][numbers // shape.values**at % shape.values] for at in range(DIGITS))
    others = draw.standard_normal((FIRST, shape.width), np.float32)
    every = np.concatenate([others, np.asarray(rows, np.float32)])
    return np.asarray(every * (shape.width**0.5 / np.linalg.norm(every, axis=1, keepdims=True)), np.float32)


def _kv_heads(shape: Shape) -> int:
    heads = shape.width // _HEAD
    return heads // 4 if heads % 4 == 0 else heads
