"""What a sentence says around what it tells: hedges, chatter, thoughts that are only played with, what is over."""

import re
from collections.abc import Sequence
from itertools import pairwise

from kithnet.memory.language.time.clock import Mark, Token
from kithnet.memory.writing import phrases

_OPENING_QUESTIONS = frozenset(
    """who what when where why how which can could would will do does did are is am have has shall should may so and""".split()
)
_TAGS = frozenset("right isn't aren't don't doesn't won't remember okay ok yes no haven't".split())
HEDGES = re.compile(
    r"(?:^|(?<=[,.:;!] )|(?<=, and )|(?<=, but ))(?:as far as i know|you should know|(?:all )?i know(?: for sure)?|"
    r"i think|i believe|i guess|i hear|i suppose|"
    r"i'd say|i bet|if i remember (?:right|correctly|rightly)|if i'm not mistaken|if i'm not wrong|i'm told|"
    r"you can forget about reaching me"
    r"|it looks like|looks like|it seems|seems|let me tell you|mind you|believe me|i must say|i can tell you|just so you know|"
    r"for your information|so you know)(?: that)?,? (?!so\b)|\bof course,? |,? so (?:he|she|they) (?:says?|said|"
    r"tells? me)(?=[.!]?$)",
    re.IGNORECASE,
)
"""What people put around a statement that says nothing of who does what."""
_EXPECTED = frozenset("be last end finish take run start begin know keep only go stop wrap".split())
_NOW = phrases.CHANGES | frozenset("now supposed going meant told said thought planned until tomorrow but not".split())


def to_last(words: Sequence[Token], begin: int, marks: Sequence[Mark]) -> Sequence[Token]:
    """The words up to the end of the clause with the last time in it: what follows is chatter, "wish me luck"."""
    if not marks:
        return words
    last = begin + marks[-1].last
    while last < len(words) and words[last].low not in ",;:.!?()–—" and words[last].low not in ("unless", "if"):
        last += 1
    return words[:last]


def vague(words: Sequence[Token]) -> bool:
    """Whether a sentence only plays with a thought, or speaks of habits that are over."""
    low = [word.low for word in words]
    used_to = any(a == "used" and b == "to" for a, b in pairwise(low))
    expected = {
        at
        for at, (a, b) in enumerate(pairwise(low))
        if (a == "should" and b in _EXPECTED)
        or (a in ("i'd", "we'd") and b in ("mention", "better", "say", "tell", "let"))
    }
    return used_to or any(word in phrases.VAGUE and at not in expected for at, word in enumerate(low))


def tagged(words: Sequence[Token]) -> bool:
    """Whether a question only asks to agree: ", right?"."""
    low = [word.low for word in words if word.low not in ("?", '"')]
    comma = max((place for place, word in enumerate(low) if word == ","), default=-1)
    return comma > 2 and len(low) - comma <= 3 and low[comma + 1] in _TAGS


def wonders(words: Sequence[Token], begin: int, marks: Sequence[Mark]) -> bool:
    """Whether the question is a clause of its own after what is told: "chess, 9 to 10, who would have thought?"."""
    comma = max((place for place, word in enumerate(words) if word.low in (",", ";", "-", "–")), default=0)
    return (
        bool(marks) and begin + marks[-1].last <= comma < len(words) - 2 and words[0].low not in _OPENING_QUESTIONS
        and (words[comma + 1].low in _OPENING_QUESTIONS)
    )  # fmt: skip


def is_past(near: Sequence[Token], words: Sequence[Token]) -> bool:
    """Whether it is told as over: "I was at chess from 9 to 10", where nothing says that this has changed."""
    low = {word.low for word in words}
    return any(word.low in ("was", "were", "wasn't", "ate", "went", "ran") for word in near) and not low & _NOW
