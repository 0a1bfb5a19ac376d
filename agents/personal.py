"""A personal agent: one person's memory, contacts and policy. It can reach nothing of anyone else's."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from kithnet.agents.disclosure.policy import Decision, Discretion, Item, Owner, Policy, decide, stronger
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.wording import content_words, named_people, unknown_names
from kithnet.memory.owner import Hit, OwnerMemory, Recall
from kithnet.memory.recall import cost
from kithnet.memory.writing.extract import Senses

AROUND = 2
OUTSIDE = "@owner"
"""Who sits at the keyboard and chats with the own agent; no imported person is called so."""
CHAT = "kith-chat:"
"""How the ids of sessions begin in which people chat with an agent, which writes its owner's side itself."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Someone in the ego network. names: all the ways the person is called. messages: exchanged with the ego."""

    person: str
    names: tuple[str, ...]
    messages: int


@dataclass(frozen=True)
class PersonalAgent:
    """The agent of `person`; `names` are the person's own names. senses: tells by meaning what a statement is about."""

    person: str
    names: tuple[str, ...]
    persona: str
    memory: OwnerMemory
    contacts: tuple[Contact, ...]
    policy: Policy
    owner: Owner
    discretion: Discretion
    senses: Senses | None = None

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def known_names(self) -> Mapping[str, Sequence[str]]:
        """Person id -> names, for everyone this agent knows: its contacts and its owner."""
        return {self.person: self.names, **{contact.person: contact.names for contact in self.contacts}}

    def tie(self, alter: str) -> int:
        """Messages exchanged with `alter`; 0 for a stranger."""
        return next((contact.messages for contact in self.contacts if contact.person == alter), 0)

    async def recall(self, question: str, *, k: int, budget: int, hint: str = "", partner: str | None = None) -> Recall:
        """What the owner's memory holds on a question.

        People the question names weigh as speakers. partner: for whom it is recalled; memories whose audience leaves
        them out are no candidates; OUTSIDE, the own person, may have all of them. What the own person said and then took
        back is left out: the memory that took its place stands for it.
        """
        speakers = tuple(named_people(question, self.known_names))
        query = f"{question} {' '.join(content_words(hint))}".strip()
        return await asyncio.to_thread(
            self._recalled, query, None if partner == OUTSIDE else partner, speakers, k, budget
        )

    def _recalled(self, query: str, partner: str | None, speakers: Sequence[str], k: int, budget: int) -> Recall:
        found = self.memory.recall(query, partner=partner, speakers=speakers, k=k, budget=budget)
        told = [hit.id for hit in found.hits if hit.kind == "message" and hit.sender == OUTSIDE]
        gone = self.memory.outdated(told) if told else ()
        return replace(found, hits=tuple(hit for hit in found.hits if hit.id not in gone)) if gone else found

    async def latest(self, *, k: int, budget: int) -> Recall:
        """The owner's last messages, newest first: what an agent without a memory has before it."""
        return await asyncio.to_thread(self._latest, k, budget)

    def _latest(self, k: int, budget: int) -> Recall:
        started = time.monotonic()
        last = [self.memory.sessions_with(partner.person)[-1] for partner in self.memory.partners()]
        lines = [hit for session in dict.fromkeys(last) for hit in self.memory.session(session)]
        lines.sort(key=lambda hit: (hit.at or datetime.min, int(hit.id[1:])), reverse=True)
        spent = list(accumulate(cost(hit.text) for hit in lines))
        kept = tuple(replace(hit, score=1.0) for hit, tokens in zip(lines[:k], spent, strict=False) if tokens <= budget)
        return Recall(kept, len(kept), not kept, time.monotonic() - started, "latest")

    def named(self, question: str) -> dict[str, Sequence[str]]:
        """Whom a question names, with their names: people this agent knows, and names it has never met."""
        names = self.known_names
        known = {person: names[person] for person in named_people(question, names)}
        return {**known, **unknown_names(question, names)}

    def evidence(self, hit: Hit) -> Evidence:
        """A recalled memory as evidence; a noted memory that came from someone keeps that person as the witness."""
        told_by = hit.told_by if hit.kind != "message" and hit.told_by != self.person else None
        return Evidence(
            id=hit.id,
            sources=tuple(hit.messages) or (hit.id,),
            witness=told_by or self.person,
            hops=1 if told_by else 0,
            support=min(hit.score, hit.trust),
        )

    async def weigh(self, evidence: Evidence, value: str, quote: str, partner: str, task: str) -> tuple[Item, Decision]:
        """Decide whether a value that stands on `evidence` may be told to `partner`."""
        item = await asyncio.to_thread(self._item, evidence, value, quote)
        if partner == OUTSIDE:
            return item, Decision(True, "tell", "the own person")
        return item, await decide(self.policy, self.owner, item, partner, self.tie(partner), task)

    def _item(self, evidence: Evidence, value: str, quote: str) -> Item:
        if evidence.hops and not evidence.id.startswith(("m", "k")):
            sensitivity = stronger(evidence.sensitivity, self.discretion.of(quote))
            return Item(evidence.sources, quote, value, sensitivity, frozenset({evidence.witness}))
        hit = self.memory.message(evidence.id)
        around = self.memory.neighbours(evidence.id, before=AROUND, after=AROUND) if hit.kind == "message" else ()
        may_know = (hit.sender, hit.receiver, hit.told_by, *(hit.audience or ()))
        present = frozenset(p for p in may_know if p and p != self.person)
        sensitivity = self.discretion.of(hit.text, [other.text for other in around])
        own = OUTSIDE in present
        if (hit.audience is not None or own) and sensitivity == "ordinary":
            sensitivity = "confidence"  # noted for few, or said by the agent's own person: whatever its words
        return Item(evidence.sources, hit.text, value, sensitivity, present, hit.at)
