"""A question inside a question: "Where does the person who is allergic to nuts live?" asks first who that is, then where.

The relative clause is found by code; where it ends is often clear only to a reader, so the local model says which of the
possible pairs of questions reads best.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kithnet.agents.wording import questions, sentences, words
from kithnet.runtime.chat import ChatModel, Message
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

BLANK = "{}"
_PERSON = r"person|one|somebody|someone|man|woman|guy|individual|friend|boy|girl|people"
_THING = r"place|town|city|shop|house|book|thing|company|club|venue|film|team|animal|school|restaurant|event|city|country|object"
_NESTED = re.compile(
    rf"\b(?:the|that|a) (?:(?P<person>{_PERSON})|(?P<thing>{_THING})),? "
    r"(?P<link>who|that|which|whose|with|in|of) (?P<rest>[^?]+)\?",
    re.IGNORECASE,
)
_HOLDER = re.compile(
    r"\b(?P<noun>the (?:patient|tenant|owner|author|winner|driver|student|pupil|client|customer|fan|member|neighbour|buyer|"
    r"player|holder|employee|guest) of) (?P<rest>[^?]+)\?",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?P<who>[A-Z][^.?!]*?) (?P<verb>\w+s|\w+ed) (?P<what>an?|one|some) (?P<thing>\w+)[.;:]\s+"
    r"(?P<ask>[^?]*\b(?:it|there|that)\b[^?]*\?)"
)
_NAME = "Anna"
"""Stands for the answer of the first question while the model reads a pair."""
_ASKED_PERSON = re.compile(r"Which person(?:'s)?\b")


@dataclass(frozen=True, slots=True)
class Chain:
    """first: what must be known first. second: the question that its answer completes, BLANK in the answer's place."""

    first: str
    second: str


async def split(model: ChatModel, task: str, failed: Callable[[str], None]) -> Chain | None:
    """The two questions that a task nests, None for a task without a question inside."""
    found = list(possible(task))
    if len(found) <= 1:
        return found[0] if found else None
    pairs = [f" {chain.first} {_said(chain)}" for chain in found]
    try:
        scores = await model.score([Message("user", "Two short questions:")], pairs, raw=True)
    except (ContextOverflow, ReplyInvalid) as error:
        failed(str(error))
        return None
    return found[scores.best]


def _said(chain: Chain) -> str:
    return chain.second.replace(BLANK, _NAME)


def possible(task: str) -> Iterator[Chain]:
    """Every way to take a task apart, by where its relative clause may end."""
    if stated := _STATED.search(task):
        ask = re.sub(r"\b(?:it|there|that)\b", BLANK, stated["ask"], count=1)
        if BLANK in ask:
            yield Chain(f"What is the {stated['thing']} that {stated['who']} {stated['verb']}?", ask)
            return
    asked = questions(task) or sentences(task)
    for question in asked if len(asked) == 1 else ():
        match = _NESTED.search(question) or _HOLDER.search(question)
        if match is None:
            return
        rest = match["rest"].split()
        lead = question[: match.start()]
        for end in range(len(rest), 0, -1):
            clause, tail = " ".join(rest[:end]), " ".join(rest[end:])
            short = len(words(clause)) < 1 + (match.re is _NESTED)
            if short or (tail and (_cuts(clause) or tail[:1].isupper())):
                continue
            yield Chain(_first(match, clause), f"{lead}{BLANK} {tail}".strip() + "?")


def _cuts(clause: str) -> bool:
    """Whether a clause cannot end here: after a preposition or an article."""
    return words(clause)[-1] in {
        "a",
        "an",
        "the",
        "of",
        "at",
        "in",
        "for",
        "from",
        "with",
        "is",
        "was",
        "to",
        "by",
        "his",
        "her",
    }


def _first(match: re.Match[str], clause: str) -> str:
    if match.re is _HOLDER:
        return f"Which person is {match['noun']} {clause}?"
    link = match["link"].casefold()
    if match["thing"]:
        return f"What is the {match['thing']} {link} {clause}?"
    if link == "whose":
        return f"Which person's {clause}?"
    return f"Which person {'has' if link in ('with', 'of') else 'is in' if link == 'in' else ''} {clause}?".replace(
        "  ", " "
    )


def essence(value: str, question: str) -> str:
    """The name in a value that another question is to ask about: its longest run of capitalised words that is not asked."""
    asked = set(words(question))
    best: list[str] = []
    run: list[str] = []
    for place, word in enumerate([*value.split(), ""]):
        bare = word.strip(".,;:!?\"'“”()")
        named = bare[:1].isupper() and not {*words(bare)} & asked and (place or len(value.split()) < 6)
        run = [*run, bare] if named else []
        best = run if len(run) > len(best) else best
    return " ".join(best) or value


def wants_person(question: str) -> bool:
    """Whether a question is one that `split` made to be answered by a name."""
    return _ASKED_PERSON.match(question) is not None
