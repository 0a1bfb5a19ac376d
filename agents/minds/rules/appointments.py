"""What the reader does for lists, calendars and tastes: it reads its own memory for entries, and asks whose they are.

Nothing here asks a model. Every entry is weighed by itself before it is told.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from kithnet.agents.infonav.ledger import Kind, Rationale
from kithnet.agents.minds.mind import Cite
from kithnet.agents.minds.rules import tasking, tastes
from kithnet.agents.minds.rules.tasking import Plan
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.tools import calendar as calendars
from kithnet.agents.wording import named_people
from kithnet.memory.recall import Hit
from kithnet.memory.vectors import Embedder

Found = tuple[str, Cite]


def lists_of(plan: Plan) -> list[tuple[str, Kind, str]]:
    """The lists to fill for a plan: question, kind, whose it is ("" for everybody's calendar)."""
    if plan.tool in tasking.OF_TASTE:
        return [(tastes.question(name), "tastes", name) for name in plan.people]
    return [
        (calendars.question(name) if name else calendars.EVERYBODY, "events", name) for name in plan.people or ("",)
    ]


ROUNDS = 8
"""A list is collected from so many times the messages that a recall returns: all of a small talk, the best of a large one."""
_TIMELY = "When is it?"
"""What makes recall look for messages that tell times."""


def looked_up(
    agent: PersonalAgent, rationale: Rationale, settings: Settings, seen: list[str], embedder: Embedder | None
) -> list[Found]:
    """The entries of a list that the agent's own memory holds, with the messages that tell of each.

    seen: ids of messages read for it at an earlier turn, to which the new ones are added; nothing is read again where
    there are none.
    """
    of_taste = rationale.kind == "tastes"
    speakers = named_people(rationale.subject, agent.known_names) or None
    query = rationale.question if of_taste else f"{rationale.question} {_TIMELY}"
    lines = agent.memory.gather(query, most=ROUNDS * settings.k, speakers=speakers)
    fresh = [line.id for line in lines if line.id not in set(seen)]
    if not fresh:
        return []
    seen.extend(fresh)
    return _tastes(agent, rationale.subject, lines, embedder) if of_taste else _events(agent, rationale.subject, lines)


def _events(agent: PersonalAgent, name: str, lines: Sequence[Hit]) -> list[Found]:
    found: list[Found] = []
    for event in agent.memory.events(lines, own=(OUTSIDE,)):
        entry = calendars.shown(event, agent.known_names)
        if not calendars.concerns(entry, name):
            continue
        handles = tuple(f"m{number}" for number in event.evidence)
        passed_on = event.told_by not in (agent.person, *event.people)
        text = str(entry)
        found.append((text, Cite(handles[-1], text, 0.7 if passed_on else 0.9, handles)))
    return found


def _tastes(agent: PersonalAgent, name: str, lines: Sequence[Hit], embedder: Embedder | None) -> list[Found]:
    names = agent.known_names
    person = next(iter(named_people(name, names)), name)
    found = tastes.read(lines, person, name, names, embedder)
    return [(str(one), Cite(i, str(one), 0.9, (i,))) for one, i in found]


def to_ask(agent: PersonalAgent, rationale: Rationale, visited: Sequence[str]) -> list[str]:
    """Contacts to be asked for a list: whose it is, as nobody knows it better; for everybody's, all."""
    contacts = [contact.person for contact in agent.contacts if contact.person not in visited]
    if not rationale.subject:
        return contacts
    names = agent.known_names
    return [person for person in named_people(rationale.subject, names) if person in contacts]


def summary(plan: Plan) -> dict[str, Any]:
    """A plan as an event of the trace shows it."""
    return {
        "tool": plan.tool, "people": list(plan.people), "excluded": list(plan.excluded),
    }  # fmt: skip


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan as plain data; `plan_of` gives it back."""
    data: dict[str, Any] = _PLANS.dump_python(plan, mode="json")
    return data


def plan_of(kept: object) -> Plan | None:
    """The plan that `plan_json` made plain, None for no plan."""
    return _PLANS.validate_python(kept) if kept is not None else None


_PLANS: TypeAdapter[Plan] = TypeAdapter(Plan)
