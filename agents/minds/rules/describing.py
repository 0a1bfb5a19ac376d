"""Descriptions of a person in a text: "whoever plays the oboe", "our mate whose car is red", "the tenant of Mr Bell".

Where a description begins, and by what it is joined to its clause, is plain from its words; where the clause ends often
is not, so that every place at which it may end is given.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kithnet.agents.wording import FUNCTION_WORDS
from kithnet.memory.language.text import words

ANYBODY = (
    "person|one|somebody|someone|anybody|anyone|man|woman|guy|individual|friend|boy|girl|people|colleague|neighbour|neighbor|"
    "lady|fellow|bloke|chap|contact|acquaintance|relative|classmate|flatmate|roommate|housemate|mate|pal|buddy|soul|folk|lad|"
    "lass|human|member|character|creature|figure|party|coworker|co-worker|workmate|teammate|companion|kid|gal|dude"
)
"""What may be said of anybody: the word tells nothing of the person."""
_ROLE = (
    "patient|tenant|owner|author|winner|driver|student|pupil|client|customer|fan|buyer|player|holder|employee|guest|teacher|"
    "user|keeper|wearer|reader|writer|occupant|resident|inhabitant|lodger|bride|groom|graduate|victim|collector|founder|singer|"
    "manager|trainer|boss|worker|learner|beginner|novice|sufferer|renter|purchaser|scholar|researcher|musician|motorist|"
    "practitioner|newcomer|recruit|hire|apprentice|purveyor|admirer|lover|bearer|possessor|painter|decorator|enthusiast|"
    "occupier|dweller|borrower|subscriber|rider|visitor|candidate|staff member|staffer|half of the couple|fiancée?|bride-to-be|"
    "groom-to-be|spouse-to-be|newlywed|brain|proud parent|mind"
)
_DETERMINER = r"the|that|this|a|an|our|my|your|whichever|whatever|some|any|which"
_WHOM = (
    r"(?:to|by|for|with|from|of|in|at|on|upon|about|under|behind|between|around|against|through) (?:whom|whose|which)"
)
_PLACE = "with|in|on|behind|at|from|to|under|inside|of|for|by|over|beneath|against|having"
_PARTICIPLE = (
    r"\w+ing|\w+ed|born|bought|built|caught|driven|forced|given|hit|held|hurt|kept|known|left|made|met|paid|seen|sent|set|"
    r"shown|sold|struck|stuck|taught|told|torn|won|worn|written|bound|allergic|responsible|fond|keen|due|able|unable|busy|currently"
)
_AFTERTHOUGHT = (
    r"(?: of (?:ours|mine|yours|theirs|them|us|you|my friends|our friends))?"
    r"(?: (?:in|from|at) (?:our|my|the) (?:circle|group|lot|crowd|network|gang|office|club|team|class))?"
    r"(?:,? (?:there|here|again|now))?"
)
_NO_NOUN = (
    "the|a|an|our|my|your|this|these|some|any|who|whose|whom|which|that|of|in|by|is|was|are|has|does|did|do|to|for|on|at|"
    "with"
)
_BEGINS = re.compile(
    rf"\b(?P<det>{_DETERMINER}) (?P<before>(?:(?!(?:{_NO_NOUN})\b)[\w'’-]+ ){{0,3}}?)"
    rf"(?:(?P<anybody>{ANYBODY})|(?P<role>{_ROLE}))\b{_AFTERTHOUGHT}",
    re.IGNORECASE,
)
_FREE = re.compile(
    r"(?:\b(?:whoever|whosoever)(?: else)?|\b(?:any|some)(?:body|one)(?: else)? (?:who|that)|"
    r"\b(?:him|her|them|he|she|those) who|(?<=\bof )who|(?<=\bby )who)(?:,? it (?:is|was|may be) (?:that|who))?"
    r"(?P<short>(?:['’](?:s|ve|d|ll|re))?),? ",
    re.IGNORECASE,
)
_JOINED = re.compile(
    rf",? (?:(?P<whom>{_WHOM}) |(?P<whose>whose) |(?P<who>who|that)\b(?P<short>(?:['’](?:s|re|ve|d|ll))?),? |"
    rf"(?P<place>{_PLACE}) |(?=(?P<participle>{_PARTICIPLE})\b))",
    re.IGNORECASE,
)
_OF_WHICH = re.compile(r"^ (?:of|in|from|at) (?:[\w'’-]+ ){1,4}?(?=(?:who|whose)\b)")
_OWNED = re.compile(r"^['’]s? (?=\w)")
_APPOSED = re.compile(r", ")


@dataclass(frozen=True, slots=True)
class Description:
    """start: where it begins in its sentence. rest: what follows its first words, up to the sentence's end. ask: how the
    question for the person begins, before the clause. least: words that the clause has at least. vague: it is "a" such
    person, or names a role, so that another one in the sentence is likelier meant."""

    start: int
    rest: str
    ask: str
    least: int
    vague: bool = False


def descriptions(sentence: str) -> Iterator[Description]:
    """Descriptions of people in a sentence that ends without its mark, in order; they may lie in each other."""
    for match in _FREE.finditer(sentence):
        clause = sentence[match.end() :]
        yield Description(match.start(), clause, f"Which person {_verb(match['short'], clause)}", 2)
    for match in _BEGINS.finditer(sentence):
        found = _joined(sentence, match)
        if found is not None:
            yield found


def _joined(sentence: str, match: re.Match[str]) -> Description | None:
    """The description that begins with a noun, by what joins its clause to it; None where nothing does.

    A noun that may be said of anybody is left out of the question for the person; one that tells something is kept.
    """
    start, rest, plain = match.start(), sentence[match.end() :], match["anybody"] is not None
    noun = f"{match['before']}{match['anybody'] or match['role']}"
    told = not plain or bool({*words(match["before"])} - FUNCTION_WORDS - _EMPTY)
    vague = not plain or match["det"].casefold() in ("a", "an", "some")
    if not plain and match["det"].casefold() in ("a", "an"):
        return None
    lead = f"Which person is the {noun} " if told else "Which person "
    rest = _OF_WHICH.sub(" ", rest)
    if owned := _OWNED.match(rest):
        return (
            Description(start, f"\0{rest[owned.end() - 1 :]}", f"Which person is the {noun}", 0, vague)
            if told
            else None
        )
    link = _JOINED.match(rest)
    if link is None:
        apposed = _APPOSED.match(rest) if told and plain else None
        return Description(start, rest[apposed.end() :], f"{lead.rstrip()}, ", 1) if apposed else None
    clause, short = rest[link.end() :], link["short"] or ""
    if link["whose"]:
        return Description(start, clause, f"{lead}whose " if told else "Which person's ", 2)
    if link["whom"]:
        return Description(start, clause, f"{lead if told else 'Which person is it '}{link['whom']} ", 2)
    if link["who"]:
        return Description(start, clause, f"{lead}{'who ' * told}{_verb(short, clause)}", 2, vague and not link["who"])
    if link["place"]:
        place = link["place"].casefold()
        if place == "of" and not told:
            return None
        ask = f"{place} " if told else {"with": "has ", "having": "is having "}.get(place, f"is {place} ")
        return Description(start, clause, f"{lead}{ask}", 1, vague or (not told and place not in ("with", "having")))
    return Description(start, clause, lead if told else f"{lead}is ", 2, vague)


_EMPTY = frozenset(
    "very same dear good old new mutual common poor lucky brave single only particular certain other".split()
)


def _verb(short: str, clause: str) -> str:
    """What a shortened verb stands for: "'s" is "has" before a participle of the past, else "is"."""
    sign = short.replace("’", "'").casefold()
    if sign != "'s":
        return {"'ve": "has ", "'d": "would ", "'ll": "will ", "'re": "is "}.get(sign, "")
    after = [word for word in words(clause) if word not in _SMALL][:1] or [""]
    past = after[0] in _PAST or (after[0].endswith("ed") and after[0] not in _STATES)
    return "has " if past else "is "


_SMALL = frozenset("just now already recently lately finally always never only newly also".split())
_PAST = frozenset(
    """got been had made taken gone done chosen bought found written begun become come run set put sold won lost given told seen
    left met moved sat spent let""".split()
)
_STATES = frozenset(
    "allergic married employed engaged hired named called based located treated covered obsessed buried".split()
)


def ends(rest: str, least: int) -> Iterator[tuple[str, str]]:
    """Every way to cut the rest of a sentence into the clause and what follows it, the longest clause first."""
    if rest.startswith("\0"):  # the description has no clause: something of the person follows
        yield "", f"'s{rest[1:]}"
        return
    said = rest.split()
    for end in range(len(said), 0, -1):
        clause, tail = " ".join(said[:end]), " ".join(said[end:])
        if len(words(clause)) < least or (tail and (_goes_on(clause) or said[end][:1].isupper())):
            continue
        if tail and re.search(r"\w['’]s?$", clause) and said[end][:1].islower():
            yield re.sub(r"['’]s?$", "", clause), f"'s {tail}"
        yield clause.rstrip(",;:- "), f", {tail}" if clause.endswith(",") and tail else tail


def _goes_on(clause: str) -> bool:
    """Whether a clause cannot end here."""
    return words(clause)[-1] in _OPEN and not clause.endswith(",")


_OPEN = frozenset(
    """a an the of at for from with to by into upon than as like is was are were be been being has have had and or but his her
    their our my your its that who whose which when if because so very about between during while new just""".split()
)


def whole(lead: str, tail: str) -> bool:
    """Whether what stands before and behind a description makes a sentence with a name between them.

    "Who is the aunt of" does, with nothing behind; "Where does" needs a verb.
    """
    before, after = words(lead), words(tail.removeprefix("'s ")) if tail.startswith("'s ") else words(tail)
    if tail.startswith("'s "):
        return True
    if not before:
        return bool(after) and not tail.startswith(",")
    last, first = before[-1], after[0] if after else ""
    comma = tail.startswith(",")
    if first in _RELATIVE and not comma:
        return False
    if last in _MODALS:
        if comma:  # something said by the way comes before the verb
            return tail.count(",") > 1
        return bool(first) and (first in _BARE or first not in FUNCTION_WORDS) and not _GERUND.match(first)
    if last in _HAVE:
        return bool(first) and not comma and first not in _PREPOSITIONS | _ARTICLES
    if last in _BE or last.endswith("'s"):
        where = bool({"who", "whom", "whose", "where", "who's", "where's"} & {*before}) or before[0] in _PREPOSITIONS
        return (where if not first or comma else first not in _ARTICLES) and first not in _LATE
    if last in _PREPOSITIONS:
        free = bool({*before[:-1]} & (_MODALS | _HAVE | _BE))
        return (
            not first
            or comma
            or first in FUNCTION_WORDS - _ARTICLES
            or first in _ADVERBS
            or free
            or _is_participle(first)
        )
    return True


def _is_participle(word: str) -> bool:
    return word in _PAST or word.endswith(("ed", "ing"))


_GERUND = re.compile(r"\w*[aeiouy]\w*ing$")
_RELATIVE = frozenset("who whom whose which that".split())
_MODALS = frozenset(
    """do does did can could will would should must might may shall don't doesn't didn't can't couldn't won't wouldn't
    shouldn't""".split()
)
_HAVE, _BE = frozenset("has have had".split()), frozenset("is are was were".split())
_BARE = frozenset(
    "have be do get now still currently usually always go actually normally tell say ask know talk mention find".split()
)
_LATE = frozenset("for from to with by than".split())
_PREPOSITIONS = frozenset(
    "of at in for from with to by on about after near under into than like upon behind against through without between".split()
)
_ARTICLES = frozenset("a an the his her".split())
_ADVERBS = frozenset("now nowadays today currently then please pls exactly again".split())
