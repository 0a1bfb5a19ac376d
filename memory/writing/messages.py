"""A whole message read at once, where no sentence of it tells an event by itself: one activity, one stretch of time.

However the words are put, a message with one start and one end and something that is done tells of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kithnet.memory.language.time import clock, expressions
from kithnet.memory.language.time.clock import DAY, HALF, Clock, Mark, Token
from kithnet.memory.writing import asides, clauses, phrases, whose
from kithnet.memory.writing.clauses import Said
from kithnet.memory.writing.whose import View

_LONGEST = 10 * 60
"""Minutes between two bare times that may be the start and the end of one thing."""


@dataclass(frozen=True, slots=True)
class _Span:
    """When it is, and the tokens that say so."""

    start: int
    end: int
    marks: tuple[Mark, ...]


def read(text: str, view: View) -> Said | None:
    """What a message tells, None where it is not clear that it tells of one thing."""
    words = clock.tokens(text)
    if not words or text.rstrip().endswith("?") or asides.vague(words) or _is_over(words):
        return None
    reporter, begin = whose.reporter(words, view)
    marks = [mark for mark in expressions.marks(words, to_24=view.to_24) if not mark.denied and mark.kind != "shift"]
    span = _span(words, marks)
    if span is None:
        return None
    named, held = _activity(words, begin, span, text, view)
    if not named or phrases.denies(held) or phrases.calls_off(held) or phrases.is_free(held) or phrases.is_open(held):
        return None
    companions, taken = whose.companions(words[begin:], view)
    spare = {word.first for word in taken}
    subject = whose.subject([word for word in words[begin:] if word.first not in spare], view, reporter)
    if whose.UNKNOWN in subject:
        return None
    if whose.BOTH in subject:
        subject = [view.speaker] if companions else [view.speaker, view.listener]
    people = tuple(sorted({*(subject or [reporter or view.speaker]), *companions}))
    told = bool(subject or companions)
    return Said(named, people, "tell", span.start, span.end, named=told, told_by=reporter, companions=tuple(companions))


def _is_over(words: Sequence[Token]) -> bool:
    return any(word.low in ("yesterday", "ago", "was", "were", "used", "did") for word in words)


def _span(words: Sequence[Token], marks: Sequence[Mark]) -> _Span | None:
    """The one stretch of time that marks give together, however they are said to start and end."""
    kinds = [mark.kind for mark in marks]
    parts = {phrases.PARTS[word.low] for word in words if word.low in phrases.PARTS}
    part = parts.pop() if len(parts) == 1 else ""
    points: list[Clock] = [point for mark in marks for point in (mark.start, mark.end) if point is not None]
    lengths = [mark.minutes for mark in marks if mark.kind == "length"]
    if len(points) == 1 and len(lengths) == 1:
        (at,) = points
        minute = clock.alone(at, part)
        first = minute if "start" in kinds else (minute - lengths[0]) % DAY
        return _Span(first, first + lengths[0], tuple(marks))
    if len(points) != 2 or len(lengths) > 1:
        return None
    if "end" in kinds and kinds.index("end") == 0 and "start" in kinds:
        points.reverse()
    start, end = clock.settle(points[0], points[1], part)
    if start is None or end is None:
        return None
    bare = "end" not in kinds and "range" not in kinds
    return None if bare and not 0 < end - start <= min(_LONGEST, HALF) else _Span(start, end, tuple(marks))


def _activity(
    words: Sequence[Token], begin: int, span: _Span, text: str, view: View
) -> tuple[str, Sequence[Token]]:  # fmt: skip
    """What is done: of all phrases of the message that name something, the likeliest by its form and its nearness."""
    in_marks = {place for mark in span.marks for place in range(mark.first, mark.last)}
    runs: list[list[int]] = [[]]
    for place in range(begin, len(words)):
        if place in in_marks or not words[place].text[0].isalnum():
            runs.append([])
        else:
            runs[-1].append(place)
    best: tuple[float, str, Sequence[Token]] = (-1e9, "", ())
    for run in runs:
        held = [words[place] for place in run]
        named = clauses.activity(held, text, view)
        if not named:
            continue
        first = next((place for place in run if words[place].low == named.split()[0]), run[0])
        away = min(min(abs(place - first) for place in range(m.first, m.last)) for m in span.marks)
        worth = _form(named, words, first) - 0.3 * away
        best = max(best, (worth, named, held), key=lambda one: one[0])
    return best[1], best[2]


def _form(named: str, words: Sequence[Token], first: int) -> float:
    """How much a phrase looks like something that is done: a gerund, a name of its own, what "with" or "at" leads to."""
    gerund = any(word.endswith("ing") and len(word) > 5 for word in named.split())
    titled = first > 0 and words[first].text[:1].isupper() and words[first - 1].text[:1].isalnum()
    led = first > 0 and words[first - 1].low in ("with", "at", "for", "to", "on", "in", "of", "my")
    return 2.0 * gerund + 2.0 * titled + 1.0 * led - 0.5 * max(0, len(named.split()) - 3)
