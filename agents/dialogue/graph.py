"""The dialogue of two agents as a LangGraph graph (iAgents, section 3): one node a step, a checkpoint after each.

    observe (listen) -> think (one move) -> act -> think ... -> speak -> (stop?) -> observe ... -> conclude

Who thinks is behind the `Mind` seam. A consultation is the same graph once more, with a third party, a smaller reach and a
thread of its own; so a run that is killed in the middle of one resumes inside it.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from kithnet.agents.chat import session_notes as journal
from kithnet.agents.dialogue import acts, speaking, turn
from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.consult import Reach
from kithnet.agents.dialogue.notes import Evidences
from kithnet.agents.dialogue.state import Stage, State, logged, opening, turn_of
from kithnet.agents.dialogue.views import entry_json, view_of
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.consensus import UNKNOWN, Agreed, merge, plain, resting
from kithnet.agents.infonav.ledger import Held
from kithnet.agents.minds import mind as minds
from kithnet.agents.minds.mind import Conclude, Conclusion, Entry, Speak, Stop
from kithnet.runtime.errors import ContextOverflow, InputError, LimitExceeded, ReplyInvalid

Graph = CompiledStateGraph[State, Stage, State, State]
Step = Callable[[State, Stage], Awaitable[dict[str, Any]]]
NODES_A_TURN = 4


class Node(Protocol):
    """A step as LangGraph calls it."""

    def __call__(self, state: State, *, runtime: Runtime[Stage]) -> Awaitable[dict[str, Any]]: ...


class Dialogues:
    """Runs dialogues on one stage, each under an id of its own in `saver`; an id that was begun is continued."""

    def __init__(self, stage: Stage, saver: BaseCheckpointSaver[str]) -> None:
        self._stage = stage
        self._graph = self._build().compile(checkpointer=saver)

    async def run(
        self, dialogue: str, task: str, instructor: str, assistant: str, *,
        visited: dict[str, list[str]] | None = None, spent: int = 0,
    ) -> State:  # fmt: skip
        """One task between two agents; returns the final state, whose `result` holds the answer.

        visited: by question, who was asked before this dialogue. spent: consultations that the task has cost already.
        Raises ModelUnavailable when the model cannot answer; a limit that is reached ends the dialogue instead.
        """
        settings = self._stage.settings
        start = opening(
            dialogue, task, (instructor, assistant), top=True, depth=settings.depth, budget=max(0, settings.budget - spent),
            max_turns=settings.max_turns, max_stalled=settings.stall_turns, visited=visited,
        )  # fmt: skip
        return await self._continue(start)

    async def _continue(self, start: State) -> State:
        config: RunnableConfig = {
            "configurable": {"thread_id": start["id"]},
            "recursion_limit": 10 + (start["max_turns"] + 1) * (NODES_A_TURN + 2 * self._most_moves(start)),
        }
        begun = await self._graph.aget_state(config)
        if begun.values and not begun.tasks:  # `next` leaves out a step that is done but not in a checkpoint yet
            return cast(State, begun.values)
        if not begun.values:
            pair = start["pair"]
            self._stage.trace.emit("dialogue", dialogue=start["id"], task=start["task"], pair=pair, top=start["top"])
        given = None if begun.values else start
        ended = await self._graph.ainvoke(given, config, context=self._stage, durability="async")
        return cast(State, ended)

    def _most_moves(self, start: State) -> int:
        """Moves that a turn can have: those of thinking, and one for each consultation that the budget allows."""
        return self._stage.settings.steps + start["budget"] + 1

    async def ask_third(self, parent: State, me: str, third: str, question: str, reach: Reach, number: int) -> State:
        """A short dialogue with a third party about one question."""
        start = opening(
            f"{parent['id']}.{number}-{third}", question, (me, third), top=False, depth=reach.depth,
            budget=reach.budget, max_turns=2, max_stalled=2, visited={question: sorted(reach.visited)}, briefed=(me,),
            kept_from=parent["kept_from"], near=_of_who_consults(parent, me),
        )  # fmt: skip
        ended = await self._continue(start)
        return await self._heard_out(ended)

    async def _heard_out(self, ended: State) -> State:
        """The asker takes in the last answer of a consultation."""
        if not ended["utterances"] or ended["turn"] % 2:
            return ended
        return cast(State, {**ended, **turn.listen(ended, self._stage)})

    def _build(self) -> StateGraph[State, Stage, State, State]:
        async def act(state: State, stage: Stage) -> dict[str, Any]:
            return await acts.act(state, stage, self.ask_third)

        graph: StateGraph[State, Stage, State, State] = StateGraph(State, context_schema=Stage)
        steps: dict[str, Step] = {
            "observe": turn.observe, "think": turn.think, "act": act, "speak": speaking.speak, "conclude": _conclude,
        }  # fmt: skip
        for name, step in steps.items():
            graph.add_node(name, _node(step))
        graph.add_edge(START, "observe")
        graph.add_edge("observe", "think")
        graph.add_conditional_edges("think", _moved, ["act", "speak", "conclude"])
        graph.add_conditional_edges("act", _acted, ["think", "conclude"])
        graph.add_conditional_edges("speak", _next, ["observe", "conclude"])
        graph.add_edge("conclude", END)
        return graph


def _moved(state: State) -> str:
    """Where a move leads."""
    if state["stopped"] or not state["move"]:
        return "conclude"
    act = minds.from_json(state["move"]).act
    if isinstance(act, Conclude | Stop):
        return "conclude"
    return "speak" if isinstance(act, Speak) else "act"


def _acted(state: State) -> str:
    return "conclude" if state["stopped"] else "think"


def _node(step: Step) -> Node:
    """A step as a graph node. A limit that is reached stops the dialogue as an event; what is known is kept."""

    async def node(state: State, *, runtime: Runtime[Stage]) -> dict[str, Any]:
        if state["stopped"] and step is not _conclude:
            return {}
        try:
            return await step(state, runtime.context)
        except LimitExceeded as limit:
            runtime.context.trace.emit("limit", dialogue=state["id"], why=limit.message)
            return {"stopped": f"{turn.LIMIT}{limit.message}"}

    return node


def _next(state: State) -> str:
    return "conclude" if stop_reason(state) or state["stopped"] else "observe"


def stop_reason(state: State) -> str:
    """Why a dialogue ends now, or "": everything settled on both sides, nothing moves, or no turns left."""
    ledgers = [infonav.from_json(data) for data in state["ledgers"].values()]
    owed = any(state["pending"].values()) or bool(state["utterances"] and state["utterances"][-1]["asks"])
    fresh = bool(state["utterances"] and state["utterances"][-1]["claims"]) and state["top"]
    if state["turn"] >= 2 and not owed and not fresh and not any(ledger.unsettled for ledger in ledgers):
        return "settled"
    return _worn_out(state)


def _worn_out(state: State) -> str:
    if state["turn"] >= state["max_turns"]:
        return "no turns left"
    return "nothing changed" if state["stalled"] >= state["max_stalled"] else ""


async def _conclude(state: State, stage: Stage) -> dict[str, Any]:
    """Consensus of both ledgers, the answer with its evidence, and each side's own memories of the talk."""
    act = minds.from_json(state["move"]).act if state["move"] else None
    stopped = state["stopped"] or ("settled" if isinstance(act, Conclude) else stop_reason(state))
    if not state["top"]:
        return {"stopped": stopped}
    instructor, assistant = (infonav.from_json(state["ledgers"][person]) for person in state["pair"])
    agreed = merge(instructor, assistant, _claims_of(state, assistant.owner))
    found, mind = await _concluded(state, stage, agreed, act)
    for person, partner in (state["pair"], state["pair"][::-1]) if stage.journal else ():
        journal.write(stage.agent_of(person), partner, infonav.from_json(state["ledgers"][person]), state["id"])
    known = found.basis != "unknown"
    result = {"answer": found.text, "citations": list(found.citations), "known": known, "basis": found.basis,
              "worded_by": found.by, "mind": mind,
              "agreed": json.loads(json.dumps([asdict(one) for one in agreed]))}  # fmt: skip
    stage.trace.emit("answer", dialogue=state["id"], stopped_because=stopped, turns=state["turn"], **result)
    return {"stopped": stopped, "result": result}


