"""Which days a sentence speaks of, seen from the moment at which it is said; what it does not say, its tense decides."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from kithnet.memory.language.time import clock, dates, expressions
from kithnet.memory.language.time.dates import Named

Tense = Literal[-1, 0, 1]
"""Past, unknown, future."""
Span = tuple[date, date]
"""The first day, and the one after the last."""
_DAY = timedelta(days=1)
_TENSES = re.compile(
    r"\b(?:(?P<future>will|shall|going to|gonna|won't|would|wanna|want|need|wish|hope|plan(?:ning|s)?|let's|let me|let us|"
    r"please|(?:can|could) (?:you|i|we)|was (?:hoping|thinking|wondering|planning|going|looking)|"
    r"(?:is|are|am|be|being|it's|we're) \w+(?:ing|ed)|(?:moved?|change|switch|make|push) (?:it |that )?to|coming up|is on|are on|"
    r"'ll|\w+'ll|\w+'d (?:like|love|rather|prefer)|(?:re)?schedul(?:ed?|ing)|booked|reserved?|invited|supposed|due|postponed|"
    r"instead)|(?P<past>was|were|had|did|went|came|saw|took|met|broke|won|lost|found|bought|sold|got|made|left|ate|fell|flew|"
    r"drove|told|said|burnt|slept|sang|ran|caught|wrote|spent|woke|heard|dreamt|felt|kept|began|drank|gave|grew|held|led|paid|"
    r"rode|sat|sent|spoke|stood|swam|taught|threw|wore|built|chose|drew|fought|forgot|froze|hid|learnt|lit|rang|sank|shook|"
    r"stole|tore|knew|thought|(?:i|he|she|we|they|and|who|it) (?:put|cut|let|set|hit|hurt|shut|quit|read)|"
    r"(?!(?:need|bed|red|wed|seed|feed|speed|indeed|hundred|tired|interested|excited|expected|called|named|wanted|sacred|"
    r"wicked|naked)\b)(?<!-)(?:(?<=^)\w|(?-i:[a-z]))\w+ed))\b",
    re.IGNORECASE,
)
_MOVED = re.compile(
    r"\b(?:postponed|rescheduled|moved\b.*\bto|pushed\b.*\bto|brought forward|put off|change of|instead)\b",
    re.IGNORECASE,
)
_STOP = re.compile(r"(?<=\w[.!?]) (?=[A-Z])")
_JOINT = re.compile(r"\s*(?:-|–|to|till?|until|through|thru|and)\s*(?:the\s*)?", re.IGNORECASE)
_NEAR = 400
"""Characters to either side of a date among which its verb is looked for."""
_EDGES = {"start": 0, "beginning": 0, "early": 0, "middle": 1, "mid": 1, "end": 2, "late": 2}


@dataclass(frozen=True, slots=True)
class When:
    """start, end: what the words cover, end exclusive. said: the words. exact: they name a time of day."""

    start: datetime
    end: datetime
    said: str
    exact: bool = False


def find(sentence: str, at: datetime) -> When | None:
    """The first time a sentence speaks of, seen from the moment `at`; None when it names none, or none that exists."""
    spans = _spans(sentence, at.date())
    one, (first, last) = next(spans, (None, (at.date(), at.date())))
    if one is None:
        return None
    said = sentence[one.first : one.last].strip()
    other, (onward, end) = next(spans, (one, (first, last)))
    if onward > first and _joined(sentence, one, other):
        return When(_midnight(first), _midnight(end), sentence[one.first : other.last].strip())
    hours = _hours(sentence) if last - first == _DAY else None
    if hours is None:
        return When(_midnight(first), _midnight(last), said)
    start, end = (_midnight(first) + timedelta(minutes=minute) for minute in hours)
    return When(start, end, said, True)


def times(sentence: str, at: datetime) -> Iterator[When]:
    """Every day, week, month or year that a sentence names, in the order in which they are said."""
    for one, (first, last) in _spans(sentence, at.date()):
        yield When(_midnight(first), _midnight(last), sentence[one.first : one.last].strip())


def is_past(sentence: str) -> bool:
    """Whether a sentence tells of what has been: a verb in the past, and nothing before it that looks ahead."""
    return _tense(sentence, 0, 0) < 0


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _spans(sentence: str, today: date) -> Iterator[tuple[Named, Span]]:
    for one in dates.named(sentence):
        if one.kind == "bare":
            continue
        try:
            yield one, meant(one, today, _tense(sentence, one.first, one.last))
        except (ValueError, OverflowError):  # no such day, as 31 June, or beyond the calendar
            continue


def _tense(sentence: str, first: int, last: int) -> Tense:
    """What the verb says that stands last before the characters from `first` to `last`, or else the first after them."""
    near = max(0, first - _NEAR)
    begin = max((mark.end() for mark in _STOP.finditer(sentence, near, first)), default=near)
    end = _STOP.search(sentence, last, last + _NEAR)
    first, last, sentence = first - begin, last - begin, sentence[begin : end.start() if end else last + _NEAR]
    if _MOVED.search(sentence):
        return 1
    told: Tense = 0
    for match in _TENSES.finditer(sentence):
        if match.start() >= first and told:
            break
        if match.end() <= first or match.start() >= last:
            told = 1 if match["future"] else -1
    return told


def _joined(sentence: str, one: Named, other: Named) -> bool:
    """Whether two days are the ends of one stretch: "13-15 June", "from the 3rd to the 5th"."""
    joint = _JOINT.fullmatch(sentence[one.last : other.first])
    if joint is None or _MOVED.search(sentence):
        return False
    return "and" not in joint[0] or sentence[: one.first].casefold().rstrip(" the").endswith("between")


def _hours(sentence: str) -> tuple[int, int] | None:
    """From which minute to which: of the first time of day that no date is made of. It takes an hour if nothing is said."""
    for one in dates.named(sentence):
        if "day" in one.said:
            sentence = f"{sentence[: one.first]}{' ' * (one.last - one.first)}{sentence[one.last :]}"
    if not clock.may_tell_time(sentence):
        return None
    marks = [mark for mark in expressions.marks(clock.tokens(sentence)) if not mark.denied]
    timed = next((mark for mark in marks if mark.start or mark.end), None)
    if timed is None:
        return None
    start, end = clock.settle(timed.start or timed.end, timed.end if timed.start else None)
    length = next((mark.minutes for mark in marks if mark.kind == "length"), 60)
    return start or 0, end or (start or 0) + length


def meant(one: Named, today: date, tense: Tense = 0) -> Span:
    """What a name means. Raises ValueError or OverflowError for a day that does not exist."""
    step = dates.STEPS.get(one.said.get("which", ""))
    if one.kind == "fixed":
        return _one(today + timedelta(days=_fixed(one.said["fixed"])))
    if one.kind == "away":
        base = today + timedelta(days=_fixed(one.said.get("fixed", "")))
        return _one(_moved(base, -one.count if "ago" in one.said else one.count, one.said["unit"]))
    if one.kind == "week":
        return _one(_unit("week", step or 0, today)[0] + timedelta(days=one.weekday or 0))
    if one.kind == "weekday":
        return _weekday(one, step, today, tense)
    if one.kind == "unit":
        return _unit(one.said["unit"], (-1 if tense < 0 else 0) if step is None else step, today)
    if one.kind == "year":
        return date(one.year or 0, 1, 1), date((one.year or 0) + 1, 1, 1)
    if one.kind == "day":
        return _of_month(one, step, today, tense)
    whole = _unit(one.said["unit"], step or 0, today) if "unit" in one.said else _month(one, step, today, tense)
    return _part(one, whole) if one.kind in ("edge", "nth") else whole


def _one(day: date) -> Span:
    return day, day + _DAY


def _fixed(said: str) -> int:
    return dates.FIXED.get(said, int(said.startswith(("tom", "tm", "2m"))))


def _months(year: int, month: int) -> Span:
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _moved(day: date, count: int, unit: str) -> date:
    if unit in ("month", "year"):
        first, after = _months(day.year, day.month + count * (12 if unit == "year" else 1))
        return min(first + timedelta(days=day.day - 1), after - _DAY)
    return day + timedelta(days=count * {"hour": 0, "week": 7, "fortnight": 14}.get(unit, 1))


def _unit(unit: str, step: int, today: date) -> Span:
    monday = today + timedelta(weeks=step) - timedelta(days=today.weekday())
    if unit == "week":
        return monday, monday + timedelta(weeks=1)
    if unit == "weekend":
        return monday + timedelta(days=5), monday + timedelta(days=7)
    if unit == "month":
        return _months(today.year, today.month + step)
    return date(today.year + step, 1, 1), date(today.year + step + 1, 1, 1)


def _weekday(one: Named, step: int | None, today: date, tense: Tense) -> Span:
    ahead = ((one.weekday or 0) - today.weekday()) % 7
    if step == 2:
        return _one(today + timedelta(days=(ahead or 7) + 7))
    if step == -1 or (tense < 0 and not step and "unit" not in one.said):
        return _one(today - timedelta(days=7 - ahead))
    ahead = 7 if not ahead and step == 1 else ahead
    return _one(today + timedelta(days=ahead + 7 * ("unit" in one.said) * one.count))


def _month(one: Named, step: int | None, today: date, tense: Tense) -> Span:
    """A month by its name, or so far from this one."""
    if not one.month:
        return _months(today.year, today.month + (step or 0))
    if one.year:
        return _months(one.year, one.month)
    near = [_months(today.year + off, one.month) for off in (-1, 0, 1)]
    if step:
        near = [span for span in near if not span[0] <= today < span[1]]
    return _nearest(near, today, tense if not step else -1 if step < 0 else 1)


def _of_month(one: Named, step: int | None, today: date, tense: Tense) -> Span:
    """A day of a month. Where the month is not said, it is the one in which the day comes next, or was last."""
    if one.month:
        years = [one.year] if one.year else range(today.year - 4, today.year + 5)
        months = [_months(year, one.month) for year in years]
    elif step is not None:
        months = [_months(today.year, today.month + step)]
    else:
        months = [_months(today.year, today.month + off) for off in range(-12, 13)]
        tense = tense or 1
    day = timedelta(days=(one.day or 0) - 1)
    days = [_one(first + day) for first, after in months if first <= first + day < after]
    fitting = [span for span in days if span[0].weekday() == one.weekday and abs(span[0] - today) < timedelta(370)]
    return _nearest(fitting or days, today, tense)


def _nearest(spans: Iterable[Span], today: date, tense: Tense) -> Span:
    """The span that is nearest to a day on the side that the tense tells; where it tells none, what is ahead counts for
    nearer by a factor of three. Raises ValueError if there is none."""
    back, on = {-1: (1, 1000), 0: (3, 1), 1: (1000, 1)}[tense]
    return min(spans, key=lambda span: back * max(0, (today - span[1]).days + 1) + on * max(0, (span[0] - today).days))


def _part(one: Named, whole: Span) -> Span:
    """The first, middle or last third of a week, month or year, its first or last day, or one of its weekdays."""
    first, last = whole
    edge = one.said.get("edge", "")
    if edge.endswith("day"):
        return _one(first if edge.startswith("first") else last - _DAY)
    if edge:
        third = math.ceil((last - first).days / 3) * _DAY
        return ((first, first + third), (first + third, last - third), (last - third, last))[_EDGES[edge]]
    days = [first + n * _DAY for n in range((last - first).days) if (first + n * _DAY).weekday() == one.weekday]
    return _one(days[{"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}[one.said["nth"]]])
