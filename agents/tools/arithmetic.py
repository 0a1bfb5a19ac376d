"""Tools a mind may call by name: sums, counts, lengths, free time, sets without a clash, comparison of dates and numbers.

In come labelled items with clock times, days or quantities, out goes a text with what it rests on. Pure functions; an item that
cannot be read is a ToolError that says which and how to write it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from kithnet.agents.minds.mind import Part
from kithnet.agents.tools import intervals
from kithnet.agents.tools.intervals import DAY, Stretch
from kithnet.memory.language.time.clock import settle, tokens
from kithnet.memory.language.time.clocktimes import clock_at
from kithnet.memory.language.time.durations import length_at
from kithnet.memory.language.time.numbers import row
from kithnet.runtime.errors import InputError

_ENTRY = re.compile(r"(?P<label>.+?), (?P<start>[^,]+?) (?:to|-|–) (?P<end>[^,()]+?)(?: \((?P<people>[^()]*)\))?")
_WEIGHED_TWICE = frozenset(("sum", "overlaps", "largest_compatible"))
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm)?", re.IGNORECASE)


class ToolError(InputError):
    """A tool cannot compute over what it was given; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Result:
    """text: what a tool came to. used: places of the items it rests on."""

    text: str
    used: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Listed(Part):
    """An entry of a list. people: who takes part, where the list says so."""

    people: tuple[str, ...] = ()


def entries_of(value: str) -> list[Listed]:
    """The items of a value that lists entries as "Yoga, 9:00 to 10:30 (Ann, Ben); ...".

    Raises ToolError for entries in another form: one that is left out would make a wrong result of all the others.
    """
    parts = [part.strip() for part in value.split(";") if part.strip()]
    read = [(part, _ENTRY.fullmatch(part)) for part in parts]
    unread = [part for part, match in read if match is None]
    if unread:
        raise ToolError(
            f"no entries: {'; '.join(unread)}", "write each as Yoga, 9:00 to 10:30 (Ann, Ben), or give items"
        )
    return [
        Listed(match["label"], match["start"], match["end"], people=_people(match["people"] or ""))
        for _, match in read
        if match
    ]