async def _concluded(
    state: State, stage: Stage, agreed: Sequence[Agreed], act: minds.Act | None
) -> tuple[Conclusion, str]:
    """The answer: the instructor's own where it concluded, else what its mind says of what was agreed on; and whose it is."""
    instructor = state["pair"][0]
    mind = stage.mind_of(instructor)
    view = view_of(state, stage, instructor)
    if mind.wants_brief and (isinstance(act, Conclude) or state["stopped"].startswith(turn.LIMIT)):
        spoken = Conclusion(act.text, act.rests_on, act.basis, "model") if isinstance(act, Conclude) else None
        return _cited(state, stage, agreed, spoken), mind.name
    if not mind.wants_brief:
        return await mind.conclude(view, agreed), mind.name
    if not any(one.value for one in agreed) and not state["results"]:
        return _cited(state, stage, agreed, None), mind.name
    entry = Entry("user", "The talk is over. What both hold:\n" + plain(agreed) + "\nReply with the answer as JSON.")
    log = tuple(Entry(**one) for one in logged(state, instructor, entry_json(entry))[instructor])
    try:
        found = await mind.conclude(replace(view, log=log), agreed)
        _need_answer(state, stage, found)
    except (ReplyInvalid, ContextOverflow, LimitExceeded, InputError) as error:
        stage.trace.emit("model_failed", dialogue=state["id"], purpose="answer", why=error.message)
        return _cited(state, stage, agreed, None), "code"
    return _cited(state, stage, agreed, found), mind.name


