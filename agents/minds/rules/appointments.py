"""What a turn does for lists, calendars and tastes: the agent reads its own memory for entries, asks whose they are, tells them.

Nothing here asks a model. Every entry is weighed by itself before it is told.
"""

from collections.abc import Sequence
from typing import Any

from kithnet.agents.dialogue.state import Stage, State, Turn
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence, Held, Ledger, Rationale
from kithnet.agents.minds.rules import meanings, tasking, tastes
from kithnet.agents.minds.rules.tasking import Plan
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.tools import calendar as calendars
from kithnet.agents.wording import named_people
from kithnet.memory.recall import Hit
from kithnet.memory.vectors import Embedder


def plan_of(state: State, stage: Stage) -> Plan | None:
    """What the task of a dialogue wants reckoned, as the instructor's agent reads it; None for no tool."""
    instructor, assistant = state["pair"]
    return planned(stage, state["task"], (instructor, assistant)) if state["top"] else None


def planned(stage: Stage, task: str, pair: tuple[str, str]) -> Plan | None:
    """The plan of a task between two people."""
    if not stage.settings.tools:
        return None
    agent, other = (stage.agent_of(person) for person in pair)
    known = {**agent.known_names, other.person: other.names}
    return tasking.read(task, known, (agent.name, other.name), stage.embedder)


def opened(ledger: Ledger, plan: Plan) -> Ledger:
    """The ledger with a calendar to fill for everybody the plan is about; the task itself is left to the tool."""
    for name in plan.people or ("",):
        if plan.tool in meanings.OF_TASTE:
            asked = tastes.question(name)
        else:
            asked = calendars.question(name) if name else calendars.EVERYBODY
        ledger = infonav.open_rationale(ledger, asked)
    return infonav.whole(ledger)


def is_list(rationale: Rationale, settings: Settings) -> bool:
    """Whether a rationale is filled here."""
    return settings.tools and rationale.listed


def looked_up(
    agent: PersonalAgent, rationale: Rationale, settings: Settings, seen: list[str], embedder: Embedder | None
) -> list[tuple[str, tuple[Evidence, ...]]]:
    """The entries of a list that the agent's own memory holds, with the messages that tell of each.

    seen: ids of messages read for it at an earlier turn, to which the new ones are added; nothing is read again where
    there are none.
    """
    of_taste = rationale.kind == "tastes"
    name = (tastes.whose if of_taste else calendars.whose)(rationale.question) or ""
    speakers = named_people(name, agent.known_names) or None
    query = rationale.question if of_taste else f"{rationale.question} {_TIMELY}"
    lines = agent.memory.gather(query, most=ROUNDS * settings.k, speakers=speakers)
    fresh = [line.id for line in lines if line.id not in set(seen)]
    if not fresh:
        return []
    seen.extend(fresh)
    return _tastes(agent, name, lines, embedder) if of_taste else _events(agent, name, lines)


ROUNDS = 8
"""A list is collected from so many times the messages that a recall returns: all of a small talk, the best of a large one."""
_TIMELY = "When is it?"
"""What makes recall look for messages that tell times."""


def _events(agent: PersonalAgent, name: str, lines: Sequence[Hit]) -> list[tuple[str, tuple[Evidence, ...]]]:
    found: list[tuple[str, tuple[Evidence, ...]]] = []
    for event in agent.memory.events(lines, own=(OUTSIDE,)):
        entry = calendars.shown(event, agent.known_names)
        if not calendars.concerns(entry, name):
            continue
        handles = tuple(f"m{number}" for number in event.evidence)
        passed_on = event.told_by not in (agent.person, *event.people)
        text = str(entry)
        found.append((text, (Evidence(handles[-1], handles, agent.person, 0, 0.7 if passed_on else 0.9, text),)))
    return found


def _tastes(
    agent: PersonalAgent, name: str, lines: Sequence[Hit], embedder: Embedder | None
) -> list[tuple[str, tuple[Evidence, ...]]]:
    names = agent.known_names
    person = next(iter(named_people(name, names)), name)
    found = tastes.read(lines, person, name, names, embedder)
    return [(str(one), (Evidence(i, (i,), agent.person, 0, 0.9, str(one)),)) for one, i in found]


def to_ask(agent: PersonalAgent, rationale: Rationale, visited: Sequence[str]) -> list[str]:
    """Contacts to be asked for a calendar: whose it is, as nobody knows it better; for everybody's, all."""
    name = tastes.whose(rationale.question) if rationale.kind == "tastes" else calendars.whose(rationale.question)
    if name is None:
        return []
    contacts = [contact.person for contact in agent.contacts if contact.person not in visited]
    if not name:
        return contacts
    names = agent.known_names
    return [person for person in named_people(name, names) if person in contacts]


def told_key(question: str, value: str) -> str:
    """How it is noted that an entry has been told."""
    return f"{question} {value}"


def untold(turn: Turn, rationale: Rationale) -> list[tuple[Held, list[Evidence]]]:
    """Entries that the partner has not been told and did not tell, each with evidence that may be named."""
    done = turn.state["told"][turn.speaker]
    prefix = f"u:{turn.state['id']}:"
    found = []
    for held in rationale.held:
        own = [item for item in held.evidence if not item.id.startswith(prefix)]
        if own and len(own) == len(held.evidence) and told_key(rationale.question, held.value) not in done:
            found.append((held, own))
    return found


def summary(plan: Plan) -> dict[str, Any]:
    """A plan as an event of the trace shows it."""
    return {
        "tool": plan.tool, "people": list(plan.people), "excluded": list(plan.excluded),
        "by": "meaning" if plan.by_meaning else "words",
    }  # fmt: skip
