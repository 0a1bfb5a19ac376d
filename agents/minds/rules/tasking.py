"""A task read for what is to be computed: which tool, over whose calendars, and what is left out.

The tool is the trained reader's choice; rules find the people, what is left out, and the hours that count. Whatever the tool, a
task has one of calendars only where it names whose they are, two people at least where they are compared, or everybody. No
tool is the answer to most tasks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kithnet.agents.minds.rules.exceptions import excluded
from kithnet.agents.wording import FUNCTION_WORDS, INTERROGATIVES, named_people
from kithnet.memory.language.reader import TOOLS, Reader
from kithnet.memory.language.text import stem
from kithnet.memory.language.time import clock, expressions
from kithnet.memory.language.time.clock import DAY, Token

SURE = 0.5
"""From which odds of the reader a task wants a tool."""
OF_TASTE = ("alike", "apart")
"""Tools that compare what two people like."""


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_CALENDAR = _stems(
    "activity activities schedule calendar appointment event plan agenda timetable commitment engagement programme program diary "
    "meeting planner itinerary entry entries obligation pastime day days occupation undertaking"
)
_ALL = frozenset(
    "all everyone everybody both each common every shared mutual mutually jointly simultaneously whole together".split()
)
_GROUP = frozenset(
    "everyone everybody friends contacts others anyone anybody nobody none group they them their theirs we us our".split()
)
"""Words for more people than one: a task about calendars names whose they are, or has one of these."""
_NO_NAMES = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december i english please""".split()
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute. people: names the task gives, whose calendars it is about; none of them: everybody's.

    excluded: activities to leave out. window: minutes of the day that count. least: minutes that a gap must have.
    twice: what two people do together counts for each of them. liked: what is compared is liked by both, else disliked.
    """

    tool: str
    people: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    window: tuple[int, int] = (0, DAY)
    least: int = 1
    twice: bool = False
    liked: bool = True


def read(task: str, names: Mapping[str, Sequence[str]], pair: tuple[str, str], reader: Reader) -> Plan | None:
    """The plan of a task, None where it asks for no tool.

    names: id -> names of everybody the instructor's agent knows. pair: names of the instructor and the assistant, whom "I"
    and "we" mean.
    """
    odds = reader.tools([task])[0]
    tool = TOOLS[int(odds.argmax())]
    if tool == "none" or odds.max() < SURE:
        return None
    tokens = clock.tokens(task)
    left_out, rest = excluded(tokens, task)
    if tool in OF_TASTE:
        people = _two(task, rest, names, pair)
        liked = tool == "apart" or not {stem(token.low) for token in rest} & _HATING
        return Plan(tool, people, liked=liked) if len(people) == 2 else None
    people = _people(task, rest, names, pair)
    needed = 2 if tool == "busiest" else 1
    if len(people) < needed and not {token.low for token in tokens} & (_ALL | _GROUP):
        return None
    window, least = _bounds(rest)
    return Plan(tool, people, left_out, window, least, _twice(rest))


def _two(
    task: str, tokens: Sequence[Token], names: Mapping[str, Sequence[str]], pair: tuple[str, str]
) -> tuple[str, ...]:
    """The people whose tastes are compared: where two are named, those, whoever asks for them: "If I brought ..."."""
    people = _people(task, tokens, names, pair)
    named = tuple(name for name in people if re.search(rf"\b{re.escape(name)}\b", task, re.IGNORECASE))
    if len(named) == 2:
        return named
    asker = _ASKER_TOO.search(task) or {"we", "us", "our", "both"} & {token.low for token in tokens}
    return people if asker else named


_ASKER_TOO = re.compile(
    r"\b(?:I|me|mine) and\b|\b(?:and|as|like|than|with|but|or) (?:I|me|mine|myself|my)\b|\bdo I\b.*\b(?:share|agree|differ)"
)
"""Who asks is one of the two: "Ana and I", "with me". "What should I bring to Ana?" compares nobody."""


_HATING = _stems("hate dislike loathe detest stand bear despise hated aversion")


def _bounds(tokens: Sequence[Token]) -> tuple[tuple[int, int], int]:
    """The part of the day that counts, and the length that a gap must have."""
    window, least = (0, DAY), 1
    for mark in expressions.marks(tokens, to_24=True):
        first, last = clock.settle(mark.start, mark.end)
        if mark.kind == "range" and first is not None and last is not None and last <= DAY:
            window = (first, last)
        elif mark.kind == "start" and first is not None and tokens[mark.first].low in ("from", "after"):
            window = (first, window[1])
        elif mark.kind == "length":
            least = mark.minutes
    return window, least


def _twice(tokens: Sequence[Token]) -> bool:
    """Whether a task counts what people share once for each of them."""
    low = [token.low for token in tokens]
    text = f" {' '.join(low)} "
    once_each = any(
        f" {phrase} " in text
        for phrase in (
            "for each of",
            "once for each",
            "once per person",
            "counting common ones for each",
            "for each",
            "each time",
            "two times",
            "for both of",
        )
    )
    shared = bool(set(low) & {"shared", "joint", "jointly", "common", "together", "both"})
    told_how = any(
        f" {phrase} " in text for phrase in ("per person", "two entries", "for both", "each person", "for each person")
    )
    own_lists = " own list" in text or " own calendar" in text
    return (
        bool(set(low) & {"twice", "double", "doubly", "separately"}) or once_each or own_lists or (shared and told_how)
    )


def _people(
    task: str, tokens: Sequence[Token], names: Mapping[str, Sequence[str]], pair: tuple[str, str]
) -> tuple[str, ...]:
    """Names whose calendars a task is about, in order of mention; none for everybody's."""
    kept = " ".join(token.text for token in tokens)
    found: dict[str, int] = {names[person][0]: kept.find(names[person][0]) for person in named_people(kept, names)}
    known = {part.casefold() for name in found for part in name.split()} | {
        part.casefold() for called in names.values() for name in called for part in name.split()
    }
    for place, token in enumerate(tokens):
        if token.text[:1].isupper() and token.low.removesuffix("'s") not in known and _is_name(tokens, place):
            name, start = token.text.replace("’", "'").removesuffix("'s"), kept.find(token.text)
            before = next((one for one, at in found.items() if at >= 0 and at + len(one) + 1 == start), "")
            if before and kept[start - 1] == " " and before not in {called[0] for called in names.values()}:
                found[f"{before} {name}"] = found.pop(before)  # "Royal Hotel" is one name, not two
            else:
                found.setdefault(name, start)
    low = {token.low for token in tokens}
    if low & {"we", "us", "our"} and not low & {"all", "everybody", "everyone"}:
        found = {pair[0]: -2, pair[1]: -1, **found}
    elif low & {"i", "my", "me"}:
        found = {pair[0]: -1, **found}
    return tuple(sorted(found, key=lambda name: found[name]))


def _is_name(tokens: Sequence[Token], place: int) -> bool:
    """Whether a capitalised word names somebody: no day, no month, and not merely the first of its sentence."""
    token = tokens[place]
    low = token.low.removesuffix("'s")
    if (
        low in _NO_NAMES
        or low in FUNCTION_WORDS
        or low in INTERROGATIVES
        or stem(low) in _CALENDAR
        or not token.text.isidentifier()
    ):
        return (
            token.low.endswith("'s")
            and low not in FUNCTION_WORDS
            and low not in _NO_NAMES
            and stem(low) not in _CALENDAR
        )
    first = place == 0 or tokens[place - 1].low in '.?!:;"“('
    if not first:
        return True
    after = tokens[place + 1 : place + 3]
    return bool(after) and after[0].low in ("and", ",", "&") and len(after) > 1 and after[1].text[:1].isupper()
