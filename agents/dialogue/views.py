"""What one agent sees of a dialogue, and how what it is shown is written down for it."""

from collections.abc import Sequence
from typing import Any, cast

from kithnet.agents.dialogue.scenes import Looking, Shown
from kithnet.agents.dialogue.state import Stage, State, Turn, turn_of
from kithnet.agents.infonav.ledger import Ledger
from kithnet.agents.minds.mind import Entry, Reachable, Role, View
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.tools.arithmetic import TOOLS
from kithnet.runtime.fencing import fenced

Update = dict[str, Any]
MOST_CONTACTS = 30


def view_of(state: State, stage: Stage, person: str | None = None) -> View:
    """What the agent whose turn it is sees, or that of one of the two, `person`."""
    turn, settings = turn_of(state, person), stage.settings
    agent = stage.agent_of(turn.speaker)
    other = agent.name if turn.partner == OUTSIDE else stage.agent_of(turn.partner).name
    role: Role = "chat" if stage.chat else "instructor" if turn.is_instructor else "assistant"
    tools = tuple(TOOLS) if settings.tools else ()
    # What is near to one is nothing to go by for the other, who would learn from it that there is something.
    near = state.get("near", {})
    nearest = near.get(turn.speaker, {}) if state["top"] else next(iter(near.values()), {})
    return View(
        dialogue=state["id"], person=turn.speaker, owner=agent.name, persona=agent.persona, partner=turn.partner,
        partner_name=other, role=role, top=state["top"],
        task=state["task"], ledger=turn.ledger, log=tuple(Entry(**one) for one in state["logs"][turn.speaker]),
        contacts=_contacts(agent, turn.partner), tools=tools, turn=state["turn"],
        turns_left=state["max_turns"] - state["turn"], steps_left=max(1, settings.steps - state["step"]),
        step=state["step"], pending=tuple(turn.pending), told=tuple(state["told"][turn.speaker]), heard=turn.heard,
        depth=state["depth"], budget=state["budget"], visited=state["visited"], kept_from=state["kept_from"],
        near=nearest, kept=state["kept"][turn.speaker], briefed=turn.speaker in state["briefed"],
        may_ask_back=not state["asked_back"],
    )  # fmt: skip


def _contacts(agent: PersonalAgent, partner: str) -> tuple[Reachable, ...]:
    strongest = sorted(agent.contacts, key=lambda contact: (-contact.messages, contact.person))
    others = [one for one in strongest if one.person != partner][:MOST_CONTACTS]
    return tuple(Reachable(one.person, one.names[0], one.messages) for one in others)


def to_recall(state: State, turn: Turn) -> list[str]:
    """Questions that are new to this agent: the task at the beginning, then what the partner just asked."""
    if turn.is_instructor and state["turn"] == 0:
        return [state["task"]] if state["top"] else []
    return list(turn.heard.asks)[:3] if turn.heard else []


def looking(state: State, stage: Stage, turn: Turn) -> Looking:
    known = frozenset(state["shown"][turn.speaker])
    return Looking(stage.agent_of(turn.speaker), turn.partner, state["task"], stage.settings, known)


def shown_update(state: State, stage: Stage, turn: Turn, found: Shown) -> Update:
    """What a look changes: what may be cited, what was searched, and what was withheld, for its owner."""
    person = turn.speaker
    refused = [
        {"sources": list(one.item.messages), "value": one.item.value, "text": one.item.text} for one in found.withheld
    ]
    have = {tuple(one["sources"]) for one in state["refused"][person]}
    fresh = [one for one in refused if tuple(one["sources"]) not in have]
    rows = [one.row for one in found.withheld if one.item.messages not in have]
    for row in rows:
        stage.trace.emit("disclosure", dialogue=state["id"], **row)
    return {
        "shown": {**state["shown"], person: list(dict.fromkeys([*state["shown"][person], *found.ids]))},
        "searched": state["searched"] + found.searched,
        "refused": {**state["refused"], person: [*state["refused"][person], *fresh]},
        "disclosures": [*state["disclosures"], *rows],
    }


def merged(state: State, update: Update) -> State:
    return cast(State, {**state, **update})


def said(turn: Turn) -> str:
    """How the partner's utterance is shown: its words, then each claim under the id that may be cited."""
    if turn.heard is None:
        return "The talk begins. You speak first."
    lines = [f"{turn.partner}'s agent says ({turn.heard.id}): {turn.heard.text}"]
    for claim in turn.heard.claims:
        said_by = f"{claim.said}: " if claim.said else ""
        words = "" if claim.quote == claim.value else f" — {said_by}“{claim.quote}”"
        lines.append(f"  tells “{claim.question}”: {claim.value}{words}")
    lines += [f"  asks: {question}" for question in turn.heard.asks]
    lines += [f"  has nothing on: {question}" for question in turn.heard.declined]
    return fenced("\n".join(lines))


def ledger_lines(ledger: Ledger) -> Sequence[str]:
    lines: list[str] = []
    for one in ledger.rationales:
        value = " | ".join(held.value for held in one.held)
        lines.append(f"  {one.id} {one.status}: {one.question}" + (f" = {value}" if value else ""))
    return lines or ["  (empty)"]


def entry_json(entry: Entry) -> dict[str, Any]:
    return {"role": entry.role, "text": entry.text, "brief": entry.brief}
