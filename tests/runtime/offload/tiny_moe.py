"""Mixtures of experts of some hundred kilobytes with random weights, one for each way that llama.cpp builds their graph."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from kithnet.runtime import ggml

BYTES = [f"<0x{i:02X}>".encode() for i in range(256)]
TOKENS = [b"<unk>", b"<s>", b"</s>", *BYTES]
HEADS, LAYERS, EXPERTS, TOP_K = 2, 3, 8, 2


class Draft:
    """A GGUF being written: random tensors by name and shape. experts: the type that expert weights are written in."""

    def __init__(self, path: Path, arch: str, width: int, inner: int, experts: Type, seed: int) -> None:
        self.width, self.inner, self.head = width, inner, width // HEADS
        self._type = experts
        self._draw = np.random.default_rng(seed)
        self.writer = writer = gguf.GGUFWriter(path, arch)
        writer.add_context_length(512)
        writer.add_embedding_length(width)
        writer.add_feed_forward_length(inner)
        writer.add_block_count(LAYERS)
        writer.add_head_count(HEADS)
        writer.add_head_count_kv(HEADS)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_expert_count(EXPERTS)
        writer.add_expert_used_count(TOP_K)
        writer.add_expert_feed_forward_length(inner)
        writer.add_tokenizer_model("llama")
        writer.add_token_list(TOKENS)
        writer.add_token_scores([0.0] * len(TOKENS))
        kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
        writer.add_token_types([*kinds, *[gguf.TokenType.BYTE] * len(BYTES)])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        self.add("token_embd.weight", len(TOKENS), width)
        self.add("output.weight", len(TOKENS), width)
        self.norm("output_norm.weight", width)

    def add(self, name: str, *shape: int, scale: float = 0.0) -> None:
        values = self._draw.normal(0, scale or 1.5 / np.sqrt(shape[-1]), shape)
        self.writer.add_tensor(name, values.astype(np.float32))

    def norm(self, name: str, width: int) -> None:
        self.writer.add_tensor(name, self._draw.normal(1, 0.1, width).astype(np.float32))

    def experts(self, layer: int, roles: Mapping[str, tuple[int, int]], *, biased: bool = False) -> None:
        for role, (rows, columns) in roles.items():
            values = self._draw.normal(0, 1.5 / np.sqrt(columns), (EXPERTS, rows, columns)).astype(np.float32)
            packed = ggml.quantise(values.reshape(-1, columns), self._type).reshape(EXPERTS, rows, -1)
            self.writer.add_tensor(f"blk.{layer}.ffn_{role}_exps.weight", packed, raw_dtype=self._type)
            if biased:
                self.add(f"blk.{layer}.ffn_{role}_exps.bias", EXPERTS, rows, scale=0.3)

    def mixture(self, layer: int, *, fused: bool = False, biased: bool = False) -> None:
        """Router and experts."""
        width, inner = self.width, self.inner
        self.add(f"blk.{layer}.ffn_gate_inp.weight", EXPERTS, width, scale=2 / np.sqrt(width))
        gates = {"gate_up": (2 * inner, width)} if fused else {"gate": (inner, width), "up": (inner, width)}
        self.experts(layer, {**gates, "down": (width, inner)}, biased=biased)

    def attention(self, layer: int, *, bias: bool = False, then: str = "ffn_norm") -> None:
        for part in ("q", "k", "v", "output"):
            self.add(f"blk.{layer}.attn_{part}.weight", self.width, self.width)
            if bias:
                self.add(f"blk.{layer}.attn_{part}.bias", self.width, scale=0.1)
        self.norm(f"blk.{layer}.attn_norm.weight", self.width)
        self.norm(f"blk.{layer}.{then}.weight", self.width)

    def finish(self, rope: int) -> None:
        self.writer.add_rope_dimension_count(rope)
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def _llama(draft: Draft) -> None:
    for i in range(LAYERS):
        draft.attention(i)
        draft.mixture(i)


def _qwen2moe(draft: Draft) -> None:
    draft.writer.add_expert_shared_feed_forward_length(draft.inner)
    for i in range(LAYERS):
        draft.attention(i)
        draft.mixture(i)
        _shared(draft, i)
        draft.add(f"blk.{i}.ffn_gate_inp_shexp.weight", draft.width)


def _qwen3moe(draft: Draft) -> None:
    for i in range(LAYERS):
        draft.attention(i)
        draft.mixture(i)
        draft.norm(f"blk.{i}.attn_q_norm.weight", draft.head)
        draft.norm(f"blk.{i}.attn_k_norm.weight", draft.head)


def _olmoe(draft: Draft) -> None:
    for i in range(LAYERS):
        draft.attention(i)
        draft.mixture(i)
        draft.norm(f"blk.{i}.attn_q_norm.weight", draft.width)
        draft.norm(f"blk.{i}.attn_k_norm.weight", draft.width)


def _phimoe(draft: Draft) -> None:
    draft.add("output_norm.bias", draft.width, scale=0.1)
    draft.add("output.bias", len(TOKENS), scale=0.1)
    for i in range(LAYERS):
        draft.attention(i, bias=True)
        draft.mixture(i)
        draft.add(f"blk.{i}.attn_norm.bias", draft.width, scale=0.1)
        draft.add(f"blk.{i}.ffn_norm.bias", draft.width, scale=0.1)


def _deepseek2(draft: Draft, *, fused: bool = False) -> None:
    """Multi-head latent attention, a dense first layer, a shared expert, groups of experts, sigmoid gates with a shift."""
    writer, width, head, rank = draft.writer, draft.width, draft.head, 16
    rope = head // 2
    writer.add_leading_dense_block_count(1)
    writer.add_q_lora_rank(rank)
    writer.add_kv_lora_rank(rank)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_expert_shared_count(1)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_expert_weights_norm(True)
    writer.add_expert_weights_scale(2.5)
    writer.add_expert_group_count(4)
    writer.add_expert_group_used_count(2)
    for i in range(LAYERS):
        draft.norm(f"blk.{i}.attn_norm.weight", width)
        draft.norm(f"blk.{i}.ffn_norm.weight", width)
        draft.norm(f"blk.{i}.attn_q_a_norm.weight", rank)
        draft.norm(f"blk.{i}.attn_kv_a_norm.weight", rank)
        draft.add(f"blk.{i}.attn_q_a.weight", rank, width)
        draft.add(f"blk.{i}.attn_q_b.weight", HEADS * head, rank)
        draft.add(f"blk.{i}.attn_kv_a_mqa.weight", rank + rope, width)
        draft.add(f"blk.{i}.attn_kv_b.weight", HEADS * (head - rope + head), rank)
        draft.add(f"blk.{i}.attn_output.weight", width, HEADS * head)
        if i == 0:
            for part, shape in (
                ("gate", (draft.inner, width)),
                ("up", (draft.inner, width)),
                ("down", (width, draft.inner)),
            ):
                draft.add(f"blk.{i}.ffn_{part}.weight", *shape)
            continue
        draft.mixture(i, fused=fused)
        draft.add(f"blk.{i}.exp_probs_b.bias", EXPERTS, scale=0.2)
        _shared(draft, i)


def _gpt_oss(draft: Draft) -> None:
    draft.writer.add_sliding_window(16)
    draft.writer.add_key_length(draft.head)
    draft.writer.add_value_length(draft.head)
    for i in range(LAYERS):
        draft.attention(i, bias=True, then="post_attention_norm")
        draft.mixture(i, biased=True)
        draft.add(f"blk.{i}.ffn_gate_inp.bias", EXPERTS, scale=0.2)
        draft.add(f"blk.{i}.attn_sinks.weight", HEADS, scale=0.5)


def _shared(draft: Draft, layer: int) -> None:
    for part, shape in (
        ("gate", (draft.inner, draft.width)), ("up", (draft.inner, draft.width)), ("down", (draft.width, draft.inner)),
    ):  # fmt: skip
        draft.add(f"blk.{layer}.ffn_{part}_shexp.weight", *shape)


def _fused(draft: Draft) -> None:
    _deepseek2(draft, fused=True)


_KINDS: Mapping[str, tuple[str, Callable[[Draft], None]]] = {
    "llama": ("llama", _llama),
    "qwen2moe": ("qwen2moe", _qwen2moe),
    "qwen3moe": ("qwen3moe", _qwen3moe),
    "olmoe": ("olmoe", _olmoe),
    "phimoe": ("phimoe", _phimoe),
    "deepseek2": ("deepseek2", _deepseek2),
    "deepseek2-fused": ("deepseek2", _fused),
    "gpt-oss": ("gpt-oss", _gpt_oss),
}
KINDS = tuple(_KINDS)


def write_moe(
    path: Path, kind: str = "llama", *, width: int = 64, inner: int = 96, experts: Any = Type.Q8_0, seed: int = 0
) -> Path:
    """A mixture of 8 experts, of which 2 are used, in 3 layers, built as models of this kind are."""
    arch, fill = _KINDS[kind]
    draft = Draft(path, arch, width, inner, experts, seed)
    fill(draft)
    draft.finish(rope=draft.head // 2 if arch == "deepseek2" else draft.head)
    return path
