"""Times of day in words: "half past nine", "two thirty", "ten to noon", "midday", "fourteen hundred"."""

import re
from collections.abc import Callable

from kithnet.memory.language.time import lexicon
from kithnet.memory.language.time.clock import DAY, HALF
from kithnet.memory.language.time.durations import length_at
from kithnet.memory.language.time.numbers import TENS, UNITS, Row, phrases, whole
from kithnet.memory.language.time.tails import CLOCKED, Found, finished, tail

_PAST = phrases("past/after/gone/beyond")
_TO = phrases("to/before/til/till/' til/' till/until/short of/shy of/ahead of/prior to/of")
STRUCK = phrases(
    """bang on/dead on/spot on/smack on/smack at/on the stroke of/the stroke of/right at the stroke of/on the dot of
    /the dot of/the hour of/exactly on/precisely on/just gone/right around/right about/high"""
)
"""What may stand before a time and says no more than that it is exact."""
LEADS = lexicon.ENDS | lexicon.STARTS - {"is", "it's", "on", "about", "for", "now", "its", "off"}
SURE_LEADS = frozenset("at from until till til by between @ starting beginning starts begins ending ends to".split())
COUNTERS = frozenset(
    """$ € £ # page pages chapter chapters room rooms no number numbers verse psalm psalms john luke mark matthew won
    lost beat score scored ratio version v channel gate bus line route flight train platform level season episode
    extension ext pin code odds seat row track exit highway pages unit apartment flat locker table item order ticket
    parcel reference ref lot model step lane question exercise paragraph section""".split()
)
"""Words before a number that say that it counts or names something."""
_COLON = re.compile(r"(\d{1,2}):(\d{2})")


def offset_at(row: Row, place: int) -> Found | None:
    """A time told from an hour: "half past nine", "a quarter to ten", "thirty minutes before noon", "half eight"."""
    readers: tuple[Callable[[Row, int], Found | None], ...] = (_half_hour, _off_by_words, _off_by_length)
    return next((found for read in readers if (found := read(row, place))), None)


def hour_at(row: Row, place: int) -> tuple[int, int] | None:
    """An hour as a number or a word, in minutes, and the place after it: "noon", "9", "nine o'clock", "10:30"."""
    word = row[place]
    if word == "12" and row[place + 1] in lexicon.NOONS:
        return lexicon.NOONS[row[place + 1]], place + 2
    if word in lexicon.NOONS:
        return lexicon.NOONS[word], place + 1
    if word.isdecimal() and len(word) <= 2 and int(word) <= 24:
        return int(word) * 60, place + 1
    if 1 <= UNITS.get(word, 0) <= 12:
        return UNITS[word] * 60, place + 1
    marked = _COLON.fullmatch(word)
    if marked and int(marked[1]) <= 24 and int(marked[2]) < 60:
        return int(marked[1]) * 60 + int(marked[2]), place + 1
    return None


def counted(row: Row, place: int) -> bool:
    """Whether the number before `place` counts things rather than hours."""
    word = row[place]
    return word in lexicon.THINGS or word in lexicon.UNITS or word in ("%", "$", "€", "£")


def _half_hour(row: Row, place: int) -> Found | None:
    """ "half eight", "half-eight": thirty minutes past it, as the British say."""
    if row[place] != "half" or row[place - 1] in lexicon.HALVED:
        return None
    step = place + 1 + (row[place + 1] == "-")
    hour = hour_at(row, step)
    if hour is None or hour[0] % 60 or counted(row, hour[1]) or _compounded(row, hour[1]):
        return None
    return finished(row, hour[1], hour[0] + 30, hour[0] > HALF)


def _compounded(row: Row, place: int) -> bool:
    """Whether a hyphen makes a number part of a word: "half two-hour shifts"."""
    return row[place] == "-" and row.glued(place - 1) and row[place + 1].isalpha()


def _off_by_words(row: Row, place: int) -> Found | None:
    """ "half past nine", "a quarter to ten", "twenty past two", "ten before noon", "half-past 9"."""
    start = place + (row[place] in ("a", "one") and row[place + 1] == "quarter")
    named = {"half": 30, "halfway": 30, "quarter": 15}.get(row[start])
    count = (named, start + 1) if named else whole(row, start)
    if count is None or not 1 <= count[0] <= 59:
        return None
    joint = row[count[1]]
    if joint in ("to", "till", "til", "until", "of") and not named:
        bare = count[0] in (5, 10, 20, 25) and not row[start].isdecimal()
        if not bare or joint == "until" or (joint == "of" and not _american(row, place, count[1])):
            return None  # "10 to 12" is a range
    if joint in ("until", "till") and row[start] == "half":
        return None
    found = _joined(row, place, count[0], count[1] + (joint == "-"))
    ranged = row[place - 1] in ("from", "between") and joint in ("to", "till", "til") and not named
    return None if ranged and found and not _opens(row, found[1], count[0]) else found


def _opens(row: Row, last: int, count: int) -> bool:
    """Whether "from ten to three" is a time with its range still to come, rather than the range."""
    onward = row[last] in ("on", "onwards") and (not row[last + 1][:1].isalpha() or row[last + 1] in lexicon.SUBJECTS)
    return count > 12 or onward or row[last] in lexicon.THROUGH | {"and"}


def _american(row: Row, place: int, last: int) -> bool:
    """Whether "ten of nine" is a time rather than a part of nine things."""
    return row[place - 1] in SURE_LEADS - {"to", "between"} or row[last + 1] in lexicon.NOONS


