"""How a question is read before anything is looked for: whom it names, which dates, what kind of answer it wants.

Rules over the words of the question, no model. What they find only weighs what is found; it excludes nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kithnet.memory import lexical
from kithnet.memory.language.text import index_words, stem
from kithnet.memory.language.time.dates import MONTHS, named

MOST_CALLED = 3  # people whom one word may mean; a word that means more names nobody

_WORD = re.compile(r"[^\W_]+(?:['’]s\b)?")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_ASKS_WHEN = re.compile(r"\bwhen\b|\bhow long\b|\b(?:what|which) (?:date|day|week|month|year|time)\b", re.I)
_ASKS_NUMBER = re.compile(r"\bhow (?:many|much|often|old)\b", re.I)
_TELLS_WHEN = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|ago|last|next|since|recently|just|weekend|"
    r"this (?:week|month|year|morning|afternoon|evening)|(?:a|the|few|two|three) (?:days?|weeks?|months?|years?)|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:19|20)\d\d|\d{1,2} ?[ap]m|at noon|" + "|".join(MONTHS) + r")\b",
    re.I,
)
_TELLS_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|couple|once|twice|hundred|thousand)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month or a year that a question speaks of. year, day: None where it says none; month: 0 for none."""

    year: int | None
    month: int
    day: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as recall reads it.

    terms: what to look for, names too: where many people talk, a name says most. people: keys of those it names;
    called: the terms that name them. dates: in their order.
    """

    text: str
    terms: tuple[lexical.Term, ...]
    called: tuple[lexical.Term, ...]
    people: frozenset[int]
    dates: tuple[Date, ...]

    @property
    def wants_time(self) -> bool:
        return wants_time(self.text)

    @property
    def wants_number(self) -> bool:
        return bool(_ASKS_NUMBER.search(self.text))


def wants_time(question: str) -> bool:
    """Whether a question asks when something is."""
    return bool(_ASKS_WHEN.search(question))


def read(text: str, names: Mapping[int, Collection[str]], people: Collection[int] | None = None) -> Asked:
    """Read a question. names: key of a person -> stems of the names. people: whom it names, None to find out."""
    text = text[: lexical.MAX_QUERY_CHARACTERS]
    terms = lexical.terms(text)
    if people is None:
        by_term = {term: _called(term, text, names) for term in terms}
        people = {key for keys in by_term.values() for key in keys}
    stems = {stem for key in people for stem in names.get(key, ())}
    called = tuple(term for term in terms if term.stem in stems)
    return Asked(text, tuple(terms), called, frozenset(people), tuple(dates(text)))


def _called(term: lexical.Term, text: str, names: Mapping[int, Collection[str]]) -> list[int]:
    """Whom a term means. In a question that has capitals a name has one: "hope" and "Hope" are two words."""
    keys = [key for key, stems in names.items() if term.stem in stems]
    has_capitals = text[1:] != text[1:].lower()
    if len(keys) > MOST_CALLED or (has_capitals and re.search(rf"\b{re.escape(term.word)}\b", text)):
        return []
    return keys


def as_said(asked: Asked, names: Mapping[int, Collection[str]]) -> str:
    """The question as the person whom it names would say it: "When did Ann move to Oslo?" -> "When did I move to Oslo?"

    An embedder takes a name for the topic, and then finds whatever else was said to or about that person; people
    speak of themselves as "I".
    """
    stems = {stem for key in asked.people for stem in names.get(key, ())}
    if not stems:
        return asked.text

    def first_person(match: re.Match[str]) -> str:
        word = match.group()
        bare = re.sub(r"['’]s$", "", word)
        if not any(stem(part) in stems for part in index_words(bare)):
            return word
        return "I" if bare == word else "my"

    return re.sub(r"\bI (?=I\b|my\b)", "", _WORD.sub(first_person, asked.text))


def dates(text: str) -> list[Date]:
    """The days, months and years that a text names in English words or as 2023-05-07."""
    found = [Date(one.year, one.month, one.day) for one in named(text) if one.month]
    return found or [Date(int(year), 0, None) for year in _YEAR.findall(text)]


def dated(at: npt.NDArray[np.int64], known: npt.NDArray[np.bool_], wanted: Sequence[Date]) -> npt.NDArray[np.float32]:
    """(N,) 1 where a time (seconds since the epoch) lies in a month or year that is wanted, less with each day off."""
    fit = np.zeros(len(at), dtype=np.float32)
    if not wanted:
        return fit
    moments = np.where(known, at, 0).astype("datetime64[s]")
    years = moments.astype("datetime64[Y]").astype(np.int64) + 1970
    months = moments.astype("datetime64[M]").astype(np.int64) % 12 + 1
    days = (moments.astype("datetime64[D]") - moments.astype("datetime64[M]")).astype(np.int64) + 1
    for date in wanted:
        same = known & ((years == date.year) if date.year else True) & ((months == date.month) if date.month else True)
        off = np.abs(days - date.day) / 31 if date.day else 0.0
        fit = np.maximum(fit, same * (1.0 - off)).astype(np.float32)
    return fit


def answers(asked: Asked, body: str) -> tuple[float, float, float]:
    """(tells a time that is asked for, tells a number that is asked for, is itself a question), each 0 or 1."""
    return (
        float(asked.wants_time and bool(_TELLS_WHEN.search(body[: lexical.MAX_QUERY_CHARACTERS]))),
        float(asked.wants_number and bool(_TELLS_NUMBER.search(body[: lexical.MAX_QUERY_CHARACTERS]))),
        float(body.rstrip().endswith(("?", "？"))),
    )
