"""Lengths of time as people say them: "an hour and a half", "90 mins", "1h30", "2½ hours", "three quarters of an hour"."""

import re

from kithnet.memory.language.time import lexicon
from kithnet.memory.language.time.numbers import Amount, Row, amount, fraction, parts_after, phrases, whole

Length = tuple[int, int]
"""Minutes, and the place after the words that say them."""

_LEADS = phrases(
    """another/yet another/a total of/the total of/a grand total of/a full/a whole/a solid/a good/a straight/a clear
    /a mere/a single/a complete/the full/the whole/an entire/the entire/a further/an extra/an additional/a brief
    /a quick/a short/a long/a nice/a neat/a round/a cool/a proper/a bare/a strict/a generous/a scant/a steady/a tidy
    /a flat/the better part of/the best part of/most of/all of"""
)
"""What may stand before the number: "a solid two hours"."""
_QUALITIES = frozenset(
    """full whole good solid straight single complete entire mere brief quick short long nice further extra additional
    clear uninterrupted continuous consecutive more neat round cool proper bare strict generous scant steady tidy flat
    blissful""".split()
)
"""What may stand between the number and the unit: "two full hours"."""
_PLACED = frozenset("final last whole full first next".split())
_TAILS = phrases(
    """flat/straight/or so/on the dot/sharp/exactly/precisely/on the nose/to the minute/in a row/on end/nonstop
    /non - stop/on the clock/- long/give or take/more or less"""
)
_AND = phrases(
    "and/&/plus/+/and another/plus another/and a further/plus a further/and an extra/plus an extra/- and -/,"
)
_ONWARD = frozenset("from starting beginning between or up by".split())
_BETWEEN = frozenset("to - –".split())
_CLOCK_LEADS = frozenset("at from until till til to between @ - –".split())


def length_at(row: Row, place: int) -> Length | None:
    """The length of time that is said from `place` on."""
    found = _said(row, place)
    if found is None:
        return None
    minutes, last = found
    return minutes, last + row.longest(last, _TAILS)


def _said(row: Row, place: int) -> Length | None:
    if row[place - 1] == "." and row[place].isdecimal() and row.glued(place - 1) and not row.glued(place - 2):
        return None  # ".5 hours" begins at its point
    for step in (row.longest(place, _LEADS), 0):
        if (
            found := _fraction_of_an_hour(row, place + step)
            or _coloned(row, place + step)
            or _counted(row, place + step)
        ):
            return found
    return _placed(row, place)


def _unit(row: Row, place: int) -> tuple[int, int] | None:
    """The minutes of a unit and the place after it, with what describes it: "-hour", "full hours", "hr."."""
    step = place + (row[place] == "-")
    while row[step] in _QUALITIES or (row[step] == "," and row[step + 1] in _QUALITIES):
        step += 1
    minutes = lexicon.UNITS.get(row[step])
    if minutes is None:
        return None
    dotted = row[step] in ("hr", "hrs", "h", "min", "mins") and row[step + 1] == "." and row.glued(step)
    return minutes, step + 1 + (dotted and row[step + 2][:1].isalnum() and row.words[step + 2].text[:1].islower())


def _fraction_of_an_hour(row: Row, place: int) -> Length | None:
    """ "half an hour", "half of an hour", "a half-hour", "a quarter hour", "three-quarters of an hour", "½ hr"."""
    part = fraction(row, place)
    if part is None or (row[place] == "a" and row[place - 1] == "and"):
        return None
    step = part[1]
    step += row[step] == "of"
    step += row[step] in ("a", "an", "one")
    unit = _unit(row, step)
    if unit is None or unit[0] != 60:
        return None
    return round(60 * part[0]), unit[1]


_HOURS_OF_24 = re.compile(r"(?:[01]\d|2[0-3])\.(?:00|15|30|45)")
"""What stands before "hrs" in "06.30 hrs", a time of day."""


def _coloned(row: Row, place: int) -> Length | None:
    """ "1:30 hours", where nothing says that it is a time of day."""
    parted = re.fullmatch(r"(\d):([0-5]\d)", row[place])
    if parted is None or row[place + 1] not in ("h", "hrs", "hours") or row[place - 1] in _CLOCK_LEADS:
        return None
    return int(parted[1]) * 60 + int(parted[2]), place + 2


