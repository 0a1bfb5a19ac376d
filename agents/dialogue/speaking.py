"""The last step of a turn: tell what disclosure allows, ask for what is unknown, let nothing refused out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.notes import OWN, Evidences, Ground, need_grounds
from kithnet.agents.dialogue.state import Stage, State, Turn, turn_of, with_ledger
from kithnet.agents.dialogue.utterance import Claim, Utterance
from kithnet.agents.disclosure.asking import barred
from kithnet.agents.disclosure.policy import Decision
from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence, Held, Ledger, Rationale
from kithnet.agents.minds import mind as minds
from kithnet.agents.minds.mind import Cite, Speak
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.wording import content_stems
from kithnet.runtime.errors import InputError


@dataclass
class _Saying:
    """What one utterance will hold, and what was decided on the way.

    waiting: questions whose refusal is not said yet, as one who did not know would still ask around (see `_would_still_ask`).
    """

    claims: list[Claim] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)
    refused: list[Item] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


def need_speech(act: Speak, turn: Turn, evidences: Evidences) -> None:
    """Raises InputError for an utterance that tells what has no value, or says what its evidence does not."""
    grounds = []
    for rid in act.tells:
        rationale = next((r for r in turn.ledger.rationales if r.id == rid), None)
        if rationale is None or not rationale.held:
            raise InputError(f"{rid} has no value to tell", "fill it on evidence first, or leave it out of tells")
        grounds += evidences.look(Cite(rid))
    if not act.text:
        return
    said = [u["text"] for u in turn.state["utterances"]]
    asked = [r.question for r in turn.ledger.rationales]
    values = [held.value for r in turn.ledger.rationales if r.id in act.tells for held in r.held]
    heard = [part for u in turn.state["utterances"] for c in speech.from_json(u).claims for part in (c.value, c.quote)]
    known = "\n".join([turn.state["task"], *said, *heard, *asked, *act.asks, *values, *evidences.between])
    need_grounds(act.text, [*grounds, *evidences.spoken(known)], evidences.agent, known, "derived")


def need_reply(act: Speak, turn: Turn, evidences: Evidences) -> None:
    """Raises InputError for a line of a chat that says what its evidence does not; small talk needs none.

    What the partner wrote in this chat may be repeated.
    """
    if not act.text:
        raise InputError("the reply is empty", "write it")
    grounds = [ground for cite in act.tells for ground in evidences.look(Cite(cite))]
    agent = evidences.agent
    here = Evidence("", (), agent.person, 0, 1.0)
    heard = [Ground(here, u["text"]) for u in turn.state["utterances"] if u["sender"] == turn.partner]
    names = [*agent.names, *(agent.known_names.get(turn.partner) or ())]
    need_grounds(act.text, [*grounds, *heard], agent, " ".join(names), "derived")


async def speak(state: State, stage: Stage) -> dict[str, Any]:
    """Say what the mind wants said, claim by claim as far as it may be told."""
    turn = turn_of(state)
    agent = stage.agent_of(turn.speaker)
    act = minds.from_json(state["move"]).act
    assert isinstance(act, Speak), "the graph leads here by a move that speaks"
    saying = _Saying(refused=[_item(one) for one in state["refused"][turn.speaker]])
    for rationale in turn.ledger.rationales:
        if rationale.id in act.tells:
            await _tell(stage, agent, turn, rationale, saying)
        settled = _claimed(rationale, saying) or rationale.question in (*saying.waiting, *saying.declined)
        if rationale.id in act.declines and not settled:
            saying.declined.append(rationale.question)
    ledger, asks, kept = await _asked(stage, agent, turn, act)
    text = _worded(stage, agent, turn, act, saying, asks)
    said = Utterance(
        turn.utterance_id, state["turn"] + 1, turn.speaker, turn.partner, text,
        tuple(saying.claims), tuple(asks), tuple(saying.declined),
    )  # fmt: skip
    stage.trace.emit("utterance", dialogue=state["id"], **speech.to_json(said))
    used = [e.id for r in ledger.rationales for e in r.evidence if e.id.startswith(OWN)]
    if used:
        agent.memory.record_usage(said.id, used, turn.partner)
    kept = {q: sorted({*state["kept_from"].get(q, ()), *people}) for q, people in kept.items()}
    return {**_after(state, turn, ledger, said, saying), "kept_from": {**state["kept_from"], **kept}}


def _claimed(rationale: Rationale, saying: _Saying) -> bool:
    return any(claim.question == rationale.question for claim in saying.claims)


async def _asked(
    stage: Stage, agent: PersonalAgent, turn: Turn, act: Speak
) -> tuple[Ledger, list[str], dict[str, list[str]]]:
    """The ledger with what is asked now noted, the questions, and by question to whom it may not be passed on.

    A question that is new becomes a rationale. One that rests on a secret of the asker's goes to nobody who may not hear of
    that (see `asking`).
    """
    ledger, asks, kept = turn.ledger, [], {}
    people = [turn.partner, *(contact.person for contact in agent.contacts if contact.person != turn.partner)]
    for one in act.asks:
        rationale = next((r for r in ledger.rationales if one in (r.id, r.question)), None) or ledger.find(one)
        question = rationale.question if rationale else one
        held = await asyncio.to_thread(barred, agent, question, people)
        cleared = (
            turn.speaker in turn.state["briefed"] and question == turn.state["task"]
        )  # it was weighed to come here
        if turn.partner in held and not cleared:
            stage.trace.emit(
                "not_asked", dialogue=turn.state["id"], person=agent.person, asks=turn.partner, question=question,
                rests_on=list(held[turn.partner]),
            )  # fmt: skip
            continue
        ledger = infonav.open_rationale(ledger, question)
        found = ledger.find(question)
        assert found is not None, "it was just opened"
        ledger = infonav.ask(ledger, found.id, turn.partner)
        asks.append(question)
        if held:
            kept[question] = sorted({*held} - {turn.partner})
    return ledger, list(dict.fromkeys(asks)), kept


def _after(state: State, turn: Turn, ledger: Ledger, said: Utterance, saying: _Saying) -> dict[str, Any]:
    me = turn.speaker
    changed = bool(saying.waiting) or infonav.to_json(ledger)["rationales"] != state["before"].get("rationales")
    answered = {claim.question for claim in said.claims} | set(said.declined)
    refused = [{"sources": list(i.messages), "value": i.value, "text": i.text} for i in saying.refused]
    return {
        "ledgers": with_ledger(state, ledger),
        "utterances": [*state["utterances"], speech.to_json(said)],
        "told": {**state["told"], me: [*state["told"][me], *_told(said.claims)]},
        "pending": {**state["pending"], me: [q for q in turn.pending if q not in answered]},
        "refused": {**state["refused"], me: refused},
        "disclosures": [*state["disclosures"], *saying.rows],
        "turn": state["turn"] + 1,
        "step": 0,
        "move": {},
        "stalled": 0 if changed else state["stalled"] + 1,
    }


def told_key(question: str, value: str) -> str:
    """How it is noted that an entry of a list has been told."""
    return f"{question} {value}"


def _told(claims: Sequence[Claim]) -> list[str]:
    return [one for claim in claims for one in (claim.question, told_key(claim.question, claim.value))]


async def _tell(stage: Stage, agent: PersonalAgent, turn: Turn, rationale: Rationale, saying: _Saying) -> None:
    """Claim a known value; what is asked and may not be told is declined, as if it were not known."""
    question = rationale.question
    if rationale.listed and stage.settings.tools:
        for held, own in _untold(turn, rationale):
            await _claim_one(stage, agent, turn, rationale, held, own, saying)
    elif question not in turn.state["told"][turn.speaker] and not turn.ledger.is_whole(rationale) and rationale.held:
        own = [e for e in rationale.evidence if not e.id.startswith(turn.own_prefix)]
        await _claim_one(stage, agent, turn, rationale, rationale.held[0], own, saying)
    else:
        return
    if question not in turn.pending or _claimed(rationale, saying):
        return
    last_word = turn.state["turn"] + 2 >= turn.state["max_turns"]
    if not rationale.listed and not last_word and _would_still_ask(stage, agent, turn, question):
        saying.waiting.append(question)
    else:
        saying.declined.append(question)


def _would_still_ask(stage: Stage, agent: PersonalAgent, turn: Turn, question: str) -> bool:
    """Whether a reader who did not know would not have asked everybody in reach by now: a refusal takes as long."""
    state = turn.state
    if stage.mind_of(
        turn.speaker
    ).wants_brief:  # a mind that is shown only what it may tell does not know that it refuses
        return False
    others = sum(contact.person not in state["pair"] for contact in agent.contacts)
    rounds = min(others, state["budget"]) // stage.settings.fan_out if state["depth"] > 0 else 0
    asked: int = next(
        (int(u["turn"]) for u in state["utterances"] if u["sender"] == turn.partner and question in u["asks"]), 0
    )
    taken: int = sum(u["sender"] == turn.speaker and int(u["turn"]) > asked for u in state["utterances"])
    return bool(taken < rounds)


def _untold(turn: Turn, rationale: Rationale) -> list[tuple[Held, list[Evidence]]]:
    """Entries that the partner has not been told and did not tell, each with evidence that may be named."""
    done = turn.state["told"][turn.speaker]
    found = []
    for held in rationale.held:
        own = [item for item in held.evidence if not item.id.startswith(turn.own_prefix)]
        if own and len(own) == len(held.evidence) and told_key(rationale.question, held.value) not in done:
            found.append((held, own))
    return found


async def _claim_one(
    stage: Stage, agent: PersonalAgent, turn: Turn, rationale: Rationale, held: Held, own: Sequence[Evidence],
    saying: _Saying,
) -> None:  # fmt: skip
    """Claim a value on evidence that may be told; what may not is noted as refused.

    A stated value stands on as many pieces of its evidence as hold its words; a derived one follows from all, so all of it must
    be tellable.
    """
    told: list[tuple[Evidence, Item]] = []
    refused = {(item.messages, item.value) for item in saying.refused}
    some_refused = False
    for evidence in own:
        if (evidence.sources, held.value) in refused:  # it was weighed before
            some_refused = True
            continue
        # What was heard is a sentence; the question it answers says what that is about, and a rule goes by that.
        about = evidence.quote if evidence.id.startswith(OWN) else f"{evidence.quote} {rationale.question}"
        item, decision = await agent.weigh(evidence, held.value, about, turn.partner, turn.state["task"])
        row = _row(agent, turn, evidence.id, item, decision)
        saying.rows.append(row)
        stage.trace.emit("disclosure", dialogue=turn.state["id"], **row)
        if not decision.told:
            some_refused = True
            saying.refused.append(item if evidence.id.startswith(OWN) else replace(item, text=evidence.quote))
            if held.basis == "derived":
                return
            continue
        told.append((evidence, item))
        if held.basis == "stated" and _borne(held.value, told):
            break
    if told and not (some_refused and not _borne(held.value, told)):  # else its words would come from what was refused
        saying.claims.append(_claim(agent, rationale, held, told))


def _borne(value: str, told: Sequence[tuple[Evidence, Item]]) -> bool:
    """Whether the words of a value stand in what may be told of its evidence."""
    return content_stems(value) <= content_stems(" ".join(f"{e.quote} {item.text}" for e, item in told))


def _claim(agent: PersonalAgent, rationale: Rationale, held: Held, told: Sequence[tuple[Evidence, Item]]) -> Claim:
    evidence, item = told[0]
    several = len({e.author for e, _ in told}) > 1  # words of more people than one keep their authors
    quotes = dict.fromkeys(f"{e.author}: {e.quote}" if several else e.quote for e, _ in told if e.quote)
    sources = dict.fromkeys(source for e, _ in told for source in e.sources)
    return Claim(
        rationale.question, held.value, " / ".join(quotes) or held.value, "" if several else who_said(agent, evidence),
        tuple(sources),
        evidence.witness, evidence.hops, min(e.support for e, _ in told), item.sensitivity, rationale.listed, held.basis,
        evidence.author, evidence.at,
    )  # fmt: skip


def who_said(agent: PersonalAgent, evidence: Evidence) -> str:
    """Who said it to whom, in the speaker's voice."""
    if evidence.hops:
        witness = _called(agent, evidence.witness)
        relayed = evidence.author and evidence.author != witness
        return f"{witness} let me know that {evidence.author} said" if relayed else f"{witness} let me know"
    if not evidence.id.startswith(OWN):
        return "By code"
    hit = agent.memory.message(evidence.id)
    if hit.kind != "message":
        return "I remember"
    sender = "I" if hit.sender == agent.person else _called(agent, hit.sender)
    heard = ["me" if one == agent.person else _called(agent, one) for one in hit.receivers]
    return f"{sender} told {heard[0] if len(heard) == 1 else 'several of us'}" if heard else f"{sender} wrote"


