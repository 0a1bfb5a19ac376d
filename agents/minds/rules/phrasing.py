"""How a text is put, beside what it means: its words, pairs and triples of them, and what stands under a negation.

The embedding of a sentence hardly tells "nothing beats it" from "nothing is worse"; these features do.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import sqrt

import numpy as np

from kithnet.agents.minds.rules.examples import examples
from kithnet.memory.language.text import stem

LONGEST, SCOPE, APART = 3, 5, 3
"""Words of a run that is one feature; words that a negation reaches; how far apart two words are still a pair."""
WEIGHT, SPARSE = 1.5, 4
"""Length of a text's vector, where an embedding's is 1; a text of fewer known features counts as one of so many."""
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[?!]")
_NEGATION = frozenset("not no never nothing nobody neither nor without hardly none cannot".split())
_SPELT = {"can't": "can not", "won't": "will not", "shan't": "shall not", "cannot": "can not"}


def features(text: str) -> frozenset[str]:
    """The features of a text; "a_b" for a run, "a~b" for words near each other, "not~a" under a negation."""
    said = _spelt(text)
    stems = [stem(word) for word in said]
    found = {
        "_".join(stems[at : at + width]) for width in range(1, LONGEST + 1) for at in range(len(stems) - width + 1)
    }
    marked = [_feeling(word) or one for word, one in zip(said, stems, strict=True)]
    found |= {
        "_".join(marked[at : at + width]) for width in range(1, LONGEST + 1) for at in range(len(marked) - width + 1)
    }
    found |= {f"{one}~{other}" for at, one in enumerate(marked) for other in marked[at + 2 : at + 2 + SCOPE]
              if one in _MARKS or other in _MARKS}  # fmt: skip
    found |= {f"{one}~{other}" for at, one in enumerate(stems) for other in stems[at + 2 : at + 1 + APART]}
    denied = -SCOPE - 1
    for at, word in enumerate(said):
        if word in _NEGATION:
            denied = at
        elif at - denied <= SCOPE:
            found |= {f"not~{stems[at]}", f"not~{marked[at]}"}
    return frozenset(found)


_MARKS = ("+", "-")


@lru_cache(maxsize=4096)
def _feeling(word: str) -> str:
    """What a word tells by itself: "+" or "-", or nothing."""
    good, bad = (frozenset(map(stem, examples("feelings")[kind])) for kind in ("good", "bad"))
    return "+" if stem(word) in good else "-" if stem(word) in bad else ""


def _spelt(text: str) -> list[str]:
    """The words of a text, with "n't" as a word of its own."""
    said: list[str] = []
    for word in _TOKEN.findall(text.casefold().replace("’", "'")):
        said += _SPELT.get(word, f"{word[:-3]} not" if word.endswith("n't") else word).split()
    return said


class Phrasings:
    """Vectors of texts over the features that at least two of the examples share."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = Counter(feature for text in texts for feature in features(text))
        self._places = {one: place for place, one in enumerate(sorted(o for o, n in counts.items() if n > 1))}

    def vectors(self, texts: Iterable[str]) -> np.ndarray:
        """(N,) texts -> (N, features) float64."""
        known = [[self._places[one] for one in features(text) if one in self._places] for text in texts]
        rows = np.zeros((len(known), len(self._places)))
        for row, places in zip(rows, known, strict=True):
            row[places] = WEIGHT / sqrt(max(SPARSE, len(places)))
        return rows