def _need_answer(state: State, stage: Stage, found: Conclusion) -> None:
    """Raises InputError for an answer that rests on nothing, or holds what its evidence does not."""
    instructor = state["pair"][0]
    shown = frozenset(state["shown"][instructor])
    here = turn_of(state, instructor)
    evidences = Evidences(state, stage.agent_of(instructor), here, shown)
    turn.need_conclusion(Conclude(found.text, found.basis, found.citations), here, evidences)


def _cited(state: State, stage: Stage, agreed: Sequence[Agreed], found: Conclusion | None) -> Conclusion:
    """An answer with the messages it rests on; None: the agreed values as they are. Not knowing has one wording."""
    if found is None:
        known = [one for one in agreed if one.value]
        if not known:
            return Conclusion(UNKNOWN, (), "unknown", "code")
        return Conclusion(
            plain(agreed), tuple(dict.fromkeys(s for one in known for s in one.sources)), "stated", "code"
        )
    if found.basis == "unknown":
        return Conclusion(UNKNOWN, (), "unknown", found.by)
    ledger = infonav.from_json(state["ledgers"][state["pair"][0]])
    return replace(found, citations=resting(found.citations, ledger, agreed, state["results"]))


def _claims_of(state: State, person: str) -> dict[str, list[Held]]:
    """What a person spoke in a dialogue: by question, the values with the utterances that held them."""
    spoken: dict[str, list[Held]] = {}
    for utterance in map(speech.from_json, state["utterances"]):
        for claim in utterance.claims if utterance.sender == person else ():
            spoken.setdefault(claim.question, []).append(Held(claim.value, (claim.heard_in(utterance.id),)))
    return spoken


def _of_who_consults(parent: State, me: str) -> dict[str, dict[str, float]]:
    """How near the one came who began to consult others, which a consultation within a consultation goes by too."""
    near = parent.get("near", {})
    return {me: near.get(me, {})} if parent["top"] else near
