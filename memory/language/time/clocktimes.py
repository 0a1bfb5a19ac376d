"""Times of day as people say them, in words or digits: "half past nine", "14h30", "two thirty pm", "1430", "nine sharp"."""

from dataclasses import replace

from kithnet.memory.language.time.digits import four_digits, hour_digits, marked
from kithnet.memory.language.time.durations import length_at
from kithnet.memory.language.time.lexicon import PARTS
from kithnet.memory.language.time.numbers import Row
from kithnet.memory.language.time.spoken import STRUCK, counted, military, named, offset_at, spoken
from kithnet.memory.language.time.tails import Found


def clock_at(row: Row, place: int, *, to_24: bool = False) -> Found | None:
    """The time of day that is said from `place` on. to_24: hours are counted to 24."""
    struck = row.longest(place, STRUCK)
    at = place + struck
    found = (
        offset_at(row, at)
        or named(row, at)
        or marked(row, at, to_24=to_24)
        or four_digits(row, at)
        or hour_digits(row, at)
        or spoken(row, at)
        or military(row, at)
    )
    if found and not found[0].sure and row[place - 1] in PARTS:  # "this evening 7:30"
        found = (replace(found[0], part=PARTS[row[place - 1]]), *found[1:])
    if found is None or not struck:
        return found
    return None if found[2] and (length_at(row, at) or counted(row, found[1])) else (found[0], found[1], False)
