"""The answer of a task: what both sides agreed on, with the words it was read from, citing the messages it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kithnet.agents.infonav.consensus import UNKNOWN, Agreed, plain
from kithnet.agents.wording import attributed, normalise
from kithnet.memory.language.time import days


@dataclass(frozen=True, slots=True)
class Answer:
    """text: the answer. citations: message handles. known: whether anything was found. worded_by: "code" or "tool"."""

    text: str
    citations: tuple[str, ...]
    known: bool
    worded_by: str


def answer(agreed: Sequence[Agreed]) -> Answer:
    """The agreed values, each with the words it was read from and who said them."""
    found = [one for one in agreed if one.value]
    if not found:
        return Answer(UNKNOWN, (), False, "code")
    citations = tuple(dict.fromkeys(source for one in found for source in one.sources))
    return Answer(plain([_quoted(one) for one in agreed]), citations, True, "code")


def _quoted(one: Agreed) -> Agreed:
    """What was agreed, its value with the sentence it stands in: a span says little without it."""
    first = one.evidence[0] if one.evidence and not one.entries else None
    if not one.value or first is None:
        return _passed_on(one)
    day = _day(one.value, first.quote, first.at) if one.kind == "event" else ""
    if not first.quote or normalise(first.quote) == normalise(one.value):
        told = _passed_on(one)
        return replace(told, value=f"{told.value}{day}")
    said = f"{first.author}: “{first.quote}”" if first.author else f"“{first.quote}”"
    return replace(one, value=f"{one.value}{day} ({said})")


def _day(value: str, quote: str, at: str) -> str:
    """Which day, or days, the words of a time mean that were said at a moment: "yesterday" is none to who was not there."""
    if not at:
        return ""
    said = datetime.fromisoformat(at)
    named = [*days.times(value, said)] or [*days.times(quote, said)]
    if len(named) != 1:  # of several days in the sentence, which one the value stands for is not known
        return ""
    (when,) = named
    first, last = when.start.date(), (when.end - timedelta(microseconds=1)).date()
    return f", {first}" if first == last else f", {first} to {last}"


def _passed_on(one: Agreed) -> Agreed:
    """What was agreed, its value with its author where it is said in the first person."""
    author = one.evidence[0].author if one.evidence and not one.entries else ""
    return replace(one, value=attributed(one.value, author)) if one.value else one


def computed(text: str, citations: tuple[str, ...], missing: Sequence[str], endless: Sequence[str] = ()) -> Answer:
    """What a tool came to, with what it may lack.

    missing: people of whom nobody told anything; endless: activities of whose end nobody told. Without them the answer holds
    only as far as things are known, and says so.
    """
    who = ", ".join(missing)
    if not text:
        return Answer(f"I could not find this out: nobody in reach told me what is on for {who}.", (), False, "code")
    lacks = [f"what is on for {who}"] * bool(missing) + [f"when {one} ends" for one in endless]
    if lacks:
        lacking = " or ".join(lacks)
        return Answer(f"{text} (as far as I know: nobody in reach told me {lacking})", citations, True, "tool")
    return Answer(text, citations, True, "tool")
