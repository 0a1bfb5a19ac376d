"""The dialogue of two agents as a LangGraph graph (iAgents, section 3): one node a step, a checkpoint after each.

    observe (listen, plan) -> update (recall, read) -> consult? -> speak -> (stop?) -> observe ... -> conclude

A consultation is the same graph once more, with a third party, a smaller reach and a thread of its own; so a run
that is killed in the middle of one resumes inside it.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from kithnet.agents.chat import session_notes as journal
from kithnet.agents.dialogue import speaking, turn
from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.answer import Answer, answer, reckoned
from kithnet.agents.dialogue.consult import Reach
from kithnet.agents.dialogue.state import Stage, State, opening
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.consensus import Agreed, merge
from kithnet.agents.infonav.ledger import Held, Ledger
from kithnet.agents.minds.rules import appointments, chains, meanings
from kithnet.agents.minds.rules.tasking import Plan
from kithnet.agents.tools import computing as reckoning
from kithnet.agents.wording import core, questions
from kithnet.runtime.errors import LimitExceeded

Graph = CompiledStateGraph[State, Stage, State, State]
Step = Callable[[State, Stage], Awaitable[dict[str, Any]]]
STEPS_A_TURN = 5


class Node(Protocol):
    """A step as LangGraph calls it."""

    def __call__(self, state: State, *, runtime: Runtime[Stage]) -> Awaitable[dict[str, Any]]: ...


class Dialogues:
    """Runs dialogues on one stage, each under an id of its own in `saver`; an id that was begun is continued."""

    def __init__(self, stage: Stage, saver: BaseCheckpointSaver[str]) -> None:
        self._stage = stage
        self._graph = self._build().compile(checkpointer=saver)

    async def run(self, dialogue: str, task: str, instructor: str, assistant: str) -> State:
        """One task between two agents; returns the final state, whose `result` holds the answer.

        Raises ModelUnavailable when the model cannot answer; a limit that is reached ends the dialogue instead.
        """
        settings = self._stage.settings
        tool = appointments.planned(self._stage, task, (instructor, assistant))
        as_given = tool is not None or any(chains.possible(task))  # either reads more than the question proper
        parts = () if as_given else tuple(questions(task))
        start = opening(
            dialogue, task if as_given else core(task),
            (instructor, assistant), top=True, depth=settings.depth, budget=settings.budget,
            max_turns=settings.max_turns, max_stalled=settings.stall_turns, questions=parts if len(parts) > 1 else (),
        )  # fmt: skip
        return await self._continue(start)

    async def _continue(self, start: State) -> State:
        config: RunnableConfig = {
            "configurable": {"thread_id": start["id"]},
            "recursion_limit": 10 + STEPS_A_TURN * (start["max_turns"] + 1),
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

    async def _ask_third(self, parent: State, me: str, third: str, question: str, reach: Reach, number: int) -> State:
        """A short dialogue with a third party about one question."""
        start = opening(
            f"{parent['id']}.{number}-{third}", question, (me, third), top=False, depth=reach.depth,
            budget=reach.budget, max_turns=2, max_stalled=2, visited={question: sorted(reach.visited)}, briefed=(me,),
            kept_from=parent["kept_from"],
        )  # fmt: skip
        ended = await self._continue(start)
        return await self._heard_out(ended)

    async def _heard_out(self, ended: State) -> State:
        """The asker takes in the last answer of a consultation."""
        if not ended["utterances"] or ended["turn"] % 2:
            return ended
        return cast(State, {**ended, **turn.listen(ended, self._stage)})

    def _build(self) -> StateGraph[State, Stage, State, State]:
        async def consult(state: State, stage: Stage) -> dict[str, Any]:
            return await turn.consult_third(state, stage, self._ask_third)

        async def observe(state: State, stage: Stage) -> dict[str, Any]:
            heard = turn.listen(state, stage)
            return {**heard, **await turn.plan(cast(State, {**state, **heard}), stage)}

        def worth_asking(state: State, runtime: Runtime[Stage]) -> str:
            stopped = bool(state["stopped"])
            return "consult" if not stopped and turn.wants_third(state, runtime.context) else "speak"

        graph: StateGraph[State, Stage, State, State] = StateGraph(State, context_schema=Stage)
        steps: dict[str, Step] = {
            "observe": observe, "update": turn.update, "consult": consult, "speak": speaking.speak,
            "conclude": _conclude,
        }  # fmt: skip
        for name, step in steps.items():
            graph.add_node(name, _node(step))
        graph.add_edge(START, "observe")
        graph.add_edge("observe", "update")
        graph.add_conditional_edges("update", worth_asking, ["consult", "speak"])
        graph.add_edge("consult", "speak")
        graph.add_conditional_edges("speak", _next, ["observe", "conclude"])
        graph.add_edge("conclude", END)
        return graph


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
    instructor, assistant = (infonav.from_json(state["ledgers"][person]) for person in state["pair"])
    said = _claims_of(state, assistant.owner)
    agreed = merge(instructor, assistant, said)
    stopped = state["stopped"] or stop_reason(state)
    if not state["top"]:
        return {"stopped": stopped}

    def failed(why: str) -> None:
        stage.trace.emit("model_failed", dialogue=state["id"], purpose="answer", why=why)

    tool = appointments.plan_of(state, stage)
    answered = (
        _reckoned(state, stage, tool, agreed)
        if tool is not None
        else await answer(stage.model, state["task"], _last(instructor, agreed), stage.settings, failed)
    )
    for person, partner in (state["pair"], state["pair"][::-1]) if stage.journal else ():
        journal.write(stage.agent_of(person), partner, infonav.from_json(state["ledgers"][person]), state["id"])
    result = {"answer": answered.text, "citations": list(answered.citations), "known": answered.known,
              "worded_by": answered.worded_by, "agreed": json.loads(json.dumps([asdict(one) for one in agreed]))}  # fmt: skip
    stage.trace.emit("answer", dialogue=state["id"], stopped_because=stopped, turns=state["turn"], **result)
    return {"stopped": stopped, "result": result}


def _last(ledger: Ledger, agreed: Sequence[Agreed]) -> tuple[Agreed, ...]:
    """What answers the task: not the questions that only led to others."""
    led = {r.question for r in ledger.rationales if r.follow and r.value}
    return tuple(one for one in agreed if one.question not in led)


def _reckoned(state: State, stage: Stage, plan: Plan, agreed: Sequence[Agreed]) -> Answer:
    """The answer of a tool over the calendars that both sides agreed on."""
    if plan.tool in meanings.OF_TASTE:
        found = reckoning.compared(plan, agreed, stage.embedder)
    else:
        found = reckoning.reckon(plan, reckoning.facts(agreed))
    stage.trace.emit(
        "reckon", dialogue=state["id"], tool=plan.tool, entries=[str(fact.entry) for fact in found.used],
        rivals=[str(fact.entry) for fact in found.rivals], missing=list(found.missing), result=found.text,
    )  # fmt: skip
    return reckoned(found.text, found.sources, found.missing, found.endless)


def _claims_of(state: State, person: str) -> dict[str, list[Held]]:
    """What a person spoke in a dialogue: by question, the values with the utterances that held them."""
    spoken: dict[str, list[Held]] = {}
    for utterance in map(speech.from_json, state["utterances"]):
        for claim in utterance.claims if utterance.sender == person else ():
            spoken.setdefault(claim.question, []).append(Held(claim.value, (claim.heard_in(utterance.id),)))
    return spoken
