"""Tokens of words by llama.cpp's own tokeniser: training sees what the product sees."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.packing import Packer


def packers(encoder: Path) -> Callable[[Mapping[str, str]], Packer]:
    """A packer for each choice of names. encoder: a GGUF with the tokens, such as the embedder's."""
    model = LlamaModel.load(encoder)
    begin, *_, end = model.tokenise("a", begin=True, special=False)
    known: dict[str, Sequence[int]] = {}

    def pieces(word: str) -> Sequence[int]:
        if word not in known:
            known[word] = model.tokenise(word, begin=True, special=False)[1:-1]
        return known[word]

    def of(names: Mapping[str, str]) -> Packer:
        return Packer(lambda word: pieces(names.get(word.casefold(), word)), begin, end)

    return of
