"""Groundedness: names, numbers, dates and quotations of a text must stand in the evidence it is told on.

What a text adds of those to its evidence was invented, whoever wrote it. Everything else it adds (a conclusion, a wording) is a
matter of `basis`. Names are told by capital letters, so a language without them is held to its numbers and quotations.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from kithnet.agents.wording import FUNCTION_WORDS
from kithnet.memory.language.text import sentences, stem, words
from kithnet.memory.language.time.clock import HALF, tokens
from kithnet.memory.language.time.clocktimes import clock_at
from kithnet.memory.language.time.dates import MONTHS, WEEKDAYS, named
from kithnet.memory.language.time.durations import length_at
from kithnet.memory.language.time.numbers import TENS, UNITS, row

_SPELT = {word: str(n) for word, n in (UNITS | TENS).items()}
_SPELT |= {
    f"{ten}{joint}{unit}": str(tens + n)
    for ten, tens in TENS.items()
    for unit, n in UNITS.items()
    if 0 < n < 10
    for joint in "- "
}
_CALENDAR = frozenset((*MONTHS, *WEEKDAYS, *(word[:3] for word in (*MONTHS, *WEEKDAYS))))
_CLOCK = re.compile(
    r"\b(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm|a\.m\.|p\.m\.)(?!\w)|\b(\d{1,2})[:h](\d{2})\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPELT_OUT = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, _SPELT), key=len, reverse=True))})\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]{2,})[\"”“»]")
_NAME = re.compile(r"(?<![^\W_])[^\W\d_][\w'’.-]*")


STEPS = 2
"""Lengths that a concluded time may be away from one that is told."""


@dataclass(frozen=True, slots=True)
class Ungrounded:
    """What a text holds that its evidence does not. what: "name", "number", "date" or "quotation"."""

    what: str
    text: str

    def __str__(self) -> str:
        return f'the {self.what} "{self.text}"'


def ungrounded(
    text: str,
    evidence: Iterable[str],
    *,
    names: Collection[str] = (),
    known: str = "",
    days: Iterable[date] = (),
    near: int = 0,
) -> list[Ungrounded]:
    """Names, numbers, dates and quotations of `text` that stand nowhere in `evidence`, in their order; each once.

    names: how people are called, which makes a word a name wherever it stands. known: what was asked, whose names may be
    repeated. days: of the evidence, which a date may name: a message is evidence of its own day. near: how many days off a date
    may be that is computed from one of them ("yesterday").
    """
    told = "\n".join(evidence)
    have = _Have(told, known, tuple(days), near)
    found = [Ungrounded("quotation", part) for part in quotations(text) if not have.quotation(part)]
    dated, rest = _without_dates(text)
    found += [Ungrounded("date", shown) for shown, day in dated if not have.date(day)]
    found += [Ungrounded("number", shown) for shown, number in numbers(rest) if not have.number(shown, number)]
    found += [Ungrounded("name", name) for name in names_in(text, names) if not have.name(name)]
    return list(dict.fromkeys(found))


class _Have:
    """What the evidence holds, in the forms that are compared."""

    def __init__(self, told: str, known: str, days: Sequence[date], near: int) -> None:
        dated, _ = _without_dates(told)
        self._plain, self._told, self._near = _plain(told), told, near
        computed = {day + timedelta(off) for day in days for off in range(-near, near + 1)}
        self._dates = {day for _, day in dated} | {(day.month, day.day) for day in computed}
        self.numbers = {number for _, number in numbers(told)}
        for day in days:
            self.numbers |= {str(day.year), str(day.day), str(day.month)}
            self.numbers |= {str(day.year + off) for off in (-1, 1) if near}
        said = set(words(f"{told} {known}"))
        self._stems = said | {stem(word) for word in said}
        if days:
            self._stems |= {stem(w) for day in days for w in (MONTHS[day.month - 1], WEEKDAYS[day.weekday()])}

    def quotation(self, part: str) -> bool:
        return _plain(part) in self._plain

    def date(self, day: tuple[int, int]) -> bool:
        return day in self._dates

    def number(self, shown: str, number: str) -> bool:
        """A number that is told, or a time of day that is: in other words ("half past seven"), or, where it may be concluded, as
        another time and a length that are told."""
        if number in self.numbers:
            return True
        clock = _CLOCK.fullmatch(shown)
        return clock is not None and _minute(clock) in self._minutes

    @cached_property
    def _minutes(self) -> frozenset[int]:
        """Times of day that are told, as minutes of a half day; with `near`, those that lengths lead to too."""
        read = row(tokens(self._told))
        places = range(len(read.words))
        ways = [clock_at(read, place, to_24=to_24) for place in places for to_24 in (False, True)]
        told = {found[0].minute % HALF for found in ways if found}
        lengths = {length[0] for place in places if (length := length_at(read, place))} if self._near else set()
        for _ in range(STEPS if lengths else 0):  # "half an hour after chess", which began at two and took an hour
            told |= {(at + sign * length) % HALF for at in told for length in lengths for sign in (-1, 1)}
        return frozenset(told)

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names as they are read in what is told: signs beside a letter may make another word of it for the index."""
        return frozenset(names_in(self._told))

    def name(self, name: str) -> bool:
        said = [word.removesuffix("'s") for word in words(name)]
        return name in self._names or all(word in self._stems or stem(word) in self._stems for word in said)


