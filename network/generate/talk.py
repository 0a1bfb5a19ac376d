"""What people write to each other: small talk that keeps to its topic, and the telling of facts inside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from kithnet.network.generate.facts import Fact, Telling
from kithnet.network.generate.people import Character
from kithnet.network.generate.phrasebook import Phrasebook, Topic
from kithnet.network.generate.shape import Shape

SLOT = re.compile(r"\{(\w+)\}")
SENTENCE = re.compile(r"([.!?] )([a-z])")
LOOSE = frozenset({"very", "good", "bad", "oh", "long", "hours", "day", "soon", "mutual", "A", "B"})
"""Slots that vary within a session; the others of a topic's openings are its subject and stay the same."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message as written. states: it says the fact of this session."""

    speaker: int
    text: str
    states: bool = False


class Writer:
    """Writes sessions of a world. Not safe to share: it draws from one generator."""

    def __init__(self, characters: list[Character], shape: Shape, book: Phrasebook, rng: Random) -> None:
        self.characters, self.shape, self.book, self.rng = characters, shape, book, rng
        self.grammar = book.grammar
        self.subject_slots = {topic.name: _subject_slots(topic) for topic in book.topics}
        names = {word for character in characters for word in character.name.split()}
        self.proper = names | {"I", "I'm", "I'd", "I've", "I'll"} | set(book.people["town"])

    def small_talk(self, a: int, b: int, length: int) -> list[Line]:
        """A session that `a` starts, of exactly `length` messages."""
        session = _Session(self, a, b)
        if length >= 5 and self.rng.random() < 0.35:
            session.greet()
        ending = length >= 6 and self.rng.random() < 0.45
        session.fill(length - 2 if ending else length)
        return session.close(length)

    def telling(self, fact: Fact, telling: Telling, length: int) -> list[Line]:
        """A session in which a fact is told; of at least `length` messages (>= 6), and at most 2 more."""
        session = _Session(self, telling.speaker, telling.hearer)
        if self.rng.random() < 0.6:
            session.greet()
        elif self.rng.random() < 0.5:
            session.fill(2)
        if telling.way == "relay":
            session.relay(fact)
        else:
            session.confess(fact, telling)
        length = max(length, len(session.lines))
        ending = length - len(session.lines) >= 2 and self.rng.random() < 0.6
        session.fill(length - 2 if ending else length)
        return session.close(length)

    def styled(self, text: str, speaker: int, plain: bool) -> str:
        """The text as this person writes. plain: leave its beginning alone, it may be a value."""
        voice, rng = self.characters[speaker], self.rng
        text = SENTENCE.sub(lambda match: match[1] + match[2].upper(), text[0].upper() + text[1:])
        lead = "" if plain or rng.random() >= voice.chatty else rng.choice(voice.start)
        if text.endswith(".") and rng.random() < voice.chatty:
            text = text[:-1] + rng.choice(voice.end)
        if not plain and (lead or not voice.upper) and text.split(" ", 1)[0].rstrip(".,!?") not in self.proper:
            text = text[0].lower() + text[1:]
        text = lead + text
        return text if plain or not voice.upper else text[0].upper() + text[1:]


