"""Precision of the KV cache: one ggml type for the keys of all sequences, one for the values."""

from dataclasses import dataclass

from kithnet.runtime.errors import ConfigError

_BLOCKS = {  # name: (ggml type, bytes of a block, values of a block)
    "f16": (1, 2, 1),
    "q8_0": (8, 34, 32),
    "q5_1": (7, 24, 32),
    "q5_0": (6, 22, 32),
    "q4_1": (3, 20, 32),
    "q4_0": (2, 18, 32),
}
NAMES = tuple(_BLOCKS)
"""From the most exact to the smallest."""


@dataclass(frozen=True, slots=True)
class KvTypes:
    """Types of keys and values. Values of less than 16 bits need flash attention, which the engine always asks for."""

    keys: str
    values: str

    def __post_init__(self) -> None:
        for name in (self.keys, self.values):
            if name not in _BLOCKS:
                raise ConfigError(f"there is no KV precision {name!r}", f"choose from {', '.join(NAMES)}")

    @classmethod
    def parse(cls, text: str) -> "KvTypes":
        """`q8_0` for both, or `q8_0/q4_0` for keys and values. Raises ConfigError."""
        keys, slash, values = text.partition("/")
        return cls(keys, values if slash else keys)

    def __str__(self) -> str:
        return self.keys if self.keys == self.values else f"{self.keys}/{self.values}"

    @property
    def codes(self) -> tuple[int, int]:
        """ggml's numbers of the two types."""
        return _BLOCKS[self.keys][0], _BLOCKS[self.values][0]

    def bytes_per_token(self, key_width: int, value_width: int) -> int:
        """Bytes that one token's keys and values take; widths: values of a token over all layers and KV heads."""
        sizes = []
        for name, width in ((self.keys, key_width), (self.values, value_width)):
            _, size, count = _BLOCKS[name]
            sizes.append(width * size // count)
        return sum(sizes)


DEFAULT = KvTypes("f16", "f16")
"""The most exact, and the fastest to read long prompts with on a CPU (docs/engine.md); `kith model kv` chooses others."""