def _called(agent: PersonalAgent, person: str | None) -> str:
    if person == OUTSIDE:
        return "you"
    return agent.known_names.get(person or "", (person or "someone",))[0]


def _row(agent: PersonalAgent, turn: Turn, evidence: str, item: Item, decision: Decision) -> dict[str, Any]:
    """One line of the ledger of disclosures, also written to the owner's memory."""
    row = {
        "from": turn.speaker, "to": turn.partner, "messages": list(item.messages), "rule": decision.rule,
        "action": decision.action, "told": decision.told, "sensitivity": item.sensitivity, "task": turn.state["task"],
        "utterance": turn.utterance_id,
    }  # fmt: skip
    own = [evidence] if evidence.startswith(OWN) else []
    if own:
        agent.memory.disclose(
            own,
            partner=turn.partner,
            task=turn.state["task"],
            rule=decision.rule,
            action="tell" if decision.told else "refuse",
        )
        if decision.told:
            agent.memory.record_usage(turn.utterance_id, own, turn.partner)
    return row


def _worded(stage: Stage, agent: PersonalAgent, turn: Turn, act: Speak, saying: _Saying, asks: Sequence[str]) -> str:
    """The text that leaves: the mind's where all it tells may be told, else a template's; both pass the gate."""
    partner_said = [u["text"] for u in turn.state["utterances"] if u["sender"] == turn.partner]
    heard = " ".join([*_put(turn), *asks, *partner_said])
    wanted = [r.question for r in turn.ledger.rationales if r.id in act.tells and r.held]
    told = {claim.question for claim in saying.claims} | set(turn.state["told"][turn.speaker])
    whole = bool(act.text) and all(question in told for question in wanted)
    text = act.text if whole else speech.compose(saying.claims, asks, saying.declined)
    if speech.gate(text, saying.refused, heard) is None:
        return text
    stage.trace.emit("withheld", dialogue=turn.state["id"], person=turn.speaker, utterance=turn.utterance_id)
    kept = [c for c in saying.claims if speech.gate(speech.compose([c], (), ()), saying.refused, heard) is None]
    saying.declined.extend(c.question for c in saying.claims if c not in kept and c.question in turn.pending)
    saying.claims[:] = kept
    return speech.compose(saying.claims, asks, saying.declined)


def _put(turn: Turn) -> list[str]:
    """The task, where the partner knows it: who has it, and who was asked for it."""
    asked = not turn.is_instructor or any(u["asks"] for u in turn.state["utterances"] if u["sender"] == turn.speaker)
    return [turn.state["task"]] if asked else []


def _item(saved: dict[str, Any]) -> Item:
    return Item(tuple(saved["sources"]), saved["text"], saved["value"], "confidence", frozenset())
