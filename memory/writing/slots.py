"""What a statement gives a value to: slots that have one current value, tastes, and the words by which a value changes.

Plain rules over English as people write it. They are the floor: what no rule knows is still kept as a statement, only
without a slot, and a correction that names the old value finds it by its words.
"""

import re
from dataclasses import dataclass

from kithnet.memory.language.text import index_words, stem

_VALUE = r"(?P<v>[^,.;!?()]+)"
_CAPITAL = r"(?P<v>[A-Z0-9][\w&'-]*(?: (?:&|[A-Z0-9][\w&'-]*))*)"
_ANIMAL = (
    r"(?:(?:new|old|little) )?(?P<what>dog|puppy|cat|kitten|rabbit|hamster|parrot|horse|tortoise|budgie|pony|bird|fish|hen|goat"
    r"|pet)"
)
_KIN = (
    "sister|brother|mother|father|mum|dad|son|daughter|wife|husband|partner|girlfriend|boyfriend|aunt|uncle|cousin|boss|"
    "flatmate"
)
_TRADES = (
    "nurse|teacher|doctor|lawyer|carpenter|driver|engineer|chef|cook|plumber|electrician|baker|vet|dentist|programmer|"
    "developer|architect|journalist|gardener|librarian|accountant|manager|photographer|beekeeper|locksmith|puppeteer|pilot|"
    "barista|waiter|designer|student"
)
_TENS = "(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\\w+)?"
_CALLED = r"(?:called|named|(?:name is|name's)|answers? to|goes by|renamed(?: (?:it|him|her))?)"
_ORDERED: tuple[tuple[str, str], ...] = (
    (
        "favourite {what}",
        rf"\bfavou?rite (?P<what>\w+)(?: \w+)?(?: of all time)? (?:is|are|would be|it would be|has"
        rf" become),? {_VALUE}",
    ),
    ("favourite {what}", rf"\bfavou?rite (?P<what>\w+)(?:,| isn't [^,]+,) it(?:'s| is| would be) (?:now )?{_VALUE}"),
    (
        "favourite {what}",
        rf"^{_VALUE} (?:is|are|has become|used to be) (?:my|our|their|[A-Z]\w*'s) favou?rite"
        rf" (?P<what>\w+)",
    ),
    (
        "{what} name",
        rf"\b{_ANIMAL}(?:'s)?,? (?:is |isn't |and (?:his|her|its|their) |which is )?(?:now )?{_CALLED}(?:"
        rf" to)? (?:not )?{_CAPITAL}",
    ),
    (
        "{what} name",
        rf"\b(?:named|called|renamed|call|calls) (?:my|our|their|the|[A-Z]\w*'s) {_ANIMAL}:? (?:not"
        rf" )?{_CAPITAL}",
    ),
    ("{what} name", rf"^{_CAPITAL} is (?:my|our|their|[A-Z]\w*'s) {_ANIMAL}(?:'s)? name"),
    ("{what} name", rf"\b{_ANIMAL}(?:'s)? name (?:is|isn't) (?:now )?{_CAPITAL}"),
    ("{what} name", rf"\b(?:renamed|rename) the {_ANIMAL}"),
    (
        "job",
        r"\b(?:no longer works?|not works?|works? (?:now )?|working |worked |jobs? (?:now )?(?:is"
        r" )?|employed (?:now )?|position )(?:at|for|with|as|by) (?P<v>(?:an? )?[^,.;!?()]+)",
    ),
    ("job", rf"\b(?:started|start|starts|begin|began|hired|interned) (?:working )?(?:at|by|with) {_CAPITAL}"),
    ("job", rf"\b(?:changed|switched|change|quit|lost|left) (?:my |their |the )?jobs?\b(?:.*\b(?:to|at) {_CAPITAL})?"),
    ("job", rf"\b(?:joined|join|joins) {_CAPITAL}"),
    ("job", rf"\b(?:new )?employer is {_VALUE}"),
    (
        "job",
        rf"\b(?:I|[A-Z]\w+) (?:am|is|'m|became|was promoted to|trained as) (?:now )?(?P<v>an? (?:\w+"
        rf" )?(?:{_TRADES}))\b",
    ),
    (
        "home",
        rf"\b(?:lives?|living|lived|based|settled|settle|residing|resides?) (?:now |here )?(?:in|at|down"
        rf" in) {_CAPITAL}",
    ),
    (
        "home",
        rf"\b(?:moved?|moving|moves|relocat\w+) (?:house |in |out |back |over )?(?:from [^,.;!?]+?"
        rf" )?(?:to|into) {_CAPITAL}",
    ),
    (
        "home",
        rf"\b(?:[Hh]ome|[Ff]lat|[Hh]ouse|[Aa]partment|[Aa]ddress)(?: now)? (?:is|are) (?:now )?(?:in |at"
        rf" )?{_CAPITAL}",
    ),
    ("home", rf"{_CAPITAL} is (?:my |our |their |[A-Z]\w*'s )?home\b"),
    ("home", rf"\bnew (?:flat|house|apartment|address|place)(?: is)?(?: in| at)? {_CAPITAL}"),
    (
        "age",
        rf"\b(?:I|[A-Z]\w+) (?:am|is|turned|turn|turns|turning) (?:now )?(?P<v>\d{{1,3}}|{_TENS})(?:"
        rf" years old| today| now|$|[,.!])",
    ),
    ("birthday", rf"\bbirthday is (?:on )?{_VALUE}"),
    ("phone", r"\b(?:phone|mobile)? ?number is (?:now )?(?P<v>[\d +/-]{4,})"),
    ("spouse", rf"\b(?:married|marrying|engaged) (?:to )?{_CAPITAL}"),
    (
        "{what} name",
        rf"\b(?:my|our|their|[A-Z]\w*'s) (?P<what>{_KIN})(?:'s name is|,? (?:is )?(?:called|named))"
        rf" {_CAPITAL}",
    ),
    ("car", rf"\b(?:drives?|driving) (?:an? |the ){_VALUE}"),
    ("car", rf"\bcar is (?:now )?(?:an? )?{_VALUE}"),
)  # fmt: skip
_OF_MINE = re.compile(
    rf"(?:My|Our|my|our) (?:\w+ )?(?P<kin>{_KIN}|nephew|niece|grandmother|grandfather|friend|neighbour|colleague|landlord|"
    r"teacher|brother-in-law|sister-in-law|stepbrother|stepsister|parents|children|kids)\b(?!'s name)"
)
_PATTERNS = tuple((slot, re.compile(pattern)) for slot, pattern in _ORDERED)
_MEALS = frozenset({"dish", "meal", "food", "dinner"})
_KINDS = {"puppy": "dog", "kitten": "cat", "mum": "mother", "dad": "father", "favorite": "favourite"}

