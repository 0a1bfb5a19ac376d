"""Words in which activities are wrapped: "my hands are full with", "is on my list", "eats up my morning".

What is left when they are gone is what is done. A frame that no list has is known by its build: a participle and a
preposition lead to an activity ("absorbed in chess"), a verb and its object follow one ("chess swallows my evening").
"""

import re
from collections.abc import Sequence

from kithnet.memory.language.time.clock import Token

WORDS = frozenset(
    """stuck tied busy expected looking forward hands full dot fyi btw lol haha hmm guess reckon apparently supposedly allegedly
    word news update reminder alarm spending able bound glad excited thrilled keen ready sorted lucky proud hopefully
    slot session's date entry item appointment's turn share bit spot dose piece round bout rest engagement commitment
    taken eats eating ate swallows fills filling claims claiming grabs demands consumes consuming covers covering absorbed
    immersed engrossed engaged committed caught hooked chained glued sunk deep middle midst favour favor courtesy case
    thanks fellow mate pal dear guys everyone folks luck chance opens closes opening closing half-past part parts participate
    participates participating turns expecting expect meanwhile otherwise besides therefore thus hence yet though
    reach reached along alone luck chance asked asks ask telling tells wrote writes mentions mentioned informs
    informed announced announces confirmed confirms claimed
    tomorrow's today's tonight's mind planner timetable programme program itinerary reality fact truth lately
    attending completing completes complete enjoying enjoys enjoy doing performing performs perform practise practises practising
    carry carries carrying undertake undertaking undertakes handle handles handling tackle tackles tackling
    wrapped wrapping kicked kicking underway ongoing conclude concludes concluding resume resumes pursue pursues pursuing
    both friend gather passed important importantly glance counting slip teacher thought highlight tmrw tmr tmw
    belong belongs await awaits it'll that'll there'll this'll swamped snowed occupied's unreachable offline
    unavailable reachable away gone immediately thereafter subsequently early""".split()
)
"""Words before what is done that only lead there."""
VERBS = frozenset(
    """eats swallows fills claims demands consumes covers opens closes commences concludes requires needs costs keeps holds
    ties spans extends ranges stretches lies sits lands appears awaits begins finishes resumes proceeds counts occurs
    which who while whereas it'll that'll there'll we'll i'm i've i'll i you're you he she we""".split()
)
"""Verbs after what is done."""
_PREPOSITIONS = frozenset("at in with by to for on of into".split())
_OBJECTS = frozenset("my me the us up our all him her his from".split())
_HOLDERS = frozenset(
    """calendar calendars list agenda schedule diary plan plans programme program planner timetable side horizon menu books book
    cards docket itinerary day morning afternoon evening mind heart plate radar dot""".split()
)
_HEADS = frozenset(
    """session spot bit piece round bout dose turn hour hours block slot go stint shift helping half spell while dash lot
    length stretch minutes minute series set pair couple""".split()
)
_NO_ADVERBS = frozenset(
    """family ally early belly rally jelly bully fly july italy butterfly assembly supply reply tally gully lily holly ply
    comply barfly lolly daily weekly monthly""".split()
)


def is_adverb(low: str) -> bool:
    """Whether a word is an adverb by its ending: "apparently", "merrily"."""
    return len(low) > 5 and low.endswith("ly") and low not in _NO_ADVERBS


CALLING = frozenset("reach call ring wait contact disturb bother catch phone text meet see".split())
"""What people ask not to be done while they are busy: "don't call me between"."""


_WEAK = frozenset(
    """count gather take passed see find do come go get be have stay look sit head try use think say hope both either each
    somewhere anywhere thing things stuff point end start beginning rest else same other others one ones lot bit way part""".split()
)


def is_weak(low: str) -> bool:
    """Whether a single word is no activity: a participle, or a verb of every day."""
    return low in _WEAK or (low.endswith("ed") and len(low) > 4 and low not in ("weed", "speed", "moped"))


def is_titled(name: str, words: Sequence[Token]) -> bool:
    """Whether a name stands in the words with a capital that is not merely the first of a sentence, or is a gerund."""
    parts = set(name.split())
    if any(part.endswith("ing") and len(part) > 5 for part in parts):
        return True
    return any(word.low in parts and word.text[:1].isupper() and word.first > 0 for word in words)


def begins(words: Sequence[Token]) -> int:
    """Where what is done may begin: after "between breakfast and lunch", say, if somebody is then said to do it."""
    low = [word.low for word in words]
    for place in range(len(low) - 3):
        if low[place] in ("at", "by") and low[place + 1] in ("my", "our") and low[place + 2] == "side":
            return place + 3
    if low[:1] == ["between"] and "and" in low[1:6]:
        return next(
            (at for at, word in enumerate(low) if at > low.index("and") and word in ("i", "i've", "i'm", "we")), 0
        )
    return 0


def cut(words: Sequence[Token], after: Sequence[Token]) -> Sequence[Token]:
    """The words for what is done without frames that are known by how they are built.

    after: the words that follow.
    """
    words = _held(words)
    for place in range(len(words) - 1, 0, -1):
        leads = words[place].low in _PREPOSITIONS and place + 1 < len(words)
        if leads and all(_is_frame(word.low) for word in words[:place]):
            words = words[place + 1 :]
            break
    while len(words) > 1 and words[0].low in ("my", "a", "an", "the", "some", "our"):
        words = words[1:]
    last = len(words)
    while last > 1 and words[last - 1].low in ("me", "us", "my", "it"):
        last -= 1
    if last > 1 and (last < len(words) or (after and after[0].low in _OBJECTS)) and _is_verb(words[last - 1].low):
        last -= 1
    return _titled(words[:last])


def _titled(words: Sequence[Token]) -> Sequence[Token]:
    """A name that is written with a capital, without small words before it: "belong to the Chess Club"."""
    small = [place for place, word in enumerate(words) if not word.text[:1].isupper()]
    large = [place for place in range(1, len(words)) if words[place].text[:1].isupper()]
    if not large or not small or small[0] != 0 or any(words[at].low.endswith("ing") for at in range(large[0])):
        return words
    return words[large[0] :]


def bare(name: str) -> str:
    """A name without the "'s" that stands for "is"; sleep and lunch by their usual name."""
    name = name.removesuffix("'s")
    if " " in name and _SLEEP.fullmatch(name):
        return "sleep"
    return "lunch" if " " in name and _LUNCH.fullmatch(name) else name


_SLEEP = re.compile(r"(?:\w+ ){0,2}(?:sleep|sleeps|sleeping|asleep|slumbers?)(?: \w+){0,2}")
_LUNCH = re.compile(r"(?:(?:\w+ )?(?:for|to|at|of|my) )?(?:lunch|lunches|lunching|lunchtime|lunch time|lunch hour)")


def _held(words: Sequence[Token]) -> Sequence[Token]:
    """Words without what says where they are written down: "on my calendar", "in my diary"."""
    low = [word.low for word in words]
    if low[-2:] in (["first", "thing"], ["right", "away"]) and len(low) > 2:
        return words[:-2]
    for place in range(1, len(low) - 1):
        if low[place] in ("on", "in", "at", "for") and low[-1] in _HOLDERS and len(low) - place <= 3:
            return words[:place]
    return words


def _is_frame(low: str) -> bool:
    return low in WORDS or low in _HEADS or is_adverb(low) or low in ("a", "an", "the", "my", "of") or (
        len(low) > 4 and low.endswith("ed")
    )  # fmt: skip


def _is_verb(low: str) -> bool:
    return low.endswith("s") and not low.endswith("ss") and len(low) > 3
