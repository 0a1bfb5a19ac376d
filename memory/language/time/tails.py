"""What follows an hour and says more of it: "o'clock", "pm", "sharp", "in the evening", "on the dot"."""

from kithnet.memory.language.time import lexicon
from kithnet.memory.language.time.clock import HALF, Clock, alone
from kithnet.memory.language.time.numbers import Row, phrases

Found = tuple[Clock, int, bool]
"""The time of day, the place after its words, and whether it is a bare number, which may be no time at all."""

CLOCKED = phrases("o'clock/oclock/o clock/o ' clock/o ’ clock/o \" clock/o ” clock")
_EXACT = phrases(
    """sharp/- sharp/prompt/promptly/ish/- ish/on the dot/on the nose/on the button/on the money/on the hour/to the minute
    /dead on/bang on/local time/military time/on the clock"""
)
"""What makes any number a time."""
_LOOSE = phrases("or so/or thereabouts/or thereabout/precisely/exactly/flat/give or take/more or less")
"""What may follow a number of anything."""
_HOURS = phrases("hours/hrs/hours local time")
_TO_PARTS = phrases(
    """in the/in the early/in the late/in the mid/in the mid -/in mid/in mid -/in the very early/early in the
    /late in the/in the middle of the/in the dead of the/today in the/at/tomorrow/this/that/every/each/of the/of an
    /on the/the same/the next/the following"""
)
_SMALL_HOURS = phrases("in the small hours/in the wee hours/in the wee small hours/before dawn/before sunrise")
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_HALVES = {"am": "am", "a.m.": "am", "pm": "pm", "p.m.": "pm"}


def finished(row: Row, last: int, minute: int, sure: bool, bare: bool = False) -> Found:
    """The time of day of `minute` with all that follows its number."""
    clock = Clock(minute, sure)
    while True:
        if step := row.longest(last, _LOOSE if bare else _LOOSE | _HOURS):
            last += step
        elif (said := _more(row, last, clock)) is not None:
            clock, last, bare = *said, False
        else:
            return clock, last, bare


def tail(row: Row, place: int) -> bool:
    """Whether what stands at `place` can only follow a time of day."""
    return bool(row.longest(place, CLOCKED) or _half(row, place) or _part(row, place)) or row[place] in ("sharp", "hrs")


def _more(row: Row, place: int, clock: Clock) -> tuple[Clock, int] | None:
    """The time with what the words at `place` add to it, and the place after them."""
    if step := row.longest(place, CLOCKED | _EXACT):
        return clock, place + step
    if not clock.part and (half := _half(row, place)):
        return Clock(clock.minute % HALF + HALF * (half[0] == "pm"), True), half[1]
    noon = place + (row[place] == "at")
    if row[noon] in lexicon.NOONS and clock.minute % HALF == 0:
        return Clock(lexicon.NOONS[row[noon]], True), noon + 1
    if (part := _part(row, place)) is None:
        return None
    past_noon = clock.sure and clock.minute >= HALF + 60  # "16:30 in the afternoon"
    minute = clock.minute if past_noon else alone(Clock(clock.minute % HALF), part[0])
    return Clock(minute, True, part[0]), part[1]


def _half(row: Row, place: int) -> tuple[str, int] | None:
    """ "am", "p.m.", "p. m", the "p" of "9p", "in the am"."""
    step = place + 2 * (row[place : place + 2] == ("in", "the"))
    if row[step] in _HALVES:
        return _HALVES[row[step]], step + 1
    if row[step] not in ("a", "p"):
        return None
    if row[step + 1] == "." and row[step + 2] == "m":
        return f"{row[step]}m", step + 3 + (row[step + 3] == "." and row[step + 4][:1].islower())
    if row[step + 1] == "m" and not row.glued(step - 1):
        return f"{row[step]}m", step + 2
    if row.glued(step) and row[step + 1][:1].isalnum():
        return None
    return (f"{row[step]}m", step + 1) if row.glued(step - 1) and row[step - 1][-1:].isdigit() else None


def _part(row: Row, place: int) -> tuple[str, int] | None:
    """ "in the evening", "at night", "tonight", "in the small hours", "on Monday morning"."""
    if small := row.longest(place, _SMALL_HOURS):
        return "am", place + small
    if row[place] == "tonight":
        return lexicon.PARTS["tonight"], place + 1
    step = place + row.longest(place, _TO_PARTS)
    if step == place:
        step += row[place] == "on"
        if row[step] not in _DAYS:
            return None
        step += 1
    return (lexicon.PARTS[row[step]], step + 1) if row[step] in lexicon.PARTS else None
