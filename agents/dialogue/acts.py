"""Acts carried out: search, open, ask a contact, use a tool, ask back. What they bring is shown to the mind and may be cited."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.consult import Reach, contact_named
from kithnet.agents.dialogue.notes import Evidences, need_grounds
from kithnet.agents.dialogue.scenes import Shown
from kithnet.agents.dialogue.state import Stage, State, Turn, logged, turn_of, with_ledger
from kithnet.agents.dialogue.turn import LIMIT, learned
from kithnet.agents.dialogue.views import Update, entry_json, ledger_lines, looking, merged, shown_update
from kithnet.agents.disclosure.asking import may_ask
from kithnet.agents.disclosure.sensitivity import Sensitivity, stronger
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.minds import mind as minds
from kithnet.agents.minds.mind import AskBack, AskContact, Cite, Entry, Move, Open, Part, Search, UseTool
from kithnet.agents.tools import arithmetic
from kithnet.runtime.errors import InputError
from kithnet.runtime.fencing import fenced

AskThird = Callable[[State, str, str, str, Reach, int], Awaitable[State]]


async def act(state: State, stage: Stage, ask_third: AskThird) -> Update:
    """Carry out the move at hand; what it brought is added to the mind's log."""
    turn, move = turn_of(state), minds.from_json(state["move"])
    if isinstance(move.act, AskContact):
        changed, text = await consult(state, stage, turn, move, ask_third)
        asked = merged(state, changed)
        shown = "\n".join([text, "Your ledger:", *ledger_lines(turn_of(asked, turn.speaker).ledger)])
        return {**changed, **_brought(asked, stage, turn, Shown(shown, text))}
    if isinstance(move.act, UseTool):
        changed, text = _computed(state, stage, turn, move.act)
        return {**changed, **_brought(merged(state, changed), stage, turn, Shown(text, text))}
    if isinstance(move.act, AskBack):
        answer = await stage.agent_of(turn.speaker).owner.clarify(move.act.question)
        text = f"{turn.speaker} answers: {answer}" if answer else "Nobody answered: work with what there is."
        stage.trace.emit(
            "asked_back", dialogue=state["id"], person=turn.speaker, question=move.act.question, answer=answer
        )
        return {"asked_back": move.act.question, **_brought(state, stage, turn, Shown(text, text))}
    found = await _looked(state, stage, turn, move.act)
    stage.trace.emit(
        "looked", dialogue=state["id"], person=turn.speaker, act=move.act.do, searched=found.searched, shown=found.ids,
        queries=[query.text for query in move.act.queries] if isinstance(move.act, Search) else [],
    )  # fmt: skip
    return _brought(state, stage, turn, found)


async def _looked(state: State, stage: Stage, turn: Turn, act: minds.Act) -> Shown:
    look = looking(state, stage, turn)
    try:
        if isinstance(act, Search):
            return await look.search(act.queries)
        assert isinstance(act, Open)
        if act.message not in state["shown"][turn.speaker]:
            raise InputError(f"{act.message} was not shown to you", "open a message that was")
        return await look.open(act.message)
    except InputError as error:
        return Shown(f"Not done: {error.message}. {error.hint}", "")


def _brought(state: State, stage: Stage, turn: Turn, found: Shown) -> Update:
    """The state with what an act brought."""
    changed = shown_update(state, stage, turn, found)
    if not stage.mind_of(turn.speaker).wants_brief:
        return changed
    left = max(1, stage.settings.steps - state["step"])
    tail = "The next move must speak or conclude." if left == 1 else f"{left} moves are left in this turn."
    entry = Entry("user", f"{found.text}\n\n{tail}", found.brief or "(An earlier result.)")
    return {**changed, "logs": logged(state, turn.speaker, entry_json(entry))}


def _computed(state: State, stage: Stage, turn: Turn, act: UseTool) -> tuple[Update, str]:
    """The result of a tool, which is evidence under an id of its own."""
    agent = stage.agent_of(turn.speaker)
    evidences = Evidences(state, agent, turn, frozenset(state["shown"][turn.speaker]))
    try:
        items, grounds = _items(act, turn, evidences)
        result = arithmetic.compute(act.tool, items, act.window)
    except InputError as error:
        return {}, f"Not computed: {error.message}. {error.hint}"
    number = f"t{len(state['results']) + 1}"
    labels = ", ".join(dict.fromkeys(item.label for item in items))
    text = f"{act.tool}: {result.text}"
    stage.trace.emit(
        "computed", dialogue=state["id"], person=turn.speaker, tool=act.tool, result=result.text, id=number, items=labels,
    )  # fmt: skip
    sensitivity: Sensitivity = "ordinary"
    for one in grounds:
        sensitivity = stronger(sensitivity, one.sensitivity)
    computed = {
        "text": text, "by": turn.speaker, "sensitivity": sensitivity,
        "sources": list(dict.fromkeys(source for one in grounds for source in one.sources)),
    }  # fmt: skip
    return {"results": {**state["results"], number: computed}}, f"{number} = {text}"


