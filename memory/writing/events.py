"""Events in a conversation: what goes on from when to when, with whom, as it stands at the end.

What is said later corrects what was said before: moved, made longer, called off. A question becomes an event when the other
side agrees to it. Days are kept where they are named; a time of day without one is a time of day.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from kithnet.memory.language.text import index_words
from kithnet.memory.language.time import clock, days, expressions
from kithnet.memory.language.time.clock import DAY, HALF
from kithnet.memory.writing import (
    anchors,
    clauses,
    habits,
    messages,
    phrases,
    renaming,
    speech,
    tagged,
    untangling,
    whose,
)
from kithnet.memory.writing.activities import same_activity, stems_of
from kithnet.memory.writing.clauses import Said
from kithnet.memory.writing.extract import Cast, Turn
from kithnet.memory.writing.tagging import Tagger
from kithnet.memory.writing.units import units_of
from kithnet.memory.writing.whose import View

_MERIDIEM = re.compile(r"\b([ap])\.\s?m\.?(?=\W|$)", re.IGNORECASE)
_AND_YOU = re.compile(
    r",? (?:and|what about|how about|and what about|and how about) (?:you|yours|yourself)\b[^,.?]{0,20}\?$", re.I
)
_NO = re.compile(r"(?:^|(?<=[.!?;]\s))No (?=[a-zA-Z])")  # "No yoga today" denies, "No, yoga is at nine" does not
_ANEW = frozenset("again another second twice also both more once evening's".split())
"""Words by which somebody who tells of the same thing at another time means one more of it."""
_SAME_END = re.compile(
    r"\bend\w* (?:\w+ )?(?:stays?|remains?|as planned|as before|the same|unchanged|at the same|when i said)\b", re.I
)
_UNTIL_WHEN = re.compile(
    r"\b(?:(?:un)?till? when|when (?:does|do|will|is|are)\b.*\b(?:end|finish|over|done|stop))", re.I
)
SURE = 0.2
"""How likely the labels of a message must be to be believed rather than rules."""


@dataclass(frozen=True, slots=True)
class Event:
    """start, end: minutes of the day it begins on; end beyond 1440 runs into the next day, None where nobody said it.

    people: ids, sorted. day: None where no day was named. told_by: whose word it is. evidence: numbers of messages.
    """

    activity: str
    people: tuple[str, ...]
    start: int
    end: int | None
    day: date | None
    told_by: str
    evidence: tuple[int, ...]

    @property
    def starts(self) -> datetime | None:
        """The moment it begins, None without a day."""
        return None if self.day is None else datetime.combine(self.day, time.min) + timedelta(minutes=self.start)

    @property
    def ends(self) -> datetime | None:
        """The moment it ends, None without a day or an end."""
        if self.day is None or self.end is None:
            return None
        return datetime.combine(self.day, time.min) + timedelta(minutes=self.end)


def read(turns: Iterable[Turn], cast: Cast, earlier: Iterable[Event] = (), tagger: Tagger | None = None) -> list[Event]:
    """The events of one session, as they stand after its last turn, in the order in which they were first told.

    earlier: events of sessions before it, which it may confirm, change or call off. tagger: reads messages by what they
    mean where it is surer than rules can be; without one, rules read them all.
    """
    told = list(turns)
    reader = _Session(cast, clock.counts_to_24(turn.text for turn in told), list(earlier))
    reader.frames = habits.frames(reader.named(told))
    if tagger is not None and any(clock.may_tell_time(turn.text) for turn in told):
        reader.tagged = _tagged(told, cast, reader.to_24, tagger)
    for turn in told:
        reader.hear(turn)
    return reader.settled()


class _Session:
    def __init__(self, cast: Cast, to_24: bool, events: list[Event]) -> None:
        self.cast, self.to_24, self.events = cast, to_24, events
        self.latest: int | None = None
        self.asked: list[tuple[str, Said]] = []
        self.topic: Said | None = None
        self.referent = ""
        self.day: date | None = None
        self.until_when = self.ends_asked = False
        self.frames: frozenset[str] = frozenset()
        self.sender = ""
        self.keeps_end = False
        self.tagged: dict[int, tagged.Message] = {}
        self.turns: dict[int, tuple[Event, untangling.Turned]] = {}

    def settled(self) -> list[Event]:
        """The events, those put right that cannot be as they were read beside the others."""
        places = {event: place for place, event in enumerate(self.events)}
        turns = {places[event]: turn for event, turn in self.turns.values() if event in places}
        for place, turn in untangling.untangled(self.events, turns).items():
            self.events[place] = replace(self.events[place], start=turn.start, end=turn.end)
        return self.events

    def named(self, turns: Iterable[Turn]) -> Iterator[str]:
        """What seems to be done in the sentences with times, as each reads by itself."""
        for turn in turns:
            view = View(turn.sender, turn.receiver, self.cast, self.to_24)
            for sentence in _sentences(turn.text):
                if clock.may_tell_time(sentence):
                    yield from (said.activity for said in clauses.read(sentence, view) if said.activity)

    def hear(self, turn: Turn) -> None:
        """Take in one message."""
        self.day, self.sender = None, turn.sender
        asked, self.asked = self.asked, []
        self.until_when, self.ends_asked = self.ends_asked, bool(_UNTIL_WHEN.search(turn.text))
        if asked and asked[0][0] != turn.sender and phrases.agrees(turn.text):
            for _, said in asked:
                if said.start is not None:
                    self._tell(replace(said, mood="tell"), turn)
        topic, self.topic = self.topic, None
        if topic is not None:
            topic = replace(topic, people=(turn.sender,)) if turn.sender in topic.people else topic
        before = list(self.events)
        if self._as_tagged(turn, topic):
            return
        for sentence in _sentences(turn.text):
            topic = self._sentence(sentence, turn, topic)
        if self.events == before and not self.asked and clock.may_tell_time(turn.text):
            self._as_a_whole(turn)

    def _as_a_whole(self, turn: Turn) -> None:
        """Read a message whose sentences told nothing, one by one, as if it were one sentence."""
        view = View(turn.sender, turn.receiver, self.cast, self.to_24, self.referent, self.frames)
        said = messages.read(", ".join(part.rstrip(".!; ") for part in _sentences(turn.text)), view)
        if said is None or any(turn.id in event.evidence for event in self.events):
            return
        target = self._target(said)
        if target is None:
            self._tell(said, turn)
        else:
            self._change(said, turn)

    def _sentence(self, sentence: str, turn: Turn, topic: Said | None) -> Said | None:
        sentence = _AND_YOU.sub(".", sentence)
        view = View(turn.sender, turn.receiver, self.cast, self.to_24, self.referent, self.frames)
        self._notice_day(sentence, turn)
        self.keeps_end = bool(_SAME_END.search(sentence))
        if self._renames(sentence, turn):
            return topic
        return self._take(sentence, clauses.read(sentence, view), turn, topic)

    def _as_tagged(self, turn: Turn, topic: Said | None) -> bool:
        """Take in a message as it is tagged, if that is sure enough."""
        message = self.tagged.get(turn.id)
        if message is None:
            return False
        view = View(turn.sender, turn.receiver, self.cast, self.to_24, self.referent)
        found, sure = tagged.read(message, view)
        if sure < SURE and self._told_plainly(
            turn, View(turn.sender, turn.receiver, self.cast, self.to_24, self.referent, self.frames)
        ):
            return False
        self._notice_day(turn.text, turn)
        self.keeps_end = bool(_SAME_END.search(turn.text))
        if self._renames(turn.text, turn):
            return True
        self._take(turn.text, [self._recognised(said, turn) for said in found], turn, topic)
        return True

    def _recognised(self, said: Said, turn: Turn) -> Said:
        """What names nothing, with the activity that was spoken of before and that the message has the words of."""
        if said.activity or said.mood == "ask":
            return said
        stems = stems_of(turn.text)
        known = [
            event.activity for event in self.events if stems_of(event.activity) and stems_of(event.activity) <= stems
        ]
        return replace(said, activity=known[-1]) if known else said

    def _told_plainly(self, turn: Turn, view: View) -> bool:
        """Whether rules read something whole in a message: what is done, from when to when, or that it is off."""
        found = [said for sentence in _sentences(turn.text) for said in clauses.read(sentence, view)]
        whole = [
            said for said in found if said.activity and (said.mood == "cancel" or None not in (said.start, said.end))
        ]
        return bool(whole) and all(said in whole for said in found if said.start is not None or said.length)

    def _take(self, sentence: str, found: Sequence[Said], turn: Turn, topic: Said | None) -> Said | None:
        """Take in what a sentence says; the topic for the next."""
        for _, _, person in whose.people_in(clock.tokens(sentence), self.cast):
            if person not in (turn.sender, turn.receiver):
                self.referent = person
        previous: Said | None = None
        for said in found:
            if said.mood == "ask":
                if said.start is not None:
                    self.asked.append((turn.sender, said))
                elif speech.is_question(sentence):
                    self.topic = said
                    if not said.named:
                        topic = said  # "Lunch? From twelve to one."
                continue
            said = self._following(said, previous)
            named_by_topic = said.activity == "" and topic is not None and topic.activity and said.start is not None
            if topic is not None and named_by_topic and (self._target(said) is None or said.mood == "tell"):
                said = replace(said, activity=topic.activity, people=said.people if said.named else topic.people)
            said = self._anchored(said)
            if (
                said.start is None
                and said.end is None
                and not (said.length or said.shift or said.stretch)
                and said.mood == "tell"
            ):
                self._accompany(said, turn)
                topic = said if said.activity else topic
                continue
            if self.until_when and said.start is not None and said.end is None and self.latest is not None:
                said = replace(said, activity="", start=None, end=said.start, mood="change")
            self._apply(said, turn)
            previous = said
        return topic

    def _renames(self, sentence: str, turn: Turn) -> bool:
        """Take in that something else is done than was said, where the sentence says so and nothing of when."""
        if not self.events:
            return False
        marks = expressions.marks(clock.tokens(sentence), to_24=self.to_24)
        mine = [place for place, event in enumerate(self.events) if turn.sender in (*event.people, event.told_by)]
        named = renaming.renamed(
            sentence, lambda words: any(same_activity(self.events[place].activity, words) for place in mine)
        )
        if named is None or not (named[0] or (self.latest is not None and not marks)):
            return False
        places = [place for place in mine if named[0] and same_activity(self.events[place].activity, named[0])]
        place = places[-1] if places else self.latest
        if place is None:
            return False
        old = self.events[place]
        evidence = tuple(dict.fromkeys((*old.evidence, turn.id)))
        start, end = clock.settle(marks[0].start, marks[0].end) if marks and marks[0].kind == "range" else (None, None)
        self.events[place] = replace(
            old, activity=named[1], evidence=evidence, start=old.start if start is None else start,
            end=old.end if end is None else end,
        )  # fmt: skip
        self.latest = place
        return True

    def _accompany(self, said: Said, turn: Turn) -> None:
        """Take in who else comes to something known: "Ben comes to judo with me"."""
        target = self._target(said) if said.companions and said.activity else None
        if target is not None and set(said.people) & set(self.events[target].people):
            old = self.events[target]
            people = tuple(sorted({*old.people, *said.people, *said.companions}))
            self.events[target] = replace(old, people=people, evidence=tuple(dict.fromkeys((*old.evidence, turn.id))))

    def _notice_day(self, sentence: str, turn: Turn) -> None:
        if turn.at is None:
            return
        for when in days.times(sentence, turn.at):
            if when.end - when.start == timedelta(days=1):
                self.day = when.start.date()
                return

    def _following(self, said: Said, previous: Said | None) -> Said:
        """What begins where the one before it ends: "and after that I'm at the gym until five"."""
        if not said.follows:
            return said
        last = previous.end if previous is not None else None
        if last is None and self.latest is not None:
            last = self.events[self.latest].end
        if last is None or (said.end is None and not said.length):
            return said
        start = (last + said.gap) % DAY
        end = start + said.length if said.end is None else start + ((said.end - start) % HALF or HALF)
        return replace(said, start=start, end=end)

    def _anchored(self, said: Said) -> Said:
        """What is said to follow or precede another activity, with the times that this gives it."""
        anchor = said.after or said.before
        if not anchor:
            return said
        other = [e for e in self.events if same_activity(e.activity, anchor)]
        if anchor == anchors.IT:
            other = [] if self.latest is None else [self.events[self.latest]]
        mine = [e for e in other if set(e.people) & set(said.people)] or other
        if not mine:
            return said
        start, end = said.start, said.end
        if said.after and mine[-1].end is not None and start is None:
            start = (mine[-1].end + said.gap) % DAY
            end = start + said.length if said.length else end and start + ((end - start) % DAY or DAY)
        elif said.before and end is None:
            edge = (mine[-1].start - said.gap) % DAY
            start = (edge - said.length) % DAY if start is None and said.length else start
            end = None if start is None else start + ((edge - start) % DAY or DAY)
        return replace(said, start=start, end=end)

    def _apply(self, said: Said, turn: Turn) -> None:
        if said.mood == "doubt":
            target = self._target(said)
            if target is not None:
                self.events[target] = replace(self.events[target], end=None)
                self.latest = target
        elif said.mood == "cancel":
            target = self._target(said)
            if target is not None and (said.activity or said.start is None):
                del self.events[target]
                self.latest = None
        elif said.mood == "change" or not said.activity or self._completes(said):
            self._change(said, turn)
        else:
            self._tell(said, turn)

    def _completes(self, said: Said) -> bool:
        """Whether something known is told of again without its start: "chess will only be half an hour"."""
        return said.start is None and not (said.after or said.before or said.follows) and self._target(said) is not None

    def _target(self, said: Said) -> int | None:
        """The place of the event that words speak of: by name, else the one spoken of last."""
        if not said.activity:
            return self.latest
        found = [
            place
            for place, event in enumerate(self.events)
            if same_activity(event.activity, said.activity) and (set(event.people) & set(said.people) or not said.named)
        ]
        if not found and said.mood in ("cancel", "change"):  # "you can take judo off the list"
            found = [
                place
                for place, event in enumerate(self.events)
                if same_activity(event.activity, said.activity) and self.sender in (*event.people, event.told_by)
            ]
        found = [place for place in found if set(self.events[place].people) & set(said.people)] or found
        same_time = [place for place in found if said.start is not None and self.events[place].start == said.start]
        places = same_time or found
        return places[-1] if places else None

    def _change(self, said: Said, turn: Turn) -> None:
        """Move, lengthen, shorten or complete an event; where there is none, it is told anew."""
        target = self._target(said)
        if target is None:
            if said.activity:
                self._tell(said, turn)
            return
        old = self.events[target]
        start, end = said.start, said.end
        length = said.length or (old.end - old.start if old.end is not None else 0)
        if start is None and end is not None:
            start, end = old.start, old.start + ((end - old.start) % DAY or DAY)
            if end - start > HALF and said.end is not None and said.end < HALF:
                end -= HALF  # "till 7" of something that begins in the afternoon
        elif start is None and said.stretch:
            start, end = old.start, old.start + max(0, length + said.stretch) if length else None
        elif start is None and said.shift:
            start = (old.start + said.shift) % DAY
            end = start + length if length else None
            end = old.end if self.keeps_end and old.end is not None and start < old.end else end
        elif start is None:
            start, end = old.start, old.start + length
        elif end is None:
            end = start + length if length else None
        alone = set(said.people) == {turn.sender, turn.receiver} and not said.companions  # a "we" that may mean a club
        joined = (said.named or said.mood == "tell") and not alone and (len(old.people) == 1 or said.companions)
        people = tuple(sorted({*old.people, *said.people})) if joined else old.people
        self.events[target] = replace(
            old, start=start, end=end, people=people, day=self.day or old.day,
            evidence=tuple(dict.fromkeys((*old.evidence, turn.id))),
        )  # fmt: skip
        self.latest = target

    def _retold(self, old: Event, said: Said, turn: Turn) -> bool:
        """Whether something told before, by the same person, is told again with another time: then this holds."""
        told_by = said.told_by or turn.sender
        near = [
            part
            for part in re.split(r"[,.;:!?]", turn.text.casefold())
            if any(w in part for w in said.activity.split())
        ]
        anew = bool(_ANEW & set(index_words(" ".join(near))))
        moved = old.start != said.start or (None not in (old.end, said.end) and old.end != said.end)
        left, right = stems_of(old.activity), stems_of(said.activity)
        same = (left <= right or right <= left) and set(said.people) <= set(old.people)
        return (
            moved and same and not anew and turn.receiver not in (old.told_by, told_by) and turn.id not in old.evidence
        )

    def _tell(self, said: Said, turn: Turn) -> None:
        if said.start is None:
            return
        told_by = said.told_by or turn.sender
        event = Event(said.activity, said.people, said.start, said.end, self.day, told_by, (turn.id,))
        for place, old in enumerate(self.events):
            if not same_activity(old.activity, event.activity) or not set(old.people) & set(event.people):
                continue
            if None not in (old.day, event.day) and old.day != event.day:
                continue
            if self._retold(old, said, turn):
                self._change(replace(said, activity=old.activity), turn)
                return
            open_end = old.start == event.start and (old.end is None or event.end is None)
            if (old.start, old.end) == (event.start, event.end) or open_end:
                self.events[place] = replace(
                    old, end=old.end if event.end is None else event.end,
                    people=tuple(sorted({*old.people, *event.people})), day=old.day or event.day,
                    evidence=tuple(dict.fromkeys((*old.evidence, turn.id))),
                )  # fmt: skip
                self.latest = place
                return
        if said.turned:
            self.turns[turn.id] = (event, said.turned)
        self.events.append(event)
        self.latest = len(self.events) - 1


def _tagged(turns: Sequence[Turn], cast: Cast, to_24: bool, tagger: Tagger) -> dict[int, tagged.Message]:
    """The messages of a session with their tags."""
    words = [clock.tokens(_MERIDIEM.sub(r"\1m", turn.text)) for turn in turns]
    units = [units_of(one, cast, to_24) for one in words]
    return {
        turn.id: tagged.Message(said, parts, tags)
        for turn, said, parts, tags in zip(turns, words, units, tagger.tag(units), strict=True)
    }


def _sentences(text: str) -> list[str]:
    return speech.sentences(_NO.sub("Not any ", _MERIDIEM.sub(r"\1m", text)))


def whole(events: Sequence[Event]) -> list[Event]:
    """Those whose end is known."""
    return [event for event in events if event.end is not None]
