"""A dense llama of some hundred kilobytes with random float weights, whose text is bytes."""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from .tiny_models import BYTES, TOKENS

LAYERS, WIDTH, HEADS = 2, 64, 2


def write_dense(
    path: Path,
    *,
    neurons: int = 64,
    seed: int = 0,
    extra: Mapping[str, gguf.TokenType] | None = None,
    template: str = "",
) -> Path:
    """extra: tokens behind those of the bytes, with their types. template: of chats, in Jinja."""
    added = dict(extra or {})
    tokens = [*TOKENS, *(token.encode() for token in added)]
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(neurons)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_token_types([*kinds, *[gguf.TokenType.BYTE] * len(BYTES), *added.values()])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if template:
        writer.add_chat_template(template)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, draw.normal(0, 1.5 / np.sqrt(shape[-1]), shape).astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH)
    add("output.weight", len(tokens), WIDTH)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
        for name in ("q", "k", "v", "output"):
            add(f"blk.{layer}.attn_{name}.weight", WIDTH, WIDTH)
        for name, shape in (("gate", (neurons, WIDTH)), ("up", (neurons, WIDTH)), ("down", (WIDTH, neurons))):
            add(f"blk.{layer}.ffn_{name}.weight", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