def _items(act: UseTool, turn: Turn, evidences: Evidences) -> tuple[list[Part], list[Evidence]]:
    """What a tool computes over, each item borne by its evidence, and that evidence."""
    lists: list[list[arithmetic.Listed]] = []
    used: list[Evidence] = []
    for rid in dict.fromkeys(act.rationales):
        rationale = turn.ledger[rid] if any(r.id == rid for r in turn.ledger.rationales) else None
        listed = [one for held in rationale.held for one in arithmetic.entries_of(held.value)] if rationale else []
        if not rationale or not listed:
            raise InputError(f"{rid} lists no entries", 'write them as "Yoga, 09:00 to 10:30 (Ann)", or give items')
        lists.append(listed)
        used += rationale.evidence
    items: list[Part] = [*arithmetic.joined(act.tool, lists)]
    for item in act.items:
        if not item.evidence:
            raise InputError(f"{item.label!r} has no evidence", "give the ids that tell of it")
        grounds = [ground for cite in item.evidence for ground in evidences.look(Cite(cite))]
        said = " ".join(filter(None, (item.label, item.start, item.end, item.number)))
        need_grounds(said, grounds, evidences.agent, turn.state["task"], "derived")
        items.append(item)
        used += [ground.evidence for ground in grounds]
    return items, used


async def consult(state: State, stage: Stage, turn: Turn, move: Move, ask_third: AskThird) -> tuple[Update, str]:
    """Put a question to a contact; the conclusion comes back as heard evidence."""
    asked, agent = move.act, stage.agent_of(turn.speaker)
    assert isinstance(asked, AskContact)
    person = contact_named(agent, asked.person)
    ledger = turn.ledger
    rationale = next((r for r in ledger.rationales if r.id == asked.rationale), None) or ledger.find(asked.question)
    if rationale is None:
        ledger = infonav.open_rationale(ledger, asked.question)
        rationale = ledger.rationales[-1]
    visited = {
        **state["visited"],
        asked.question: [*state["visited"].get(asked.question, sorted(state["pair"])), person],
    }
    ledger = infonav.ask(ledger, rationale.id, person)
    order = state["utterances"][-1]["id"] if stage.chat and state["utterances"] else ""
    if person in state["kept_from"].get(asked.question, ()) or not await asyncio.to_thread(
        may_ask, agent, asked.question, person, order
    ):
        stage.trace.emit("not_asked", dialogue=state["id"], person=agent.person, asks=person, question=asked.question)
        declined = infonav.decline(ledger, rationale.id, person)
        return {"ledgers": with_ledger(state, declined), "visited": visited}, f"{person} may not be asked this."
    reach = Reach(state["depth"] - 1, state["budget"] - 1, frozenset(visited[asked.question]))
    stage.trace.emit(
        "consult", dialogue=state["id"], person=agent.person, asks=person, question=asked.question,
        reason=asked.why, score=asked.score, depth=reach.depth,
    )  # fmt: skip
    number = 1 + sum(entry["by"] in state["pair"] for entry in state["consulted"])
    ended = await ask_third(state, agent.person, person, asked.question, reach, number)
    return _taken_back(stage, state, turn, replace(ledger), rationale.id, asked.question, person, visited, ended)


def _taken_back(
    stage: Stage, state: State, turn: Turn, ledger: infonav.Ledger, rid: str, question: str, third: str,
    visited: dict[str, list[str]], ended: State,
) -> tuple[Update, str]:  # fmt: skip
    """Bring a consultation's conclusion into one's own ledger, and say what it was."""
    me = turn.speaker
    also = [p for p in ended["visited"].get(question, []) if p not in visited[question]]
    concluded = infonav.from_json(ended["ledgers"][me])["r0"]
    ledger = learned(stage, state["id"], ledger, rid, [(h.value, h.evidence, h.basis) for h in concluded.held])
    if not concluded.held:
        ledger = infonav.decline(ledger, rid, third)
    entry = {
        "by": me, "person": third, "question": question, "dialogue": ended["id"], "within": state["id"],
        "turn": state["turn"], "answered": bool(concluded.held), "utterances": ended["utterances"],
    }  # fmt: skip
    heard = [speech.from_json(u) for u in ended["utterances"] if u["sender"] == third]
    shown = [*state["shown"][me], *(u.id for u in heard)]
    counts = {**state["minds"]}
    for name, moves in ended["minds"].items():
        counts[name] = counts.get(name, 0) + moves
    text = (
        fenced("\n".join(f"{third}'s agent says ({u.id}): {u.text}" for u in heard)) or f"{third}'s agent says nothing."
    )
    return {
        "ledgers": with_ledger(state, ledger),
        "visited": {**visited, question: [*visited[question], *also]},
        "budget": ended["budget"],
        "consulted": [*state["consulted"], entry, *ended["consulted"]],
        "searched": state["searched"] + ended["searched"],
        "disclosures": [*state["disclosures"], *ended["disclosures"]],
        "shown": {**state["shown"], me: list(dict.fromkeys(shown))},
        "minds": counts,
        "stopped": ended["stopped"] if ended["stopped"].startswith(LIMIT) else "",
    }, text
