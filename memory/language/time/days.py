"""When something said on a day takes place: absolute and relative times in plain English, resolved by code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from kithnet.memory.language.text import stem

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
CALENDAR = frozenset(stem(word) for word in (*_DAYS, *_MONTHS))
"""Stems of the names of days and months, which name no thing."""
_COUNTS = {
    word: number
    for number, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
} | {"a": 1, "an": 1, "a couple of": 2, "a few": 3}
_NUMBER = rf"(?P<count>\d{{1,3}}|{'|'.join(sorted(_COUNTS, key=len, reverse=True))})"
_DAY = rf"(?P<day>{'|'.join(_DAYS)})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
_PATTERNS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("iso", r"\b(?P<year>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
        ("date", rf"\b{_MONTH}\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<year>\d{{4}}))?"),
        ("date", rf"\b(?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}\b(?:,? (?P<year>\d{{4}}))?"),
        ("day_after", r"\b(?:the )?day after tomorrow\b"),
        ("day_before", r"\b(?:the )?day before yesterday\b"),
        ("ago", rf"\b{_NUMBER} (?P<unit>day|week|month|year|hour)s? ago\b"),
        ("in", rf"\bin {_NUMBER} (?P<unit>day|week|month|year|hour)s?\b"),
        ("unit", r"\b(?P<which>last|this|next|past|coming) (?P<unit>week|weekend|month|year)\b"),
        ("night", r"\blast night\b"),
        ("weekend", r"\b(?:at|on|over) the weekend\b"),
        ("weekday", rf"\b(?P<which>last|this|next|on|coming|by|until|till|from|to)? ?\b{_DAY}\b"),
        ("today", r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b"),
        ("tomorrow", r"\btomorrow\b"),
        ("yesterday", r"\byesterday\b"),
        ("month", rf"\b(?:in|last|next|this|since|until|by|early|late) {_MONTH}\b(?: (?P<year>\d{{4}}))?"),
        ("year", r"\b(?:in|since) (?P<year>(?:19|20)\d{2})\b"),
    )
)
_CLOCK = re.compile(
    r"\b(?:at |from |by )?(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))? ?(?P<half>am|pm|o'clock)\b"
    r"|\b(?:at|from|by) (?P<hour2>\d{1,2})(?::(?P<minute2>\d{2}))\b|\bat (?P<hour3>\d{1,2})\b(?![:/-]?\d)"
    r"|\bat (?P<word>noon|midnight|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b",
    re.IGNORECASE,
)
_LENGTH = re.compile(rf"\bfor {_NUMBER} (?P<unit>minute|hour|day|week)s?\b", re.IGNORECASE)
_PAST = re.compile(
    r"\b(?:was|were|had|did|went|came|saw|took|met|broke|won|lost|found|bought|sold|got|made|left|ate|fell|flew|drove|told|"
    r"said|burnt|slept|sang|ran|caught|wrote|spent|woke|heard|dreamt|felt|kept|began|drank|flew|gave|grew|held|led|paid|put|"
    r"rode|sat|sent|spoke|stood|swam|taught|threw|wore|built|chose|cut|drew|fought|forgot|froze|hid|hit|hurt|learnt|let|lit|"
    r"rang|sank|set|shook|shut|stole|tore|quit|knew|thought|laughed|\w{2,}ed)\b",
    re.IGNORECASE,
)
_FUTURE = re.compile(
    r"\b(?:will|going to|gonna|won't|shall|planning|plan to|booked|coming up|is on|are on|'ll|moved (?:it )?to|\w+'ll|let's|"
    r"postponed|instead)\b",
    re.IGNORECASE,
)
_MOVED = re.compile(
    r"\b(?:postponed|rescheduled|moved\b.*\bto|pushed\b.*\bto|brought forward|put off|change of|instead)\b",
    re.IGNORECASE,
)
_UNITS = {"day": 1, "week": 7, "month": 30, "year": 365}


@dataclass(frozen=True, slots=True)
class When:
    """start, end: what the words cover, end exclusive. said: the words. exact: they name a time of day."""

    start: datetime
    end: datetime
    said: str
    exact: bool = False


def find(sentence: str, at: datetime) -> When | None:
    """The first time a sentence speaks of, seen from the moment `at`; None when it names none, or none that exists."""
    for day in times(sentence, at):
        clock = _clock(sentence)
        if clock is None or day.end - day.start > timedelta(days=1):
            return day
        start = datetime.combine(day.start.date(), clock)
        return When(start, start + (_length(sentence) or timedelta(hours=1)), day.said, True)
    return None


def times(sentence: str, at: datetime) -> Iterator[When]:
    """Every day, week, month or year that a sentence names, in the order in which they are said."""
    found: list[tuple[int, int, str, re.Match[str]]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(sentence):
            if not any(start < match.end() and match.start() < end for start, end, _, _ in found):
                found.append((match.start(), match.end(), kind, match))
    for _, _, kind, match in sorted(found, key=lambda one: one[0]):
        try:
            first, last = _span(kind, match, sentence, at)
        except (ValueError, OverflowError):  # no such day, as 31 June, or beyond the calendar
            continue
        yield When(datetime.combine(first, time.min), datetime.combine(last, time.min), match[0].strip())


def _span(kind: str, match: re.Match[str], sentence: str, at: datetime) -> tuple[date, date]:
    today, one = at.date(), timedelta(days=1)
    fixed = {"day_after": 2, "day_before": -2, "night": -1, "today": 0, "tomorrow": 1, "yesterday": -1}
    if kind in fixed:
        day = today + fixed[kind] * one
        return day, day + one
    if kind == "iso":
        day = date(int(match["year"]), int(match["m"]), int(match["d"]))
        return day, day + one
    if kind in ("date", "month", "year"):
        return _calendar(kind, match, sentence, today)
    if kind in ("ago", "in"):
        return _away(match, today, -1 if kind == "ago" else 1)
    if kind == "weekday":
        day = _weekday(match, sentence, today)
        return day, day + one
    which = (match["which"] if kind == "unit" else "").casefold()
    unit = match["unit"].casefold() if kind == "unit" else "weekend"
    if not which:
        which = "last" if is_past(sentence) else "this"
    return _unit(unit, {"last": -1, "past": -1, "this": 0, "next": 1, "coming": 1}[which], today)


def _unit(unit: str, step: int, today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday())
    if unit == "week":
        return monday + timedelta(weeks=step), monday + timedelta(weeks=step + 1)
    if unit == "weekend":
        saturday = monday + timedelta(days=5, weeks=step)
        return saturday, saturday + timedelta(days=2)
    if unit == "month":
        return _month(today.year, today.month + step)
    return date(today.year + step, 1, 1), date(today.year + step + 1, 1, 1)


def _month(year: int, month: int) -> tuple[date, date]:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _calendar(kind: str, match: re.Match[str], sentence: str, today: date) -> tuple[date, date]:
    past = is_past(sentence)
    if kind == "year":
        return date(int(match["year"]), 1, 1), date(int(match["year"]) + 1, 1, 1)
    month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(match["month"].casefold()[:3]))
    day = int(match["d"]) if kind == "date" else 1
    year = int(match["year"]) if match["year"] else today.year
    if not match["year"]:
        gone = (month, day) < (today.month, today.day) if kind == "date" else month < today.month
        ahead = (month, day) > (today.month, today.day) if kind == "date" else month > today.month
        year += 1 if gone and not past else -1 if ahead and past else 0
    if kind == "month":
        return _month(year, month)
    return date(year, month, day), date(year, month, day) + timedelta(days=1)


def _away(match: re.Match[str], today: date, sign: int) -> tuple[date, date]:
    said = match["count"].casefold()
    count = int(said) if said.isdigit() else _COUNTS[said]
    unit = match["unit"].casefold()
    days = 0 if unit == "hour" else count * _UNITS[unit]
    day = today + timedelta(days=sign * days)
    return day, day + timedelta(days=1)


def _weekday(match: re.Match[str], sentence: str, today: date) -> date:
    wanted = _DAYS.index(match["day"].casefold())
    which = (match["which"] or "").casefold()
    ahead = (wanted - today.weekday()) % 7
    if which == "last" or (which in ("", "on") and is_past(sentence)):
        return today - timedelta(days=(today.weekday() - wanted) % 7 or 7)
    if which == "next":
        return today + timedelta(days=ahead or 7)
    return today + timedelta(days=ahead)


def is_past(sentence: str) -> bool:
    """Whether a sentence tells of what has been: a verb in the past, and nothing that looks ahead."""
    past, future = _PAST.search(sentence), _FUTURE.search(sentence)
    if past is None or _MOVED.search(sentence):
        return False
    return future is None or past.start() < future.start()


def _clock(sentence: str) -> time | None:
    match = _CLOCK.search(sentence)
    if match is None:
        return None
    word = (match["word"] or "").casefold()
    if word:
        hour = {"noon": 12, "midnight": 0}.get(word, _COUNTS.get(word, 12))
        return time(hour + 12 if 1 <= hour <= 7 else hour % 24)
    hour = int(match["hour"] or match["hour2"] or match["hour3"])
    minute = int(match["minute"] or match["minute2"] or 0)
    half = (match["half"] or "").casefold()
    if (half == "pm" and hour < 12) or (not half and match["hour3"] and 1 <= hour <= 7):
        hour += 12
    if half == "am" and hour == 12:
        hour = 0
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _length(sentence: str) -> timedelta | None:
    match = _LENGTH.search(sentence)
    if match is None:
        return None
    said = match["count"].casefold()
    count = int(said) if said.isdigit() else _COUNTS[said]
    return {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}.get(
        match["unit"].casefold(), timedelta(weeks=1)
    ) * count
