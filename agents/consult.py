"""Whom to ask next: third parties are chosen by evidence and tie, within depth, fan-out, budget and a visited set."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import log1p

from kithnet.agents.infonav import Ledger, Rationale
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import content_words, named_people

NAMED, SPOKE_OF, TIE = 4.0, 2.0, 1.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What is left of the right to ask on. visited: people this task has already put the question to."""

    depth: int
    budget: int
    visited: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact and why it may know: points for being named, for having spoken of the matter, for the tie."""

    person: str
    score: float
    reason: str


def ready(ledger: Ledger, *, asked_by_partner: Collection[str], partner: str) -> tuple[Rationale, ...]:
    """Unknowns worth a third party: the partner asks for them, or the partner was asked and had nothing."""
    return tuple(r for r in ledger.unsettled if r.question in asked_by_partner or partner in r.declined_by)


def rank(agent: PersonalAgent, question: str, visited: Collection[str]) -> tuple[Candidate, ...]:
    """The agent's contacts in the order they should be asked, best first.

    A contact whom the question names comes first; then those who spoke with the agent of what the question is about,
    above all of the people it names; then strong ties. Everything is read from the agent's own memory.
    """
    named = set(named_people(question, agent.known_names))
    spoke = agent.memory.mentions(content_words(question))
    most_spoken = max(spoke.values(), default=0.0)
    most_tied = max((contact.messages for contact in agent.contacts), default=0)
    found = []
    for contact in agent.contacts:
        if contact.person in visited or contact.person == agent.person:
            continue
        share = _share(spoke, contact.person, most_spoken)
        tie = log1p(contact.messages) / log1p(most_tied) if most_tied else 0.0
        score = NAMED * (contact.person in named) + SPOKE_OF * share + TIE * tie
        reason = "named" if contact.person in named else "spoke of it" if share > 0 else "close"
        found.append(Candidate(contact.person, score, reason))
    return tuple(sorted(found, key=lambda c: (-c.score, c.person)))


def _share(spoke: Mapping[str, float], person: str, most: float) -> float:
    return spoke.get(person, 0.0) / most if most else 0.0
