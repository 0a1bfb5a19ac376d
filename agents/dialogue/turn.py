"""The steps of a turn before speaking: listen, let the mind move, carry its act out; functions of the state."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kithnet.agents.dialogue import notes as noting
from kithnet.agents.dialogue.consult import forbidden
from kithnet.agents.dialogue.notes import Evidences
from kithnet.agents.dialogue.scenes import Shown, as_recalled
from kithnet.agents.dialogue.speaking import need_reply, need_speech
from kithnet.agents.dialogue.state import Stage, State, Turn, logged, turn_of, with_ledger
from kithnet.agents.dialogue.views import (
    Update,
    entry_json,
    ledger_lines,
    looking,
    merged,
    said,
    shown_update,
    to_recall,
    view_of,
)
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Ledger
from kithnet.agents.minds import mind as minds
from kithnet.agents.minds.mind import AskBack, AskContact, Cite, Conclude, Entry, Mind, Move, Note, Speak, Stop, View
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.tools.arithmetic import TOOLS
from kithnet.runtime.errors import ContextOverflow, InputError, ReplyInvalid

LIMIT = "limit: "
"""How the reason begins that a dialogue stopped for when a limit of the model was reached."""
ATTEMPTS = 2
"""A move may be mended once."""
UNREADABLE = "(a reply that was no move)"


async def observe(state: State, stage: Stage) -> Update:
    """Take in the partner's last utterance; for a mind that wants it, recall for each new question."""
    turn = turn_of(state)
    heard = listen(state, stage)
    if not stage.mind_of(turn.speaker).wants_brief:
        return {**heard, "step": 0}
    now = turn_of(merged(state, heard))
    text = [said(now), "Your ledger:", *ledger_lines(now.ledger)]
    found = Shown()
    questions = to_recall(state, now)
    if questions:
        found = await looking(state, stage, now).search([as_recalled(question) for question in questions])
        text += ["", found.text]
    text.append(f"\n{stage.settings.steps} moves are left in this turn.")
    entry = Entry("user", "\n".join(text), brief=f"{said(now)}\n{found.brief}".strip())
    logs = {**heard, "logs": logged(state, now.speaker, entry_json(entry)), "step": 0}
    return {**logs, **shown_update(merged(state, logs), stage, now, found)}


def listen(state: State, stage: Stage) -> Update:
    """Claims become evidence, questions become unknowns of one's own."""
    turn = turn_of(state)
    ledger, pending, shown = turn.ledger, list(turn.pending), list(state["shown"][turn.speaker])
    before = infonav.to_json(ledger)
    if turn.heard:
        shown.append(turn.heard.id)
        told: dict[str, list[infonav.Found]] = {}
        for claim in turn.heard.claims:
            told.setdefault(claim.question, []).append((claim.value, (claim.heard_in(turn.heard.id),), claim.basis))
        for question, found in told.items():
            ledger = infonav.open_rationale(ledger, question)
            if rationale := ledger.find(question):
                ledger = learned(stage, state["id"], ledger, rationale.id, found)
        for question in turn.heard.declined:
            if rationale := ledger.find(question):
                ledger = infonav.decline(ledger, rationale.id, turn.partner)
        for question in turn.heard.asks:
            ledger = infonav.open_rationale(ledger, question)
            pending.append(question)
    return {
        "ledgers": with_ledger(state, ledger),
        "pending": {**state["pending"], turn.speaker: pending},
        "shown": {**state["shown"], turn.speaker: list(dict.fromkeys(shown))},
        "before": before,
    }


def learned(stage: Stage, dialogue: str, ledger: Ledger, rid: str, found: Sequence[infonav.Found]) -> Ledger:
    """The ledger with what was found or told; a list that was cut is an event."""
    new = infonav.learn_all(ledger, rid, found, stage.settings.max_entries)
    if new[rid].cut > ledger[rid].cut:
        stage.trace.emit(
            "cut", dialogue=dialogue, person=ledger.owner, question=new[rid].question, kept=len(new[rid].held),
            left_out=new[rid].cut - ledger[rid].cut,
        )  # fmt: skip
    return new


