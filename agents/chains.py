"""A question inside a question: "Where does the person who is allergic to nuts live?" asks first who that is, then where.

The relative clause is found by code; where it ends is often clear only to a reader, so the local model says which of the
possible pairs of questions reads best.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kithnet.agents import belongings
from kithnet.agents.wording import FUNCTION_WORDS, INTERROGATIVES, questions, sentences, words
from kithnet.runtime.chat import ChatModel, Message
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

BLANK = "{}"
_PERSON = (
    r"person|one|somebody|someone|anybody|anyone|man|woman|guy|individual|friend|boy|girl|people|colleague|neighbour|neighbor|"
    r"lady|fellow|bloke|chap|contact|acquaintance|relative|classmate|flatmate|roommate|student|teacher|owner|lad"
)
_THING = r"place|town|city|shop|house|book|thing|company|club|venue|film|team|animal|school|restaurant|event|city|country|object"
_NESTED = re.compile(
    rf"\b(?:(?:the|that|a|whichever) )?(?:(?P<person>{_PERSON})|(?P<thing>{_THING})),? "
    r"(?P<link>(?:who|that|which|whose|with|in)\b|(?=\w+(?:ing|ed)\b)) ?(?P<rest>[^?]+)\?",
    re.IGNORECASE,
)
_WHOEVER = re.compile(r"\b(?:whoever|(?<=of )who|(?<=by )who)(?P<rest> [^?]+)\?", re.IGNORECASE)
_HOLDER = re.compile(
    r"\b(?P<noun>the (?:patient|tenant|owner|author|winner|driver|student|pupil|client|customer|fan|member|neighbou?r|buyer|"
    r"player|holder|employee|guest|teacher|user|keeper|tattooed|wearer|reader|writer|occupant|resident|inhabitant|lodger|bride|"
    r"groom|graduate|victim|collector|founder|singer|manager|trainer|boss|worker) (?:of|at|in|for|from)) (?P<rest>[^?]+)\?",
    re.IGNORECASE,
)
_INTRODUCED = re.compile(
    rf"^(?:(?:and|if|take|find|suppose|say|of|for|among|there is|there's) )?(?:(?:the|a|an|this) )?(?:{_PERSON}|whoever)"
    r"(?: of (?:them|us|my friends)| I \w+| we \w+)?,? (?:(?P<link>who|that|whose|with) )?(?P<clause>[^?;:.,]+?)"
    r"(?:[.;:,]| and tell me)\s+(?:and )?(?:who (?:is it|are they|is that),? and )?(?P<ask>[^?.]+)[?.]?$",
    re.IGNORECASE,
)
_MEANT = re.compile(
    r"\b(?:(?P<do>do|are|have|were) they|(?P<whose>their|his|her)(?= \w)|(?:that|this) (?:person|one|man|woman)|"
    r"they|he|she|them|him)\b",
    re.IGNORECASE,
)
_SINGULAR = {"do": "does", "are": "is", "have": "has", "were": "was"}
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
    if owned := belongings.place_of(task):
        yield Chain(*owned)
        return
    if stated := _STATED.search(task):
        ask = re.sub(r"\b(?:it|there|that)\b", BLANK, stated["ask"], count=1)
        if BLANK in ask:
            yield Chain(f"What is the {stated['thing']} that {stated['who']} {stated['verb']}?", ask)
            return
    if introduced := _introduced(task):
        yield introduced
        return
    asked = questions(task) or sentences(task)
    for question in asked if len(asked) == 1 else ():
        forms = (form.search(question) for form in (_HOLDER, _NESTED, _WHOEVER))
        match = min((found for found in forms if found), key=lambda found: found.start(), default=None)
        if match is None:
            return
        cuts = [chain for chain, lead, tail in _cut(question, match) if _whole(lead, tail)]
        yield from cuts or [chain for chain, _, _ in _cut(question, match)]


def _introduced(task: str) -> Chain | None:
    """The chain of a task that first says who is meant, and then asks: "Somebody has a boat. Where do they live?"."""
    match = _INTRODUCED.match(task.strip())
    if match is None or not {*words(match["ask"])[:3]} & INTERROGATIVES or len(words(match["clause"])) < 2:
        return None
    meant = _MEANT.search(match["ask"])
    if meant is None:
        second = f"{match['ask']} of {BLANK}?"
    else:
        name = f"{BLANK}'s" if meant["whose"] else BLANK
        verb = f"{_SINGULAR[meant['do'].casefold()]} " if meant["do"] else ""
        second = f"{match['ask'][: meant.start()]}{verb}{name}{match['ask'][meant.end() :]}?"
    return Chain(_of_person(match["link"] or "who", match["clause"]), second[:1].upper() + second[1:])


def _whole(lead: str, tail: str) -> bool:
    """Whether both sides of a clause make a question together: "Who is the aunt of" is, "Where does" needs a verb."""
    before, after = words(lead), words(tail)
    if not before:
        return True
    if before[-1] in _PREPOSITIONS:
        return not after or after[0] in _ADVERBS or before[0] in _PREPOSITIONS
    if {"do", "does", "did"} & set(before):
        return bool(after) and after[0] not in FUNCTION_WORDS and after[0] not in _ADVERBS
    if not {*before} & _AUXILIARIES:
        return not after or after[0] in _ADVERBS
    return not after or after[0] not in _PREPOSITIONS | _ARTICLES


_PREPOSITIONS = frozenset("of at in for from with to by on about after near under into than like".split())
_ARTICLES = frozenset("a an the his her".split())
_ADVERBS = frozenset("now nowadays today currently then please".split())
_AUXILIARIES = frozenset("is are was were has have had can could will would must should may might be".split())


def _cut(question: str, match: re.Match[str]) -> Iterator[tuple[Chain, str, str]]:
    """Every chain of a question with a clause in it, with what stands before and behind the clause."""
    rest = match["rest"].split()
    lead = question[: match.start()]
    for end in range(len(rest), 0, -1):
        clause, tail = " ".join(rest[:end]).rstrip(","), " ".join(rest[end:])
        short = len(words(clause)) < 1 + (match.re is not _HOLDER)
        if short or (tail and (_cuts(clause) or tail[:1].isupper())):
            continue
        yield Chain(_first(match, clause), f"{lead}{BLANK} {tail}".strip() + "?"), lead, tail


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
    if match.re is _WHOEVER:
        return _of_person("who", clause)
    link = match["link"].casefold()
    if match["thing"]:
        return f"What is the {match['thing']} {link} {clause}?"
    return _of_person(link or "is", clause)


def _of_person(link: str, clause: str) -> str:
    """The question for the person of a relative clause."""
    verb = {"with": "has ", "of": "has ", "in": "is in ", "is": "is "}.get(link.casefold(), "")
    return f"Which person's {clause}?" if link.casefold() == "whose" else f"Which person {verb}{clause}?"


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
