"""A question inside a question: "Where does the person who is allergic to nuts live?" asks first who that is, then where.

The relative clause is found by code; where it ends is often clear only to a reader, so the local model says which of the
possible pairs of questions reads best.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kithnet.agents.minds.rules import belongings, describing
from kithnet.agents.minds.rules.describing import Description, descriptions, ends, whole
from kithnet.agents.wording import INTERROGATIVES, questions
from kithnet.memory.language.text import sentences, words
from kithnet.runtime.chat import ChatModel, Message
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

BLANK = "{}"
_THING = r"place|town|city|shop|house|book|thing|company|club|venue|film|team|animal|school|restaurant|event|city|country|object"
_NESTED = re.compile(
    rf"\b(?:(?:the|that|a|whichever) )?(?P<thing>{_THING}),? "
    r"(?P<link>(?:that|which|whose|with|in)\b|(?=\w+(?:ing|ed)\b)) ?(?P<rest>.+)$",
    re.IGNORECASE,
)
_PERSON = describing.ANYBODY
_INTRODUCED = re.compile(
    rf"^(?:(?:and|if|take|find|suppose|say|of|for|among|there is|there's|you know|do you (?:know|remember)|remember|think of|"
    rf"look for|imagine|about|regarding) )?(?:(?:the|a|an|this|that|our|my) )?(?:{_PERSON}|whoever)"
    r"(?: of (?:them|us|ours|mine|my friends)| I \w+| we \w+)?,? (?:(?P<link>who|that|whose|with) )?"
    r"(?P<clause>[^?;:.,]+?)"
    r"(?:[.;:,?]| and tell me)\s+(?:and )?(?:who (?:is it|are they|is that),? and )?(?P<ask>[^?.]+)[?.]?$",
    re.IGNORECASE,
)
_DASH = re.compile(r"\s+[-–—]+\s+")
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
    if introduced := _introduced(_DASH.sub("; ", task)):
        yield introduced
        return
    asked = questions(task)
    if len(asked) > 1:
        return
    said = sentences(task)
    order = [*asked, *(part for part in said if part not in asked and (asked or _WANTS.search(part)))]
    for sentence in order:
        found = list(_taken_apart(sentence))
        if found:
            meant = _of_them(asked[0].rstrip("?")) if asked and sentence not in asked else ""
            yield from found if sentence in asked else (_within(task, sentence, chain, meant) for chain in found)
            return


_WANTS = re.compile(
    r"\b(?:tell|confirm|advise|name|find|say|give|let me know|look up|wonder|know|need|explain|check|state|provide|remind|"
    r"who|whom|whose|what|which|where|when|how)\b",
    re.IGNORECASE,
)
"""What a sentence without a question mark holds that asks for something."""


def _within(task: str, sentence: str, chain: Chain, meant: str) -> Chain:
    """The chain of one sentence: its second question is what the task asks of "them", else all the task around it."""
    return Chain(chain.first, meant or task.strip().replace(sentence, chain.second))


def _taken_apart(sentence: str) -> Iterator[Chain]:
    """The chains of a sentence that describes a person, else a thing."""
    mark = sentence[-1:] if sentence[-1:] in "?.!" else ""
    text = sentence[: len(sentence) - len(mark)].rstrip()
    people = [one for one in descriptions(text) if not _asks_who(text[: one.start], one)]
    for one in sorted(people, key=lambda one: (one.vague, -one.start)):
        found = list(_cut(text[: one.start], one, mark))
        if found:
            yield from found
            return
    match = _NESTED.search(text)
    if match:
        ask = f"What is the {match['thing']} {match['link'].casefold()} "
        yield from _cut(text[: match.start()], Description(match.start(), match["rest"], ask, 2), mark)


def _asks_who(lead: str, one: Description) -> bool:
    """Whether a sentence only asks who somebody is: "Who is the manager of the shop?"."""
    return one.vague and re.fullmatch(r"(?:\w+, |and |so )?who(?:['’]s| is| was) ", lead, re.IGNORECASE) is not None


def _introduced(task: str) -> Chain | None:
    """The chain of a task that first says who is meant, and then asks: "Somebody has a boat. Where do they live?"."""
    match = _INTRODUCED.match(task.strip())
    if match is None or not {*words(match["ask"])[:3]} & INTERROGATIVES or len(words(match["clause"])) < 2:
        return None
    second = _of_them(match["ask"]) or f"{match['ask']} of {BLANK}?"
    return Chain(_of_person(match["link"] or "who", match["clause"]), second[:1].upper() + second[1:])


def _of_them(ask: str) -> str:
    """A question of "them" with BLANK in their place, "" where it has no such word."""
    meant = _MEANT.search(ask)
    if meant is None:
        return ""
    name = f"{BLANK}'s" if meant["whose"] else BLANK
    verb = f"{_SINGULAR[meant['do'].casefold()]} " if meant["do"] else ""
    return f"{ask[: meant.start()]}{verb}{name}{ask[meant.end() :]}?"


def _cut(lead: str, one: Description, mark: str) -> list[Chain]:
    """Every chain of a sentence with a description in it. Names belong to the clause, where that leaves a question."""
    cuts = [(clause, tail) for clause, tail in ends(one.rest, one.least) if whole(lead, tail)]
    within = [cut for cut in cuts if not _NAMED.search(cut[1])]
    return [_chain(lead, one, clause, tail, mark) for clause, tail in (within or cuts)[:MOST]]


MOST = 8
"""Ways to cut that the model is asked about."""
_NAMED = re.compile(r"\b(?!I\b)[A-Z]|\d")


def _chain(lead: str, one: Description, clause: str, tail: str, mark: str) -> Chain:
    gap = "" if tail[:1] in (",", "'", "’", "") else " "
    return Chain(f"{one.ask}{clause}?", f"{lead}{BLANK}{gap}{tail}{mark or '?'}")


def _of_person(link: str, clause: str) -> str:
    """The question for the person of a relative clause."""
    verb = {"with": "has "}.get(link.casefold(), "")
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
