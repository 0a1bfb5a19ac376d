"""The words around a time of day: what is done, by whom, and whether it is told, asked, changed or called off."""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kithnet.memory.language.text import stem
from kithnet.memory.language.time.clock import Token, tokens
from kithnet.memory.writing import frames

SPEAKER = frozenset("i i'm i've i'll i'd my me mine myself im ive".split())
BOTH = frozenset("we we're we've we'll we'd our us ours let's".split())
LISTENER = frozenset("you you're you've you'll you'd your yours".split())
THIRD = frozenset(
    "he he's he'll he'd she she's she'll she'd his her him they they're they'll they've their them".split()
)
_PRONOUNS = SPEAKER | BOTH | LISTENER | THIRD
KIN = frozenset(
    """sister brother mother father mum mom dad son daughter wife husband partner girlfriend boyfriend aunt uncle
    cousin boss flatmate roommate nephew niece grandmother grandfather grandma grandpa friend friends neighbour
    neighbor colleague colleagues landlord teacher parents children kids kid baby stepbrother stepsister
    coworker coworkers""".split()
)
_AUXILIARY = frozenset(
    """am is are was were be been being do does did have has had having 've will would shall can could may must should
    'll won't isn't aren't wasn't weren't don't doesn't didn't haven't hasn't cannot can't couldn't gonna that's
    there's it's here's what's when's where's who's there this that these those it its which""".split()
)
_LIGHT = frozenset(
    """get gets got getting go goes going went gone do doing done make makes making take takes taking took keep keeps
    keeping kept set put start starts starting started begin begins beginning began run runs run's last lasts
    lasting lasted happen happens plan plans planning planned schedule schedules scheduled scheduling book books
    booked booking reserve reserved block blocked attend attends attending attended join joins joining joined
    need needs want wants wanted like try trying manage managed intend intends supposed spend spends spending
    spent sign signed signing enrol enrolled enroll head heads heading headed leave leaves leaving come comes
    coming meet's play plays playing played think guess believe know see look looks feel say says said tell told
    hear heard remember hope promise promised agreed agree decided decide want will shall let lets continue
    continues end ends ending finish finishes finishing finished stop stops stopping wrap wraps kick kicks fit
    fitted squeeze slot slotted pencil pencilled penciled lined line dedicate dedicated devote devoted use using
    follows follow followed occupied occupies occupy stretches stretch falls fall add added scheduled commences
    arranged arrange due stay stays staying remain remains move moves moved moving shifts shifted push pushes
    pushed postpone postponed reschedule rescheduled bring brings brought forward delay delayed change changes
    changed extend extended shorten shortened cancel cancels cancelled canceled cancelling scrap scrapped skip
    skips skipped skipping drop dropped dropping ditch ditched called meet meets meeting find gave give gives
    giving given comes mark marked note noted jot jotted""".split()
)
_SMALL = frozenset(
    """a an the some any my our your his her their no not and or but so then now next first second third later
    afterwards after before also too just only still already again always usually normally often sometimes ever
    never really actually probably definitely certainly surely anyway well oh ok okay hey hi hello yes yeah yep
    no nope sure right fine great sorry please today tomorrow tonight yesterday morning afternoon evening night
    noon midnight day week monday tuesday wednesday thursday friday saturday sunday every each daily weekly this
    that next last on in at of for from to with by as into onto up down out off over about around until till
    since between during while through busy booked occupied straight directly right together quickly around
    finally lastly afterwards followed here there all whole entire full long time times spot slot clock o'clock
    am pm a.m. p.m. something somewhere back way it them me us him one's own new usual regular little quick
    long-ish i m s re ve d ll t how when where what why who instead rather because than wait hmm uh um sharp
    except though although hours hour minutes minute half quarter past ago wrong mistaken mixed confused earlier
    morning's plus via per more most early late good nice""".split()
)
_OWNING = frozenset("a an the my our your his her their this another some".split())
STOP = (
    _PRONOUNS - {"my", "his", "her", "their", "our", "your", "me", "him", "them", "us"}
) | frozenset(
    """with which that who because so but where until till together is are was were will has have had isn't aren't
    won't wasn't runs starts begins lasts takes goes gets keeps ends finishes stops been got it's that's there's
    does doesn't from then comes and-then whose while if unless when can could would should must may might
    hasn't continues happens remains falls stretches occupies commences follows needs since gonna going instead
    today tomorrow tonight every each""".split()
)  # fmt: skip
_TRAIL = _SMALL | _AUXILIARY | frozenset(
    """starting starts beginning begins ending ends scheduled planned booked set me us you i we lasting running going
    moved shifted pushed brought forward cancelled canceled changed starts run taking""".split()
)  # fmt: skip
_TO_SLEEP = tuple(
    tuple(one.split())
    for one in (
        "night night", "switch off the light", "turn off the light", "lights off", "light off", "eyes close",
        "close my eyes", "call it a night", "calls it a night", "zzz", "in the sack", "to the sack", "tucked in",
        "bed at", "bed by", "bed from", "my bed", "her bed", "his bed", "off to dreamland", "to dreamland", "out cold", "drift off",
        "turn in", "turns in", "turning in", "lights out", "hit the sack", "hit the hay", "hits the hay", "hits the sack",
        "fall asleep", "falls asleep", "nod off", "doze off", "off to bed", "go to bed", "goes to bed", "going to bed", "in bed",
        "crash", "crashes", "bedtime", "night's rest", "night's sleep", "out like a light", "pillow", "shut eye", "shut-eye",
        "dead to the world", "retire for the night", "get to bed", "under the covers", "slumber", "hit the pillow",
        "my alarm rings",
        "to sleep", "night's", "eight hours in bed", "snooze", "snoozing", "kip", "fast asleep", "sound asleep",
        "the land of nod", "land of dreams", "my dreams", "dreamland",
        "my bed", "the duvet", "forty winks", "hours of shuteye", "shuteye",
    )
)  # fmt: skip
_EMPTY = _SMALL | _AUXILIARY | _PRONOUNS
NOT_BUSY = frozenset(
    """free available open closed nothing off unavailable none anything everything nobody gap gaps break-free empty
    available""".split()
)
_NO_ACTIVITY = NOT_BUSY | frozenset(
    """packed taken plan plans schedule diary calendar agenda thing things stuff evening morning day idea question
    answer same""".split()
)
VAGUE = frozenset(
    """maybe perhaps might if unless would could wish wonder i'd we'd he'd she'd probably-not suppose whether imagine
    should possibly ideally thinking considering""".split()
)
CANCELS = frozenset(
    """cancel cancels cancelled canceled cancelling canceling scrap scrapped scrapping skip skips skipped skipping drop
    dropped dropping ditch ditched scratch scratched axed axe forget strike struck delete deleted erase erased bin binned nixed
    scrubbed abandoned annulled aborted void""".split()
)
CHANGES = frozenset(
    """moved moves move shifted pushed postponed delayed rescheduled changed change extended longer shorter shortened
    actually instead correction rather brought later earlier sorry wait mistake swapped prolonged typo wrong lengthened oops
    misremembered misspoke put postponement corrected correct reality turns fact revised new slid slips slipped bumped""".split()
)
NEGATIVE = frozenset(
    """not no never don't doesn't isn't aren't won't can't cannot haven't hasn't wasn't didn't couldn't nobody neither
    without""".split()
)
_OFF_VERBS = frozenset("is are was were got gets been be i'm it's that's being taken it off".split())
AGREEING = frozenset(
    """yes yeah yep yup sure ok okay right exactly correct indeed absolutely definitely certainly fine deal great
    perfect gladly true agreed sounds course totally precisely happy love lovely""".split()
)
_REPORTS = frozenset(
    stem(word)
    for word in """tell told say said mention claim reckon think text write wrote announce explain report reply confirm swear
    promise admit remind inform let suggest believe insist state""".split()
)
_PUNCTUATION = frozenset(',;:.!?()[]"“”–—-…/')
PARTS = {"morning": "am", "afternoon": "pm", "evening": "pm", "tonight": "night", "night": "night"}
_USUAL = {
    stem("breakfast"): "am", stem("brunch"): "am", stem("dinner"): "pm", stem("supper"): "pm", stem("sleep"): "night",
    stem("bed"): "night", stem("asleep"): "night",
}  # fmt: skip