def quotations(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [match[1].strip() for match in _QUOTED.finditer(text)]


def numbers(text: str) -> list[tuple[str, str]]:
    """Numbers as they are shown, and as they are compared: 9 = nine = 9:00 = 9 am; 1,200 = 1200; 21 = twenty-one."""
    found: list[tuple[int, str, str]] = []
    clocks = list(_CLOCK.finditer(text))
    for match in clocks:
        for value in _clock_forms(match):
            found.append((match.start(), match[0].strip(), value))
    taken = [(match.start(), match.end()) for match in clocks]
    for match in _NUMBER.finditer(text):
        if not any(start <= match.start() < end for start, end in taken):
            plain = match[0].replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+", match[0]) else match[0]
            found.append((match.start(), match[0], _trimmed(plain)))
    found += [(m.start(), m[0], _SPELT[m[0].casefold()]) for m in _SPELT_OUT.finditer(text) if m[0].casefold() != "one"]
    return [(shown, value) for _, shown, value in sorted(found)]


def _clock_forms(match: re.Match[str]) -> list[str]:
    """A clock time as the hour told, so that "9:00", "9 am" and "nine" agree; minutes count where there are any."""
    hour, minute = (int(match[1]), match[2]) if match[1] else (int(match[4]), match[5])
    half = (match[3] or "").casefold().replace(".", "")
    hour = hour % 12 + 12 if half == "pm" else hour % 12 if half == "am" and hour == 12 else hour
    shown = str((hour - 1) % 12 + 1)
    return [shown] if minute in (None, "00") else [f"{shown}:{minute}"]


def _minute(match: re.Match[str]) -> int:
    """The minute of a half day that a clock time names."""
    hour, minute = (match[1], match[2]) if match[1] else (match[4], match[5])
    return (int(hour) * 60 + int(minute or 0)) % HALF


def _trimmed(number: str) -> str:
    whole, _, rest = number.partition(".")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{rest}" if rest.strip("0") else whole


def _without_dates(text: str) -> tuple[list[tuple[str, tuple[int, int]]], str]:
    """Dates of a text as (shown, (month, day)), and the text without them: 5 March = March 5th = 2019-03-05."""
    found: list[tuple[str, tuple[int, int]]] = []
    rest, done = "", 0
    for one in named(text):
        if one.month and one.day:
            found.append((text[one.first : one.last], (one.month, one.day)))
            rest += f"{text[done : one.first]} {one.said.get('year', '') if 'month' in one.said else ''} "
            done = one.last
    return found, rest + text[done:]


def names_in(text: str, people: Collection[str] = ()) -> list[str]:
    """Words that are names: people's wherever they stand, else capitals inside a sentence, or a text of capitals alone."""
    called = {word for name in people for word in words(name) if word not in FUNCTION_WORDS}
    found: list[str] = []
    for sentence in sentences(text):
        tokens = _NAME.findall(sentence)
        bare = [token for token in tokens if token.casefold() not in FUNCTION_WORDS]
        alone = bool(bare) and len(tokens) <= 3 and all(token[:1].isupper() for token in bare)
        for place, token in enumerate(tokens):
            low = token.casefold().replace("’", "'").removesuffix("'s").rstrip(".")
            if low in FUNCTION_WORDS or low in _CALENDAR or low.partition("'")[0] in FUNCTION_WORDS:
                continue
            capital = token[:1].isupper()
            if capital and (low in called or place > 0 or alone):
                found.append(token.rstrip(".").removesuffix("'s").removesuffix("’s"))
    return list(dict.fromkeys(found))


def _plain(text: str) -> str:
    return " ".join(words(text))