def _count(row: Row, place: int) -> Amount | None:
    """How many: "two and a half", "an", "a couple of"."""
    step = place + (row[place] == "a")
    if row[step] == "couple":
        return 2, step + 1 + (row[step + 1] == "of")
    if row[place] in ("a", "an", "another") and row[place + 1] != "hundred":
        return 1, place + 1
    return amount(row, place)


def _counted(row: Row, place: int) -> Length | None:
    """A number of hours or minutes, and what is added to it."""
    count = _count(row, place)
    if count is None and row[place] == "hour" and parts_after(row, place + 1):
        count = (1, place)  # "takes hour and a half"
    if count is None or not count[0]:
        return None
    unit = _unit(row, count[1])
    if unit is None:
        return _metric(row, place, count)
    minutes, last = unit
    if row[last - 1] == "h" and _of_the_clock(row, place, count[0]):
        return None
    if minutes == 60 and _HOURS_OF_24.fullmatch(row[place]) and row[place - 1] not in lexicon.LASTING:
        return None
    total = int(count[0] * minutes + 0.5)
    more = _more(row, last) if minutes == 60 else None
    return (total + more[0], more[1]) if more else (total, last)


def _metric(row: Row, place: int, count: Amount) -> Length | None:
    """ "30m", which is a length of time after "for" only; else it may be a way to swim."""
    led = row[place - 1] in ("for", "lasts", "takes")
    return (
        (round(count[0]), count[1] + 1) if row[count[1]] == "m" and count[0] in (15, 20, 30, 45, 90) and led else None
    )


def _of_the_clock(row: Row, place: int, hours: float) -> bool:
    """Whether "9h" or "14h30" tells a time of day rather than a length."""
    led = place - 1
    while row[led] in lexicon.HEDGES:
        led -= 1
    if row[led] in lexicon.LASTING and hours <= 12:
        return False
    minutes = bool(re.fullmatch(r"[0-5]\d", row[place + 2]))
    led_to = row[place - 1] in _CLOCK_LEADS
    if row[place - 1] in _BETWEEN:
        led_to = minutes or "h" in (row[place - 2], row[place - 3])  # "7h to 9h", and not "at 22:00 - 8h in all"
    if hours > 12 or (row[place].startswith("0") and hours >= 1) or led_to:
        return row[place].isdecimal()
    if minutes and row[place + 3] != "m" and row[place + 3] not in lexicon.UNITS:
        beyond = row[place + 3] in lexicon.THROUGH and row[place + 5] == "h"
        return hours > 6 or beyond
    return row[place + 2] in lexicon.THROUGH and row[place + 3].isdecimal() and row[place + 4] == "h"


def _more(row: Row, place: int) -> Length | None:
    """What is added to hours: "and a half", "and thirty minutes", " 30", "plus another quarter of an hour"."""
    joint = row.longest(place, _AND)
    if not joint and row[place] == "-" and row[place + 1] == "and":
        joint = 2
    part = parts_after(row, place)
    if (
        part is not None
        and row[part[1]] not in ("hour", "an", "of")
        and not (row[part[1]] == "-" and row[part[1] + 1] == "hour")
    ):
        return round(60 * part[0]), part[1]
    step = place + joint
    if part_of := _fraction_of_an_hour(row, step) if joint else None:
        return part_of
    number = whole(row, step)
    if number is None or not 0 < number[0] < 60:
        return None
    count, last = number
    unit = _unit(row, last)
    if unit is not None:
        return (count, unit[1]) if unit[0] == 1 else None
    if row[last] == "m" and row.glued(last - 1):
        return count, last + 1
    alone = count % 5 == 0 and (
        not row[last] or not row[last][0].isalnum() or row[last] in lexicon.CLOSERS | lexicon.THROUGH | _ONWARD
    )
    commas = row[place] == "," or row[last] in ("-", "–", "%", "$", "€", "£", "/", ":")
    return (count, last) if alone and not commas and row[last + 1 : last + 2] != ("past",) else None


def _placed(row: Row, place: int) -> Length | None:
    """An hour by where it lies: "the last hour", "the hour before"."""
    if row[place] in _PLACED and row[place + 1] == "hour":
        return 60, place + 2
    if row[place] == "the" and row[place + 1] == "hour" and row[place + 2] in lexicon.BESIDE:
        return 60, place + 2
    return None
