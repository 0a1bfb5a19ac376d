"""What people like and dislike, read from what they say: by cues and their negation, not by the thing that is liked."""

from collections.abc import Sequence

from kithnet.memory.language.text import stem
from kithnet.memory.language.time import clock
from kithnet.memory.language.time.clock import Token


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


_LIKES = _stems(
    "love adore enjoy like fond keen favourite favorite fan obsessed passionate passion delight treasure cherish relish happier "
    "happy thrilled addicted crush fancy devoted enthusiast lover bliss enthusiastic cheers worship"
)
_HATES = _stems(
    "hate loathe detest despise dislike abhor disgusting awful terrible horrible annoying annoy bore boring avoid dread "
    "worst creeps "
    "repulsive unbearable insufferable sick resent shudder yuck gross irritate irritating intolerable ghastly "
    "allergic hater"
)
_UNBEARABLE = _stems("stand bear abide tolerate stomach endure suffer")
_EMOTIVE = _LIKES | _HATES | _UNBEARABLE
_NOT = frozenset(
    """not no never don't doesn't didn't isn't aren't can't cannot couldn't won't hardly nothing without neither nobody
    far""".split()
)
_WORSE_THAN = (("drive", "mad"), ("drive", "crazy"), ("drive", "wall"), ("drive", "nuts"),
               ("put", "off"), ("turn", "off"), ("get", "nerves"),
               ("leave", "cold"), ("far", "away"), ("stay", "away"), ("keep", "away"))  # fmt: skip
_BETTER = (("get", "enough"), ("mad", "about"), ("crazy", "about"), ("wild", "about"), ("nothing", "better"),
           ("nothing", "beats"),
           ("make", "day"), ("day", "better"), ("live", "without"), ("not", "without"), ("over", "moon"),
           ("live", "for"))  # fmt: skip
_NEAR = 6


def leaning(sentence: str) -> int:
    """1 for a sentence that tells of liking, -1 for one of dislike, 0 where no cue says."""
    low = [word.low for word in clock.tokens(sentence)]
    stems = [stem(word) for word in low]
    for first, second in _BETTER:
        if _pair(low, stems, first, second):
            return 1
    for first, second in _WORSE_THAN:
        if _pair(low, stems, first, second):
            return -1
    for place, one in enumerate(stems):
        denied = any(word in _NOT for word in low[max(0, place - 4) : place])
        if one in _UNBEARABLE and denied:
            return -1
        if one in _HATES:
            return 0 if denied else -1
        if one in _LIKES:
            if low[place] == "like" and {"no", "nothing", "nobody"} & set(low[max(0, place - 2) : place]):
                return 1  # nothing is like it
            if (
                low[place] == "like"
                and place
                and low[place - 1] in ("would", "feels", "looks", "is", "just", "sounds", "i'd", "was")
            ):
                continue
            best = "nothing" in low[max(0, place - 4) : place] or low[max(0, place - 1)] == "no"
            return (1 if best else -1) if denied else 1
    return 0


def _pair(low: Sequence[str], stems: Sequence[str], first: str, second: str) -> bool:
    """Whether two words stand in a sentence near each other, in this order."""
    for place, (word, one) in enumerate(zip(low, stems, strict=True)):
        if first in (word, one) or one == stem(first):
            near = range(place + 1, min(len(low), place + 1 + _NEAR))
            if any(second in (low[at], stems[at]) for at in near):
                return True
    return False


def shared(left: str, right: str) -> str:
    """The longest run of words that two sentences have in common: a thing, without words of no content and of liking."""
    return next(iter(runs(left, right)), "")


def runs(left: str, right: str) -> list[str]:
    """All runs of words that two sentences have in common, the longest first, as the left one has them.

    Those that are no phrase of their own come last: in one of the sentences they lead into another word ("old" of "old
    maps"), or into what a verb has after it ("drag me").
    """
    a, b = clock.tokens(left), clock.tokens(right)
    found: dict[tuple[int, int], tuple[bool, int]] = {}
    for start in range(len(a)):
        for other in range(len(b)):
            if start and other and _same(a[start - 1], b[other - 1]):
                continue
            width = 0
            while start + width < len(a) and other + width < len(b) and _same(a[start + width], b[other + width]):
                width += 1
            run = _trimmed(a[start : start + width])
            if run:
                cut = width - next(at for at in range(width) if a[start + at] is run[-1]) - 1
                whole = not any(_leads_on(side, at + width - cut) for side, at in ((a, start), (b, other)))
                place = run[0].first, run[-1].last
                found[place] = max(found.get(place, (False, 0)), (whole, len(run)))
    order = sorted(found, key=lambda place: (not found[place][0], -found[place][1], place))
    return [left[first:last] for first, last in order]


def _leads_on(sentence: Sequence[Token], at: int) -> bool:
    """Whether the word at a place belongs with the one before it."""
    return at < len(sentence) and (sentence[at].low in _OBJECTS or not _empty(sentence[at]))


_OBJECTS = frozenset("me my myself him her his them their us our you your it a an the".split())


def phrases(sentence: str) -> list[str]:
    """The runs of words between words of no content and of liking: what a sentence may be about."""
    said: list[list[Token]] = [[]]
    for token in clock.tokens(sentence):
        said = [*said, []] if _empty(token) else [*said[:-1], [*said[-1], token]]
    return [sentence[run[0].first : run[-1].last] for run in said if run]


def _same(left: Token, right: Token) -> bool:
    return left.low == right.low or stem(left.low) == stem(right.low)


def _trimmed(run: Sequence[Token]) -> Sequence[Token]:
    first, last = 0, len(run)
    while first < last and _empty(run[first]):
        first += 1
    while last > first and _empty(run[last - 1]):
        last -= 1
    return run[first:last]


def _empty(word: Token) -> bool:
    return not word.text[0].isalnum() or stem(word.low) in _EMOTIVE or word.low in _SMALL or word.low in _NOT


_SMALL = frozenset(
    """i me my mine you your he she it its they them we us our a an the this that these those and or but so as at by
    for from in into of on to up with about than then there is are was were be been am do does did have has had
    will would can could i'm i've it's not no really very much quite all too just ever never always one thing
    things anything something most best big whole world lot lots day time life makes make made get gets got go
    goes every nothing more few little bit since without after before over under again away any some other each
    both he's she's they're you're there's that's what when where how why who i'd i'll you'd""".split()
)
