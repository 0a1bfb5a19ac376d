"""Notes of a move carried out on a ledger: evidence is looked up by its id, and what it does not bear is refused."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.scenes import called
from kithnet.agents.dialogue.state import State, Turn
from kithnet.agents.dialogue.utterance import Claim
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.groundedness import ungrounded
from kithnet.agents.infonav.ledger import Evidence, Ledger
from kithnet.agents.minds.mind import Cite, Note, noted
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.memory.owner import Hit
from kithnet.memory.writing.extract import grounded
from kithnet.runtime.errors import InputError

OWN = ("m", "k")
"""How the ids of a person's own messages and memories begin."""
HEARD_SUPPORT = 0.9
"""Support of a message that a mind cites and says nothing more of."""
LONGEST_QUOTE = 400
RECKONED = 35
"""Days that a derived date may be off the day of the message it is computed from: "last Friday", "in three weeks"."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One piece of evidence as a guard sees it. text: its words with who says them; day: its own."""

    evidence: Evidence
    text: str
    day: date | None = None


@dataclass(frozen=True)
class Evidences:
    """What one agent may cite in a dialogue. shown: ids; None where the mind reads its owner's memory by itself."""

    state: State
    agent: PersonalAgent
    turn: Turn
    shown: Collection[str] | None

    @property
    def between(self) -> tuple[str, str]:
        """How the two who talk are called, which both may say."""
        return self.agent.name, called(self.agent, self.turn.partner)

    def spoken(self, text: str) -> list[Ground]:
        """What was said in this talk already, or asked: an utterance may repeat it, and cites nothing for it."""
        return [Ground(Evidence(self.turn.utterance_id, (), self.agent.person), text)]

    def look(self, cite: Cite, question: str = "") -> list[Ground]:
        """What a cited id stands for; a rationale stands for its own evidence. Raises InputError for one that may not be cited."""
        if cite.id.startswith("r") and cite.id[1:].isdigit():
            rationale = self._rationale(cite.id)
            return [g for item in rationale.evidence for g in self.look(Cite(item.id), rationale.question)]
        result = self.state["results"].get(cite.id)
        if result and result["by"] == self.agent.person:
            evidence = Evidence(
                cite.id, tuple(result["sources"]), self.agent.person, 0, HEARD_SUPPORT, result["text"],
                result["sensitivity"],
            )  # fmt: skip
            return [Ground(evidence, result["text"])]
        if self.shown is not None and cite.id not in self.shown:
            raise InputError(f"{cite.id} was not shown to you", "cite only ids that you were shown")
        return [self._own(cite) if cite.id.startswith(OWN) else self._heard(cite, question)]

    def _rationale(self, rid: str) -> infonav.Rationale:
        rationale = next((r for r in self.turn.ledger.rationales if r.id == rid), None)
        if rationale is None or not rationale.held:
            raise InputError(f"{rid} has no value to rest on", "fill it first")
        return rationale

    def _own(self, cite: Cite) -> Ground:
        hit = self.agent.memory.message(cite.id)
        base = self.agent.evidence(hit)
        quote = cite.quote or hit.text[:LONGEST_QUOTE]
        support = HEARD_SUPPORT * min(1.0, hit.trust) if cite.support is None else cite.support
        evidence = replace(base, support=support, quote=quote, sources=cite.also or base.sources)
        return Ground(evidence, said_by(self.agent, hit), hit.at.date() if hit.at else None)

    def _heard(self, cite: Cite, question: str) -> Ground:
        said = claims_in(self.state, cite.id)
        if not said:
            raise InputError(f"{cite.id} told you nothing", "cite an id that you were shown")
        claims = [claim for claim in said if claim.question == question] or said
        evidence = claims[0].heard_in(cite.id)
        sources = tuple(dict.fromkeys(source for claim in claims for source in claim.sources))
        quote = " / ".join(dict.fromkeys(claim.quote for claim in claims))[: 2 * LONGEST_QUOTE]
        text = "\n".join(
            f"{called(self.agent, claim.witness)}: {claim.said} {claim.question} {claim.value} {claim.quote}"
            for claim in claims
        )
        hops, support = max(claim.hops for claim in claims) + 1, min(claim.support for claim in claims)
        return Ground(replace(evidence, sources=sources, quote=quote, hops=hops, support=support), text)


@dataclass(frozen=True, slots=True)
class Noted:
    """The ledger after the notes, and why some were refused. kept: those for the owner's memory, which are not done yet."""

    ledger: Ledger
    refused: tuple[str, ...]
    kept: tuple[Note, ...] = ()


