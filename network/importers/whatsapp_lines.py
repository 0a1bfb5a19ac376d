"""The grammar of a WhatsApp export's lines: what begins a message, how its date and time are written, and which of a date's
numbers is the day. Every locale writes them in its own way; one file writes them in one way from beginning to end."""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Literal

from kithnet.network.importers import whatsapp_words as words
from kithnet.network.importers.files import LONGEST_LINE, Files
from kithnet.runtime.errors import InputError, RecordError

Reading = Literal["dmy", "mdy", "ymd"]
READINGS: dict[Reading, tuple[int, int, int]] = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}
"""Where year, month and day stand among the three numbers."""
SPOKEN = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}

_MARKS = f"[{words.MARKS}]*"
_HEADER = re.compile(
    rf"""{_MARKS} (?P<open>\[)? {_MARKS}
    (?P<a>\d{{1,4}}) {_MARKS} (?P<sep>[./\-年년]) [ ]? {_MARKS} (?P<b>\d{{1,2}}) {_MARKS} [./\-月월] [ ]? {_MARKS} (?P<c>\d{{1,4}})
    (?P<between>[^\d\[\]]{{1,16}}?)
    (?P<hour>\d{{1,2}}) [:.] (?P<minute>\d\d) (?: [:.] (?P<second>\d\d) )? (?P<after>[^\d\[\]:\-–]{{0,16}}?)
    (?(open) {_MARKS}\]\s? | (?: (?P<dash>{_MARKS}\s[-–]\s) | (?P<colon>:\s) ) )""",
    re.VERBOSE,
)
_TIME_FIRST = re.compile(
    r"\[(\d{1,2}:\d\d(?::\d\d)?(?:[\s\u202f]?[AaPp]\.?[Mm]\.?)?), (\d{1,4}[./-]\d{1,2}[./-]\d{1,4})\]"
)
"""As WhatsApp Web puts it on the clipboard."""
_PHRASE = re.compile(r"<[^<>:/=@\n]{3,60}>")
_NAMED = re.compile(r"(?<!\d)(20\d\d)(\d\d)(\d\d)-WA\d{4}|-(20\d\d)-(\d\d)-(\d\d)-\d\d-\d\d-\d\d\.")
"""The day in the name of an attached file, on Android and on an iPhone."""

MOST_ANGLED = 1000
"""Different texts in angle brackets that are counted."""
OFTEN = 3
"""Times after which one of them is WhatsApp's, not a person's."""

Shape = tuple[str, str, bool, bool, bool]
"""What all headers of one export share: its enclosing, the sign between numbers, whether the year comes first with four
digits, seconds, a marker of the half of the day."""


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a message. numbers: of the date, as they stand. hour: of 24. eastern: its half of the day is told in a
    script of East Asia, where the year comes first."""

    shape: Shape
    numbers: tuple[str, str, str]
    hour: int
    minute: int
    second: int
    rest: str
    eastern: bool = False

    def at(self, reading: Reading) -> datetime | None:
        """None where there is no such day or time."""
        day = _day(self.numbers, reading)
        if day is None or self.hour > 23 or self.minute > 59 or self.second > 59:
            return None
        return datetime(day.year, day.month, day.day, self.hour, self.minute, self.second)


@dataclass(frozen=True, slots=True)
class Passage:
    """A message with all its lines, marks of direction still in. header: None for lines before the first message."""

    number: int
    header: Header | None
    text: str


def header(line: str) -> Header | None:
    """The header a line begins with, None where it goes on with the message before."""
    found = _HEADER.match(line)
    if found is None:
        turned = _TIME_FIRST.match(line)
        if turned is None:
            return None
        line = f"[{turned[2]}, {turned[1]}]{line[turned.end() :]}"
        found = _HEADER.match(line)
        if found is None:
            return None
    half = _half(found["between"], found["after"])
    if half is None or (found["colon"] and not found["second"]):
        return None
    style = "[" if found["open"] else "-" if found["dash"] else ":"
    eastern = max(found["between"] + found["after"]) >= "\u2e80"
    year_first = len(found["a"]) == 4 or (eastern and found["sep"] in ".년年" and len(found["c"]) < 3)
    shape = (style, found["sep"], year_first, bool(found["second"]), half != "")
    numbers = (found["a"], found["b"], found["c"])
    hour = _hour(int(found["hour"]), half)
    return Header(shape, numbers, hour, int(found["minute"]), int(found["second"] or 0), line[found.end() :], eastern)


@lru_cache(4096)
def _half(between: str, after: str) -> str | None:
    """Which half of the day the words around a time say: "before", "after", "around" (noon), "" for none, None for words
    that belong to no header."""
    table = words.table()
    said = re.findall(r"[^\s.,،;\"'״׳’`\u00ad]+", words.plain(f"{between} {after}").casefold())
    bare = "".join(said)
    for name, markers in (("before", "before_noon"), ("after", "after_noon"), ("around", "around_noon")):
        if bare in table[markers] or "".join(word for word in said if word not in table["particles"]) in table[markers]:
            return name
        if any(bare == particle + marker for particle in ("日", "일") for marker in table[markers]):
            return name
    return "" if all(word in table["particles"] for word in said) else None


def _hour(hour: int, half: str) -> int:
    if not half or hour > 12:
        return hour
    if half == "around":
        return hour if hour >= 10 else hour + 12
    return hour % 12 + (12 if half == "after" else 0)


@lru_cache(65_536)
def _day(numbers: tuple[str, str, str], reading: Reading) -> date | None:
    where = READINGS[reading]
    year, month, day = (int(numbers[place]) for place in where)
    digits = len(numbers[where[0]])
    if digits == 2:
        year += 2000 if year < 52 else 1957  # Thai phones write the last digits of a Buddhist year
    elif 2500 <= year < 2700:
        year -= 543
    if digits not in (2, 4) or not 1970 <= year < 2200:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(slots=True)
class _Fit:
    """How well one reading fits. bad: dates that do not exist. back: steps into the past. named: agrees with a file's name."""

    bad: int = 0
    back: int = 0
    named: int = 0
    last: date | None = None


