"""Times of day as people say them: "half past nine", "14h30", "two thirty pm", "ten to noon", "1430", "nine sharp"."""

import re
from collections.abc import Callable

from kithnet.memory.writing import timelexicon as lexicon
from kithnet.memory.writing.clock import DAY, HALF, Clock
from kithnet.memory.writing.clocktails import CLOCKED, Found, finished, tail
from kithnet.memory.writing.counting import TENS, UNITS, Row, phrases, whole
from kithnet.memory.writing.lengths import length_at

_PAST = phrases("past/after/gone/beyond")
_TO = phrases("to/before/til/till/' til/' till/until/short of/shy of/ahead of/prior to/of")
_STRUCK = phrases(
    "bang on/dead on/spot on/smack on/on the stroke of/the stroke of/exactly on/precisely on/high/right at the stroke of"
)
"""What may stand before a time and says no more than that it is exact."""
_LEADS = lexicon.ENDS | lexicon.STARTS - {"on", "about", "for", "now", "its", "off"}
_SURE_LEADS = frozenset("at from until till til by between @ starting beginning starts begins ending ends to".split())
_COUNTERS = frozenset(
    """$ € £ # page pages chapter chapters room rooms no number numbers verse psalm psalms john luke mark matthew won
    lost beat score scored ratio version v channel gate bus line route flight train platform level season episode
    extension ext pin code odds seat row track exit highway pages unit apartment flat locker table lot model step lane
    question exercise paragraph section""".split()
)
"""Words before a number that say that it counts or names something."""
_STREETS = frozenset(
    "street st road rd avenue ave lane drive court square boulevard way place terrace crescent".split()
)
_MARKED = re.compile(r"(\d{1,2})([:.])(\d{2})")
_FOUR = re.compile(r"([01]\d|2[0-4])([0-5]\d)")
_YEARS = range(1700, 2100)


def clock_at(row: Row, place: int, *, to_24: bool = False) -> Found | None:
    """The time of day that is said from `place` on. to_24: hours are counted to 24."""
    struck = row.longest(place, _STRUCK)
    found = _plain(row, place + struck, to_24)
    if found is None or not struck:
        return found
    return found[0], found[1], False


def offset_at(row: Row, place: int) -> Found | None:
    """A time told from an hour: "half past nine", "a quarter to ten", "thirty minutes before noon", "half eight"."""
    readers: tuple[Callable[[Row, int], Found | None], ...] = (_half_hour, _off_by_words, _off_by_length)
    return next((found for read in readers if (found := read(row, place))), None)


def _plain(row: Row, place: int, to_24: bool) -> Found | None:
    readers: tuple[Callable[[], Found | None], ...] = (
        lambda: offset_at(row, place),
        lambda: _named(row, place),
        lambda: _marked(row, place, to_24),
        lambda: _four_digits(row, place),
        lambda: _hour_digits(row, place),
        lambda: _spoken(row, place),
        lambda: _military(row, place),
    )
    return next((found for read in readers if (found := read())), None)


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
    marked = _MARKED.fullmatch(word)
    if marked and marked[2] == ":" and int(marked[1]) <= 24 and int(marked[3]) < 60:
        return int(marked[1]) * 60 + int(marked[3]), place + 1
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
    if hour is None or hour[0] % 60 or counted(row, hour[1]) or row[hour[1]] == "-":
        return None
    return finished(row, hour[1], hour[0] + 30, hour[0] > HALF)


def _off_by_words(row: Row, place: int) -> Found | None:
    """ "half past nine", "a quarter to ten", "twenty past two", "ten before noon", "half-past 9"."""
    start = place + (row[place] in ("a", "one") and row[place + 1] == "quarter")
    named = {"half": 30, "halfway": 30, "quarter": 15}.get(row[start])
    count = (named, start + 1) if named else whole(row, start)
    if count is None or not 1 <= count[0] <= 59:
        return None
    if row[count[1]] in ("to", "till", "til", "until", "of") and not named:
        bare = count[0] in (5, 10, 20, 25) and not row[start].isdecimal() and row[place - 1] not in ("from", "between")
        if not bare or row[count[1]] == "until" or (row[count[1]] == "of" and row[place - 1] not in ("at", "till")):
            return None  # "from ten to three" is a range, "10 to 12" too
    if row[count[1]] in ("until", "till") and row[start] == "half":
        return None
    return _joined(row, place, count[0], count[1] + (row[count[1]] == "-"))


