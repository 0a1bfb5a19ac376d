"""Which facts a world hides: about whom, who tells whom and when, what stays in confidence, what changes later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from kithnet.network.generate.phrasebook import Attribute, Phrasebook
from kithnet.network.generate.shape import Shape

Way = Literal["tell", "relay", "update"]
Plan = Literal["open", "relay", "quiet", "secret", "update"]
PLANS: Mapping[Plan, int] = {"open": 30, "relay": 22, "quiet": 18, "secret": 16, "update": 14}


@dataclass(frozen=True, slots=True)
class Value:
    """text: as it is said. aliases: other right answers. parts: words that questions and statements share with it."""

    text: str
    aliases: tuple[str, ...]
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Telling:
    """One person tells one other on a day. stale: tells the value that is replaced later."""

    speaker: int
    hearer: int
    way: Way
    day: int
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """value: what is true in the end; old: what was true before, if it changed. Tellings are in order of days."""

    subject: int
    attribute: Attribute
    value: Value
    old: Value | None
    secret: bool
    tellings: tuple[Telling, ...]

    @property
    def holders(self) -> tuple[int, ...]:
        """Whoever said or heard the value, in order of first hearing it."""
        fresh = (telling for telling in self.tellings if not telling.stale)
        return tuple(dict.fromkeys(person for telling in fresh for person in (telling.speaker, telling.hearer)))

    @property
    def aware(self) -> frozenset[int]:
        """Whoever heard anything about it, the replaced value included."""
        return frozenset(person for telling in self.tellings for person in (telling.speaker, telling.hearer))


def draw_facts(count: int, shape: Shape, book: Phrasebook, days: int, rng: Random) -> list[Fact]:
    """Draw up to `count` facts; no person has two of one attribute and no value is said of two people."""
    kinds = list(PLANS)
    draw = _Draw(shape, book, days, rng)
    plans = rng.choices(kinds, [PLANS[kind] for kind in kinds], k=count)
    return [fact for plan in plans if (fact := draw.fact(plan)) is not None]


class _Draw:
    def __init__(self, shape: Shape, book: Phrasebook, days: int, rng: Random) -> None:
        self.shape, self.book, self.days, self.rng = shape, book, days, rng
        self.taken: set[str] = set()
        self.asked: set[tuple[int, str]] = set()
        degrees = [len(near) for near in shape.contacts]
        middle = sorted(degrees)[len(degrees) // 2]
        self.edge = [person for person, degree in enumerate(degrees) if degree <= middle]
        self.all = range(len(degrees))

    def fact(self, plan: Plan) -> Fact | None:
        """One fact of a plan, or None when every value that was tried is in use."""
        for _ in range(8):
            subject = self.rng.choice(self.edge if plan == "quiet" else self.all)
            attribute = self.rng.choice(self.book.attributes)
            fits = bool(attribute.update) if plan == "update" else (plan == "secret") == self._private(attribute)
            if not fits or (subject, attribute.key) in self.asked:
                continue
            value = self._value(attribute, {})
            old = self._value(attribute, value.parts if value else {}) if plan == "update" else None
            if value is None or (plan == "update" and old is None):
                continue
            self.asked.add((subject, attribute.key))
            return Fact(subject, attribute, value, old, plan == "secret", self._tellings(plan, subject))
        return None

    def _private(self, attribute: Attribute) -> bool:
        """Sensitive things are mostly told in confidence, others rarely: the subject alone does not tell which."""
        return self.rng.random() < (0.75 if attribute.sensitive else 0.2)

    def _value(self, attribute: Attribute, shared: Mapping[str, str]) -> Value | None:
        """A value nobody has yet. shared: parts to keep that are no part of the value, as the kind of animal."""
        grammar, rng = self.book.grammar, self.rng
        for _ in range(12):
            parts = {slot: grammar.draw(rule, {}, rng) for slot, rule in attribute.parts.items()}
            parts |= {slot: word for slot, word in shared.items() if "{" + slot + "}" not in attribute.value}
            text = grammar.expand(attribute.value, parts, rng)
            names = [text, *(grammar.expand(alias, parts, rng) for alias in attribute.aliases)]
            keys = {name.casefold() for name in names}
            if not keys & self.taken:
                self.taken |= keys
                return Value(text, tuple(names[1:]), parts)
        return None

    def _tellings(self, plan: Plan, subject: int) -> tuple[Telling, ...]:
        contacts = self.shape.contacts
        near = contacts[subject]
        days = iter(sorted(self.rng.sample(range(self.days), 4)))
        if plan == "quiet":
            confidant = min(near, key=lambda person: (len(contacts[person]), person))
            return (Telling(subject, confidant, "tell", next(days)),)
        hearer = self.rng.choice(near)
        if plan == "secret":
            return (Telling(subject, hearer, "tell", next(days)),)
        if plan == "update":
            first = Telling(subject, hearer, "tell", next(days), stale=True)
            return (first, Telling(subject, hearer, "update", next(days)))
        if plan == "relay":
            return self._chain(subject, hearer, [next(days) for _ in range(3)])
        hearers = self.rng.sample(near, min(len(near), self.rng.choice((1, 1, 2, 3))))
        return tuple(Telling(subject, person, "tell", next(days)) for person in hearers)

    def _chain(self, subject: int, first: int, days: Sequence[int]) -> tuple[Telling, ...]:
        """The subject tells one, who tells another, rarely a third; passed on to strangers of the subject if it can be."""
        contacts = self.shape.contacts
        chain = [Telling(subject, first, "tell", days[0])]
        heard = [subject, first]
        for day in days[1 : 3 if self.rng.random() < 0.3 else 2]:
            near = [person for person in contacts[heard[-1]] if person not in heard]
            strangers = [person for person in near if person not in contacts[subject]]
            if not near:
                break
            heard.append(self.rng.choice(strangers or near))
            chain.append(Telling(heard[-2], heard[-1], "relay", day))
        return tuple(chain)