@dataclass(slots=True)
class Form:
    """How the dates of one shape are to be read: what was seen of them."""

    count: int = 0
    sample: str = ""
    differ: bool = False
    held: dict[Reading, _Fit] = field(default_factory=dict)

    def see(self, found: Header) -> None:
        if not self.held:
            self.held = {reading: _Fit() for reading in _possible(found)}
        self.count += 1
        self.sample = self.sample or found.shape[1].join(found.numbers)
        named = _named(found.rest)
        days = set()
        for reading, held in self.held.items():
            day = _day(found.numbers, reading)
            days.add(day)
            if day is None:
                held.bad += 1
                continue
            held.back += held.last is not None and day < held.last - timedelta(days=1)
            held.named += day == named
            held.last = day
        self.differ = self.differ or len(days) > 1

    def decide(self, file: str, wish: Literal["dmy", "mdy"] | None) -> tuple[Reading, str]:
        """The reading and, where it had to be supposed, why. Raises InputError where the dates can be read in two ways, or not
        in the one that was wished for."""
        fewest = min(held.bad for held in self.held.values())
        if fewest == self.count:
            raise RecordError(
                f"the dates of {file}, like {self.sample}, are of no calendar that is read here",
                "set the telephone to the Gregorian calendar and export the chat again",
            )
        left: list[Reading] = [reading for reading, held in self.held.items() if held.bad == fewest]
        if wish in self.held:
            if wish not in left and "/" in self.sample:
                raise InputError(
                    f"the dates of {file}, like {self.sample}, do not all fit --dates {wish}",
                    f"give --dates {left[0]}" if left[0] in ("dmy", "mdy") else "leave --dates out",
                )
            return (wish if wish in left else left[0]), ""
        if len(left) == 1 or not self.differ:
            return left[0], ""
        named = [reading for reading in left if self.held[reading].named]
        if len(named) == 1:
            return named[0], f"dates are read as {SPOKEN[named[0]]}, as in the names of the attached files"
        rising = [reading for reading in left if not self.held[reading].back]
        if len(rising) == 1:
            return rising[0], f"dates are read as {SPOKEN[rising[0]]}: only so are the messages in order"
        if "/" not in self.sample and "dmy" in left:
            return "dmy", f"dates like {self.sample} are read as {SPOKEN['dmy']}"
        raise InputError(
            f"in the dates of {file}, like {self.sample}, day and month cannot be told apart",
            "say which comes first: --dates dmy or --dates mdy",
        )


def _possible(found: Header) -> tuple[Reading, ...]:
    """The readings of a shape."""
    if found.shape[2] or int(found.numbers[0]) > 31:
        return ("ymd",)
    if found.eastern and len(found.numbers[2]) == 2:
        return ("dmy", "mdy", "ymd")
    return ("dmy", "mdy")


