"""The rule-based extractor: the statements about people in a session, each with the message that shows it.

The floor that needs no model. A statement is a sentence of the session, told from the rememberer's view; nothing is
added to it, so that it can be checked against its evidence word by word. What an agent said from memory is not read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Protocol

from kithnet.memory.language.text import index_words, place_of, stem, words
from kithnet.memory.language.time import dates, days
from kithnet.memory.lexical import stems
from kithnet.memory.writing import slots, speech

Kind = Literal["fact", "event", "preference", "plan"]

MAX_STATEMENTS = 200
"""Of one session. A talk says less; a flood of text must not become a flood of memories."""
LONGEST_NAME = 4
SHORTEST, LONGEST = 3, 60
"""Words of a sentence that can be a statement."""

_HAS = re.compile(
    r"^my (?!own\b)\w+ is (?:an?|the) "
    r"|^(?:[\w']+ ){0,2}(?:(?:am|is|are|'m|have|has|'ve|been|now|also|just|finally|recently) )*"
    r"(?:plays?|playing|learn(?:s|ing|t|ed)?|study(?:ing)?|studies|studied|joined?|owns?|owned|bought|adopted|collects?|"
    r"(?:have|has)(?! (?:to|far|too|been|no|not|never|already|just|a feeling)\b)|teach(?:es)?|sings?|speaks?|took up|"
    r"taken up|takes? up|signed up|gave up|an? (?:\w+ )?member|go to|goes to|train(?:s|ing)?|practi[sc]es?|practi[sc]ing|"
    r"volunteers?|volunteering|tak(?:e|es|ing) lessons|run|grew up|was born|married)\b",
    re.IGNORECASE,
)
_MERELY = re.compile(r"\b(?:will|would|never|won't|'ll|'d)\b", re.IGNORECASE)
_SOMEBODY = frozenset("he she it that this there those these who what".split())
_FIRST = frozenset({"i", "we", "my", "our", "i'm", "i've", "i'd", "i'll", "we're", "we've", "we'd", "we'll"})
_SECOND = frozenset({"you", "your", "yours", "you're", "you've", "you'd", "you'll"})
_VAGUE = re.compile(
    r"\b(?:if|unless|maybe|perhaps|might|could|would|i wish|hope|i think|thought|guess|suppose|wonder|as if|pretend|imagine|"
    r"joking|kidding|should|let's|promise|won't tell|can't wait|i see|i know|i mean|thank|sorry|you should|tell me|let me)\b",
    re.IGNORECASE,
)
_WOULD_BE = re.compile(r"\bit would be\b|\bwould be my\b", re.IGNORECASE)
_BECAUSE = re.compile(
    r",? \b(?:because|since) (?=(?:i|we|my|our|the|a|an|his|her|it|he|she|they|nobody|somebody)\b)", re.IGNORECASE
)
_TAG = re.compile(r",? (?:did you know|you know|can you imagine|remember|right|isn't it|you see)\?$", re.IGNORECASE)
_SPOKE = re.compile(
    r"^\w+(?: only| just)? (?:told|asked|warned|heard|said|thought|laughed|mean|blame|swear|knew) ", re.IGNORECASE
)
_ABOUT_SAYING = re.compile(
    r"^(?:\w+ )?(?:told|tells?|said|says?|mentioned|wrote) (?:me |us )?(?:that )?", re.IGNORECASE
)
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|reveal|print|output) (?:all |any |your |the )*"
    r"(?:previous|prior|above|instructions|rules|memor\w+|prompt)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a session."""

    id: int
    sender: str
    receiver: str
    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that was said of a person. about, told_by: ids of people. evidence: the message's number.

    slot, value: what it gives a current value to, empty for neither. starts, ends: of an event or a plan. denied: stems
    of what it says no longer holds. changes: it says that things were otherwise before. cause: the statement that a
    "because" in the same sentence gives as the reason. weight: how much it says, in [0, 1]. loose: worth keeping only
    where it corrects something that was said before. kin: it is about somebody of the speaker's. read: by the reader, so
    that another one reads its message anew.
    """

    about: str
    told_by: str
    kind: Kind
    text: str
    evidence: int
    at: datetime | None
    slot: str = ""
    value: str = ""
    starts: datetime | None = None
    ends: datetime | None = None
    denied: frozenset[str] = frozenset()
    changes: bool = False
    cause: "Statement | None" = None
    weight: float = 0.5
    loose: bool = False
    kin: bool = False
    read: bool = True


class Senses(Protocol):
    """Tells by meaning what a statement is about, where no rule knows its wording."""

    def slot_of(self, statements: Sequence[str]) -> Sequence[str]:
        """The slot of each statement, "" for none."""

    def same_thing(self, statement: str, others: Sequence[str]) -> int | None:
        """Which of the others is clearly about the same thing as a statement that says it changed; None for none."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Whom a session may be about. owner: who remembers. names: id -> the ways the person is called, shown name first,
    of everybody the owner has talked with; others: of people whom the owner knows by name at most."""

    owner: str
    names: Mapping[str, Sequence[str]]
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _forms: dict[tuple[str, ...], set[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = _forms(self.names)
        self._forms.update({form: people for form, people in _forms(self.others).items() if form not in own})
        self._forms.update(own)

    def shown(self, person: str) -> str:
        """How a statement names a person: by the id where two are called the same."""
        name = self.names.get(person, (person,))[0]
        same = sum(called[0] == name for called in self.names.values() if called)
        return name if same <= 1 else person

    def named(self, sentence: str) -> list[str]:
        """People named in a sentence, in order; a name that several people bear means nobody for certain."""
        spoken = [word.removesuffix("'s") for word in words(sentence)]
        found: dict[str, int] = {}
        for at in range(len(spoken)):
            for width in range(1, min(LONGEST_NAME, len(spoken) - at) + 1):
                people = self._forms.get(tuple(spoken[at : at + width]), ())
                if len(people) == 1:
                    found.setdefault(next(iter(people)), at)
        return sorted(found, key=lambda person: (found[person], person))

    def called(self, spoken: Sequence[str], at: int) -> tuple[str, int] | None:
        """Whom the words at a place name, and how many of them do; None for nobody, or nobody for certain."""
        for width in range(min(LONGEST_NAME, len(spoken) - at), 0, -1):
            people = self._forms.get(tuple(spoken[at : at + width]), ())
            if len(people) == 1:
                return next(iter(people)), width
        return None


def _forms(names: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], set[str]]:
    """Whom each way of calling somebody may mean: the whole name, and its first word."""
    forms: dict[tuple[str, ...], set[str]] = {}
    for person, called in names.items():
        for name in called:
            spoken = tuple(words(name))[:LONGEST_NAME]
            for form in {spoken, spoken[:1]}:
                if form and len(form[0]) > 1:
                    forms.setdefault(form, set()).add(person)
    return forms


def extract(turns: Iterable[Turn], cast: Cast, senses: Senses | None = None) -> list[Statement]:
    """The statements of a session, in their order, at most MAX_STATEMENTS. Questions, wishes and orders are none."""
    found: list[Statement] = []
    unsure: list[int] = []
    for statement, known in (one for turn in turns for one in _of_turn(turn, cast)):
        if not known and not statement.kin:
            unsure.append(len(found))
        found.append(statement)
        if len(found) >= MAX_STATEMENTS:
            break
    if senses is not None and unsure:
        for place, slot in zip(unsure, senses.slot_of([found[place].text for place in unsure]), strict=True):
            if (
                slot and found[place].weight > 0
            ):  # one that names nothing fills no slot: a wrong one would end a true one
                found[place] = replace(found[place], slot=slot, weight=0.6)
        found = [_hung_on(statement) for statement in found]
    return [statement for statement in found if statement.weight > 0]


def _hung_on(statement: Statement) -> Statement:
    """A statement that no rule would keep, but that speaks of a change: kept if it turns out what it changes."""
    if statement.weight > 0 or not statement.changes or len(stems(statement.text)) < 2:
        return statement
    return replace(statement, loose=True, weight=0.4)


def grounded(text: str, evidence: Iterable[str], names: Iterable[str] = ()) -> bool:
    """Whether every content word of a statement stands in its evidence or is a name; what was added was made up."""
    allowed = {one for source in evidence for one in stems(source)} | {one for name in names for one in stems(name)}
    return bool(stems(text)) and stems(text) <= allowed


def _of_turn(turn: Turn, cast: Cast) -> Iterator[tuple[Statement, bool]]:
    """The statements of one message, and whether a rule knew what each is."""
    for sentence in speech.sentences(turn.text):
        sentence = _TAG.sub(".", sentence)
        plain = words(sentence)
        if speech.is_question(sentence) or not SHORTEST <= len(plain) <= LONGEST or _ORDER.search(sentence):
            continue
        if _VAGUE.search(sentence) and not _WOULD_BE.search(sentence):
            continue
        about = _about(plain, sentence, turn, cast)
        found = _statement(sentence, turn, about[0], cast) if about is not None else None
        if found is not None and about is not None:
            statement, known = found
            if not about[1] and turn.sender != cast.owner:
                statement = replace(statement, text=f"{cast.shown(turn.sender)}: {statement.text}")
            if about[1] or statement.slot:
                yield statement, known or not about[1]
            elif statement.changes:
                yield replace(statement, loose=statement.starts is None and not _names_something(sentence)), True


def _about(plain: Sequence[str], sentence: str, turn: Turn, cast: Cast) -> tuple[str, bool] | None:
    """Whom a sentence is about, and whether it says so: the speaker, or the one person it names who is not in the talk.

    A sentence of things alone ("The party is on Monday") belongs to the speaker, less surely; None for one to "you".
    """
    others = [person for person in cast.named(sentence) if person not in (turn.sender, turn.receiver)]
    first = next((place for place, word in enumerate(plain) if word in _FIRST), None)
    if others:
        name = cast.named(sentence)[0]
        called = (cast.names.get(others[0]) or cast.others[others[0]])[0]
        starts = place_of(words(called)[:1], [word.removesuffix("'s") for word in plain]) or 0
        if name == others[0] and (first is None or starts < first or plain[0] not in _FIRST):
            return others[0], True
    if first is not None and not (plain[0] in _SECOND and first > 3):
        return turn.sender, True
    return None if _SECOND & set(plain) or plain[0] in _SOMEBODY else (turn.sender, False)


def _statement(sentence: str, turn: Turn, about: str, cast: Cast) -> tuple[Statement, bool] | None:
    effect, *reason = _BECAUSE.split(sentence, maxsplit=1)
    own = turn.sender == cast.owner
    speaker, listener = cast.shown(turn.sender), cast.shown(turn.receiver)

    def told(text: str) -> str:
        return speech.told_of(text, speaker, listener, own=own)

    text = told(sentence)
    kin = slots.of_somebody(sentence)
    base = Statement(about, turn.sender, "fact", text, turn.id, turn.at, weight=0.0, kin=kin)
    if about != turn.sender:
        effect = _ABOUT_SAYING.sub("", effect)
    classified, known = _classified(base, speech.plain(effect), turn)
    if reason and classified.weight:
        cause = replace(base, text=told(_capital(reason[0])), weight=0.4)
        return replace(classified, text=told(effect), cause=cause), True
    return (classified, known) if classified.weight or _tells(sentence) else None


def _classified(base: Statement, sentence: str, turn: Turn) -> tuple[Statement, bool]:
    """The statement with its kind, slot and times as far as the rules know them."""
    changed = slots.changes(sentence)
    denied = slots.denied(sentence) if changed else frozenset()
    common = replace(base, denied=denied, changes=changed)
    slot = slots.given(sentence)
    if slot is not None:
        kind: Kind = "preference" if slot.slot.startswith("favourite") else "fact"
        return replace(common, kind=kind, slot=slot.slot, value=slot.value, weight=0.7), True
    if _SPOKE.search(sentence):
        return common, False
    when = days.find(slots.without_denied(sentence), turn.at) if turn.at is not None else None
    liked = slots.taste(sentence)
    if liked is not None and when is None:
        thing, yes = liked
        return replace(common, kind="preference", slot=f"taste {thing}", value="yes" if yes else "no", weight=0.6), True
    if when is not None and turn.at is not None:
        ahead = when.start.date() > turn.at.date() or (when.end > turn.at and not days.is_past(sentence))
        kind = "plan" if ahead else "event"
        return replace(common, kind=kind, starts=when.start, ends=when.end, weight=0.6), True
    if (changed and denied and _tells(sentence)) or (_HAS.search(sentence) and not _MERELY.search(sentence)):
        return replace(common, weight=0.5), False
    return replace(common, weight=0.3 if _names_something(sentence) and len(stems(sentence)) >= 3 else 0.0), False


def _tells(sentence: str) -> bool:
    """Whether a sentence says enough to be looked at: two content words at least."""
    return len(stems(sentence)) >= 2


def _names_something(sentence: str) -> bool:
    """Whether a sentence names a thing: a capitalised word that does not begin it, or a number."""
    inner = speech.tokens(sentence)[1:]
    names = [
        word for word in inner if word[:1].isupper() and index_words(word)[:1] not in ([], ["i"]) and not _is_day(word)
    ]
    return any(word.isdigit() for word in inner) or bool(names)


def _is_day(word: str) -> bool:
    return stem(word.casefold()) in dates.CALENDAR or word.casefold() in _FIRST


def _capital(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]