async def think(state: State, stage: Stage) -> Update:
    """Ask the mind for one move, carry out its notes and keep its act for the next step.

    What code refuses is told to the mind, which may mend its move once; what is still wrong then is left out, and a step
    without any usable act is made by the reader.
    """
    turn = turn_of(state)
    mind, agent = stage.mind_of(turn.speaker), stage.agent_of(turn.speaker)
    if mind.wants_brief and turn.speaker in state["briefed"] and state["turn"] == 0:
        return _taken(state, turn, _Tried(Move(Speak(asks=("r0",)), mind="code"), turn.ledger))  # a template's work
    view, entries, refusals = view_of(state, stage), [], 0
    tried = _Tried(None, turn.ledger)
    for attempt in range(ATTEMPTS):
        tried = await _try(mind, view, state, stage, turn, agent)
        if not tried.problems:
            break
        refusals += len(tried.problems)
        stage.trace.emit(
            "refused", dialogue=state["id"], person=turn.speaker, problems=list(tried.problems), attempt=attempt + 1,
        )  # fmt: skip
        told_off = _told_off(tried.problems, again=not tried.goes_on)
        entries += [Entry("assistant", tried.raw), Entry("user", told_off)]
        if tried.goes_on:
            break
        view = replace(view, log=(*view.log, *entries[-2:]))
    if tried.move is None or not tried.usable:
        stage.trace.emit("fell_back", dialogue=state["id"], person=turn.speaker, mind=mind.name)
        move = await stage.reader.move(replace(view, step=0))
        tried = _noted(move, state, stage, turn, agent, reads=True)
    elif mind.wants_brief and not tried.problems:
        entries.append(Entry("assistant", tried.raw))
    if tried.move and isinstance(tried.move.act, Stop):
        stage.trace.emit("limit", dialogue=state["id"], why=tried.move.act.why)
    if mind.wants_brief and tried.move is not None:
        stage.trace.emit("move", dialogue=state["id"], person=turn.speaker, step=state["step"], **_told_of(tried))
    logs = logged(state, turn.speaker, *map(entry_json, entries))
    return {**_taken(state, turn, tried), "logs": logs, "refusals": state["refusals"] + refusals}


