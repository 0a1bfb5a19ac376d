"""Models that people run for agents, of 0.36 to 31 billion parameters: what each is, and where a GGUF of it lies.

The figures of a model are those of its published config.json, named in `source`. Parameters, keys and values, and sizes
are computed from them: a size is parameters times the bits that a type takes a weight, not the length of a file that was
looked at. It was compared with published lengths and lies within 2 % of them (tests/runtime/test_catalogue.py).
"""

from dataclasses import dataclass

_F16_BYTES = 2
BY_NEED = frozenset({"gpt-oss", "olmoe", "qwen3moe"})
"""Architectures whose experts Kithnet is tested to read by need (docs/offload.md), of those in the table."""


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits a weight takes: in experts, in other layers, in the matrix that gives the next token, in an embedding apart."""

    experts: float
    layers: float
    output: float
    embedding: float


BITS = {
    # Q4_K_M is Q4_K (4.5 bits) with half of the value and down matrices in Q6_K (6.5625), and the output in Q6_K.
    "Q4_K_M": Bits(4.85, 4.85, 6.5625, 4.5),
    "Q8_0": Bits(8.5, 8.5, 8.5, 8.5),
    # Only experts are in MXFP4 (32 values of 4 bits and one scale of 8).
    "MXFP4": Bits(4.25, 8.5, 8.5, 8.5),
}


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes: of all weights but experts, of all experts, and of both those that one token reads."""

    trunk: int
    experts: int
    trunk_read: int
    experts_read: int

    @property
    def total(self) -> int:
        return self.trunk + self.experts


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the table. `neurons` are those of a layer's feed-forward part, or of one expert. tied: the embedding
    gives the next token too. context: tokens it was trained for. file: an `hf:` name with {type} in it. types: the
    default first; none of the K types where the width is no multiple of 256, which they pack by."""

    name: str
    title: str
    architecture: str
    license: str
    context: int
    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    neurons: int
    tied: bool
    file: str
    source: str
    experts: int = 0
    top_k: int = 0
    types: tuple[str, ...] = ("Q4_K_M", "Q8_0")

    @property
    def parameters(self) -> int:
        """Weights of all matrices; norms and biases, less than a thousandth, are left out."""
        return self._embedding * (1 if self.tied else 2) + self._layers + self._all_experts

    @property
    def active(self) -> int:
        """Weights that one token uses, with the embedding and the output, as models are commonly described."""
        return self.parameters - self._all_experts + self._chosen

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of one token at 16 bits, in every layer."""
        return 2 * self.layers * self.kv_heads * self.head_size * _F16_BYTES

    @property
    def by_need(self) -> bool:
        return self.experts > 0 and self.architecture in BY_NEED

    def reference(self, kind: str = "") -> str:
        """The `hf:` name of the file of a type, of the default where none is given."""
        return self.file.format(type=kind or self.types[0])

    def size(self, kind: str) -> Size:
        """What it takes in a type: computed, see above."""
        bits = BITS[kind]
        read = self._layers * bits.layers + self._embedding * bits.output
        apart = 0.0 if self.tied else self._embedding * bits.embedding  # of it a token reads one row
        experts, chosen = self._all_experts * bits.experts, self._chosen * bits.experts
        return Size(round((read + apart) / 8), round(experts / 8), round(read / 8), round(chosen / 8))

    @property
    def _embedding(self) -> int:
        return self.vocabulary * self.width

    @property
    def _layers(self) -> int:
        attention = 2 * self.width * self.head_size * (self.heads + self.kv_heads)
        router, dense = self.width * self.experts, 3 * self.width * self.neurons
        feeds = router if self.experts else dense
        return self.layers * (attention + feeds)

    @property
    def _all_experts(self) -> int:
        return self.layers * self.experts * 3 * self.width * self.neurons

    @property
    def _chosen(self) -> int:
        return self.layers * self.top_k * 3 * self.width * self.neurons


def _config(repository: str) -> str:
    return f"https://huggingface.co/{repository}/blob/main/config.json"


def _qwen3(
    label: str, width: int, layers: int, heads: int, kv_heads: int, neurons: int, tied: bool, experts: int = 0
) -> Listed:
    """The models of April 2025; 32,768 tokens without stretching, as their cards say."""
    return Listed(
        f"qwen3-{label.lower()}", f"Qwen3 {label}", "qwen3moe" if experts else "qwen3", "apache-2.0",
        32_768, 151_936, width, layers, heads, kv_heads, 128, neurons, tied,
        f"hf:unsloth/Qwen3-{label}-GGUF/Qwen3-{label}-{{type}}.gguf", _config(f"Qwen/Qwen3-{label}"),
        experts, 8 if experts else 0,
    )  # fmt: skip


