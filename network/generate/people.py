"""The people of a generated world: names, personas, and the small habits of how each one writes."""

from dataclasses import dataclass
from random import Random

from kithnet.network.generate.phrasebook import Phrasebook
from kithnet.network.records import Person
from kithnet.runtime.errors import ConfigError

PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "him", "his")}


@dataclass(frozen=True, slots=True)
class Character:
    """A person with what the writer of their messages needs. he, him, his: the pronouns to use for them.

    start, end: what they like to put before and after a message; chatty: how often. upper: starts with a capital.
    """

    person: Person
    he: str
    him: str
    his: str
    start: tuple[str, ...]
    end: tuple[str, ...]
    chatty: float
    upper: bool

    @property
    def name(self) -> str:
        return self.person.name


def draw_people(count: int, book: Phrasebook, rng: Random) -> list[Character]:
    """Draw people with unique names and ids. First names while they last, then first and last names."""
    firsts = [(name, kind) for kind in PRONOUNS for name in book.people[kind]]
    rng.shuffle(firsts)
    if count <= len(firsts):
        return [
            _character(name, kind, rng.choice(book.people["last"]), False, book, rng) for name, kind in firsts[:count]
        ]
    pairs = [(name, kind, last) for name, kind in firsts for last in book.people["last"]]
    if count > len(pairs):
        raise ConfigError(f"there are names for {len(pairs)} people", f"choose people <= {len(pairs)}")
    return [_character(name, kind, last, True, book, rng) for name, kind, last in rng.sample(pairs, count)]


def _character(first: str, kind: str, last: str, full: bool, book: Phrasebook, rng: Random) -> Character:
    he, him, his = PRONOUNS[kind]
    name = f"{first} {last}" if full else first
    person = Person(
        id=f"{first}.{last}".lower() if full else first.lower(),
        name=name,
        persona=_persona(first, last, he, his, book, rng),
        aliases=() if full else (f"{first} {last}",),
    )
    return Character(
        person=person,
        he=he,
        him=him,
        his=his,
        start=tuple(rng.sample(book.voice["start"], 3)),
        end=tuple(rng.sample(book.voice["end"], 2)),
        chatty=rng.choice((0.05, 0.15, 0.25, 0.35)),
        upper=rng.random() < 0.8,
    )


def _persona(first: str, last: str, he: str, his: str, book: Phrasebook, rng: Random) -> str:
    job = rng.choice(book.people["job"])
    hobby, other = rng.sample(book.people["hobby"], 2)
    bound = {
        "name": first,
        "last": last,
        "he": he,
        "He": he.capitalize(),
        "his": his,
        "age": str(rng.randint(19, 78)),
        "job": job,
        "job_cap": job.split(" ", 1)[1].capitalize(),
        "hobby": hobby,
        "hobby2": other,
    }
    return " ".join(book.grammar.expand(rng.choice(book.people["persona"]), bound, rng).split())
