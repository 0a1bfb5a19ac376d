"""What the owner states in the own chat: what of it is kept, which older statement it takes the place of, and how it then reads.

A statement gives values (a day, a time, a number, a name) to something; the words beside them are its frame. The same frame with
other values is the same thing told anew. A correction that has no frame ("No, on Saturday") gets that of what it corrects.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kithnet.agents.wording import content_stems
from kithnet.memory.language.text import words
from kithnet.memory.language.time.dates import named
from kithnet.memory.owner import Hit

_HALF = r"(?:[ap]\.?m\b\.?|o'clock)"
_SPELT = r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight)\b"
_TYPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("number", re.compile(rf"\b[\w-]*\d[\w-]*(?:[:.,]\d+)*(?: ?{_HALF})?|{_SPELT}(?: {_HALF})?", re.IGNORECASE)),
    ("name", re.compile(r"(?<!^)(?<![.!?:] )\b(?!I\b)[A-Z][\w'&-]*(?: [A-Z][\w'&-]*)*")),
)
_COMMAND = re.compile(r"^(?:please,? )?remember(?:,|:| that)? (?!to\b)(?=\S)|[\s,]*\bplease(?=[.!]?$)", re.IGNORECASE)
_LEAD = re.compile(
    r"^(?:(?:no|nope|oh|oops|wait|hang on|sorry|actually|correction|rather|well|hm+|scratch that|my mistake|"
    r"i was (?:wrong|mistaken)|i got (?:that|it) wrong|that(?:'s| is| was) wrong|i (?:meant|mean)|make (?:that|it)|"
    r"change (?:that|it) to|it should be|wrong \w+)\b[,:;.!– -]*)+",
    re.IGNORECASE,
)
_IS_NOW = re.compile(
    r"^(?:it|that|this|he|she|they)(?:['’]s|['’]re|['’]ll be| is| was| are| will be) (?:now |at |rather )?(?=\S)",
    re.IGNORECASE,
)
_NOW = re.compile(r"[\s,]*\b(?:instead|actually|now|then|after all|sorry|rather)(?=[.!]*$)", re.IGNORECASE)
_NOT = re.compile(r",? (?:and )?(?:not|instead of|rather than) [^,.;]+|^not [^,.;]+?(?:,| but) ", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are|was|were|will be)\b|['’]s(?= )")
_OF_IT = frozenset("he she it they his her their its".split())
_END = " .!;,"


@dataclass(frozen=True, slots=True)
class Value:
    """A stretch of a text that gives a value. kind: "date", "day", "number" or "name"."""

    kind: str
    text: str
    start: int
    end: int


def kept(sentence: str) -> str:
    """What is kept of a sentence: its words, without the order to remember them."""
    said = _COMMAND.sub("", sentence).strip()
    return f"{said[:1].upper()}{said[1:]}" if said else sentence


def values(text: str) -> list[Value]:
    """The values of a text in their order; a stretch is of the first kind that it can be."""
    found = [
        Value("date" if one.day else "day", text[one.first : one.last], one.first, one.last)
        for one in named(text)
        if one.day or one.kind in ("weekday", "week", "fixed")
    ]
    for kind, pattern in _TYPES:
        for match in pattern.finditer(text):
            if all(match.end() <= one.start or match.start() >= one.end for one in found):
                found.append(Value(kind, match[0], match.start(), match.end()))
    return sorted(found, key=lambda one: one.start)


def frame(text: str) -> frozenset[str]:
    """Stems of the words of a text beside its values; a name with which it begins is whose it is, and stays."""
    rest = text
    for one in reversed(values(text)):
        rest = f"{rest[: one.start]} {rest[one.end :]}"
    return content_stems(rest)


def same_thing(new: str, old: Sequence[Hit]) -> Hit | None:
    """The newest of the older statements that gives other values to the same thing; None for none."""
    framed, given = frame(new), {(one.kind, one.text.casefold()) for one in values(new)}
    for hit in old:
        before = {(one.kind, one.text.casefold()) for one in values(hit.text)}
        alike = {kind for kind, _ in given} == {kind for kind, _ in before}
        if framed and alike and given != before and framed == frame(hit.text):
            return hit
    return None


def meant(correction: str, last: Hit | None, old: Sequence[Hit]) -> Hit | None:
    """Which statement a correction is about: the one it shares most words with, else what was spoken of last."""
    said = frame(_bare(correction))
    best = max(old, key=lambda hit: len(said & content_stems(hit.text)), default=None)
    return best if best is not None and said & content_stems(best.text) else last


def says_no(sentence: str) -> str:
    """What a sentence says behind words that only tell that something was wrong; "" where it has no such words."""
    said = _LEAD.sub("", sentence.strip())
    return said if said != sentence.strip() else ""


def goes_on(sentence: str) -> bool:
    """Whether a sentence is about what the one before it is about: it begins with a pronoun for that."""
    return bool(_OF_IT & {word.partition("'")[0] for word in words(sentence)[:1]})


def takes_back(old: str, sentence: str) -> bool:
    """Whether a sentence replaces an older text: it says so, or it gives but other values of the kinds that are there."""
    return bool(_LEAD.match(sentence.strip()) or _NOT.search(sentence) or _NOW.search(sentence)) or bool(
        _by_values(old, _bare(sentence))
    )


def corrected(old: str, correction: str) -> str:
    """How a statement reads once it is corrected, of its own words and those of the correction alone."""
    new = _bare(correction)
    shared = frame(new) & frame(old)
    if shared and shared < frame(old) and (filled := _by_values(old, new)):
        return filled
    if (
        3 * len(shared) >= max(1, len(frame(old))) and shared and not _OF_IT & set(words(new)[:1])
    ):  # it says what it is about
        return kept(new)
    return _by_values(old, new) or _by_place(old, new) or f"{old.rstrip(_END)}. {kept(correction)}"


def _bare(correction: str) -> str:
    """A correction without what only says that it is one, and without what it denies."""
    text = _LEAD.sub("", correction.strip())
    text = _NOW.sub("", _NOT.sub(" ", _IS_NOW.sub("", text)))
    return " ".join(text.split()).strip() or correction


def _by_values(old: str, new: str) -> str:
    """The old text with the new values in the places of the old ones of their kinds; "" where they do not fit."""
    new = f"x {new}"  # a name that begins a text is one here
    after = values(new)
    if not after or not frame(new) - {"x"} <= content_stems(old):
        return ""
    if not {one.kind for one in after} <= {one.kind for one in values(old)}:
        return _by_stretch(old, new, after)
    text = old
    for kind in {one.kind for one in after}:
        places = [one for one in values(text) if one.kind == kind]
        given = [one for one in after if one.kind == kind]
        if len(given) > len(places):
            return ""
        for place, value in reversed(list(zip(places[-len(given) :], given, strict=True))):
            text = f"{text[: place.start]}{value.text}{text[place.end :]}"
    return text


def _by_stretch(old: str, new: str, after: Sequence[Value]) -> str:
    """The stretch from the first to the last value replaced as a whole, where the new one has values of all its kinds."""
    before = values(old)
    if not before or not {one.kind for one in before} <= {one.kind for one in after}:
        return ""
    return f"{old[: before[0].start]}{new[after[0].start : after[-1].end]}{old[before[-1].end :]}"


def _by_place(old: str, new: str) -> str:
    """The old text up to the word with which the new one begins ("in the hall", "in the kitchen"), or up to its verb."""
    first = words(new)[:1]
    if not first:
        return ""
    places = [match.start() for match in re.finditer(rf"\b{re.escape(first[0])}\b", old, re.IGNORECASE)]
    if places and places[-1] > 0:
        return f"{old[: places[-1]]}{new}"
    verbs = list(_IS.finditer(old))
    return f"{old[: verbs[-1].end()]} {new}" if len(verbs) == 1 and len(words(new)) <= 4 else ""