CATALOGUE = (
    Listed(
        "smollm2-360m", "SmolLM2 360M Instruct", "llama", "apache-2.0",
        8192, 49_152, 960, 32, 15, 5, 64, 2560, True,
        "hf:bartowski/SmolLM2-360M-Instruct-GGUF/SmolLM2-360M-Instruct-{type}.gguf",
        _config("HuggingFaceTB/SmolLM2-360M-Instruct"), types=("Q8_0",),
    ),
    Listed(
        "smollm2-1.7b", "SmolLM2 1.7B Instruct", "llama", "apache-2.0",
        8192, 49_152, 2048, 24, 32, 32, 64, 8192, True,
        "hf:bartowski/SmolLM2-1.7B-Instruct-GGUF/SmolLM2-1.7B-Instruct-{type}.gguf",
        _config("HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    ),
    _qwen3("0.6B", 1024, 28, 16, 8, 3072, True),
    _qwen3("1.7B", 2048, 28, 16, 8, 6144, True),
    _qwen3("4B", 2560, 36, 32, 8, 9728, True),
    _qwen3("8B", 4096, 36, 32, 8, 12_288, False),
    _qwen3("14B", 5120, 40, 40, 8, 17_408, False),
    _qwen3("30B-A3B", 2048, 48, 32, 4, 768, False, 128),
    Listed(
        "llama-3.2-1b", "Llama 3.2 1B Instruct", "llama", "llama3.2",
        131_072, 128_256, 2048, 16, 32, 8, 64, 8192, True,
        "hf:bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-{type}.gguf",
        _config("meta-llama/Llama-3.2-1B-Instruct"),
    ),
    Listed(
        "llama-3.2-3b", "Llama 3.2 3B Instruct", "llama", "llama3.2",
        131_072, 128_256, 3072, 28, 24, 8, 128, 8192, True,
        "hf:bartowski/Llama-3.2-3B-Instruct-GGUF/Llama-3.2-3B-Instruct-{type}.gguf",
        _config("meta-llama/Llama-3.2-3B-Instruct"),
    ),
    Listed(
        "gemma-3-1b", "Gemma 3 1B it", "gemma3", "gemma",
        32_768, 262_144, 1152, 26, 4, 1, 256, 6912, True,
        "hf:unsloth/gemma-3-1b-it-GGUF/gemma-3-1b-it-{type}.gguf", _config("google/gemma-3-1b-it"),
        types=("Q8_0",),
    ),
    Listed(
        "gemma-3-4b", "Gemma 3 4B it (text)", "gemma3", "gemma",
        131_072, 262_144, 2560, 34, 8, 4, 256, 10_240, True,
        "hf:unsloth/gemma-3-4b-it-GGUF/gemma-3-4b-it-{type}.gguf", _config("google/gemma-3-4b-it"),
    ),
    Listed(
        "phi-4-mini", "Phi-4 mini Instruct", "phi3", "mit",
        131_072, 200_064, 3072, 32, 24, 8, 128, 8192, True,
        "hf:unsloth/Phi-4-mini-instruct-GGUF/Phi-4-mini-instruct-{type}.gguf",
        _config("microsoft/Phi-4-mini-instruct"), types=("Q4_K_M",),
    ),
    Listed(
        "mistral-7b", "Mistral 7B Instruct v0.3", "llama", "apache-2.0",
        32_768, 32_768, 4096, 32, 32, 8, 128, 14_336, False,
        "hf:bartowski/Mistral-7B-Instruct-v0.3-GGUF/Mistral-7B-Instruct-v0.3-{type}.gguf",
        _config("mistralai/Mistral-7B-Instruct-v0.3"),
    ),
    Listed(
        "granite-3.1-1b-a400m", "Granite 3.1 1B A400M Instruct", "granitemoe", "apache-2.0",
        131_072, 49_155, 1024, 24, 16, 8, 64, 512, True,
        "hf:bartowski/granite-3.1-1b-a400m-instruct-GGUF/granite-3.1-1b-a400m-instruct-{type}.gguf",
        _config("ibm-granite/granite-3.1-1b-a400m-instruct"), 32, 8,
    ),
    Listed(
        "granite-3.1-3b-a800m", "Granite 3.1 3B A800M Instruct", "granitemoe", "apache-2.0",
        131_072, 49_155, 1536, 32, 24, 8, 64, 512, True,
        "hf:bartowski/granite-3.1-3b-a800m-instruct-GGUF/granite-3.1-3b-a800m-instruct-{type}.gguf",
        _config("ibm-granite/granite-3.1-3b-a800m-instruct"), 40, 8,
    ),
    Listed(
        "olmoe-1b-7b", "OLMoE 1B-7B 0924 Instruct", "olmoe", "apache-2.0",
        4096, 50_304, 2048, 16, 16, 16, 128, 1024, False,
        "hf:allenai/OLMoE-1B-7B-0924-Instruct-GGUF/olmoe-1b-7b-0924-instruct-q4_k_m.gguf",
        _config("allenai/OLMoE-1B-7B-0924-Instruct"), 64, 8, ("Q4_K_M",),
    ),
    Listed(
        "gpt-oss-20b", "gpt-oss 20B", "gpt-oss", "apache-2.0",
        131_072, 201_088, 2880, 24, 64, 8, 64, 2880, False,
        "hf:bartowski/openai_gpt-oss-20b-GGUF/openai_gpt-oss-20b-{type}.gguf",
        _config("openai/gpt-oss-20b"), 32, 4, ("MXFP4",),
    ),
)  # fmt: skip


def find(name: str) -> Listed | None:
    """A model of the table by its short name."""
    return next((one for one in CATALOGUE if one.name == name), None)
