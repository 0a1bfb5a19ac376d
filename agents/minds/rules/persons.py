"""Whom a memory is about: the one who says "I", or the one it names."""

import re
from collections.abc import Mapping, Sequence

from kithnet.agents.minds.rules import sides
from kithnet.agents.wording import FIRST_PERSON, FUNCTION_WORDS, NUMBER_WORDS, content_stems, named_people
from kithnet.memory.language.text import sentences, words
from kithnet.memory.owner import Hit


def whom(hit: Hit, names: Mapping[str, Sequence[str]], question: str = "") -> str:
    """The name of the one a memory is about: its speaker, where it says "I" or "my", else whom it names; "" for nobody.

    Only the sentence that says most of what is asked counts: "I met Ana. She has a boat." is about Ana. There somebody's
    "Ana's" or "Ana has" goes before others; the last name that was mentioned stands for "she".
    """
    asked = content_stems(question)
    said = sentences(hit.text) or [hit.text]
    place = max(range(len(said)), key=lambda at: (len(content_stems(said[at]) & asked), at == 0))
    sentence = said[place]
    spoken = set(words(sentence))
    third = {"he", "she", "his", "her", "he's", "she's", "they", "their", "they're"} & spoken
    if not spoken & FIRST_PERSON or _begins_with_other(sentence, names, hit):
        if subject := _subject(sentence, names, hit, asked):
            return subject
        before = " ".join(said[:place])
        if (third or place) and (earlier := _subject(before, names, hit, asked)):
            return earlier
    person = hit.sender or hit.about
    return names.get(person or "", (person or "",))[0]


def _begins_with_other(sentence: str, names: Mapping[str, Sequence[str]], hit: Hit) -> bool:
    """Whether somebody else is named before the speaker says "me": "Ana gave me a lift in her van" is about Ana."""
    others = [name for one, called in names.items() if one not in (hit.sender, hit.receiver) for name in called]
    parts = {part for name in others for part in words(name)}
    for word in words(sentence):
        if word in FIRST_PERSON:
            return False
        if word.removesuffix("'s") in parts:
            return True
    return False


def _subject(text: str, names: Mapping[str, Sequence[str]], hit: Hit, asked: frozenset[str]) -> str:
    """Of the people a text names, known or not, the one to whom something belongs, else the first; "" for none."""
    found = [names[one][0] for one in named_people(text, names) if one != hit.receiver]
    for match in _OF_SOMEBODY.finditer(text):
        name = match["name"]
        if match["verb"] and match["verb"] in FUNCTION_WORDS - _VERBS:
            continue
        known = next((names[one][0] for one in named_people(name, names)), name)
        ordinary = known is name and _begins(text, match.start()) and name.casefold() in sides.ordinary()
        if (
            not ordinary
            and not content_stems(name) <= asked
            and words(name)[0] not in FUNCTION_WORDS | NUMBER_WORDS.keys()
        ):
            if match["owns"]:
                return known
            found.append(known)
    return found[0] if found else ""


def _begins(text: str, at: int) -> bool:
    """Whether a sentence begins at a place, so that the capital there says nothing."""
    return not text[:at].rstrip(" \"'“(") or text[:at].rstrip(" \"'“(")[-1] in ".!?:…"


_THINGS_IN_ING = "wedding|building|painting|clothing|evening|morning|meeting|offspring|ring|wing|thing"
_OF_SOMEBODY = re.compile(
    rf"\b(?P<name>[A-Z][a-z]+)(?:(?P<owns>['’]s (?!(?!(?:{_THINGS_IN_ING})\b)\w+ing\b))|"
    r"(?= (?P<verb>[a-z]+s|[a-z]+ed|got|just|now|will|chose|took|bought|went)\b))"
)
_VERBS = frozenset("is was has does just now will".split())


def of_others(hit: Hit, named: Mapping[str, Sequence[str]], question: str, asked: str = "") -> bool:
    """Whether a memory tells of somebody by name, and of none of those who are asked about.

    asked: the question to which it is the reply. Somebody named in a reply to "who hired you?" is the value: it tells of
    the one who was asked.
    """
    if hit.sender in named and {"you", "your", "yours", "you're", "you've", "you'd", "you'll"} & {*words(asked)}:
        return False
    told_of = whom(hit, named, question).casefold()
    people = {name.casefold() for called in named.values() for name in called} | set(named) | {hit.sender}
    return bool(told_of) and not any(told_of in name or name in told_of for name in people if name)