LEAD = _PRONOUNS | _AUXILIARY | _LIGHT | _SMALL | CHANGES | CANCELS | frames.WORDS


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens between marks of punctuation, and whether a mark, or the sentence's edge, stands at either end."""

    words: tuple[Token, ...]
    opens: bool
    closes: bool


def pieces(words: Sequence[Token]) -> list[Piece]:
    """A run of tokens cut at commas, colons and the like."""
    found: list[Piece] = []
    held: list[Token] = []
    opens = False
    for place, word in enumerate(words):
        dash = word.low == "-" and 0 < place < len(words) - 1 and (
            words[place - 1].last < word.first and word.last < words[place + 1].first
        )  # fmt: skip
        if dash or word.low in (",", ";", ":", "(", ")", "—", "–", "!", ".", "?"):
            found.append(Piece(tuple(held), opens, True))
            held, opens = [], True
        else:
            held.append(word)
    found.append(Piece(tuple(held), opens, False))
    return found


def activity(words: Sequence[Token], text: str, companions: Collection[int] = (), names: Collection[int] = ()) -> str:
    """What is done, in the words said: a noun or verb phrase without what leads into it; "" for none.

    companions: where tokens begin that say with whom; names: where people are named at all.
    """
    if _goes_to_bed(words):
        return "sleep"
    first = frames.begins(words)
    while first < len(words):
        while first < len(words) and (words[first].first in names or _leads(words, first, companions)):
            first += 1
        last = first
        while last < len(words) and words[last].first not in companions and not _stops(words, first, last, names):
            last += 1
        kept = _without_trail(frames.cut(words[first:last], words[last:]))
        weak = len(kept) == 1 and frames.is_weak(kept[0].low)
        if kept and not weak and not all(word.low in _NO_ACTIVITY or not word.text[0].isalpha() for word in kept):
            return frames.bare(" ".join(text[kept[0].first : kept[-1].last].split()).strip(" '\"“”-,.").casefold())
        first = max(last, first + 1)
    return ""


