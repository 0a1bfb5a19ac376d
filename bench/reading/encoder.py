"""The reader's encoder in PyTorch: MiniLM (BERT, token type 0 only) with low-rank adapters (LoRA, Hu et al. 2021), and heads.

Only training needs it; llama.cpp runs what comes of it (`kithnet.runtime.reader`).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kithnet.runtime.convert.safetensors import SafeTensors

HEADS, EPSILON, SCALE = 12, 1e-12, 2.0
"""Attention heads; the norms' epsilon (both MiniLM's); what the adapters' product is multiplied with."""
DROPPED = 0.1
"""Of what the adapters see while they are trained."""
ROUND = 32
"""Rows are padded to multiples of it: few shapes, so that memory is used again."""
PARTS = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "intermediate.dense", "output.dense",
)  # fmt: skip


class Adapted(nn.Module):
    """A fixed linear layer and its low-rank change: x W' + b + SCALE x A' B'. a: (rank, in), b: (out, rank)."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, rank: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.bfloat16))
        self.register_buffer("bias", torch.tensor(bias, dtype=torch.bfloat16))
        self.a = nn.Parameter(torch.randn(rank, weight.shape[1]) / math.sqrt(weight.shape[1]))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, x: Tensor) -> Tensor:
        low = F.linear(F.linear(F.dropout(x, DROPPED, self.training), self.a.to(x.dtype)), self.b.to(x.dtype))
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype)) + SCALE * low


class Layer(nn.Module):
    """One layer of BERT, norms after each half."""

    def __init__(self, tensors: Mapping[str, np.ndarray], number: int, rank: int) -> None:
        super().__init__()
        at = f"encoder.layer.{number}."
        self.parts = nn.ModuleList(
            Adapted(tensors[f"{at}{part}.weight"], tensors[f"{at}{part}.bias"], rank) for part in PARTS
        )
        for place in ("attention.output", "output"):
            for what in ("weight", "bias"):
                value = torch.tensor(np.asarray(tensors[f"{at}{place}.LayerNorm.{what}"], np.float32))
                self.register_buffer(f"{place.replace('.', '_')}_{what}", value)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value, out, wide, narrow = self.parts
        size = (*x.shape[:2], HEADS, x.shape[2] // HEADS)
        q, k, v = (part(x).view(size).transpose(1, 2) for part in (query, key, value))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(x.shape)
        x = self._norm(x + out(seen), self.attention_output_weight, self.attention_output_bias)
        return self._norm(x + narrow(F.gelu(wide(x))), self.output_weight, self.output_bias)

    @staticmethod
    def _norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.layer_norm(x.float(), x.shape[-1:], weight, bias, EPSILON).to(x.dtype)


class Encoder(nn.Module):
    """Rows of tokens to a vector for each token."""

    def __init__(self, weights: Path, rank: int) -> None:
        super().__init__()
        tensors = SafeTensors(weights)
        table = {
            "words": "embeddings.word_embeddings.weight",
            "places": "embeddings.position_embeddings.weight",
            "kind": "embeddings.token_type_embeddings.weight",
            "norm_weight": "embeddings.LayerNorm.weight",
            "norm_bias": "embeddings.LayerNorm.bias",
        }
        for name, of in table.items():
            self.register_buffer(name, torch.tensor(np.asarray(tensors[of], np.float32)))
        count = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))
        self.layers = nn.ModuleList(Layer(tensors, number, rank) for number in range(count))
        self.dim = self.words.shape[1]

    def forward(self, tokens: Tensor, seen: Tensor, dtype: torch.dtype) -> Tensor:
        """tokens: (rows, length) ids; seen: (rows, length), False for padding. (rows, length, dim)."""
        x = self.words[tokens] + self.places[: tokens.shape[1]] + self.kind[0]
        x = F.layer_norm(x, x.shape[-1:], self.norm_weight, self.norm_bias, EPSILON).to(dtype)
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, -1e4)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x.float()


class Network(nn.Module):
    """The encoder and its heads. sizes: head -> outputs of it; all but "span" read the first token only."""

    def __init__(self, weights: Path, rank: int, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.encoder = Encoder(weights, rank)
        self.heads = nn.ModuleDict({name: nn.Linear(self.encoder.dim, size) for name, size in sizes.items()})

    def forward(self, rows: Sequence[Sequence[int]], *, exact: bool = False) -> tuple[Tensor, Tensor]:
        """(vectors (rows, length, dim), which tokens are no padding). exact: in float32, as for figures of parity."""
        length = -(-max(map(len, rows)) // ROUND) * ROUND
        tokens = torch.zeros((len(rows), length), dtype=torch.long)
        seen = torch.zeros((len(rows), length), dtype=torch.bool)
        for number, row in enumerate(rows):
            tokens[number, : len(row)] = torch.tensor(row)
            seen[number, : len(row)] = True
        return self.encoder(tokens, seen, torch.float32 if exact else torch.bfloat16), seen

    def arrays(self) -> dict[str, np.ndarray]:
        """What is shipped, in float16: for each adapted part its a and b, for each head weight and bias."""
        found = {}
        for number, layer in enumerate(self.encoder.layers):
            for name, part in zip(PARTS, layer.parts, strict=True):
                found[f"adapter.{number}.{name}.a"] = part.a.detach().numpy().astype(np.float16)
                found[f"adapter.{number}.{name}.b"] = (SCALE * part.b.detach()).numpy().astype(np.float16)
        for name, head in self.heads.items():
            found[f"head.{name}.weight"] = head.weight.detach().numpy().astype(np.float32)
            found[f"head.{name}.bias"] = head.bias.detach().numpy().astype(np.float32)
        return found

    @torch.no_grad()
    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Begin with weights as `arrays` gives them; heads that they lack stay as they are."""
        for number, layer in enumerate(self.encoder.layers):
            for name, part in zip(PARTS, layer.parts, strict=True):
                part.a.copy_(torch.tensor(arrays[f"adapter.{number}.{name}.a"], dtype=torch.float32))
                part.b.copy_(torch.tensor(arrays[f"adapter.{number}.{name}.b"], dtype=torch.float32) / SCALE)
        for name, head in self.heads.items():
            if f"head.{name}.weight" in arrays:
                head.weight.copy_(torch.tensor(arrays[f"head.{name}.weight"]))
                head.bias.copy_(torch.tensor(arrays[f"head.{name}.bias"]))
