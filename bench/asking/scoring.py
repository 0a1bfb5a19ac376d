"""Whether an answer is right, by rules alone; intervals of shares and the exact test of pairs.

An answer is right when it holds .7 of the words of an accepted answer, as a bag: lower case, without punctuation and
articles, number words as digits, "7th" as 7, 2023-05-07 as the words 7 may 2023. An answer longer than `LONGEST` words
answers by listing what it read, and is wrong.

`telling` is the same over what an accepted answer adds to its question: content words, stemmed, that the question does not hold. A
bag of all words calls "fireman" wrong for "Vince is a fireman". It was added after the first run of a model was seen, so `right`
stays the figure that bars are set on.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date
from math import comb, sqrt

from kithnet.agents.wording import FUNCTION_WORDS
from kithnet.memory.language.text import stem

SHARE = 0.7
LONGEST = 60
Z = 1.96
_ARTICLES = frozenset({"a", "an", "the"})
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_DIGITS = {word: str(number) for number, word in enumerate(_ONES)}
_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")


def tokens(text: str) -> list[str]:
    """The words of a text as they are compared. `tokens("On the 7th of May")` is `["on", "7", "of", "may"]`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign)).replace("'", "").replace("’", "")
    plain = _ORDINAL.sub(r"\1", _DAY.sub(_spelled, plain))
    return [_DIGITS.get(word, word) for word in re.findall(r"\w+", plain) if word not in _ARTICLES]


def _spelled(day: re.Match[str]) -> str:
    try:
        return f"{date(int(day[1]), int(day[2]), int(day[3])):%-d %B %Y}".casefold()
    except ValueError:
        return day[0]


def right(answer: str, golds: Sequence[str]) -> bool:
    """Whether `answer` holds enough of the words of one of the accepted answers."""
    said = Counter(tokens(answer))
    if sum(said.values()) > LONGEST:
        return False
    return any(sum((said & Counter(gold)).values()) >= SHARE * len(gold) for gold in map(tokens, golds) if gold)


def telling(answer: str, golds: Sequence[str], question: str) -> bool:
    """Whether `answer` holds enough of what one of the accepted answers adds to the question; see the module."""
    said, asked = set(map(stem, tokens(answer))), set(map(stem, tokens(question)))
    if len(tokens(answer)) > LONGEST:
        return False
    for gold in golds:
        adds = {stem(word) for word in tokens(gold) if word not in FUNCTION_WORDS} - asked
        if adds and len(adds & said) >= SHARE * len(adds):
            return True
    return right(answer, golds)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) of nothing."""
    if not n:
        return 0.0, 1.0
    share, square = hits / n, Z * Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = Z / (1 + square / n) * sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def sign_test(better: int, worse: int) -> float:
    """The exact two-sided p of pairs that differ (McNemar): the chance of so uneven a split of `better + worse` coins."""
    n, fewer = better + worse, min(better, worse)
    return min(1.0, float(2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n))