def _people(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def joined(tool: str, lists: Sequence[Sequence[Listed]]) -> list[Listed]:
    """The entries of several lists for a tool, each list's own repetitions left out.

    What the same people do together stands in each one's list and counts once; what different people do alike counts for each.
    Raises ToolError where two lists hold the same entry and do not both say whose it is, for a tool that comes out
    otherwise over two: either could be wrong.
    """
    held: list[Listed] = []
    for entries in lists:
        others = {_entry(one): one for one in held}
        own: dict[tuple[object, ...], Listed] = {(*_entry(one), _company(one)): one for one in entries}
        for one in own.values():
            twin = others.get(_entry(one))
            if tool in _WEIGHED_TWICE and twin is not None and not (one.people and twin.people):
                raise ToolError(
                    f"two lists hold {one.label}, {one.start} to {one.end}, and not both say whose it is",
                    "write each entry with its people, as Yoga, 9:00 to 10:30 (Ann, Ben), or give items",
                )
        known = {(*_entry(one), _company(one)) for one in held}
        held += [one for key, one in own.items() if key not in known]
    return held


def _entry(part: Part) -> tuple[str, str, str]:
    return (part.label.casefold(), part.start.lstrip("0"), part.end.lstrip("0"))


def _company(part: Listed) -> frozenset[str]:
    return frozenset(name.casefold() for name in part.people)


def compute(tool: str, items: Sequence[Part], window: str = "") -> Result:
    """The result of a tool. Raises ToolError for an unknown tool, no items, or one that cannot be read."""
    if tool not in TOOLS:
        raise ToolError(f"there is no tool {tool!r}", f"choose among {', '.join(TOOLS)}")
    if not items:
        raise ToolError("no items to compute over", "give items, or ids of rationales whose values list entries")
    return _FUNCTIONS[tool](items, _window(window))


def _shown(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def _minute(text: str, item: str) -> int:
    """Minutes from midnight."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return _in_words(text, item)
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").casefold()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 24 or minute > 59:
        raise ToolError(f"{text!r} of {item!r} is no clock time", "write times as 9:30 or 21:30")
    return hour * 60 + minute


def _in_words(text: str, item: str) -> int:
    """Minutes from midnight of a time of day in words: "half past seven in the evening"."""
    read = row(tokens(text))
    found = clock_at(read, 0, to_24=True)
    if found is None or found[1] < len(read.words):
        raise ToolError(f"{text!r} of {item!r} is no clock time", "write times as 9:30 or 21:30")
    start, _ = settle(found[0], None)
    return int(start or 0)


def _minutes(item: Part) -> int:
    """The length that an item's number is, in minutes; a bare number is minutes."""
    if item.number.strip().isdigit():
        return int(item.number)
    read = row(tokens(item.number))
    found = length_at(read, 0)
    if found is None or found[1] < len(read.words):
        raise ToolError(
            f"{item.number!r} of {item.label!r} is no length of time", "write lengths as 90 minutes or 1h30"
        )
    return found[0]


def _window(text: str) -> tuple[int, int]:
    if not text:
        return (0, DAY)
    first, dash, last = text.replace("–", "-").replace(" to ", "-").partition("-")
    if not dash:
        raise ToolError(f"{text!r} is no window", "write it as 9:00-18:00")
    return (_minute(first, "window"), _minute(last, "window"))


def _stretch(item: Part) -> Stretch:
    """When an item is on: by start and end, or by one of them and its length as `number` ("2h", "90 minutes")."""
    length = _minutes(item) if item.number and not (item.start and item.end) else 0
    start = _minute(item.start, item.label) if item.start or not length else _minute(item.end, item.label) - length
    end = _minute(item.end, item.label) if item.end or not length else start + length
    start %= DAY
    return Stretch(start, start + ((end - start - 1) % DAY + 1))


def _stretches(items: Sequence[Part]) -> list[Stretch]:
    return [_stretch(item) for item in items]


def _all(items: Sequence[Part]) -> tuple[int, ...]:
    return tuple(range(len(items)))


def _count(items: Sequence[Part], window: tuple[int, int]) -> Result:
    labels = list(dict.fromkeys(item.label for item in items))
    return Result(f"{len(labels)} ({', '.join(labels)})", _all(items))


def _sum(items: Sequence[Part], window: tuple[int, int]) -> Result:
    if all(item.number for item in items):
        total = sum(_number(item) for item in items)
        return Result(f"{total:g}", _all(items))
    minutes = sum(one.minutes for one in _stretches(items))
    return Result(_length(minutes), _all(items))


def _number(item: Part) -> float:
    try:
        return float(item.number.replace(",", ""))
    except ValueError as error:
        raise ToolError(f"{item.number!r} of {item.label!r} is no number", "write numbers in digits") from error


def _length(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _longest(most: bool) -> Callable[[Sequence[Part], tuple[int, int]], Result]:
    def tool(items: Sequence[Part], window: tuple[int, int]) -> Result:
        lengths = {place: one.minutes for place, one in enumerate(_stretches(items))}
        chosen = intervals.extreme(lengths, most=most)
        labels = ", ".join(dict.fromkeys(items[place].label for place in chosen))
        return Result(f"{labels} ({_length(lengths[chosen[0]])})", _all(items))

    return tool


def _free(items: Sequence[Part], window: tuple[int, int]) -> Result:
    gaps = intervals.free(_stretches(items), window)
    return Result(", ".join(f"{_clock(a)}-{_clock(b)}" for a, b in gaps) or "none", _all(items))


def _clock(minute: int) -> str:
    return "24:00" if minute == DAY else _shown(minute)


def _compatible(items: Sequence[Part], window: tuple[int, int]) -> Result:
    kept = intervals.compatible(_stretches(items))
    left = [item.label for place, item in enumerate(items) if place not in kept]
    names = ", ".join(items[place].label for place in kept)
    return Result(
        f"{len(kept)} of {len(items)} ({names}); left out: {len(left)} ({', '.join(left) or 'none'})", _all(items)
    )


def _overlaps(items: Sequence[Part], window: tuple[int, int]) -> Result:
    pairs = intervals.clashes(_stretches(items))
    return Result("; ".join(f"{items[a].label} and {items[b].label}" for a, b in pairs) or "none", _all(items))


def _ordered(items: Sequence[Part], window: tuple[int, int]) -> Result:
    keyed = sorted(enumerate(items), key=lambda pair: _key(pair[1]))
    return Result(" < ".join(f"{item.label} ({item.number or item.start})" for _, item in keyed), _all(items))


def _key(item: Part) -> tuple[int, float]:
    """Days before clock times before numbers; items of one kind are expected."""
    if item.number:
        return (2, _number(item))
    try:
        return (0, float(date.fromisoformat(item.start[:10]).toordinal()))
    except ValueError:
        return (1, float(_minute(item.start, item.label)))


_FUNCTIONS: Mapping[str, Callable[[Sequence[Part], tuple[int, int]], Result]] = {
    "count": _count, "sum": _sum, "longest": _longest(True), "shortest": _longest(False), "free_time": _free,
    "largest_compatible": _compatible, "overlaps": _overlaps, "order": _ordered,
}  # fmt: skip
TOOLS: Mapping[str, str] = {
    "count": "how many different labels",
    "sum": "total of numbers, or of lengths",
    "longest": "the longest of items with start and end",
    "shortest": "the shortest of items with start and end",
    "free_time": "gaps between items within a window",
    "largest_compatible": "the largest set of items without overlap, and how many are left out",
    "overlaps": "pairs of items that overlap",
    "order": "items sorted by day (2019-03-05), clock time or number",
}
"""What each tool gives."""
