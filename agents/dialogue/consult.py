"""Whom to ask next: third parties are chosen by evidence and tie, within depth, fan-out, budget and a visited set."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import log1p
from typing import TYPE_CHECKING

from kithnet.agents.disclosure.asking import barred
from kithnet.agents.infonav.ledger import Ledger, Rationale
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import content_stems, content_words, named_people
from kithnet.runtime.errors import InputError

if TYPE_CHECKING:
    from kithnet.agents.dialogue.state import State
    from kithnet.agents.minds.mind import AskContact

NAMED, SPOKE_OF_THEM, SPOKE_OF_IT, TIE = 4.0, 2.0, 1.0, 1.0


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


def ready(
    ledger: Ledger, *, asked_by_partner: Collection[str], partner: str, firm: float = 0.0
) -> tuple[Rationale, ...]:
    """What is worth a third party: the partner asks for it, or the partner was asked and had nothing.

    Unknowns, and what is known on evidence of less than `firm` support: for those only people the question names
    are asked (see `rank`), who know better than hearsay.
    """
    return tuple(
        r
        for r in ledger.rationales
        if not ledger.is_whole(r)
        and (not r.settled or weak(r, firm))
        and (r.question in asked_by_partner or partner in r.declined_by)
    )


def weak(rationale: Rationale, firm: float) -> bool:
    """Whether a value stands on poor evidence only."""
    return bool(rationale.held) and max(item.support for item in rationale.evidence) < firm


def rank(agent: PersonalAgent, question: str, visited: Collection[str] = ()) -> tuple[Candidate, ...]:
    """The agent's contacts in the order they should be asked, best first.

    A contact whom the question names comes first; then those who spoke to the agent of the people it names, or of
    what it is about; then strong ties. Everything is read from the agent's own memory. To whom the question may not be put
    (see `asking`) is no candidate.
    """
    visited = {*visited, *barred(agent, question, (contact.person for contact in agent.contacts))}
    named = agent.named(question)
    of_them = agent.memory.mentions(part for called in named.values() for part in content_words(called[0]))
    of_it = agent.memory.mentions(word for word in content_words(question) if word not in named)
    most_tied = max((contact.messages for contact in agent.contacts), default=0)
    found = []
    for contact in agent.contacts:
        if contact.person in visited:
            continue
        them, it = _share(of_them, contact.person), _share(of_it, contact.person)
        tie = log1p(contact.messages) / log1p(most_tied) if most_tied else 0.0
        score = NAMED * (contact.person in named) + SPOKE_OF_THEM * them + SPOKE_OF_IT * it + TIE * tie
        reasons = ((contact.person in named, "named"), (them > 0, "spoke of them"), (it > 0, "spoke of it"))
        reason = next((name for holds, name in reasons if holds), "close")
        found.append(Candidate(contact.person, score, reason))
    return tuple(sorted(found, key=lambda c: (-c.score, c.person)))


def contact_named(agent: PersonalAgent, name: str) -> str:
    """The id of the one contact that a name or id means. Raises InputError for nobody or several."""
    exact = [c.person for c in agent.contacts if name.casefold() in (c.person.casefold(), *map(str.casefold, c.names))]
    found = exact or named_people(name, {c.person: c.names for c in agent.contacts})
    if len(found) != 1:
        who = "nobody you know" if not found else f"several people: {', '.join(found)}"
        raise InputError(f"{name!r} is {who}", "name one of your owner's contacts")
    return found[0]


def forbidden(agent: PersonalAgent, act: "AskContact", state: "State", fan_out: int) -> str:
    """Why a contact may not be asked, "" where it may: depth, budget, fan-out, and nobody twice for the same thing."""
    person = contact_named(agent, act.person)
    if not act.question.strip():
        return "a question is missing"
    if state["depth"] <= 0 or state["budget"] <= 0:
        return "nobody else may be asked any more"
    if person in state["pair"]:
        return f"{person} takes part in this talk: ask by speaking"
    same = content_stems(act.question)
    if any(person in people for asked, people in state["visited"].items() if content_stems(asked) == same):
        return f"{person} has been asked this"
    here = [
        e for e in state["consulted"] if (e["by"], e["within"], e["turn"]) == (agent.person, state["id"], state["turn"])
    ]
    if sum(content_stems(e["question"]) == same for e in here) >= fan_out:
        return f"{fan_out} people have been asked this in this turn"
    return ""


def _share(spoke: Mapping[str, int], person: str) -> float:
    """How much of the most talkative partner's mentions this one made, in [0, 1]."""
    return spoke.get(person, 0) / max(spoke.values()) if spoke else 0.0
