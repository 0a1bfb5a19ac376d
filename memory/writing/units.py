"""A message cut into what a tagger labels: words, times of day, lengths of time, people.

Which time it is and who somebody is say nothing about the part they play, so an encoder is shown the same word for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kithnet.memory.language.time import expressions, lexicon
from kithnet.memory.language.time.clock import Clock, Token
from kithnet.memory.writing import whose
from kithnet.memory.writing.extract import Cast

Kind = Literal["word", "clock", "length", "person", "pronoun"]
CLOCK, LENGTH, PERSON = "noon", "hours", "Sam"
"""What an encoder is shown for a time of day, a length of time, and somebody named."""
_PRONOUNS = frozenset("i me my mine we us our ours you your yours he him his she her hers they them their".split())
_LABELS = frozenset("$ € £ # page pages chapter no number platform room gate bus line route flight level floor".split())
"""Words before a bare number that is no time."""


@dataclass(frozen=True, slots=True)
class Unit:
    """first, last: its tokens, `last` exclusive. text: what an encoder is shown.

    clock: of a time of day. minutes: of a length. person: the id of somebody named.
    """

    kind: Kind
    first: int
    last: int
    text: str
    clock: Clock | None = None
    minutes: int = 0
    person: str = ""


def units_of(words: Sequence[Token], cast: Cast | None, to_24: bool = False) -> list[Unit]:
    """The units of a message in their order; they cover all its tokens. cast: None where nobody is known."""
    timed = {one.first: one for one in expressions.expressions(words, to_24)}
    named = {place: (width, person) for place, width, person in whose.people_in(words, cast)} if cast else {}
    found: list[Unit] = []
    at = 0
    while at < len(words):
        one = timed.get(at)
        if at in named:
            found.append(Unit("person", at, at + named[at][0], PERSON, person=named[at][1]))
        elif one is not None and one.clock is not None and not (one.bare and _counts(words, at, one.last)):
            found.append(Unit("clock", at, one.last, CLOCK, one.clock))
        elif one is not None and one.kind == "length":
            found.append(Unit("length", at, one.last, LENGTH, minutes=one.minutes))
        else:
            found.append(Unit(_kind(words[at].low), at, at + 1, words[at].text))
        at = found[-1].last
    return found


def _kind(word: str) -> Kind:
    return "pronoun" if word.partition("'")[0] in _PRONOUNS else "word"


def _counts(words: Sequence[Token], first: int, last: int) -> bool:
    """Whether a bare number counts or numbers things: "nine people", "bus 9", "$ 5"."""
    after = words[last].low if last < len(words) else ""
    before = words[first - 1].low if first else ""
    return after in lexicon.THINGS or after in ("%", "€", "£", "$") or before in _LABELS