def _off_by_length(row: Row, place: int) -> Found | None:
    """ "thirty minutes past two", "half an hour before noon"; after "for" it is a length, and so are hours and more."""
    length = length_at(row, place)
    if length is None or not 0 < length[0] < DAY // 2:
        return None
    clear = row[length[1]] in ("past", "short", "shy", "gone")
    lead = row[place - 1]
    if not clear and (
        _long(row, place) or row[length[1]] in ("until", "till", "til") or lead in ("in", "within", "by", "every")
    ):
        return None
    if not clear and length[0] >= 60 and (lead not in _LEADS or lead in ("to", "over", "up", "back")):
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
    if row[place - 1] in _COUNTERS or (row[last] in ("past", "gone") and minutes >= DAY // 2):
        return None
    minute = (hour[0] + (minutes if after else -minutes)) % DAY
    return finished(row, hour[1], minute, hour[0] > HALF or row[hour[1] - 1] in lexicon.NOONS)


def _named(row: Row, place: int) -> Found | None:
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


def _marked(row: Row, place: int, to_24: bool) -> Found | None:
    """ "9:30", "9.30pm", "09.30", "14:30 hrs"; with a dot only where something tells it from 9.30 of something else."""
    parted = _MARKED.fullmatch(row[place])
    if parted is None or _unlike_a_time(row, place):
        return None
    hour, minute = int(parted[1]), int(parted[3])
    if hour > 24 or minute > 59:
        return None
    if parted[2] == "." and not _dotted_time(row, place, minute):
        return None
    return finished(row, place + 1, hour * 60 + minute, row[place][0] == "0" or hour > 12 or to_24)


def _unlike_a_time(row: Row, place: int) -> bool:
    """Whether what stands around a number shows that it is a price, a count, a verse or a part of a longer number."""
    before, after = row[place - 1], row[place + 1]
    chained = after in ("/", ".", ":") and row.glued(place) and row.glued(place + 1) and row[place + 2][:1].isdigit()
    led = before in ("/", ".", ":", "+") and row.glued(place - 1) and row[place - 2][-1:].isdigit()
    return before in _COUNTERS or after in ("%", "€", "$", "£") or chained or led


def _dotted_time(row: Row, place: int, minute: int) -> bool:
    if counted(row, place + 1):
        return row[place + 1] in ("h", "hrs", "hours") and row[place - 1] in _SURE_LEADS
    if tail(row, place + 1):
        return True
    step = place - 1
    while row[step] in lexicon.ABOUT - {"at", "@"}:
        step -= 1
    led = row[step] in _LEADS | {"between"} or (
        row[step] in ("and", "-", "–") and bool(_MARKED.fullmatch(row[step - 1]))
    )
    between = row[step] == "and" and "between" in row[max(0, step - 9) : step]
    return (led or between or row[place][0] == "0" or place == 0 or _goes_on(row, place + 1)) and minute % 5 == 0


def _goes_on(row: Row, place: int) -> bool:
    """Whether what follows a number makes it a time: "to noon", "for an hour"."""
    if row[place] == "for":
        return length_at(row, place + 1) is not None
    if row[place] not in lexicon.THROUGH:
        return False
    other = None if _MARKED.fullmatch(row[place + 1]) else _plain(row, place + 1, False)
    return bool(_MARKED.fullmatch(row[place + 1])) or (other is not None and not other[2])


def _four_digits(row: Row, place: int) -> Found | None:
    """ "0930", "1430 hrs", "at 1430", "from 1800 to 2000"; a year or another number where nothing says a time."""
    parted = _FOUR.fullmatch(row[place])
    if (
        parted is None
        or _unlike_a_time(row, place)
        or (row[place - 1] == "-" and row[place - 2].isdecimal() and len(row[place - 2]) != 4)
    ):
        return None
    minute = int(parted[1]) * 60 + int(parted[2])
    found = Clock(minute, True), place + 1 + (row[place + 1] in ("hrs", "hours", "h")), False
    spelt = found[1] > place + 1 or "hrs" in row[place + 2 : place + 4]
    if row[place][0] == "0" or spelt:
        return None if row[place - 1] == "-" and row[place - 2].isdecimal() and len(row[place - 2]) < 4 else found
    if minute % 5 or counted(row, place + 1):
        return None
    return finished(row, place + 1, minute, True) if _timely(row, place) else None


def _timely(row: Row, place: int) -> bool:
    """Whether four digits are led as a time is, and are no year."""
    step = place - 1
    while row[step] in lexicon.ABOUT - {"at", "@"}:
        step -= 1
    lead = row[step]
    joint = lead in lexicon.THROUGH or lead == "and"
    ranged = joint and bool(_FOUR.fullmatch(row[step - 1]))
    onward = row[place + 1] in lexicon.THROUGH and bool(_FOUR.fullmatch(row[place + 2]))
    if int(row[place]) not in _YEARS:
        return lead in _SURE_LEADS or ranged or onward
    if lead in ("at", "@"):
        return True
    others = [word for at, word in enumerate(row.low) if at != place and _FOUR.fullmatch(word)]
    daily = any(int(word) not in _YEARS for word in others) or bool(
        set(row.low) & (lexicon.UNITS.keys() | lexicon.NOONS.keys())
    )
    past = set(row.low) & lexicon.OF_YEARS
    even = all(int(word) % 100 in (0, 15, 30, 45) for word in (row[place], *others))
    return (lead in _SURE_LEADS or ranged or onward) and not past and (daily or (even and bool(others)))


def _hour_digits(row: Row, place: int) -> Found | None:
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
    """Whether "9h" tells a time rather than a length: after "at" or "from", or where another such hour follows."""
    if row[place - 1] in ("at", "from", "until", "till", "to", "-", "between"):
        return True
    return row[place + 2] in lexicon.THROUGH and row[place + 3].isdecimal() and row[place + 4] == "h"


def _spoken(row: Row, place: int) -> Found | None:
    """ "nine", "nine thirty", "nine forty-five", "nine oh five", "nine-thirty", "fiveish"."""
    ish = row[place].endswith("ish") and row[place].removesuffix("ish") in UNITS
    hour = UNITS.get(row[place].removesuffix("ish") if ish else row[place], 0)
    if not 1 <= hour <= 12 or (place and row.words[place].text[0].isupper()):
        return None
    step = (
        place
        + 1
        + (
            row[place + 1] == "-"
            and (row[place + 2] in TENS or row[place + 2] in UNITS or row[place + 2] in ("oh", "o"))
        )
    )
    if row[step] in ("oh", "o") and 1 <= UNITS.get(row[step + (2 if row[step + 1] == "-" else 1)], 0) <= 9:
        step += 2 if row[step + 1] == "-" else 1
        return finished(row, step + 1, hour * 60 + UNITS[row[step]], False)
    minutes = whole(row, step)
    if minutes and not row[step].isdecimal() and 10 <= minutes[0] <= 59 and (minutes[0] > 12 or step == place + 1):
        span = length_at(row, step) is not None or row[minutes[1]] in ("hundred", "thousand", *_PAST_WORDS)
        if not span and not (minutes[0] <= 12 and counted(row, minutes[1])):
            return finished(row, minutes[1], hour * 60 + minutes[0], False)
    return finished(row, place + 1, hour * 60, False, bare=not ish)


_PAST_WORDS = ("past", "to", "after", "before", "of")


def _military(row: Row, place: int) -> Found | None:
    """ "fourteen hundred", "oh nine thirty", "nineteen hundred hours", "fourteen thirty": counted to 24."""
    zero = row[place] in ("oh", "zero", "o")
    hour = whole(row, place + zero)
    if hour is None or row[place + zero].isdecimal() or not 0 <= hour[0] <= 24 or (zero and hour[0] > 9):
        return None
    led = row[place - 1] in _SURE_LEADS or row[place - 1] in ("and", "-", "–")
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
