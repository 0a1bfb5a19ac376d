"""Mixed sessions in the shape of MiSC: one main speaker, three partners, six sessions of two, and what is to be kept.

Generated from a seed, with gold: the main speaker's memories of each session, how they are linked, who may hear them,
what they replace, and which later utterance uses which. No model writes it, so the gold is what was put in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from kithnet.network.generate.mixed_phrases import MixedBook, Thing, read_mixed
from kithnet.network.generate.people import Character, draw_people
from kithnet.network.generate.phrasebook import read_phrasebook
from kithnet.network.generate.shape import Shape
from kithnet.network.generate.spec import Phrases
from kithnet.network.generate.talk import Writer
from kithnet.network.records import ChatMessage, Person, Tie, World

SESSIONS, PARTNERS = 6, 3
FIRST_DAY = datetime(2024, 3, 4, 18, 0)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Kind = Literal["fact", "event", "preference", "plan"]
LinkKind = Literal["same_topic", "updates", "contradicts", "causes"]


@dataclass(frozen=True, slots=True)
class GoldMemory:
    """What the main speaker should keep. about, told_by: person ids. value: words that must stand in it. message: seq.

    audience: the only people who may hear it, None for everybody. replaces: number of the memory it takes the place of.
    """

    number: int
    about: str
    told_by: str
    kind: Kind
    topic: str
    value: str
    session: int
    message: int
    audience: tuple[str, ...] | None = None
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class GoldLink:
    """a, b: numbers of memories."""

    a: int
    b: int
    kind: LinkKind


@dataclass(frozen=True, slots=True)
class Tag:
    """The main speaker's utterance `message` to `partner` was made from `memory` (a number)."""

    message: int
    memory: int
    partner: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a memory (a number) answers. stale: those that held before and do no more."""

    text: str
    about: str
    memory: int
    stale: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Episode:
    """One main speaker's six sessions with the gold of them. sessions: (id, partner) in order."""

    main: str
    people: tuple[Person, ...]
    sessions: tuple[tuple[str, str], ...]
    messages: tuple[ChatMessage, ...]
    memories: tuple[GoldMemory, ...]
    links: tuple[GoldLink, ...]
    tags: tuple[Tag, ...]
    questions: tuple[Question, ...]

    @property
    def world(self) -> World:
        """The people, their ties and their messages, to be stored."""
        ties = [Tie(*sorted((self.main, partner))) for partner in dict.fromkeys(p for _, p in self.sessions)]
        return World(list(self.people), ties, list(self.messages), source={"format": "mixed"})


def mixed_episode(seed: int, phrases: Phrases = "default") -> Episode:
    """Generate one episode; the same seed gives the same one. held-out: wordings that nothing was fitted to."""
    return _Writing(seed, phrases).episode()


def update_script(seed: int, phrases: Phrases = "default") -> Episode:
    """A short episode with one partner whose one thing changes once or twice amid other talk; its question is that thing."""
    return _Writing(seed, phrases).script()


@dataclass(slots=True)
class _Told:
    """A memory while the episode is written, with its thing and the words it was told with."""

    gold: GoldMemory
    thing: Thing
    bound: dict[str, str] = field(default_factory=dict)
    current: bool = True


