"""Small LoRA adapters for the default chat model, random from a seed."""

from collections.abc import Iterable
from pathlib import Path

import gguf
import numpy as np

WIDTH = 576  # of SmolLM2-135M's hidden states


def write_adapter(
    path: Path,
    *,
    seed: int = 1,
    rank: int = 4,
    strength: float = 0.05,
    layers: Iterable[int] = (0, 10, 29),
    width: int = WIDTH,
    architecture: str = "llama",
    kind: str = "adapter",
    invocation: tuple[int, ...] = (),
) -> Path:
    """An adapter of the query projections of some layers; `strength` is the standard deviation of its entries."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(kind)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0 * rank)
    if invocation:
        kinds = gguf.GGUFValueType
        writer.add_key_value("adapter.alora.invocation_tokens", list(invocation), kinds.ARRAY, kinds.UINT32)
    for layer in layers:
        for part, shape in (("lora_a", (rank, width)), ("lora_b", (WIDTH, rank))):
            values = random.normal(0.0, strength, shape).astype(np.float32)
            writer.add_tensor(f"blk.{layer}.attn_q.weight.{part}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
