"""How much of what is on is read from whole talks: those of the family Schedule, told in the words of one writer."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kithnet.bench.informative import schedule
from kithnet.bench.informative.day import Day
from kithnet.bench.informative.item import Item, Said
from kithnet.bench.informative.wordings import Book, read_book
from kithnet.memory.language.time.clock import DAY
from kithnet.memory.writing import activities, events
from kithnet.memory.writing.events import Event
from kithnet.memory.writing.extract import Cast, Turn
from kithnet.memory.writing.tagging import Tagger
from kithnet.network.generate.grammar import Grammar

Phrases = Mapping[str, Mapping[str, Sequence[str]]]
SLOT = 30
"""Minutes of a slot of the day."""


@dataclass(frozen=True, slots=True)
class Score:
    """right: facts that were read as they were told. read, told: how many were read, and how many there are."""

    right: int
    read: int
    told: int

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.read + self.told) if self.read + self.told else 1.0


def book_of(phrases: Phrases) -> Book:
    """A writer's templates as the family takes them, with the questions and the small talk of the development wordings
    where there are none."""
    plain = read_book("schedule", "dev").sections
    own = {
        name: {key: tuple(texts) for key, texts in section.items()}
        for name, section in phrases.items()
        if isinstance(section, Mapping)
    }
    return Book({**plain, **own}, Grammar({}))


def talks(book: Book, count: int, seed: int) -> list[tuple[Item, Day]]:
    """Days with all that is said of them, in the words of a book."""
    return [schedule.told_day("hard", "wide", f"talk-{number}", seed, number, book) for number in range(count)]


def score(told: Sequence[tuple[Item, Day]], tagger: Tagger | None) -> Score:
    """What is read, by rules and, with a tagger, by what messages mean. Every pair's talk is read by itself."""
    right = read = there = 0
    for item, day in told:
        names = {one.id: (one.name,) for one in item.setting.people}
        for pair, said in _by_pair(item.setting.messages):
            turns = [Turn(place, one.sender, one.receiver, one.text, one.at) for place, one in enumerate(said, 1)]
            found = events.read(turns, Cast(pair[0], names), tagger=tagger)
            facts = [fact for one in said for fact in one.facts]
            right += sum(any(_is(event, fact, day) for event in found) for fact in facts)
            read, there = read + len(found), there + len(facts)
    return Score(right, read, there)


def _by_pair(messages: Sequence[Said]) -> Iterator[tuple[tuple[str, str], list[Said]]]:
    found: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in messages:
        found[min(one.sender, one.receiver), max(one.sender, one.receiver)].append(one)
    yield from found.items()


def _is(event: Event, fact: str, day: Day) -> bool:
    """Whether an event is the fact "person/activity": who, what, from when, to when."""
    person, _, activity = fact.partition("/")
    doing = next(one for one in day[person] if one.activity == activity)
    start, end = doing.time.start * SLOT, doing.time.end * SLOT
    people = tuple(sorted({person, doing.partner} - {""}))
    when = (start, end if end > start else end + DAY)
    return (event.start, event.end, event.people) == (*when, people) and activities.stems_of(
        event.activity
    ) == activities.stems_of(activity)
