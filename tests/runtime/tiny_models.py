"""GGUF models of a few kilobytes with random weights, for tests that need an architecture and not its words."""

from pathlib import Path

import gguf
import numpy as np

BYTES = [f"<0x{i:02X}>".encode() for i in range(256)]
TOKENS = [b"<unk>", b"<s>", b"</s>", *BYTES]


def write_mamba(path: Path, seed: int = 0, layers: int = 2, width: int = 32) -> Path:
    """A recurrent model: its state can be continued, not cut back."""
    draw = np.random.default_rng(seed)
    inner, state, conv, rank = 2 * width, 16, 4, 4
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(layers)
    writer.add_ssm_conv_kernel(conv)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)
    _vocabulary(writer)

    def add(name: str, *shape: int, offset: float = 0.0) -> None:
        writer.add_tensor(name, (draw.normal(0, 0.3, shape) + offset).astype(np.float32))

    add("token_embd.weight", len(TOKENS), width)
    add("output_norm.weight", width, offset=1)
    add("output.weight", len(TOKENS), width)
    for i in range(layers):
        add(f"blk.{i}.attn_norm.weight", width, offset=1)
        add(f"blk.{i}.ssm_in.weight", 2 * inner, width)
        add(f"blk.{i}.ssm_conv1d.weight", inner, conv)
        add(f"blk.{i}.ssm_conv1d.bias", inner)
        add(f"blk.{i}.ssm_x.weight", rank + 2 * state, inner)
        add(f"blk.{i}.ssm_dt.weight", inner, rank)
        add(f"blk.{i}.ssm_dt.bias", inner)
        add(f"blk.{i}.ssm_a", inner, state, offset=-2)
        add(f"blk.{i}.ssm_d", inner)
        add(f"blk.{i}.ssm_out.weight", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * len(TOKENS))
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_token_types([*kinds, *[gguf.TokenType.BYTE] * len(BYTES)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