class _Session:
    """One conversation while it is written; `a` started it."""

    def __init__(self, writer: Writer, a: int, b: int) -> None:
        self.writer, self.a, self.b = writer, a, b
        self.rng = writer.rng
        self.lines: list[Line] = []
        self.used: set[str] = set()
        shared = [person for person in writer.shape.contacts[a] if person != b]
        both = [person for person in writer.shape.contacts[b] if person in set(shared)]
        known = both or shared or [a]
        self.mutual = writer.characters[self.rng.choice(known)].name if both or shared else "my sister"
        self.topics = self.rng.sample(writer.book.topics, len(writer.book.topics))

    def say(
        self, speaker: int, templates: tuple[str, ...], bound: Mapping[str, str] | None = None, *, before: str = "",
        after: str = "", states: bool = False, plain: bool = False,
    ) -> None:  # fmt: skip
        hearer = self.b if speaker == self.a else self.a
        names = {
            "A": self.writer.characters[speaker].name, "B": self.writer.characters[hearer].name, "mutual": self.mutual,
        }  # fmt: skip
        template = self.rng.choice(templates)
        for _ in range(4):
            if template not in self.used:
                break
            template = self.rng.choice(templates)
        self.used.add(template)
        slots = {**names, **bound} if bound else names
        text = self.writer.grammar.expand(before + template + after, slots, self.rng)
        self.lines.append(Line(speaker, self.writer.styled(text, speaker, plain), states))

    def frame(self, name: str) -> tuple[str, ...]:
        return self.writer.book.frames[name]

    def greet(self) -> None:
        self.say(self.a, self.frame("hello"))
        self.say(self.b, self.frame("hello_back"))

    def close(self, length: int) -> list[Line]:
        if len(self.lines) != length - 2:
            self.fill(length)
        else:
            first = self.a if self.lines[-1].speaker == self.b else self.b
            self.say(first, self.frame("bye"))
            self.say(self.b if first == self.a else self.a, self.frame("bye_back"))
        return self.lines[:length]

    def fill(self, length: int) -> None:
        """Small talk until there are `length` messages: topics one after the other, each left when it is used up."""
        turn = self.a
        while len(self.lines) < length:
            if not self.topics:
                self.topics = list(self.writer.book.topics)
                self.used.clear()
            if self.lines and self.rng.random() < 0.8:
                turn = self.b if self.lines[-1].speaker == self.a else self.a
            self._topic(self.topics.pop(), turn, length)

    def _topic(self, topic: Topic, a: int, length: int) -> None:
        b = self.b if a == self.a else self.a
        grammar, rng, react = self.writer.grammar, self.rng, self.writer.book.react
        bound = {slot: grammar.draw(slot, {}, rng) for slot in self.writer.subject_slots[topic.name]}
        self.say(a, topic.open, bound, after=self._aside())
        for exchange in rng.sample(topic.exchanges, len(topic.exchanges)):
            if len(self.lines) >= length:
                return
            before = rng.choice(react) + " " if rng.random() < 0.45 else ""
            self.say(b, exchange.ask, bound, before=before)
            self.say(a, exchange.say, bound, after=self._aside())
        if len(self.lines) < length and rng.random() < 0.5:
            self.say(b, react, bound)
        if len(self.lines) < length and rng.random() < 0.6:
            self.say(a, topic.turn, bound)
            self.say(b, topic.back, after=self._aside())
            if rng.random() < 0.6:
                self.say(a, react)

    def _aside(self) -> str:
        """A second sentence, sometimes."""
        if self.rng.random() < 0.5:
            return ""
        aside = self.rng.choice(self.writer.book.aside)
        if aside in self.used:
            return ""
        self.used.add(aside)
        return " " + aside

    def confess(self, fact: Fact, telling: Telling) -> None:
        """The person tells it first-hand: of their own accord or asked, plainly or in confidence."""
        speaker, hearer, attribute, rng = telling.speaker, telling.hearer, fact.attribute, self.rng
        value = fact.old if telling.stale and fact.old else fact.value
        bound = {**value.parts, "v": value.text, "old": fact.old.text if fact.old else ""}
        before, after = self._confidence(speaker, fact.secret)
        if telling.way == "update":
            lead = rng.choice(self.frame("update_lead"))
            self.say(speaker, attribute.update, bound, before=before + lead, after=after, states=True, plain=True)
        elif attribute.elicit and rng.random() < 0.35:
            self.say(hearer, attribute.elicit, bound, states=True)
            self.say(speaker, self.frame("reply"), bound, before=before, after=after, states=True, plain=True)
        else:
            lead = rng.choice(self.frame("lead"))
            self.say(speaker, attribute.tell, bound, before=before + lead, after=after, states=True, plain=True)
        self.say(hearer, self.frame("promise" if fact.secret else "hear"))

    def _confidence(self, speaker: int, secret: bool) -> tuple[str, str]:
        """What is said around a secret, in its message or, before it, in one of its own."""
        if not secret:
            return "", ""
        before, after = self.rng.choice(self.frame("confide_before")), self.rng.choice(self.frame("confide_after"))
        draw = self.rng.random()
        if draw < 0.35:
            return before + " ", ""
        if draw < 0.75:
            return "", " " + after
        self.say(speaker, (before,))
        return ("", " " + after) if draw < 0.88 else ("", "")

    def relay(self, fact: Fact) -> None:
        """Somebody passes on what they heard about another person."""
        subject = self.writer.characters[fact.subject]
        bound = {
            **fact.value.parts, "v": fact.value.text, "S": subject.name, "he": subject.he, "him": subject.him,
            "his": subject.his,
        }  # fmt: skip
        lead = self.rng.choice(self.frame("relay_lead"))
        self.say(self.a, fact.attribute.relay, bound, before=lead, states=True, plain=True)
        self.say(self.b, self.frame("relay_hear"), bound)


def _subject_slots(topic: Topic) -> tuple[str, ...]:
    """The words a topic is about: what its openings name, in order."""
    named = (slot for text in topic.open for slot in SLOT.findall(text))
    return tuple(dict.fromkeys(slot for slot in named if slot not in LOOSE))
