"""A task without a partner: the agent chooses by itself whom to ask, by evidence and tie in its owner's own memory."""

from collections.abc import Callable, Collection

from kithnet.agents.dialogue.consult import Candidate, rank
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.wording import core

MayAsk = Callable[[PersonalAgent, str, str], bool]
"""Whether an agent may put a question to a person: to hear it may be to guess what it rests on."""


def anybody(agent: PersonalAgent, question: str, person: str) -> bool:
    """Every contact may be asked everything."""
    return True


def route(agent: PersonalAgent, question: str, may_ask: MayAsk = anybody) -> tuple[Candidate, ...]:
    """Whom to ask, best first; nobody whom the question may not be put to."""
    return tuple(one for one in rank(agent, question) if may_ask(agent, question, one.person))


def asked_already(question: str, people: Collection[str]) -> dict[str, list[str]]:
    """By question, as it is put and as the reader reads it, who has been asked: so that nobody is asked twice."""
    return {one: sorted(people) for one in (question, core(question))} if people else {}
