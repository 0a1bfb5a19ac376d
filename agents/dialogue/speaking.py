"""The last step of a turn: answer what disclosure allows, ask for what is unknown, let nothing refused out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.state import Stage, State, Turn, turn_of, with_ledger
from kithnet.agents.dialogue.utterance import Claim, Utterance
from kithnet.agents.disclosure.policy import Decision, Item
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Evidence, Held, Ledger, Rationale
from kithnet.agents.minds.rules import appointments
from kithnet.agents.personal import OUTSIDE, PersonalAgent

OWN = ("m", "k")
"""How the ids of a person's own messages and memories begin."""


@dataclass
class _Saying:
    """What one utterance will hold, and what was decided on the way."""

    claims: list[Claim] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)
    refused: list[Item] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


async def speak(state: State, stage: Stage) -> dict[str, Any]:
    """Answer what the partner asked, volunteer what both look for, and ask for what is still unknown."""
    turn = turn_of(state)
    agent = stage.agent_of(turn.speaker)
    saying = _Saying(refused=[_item(agent, one) for one in state["refused"][turn.speaker]])
    for rationale in turn.ledger.rationales:
        await _answer(stage, agent, turn, rationale, saying)
    ledger, asks = turn.ledger, _asks(turn)
    for rationale in asks:
        ledger = infonav.ask(ledger, rationale.id, turn.partner)
    text = await _worded(stage, agent, turn, saying, [r.question for r in asks])
    said = Utterance(
        turn.utterance_id, state["turn"] + 1, turn.speaker, turn.partner, text,
        tuple(saying.claims), tuple(r.question for r in asks), tuple(saying.declined),
    )  # fmt: skip
    stage.trace.emit("utterance", dialogue=state["id"], **speech.to_json(said))
    used = [e.id for r in ledger.rationales for e in r.evidence if e.id.startswith(OWN)]
    if used:
        agent.memory.record_usage(said.id, used, turn.partner)
    return _after(state, turn, ledger, said, saying)


def _after(state: State, turn: Turn, ledger: Ledger, said: Utterance, saying: _Saying) -> dict[str, Any]:
    me = turn.speaker
    changed = infonav.to_json(ledger)["rationales"] != state["before"].get("rationales")
    answered = {claim.question for claim in said.claims} | set(said.declined)
    refused = [{"sources": i.messages, "value": i.value, "text": i.text} for i in saying.refused]
    return {
        "ledgers": with_ledger(state, ledger),
        "utterances": [*state["utterances"], speech.to_json(said)],
        "told": {**state["told"], me: [*state["told"][me], *_told(said.claims)]},
        "pending": {**state["pending"], me: [q for q in turn.pending if q not in answered]},
        "refused": {**state["refused"], me: [{**one, "sources": list(one["sources"])} for one in refused]},
        "disclosures": [*state["disclosures"], *saying.rows],
        "turn": state["turn"] + 1,
        "stalled": 0 if changed else state["stalled"] + 1,
    }


def _told(claims: Sequence[Claim]) -> list[str]:
    return [one for claim in claims for one in (claim.question, appointments.told_key(claim.question, claim.value))]


async def _answer(stage: Stage, agent: PersonalAgent, turn: Turn, rationale: Rationale, saying: _Saying) -> None:
    """Claim a known value the partner asked for or looks for too; decline what is asked and cannot be told."""
    question = rationale.question
    if appointments.is_list(rationale, stage.settings):
        await _tell_entries(stage, agent, turn, rationale, saying)
        return
    if question in turn.state["told"][turn.speaker] or turn.ledger.is_whole(rationale):
        return
    own = [e for e in rationale.evidence if not e.id.startswith(f"u:{turn.state['id']}:")]
    wanted = question in turn.pending or len(own) == len(rationale.evidence)  # else the partner told it: no echo
    if wanted and rationale.held and await _claim_one(stage, agent, turn, question, rationale.held[0], own, saying):
        return
    last_word = turn.state["turn"] + 2 >= turn.state["max_turns"]
    if question in turn.pending and (rationale.settled or last_word):
        saying.declined.append(question)


