"""Times that are given by another activity: "right after lunch", "an hour before the match starts"."""

from collections.abc import Sequence

from kithnet.memory.language.time.clock import Mark, Token
from kithnet.memory.language.time.numbers import phrases as wordings
from kithnet.memory.writing import phrases

_AFTER: tuple[tuple[str, ...], ...] = (
    ("after", "the", "end", "of"), ("from", "the", "end", "of"), ("when", "i'm", "done", "with"), ("once", "i'm", "done", "with"),
    ("at", "the", "end", "of"), ("as", "soon", "as"), ("the", "moment"), ("after",), ("following",),
    ("on", "the", "heels", "of"), ("in", "the", "wake", "of"), ("the", "minute"), ("the", "second"), ("the", "instant"),
    ("follows",), ("once",), ("when",), ("whenever",), ("since", "the", "end", "of"),
)  # fmt: skip
_BEFORE: tuple[tuple[str, ...], ...] = (
    ("before", "the", "start", "of"), ("before", "the", "beginning", "of"), ("leads", "up", "to"), ("leads", "into"),
    ("up", "to", "the", "start", "of"), ("up", "to", "the", "beginning", "of"), ("until", "the", "start", "of"), ("till",),
    ("until", "the", "beginning", "of"), ("right", "up", "to"), ("up", "until"), ("up", "to"), ("until",), ("before",),
    ("ahead", "of"), ("leading", "up", "to"), ("prior", "to"), ("preceding",), ("till", "the", "start", "of"),
)  # fmt: skip
_NEEDS_VERB = wordings("when/once/as soon as/the moment/whenever/the minute/the second/the instant")
"""Ways to begin that say only with a verb of ending or starting which edge is meant."""
_ADVERBS = frozenset("right straight directly immediately just only soon shortly".split())
_OVER = frozenset("over ends end ended finishes finished finish done stops stopped through up behind".split())
_BEGUN = frozenset("starts start begins begin started beginning commences".split())
_LINKS = frozenset("is are has have am i'm i've my we're with it's me been".split())
_OTHERS = frozenset("we we're we've there there's comes".split())
IT = "it"
"""The anchor of "as soon as that's over": what was spoken of last."""
_IT = frozenset("it it's that that's this".split())
_FAR = 8
"""Tokens that an activity named as an anchor may take, its verb included."""


def added(words: Sequence[Token], text: str, marks: Sequence[Mark]) -> list[Mark]:
    """The time expressions of a sentence with those among them that another activity gives."""
    taken = {place for mark in marks if mark.kind != "shift" for place in range(mark.first, mark.last)}
    found: list[Mark] = list(marks)
    place = 0
    while place < len(words):
        mark = None if place in taken else _anchor(words, text, place, taken, marks)
        if mark is None:
            place += 1
            continue
        found = [one for one in found if not (one.first < mark.last and mark.first < one.last)]
        found.append(mark)
        place = mark.last
    return sorted(found, key=lambda one: one.first)


def _anchor(words: Sequence[Token], text: str, place: int, taken: set[int], marks: Sequence[Mark]) -> Mark | None:
    low = [word.low for word in words]
    if followed := _followed(words, text, place):
        return followed
    for leads, kind in ((_AFTER, "start"), (_BEFORE, "end")):
        for lead in leads:
            begin = place + len(lead)
            if lead == ("when",) and place and low[place - 1] in ("is", "was", "that's", "it's"):
                continue  # "ten is when it begins"
            if tuple(low[place:begin]) != lead:
                continue
            over = low[begin : begin + 1] in (["i'm"], ["we're"]) and low[begin + 2 : begin + 3] == ["with"]
            begin += 3 * over  # "as soon as I'm through with yoga"
            last, verb = _extent(low, begin, taken)
            verb = "over" if over else verb
            own = next((mark for mark in marks if mark.first == last), None)
            if last in taken and not (own and own.kind in ("end", "length")):
                continue  # "until dinner at seven" gives dinner a time of its own
            if lead in _NEEDS_VERB and not verb:
                continue
            named = phrases.activity(words[begin:last], text)
            if begin < len(words) and verb and words[begin].low in _IT:
                named = IT
            elif not named or phrases.is_pronoun(words[begin]):
                continue
            edge = "start" if verb == "over" or (not verb and kind == "start") else "end"
            first, gap = _opening(low, place, marks)
            if edge == "start":
                return Mark("start", first, last, minutes=gap, anchor=named)
            return Mark("end", first, last, minutes=gap, anchor=named)
    return None


def _followed(words: Sequence[Token], text: str, place: int) -> Mark | None:
    """ "Yoga is followed by chess": the words before name what it comes after."""
    low = [*(word.low for word in words), "", "", "", ""]
    leads = next((one for one in _ONWARD if tuple(low[place : place + len(one)]) == one), None)
    if leads is None or (leads[0] != "followed" and low[place + len(leads)] not in _AMOUNTS):
        return None
    first = place
    while first and low[first - 1] not in ",.;:!?()":
        first -= 1
    named = phrases.activity(words[first:place], text)
    return Mark("start", first, place + len(leads), anchor=named) if named else None


_ONWARD: tuple[tuple[str, ...], ...] = (
    ("followed", "by"), ("leads", "into"), ("leads", "straight", "into"), ("leads", "right", "into"), ("leads", "on", "to"),
    ("gives", "way", "to"), ("makes", "way", "for"), ("flows", "into"), ("turns", "into"), ("goes", "over", "into"),
)  # fmt: skip
_AMOUNTS = frozenset("a an one two three half ninety sixty thirty forty 30 45 60 90 120 another".split())


def _extent(low: Sequence[str], begin: int, taken: set[int]) -> tuple[int, str]:
    """Where the words that name the anchor end, and whether a verb says that it is over or has begun."""
    at = begin
    while at < len(low) and at - begin < _FAR and at not in taken and low[at] not in ",.;:!?()":
        if low[at] in _OVER:
            return at + 1, "over"
        if low[at] in _BEGUN:
            return at + 1, "begun"
        stop = low[at] in phrases.STOP and low[at] not in _LINKS
        if at > begin and (
            stop or _subject(low, at) or low[at] in ("for", "and", "comes", "takes", "lasts", "lasting", "taking")
        ):
            break
        at += 1
    return at, ""


def _subject(low: Sequence[str], at: int) -> bool:
    """Whether the words of another clause begin: "until choir I'm at work"."""
    return low[at] in (phrases.SPEAKER | _OTHERS) - {"my", "me", "mine"}


def _opening(low: Sequence[str], place: int, marks: Sequence[Mark]) -> tuple[int, int]:
    """Where the expression begins, and the minutes between: "an hour" of "an hour after"."""
    for mark in marks:
        if mark.kind == "shift" and mark.first < place <= mark.last:
            return mark.first, abs(mark.minutes)
    while place and low[place - 1] in _ADVERBS:
        place -= 1
    return place, 0
