"""Amounts as people write them: "ninety", "a hundred and twenty", "2½", "2 1/2", "two and a half", "three-quarters"."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

from kithnet.memory.language.time.clock import Token

UNITS = {
    word: number
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen""".split()
    )
}
TENS = {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
} | {"fourty": 40}
_GLYPHS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}
_PARTS = {"half": 0.5, "halves": 0.5, "quarter": 0.25, "quarters": 0.25, "third": 1 / 3, "thirds": 1 / 3}
_JOINTS = ("and", "&", "n", "+")
_DECIMAL = re.compile(r"\d+\.\d+|\d+,\d{1,2}")

Amount = tuple[float, int]
"""How much, and the place after it."""


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of a sentence in lower case, "" before the first and after the last."""

    words: Sequence[Token]
    low: tuple[str, ...]

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return self.low[place]
        return self.low[place] if 0 <= place < len(self.low) else ""

    def glued(self, place: int) -> bool:
        """Whether nothing stands between the token at `place` and the next."""
        return 0 <= place < len(self.words) - 1 and self.words[place].last == self.words[place + 1].first

    def longest(self, place: int, phrases: Iterable[tuple[str, ...]]) -> int:
        """How many tokens the longest of some phrases takes at `place`; 0 for none."""
        return max((len(one) for one in phrases if self.low[place : place + len(one)] == one), default=0)


def row(words: Sequence[Token]) -> Row:
    """The tokens of a sentence, to be read."""
    return Row(words, tuple(word.low for word in words))


def phrases(text: str) -> frozenset[tuple[str, ...]]:
    """Phrases parted by "/" as tuples of words."""
    return frozenset(tuple(one.split()) for one in text.split("/"))


def whole(row: Row, place: int) -> tuple[int, int] | None:
    """A number up to 999 in words or digits, and the place after it."""
    word = row[place]
    if word.isdecimal() and len(word) <= 3:
        return int(word), place + 1
    if word in ("a", "one") and row[place + 1] == "hundred":
        return _beyond(row, place + 2, 100)
    if word in UNITS:
        hundred = row[place + 1] == "hundred" and 0 < UNITS[word] < 10
        return _beyond(row, place + 2, 100 * UNITS[word]) if hundred else (UNITS[word], place + 1)
    if word in TENS:
        step = place + 1 + (row[place + 1] == "-")
        ones = UNITS.get(row[step], 0)
        return (TENS[word] + ones, step + 1) if 1 <= ones <= 9 else (TENS[word], place + 1)
    return None


def _beyond(row: Row, place: int, hundreds: int) -> tuple[int, int]:
    """What follows a hundred: "and twenty"."""
    rest = whole(row, place + (row[place] == "and"))
    if rest is None or rest[0] >= 100 or row[rest[1] - 1].isdecimal():
        return hundreds, place
    return hundreds + rest[0], rest[1]


def fraction(row: Row, place: int) -> Amount | None:
    """A part of one: "half", "a quarter", "one half", "three-quarters", "1/2", "¾"."""
    word = row[place]
    if word in _GLYPHS:
        return _GLYPHS[word], place + 1
    if word.isdecimal() and row[place + 1] == "/" and row[place + 2] in ("2", "3", "4") and row.glued(place):
        return (int(word) / int(row[place + 2]), place + 3) if 0 < int(word) < int(row[place + 2]) else None
    count = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}.get(word, 0)
    step = place + bool(count)
    step += bool(count) and row[step] == "-"
    part = _PARTS.get(row[step], 0.0)
    return (max(count, 1) * part, step + 1) if part and max(count, 1) * part < 1 else None


def amount(row: Row, place: int) -> Amount | None:
    """A number with what stands after its point or beside it: "1.5", "two point five", "2½", "two-and-a-half"."""
    word = row[place]
    if _DECIMAL.fullmatch(word):
        return float(word.replace(",", ".")), place + 1
    if word == "." and row[place + 1].isdecimal() and row.glued(place) and not row.glued(place - 1):
        return float(f"0.{row[place + 1]}"), place + 2
    if (part := fraction(row, place)) is not None and (word.isdecimal() or word in _GLYPHS):
        return part
    number = whole(row, place)
    if number is None:
        return None
    count, last = number
    if row[last] == "point" and row[last + 1] in UNITS:
        return count + UNITS[row[last + 1]] / 10, last + 2
    more = parts_after(row, last) if count else None
    return (count + more[0], more[1]) if more else (float(count), last)


def parts_after(row: Row, place: int) -> Amount | None:
    """The part that follows a whole: "and a half", "-and-three-quarters", "½", " 1/2"."""
    step = place + (row[place] == "-")
    if row[step] in _JOINTS:
        step += 1
        step += row[step] == "-"
        return fraction(row, step)
    if row[step] in _GLYPHS or (row[step].isdecimal() and row[step + 1] == "/"):
        return fraction(row, step)
    return None