def _named(rest: str) -> date | None:
    found = _NAMED.search(rest) if "-WA" in rest or "-20" in rest else None
    if found is None:
        return None
    year, month, day = (int(number) for number in found.groups() if number)
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(slots=True)
class Layout:
    """How one file is written.

    forms: of the dates, by the shape of the headers. ends: how often a header follows a line that ended with CRLF, and with
    something else. heads: how often what stands before the first colon does, and what stands before a second one, if it is
    always the same, for a name may hold a colon. angled: how often a message is "<...>" and nothing else. marks: U+200E is there.
    """

    encoding: str
    forms: dict[Shape, Form] = field(default_factory=dict)
    ends: Counter[bool] = field(default_factory=Counter)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    angled: Counter[str] = field(default_factory=Counter)
    marks: bool = False

    @property
    def first(self) -> Shape:
        return next(iter(self.forms))

    @property
    def shapes(self) -> set[Shape]:
        """Of the messages: the first header's, and others that are nearly as frequent."""
        most = sum(form.count for form in self.forms.values())
        return {shape for shape, form in self.forms.items() if shape == self.first or form.count * 10 >= most}

    @property
    def ended(self) -> bool:
        """A message ends with CRLF and a line within it with LF, as an iPhone writes them: nine of ten headers follow a CRLF."""
        after, other = self.ends[True], self.ends[False]
        return after > 0 and after >= 9 * other

    def see(self, found: Header) -> None:
        self.forms.setdefault(found.shape, Form()).see(found)
        self.marks = self.marks or "\u200e" in found.rest
        parts = words.split(found.rest)
        if parts:
            again = words.split(parts[1])
            if parts[1].startswith("<") and len(self.angled) < MOST_ANGLED:
                self.angled[parts[1].strip()] += 1
            more = again[0] if again else ""
            count, before = self.heads.get(parts[0], (0, more))
            self.heads[parts[0]] = (count + 1, more if more == before else "")

    def stand_ins(self) -> frozenset[str]:
        """What stands in a file's place in a language that is not in the table: a phrase, more than once."""
        often = (text for text, count in self.angled.items() if count >= OFTEN)
        return frozenset(text for text in often if _PHRASE.fullmatch(text) and (" " in text or not text.isascii()))

    def quoted(self) -> int:
        """Lines that look like headers of another export."""
        return sum(form.count for shape, form in self.forms.items() if shape not in self.shapes)


def layout(files: Files, name: str) -> Layout:
    """One pass over a file."""
    found = Layout(files.encoding(name))
    before = True
    first = True
    for line, crlf in _lines(files, name, found.encoding):
        begun = header(line)
        if begun is not None:
            found.see(begun)
            if not first:
                found.ends[before] += 1
        before, first = crlf, False
    return found


def entries(files: Files, name: str, form: Layout, reading: Reading) -> Iterator[Passage]:
    """The messages of a file, each with all its lines; what comes before the first one, a line at a time."""
    shapes, first, ended = form.shapes, form.first, form.ended
    current: Header | None = None
    start, size = 0, 0
    text: list[str] = []
    after = True
    for number, (line, crlf) in enumerate(_lines(files, name, form.encoding), 1):
        begun = header(line) if after or not ended else None
        if begun is not None and begun.shape != first:
            begun = begun if begun.shape in shapes and _later(begun, current, reading) else None
        after = crlf
        if begun is not None:
            if current is not None:
                yield Passage(start, current, "\n".join(text))
            current, start, text, size = begun, number, [begun.rest], len(begun.rest)
        elif current is None:
            if line.strip():
                yield Passage(number, None, line)
        elif size < LONGEST_LINE:
            text.append(line)
            size += len(line) + 1
    if current is not None:
        yield Passage(start, current, "\n".join(text))


def _later(begun: Header, current: Header | None, reading: Reading) -> bool:
    """Whether a header in another form than the file's can be a message: what is quoted in one is older than it."""
    at = begun.at(reading)
    before = current.at(reading) if current else None
    return at is not None and (before is None or at >= before)


def _lines(files: Files, name: str, encoding: str) -> Iterator[tuple[str, bool]]:
    """The lines of a file, and whether each ended with CRLF, which `Files.lines` does not tell."""
    with files.open(name) as file:
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        cut = False
        while line := text.readline(LONGEST_LINE):
            bare = line.rstrip("\r\n") if line[-1] in "\r\n" else line
            if not cut:
                yield bare, line.endswith("\r\n")
            cut = bare is line and len(line) == LONGEST_LINE


def begins(files: Files, name: str) -> bool:
    """Whether a file's first lines are those of an export."""
    head = files.head(name)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    lines = (line for line in head.decode(encoding, "replace").splitlines() if words.plain(line).strip())
    return any(header(line) for line in islice(lines, 20))
