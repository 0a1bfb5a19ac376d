"""The sides of a person's life that `attributes` tells apart, in examples: how each is asked for, and how people tell of it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

EXAMPLES = Path(__file__).parent / "sides.txt"


@dataclass(frozen=True, slots=True)
class Side:
    """asked: questions for it. told: statements, with any value in place of its own and with some of its own. named: whether
    what is told is a name or a number."""

    asked: tuple[str, ...]
    told: tuple[str, ...]
    named: bool


@lru_cache(maxsize=1)
def known() -> tuple[Side, ...]:
    """All sides, as the file of examples has them."""
    blocks = EXAMPLES.read_text(encoding="utf-8").strip().split("\n\n")
    return tuple(_side(_lines(block)) for block in blocks[1:])


@lru_cache(maxsize=1)
def ordinary() -> frozenset[str]:
    """Words that the examples have in lower case: a capital at the head of a sentence makes no name of them."""
    texts = [text for side in known() for text in (*side.asked, *side.told)] + [*PHATIC, *TALK]
    return frozenset(word for text in texts for word in re.findall(r"[^\W\d_]+", text) if word.islower())


def _side(lines: list[str]) -> Side:
    values = [value for line in lines if line.startswith("=") for value in line[1:].strip().split("; ")]
    asked = tuple(line for line in lines if line.endswith("?"))
    told = [line for line in lines if not line.startswith("=") and not line.endswith("?")]
    filled = [line.format(values[at % len(values)]) for at, line in enumerate(told)] if values else []
    replies = [f"{value[0].upper()}{value[1:]}." for value in values] + [f"It's {value}." for value in values]
    named = bool(values) and all(any(sign.isupper() or sign.isdigit() for sign in value) for value in values)
    return Side(asked, (*(line.format("this") for line in told), *filled, *replies), named)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


PHATIC = tuple(
    _lines("""
    Hi, how are you?
    Good morning!
    Nice to hear from you.
    Bye, take care.
    Thanks for telling me.
    Congratulations!
    Good for her.
    Say hello from me.
    I'm so happy for you.
    No way!
    Tell me more.
    What's up?
    Talk to you soon.
    Big hug.
    Sleep well.
    I did not see that coming.
    Who would have thought.
    Wow, lucky him.
    Not busy at all.
    I'm listening.
    See you.
    """)
)
TALK = tuple(
    _lines("""
    It is raining again.
    The bus was late.
    I slept badly.
    I'm tired.
    I lost at cards.
    The neighbours are noisy.
    I was waiting for the train.
    We talked half the night.
    I found it at the market.
    It was on the news.
    """)
)
