"""How the reader sees talk: a question and lines as one row of tokens, and where each word of a line lies in it.

Training (`bench/reading/train.py`) and llama.cpp pack with the same code, so that both see the same tokens.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Line = tuple[str, str]
"""(who says it, what is said); "" for nobody."""

LONGEST = 224
"""Tokens of a row; the encoder was trained on no more than 256."""
QUESTION = 64
"""Tokens of a question; the rest of a longer one is cut off."""
BEFORE = 32
"""Tokens of the line before a message, its last ones: what a message answers stands at the end."""
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a packed line. start, end: characters of the line's text. first, last: its tokens in the row.

    line: which one of the lines; start is -1 for a word of the speaker's name, which stands before the text.
    """

    line: int
    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Row:
    """tokens: ids, with the marks at both ends and between the parts. words: those of the lines, in their order."""

    tokens: list[int]
    words: list[Word]


class Packer:
    """Packs with a model's own tokens. pieces: the token ids of one word. begin, end: the marks of a row's ends."""

    def __init__(self, pieces: Callable[[str], Sequence[int]], begin: int, end: int) -> None:
        self._pieces, self._begin, self._end = pieces, begin, end

    def window(self, question: str, lines: Sequence[Line]) -> Row:
        """A question and a few lines of talk. What does not fit is cut off at the end."""
        return self._row(self._plain(question)[:QUESTION], lines)

    def message(self, before: Line, line: Line) -> Row:
        """A message and the line before it, ("", "") for none."""
        return self._row(self._said(before)[-BEFORE:], [line])

    def relation(self, old: Line, new: Line) -> Row:
        """A message and an older one."""
        return self._row(self._said(old)[: LONGEST // 2], [new])

    def _row(self, head: list[int], lines: Sequence[Line]) -> Row:
        tokens = [self._begin, *head, self._end]
        words: list[Word] = []
        for number, (by, text) in enumerate(lines):
            named = [*((-1, -1, match[0]) for match in _WORD.finditer(by)), (-2, -2, ":")] if by else []
            said = [(match.start(), match.end(), match[0]) for match in _WORD.finditer(text)]
            for start, end, word in (*named, *said):
                pieces = self._pieces(word)
                if not pieces or len(tokens) + len(pieces) >= LONGEST:
                    continue
                if start != -2:  # the colon is part of nothing
                    words.append(Word(number, start, end, len(tokens), len(tokens) + len(pieces) - 1))
                tokens += pieces
        return Row([*tokens, self._end], words)

    def _said(self, line: Line) -> list[int]:
        by, text = line
        return self._plain(f"{by}: {text}" if by else text)

    def _plain(self, text: str) -> list[int]:
        return [token for match in _WORD.finditer(text) for token in self._pieces(match[0])]


SHORT = 12
"""Words of a line that may say nothing without the one before it."""
SEEN = 20
"""Words of the line before it that are seen with it, its last ones."""


def with_before(before: Line | None, line: Line) -> list[Line]:
    """A line as it is ranked: with the end of the one before it, where it is short."""
    if before is None or len(line[1].split()) > SHORT:
        return [line]
    return [(before[0], " ".join(before[1].split()[-SEEN:])), line]
