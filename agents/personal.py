"""A personal agent: one person's memory, contacts and policy. It can reach nothing of anyone else's."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from kithnet.agents.disclosure.gate import Past
from kithnet.agents.disclosure.policy import Decision, Owner, Policy, decide, ruled, would_tell
from kithnet.agents.disclosure.sensitivity import Discretion, Item, Sensitivity, stronger
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.wording import content_words, named_people, unknown_names
from kithnet.memory.language.reader import Line, Reader
from kithnet.memory.owner import Hit, OwnerMemory, Recall
from kithnet.memory.recall import cost
from kithnet.memory.search import abstains
from kithnet.memory.writing.extract import Senses

AROUND = 2
OUTSIDE = "@owner"
"""Who sits at the keyboard and chats with the own agent; no imported person is called so."""


OWN_PERSON = Decision(True, "tell", "the own person")
"""What is decided of everything towards the agent's own person."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Someone in the ego network. names: all the ways the person is called. messages: exchanged with the ego, those
    to n people counting 1/n."""

    person: str
    names: tuple[str, ...]
    messages: int


@dataclass(frozen=True)
class PersonalAgent:
    """The agent of `person`; `names` are the person's own names. reader: finds answers in lines of
    talk and judges messages. senses: tells by meaning what a statement is about."""

    person: str
    names: tuple[str, ...]
    persona: str
    memory: OwnerMemory
    contacts: tuple[Contact, ...]
    policy: Policy
    owner: Owner
    discretion: Discretion
    reader: Reader
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
        them out are no candidates, unless a grant of the owner's is for them; OUTSIDE, the own person, may have all of them. What
        the own person said and then took back is left out: the memory that took its place stands for it.
        """
        speakers = tuple(named_people(question, self.known_names))
        query = f"{question} {' '.join(content_words(hint))}".strip()
        partner = None if partner == OUTSIDE else partner
        found = await asyncio.to_thread(self._recalled, query, partner, speakers, k, budget)
        if partner is None or all(hit.audience is None or partner in hit.audience for hit in found.hits):
            return found
        return await asyncio.to_thread(self._open_to, found, partner, question)

    def _open_to(self, found: Recall, partner: str, task: str) -> Recall:
        """Without the memories that are for others and that no grant opens to the partner for this task."""
        barred = [hit for hit in found.hits if hit.audience is not None and partner not in hit.audience]
        items = zip(barred, self.items(barred), strict=True)
        closed = {hit.id for hit, item in items if not self.may_tell(item, partner, task)}
        kept = tuple(hit for hit in found.hits if hit.id not in closed)
        return replace(found, hits=kept, searched=found.searched - len(closed), abstained=abstains(kept))

    def items(self, hits: Sequence[Hit]) -> list[Item]:
        """Recalled memories as they are weighed: how sensitive each is, by its words, those around it and its audience."""
        if self.policy.unreserved:
            return [self._told_as(hit, self.evidence(hit).sources, "", None) for hit in hits]
        scenes = [self._scene(hit) for hit in hits]
        self.discretion.read([lines for lines, _ in scenes])
        return [
            self._told_as(hit, self.evidence(hit).sources, "", scene) for hit, scene in zip(hits, scenes, strict=True)
        ]

    def may_tell(self, item: Item, partner: str, task: str) -> bool:
        """Whether an item could be told now, with nobody asked and no grant used up."""
        return would_tell(self.policy, item, partner, self.tie(partner), task, self.memory.grants)

    def tellable(self, lines: Sequence[Hit], partner: str, task: str) -> list[tuple[Item, Decision]]:
        """For each line, what would be told and what is decided of it, with nobody asked and no grant used up.

        What the partner was there for is not judged; the rest is judged all at once. The own person may have everything.
        """
        if partner == OUTSIDE:
            return [(self._told_as(line, self.evidence(line).sources, line.text, None), OWN_PERSON) for line in lines]
        judged = [line for line in lines if partner not in self._present(line) and not self.policy.unreserved]
        scenes = {line.id: self._scene(line) for line in judged}
        self.discretion.read([scene for scene, _ in scenes.values()])
        found = []
        for line in lines:
            item = self._told_as(line, self.evidence(line).sources, line.text, scenes.get(line.id))
            action, rule = ruled(self.policy, item, partner, self.tie(partner))
            told = would_tell(self.policy, item, partner, self.tie(partner), task, self.memory.grants)
            found.append((item, Decision(told, action, rule)))
        return found

    def _recalled(self, query: str, partner: str | None, speakers: Sequence[str], k: int, budget: int) -> Recall:
        found = self.memory.recall(query, partner=partner, speakers=speakers, k=k, budget=budget)
        gone = self.outdated(found.hits)
        return replace(found, hits=tuple(hit for hit in found.hits if hit.id not in gone)) if gone else found

    def outdated(self, hits: Sequence[Hit]) -> set[str]:
        """Ids of what the own person said and then took back."""
        told = [hit.id for hit in hits if hit.kind == "message" and hit.sender == OUTSIDE]
        return self.memory.outdated(told) if told else set()

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
            author=self._called(hit.sender if hit.kind == "message" else hit.told_by),
            at=hit.at.isoformat() if hit.at else "",
        )

    def _called(self, person: str) -> str:
        return self.name if person == OUTSIDE else self.known_names.get(person, (person,))[0]

    async def weigh(self, evidence: Evidence, value: str, quote: str, partner: str, task: str) -> tuple[Item, Decision]:
        """Decide whether a value that stands on `evidence` may be told to `partner`."""
        item = await asyncio.to_thread(self._item, evidence, value, quote)
        if partner == OUTSIDE:
            return item, OWN_PERSON
        past = await asyncio.to_thread(self._past, partner)
        granted = self.memory.grants
        return item, await decide(self.policy, self.owner, item, partner, self.tie(partner), task, granted, past)

    def _past(self, partner: str) -> Past:
        told, refused = self.memory.grants.ledger(partner)
        return Past(told, refused)

    def _item(self, evidence: Evidence, value: str, quote: str) -> Item:
        if not evidence.id.startswith(("m", "k")):  # heard from another agent, or computed
            sensitivity = stronger(evidence.sensitivity, self.discretion.of([(evidence.author, quote)]))
            return Item(evidence.sources, quote, value, sensitivity, frozenset({evidence.witness}))
        hit = self.memory.message(evidence.id)
        return self._told_as(hit, evidence.sources, value, self._scene(hit))

    def _scene(self, hit: Hit) -> tuple[list[Line], int]:
        """A line with those just before and after it, and its place among them; a noted memory stands alone."""
        before, after = self.beside(hit, AROUND)
        return [self.line(one) for one in (*before, hit, *after)], len(before)

    def beside(self, hit: Hit, count: int) -> tuple[list[Hit], list[Hit]]:
        """The messages just before and just after one, `count` of each at most; none of a noted memory."""
        if hit.kind != "message":
            return [], []
        before = self.memory.neighbours(hit.id, before=count, after=0)
        return before, self.memory.neighbours(hit.id, before=0, after=count)

    def line(self, hit: Hit) -> Line:
        """A message or memory as a reader sees it: the first name of who said it, and the words."""
        person = hit.told_by if hit.kind != "message" else hit.sender
        return (self._called(person).split() or [""])[0], hit.text

    def _present(self, hit: Hit) -> frozenset[str]:
        """Who else knows a line by having been there, or is meant to hear it."""
        may_know = (hit.sender, *hit.receivers, hit.told_by, *(hit.audience or ()))
        return frozenset(p for p in may_know if p and p != self.person)

    def _told_as(
        self, hit: Hit, sources: tuple[str, ...], value: str, scene: tuple[Sequence[Line], int] | None
    ) -> Item:
        """A line as something to be told. scene: the lines around it, and its place; None where whoever hears it was there."""
        present = self._present(hit)
        sensitivity: Sensitivity = "ordinary" if scene is None else self.discretion.of(*scene)
        if (hit.audience is not None or OUTSIDE in present) and sensitivity == "ordinary":
            sensitivity = "confidence"  # noted for few, or said by the agent's own person: whatever its words
        audience = None if hit.audience is None else frozenset(hit.audience)
        return Item(sources, hit.text, value, sensitivity, present, hit.at, audience, hit.id)