class _Writing:
    """One episode while it is written. People are numbers: 0 is the main speaker."""

    def __init__(self, seed: int, phrases: Phrases) -> None:
        self.rng = Random(f"kithnet mixed {seed}")
        self.book: MixedBook = read_mixed(phrases)
        words = read_phrasebook("default")
        self.grammar = self.book.grammar
        self.people: list[Character] = draw_people(PARTNERS + 2, words, self.rng)
        pairs = tuple((0, other) for other in range(1, PARTNERS + 1))
        others = range(1, PARTNERS + 1)
        contacts = (tuple(others), *((0,) for _ in others), ())
        self.shape = Shape(pairs, ("friend",) * PARTNERS, (1 / PARTNERS,) * PARTNERS, (0,) * (PARTNERS + 2), contacts)
        self.small = Writer(self.people, self.shape, words, self.rng)
        self.messages: list[ChatMessage] = []
        self.told: list[_Told] = []
        self.links: list[GoldLink] = []
        self.tags: list[Tag] = []
        self.at = FIRST_DAY + timedelta(days=self.rng.randrange(200))
        self.used: set[str] = set()

    def episode(self) -> Episode:
        order = [1, 2, 3, *self.rng.sample((1, 2, 3), 3)]
        sessions = []
        for number, partner in enumerate(order):
            name = f"{self._id(0)} & {self._id(partner)} {number + 1}"
            self._session(number, partner, name)
            sessions.append((name, self._id(partner)))
            self.at += timedelta(days=self.rng.randint(3, 12))
        return self._episode(sessions, self._questions())

    def _episode(self, sessions: Sequence[tuple[str, str]], questions: Sequence[Question]) -> Episode:
        return Episode(
            self._id(0),
            tuple(character.person for character in self.people),
            tuple(sessions),
            tuple(self.messages),
            tuple(told.gold for told in self.told),
            tuple(self.links),
            tuple(self.tags),
            tuple(questions),
        )

    def script(self) -> Episode:
        """Three or four sessions with partner 1: something is told, changes, and is surrounded by other things."""
        partner, sessions = 1, []
        count = self.rng.randint(3, 4)
        told: _Told | None = None
        for number in range(count):
            name = f"{self._id(0)} & {self._id(partner)} {number + 1}"
            sessions.append((name, self._id(partner)))
            self._chat(partner, name, self.rng.randint(1, 3))
            if told is None:
                told = self._changing(partner, name)
            elif number < 3:
                told = self._changed(told, partner, number, name)
            if self.rng.random() < 0.6:
                self._theirs(number, partner, name)
            self._chat(partner, name, 2)
            self.at += timedelta(days=self.rng.randint(3, 12))
        assert told is not None
        asked = [one for one in self._questions() if one.memory == told.gold.number]
        return self._episode(sessions, asked)

    def _changing(self, partner: int, name: str) -> _Told:
        """The partner tells something that has one value at a time and will change."""
        things = [one for one in self.book.things if one.current or one.sort == "plan"]
        thing = self.rng.choice(things)
        bound = self._bound(thing, partner)
        self.used.add(f"{partner} {thing.topic}" if thing.sort == "trait" else f"{partner} {thing.sort} {bound['v']}")
        seq = self._say(partner, 0, self._expand(thing.tell, bound), name)
        self._say(0, partner, self._expand(self.book.hear, {}), name)
        return self._gold(partner, partner, thing, bound, 0, seq, None)

    def _session(self, number: int, partner: int, name: str) -> None:
        rng = self.rng
        self._chat(partner, name, rng.randint(2, 4))
        steps = [self._mine, self._theirs, self._theirs]
        if number >= 2:
            steps += [self._use, self._change]
        if number >= 1:
            steps.append(self._use)
        if rng.random() < 0.5:
            steps.append(self._hearsay)
        if rng.random() < 0.5:
            steps.append(self._confidence)
        rng.shuffle(steps)
        for step in steps:
            step(number, partner, name)
            if rng.random() < 0.5:
                self._chat(partner, name, rng.randint(1, 3))
        self._chat(partner, name, 2)

    # --- what is said ---

    def _chat(self, partner: int, name: str, length: int) -> None:
        first, second = (0, partner) if self.rng.random() < 0.5 else (partner, 0)
        for line in self.small.small_talk(first, second, length):
            self._say(line.speaker, partner if line.speaker == 0 else 0, line.text, name)

    def _say(self, speaker: int, hearer: int, text: str, name: str) -> int:
        seq = len(self.messages)
        self.at += timedelta(seconds=self.rng.randint(10, 150))
        text = text[:1].upper() + text[1:]
        self.messages.append(ChatMessage(seq, self._id(speaker), self._id(hearer), text, self.at, name))
        return seq

    def _mine(self, number: int, partner: int, name: str) -> None:
        self._tell(0, partner, number, name)

    def _theirs(self, number: int, partner: int, name: str) -> None:
        self._tell(partner, partner, number, name)

    def _confidence(self, number: int, partner: int, name: str) -> None:
        self._tell(partner, partner, number, name, secret=True)

    def _tell(self, speaker: int, partner: int, number: int, name: str, *, secret: bool = False) -> None:
        """The speaker tells something new of themselves."""
        thing, bound = self._draw(self.rng.choice(("trait", "trait", "liking", "plan", "event")), speaker)
        templates = thing.tell
        because = bool(thing.because) and self.rng.random() < 0.4 and not secret
        if because:
            templates = thing.because
        text = self._expand(templates, bound)
        if secret:
            confide = self._expand(self.book.confide, {})
            text = f"{confide} {text}" if self.rng.random() < 0.5 else f"{text} {confide}"
        hearer = partner if speaker == 0 else 0
        seq = self._say(speaker, hearer, text, name)
        audience = (self._id(partner),) if secret else None
        told = self._gold(speaker, speaker, thing, bound, number, seq, audience)
        if because:
            cause = replace(
                told.gold, number=len(self.told), kind="fact", topic=f"why {bound['why']}", value=bound["why"]
            )
            self.told.append(_Told(cause, thing, bound, current=False))
            self.links.append(GoldLink(cause.number, told.gold.number, "causes"))
        self._say(hearer, speaker, self._expand(self.book.hear, {}), name)

    def _hearsay(self, number: int, partner: int, name: str) -> None:
        """The partner passes on something about somebody else: new, in agreement, or against what was heard."""
        rng = self.rng
        known = [t for t in self.told if t.current and t.thing.relay and t.gold.told_by != self._id(partner)]
        known = [t for t in known if t.gold.audience is None and t.gold.about not in (self._id(0), self._id(partner))]
        known = [t for t in known if t.thing.current]
        if known and rng.random() < 0.7:
            old = rng.choice(known)
            thing = old.thing
            subject = self._number(old.gold.about)
            bound = self._bound(thing, subject)
        else:
            thing, bound = self._draw("trait", 4)
            subject, old = 4, None
        bound |= self._named(subject)
        seq = self._say(partner, 0, self._expand(thing.relay, bound), name)
        told = self._gold(subject, partner, thing, bound, number, seq, None)
        if old is not None:
            self.links.append(GoldLink(told.gold.number, old.gold.number, "contradicts"))
        self._say(0, partner, self._expand(self.book.hear_relay, self._named(subject)), name)

    def _change(self, number: int, partner: int, name: str) -> None:
        """Somebody present says that something is different now from what they told before."""
        present = (self._id(0), self._id(partner))
        known = [t for t in self.told if t.current and t.thing.update and t.gold.audience is None]
        known = [t for t in known if t.gold.about in present and t.gold.told_by == t.gold.about]
        known = [t for t in known if t.gold.session < number]
        if not known:
            return
        self._changed(self.rng.choice(known), partner, number, name)

    def _changed(self, old: _Told, partner: int, number: int, name: str) -> _Told:
        """The person of a memory says what is different now."""
        speaker = self._number(old.gold.about)
        bound = self._bound(old.thing, speaker, old.bound) | {"old": old.bound["v"]}
        if old.thing.kind == "plan":
            bound |= {"v": old.bound["v"], "old": old.bound["day"]}
        hearer = partner if speaker == 0 else 0
        seq = self._say(speaker, hearer, self._expand(old.thing.update, bound), name)
        told = self._gold(speaker, speaker, old.thing, bound, number, seq, None, old.gold.number)
        old.current = False
        self.links.append(GoldLink(told.gold.number, old.gold.number, "updates"))
        self._say(hearer, speaker, self._expand(self.book.hear, {}), name)
        return told

    def _use(self, number: int, partner: int, name: str) -> None:
        """The main speaker draws on something the partner told, or on what may be told the partner of another talk."""
        known = [t for t in self.told if t.current and t.gold.session < number and t.gold.about == self._id(partner)]
        known = [t for t in known if t.gold.told_by == self._id(partner)]
        if not known:
            return
        one = self.rng.choice(known)
        seq = self._say(0, partner, self._expand(one.thing.use, one.bound), name)
        self.tags.append(Tag(seq, one.gold.number, self._id(partner)))
        self._say(partner, 0, self._expand(self.book.hear, {}), name)

    # --- values ---

    def _draw(self, sort: str, speaker: int) -> tuple[Thing, dict[str, str]]:
        """A thing of a sort that this person has not told yet."""
        for _ in range(40):
            thing = self.rng.choice([one for one in self.book.things if one.sort == sort])
            if sort == "trait" and f"{speaker} {thing.topic}" in self.used:
                continue
            bound = self._bound(thing, speaker)
            key = f"{speaker} {thing.topic}" if sort == "trait" else f"{speaker} {sort} {bound['v']}"
            if key not in self.used:
                self.used.add(key)
                return thing, bound
        return self._draw("event" if sort != "event" else "trait", speaker)

    def _bound(self, thing: Thing, speaker: int, before: dict[str, str] | None = None) -> dict[str, str]:
        """Values for the slots of a thing. before: what the person had; a plan keeps its thing, a taste too."""
        rng = self.rng
        keep = before is not None and thing.sort in ("plan", "liking")
        value = before["v"] if before is not None and keep else self._fresh(thing)
        gone = (before or {}).get("days", "").split()
        weekday = rng.choice([day for day in WEEKDAYS if day not in gone] or WEEKDAYS)
        ago = self.grammar.draw("ago", {"weekday": rng.choice(WEEKDAYS)}, rng)
        return {
            "v": value,
            "day": weekday,
            "days": " ".join([*gone, weekday]),  # all it has been on: a plan does not go back to one
            "weekday": rng.choice(WEEKDAYS),
            "clock": f"{rng.randint(1, 11)}:{rng.choice(('00', '15', '30'))} pm",
            "ago": ago,
            "Ago": ago[:1].upper() + ago[1:],
            "why": self.grammar.draw("why", {}, rng),
        }

    def _fresh(self, thing: Thing) -> str:
        if thing.values:
            return self.rng.choice(thing.values)
        for _ in range(30):
            value = self.grammar.expand(thing.value, {}, self.rng)
            if value not in self.used:
                break
        self.used.add(value)
        return value

    def _named(self, person: int) -> dict[str, str]:
        who = self.people[person]
        return {"S": who.name, "he": who.he, "him": who.him, "his": who.his}

    def _expand(self, templates: Sequence[str], bound: dict[str, str]) -> str:
        return self.grammar.expand(self.rng.choice(templates), bound, self.rng)

    def _gold(
        self, about: int, told_by: int, thing: Thing, bound: dict[str, str], session: int, seq: int,
        audience: tuple[str, ...] | None, replaces: int | None = None,
    ) -> _Told:  # fmt: skip
        value = f"{bound['v']} {bound['day']}" if thing.kind == "plan" else bound["v"]
        gold = GoldMemory(
            len(self.told), self._id(about), self._id(told_by), thing.kind, thing.topic.format_map(bound), value, session,
            seq, audience, replaces,
        )  # fmt: skip
        told = _Told(gold, thing, bound)
        self.told.append(told)
        return told

    def _questions(self) -> list[Question]:
        """One question for every thing that holds at the end and that its person told; stale: what it replaced."""
        asked = []
        for told in self.told:
            gold = told.gold
            if not told.current or not told.thing.ask or gold.told_by != gold.about:
                continue
            stale: list[int] = []
            before = gold.replaces
            while before is not None:
                stale.append(before)
                before = self.told[before].gold.replaces
            bound = told.bound | self._named(self._number(gold.about))
            asked.append(Question(self._expand(told.thing.ask, bound), gold.about, gold.number, tuple(stale)))
        return asked

    def _id(self, person: int) -> str:
        return self.people[person].person.id

    def _number(self, person: str) -> int:
        return next(n for n, one in enumerate(self.people) if one.person.id == person)
