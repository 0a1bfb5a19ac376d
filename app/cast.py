"""The cast of a world: every person's agent, made when it is first needed."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time

from kithnet.agents.disclosure.policy import Owner, Policy, Rule, UnattendedOwner
from kithnet.agents.disclosure.sensitivity import Discretion
from kithnet.agents.personal import Contact, PersonalAgent
from kithnet.memory.language.reader import Reader, WordReader
from kithnet.memory.rows import Person, Tie
from kithnet.memory.store import Store
from kithnet.memory.vectors import Embedder, VectorIndex
from kithnet.memory.writing.senses import MeantSlots
from kithnet.runtime.config import DisclosureConfig
from kithnet.runtime.errors import IsolatedPerson


def policy_of(config: DisclosureConfig) -> Policy:
    """The disclosure rules of a configuration as the agents use them."""
    rules = tuple(
        Rule(
            action=rule.action,
            person=rule.person,
            topic=tuple(rule.topic.replace(",", " ").split()),
            sensitivity=rule.sensitivity,
            min_tie=rule.min_tie,
            after=_midnight(rule.after),
            before=_midnight(rule.before),
        )
        for rule in config.rules
    )
    return Policy(rules, config.default_sensitive)


def _midnight(day: date | None) -> datetime | None:
    """The moment a day begins."""
    return datetime.combine(day, time.min) if day else None


def names_of(person: Person) -> tuple[str, ...]:
    """Every way a person is called, the shown name first."""
    return tuple(dict.fromkeys((person.name, person.id, *person.aliases)))


class Cast:
    """The personal agents of one world. Safe to share between threads."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        owner: Owner | None = None,
        embedder: Embedder | None = None,
        index: VectorIndex | None = None,
        reader: Reader | None = None,
    ) -> None:
        self._store, self._policy, self._owner = store, policy, owner or UnattendedOwner()
        self._embedder, self._index, self._reader = embedder, index, reader or WordReader()
        self._discretion = Discretion(reader)  # its own words know more confidences than the floor does
        self._senses = MeantSlots(embedder) if embedder else None
        self._people = {person.id: person for person in store.people(outside=True)}
        self._ties = _ties_by_person(store.ties())
        self._agents: dict[str, PersonalAgent] = {}
        self._lock = threading.Lock()

    def agent(self, person: str) -> PersonalAgent:
        """The agent of `person`. Raises UnknownPerson."""
        with self._lock:
            if person not in self._agents:
                self._agents[person] = self._make(person)
            return self._agents[person]

    def with_owner(self, person: str, owner: Owner) -> PersonalAgent:
        """From now on `owner` answers for `person` where a rule says to ask."""
        agent = replace(self.agent(person), owner=owner)
        with self._lock:
            self._agents[person] = agent
        return agent

    def need_ties(self, *people: str) -> None:
        """Raises IsolatedPerson for one who has nobody to talk to."""
        for person in people:
            if not self._ties[person]:
                name = self._people[person].name
                raise IsolatedPerson(
                    f"{name} has no tie to anyone in this world",
                    "choose someone who has (`kith world show WORLD --json` counts ties)",
                )

    def _make(self, person: str) -> PersonalAgent:
        memory = self._store.owner(person, index=self._index, embedder=self._embedder)
        known = self._people[person]
        contacts = tuple(
            Contact(alter, names_of(self._people[alter]), messages) for alter, messages in self._ties[person]
        )
        return PersonalAgent(
            person, names_of(known), known.persona, memory, contacts, self._policy, self._owner, self._discretion,
            self._reader, self._senses,
        )  # fmt: skip


def _ties_by_person(ties: Sequence[Tie]) -> defaultdict[str, list[tuple[str, int]]]:
    """For each person, the alters and how much was exchanged with each: messages, a line to n people counting 1/n."""
    ends: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for tie in ties:
        exchanged = max(1, round(tie.weight)) if tie.messages else 0
        ends[tie.a].append((tie.b, exchanged))
        ends[tie.b].append((tie.a, exchanged))
    return ends