def _off_by_length(row: Row, place: int) -> Found | None:
    """ "thirty minutes past two", "half an hour before noon"; after "for" it is a length, and so are hours and more."""
    length = length_at(row, place)
    if length is None or not 0 < length[0] < DAY // 2:
        return None
    clear = row[length[1]] in ("past", "short", "shy", "gone")
    lead = row[place - 1]
    if not clear and (
        _long(row, place)
        or (row[length[1]] in ("until", "till", "til") and lead not in SURE_LEADS)
        or lead in ("in", "within", "every")
        or (lead == "by" and row[length[1]] in ("to", "until", "till", "til"))
    ):
        return None
    if not clear and length[0] >= 60 and (lead not in LEADS or lead in ("to", "over", "up", "back")):
        return None
    return _joined(row, place, length[0], length[1])


def _long(row: Row, place: int) -> bool:
    """Whether "for", "lasting" or another word before says that what follows is a length."""
    step = place - 1
    while row[step] in lexicon.HEDGES:
        step -= 1
    return row[step] in lexicon.LASTING


def _joined(row: Row, place: int, minutes: int, last: int) -> Found | None:
    """A time so many minutes past or before the hour named from `last` on."""
    after, before = row.longest(last, _PAST), row.longest(last, _TO)
    step = last + max(after, before)
    step += row[step] == "-"
    hour = hour_at(row, step)
    if not (after or before) or hour is None or counted(row, hour[1]):
        return None
    if before and row[last] in ("to", "of") and TENS.get(row[hour[1]], 0) and not hour[0] % 60:
        return None  # "ten to eleven thirty"
    if row[place - 1] in COUNTERS or (row[last] in ("past", "gone") and minutes >= DAY // 2):
        return None
    minute = (hour[0] + (minutes if after else -minutes)) % DAY
    if hour[0] == 60 and minute < 60:
        minute += HALF  # "a quarter to one" is most often after noon
    return finished(row, hour[1], minute, hour[0] > HALF or row[hour[1] - 1] in lexicon.NOONS)


def named(row: Row, place: int) -> Found | None:
    """ "noon", "12 noon", "twelve o'clock midday", "midnight"; "midday meal" names no time."""
    step = place
    if row[step] in ("12", "12:00", "12.00", "1200", "twelve"):
        step += 1 + row.longest(step + 1, CLOCKED)
        step += row[step] == "-"
    if row[step] not in lexicon.NOONS or row[step + 1] in lexicon.MEALS:
        return None
    if (
        row[step + 1] == "-"
        and row.glued(step)
        and row[step + 2].isalpha()
        and row[step + 2] not in ("ish", "to", *lexicon.NOONS)
    ):
        return None
    return finished(row, step + 1, lexicon.NOONS[row[step]], True)


def spoken(row: Row, place: int) -> Found | None:
    """ "nine", "nine thirty", "nine forty-five", "nine oh five", "nine-thirty", "fiveish"."""
    ish = row[place].endswith("ish") and row[place].removesuffix("ish") in UNITS
    hour = UNITS.get(row[place].removesuffix("ish") if ish else row[place], 0)
    if not 1 <= hour <= 12 or _says_a_name(row, place) or row[place - 1] in COUNTERS:
        return None
    if "by" in (row[place - 1], row[place + 1]) and row[place] in (row[place - 2], row[place + 2]):
        return None  # "one by one"
    minutes = _minutes(row, place + 1)
    if minutes is not None:
        return finished(row, minutes[1], hour * 60 + minutes[0], False)
    return finished(row, place + 1, hour * 60, False, bare=not ish)


def _says_a_name(row: Row, place: int) -> bool:
    """Whether a number word is written as names are: "Seven Dials"; "Seven in the evening" is none."""
    text = row.words[place].text
    return bool(place) and text[0].isupper() and not text.isupper() and not tail(row, place + 1)


def _minutes(row: Row, place: int) -> tuple[int, int] | None:
    """The minutes after an hour and the place after them: "thirty", "-forty-five", "oh five"."""
    step = place + (row[place] == "-")
    if row[step] in ("oh", "o"):
        step += 1 + (row[step + 1] == "-")
        return (UNITS[row[step]], step + 1) if 1 <= UNITS.get(row[step], 0) <= 9 else None
    minutes = whole(row, step)
    if minutes is None or row[step].isdecimal() or not 10 <= minutes[0] <= 59:
        return None
    small = minutes[0] <= 12 and (step > place or counted(row, minutes[1]))  # "nine-ten", "nine ten people"
    if small or length_at(row, step) is not None or row[minutes[1]] in ("hundred", "thousand", "past"):
        return None
    return minutes


def military(row: Row, place: int) -> Found | None:
    """ "fourteen hundred", "oh nine thirty", "nineteen hundred hours", "fourteen thirty": counted to 24."""
    zero = row[place] in ("oh", "zero", "o")
    hour = (UNITS[row[place + 1]], place + 2) if zero and row[place + 1] in UNITS else whole(row, place)
    if hour is None or row[place].isdecimal() or not 0 <= hour[0] <= 24 or (zero and hour[0] > 9):
        return None
    led = row[place - 1] in SURE_LEADS or row[place - 1] in ("and", "-", "–")
    if not zero and hour[0] < 13:
        hundred = hour[0] >= 10 and row[hour[1]] == "hundred"
        return finished(row, hour[1] + 1, hour[0] * 60, True) if hundred and led else None
    step = hour[1] + (row[hour[1]] == "-")
    minutes = (0, step + 1) if row[step] == "hundred" else whole(row, step)
    if minutes is None or row[step].isdecimal() or minutes[0] > 59 or 0 < minutes[0] < 10:
        return None
    if not led and not (zero and row[step] == "hundred") and row[minutes[1]] not in ("hours", "hrs"):
        return None
    return (
        None
        if counted(row, minutes[1]) and row[minutes[1]] not in ("hours", "hrs")
        else finished(row, minutes[1], hour[0] * 60 + minutes[0], True)
    )
