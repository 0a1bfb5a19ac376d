"""The events of a session as statements to remember: when something is on, from when to when, and for whom."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from kithnet.memory.language.time import clock
from kithnet.memory.writing import events
from kithnet.memory.writing.events import Event
from kithnet.memory.writing.extract import Cast, Statement, Turn
from kithnet.memory.writing.tagging import Tagger


def statements(turns: Sequence[Turn], cast: Cast, tagger: Tagger | None = None) -> list[Statement]:
    """One statement for each event of a session whose start and end are known. tagger: as in `events.read`.

    A time of day without a day is told by the text alone: `starts` and `ends` are moments. An activity that is at
    another time now takes the place of what was remembered of it for that day.
    """
    at = {turn.id: turn.at for turn in turns}
    return [_statement(event, cast, at) for event in events.whole(events.read(turns, cast, tagger=tagger))]


def _statement(event: Event, cast: Cast, at: Mapping[int, datetime | None]) -> Statement:
    about = cast.owner if cast.owner in event.people else (event.people or (event.told_by,))[0]
    return Statement(
        about=about, told_by=event.told_by, kind="event", text=text(event, cast), evidence=event.evidence[-1],
        at=at.get(event.evidence[-1]), slot=f"on {event.day or 'a day'}: {event.activity}", value=_span(event),
        starts=event.starts, ends=event.ends, weight=0.6,
    )  # fmt: skip


def text(event: Event, cast: Cast) -> str:
    """An event in a sentence: "Ana, Ben: tennis on 2024-05-02, 15:00 to 17:00."."""
    who = _names(event.people, cast)
    on = f" on {event.day.isoformat()}" if event.day else ""
    return f"{who}: {event.activity}{on}, {_span(event)}."


def _span(event: Event) -> str:
    return f"{clock.said(event.start)} to {clock.said(event.end or event.start)}"


def _names(people: Iterable[str], cast: Cast) -> str:
    return ", ".join("I" if person == cast.owner else cast.shown(person) for person in people)