def _stops(words: Sequence[Token], first: int, at: int, names: Collection[int]) -> bool:
    """Whether the words for what is done end before `at`: at a verb, or at somebody's name."""
    word = words[at]
    named = at > first and word.first in names and not word.low.endswith("'s")
    return word.low in STOP or (at > first and word.low in frames.VERBS) or named


def _goes_to_bed(words: Sequence[Token]) -> bool:
    low = [word.low for word in words]
    return any(tuple(low[at : at + len(one)]) == one for one in _TO_SLEEP for at in range(len(low)))


def _without_trail(words: Sequence[Token]) -> Sequence[Token]:
    last = len(words)
    while last and (
        words[last - 1].low in _PUNCTUATION
        or words[last - 1].low in (_TRAIL | {"get", "do", "go"} if last > 1 else _EMPTY)
    ):
        last -= 1
    return words[:last]


def _leads(words: Sequence[Token], place: int, companions: Collection[int]) -> bool:
    """Whether a word only leads into what is done; a noun that looks like such a verb ("my run", "the book club") does not."""
    word = words[place]
    if word.low in _LIGHT and place and words[place - 1].low in _OWNING:
        return False
    if word.low in frames.CALLING and place and (words[place - 1].low in NEGATIVE or words[place - 1].low == "to"):
        return True
    return word.first in companions or word.low in LEAD or not word.text[0].isalnum() or frames.is_adverb(word.low)


def is_open(words: Sequence[Token]) -> bool:
    """Whether the words say of something that it is open, closed, free: "the shop is open"."""
    pairs = itertools.pairwise(words)
    return any(a.low in _OFF_VERBS and b.low in ("open", "closed", "free", "available") for a, b in pairs)


