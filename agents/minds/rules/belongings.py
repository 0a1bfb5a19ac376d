"""Where the place is that somebody's relation runs: a question of two steps that is put in any order of words.

"Ana's cousin has a shop, which town is it in?" wants the name of the shop from who heard Ana, and its town from who was
there. What counts is that a person is named, a relation of that person, that something is run or owned, and that a place
is asked for.
"""

import re

from kithnet.agents.wording import FUNCTION_WORDS, INTERROGATIVES
from kithnet.memory.language.text import stem, words

_RELATION = (
    r"(?:god|grand|great-?grand|step|foster |half-?|ex-?|co-?|room|flat|house|class|school|team|work|play|soul|land|pen ?)*"
    r"(?:mother|father|parents?|mum|mom|dad|sister|brother|sibling|son|daughter|child|aunt|auntie|uncle|cousin|niece|nephew|"
    r"grandma|grandpa|granny|gran|wife|husband|spouse|partner|fianc[ée]e?|girlfriend|boyfriend|friend|mate|buddy|pal|colleague|"
    r"worker|boss|manager|employer|supervisor|assistant|secretary|teacher|tutor|professor|lecturer|instructor|coach|trainer|mentor|"
    r"pupil|student|trainee|apprentice|lord|lady|lodger|tenant|neighbou?r|doctor|dentist|nurse|vet|therapist|lawyer|accountant|"
    r"hairdresser|barber|plumber|gardener|nanny|babysitter|priest|vicar|captain|ex|in-law|twin|guardian|fellow|acquaintance)"
    r"(?:-in-law)?"
)
_PHRASE = re.compile(rf"(?<!\w)(?P<before>(?:[\w-]+ ){{0,2}})(?P<head>{_RELATION})(?!\w|-\w)", re.IGNORECASE)
_WHERE = re.compile(
    r"\b(?:where(?:abouts)?|(?:what|which|the name of the|in what|name the|tell me the|the)(?: \w+)? ?(?:town|city|village))\b"
    r"|\b(?:town|city|village|location)\b",
    re.IGNORECASE,
)
_OWNING = frozenset(
    stem(word)
    for word in """run own owner manage manager belong charge boss operate keep business establishment shop place venue premises
    restaurant café cafe bar pub hotel inn store company firm lead head proprietor spot possess hold
    direct director oversee supervise administer preside host chief responsible command helm control govern rule master tend
    found founded founder open opened set start started bought buy took take over inherit inherited enterprise concern building
    property locale joint house domain under hands workplace site maintain care after handle steward leadership direction""".split()
)
_KINDS = frozenset(
    "shop restaurant café cafe bar pub hotel inn store bakery bookshop school club gallery farm garage".split()
)
_TOWN = re.compile(r"\b(?:town|city|village)\b", re.IGNORECASE)
_LIVING = frozenset(
    stem(word)
    for word in """live lived living reside home grow grew born moved moving stay come comes from study holiday holidays went
    wedding married buried hometown did was were""".split()
)


def place_of(task: str) -> tuple[str, str] | None:
    """The two questions of a task that asks in which town somebody's relation runs a place: for its name, for its town."""
    if not _WHERE.search(task):
        return None
    for match in _PHRASE.finditer(task):
        said = {stem(word) for word in words(f"{task[: match.start()]} {task[match.end() :]}")}
        owned, in_town = bool(said & _OWNING), bool(_TOWN.search(task))
        owner = _owner(task, match)
        if owner and (owned or (in_town and not said & _LIVING)):
            after = {stem(word) for word in words(task[match.end() :])[:4]}
            if after & _LIVING and not after & _OWNING:
                continue
            kind = next((word for word in words(task) if word in _KINDS), "place")
            return f"What is the {kind} that {owner}'s {_relation(match)} runs?", "In which town is {}?"
    return None


def _relation(match: re.Match[str]) -> str:
    """What the relation is called, with what tells it from others: "old teacher"."""
    kept: list[str] = []
    for word in reversed(match["before"].split()):
        low = word.casefold()
        if low in FUNCTION_WORDS or low.removesuffix("'s") != low or word[:1].isupper() or low in _NO_MARKS:
            break
        kept.insert(0, word)
    return " ".join((*kept, match["head"]))


_NO_MARKS = frozenset("has have got run runs owns said says told named called certain".split())


def _owner(task: str, match: re.Match[str]) -> str | None:
    """Whose relation it is: the name that stands nearest, before it or behind."""
    named = [
        (min(abs(found.start() - match.end()), abs(match.start("head") - found.end())), found[0].removesuffix("'s"))
        for found in re.finditer(r"\b[A-Z][\w-]*(?:['’]s)?", task)
        if _is_name(task, found)
    ]
    return min(named)[1].replace("’s", "") if named else None


def _is_name(task: str, found: re.Match[str]) -> bool:
    low = found[0].casefold().replace("’", "'")
    if low in FUNCTION_WORDS or low in INTERROGATIVES or low.removesuffix("'s") in FUNCTION_WORDS:
        return False
    first = found.start() == 0 or task[: found.start()].rstrip()[-1:] in ".?!:"
    follows = words(task[found.end() :])[:1]
    return (
        not first
        or low.endswith("'s")
        or (bool(follows) and follows[0] in ("has", "have", "had", "said", "told", "keeps"))
    )
