"""Prompts from a seed: of a given length in tokens, and some that a model continues without end."""

import random

from kithnet.runtime.llama import LlamaModel

_WORDS = (
    "the river runs past old houses where people wait for news about a letter that never came and every morning "
    "someone walks down to look at boats while children play near bridge stones under trees with green leaves then "
    "they talk of winter bread music family work long roads small gardens open windows summer rain and their friends"
).split()


def prose(draw: random.Random, model: LlamaModel, tokens: int) -> str:
    """Words without sense, `tokens` tokens as the model counts them at the start of a text."""
    words = [draw.choice(_WORDS) for _ in range(tokens)]
    while len(model.tokenise(" ".join(words), begin=True, special=False)) > tokens:
        words.pop()
    return " ".join(words)


def counting(draw: random.Random) -> str:
    """The beginning of a list of numbers; any model goes on with it for hundreds of tokens."""
    start, step = draw.randrange(100, 900), draw.choice((1, 2, 3, 5))
    return f"{start}, {start + step}, {start + 2 * step}, {start + 3 * step},"


def endless(model: LlamaModel) -> tuple[tuple[int, float], ...]:
    """A bias that forbids every token which would end a reply."""
    return tuple((token, -100.0) for token in range(model.vocab_size) if model.is_end(token))