async def _tell_entries(stage: Stage, agent: PersonalAgent, turn: Turn, rationale: Rationale, saying: _Saying) -> None:
    """Claim the entries of a calendar that the partner does not have; decline a calendar of which nothing can be told."""
    question = rationale.question
    said = False
    for held, own in appointments.untold(turn, rationale):
        said = await _claim_one(stage, agent, turn, question, held, own, saying) or said
    if question in turn.pending and not said:
        saying.declined.append(question)


async def _claim_one(
    stage: Stage, agent: PersonalAgent, turn: Turn, question: str, held: Held, own: Sequence[Evidence], saying: _Saying
) -> bool:
    """Claim a value on the first evidence that may be told; what may not is noted as refused."""
    for evidence in own:
        item, decision = await agent.weigh(evidence, held.value, evidence.quote, turn.partner, turn.state["task"])
        row = _row(agent, turn, evidence.id, item, decision)
        saying.rows.append(row)
        stage.trace.emit("disclosure", dialogue=turn.state["id"], **row)
        if decision.told:
            saying.claims.append(_claim(agent, question, held, evidence, item))
            return True
        saying.refused.append(item)
    return False


def _claim(agent: PersonalAgent, question: str, held: Held, evidence: Evidence, item: Item) -> Claim:
    quote = evidence.quote or held.value
    said = who_said(agent, evidence)
    return Claim(
        question, held.value, quote, said, evidence.sources, evidence.witness, evidence.hops, evidence.support,
        item.sensitivity, evidence.author, evidence.at,
    )  # fmt: skip


def who_said(agent: PersonalAgent, evidence: Evidence) -> str:
    """Who said it to whom, in the speaker's voice."""
    if evidence.hops:
        witness = _called(agent, evidence.witness)
        relayed = evidence.author and evidence.author != witness
        return f"{witness} let me know that {evidence.author} said" if relayed else f"{witness} let me know"
    hit = agent.memory.message(evidence.id)
    if hit.kind != "message":
        return "I remember"
    sender = "I" if hit.sender == agent.person else _called(agent, hit.sender)
    receiver = "me" if hit.receiver == agent.person else _called(agent, hit.receiver)
    return f"{sender} told {receiver}"


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


def _asks(turn: Turn) -> list[Rationale]:
    """What to ask the partner: unknowns it has not been asked, and at first the task itself, to agree on it."""
    first = turn.is_instructor and turn.state["turn"] == 0
    return [
        r
        for r in turn.ledger.rationales
        if turn.partner not in r.asked_of
        and r.question not in turn.pending
        and not turn.ledger.is_whole(r)
        and (first or not r.settled)
        and (turn.is_instructor or not turn.state["top"])
    ]


async def _worded(stage: Stage, agent: PersonalAgent, turn: Turn, saying: _Saying, asks: Sequence[str]) -> str:
    """The text that leaves: phrased, then gated; a claim that would repeat something refused is held back."""
    heard = " ".join(
        [
            turn.state["task"],
            *asks,
            *(u["text"] for u in turn.state["utterances"] if u["sender"] == turn.partner),
        ]
    )
    draft = speech.compose(saying.claims, asks, saying.declined)
    claimed = {c.question for c in saying.claims}
    facts = [*(c.value for c in saying.claims), *(q for q in asks if q not in claimed)]
    text = await speech.phrase(stage.model, draft, facts, (agent.name, _called(agent, turn.partner)), stage.settings)
    if speech.gate(text, saying.refused, heard) is None:
        return text
    stage.trace.emit("withheld", dialogue=turn.state["id"], person=turn.speaker, utterance=turn.utterance_id)
    kept = [c for c in saying.claims if speech.gate(speech.compose([c], (), ()), saying.refused, heard) is None]
    saying.declined.extend(c.question for c in saying.claims if c not in kept and c.question in turn.pending)
    saying.claims[:] = kept
    return speech.compose(saying.claims, asks, saying.declined)


def _item(agent: PersonalAgent, saved: dict[str, Any]) -> Item:
    return Item(tuple(saved["sources"]), saved["text"], saved["value"], "confidence", frozenset())