_TO_LIKE = r"(?:(?<=\b[Ii] )|(?<=\b[Ww]e )|(?<=really )|(?<=not )|(?<=n't )|(?<=also ))"  # else it compares
_LIKES = re.compile(
    r"\b(?P<not>do not |does not |don't |doesn't |never |not )?(?:really |quite |absolutely )?"
    r"(?:(?P<no>hates?|dislikes?|detests?|loathes?|can(?:no|')t (?:stand|bear)|(?:gone|went|going) off|(?:am|is) (?:sick|tired) of|"
    r"(?:am|is) allergic to|(?:am|is) afraid of)"
    rf"|(?P<yes>loves?|likes|{_TO_LIKE}like|enjoys?|adores?|prefers?|(?:an? )?(?:big |huge )?fan of|fond of|keen on|"
    r"(?:am|is) (?:really )?into))"
    r" (?P<thing>[^,.;!?()]+)"
)
_TAIL = re.compile(
    r"\b(?:any ?more|more than anything|very much|a lot|so much|the most|these days|now|too|again|anyway|at all|most of all)\b.*$"
)
_CLAUSE = r"(?P<old>[^,.;:!?]+?)"
_END = r"(?= any ?more| after all| and | but | now\b| to | for |[,.;:!?]|$)"
_DENIALS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bfrom {_CLAUSE}(?= to )",
        rf"\b(?:not|isn't|aren't|no longer|never) (?:on |in |at |called |the )*{_CLAUSE}{_END}",
        rf"\b(?:instead of|rather than|left|leave|quit|gave up|give up|stopped|sold|gone off|packed up in|dropped|cancelled)"
        rf" {_CLAUSE}{_END}",
        r"\b(?:don't|doesn't|do not|does not) (?:live in |work at |work for |drive |play |go to |like |want )?"
        rf"{_CLAUSE}(?= any ?more)",
        r"(?:^|[,.;:!?] ?)(?P<old>[^,.;:!?]+?) (?:used to be|didn't|died|fell through|got too|is (?:off|over|history|cancelled)|"
        r"was(?:n't| not))\b",
        rf"\b(?:forget|goodbye) {_CLAUSE}{_END}",
    )
)
_CHANGE = re.compile(
    r"\b(?:any ?more|no longer|not|isn't|aren't|wasn't|don't|doesn't|instead|rather than|after all|now|these days|used to|left|"
    r"quit|gave up|stopped|sold|gone off|moved|changed?|switch\w*|swap\w*|replac\w*|trad(?:e|ed)|renamed|died|goodbye|"
    r"postponed|cancelled|rescheduled|correction|from .+ to|over|former|formerly|previously|new)\b",
    re.IGNORECASE,
)
_NOT = r"not|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|won't|can't"
_ENDING = (
    r"any ?more|any longer|no longer|instead|rather than|after all|used to|quit|gave up|giv(?:e|en|ing) up|stopp?\w*|"
    r"drop(?:ped|ping)?|ditch\w*|scrap\w*|abandon\w*|sold|gone off|moved (?:on )?from|chang\w*|switch\w*|swap\w*|replac\w*|"
    r"trad(?:e|ed)|exchang\w*|renamed|died|goodbye|forget|postponed|cancel\w*|rescheduled|correct\w*|scratch that|"
    r"t(?:ake|ook) (?:\w+ )?back|wrong|mistak\w*|became|becomes|turn(?:ed|s) (?:into|down)|fell through|pulled out|made way|"
    r"former\w*|previously|until recently|ended up|from now on|over with|out of the question|no more|outdated|old news"
)
_TAKES_BACK = re.compile(rf"\b(?:{_NOT}|{_ENDING}|in the end|by now|updated?|turns out)\b", re.IGNORECASE)
_ENDS = re.compile(rf"\b(?:{_ENDING})\b", re.IGNORECASE)
WORDS_OF_CHANGE = frozenset(
    stem(word)
    for word in """actually instead anymore longer changed change switch switched swap swapped replaced correction correct
    dropped stopped forget news remember told earlier before things thing update mind wrong mistake took take back
    new now said end went turned became""".split()
)
"""Stems of the words around a correction, which say that something changed and not to what."""
_MOVED = re.compile(
    r"\b(?:after all|postponed|rescheduled|moved|cancelled|called off|instead|change of (?:plan|date)|pushed|brought forward|"
    r"fell through|new date|correction)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Given:
    """A slot and the value a statement gives it; value is empty where the statement only ends the old one."""

    slot: str
    value: str


def given(statement: str) -> Given | None:
    """The slot that a statement about one person fills, e.g. ("home", "Porto"); None where no rule knows one.

    What is said of "my cousin" fills a slot of the cousin's, as the speaker knows it: "cousin home".
    """
    found = _given(statement)
    whose = _OF_MINE.match(statement)
    if found is None or whose is None or found.slot.startswith(("favourite", whose["kin"])):
        return found
    return Given(f"{whose['kin']} {found.slot}", found.value)


def _given(statement: str) -> Given | None:
    old = denied(statement)
    unfilled: str | None = None
    for slot, pattern in _PATTERNS:
        for match in pattern.finditer(statement):
            parts = match.groupdict()
            name = _named(slot, (parts.get("what") or "").casefold())
            value = _trimmed(parts.get("v") or "")
            if value and not _stems(value) <= old:
                return Given(name, value)
            unfilled = unfilled or name
    return Given(unfilled, _fresh(statement, old)) if unfilled else None


def of_somebody(statement: str) -> bool:
    """Whether a statement is about somebody who belongs to the speaker and is not the speaker."""
    return bool(_OF_MINE.match(statement))


def taste(statement: str) -> tuple[str, bool] | None:
    """(what, whether it is liked) of a statement of taste, the thing by its stems in order; None for any other."""
    match = _LIKES.search(statement)
    if match is None:
        return None
    thing = _TAIL.sub("", match["thing"].replace("the idea of ", "")).strip()
    stems = sorted(_stems(thing) - {"would", "bit"})
    if not stems or len(stems) > 4 or index_words(thing)[:1] in (["to"], ["it"], ["that"], ["this"], ["you"], ["them"]):
        return None
    liked = (match["yes"] is not None) != bool(match["not"])
    return " ".join(stems), liked != bool(re.search(r"\bused to (?:really )?$", statement[: match.start()]))


def denied(statement: str) -> frozenset[str]:
    """Stems of what a statement says no longer holds: "not Tuesday after all", "I left Alder Labs", "from A to B"."""
    found: set[str] = set()
    for pattern in _DENIALS:
        for match in pattern.finditer(statement):
            found |= _stems(match["old"])
    return frozenset(found)


def without_denied(statement: str) -> str:
    """The statement without the words that it denies, for reading what does hold, such as a new date."""
    for pattern in _DENIALS:
        statement = pattern.sub(lambda match: match[0].replace(match["old"], " "), statement)
    return statement


def changes(statement: str) -> bool:
    """Whether anything in a statement says that things were otherwise before."""
    return bool(_CHANGE.search(statement) or _ENDS.search(statement))


def takes_back(text: str) -> bool:
    """Whether a text that names what was said before may be taking it back; wider than `changes`."""
    return bool(_TAKES_BACK.search(text))


def ends(sentence: str) -> bool:
    """Whether a sentence says that something is no longer so; a bare "not" does not."""
    return bool(_ENDS.search(sentence))


def moves(statement: str) -> bool:
    """Whether a statement changes a plan there is."""
    return bool(_MOVED.search(statement))


def _named(slot: str, what: str) -> str:
    what = _KINDS.get(what, what)
    if slot.startswith("favourite"):
        what = "food" if what in _MEALS else stem(what)
    return slot.format(what=what)


def _trimmed(value: str) -> str:
    cut = re.split(
        r" (?:now|these days|any ?more|since|because|and|but|with|where|who|which|instead)\b", value.strip()
    )[0]
    return re.sub(r"^(?:now |also |called |a |an |the )+", "", cut).strip()


def _fresh(statement: str, old: frozenset[str]) -> str:
    """The new value as far as one can tell: what "it" is now, else the capitalised words that are not denied."""
    now = re.search(r"\bit(?:'s| is) (?:now )?(?P<v>[^,.;!?]+)", statement)
    if now and not _stems(_trimmed(now["v"])) <= old:
        return _trimmed(now["v"])
    runs = re.findall(r"(?<![.!?] )(?<!^)\b[A-Z0-9][\w'-]*(?: (?:&|[A-Z0-9][\w'-]*))*", statement)
    return " ".join(run for run in runs if not _stems(run) <= old and run not in ("I", "I'm", "I've"))


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in index_words(text) if word not in _EMPTY)


_EMPTY = frozenset(
    "a an the my our their his her its it is are was on in at to of and any more called i we they now all be go going".split()
)