@dataclass(frozen=True, slots=True)
class _Tried:
    """One attempt at a move. move: None where the reply was none. usable: whether its act may be carried out."""

    move: Move | None
    ledger: Ledger
    problems: tuple[str, ...] = ()
    usable: bool = True
    raw: str = UNREADABLE
    notes: tuple[Note, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether the act is carried out though notes were refused: it ends nothing, and they can be mended after it."""
        return self.move is not None and self.usable and not isinstance(self.move.act, Speak | Conclude)


async def _try(mind: Mind, view: View, state: State, stage: Stage, turn: Turn, agent: PersonalAgent) -> _Tried:
    try:
        move = await mind.move(view)
    except (ReplyInvalid, ContextOverflow) as error:
        return _Tried(None, turn.ledger, (error.message,), usable=False)
    tried = _noted(move, state, stage, turn, agent, reads=not mind.wants_brief)
    if not mind.wants_brief:
        return replace(tried, problems=())
    problem = await _act_problem(move, state, stage, replace(turn, ledger=tried.ledger), agent)
    repeated = any(e["role"] == "assistant" and e["text"] == move.raw for e in state["logs"][turn.speaker][-4:])
    if move.raw and repeated and not isinstance(move.act, Speak | Conclude):
        problem = problem or "you made this very move before; it brings nothing new"
    problems = (*tried.problems, *((problem,) if problem else ()))
    return replace(tried, problems=problems, usable=not problem, raw=move.raw or UNREADABLE)


def _noted(move: Move, state: State, stage: Stage, turn: Turn, agent: PersonalAgent, *, reads: bool) -> _Tried:
    """The move with its notes carried out. reads: the mind reads its owner's memory by itself."""
    shown = None if reads else frozenset(state["shown"][turn.speaker])
    noted = noting.apply(turn.ledger, move.notes, Evidences(state, agent, turn, shown), stage.settings.max_entries)
    return _Tried(replace(move, notes=noted.kept), noted.ledger, noted.refused, raw=move.raw, notes=move.notes)


async def _act_problem(move: Move, state: State, stage: Stage, turn: Turn, agent: PersonalAgent) -> str:
    """Why an act may not be carried out, "" where it may."""
    act = move.act
    evidences = Evidences(state, agent, turn, frozenset(state["shown"][turn.speaker]))
    try:
        if isinstance(act, AskContact):
            return await asyncio.to_thread(forbidden, agent, act, state, stage.settings.fan_out)
        if isinstance(act, Speak):
            (need_reply if stage.chat else need_speech)(act, turn, evidences)
        elif isinstance(act, Conclude):
            need_conclusion(act, turn, evidences)
        elif isinstance(act, minds.UseTool) and act.tool not in TOOLS:
            return f"there is no tool {act.tool!r}: choose among {', '.join(TOOLS)}"
    except InputError as error:
        return f"{error.message}: {error.hint}" if error.hint else error.message
    return ""


def need_conclusion(act: Conclude, turn: Turn, evidences: Evidences) -> None:
    """Raises InputError for an answer that rests on nothing, or holds what its evidence does not."""
    if act.basis == "unknown":
        return
    if not act.text:
        raise InputError("the answer is empty", 'write it, or say "unknown"')
    if not act.rests_on:
        raise InputError("an answer rests on rationales", 'give rests_on, or the basis "unknown"')
    grounds = [g for rid in act.rests_on for g in evidences.look(Cite(rid))]
    known = " ".join([turn.state["task"], *(r.question for r in turn.ledger.rationales)])
    noting.need_grounds(act.text, grounds, evidences.agent, known, act.basis)


def _taken(state: State, turn: Turn, tried: _Tried) -> Update:
    """The state with a move that is to be carried out."""
    move = tried.move
    assert move is not None, "only a usable move is taken"
    asked_back = state["asked_back"]
    if (
        isinstance(move.act, AskBack) and not turn.is_instructor
    ):  # the partner has the task, and is asked like anything else
        asked_back = move.act.question
        move = replace(move, act=Speak(asked_back, asks=(asked_back,)))
    near = state.get("near", {})  # a dialogue that was recorded, or begun by an earlier version, has none
    counts = {**state["minds"], move.mind: state["minds"].get(move.mind, 0) + 1}
    kept = state["kept"] if move.kept is None else {**state["kept"], turn.speaker: dict(move.kept)}
    return {
        "move": {key: one for key, one in minds.to_json(replace(move, kept=None)).items() if key != "near"},
        "ledgers": with_ledger(state, tried.ledger),
        "kept": kept,
        "near": {**near, turn.speaker: _nearer(near.get(turn.speaker, {}), move.near)} if state["top"] else near,
        "minds": counts,
        "searched": state["searched"] + move.searched,
        "step": state["step"] + 1,
        "asked_back": asked_back,
        **({"stopped": f"{LIMIT}{move.act.why}"} if isinstance(move.act, Stop) else {}),
    }


def _nearer(before: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    """By question, the nearest that this person came."""
    return {**before, **{asked: max(near, before.get(asked, near)) for asked, near in found.items()}}


def _told_of(tried: _Tried) -> dict[str, Any]:
    """A move as an event of the trace shows it."""
    move = tried.move
    assert move is not None, "only a move is told of"
    notes = [f"{n.do} {n.rationale or n.question}" + (f" = {n.value}" if n.value else "") for n in tried.notes]
    return {"mind": move.mind, "act": move.act.do, "notes": notes}


def _told_off(problems: Sequence[str], *, again: bool) -> str:
    refused = "Refused:\n" + "\n".join(f"- {problem}" for problem in problems)
    if again:
        return f"{refused}\nNothing of this move counts. Make it again, mended."
    return f"{refused}\nThe rest of the move counts."