def is_free(words: Sequence[Token]) -> bool:
    """Whether the words speak of nothing being on: free, available, closed."""
    return any(
        word.low in NOT_BUSY - {"off", "none", "open", "anything", "everything", "nobody"} for word in words
    ) or any(
        word.low in ("open", "off") and words[place - 1].low in _OFF_VERBS for place, word in enumerate(words) if place
    )


def calls_off(words: Sequence[Token]) -> bool:
    """Whether the words call something off: "scrap", "is off", "called off", "not doing"."""
    for place, word in enumerate(words):
        low, before = word.low, words[place - 1].low if place else ""
        after = words[place + 1].low if place + 1 < len(words) else ""
        if low in CANCELS and not (low == "forget" and before in ("don't", "not", "never")):
            return True
        if (
            low == "off"
            and (before in _OFF_VERBS or _calling(words, place))
            and after not in ("to", "at", "for", "from")
            and not after.endswith("ing")
        ):
            return True
        if (low, after) in (("not", "happening"), ("isn't", "happening"), ("no", "longer"), ("no", "more")):
            return True
        if low == "up" and before in ("give", "gave", "giving", "gives", "given"):
            return True
        if low == "through" and before in ("fell", "falls", "fallen", "fall"):
            return True
    return False


def gives_up(words: Sequence[Token]) -> bool:
    """Whether the words may say that something known will not be done: "pulled out of", "decided against", "give it a miss"."""
    return bool(_GIVEN_UP.search(" ".join(word.low for word in words)))


_GIVEN_UP = re.compile(
    r"\b(?:against|withdr[ae]w\w*|wiped|removed?|quit\w*|bail\w*|sat out|sit(?:ting)? out|pass(?:ing)? on|not any ?more|nope|"
    r"(?:pull|back|opt|bail|duck|drop|chicken)\w* out|a miss|gone|count me out|dead|history|no[ -]go|ruled out|"
    r"off the table|up in smoke|out of the question|goes my|(?:off|from|out of) (?:the|my|our|his|her) (?:list|schedule|plans?"
    r"|calendar|table|agenda|diary|cards|menu|books)|(?:won't|can't|not|couldn't) (?:be )?(?:make|making) it|no can do|shelved|"
    r"cross\w* (?:\w+ )?(?:out|off)|(?:got|get|getting) out of|let \w+ go|can't go|fell flat|comes? to nothing|"
    r"rained off|washed out|sick of|do without)\b"
)


def _calling(words: Sequence[Token], place: int) -> bool:
    return any(word.low in ("call", "called", "calls", "calling") for word in words[max(0, place - 5) : place])


def denies(words: Sequence[Token]) -> bool:
    """Whether the words say that it is not so; "not only" and "don't forget" do not."""
    for place, word in enumerate(words):
        after = words[place + 1].low if place + 1 < len(words) else ""
        if after in ("be", "get", "have", "even") or frames.is_adverb(after):
            after = words[place + 2].low if place + 2 < len(words) else after
        if word.low in NEGATIVE and after not in _NOT_DENIED:
            return True
    return False


_NOT_DENIED = frozenset(
    """only forget worry problem matter to miss reach call ring wait make come disturb bother alone expect count see meet
    talk catch believe contact text phone chance luck way time before much reachable around available home in there
    online over done finished through back long anywhere
    hear answer pick here sooner wonder doubt idea need""".split()
)
"""What people say "not" of without meaning what they do then: "don't call me", "I can't wait", "I'm not alone"."""


def usual(activity_words: str) -> str:
    """The half of the day that something is usually done in, "" where it is not clear."""
    return next((part for word in activity_words.split() if (part := _USUAL.get(stem(word)))), "")


def is_pronoun(word: Token) -> bool:
    """Whether a word stands for somebody or something rather than naming it."""
    return word.low in {"it", "that", "this", "all", "which", "what", "i", "you", "he", "she", "we", "they"}


def reports(word: str) -> bool:
    """Whether a word is a verb of saying."""
    return stem(word) in _REPORTS


def agrees(text: str) -> bool:
    """Whether a reply begins by agreeing and takes nothing back."""
    first = [word.low for word in tokens(text)[:4]]
    return bool(set(first) & AGREEING) and not set(first) & NEGATIVE