def apply(ledger: Ledger, notes: Iterable[Note], evidences: Evidences, most: int) -> Noted:
    """Carry notes out one by one; each that may not be is left out, with the reason. most: rationales the ledger may have."""
    refused: list[str] = []
    listed: dict[str, list[infonav.Found]] = {}
    kept: list[Note] = []
    for note in notes:
        try:
            here = replace(evidences, turn=replace(evidences.turn, ledger=ledger))
            if note.do in ("remember", "correct"):
                kept.append(_told_to_keep(note, here))
            elif note.do == "fill" and any(r.id == note.rationale and r.listed for r in ledger.rationales):
                listed.setdefault(note.rationale, []).append(_found(ledger, note, here))
            else:
                ledger = _one(ledger, note, here, most)
        except InputError as error:
            refused.append(
                f"{note.do} {note.rationale or note.question}: {error.message}. {error.hint}".rstrip(". ") + "."
            )
    for rid, found in listed.items():  # all entries of a list at once: one by one would cost their square
        ledger = infonav.learn_all(ledger, rid, found, most)
    return Noted(ledger, tuple(refused), tuple(kept))


def _told_to_keep(note: Note, evidences: Evidences) -> Note:
    """A note for the owner's memory. Raises InputError where nobody told it: it holds the owner's own words, and no others."""
    agent, partner = evidences.agent, evidences.turn.partner
    if partner != OUTSIDE:
        raise InputError("only the owner says what is to be kept", "leave it out")
    said = [one["text"] for one in evidences.state["utterances"] if one["sender"] == OUTSIDE]
    if note.do == "correct":
        if not note.rationale.startswith("k"):
            raise InputError(
                f"{note.rationale!r} is no memory", "correct one that was noted (k3), or remember the new one"
            )
        said.append(agent.memory.message(note.rationale).text)
    if not grounded(note.value, said, (name for names in agent.known_names.values() for name in names)):
        raise InputError("the owner did not say that", "keep it in the owner's own words")
    return note


def _one(ledger: Ledger, note: Note, evidences: Evidences, most: int) -> Ledger:
    if note.do == "add" and len(ledger.rationales) >= most and not ledger.find(note.question):
        raise InputError("the ledger is full", "work with the rationales there are")
    if note.do in ("fill", "contest"):
        return _filled(ledger, note, evidences)
    if note.do != "add":
        known = next((r for r in ledger.rationales if r.id == note.rationale), None)
        if known is None:
            raise InputError(f"there is no rationale {note.rationale!r}", "use the ids of your ledger")
        if known.held:
            raise InputError("it has a value already", "contest the value, or leave it")
    elif not note.question.strip():
        raise InputError("a question is missing")
    return noted(ledger, note)


def _filled(ledger: Ledger, note: Note, evidences: Evidences) -> Ledger:
    value, items, basis = _found(ledger, note, evidences)
    return infonav.learn(ledger, note.rationale, value, items, basis)


def _found(ledger: Ledger, note: Note, evidences: Evidences) -> infonav.Found:
    """What a note fills in, with its evidence looked up. Raises InputError for what may not be known."""
    rationale = next((r for r in ledger.rationales if r.id == note.rationale), None)
    if rationale is None:
        raise InputError(f"there is no rationale {note.rationale!r}", "use the ids of your ledger")
    if not note.cites:
        raise InputError("a value needs evidence", "cite the ids of what tells it, or give it up")
    if not note.value.strip():
        raise InputError("the value is empty", "write a short one, or give it up")
    grounds = [ground for cite in note.cites for ground in evidences.look(cite, rationale.question)]
    if evidences.shown is not None:
        need_grounds(note.value, grounds, evidences.agent, known=rationale.question, basis=note.basis)
    found = {ground.evidence.id: ground.evidence for ground in grounds}
    items = tuple(replace(e, sensitivity="confidence") if note.confidential else e for e in found.values())
    return note.value.strip(), items, note.basis


def need_grounds(text: str, grounds: Sequence[Ground], agent: PersonalAgent, known: str, basis: str = "stated") -> None:
    """Raises InputError when a text holds a name, number, date or quotation that its evidence does not.

    known: what was asked, whose names may be repeated. A derived date may be computed from the day of a message.
    """
    names = [name for called_ in agent.known_names.values() for name in called_]
    days = [ground.day for ground in grounds if ground.day]
    wrong = ungrounded(
        text,
        (ground.text for ground in grounds),
        names=names,
        known=known,
        days=days,
        near=RECKONED if basis == "derived" else 0,
    )
    if wrong:
        what = ", ".join(map(str, wrong))
        raise InputError(
            f"{what} does not stand in the evidence", "cite what tells it, or leave it out; count by a tool"
        )


def said_by(agent: PersonalAgent, hit: Hit) -> str:
    """A message or memory with the names of those it is between."""
    people = {
        agent.name if p == agent.person else called(agent, p) for p in (hit.sender, *hit.receivers, hit.told_by) if p
    }
    return f"{', '.join(sorted(people))}: {hit.text}"


def claims_in(state: State, utterance: str) -> list[Claim]:
    """What was claimed in an utterance that either side of a dialogue heard, consultations included."""
    said: list[Mapping[str, Any]] = [*state["utterances"], *(u for e in state["consulted"] for u in e["utterances"])]
    return [claim for one in said if one["id"] == utterance for claim in speech.from_json(one).claims]
