"""Who takes part in what a sentence tells: subjects, those named after "with", and whose word it is."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kithnet.memory.language.time.clock import Token
from kithnet.memory.writing import phrases
from kithnet.memory.writing.extract import Cast

UNKNOWN = "?"
"""Stands for somebody whom the owner does not know: a sister, a boss."""
BOTH = "both"
_MEETING = frozenset("see meet meets meeting join joins joining accompany accompanying".split())
_TOGETHER = frozenset({"with", "alongside", "plus"}) | _MEETING
_COMING = frozenset("comes come joins join tags coming joining along too".split())
_FINDING = frozenset("find see catch meet reach spot".split())
_OBJECTS = frozenset("for to of at by about from meets meet see call visit".split())


@dataclass(frozen=True, slots=True)
class View:
    """What a sentence is read from: who speaks to whom, and of whom they spoke last.

    frames: words that lead to whatever is done in this talk; see `habits`.
    """

    speaker: str
    listener: str
    cast: Cast
    to_24: bool = False
    referent: str = ""
    frames: frozenset[str] = frozenset()


def people_in(words: Sequence[Token], cast: Cast) -> list[tuple[int, int, str]]:
    """Known people named in tokens: place, tokens taken, id."""
    found = []
    low = [word.low.removesuffix("'s") for word in words]
    place = 0
    while place < len(low):
        called = cast.called(low, place) if words[place].text[:1].isupper() else None
        if called is not None:
            found.append((place, called[1], called[0]))
            place += called[1]
        else:
            place += 1
    return found


def reporter(words: Sequence[Token], view: View) -> tuple[str, int]:
    """Who is passed on, "" for nobody, and where the passed-on words begin: "Dave told me that", "according to Carol"."""
    low = [word.low for word in words]
    named = people_in(words, view.cast)
    for place, width, person in named:
        if place >= 2 and low[place - 2 : place] == ["according", "to"]:
            return person, place + width
        if place >= 2 and low[place - 1] == "from" and low[place - 2] in _SOURCES:
            return person, place + width + (low[place + width : place + width + 1] in (["that"], [":"], [","]))
        if place and low[place - 1] == "asked" and low[place + width : place + width + 1] == [":"]:
            return person, place + width + 1
    for place, word in enumerate(low[:-1]):
        slip = word in ("let", "lets") and low[place + 1] in ("slip", "on", "drop")
        if not (phrases.reports(word) or slip) or place > 6:
            continue
        who = next((person for at, width, person in named if at + width in (place, place - 1)), "")
        if not who and place and low[place - 1] in ("he", "she", "they"):
            who = view.referent
        if not who or who == view.speaker:
            continue
        begin = place + 1
        passing = (
            "me",
            "us",
            "you",
            "that",
            ":",
            ",",
            "to",
            "know",
            "about",
            "tell",
            "pass",
            "on",
            "slip",
            "drop",
            "earlier",
            "yesterday",
        )
        while begin < len(low) and low[begin] in passing:
            begin += 1
        return who, begin
    return "", 0


def companions(words: Sequence[Token], view: View) -> tuple[list[str], list[Token]]:
    """Who is named after "with", as coming along, or beside "me" after "for"; and the tokens that say so."""
    found: list[str] = []
    taken: list[Token] = []
    named = {place: (width, person) for place, width, person in people_in(words, view.cast)}
    for place, word in enumerate(words):
        if word in taken:
            continue
        begins = word.low in _TOGETHER or (word.low == "for" and _beside_me(words, place, named))
        if begins:
            group, at = _group(words, place + 1, named, view)
            if group:
                found += group
                taken += words[place + (word.low in _MEETING) : at]
        elif (place in named and place >= 2 and (words[place - 2].low, words[place - 1].low) in _SO_DOES) or (
            place in named
            and (
                (place and _comes_along(words, place + named[place][0])) or _takes_part(words, place + named[place][0])
            )
        ):
            found.append(named[place][1])
            taken += words[place : place + named[place][0]]
        elif word.low in ("you", "you're", "you'll") and _takes_part(words, place + 1):
            found.append(view.listener)
            taken.append(word)
        elif (word.low == "of" and place and words[place - 1].low == "company") or (
            word.low == "by" and _partnered(words, place)
        ):
            group, at = _group(words, place + 1, named, view)
            found += group
            taken += words[place - 1 : at] if group else ()
        elif word.low == "see" and [one.low for one in words[place + 1 : place + 3]] == ["you", "at"]:
            found.append(view.listener)
            taken += words[place : place + 2]
    return found, taken


_SO_DOES = frozenset((a, b) for a in ("so", "as") for b in ("will", "does", "is", "do", "has", "are", "shall"))


def _partnered(words: Sequence[Token], place: int) -> bool:
    return bool(place) and words[place - 1].low in ("accompanied", "joined", "partnered")


def _takes_part(words: Sequence[Token], place: int) -> bool:
    """Whether what follows a name says that its bearer does it as well: "joins me", "is my partner", "is there too"."""
    low = [word.low for word in words[place : place + 7]]
    text = " ".join(low) + " "
    owner = words[place - 1].low.endswith(("'s", "'re", "'ll"))
    is_too = _TOO.match(text)
    return bool(is_too or _JOINING.match(text) or (_PARTNER.match(("is " if owner else "") + text)))


_TOO = re.compile(
    r"(?:(?:is|are|does|doing|has|will|be|it|there|that|so|in|on|coming|goes|going|of|part|the|same) ){0,5}(?:too|"
    r"as well|likewise) "
)
_JOINING = re.compile(
    r"(?:(?:is|are|will|be|'ll|am) )?(?:(?:joins?|joining|accompan\w+) (?:me|us|in|my|our)|(?:comes?|coming|tags?|tagging) along|"
    r"(?:takes?|taking) part in (?:my|our|it)|(?:are |is )?in on (?:it|that)|(?:is )?with (?:me|us) )"
)
_PARTNER = re.compile(
    r"(?:is|are|will be) my (?:\w+ )?(?:partner|companion|team-?mate|opponent|buddy|mate|team mate|co-\w+)\b"
)
_SOURCES = frozenset(
    "it heard know learned learnt hear word news message update greetings note got reminder text".split()
)


def _beside_me(words: Sequence[Token], place: int, named: dict[int, tuple[int, str]]) -> bool:
    near = [word.low for word in words[place + 1 : place + 5]]
    return "me" in near and "and" in near and any(at in named for at in range(place + 1, place + 5))


def _comes_along(words: Sequence[Token], place: int) -> bool:
    after = [word.low for word in words[place : place + 3]]
    if after[:1] and after[0] in ("is", "will", "'ll", "wants"):
        after = after[1:]
    return bool(after) and after[0] in _COMING


def _group(words: Sequence[Token], at: int, named: dict[int, tuple[int, str]], view: View) -> tuple[list[str], int]:
    group: list[str] = []
    while at < len(words):
        low = words[at].low
        if at in named:
            group.append(named[at][1])
            at += named[at][0]
        elif low in ("you", "yourself", "me", "myself"):
            group.append(view.listener if low[0] == "y" else view.speaker)
            at += 1
        elif low in ("him", "her", "them") and view.referent:
            group.append(view.referent)
            at += 1
        elif (group and low in ("and", ",", "&") and at + 1 < len(words) and (
            at + 1 in named or words[at + 1].low in ("you", "me")
        )) or low in ("both", "my", "friend", "our"):  # fmt: skip
            at += 1
        else:
            break
    return group, at


def subject(words: Sequence[Token], view: View, passed_on: str) -> list[str]:
    """Ids of those who do it, as far as the words begin with them; BOTH for "we".

    passed_on: whose words they are, if not the speaker's.
    """
    words = _without_address(words, view)
    named = {place: (width, person) for place, width, person in people_in(words, view.cast)}
    found: list[str] = []
    for place, word in enumerate(words):
        low = word.low
        if _is_kin(words, place) and place + 1 not in named:
            return [UNKNOWN]
        if found and low not in ("and", "&", ",") and place not in named and low not in ("i", "me", "you", "we"):
            break
        if place in named and not (place and words[place - 1].low in _OBJECTS):
            found.append(named[place][1])
        elif low in phrases.SPEAKER and not (low in ("me", "my") and place and phrases.reports(words[place - 1].low)):
            found.append(passed_on or view.speaker)
        elif low in phrases.BOTH:
            return [BOTH] if not passed_on else [passed_on, view.speaker]
        elif low in phrases.LISTENER and place < 6:
            seen = _found_person(words, place, named)
            found.append(view.speaker if _finds_me(words, place) else seen or view.listener)
        elif low in phrases.THIRD and view.referent:
            found.append(passed_on or view.referent)
    if not found:  # "for Dave it's rowing"
        found = [person for place, (_, person) in named.items() if place and words[place - 1].low == "for"]
    return list(dict.fromkeys(found))


def _without_address(words: Sequence[Token], view: View) -> Sequence[Token]:
    """The words without the listener's name at their start: "Ben, we're meeting"."""
    first = people_in(words[:4], view.cast)
    if first and first[0][0] == 0 and first[0][2] == view.listener:
        after = first[0][1]
        if after < len(words) and words[after].low == ",":
            return words[after + 1 :]
    return words


def _finds_me(words: Sequence[Token], place: int) -> bool:
    """ "You'll find me at": it is the speaker who is there."""
    near = [word.low for word in words[place + 1 : place + 5]]
    return any(a in _FINDING and b == "me" for a, b in itertools.pairwise(near))


def _found_person(words: Sequence[Token], place: int, named: dict[int, tuple[int, str]]) -> str:
    """Whom "you will find" there: "you'll find Dave at hockey"."""
    for at in range(place + 1, min(place + 5, len(words))):
        if at in named and words[at - 1].low in _FINDING:
            return named[at][1]
    return ""


def _is_kin(words: Sequence[Token], place: int) -> bool:
    """Whether somebody unknown does it: "my sister works", "my old friend has"."""
    if words[place].low not in phrases.KIN or place > 4:
        return False
    before = [word.low for word in words[max(0, place - 3) : place]]
    own = any(low in ("my", "our", "his", "her", "your", "their") for low in before)
    return own and not any(low in ("with", "for", "at", "see", "visit", "call", "meet", "visiting") for low in before)
