"""Times of day in digits: "9:30", "9.30pm", "14h30", "1430 hrs", "9 o'clock", and what tells them from other numbers."""

import re

from kithnet.memory.language.time import lexicon
from kithnet.memory.language.time.clock import Clock
from kithnet.memory.language.time.durations import length_at
from kithnet.memory.language.time.numbers import Row
from kithnet.memory.language.time.spoken import COUNTERS, LEADS, STRUCK, SURE_LEADS, counted, named, offset_at, spoken
from kithnet.memory.language.time.tails import Found, finished, tail

_MARKED = re.compile(r"(\d{1,2})([:.])(\d{2})")
_FOUR = re.compile(r"([01]\d|2[0-4])([0-5]\d)")
_YEARS = range(1700, 2100)
_STREETS = frozenset(
    "street st road rd avenue ave lane drive court square boulevard way place terrace crescent".split()
)
_NEAR = 10
"""Tokens that a time of day takes at most."""


def marked(row: Row, place: int, *, to_24: bool) -> Found | None:
    """ "9:30", "9.30pm", "09.30", "14:30 hrs"; with a dot only where something tells it from 9.30 of something else."""
    parted = _MARKED.fullmatch(row[place])
    if parted is None or _unlike_a_time(row, place):
        return None
    hour, minute = int(parted[1]), int(parted[3])
    if hour > 24 or minute > 59 or (parted[2] == "." and not _dotted_time(row, place, minute)):
        return None
    last = place + 1 + (row[place + 1] == "h")
    return finished(row, last, hour * 60 + minute, row[place][0] == "0" or hour > 12 or to_24)


def four_digits(row: Row, place: int) -> Found | None:
    """ "0930", "1430 hrs", "at 1430", "from 1800 to 2000"; a year or another number where nothing says a time."""
    parted = _FOUR.fullmatch(row[place])
    if parted is None or _unlike_a_time(row, place) or _dialled(row, place):
        return None
    minute = int(parted[1]) * 60 + int(parted[2])
    spelt = row[place + 1] in ("hrs", "hours", "h")
    if (row[place][0] == "0" and minute % 5 == 0) or spelt or "hrs" in row[place + 2 : place + 4]:
        return Clock(minute, True), place + 1 + spelt, False
    if minute % 5 or counted(row, place + 1) or not _timely(row, place):
        return None
    return finished(row, place + 1, minute, True)


def hour_digits(row: Row, place: int) -> Found | None:
    """ "9 o'clock", "9pm", "14h30", "9h", "9"."""
    word = row[place]
    if not word.isdecimal() or len(word) > 2 or int(word) > 24 or _unlike_a_time(row, place):
        return None
    hour, step = int(word), place + 1
    if (
        row[step] in ("h", "hr", "hrs")
        and row.glued(place)
        and re.fullmatch(r"[0-5]\d", row[step + 1])
        and row.glued(step)
    ):
        return finished(row, step + 2, hour * 60 + int(row[step + 1]), True)
    if row[step] == "h" and (hour > 12 or word[0] == "0" or _hour_of_day(row, place)):
        return Clock(hour * 60, True), step + 1, False
    if row[step] == "-" and re.fullmatch(r"\d{4}", row[step + 1]):
        return None
    if row[step] in ("½", "¼", "¾") or (row.words[place - 1].text[:1].isupper() and row[place - 1] == "-"):
        return None
    found = finished(row, step, hour * 60, hour > 12 or hour == 0, bare=True)
    street = (
        found[2] and any(word in _STREETS for word in row[step + 1 : step + 3]) and row.words[step].text[:1].isupper()
    )
    return None if street else found


def _hour_of_day(row: Row, place: int) -> bool:
    """Whether "9h" tells a time rather than a length: after "at" or "from", or where another such hour goes with it."""
    if row[place - 1] in ("to", "-", "–"):
        return "h" in (row[place - 2], row[place - 3])  # "7h to 9h", and not "at 22:00 - 8h in all"
    if row[place - 1] in ("at", "from", "until", "till", "between"):
        return True
    return row[place + 2] in lexicon.THROUGH and row[place + 3].isdecimal() and row[place + 4] == "h"


