"""Days, weeks, months and years as people name them, found in a text: "the 8th", "Monday the 4th", "Friday next week".

What a name means, seen from some day, is for `days`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kithnet.memory.language.text import stem
from kithnet.memory.language.time.numbers import TENS, UNITS

WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()
CALENDAR = frozenset(stem(word) for word in (*WEEKDAYS, *MONTHS))
"""Stems of the names of days and months, which name no thing."""
_WRITTEN = """mon mondy munday=monday|tue tues tuesdy tuseday teusday=tuesday|wed weds wednes wensday wednsday=wednesday|
thu thur thurs thursdy thrusday=thursday|fri fridy firday=friday|sat saterday satuday=saturday|sun sundy=sunday|
jan janurary=january|feb febuary feburary=february|mar=march|apr=april|jun=june|jul=july|aug=august|
sep sept septemer=september|oct=october|nov=november|dec decmber=december"""
_MEANT = {word: word for word in (*WEEKDAYS, *MONTHS)}
for _line in _WRITTEN.replace("\n", "").split("|"):
    _MEANT |= dict.fromkeys(_line.partition("=")[0].split(), _line.partition("=")[2])
"""Names as they are written, shortened and misspelt too, and what they mean."""
_NTHS = {word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth ninth".split(), 1)}
_NTHS |= {f"{tens}{joint}{word}": 20 + n for tens in ("twenty",) for joint in "- " for word, n in _NTHS.items()}
_NTHS |= {f"{word}th": n for word, n in UNITS.items() if n in (10, 11) or n > 12}
_NTHS |= {"twelfth": 12, "twentieth": 20, "thirtieth": 30, "thirty-first": 31, "thirty first": 31}
_COUNTS = UNITS | TENS | {"a": 1, "an": 1, "another": 1, "a couple": 2, "a couple of": 2, "a few": 3, "several": 3}
STEPS = dict.fromkeys(("last", "past", "previous", "this past"), -1) | {"this": 0, "current": 0, "after next": 2}
STEPS |= dict.fromkeys("next/coming/upcoming/following/this coming/the following/the coming".split("/"), 1)
"""Words before a week or a weekday, and how far from this one it is."""
_TOMORROW = "tom+or+ows?|tmrr?w|tmr|tomoz|2mor+ow|2moro"
FIXED = {"day after tomorrow": 2, "day before yesterday": -2, "last night": -1, "yesterday": -1, "ystd": -1, "yday": -1}
_EDGE = "(?P<edge>first day|last day|start|beginning|middle|mid|end|early|late)"


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


def _of(names: Collection[str], exactly: Collection[str] = ()) -> str:
    """The ways to write some names; `exactly` those that are a name with a capital alone."""
    small = _any(word for word, meant in _MEANT.items() if meant in names and meant not in exactly)
    return f"{small}|(?-i:{'|'.join(word.capitalize() for word in exactly)})" if exactly else small


def _day(group: str) -> str:
    return rf"(?P<{group}>\d{{1,2}}(?:st|nd|rd|th)?|{_any(_NTHS)})"


_W, _M = rf"(?P<weekday>{_of(WEEKDAYS)})", rf"(?P<month>{_of(MONTHS)})"
_CAPITAL_M = rf"(?P<month>{_of(MONTHS, ('march', 'may'))})"
_Y = r"(?:,? (?P<year>(?:19|20)\d\d))?"
_D, _NTH = _day("day"), rf"(?P<day>\d\d? ?(?:st|nd|rd|th)|\d\d?(?= of )|{_any(_NTHS)})"
_JOINT = r" ?[-–] ?(?:the )?| (?:to|till?|until|through|thru|and|or|&) (?:the )?"
_TO = rf"(?:{_JOINT}){_day('day2')}"
_N = rf"(?P<count>\d{{1,3}}|{_any(_COUNTS)})"
_STEP, _THE = rf"(?P<which>{_any(STEPS)})", rf"(?P<which>{_any((*STEPS, 'the', 'that', 'the same'))})"
_OF = rf"(?:(?: day)?(?: of|,)?(?: the month of)? {_M}\b\.?{_Y}|(?: day)? (?:of |in )?{_THE} month)"
_UNIT = r"(?P<unit>day|night|week|fortnight|month|year|hour)s?"
_ON = r"(?:on|by|until|till?|since|from|before|after)"
_LED = r"(?:on|by|until|till?|from|since|before|after|for|to|through|thru|around|about|between|and|or|is|be|but|not)"
_AFTER = _any(
    """in with and or but on for from to till til until through thru at around by about of i i'm i'll i'd we we're we'll you he she
    it they then than tomorrow today tonight because so is are was were will would works does should can could has have this
    that my our his her their your a an after before instead now please pls if when as again also too there here morning
    afternoon evening night via not only unless since maybe next last thanks ok okay noon midday the""".split()
)
_ENDS = rf"(?= *(?:[^\w\s'’%$€£-]|$)| [-–] | ?[-–](?:the )?\d| (?:{_AFTER})\b)"
"""What may come after "the 8th" where it is a day: no word for a thing that is the eighth of its kind."""
_PM = r"(?![:.,]?\d| ?[ap]\.?m\b)\b"
_FORMS = tuple(
    (kind, needs, re.compile(pattern, re.IGNORECASE))
    for kind, needs, pattern in (
        ("day", "d", r"\b(?P<year>\d{4})[-/](?P<m>\d{1,2})[-/](?P<day>\d{1,2})\b"),
        ("day", "d", r"(?<![\d.])(?P<day>\d{1,2})[.-](?P<m>\d{1,2})[.-](?P<year>\d{4})\b"),
        ("day", "d", rf"\b(?:(?P<lead>{_ON})|{_W},?) (?P<day>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?!\d)"),
        ("day", "d", r"\b(?P<m>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d\d)\b"),
        ("day", "d", rf"\b(?:(?P<lead>{_ON})|{_W},?) (?P<m>\d{{1,2}})/(?P<day>\d{{1,2}})\b(?!/)"),
        ("day", "m", rf"\b{_M}\.? (?:the )?{_D}(?=(?:{_JOINT})\d\d?(?:st|nd|rd|th)?(?: of)? (?:{_of(MONTHS)}|this|next)\b)"),
        ("day", "m", rf"(?<![:.])\b(?:the )?(?:{_NTH}|(?P<plain>\d\d?)(?=(?:{_JOINT})\d\d? )){_TO}{_OF}\b"),
        ("day", "m", rf"\b{_M}\.? (?:the )?{_D}{_TO}{_PM}{_Y}"),
        ("nth", "w", rf"\b(?P<nth>first|second|third|fourth|last) {_W} (?:of|in) (?:{_M}\b{_Y}|{_THE} month)\b"),
        ("edge", "", rf"\b{_EDGE}(?: in| of|-)? ?(?:{_THE} )?(?:(?P<unit>week|month|year)|{_M}(?!\.? (?:the )?\d\d?(?!\d)){_Y})\b"),
        ("day", "m", rf"\b(?:{_W},? )?(?:the )?{_NTH}{_OF}\b"),
        ("day", "m", rf"\b(?:{_W},? )?(?:the )?(?P<day>\d\d?) {_CAPITAL_M}\b{_Y}"),
        ("day", "m", rf"\b(?:{_W},? )?{_M}\.?,?(?: the)? {_D}{_PM}{_Y}"),
        ("day", "w", rf"\b{_W},? (?:the )?{_NTH}\b"),
        ("fixed", "", rf"\b(?P<fixed>{_any(FIXED)})\b"),
        ("away", "u", rf"\b{_N} {_UNIT} (?P<ago>ago|back|before now)\b"),
        ("away", "u", rf"\b(?:in|within) {_N} {_UNIT}\b"),
        ("away", "u", rf"\b(?:{_N} )?{_UNIT} from (?:now|today|(?P<fixed>{_TOMORROW}))\b"),
        ("weekday", "w", rf"\b(?:{_N} )?(?P<unit>week)s? (?:from|after) (?:on |this |next )?{_W}\b"),
        ("week", "w", rf"\b{_W},?(?: of| in| on)? {_STEP} week\b"),
        ("week", "w", rf"\b{_STEP} week,?(?: on)? {_W}\b"),
        ("unit", "u", r"\bthe (?P<unit>week|weekend|month|year) (?P<which>after next)\b"),
        ("unit", "u", rf"\b{_STEP} (?P<unit>week|weekend|month|year)\b"),
        ("unit", "u", r"\b(?:at|on|over|for|during|by|until) the (?P<unit>weekend)\b"),
        ("weekday", "w", rf"\bthe {_W} (?P<which>after next)\b"),
        ("weekday", "w", rf"\b{_W} (?P<unit>week)\b"),
        ("weekday", "w", rf"(?<!every )(?<!each )\b(?:{_STEP} |(?P<lead>{_ON}) )?{_W}\b"),
        ("fixed", "", rf"\b(?:later )?(?P<fixed>today|tonight|tonite|2nite|this (?:morning|afternoon|evening)|{_TOMORROW})\b"),
        ("day", "d", rf"(?:\b(?:(?P<lead>{_LED})(?: the)?|the) |^|(?<=[-–]))(?P<day>\d\d? ?(?:st|nd|rd|th)){_ENDS}"),
        ("day", "", rf"\b(?P<lead>on|by|until|till?) the (?P<day>{_any(_NTHS)}){_ENDS}"),
        ("month", "m", rf"\b(?:in|(?P<which>last|next)|since|until|by|during) {_M}\b{_Y}"),
        ("month", "m", rf"\b(?P<which>this) {_CAPITAL_M}\b"),
        ("month", "m", rf"\b{_M},? (?P<year>(?:19|20)\d\d)\b"),
        ("month", "d", r"\b(?P<year>\d{4})-(?P<m>\d\d)\b(?!-)"),
        ("year", "d", r"\b(?:in|since|of) (?P<year>(?:19|20)\d\d)\b"),
        ("bare", "m", rf"(?<!^)\b{_CAPITAL_M}\b"),
    )
)  # fmt: skip
"""Kinds, what a text must hold for them (weekday, month, digit, unit), how they are written; the first are taken first."""
_HAS = {
    "w": re.compile(rf"\b(?:{_of(WEEKDAYS)})\b", re.IGNORECASE),
    "d": re.compile(r"\d"),
    "u": re.compile(r"(?:day|night|week|weekend|month|year|hour)s?\b", re.IGNORECASE),
    "m": re.compile(rf"\b(?:{_of(MONTHS)}|month)\b", re.IGNORECASE),
}
_NOT_SINCE = re.compile(r"\bha(?:ve|s|d)(?:n['’]t| not| never)\b[^.!?]*$", re.IGNORECASE)
_MAYBE = re.compile(
    rf"\d|(?:day|night|nite|week|month|year|weekend|morning|afternoon|evening)s?\b|\b(?:{_of((*WEEKDAYS, *MONTHS))}|{_any(_NTHS)}|"
    rf"{_TOMORROW}|ystd|fortnight)\b",
    re.IGNORECASE,
)
"""Cheap, to pass over texts that name no day."""


@dataclass(frozen=True, slots=True)
class Named:
    """A day, a week, a month or a year that a text names. first, last: its characters. said: its parts in lower case.

    kind: "day" (of a month), "weekday", "week" (a weekday of a week), "nth" (weekday of a month), "fixed" ("tomorrow"), "away"
    ("in three days"), "unit" ("next month"), "edge" ("the end of May"), "month", "year", or "bare": a month by its name alone.
    """

    kind: str
    first: int
    last: int
    said: Mapping[str, str]

    @property
    def year(self) -> int | None:
        said = self.said.get("year")
        return None if said is None else int(said) + 2000 * (len(said) == 2)

    @property
    def month(self) -> int:
        """From 1; 0 for none."""
        if "m" in self.said:
            return int(self.said["m"])
        return MONTHS.index(_MEANT[self.said["month"]]) + 1 if "month" in self.said else 0

    @property
    def day(self) -> int | None:
        said = self.said.get("day")
        return None if said is None else _NTHS.get(said) or int(re.sub(r"\D", "", said))

    @property
    def weekday(self) -> int | None:
        """From 0, a Monday."""
        return WEEKDAYS.index(_MEANT[self.said["weekday"]]) if "weekday" in self.said else None

    @property
    def count(self) -> int:
        said = self.said.get("count", "1")
        return int(said) if said.isdecimal() else _COUNTS[said]


def named(text: str) -> list[Named]:
    """What a text names, in its order."""
    if not _MAYBE.search(text):
        return []
    taken = bytearray(len(text) + 1)
    found: list[Named] = []
    has = {"", *(need for need, pattern in _HAS.items() if pattern.search(text))}
    for kind, _, pattern in (form for form in _FORMS if form[1] in has):
        for match in pattern.finditer(text):
            if any(taken[match.start() : match.end()]) or not (ones := _parts(kind, match)):
                continue
            taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
            found += ones
    return sorted(found, key=lambda one: one.first)


def _parts(kind: str, match: re.Match[str]) -> list[Named]:
    """What a match names: one, two where it is "13-15 June", none where "sat" or "3/45" is no day."""
    said = {name: part.casefold() for name, part in match.groupdict().items() if part}
    first, last = match.end("lead") + 1 if "lead" in said else match.start(), match.end()
    short = kind == "weekday" and len(said["weekday"]) == 3 and set(said) == {"weekday"}
    named = first and match[0][0].isupper() and match[0] != "Mon" and match.string[first - 4 : first] != "the "
    if short and not named:
        return []  # "I sat in the sun"
    if kind == "away" and "ago" not in said and _NOT_SINCE.search(match.string, max(0, first - 60), first):
        return []  # "I haven't seen her in two weeks"
    if "m" in said and int(said["m"]) > 12 >= int(said["day"]):
        said["m"], said["day"] = said["day"], said["m"]
    if "day2" not in said:
        one = Named(kind, first, last, said)
        return [one] if (one.day is None or one.day <= 31) and one.month <= 12 else []
    second, plain = said.pop("day2"), said.pop("plain", "")
    one = Named(kind, first, match.end("plain" if plain else "day"), {**said, "day": plain or said["day"]})
    ones = [one, Named(kind, match.start("day2"), last, {**said, "day": second})]
    if (one.day or 0) > (ones[1].day or 0):  # "from the 30th to the 2nd of June"
        ones[0] = Named(kind, first, one.last, {"day": one.said["day"]})
    return ones if all(1 <= (one.day or 0) <= 31 for one in ones) else []