def _unlike_a_time(row: Row, place: int) -> bool:
    """Whether what stands around a number shows that it is a price, a count, a verse or a part of a longer number."""
    before, after = row[place - 1], row[place + 1]
    chained = after in ("/", ".", ":") and row.glued(place) and row.glued(place + 1) and row[place + 2][:1].isdigit()
    led = before in ("/", ".", ":", "+") and row.glued(place - 1) and row[place - 2][-1:].isdigit()
    part = row.glued(place - 1) and (before[-1:].isalpha() or before in ("_", "\\", "=", "%"))
    named = place - 1
    while row[named] in ("is", "are", "was", "were", ":", "=", "of"):
        named -= 1
    return row[named] in COUNTERS or after in ("%", "€", "$", "£") or chained or led or part or _dashed(row, place) > 2


def _dashed(row: Row, place: int) -> int:
    """How many numbers are joined by hyphens where one stands: three in a date, more in a telephone number."""
    count = 1
    for way in (-2, 2):
        step = place
        while row[step + way // 2] == "-" and row[step + way][:1].isdigit() and row.glued(min(step, step + way)):
            count, step = count + 1, step + way
    return count


def _dialled(row: Row, place: int) -> bool:
    """Whether four digits are the end of a telephone number: "555-0930", "555 0930"."""
    before = place - 1 - (row[place - 1] == "-")
    return row[before].isdecimal() and len(row[before]) != 4 and row[before - 1] not in ("h", ":")


def _dotted_time(row: Row, place: int, minute: int) -> bool:
    """Whether "9.30" is a time: by what follows, by what leads to it, or as one end of a range."""
    if counted(row, place + 1):
        full = row[place].index(".") == 2 and minute % 15 == 0 and row[place - 1] not in lexicon.LASTING
        return row[place + 1] in ("h", "hrs", "hours") and (full or row[place - 1] in SURE_LEADS)
    if tail(row, place + 1):
        return True
    led = row[_lead(row, place)] in LEADS | {"between"} or row[place][0] == "0" or place == 0
    return minute % 5 == 0 and (led or _ranged(row, place) or _lasting(row, place + 1))


def _timely(row: Row, place: int) -> bool:
    """Whether four digits are led as a time is, and are no year."""
    lead = row[_lead(row, place)]
    other = _ranged(row, place)
    known = lead in SURE_LEADS or other or _lasting(row, place + 1)
    if int(row[place]) not in _YEARS or lead in ("at", "@"):
        return known
    return known and not set(row.low) & lexicon.OF_YEARS and (other or bool(set(row.low) & _DAILY))


_DAILY = lexicon.UNITS.keys() | lexicon.NOONS.keys()
"""Words beside which four digits are rather a time than a year."""


def _lead(row: Row, place: int) -> int:
    """Where the word stands that leads to a time, before "about" and the like."""
    step = place - 1
    while row[step] in lexicon.ABOUT - {"at", "@", "by"}:
        step -= 1
    return step


def _lasting(row: Row, place: int) -> bool:
    """Whether a length of time follows: ", for an hour"."""
    step = place + (row[place] == ",")
    return row[step] == "for" and length_at(row, step + 1) is not None


def _ranged(row: Row, place: int) -> bool:
    """Whether a number is one end of a range whose other end is a time, or a number written alike."""
    lead = _lead(row, place)
    joins = row[lead] in lexicon.THROUGH or (row[lead] == "and" and "between" in row[max(0, lead - _NEAR) : lead])
    if joins and (_alike(row, lead - 1) or any(_firm(row, at) == lead for at in range(max(0, lead - _NEAR), lead))):
        return True
    opens = row[place + 1] in lexicon.THROUGH or (row[place + 1] == "and" and row[lead] == "between")
    after = place + 2
    while opens and row[after] in lexicon.ABOUT:
        after += 1
    return opens and (_alike(row, after) or _firm(row, after) > 0)


def _alike(row: Row, place: int) -> bool:
    """Whether a number is written as doubtful times are, with a minute that is told in fives as most are."""
    parted = _MARKED.fullmatch(row[place]) or _FOUR.fullmatch(row[place])
    return parted is not None and int(row[place][-2:]) % 5 == 0


def _firm(row: Row, place: int) -> int:
    """Where a time of day ends that is one wherever it stands; 0 if there is none at `place`."""
    place += row.longest(place, STRUCK)
    if _FOUR.fullmatch(row[place]):
        return place + 2 if row[place + 1] in ("hrs", "hours", "h") else 0
    parted = _MARKED.fullmatch(row[place])
    if parted:
        firm = (parted[2] == ":" and not _unlike_a_time(row, place)) or tail(row, place + 1)
        return finished(row, place + 1 + (row[place + 1] == "h"), 0, False)[1] if firm else 0
    found = offset_at(row, place) or named(row, place) or hour_digits(row, place) or spoken(row, place)
    return found[1] if found and not found[2] else 0
