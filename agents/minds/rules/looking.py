"""One look into an agent's own memory for one rationale: recall, and what the reader finds in it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from kithnet.agents.dialogue.utterance import Claim
from kithnet.agents.infonav.ledger import Rationale
from kithnet.agents.minds import finding
from kithnet.agents.minds.mind import Cite, View
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_stems
from kithnet.memory.language.text import sentence_with
from kithnet.memory.owner import Recall
from kithnet.runtime.trace import Trace

Found = tuple[str, Cite]


@dataclass(frozen=True)
class Look:
    """A value that was heard (`claim`) is checked against the owner's own memory by its words; an unknown is read by the
    agent's reader. Later looks take in the words heard meanwhile.
    """

    settings: Settings
    trace: Trace
    agent: PersonalAgent
    view: View
    rationale: Rationale
    claim: Claim | None

    async def recall(self) -> Recall:
        """All that is to be ranked; without a memory, the latest messages."""
        started, settings = time.perf_counter(), self.settings
        heard = self.view.heard.claims if self.view.heard else ()
        hint = self.claim.value if self.claim else " ".join(claim.value for claim in heard)
        if settings.memory:
            recalled = await self.agent.recall(
                self.rationale.question, k=finding.RANKED, budget=finding.BUDGET, hint=hint, partner=self.view.partner
            )
        else:
            recalled = await self.agent.latest(k=settings.k, budget=settings.budget_tokens)
        self._emit(
            "recall", hint=hint, hits=[[hit.id, round(hit.score, 3)] for hit in recalled.hits],
            searched=recalled.searched, mode=recalled.mode, seconds=round(time.perf_counter() - started, 4),
        )  # fmt: skip
        return recalled

    async def found(self, recalled: Recall) -> tuple[Found | None, float | None]:
        """What the look adds to the ledger: a value and its evidence. And how near it came (see `finding.near`)."""
        if self.claim:
            return self._corroborated(recalled, self.claim), None
        return await asyncio.to_thread(self._read, recalled)

    def _read(self, recalled: Recall) -> tuple[Found | None, float | None]:
        """What the reader finds, where it is sure of it; where that was taken back since, what holds now."""
        agent, question = self.agent, self.rationale.question
        best, near = finding.told(agent, question, recalled.hits, self.view, self.settings.sure)
        if best is None:
            return None, near
        value = finding.person(agent, best) if self.rationale.kind == "person" else best.value
        self._emit("found", value=value, evidence=best.hit.id, support=round(best.sure, 3))
        before = (best.before.id,) if best.before else ()
        also = tuple(dict.fromkeys((*agent.evidence(best.hit).sources, *before)))
        return (value, Cite(best.hit.id, best.quote, best.sure, also)), near

    def _corroborated(self, recalled: Recall, claim: Claim) -> Found | None:
        """A memory of one's own that says what was heard; the same words are no better evidence than the claim."""
        wanted = content_stems(claim.value)
        fitting = (h for h in recalled.hits if h.score >= self.settings.support and wanted <= content_stems(h.text))
        own = next(fitting, None) if wanted else None
        if own is None:
            return None
        quote = sentence_with(claim.value, own.text)
        support = min(own.score, claim.support)
        return claim.value, Cite(own.id, quote, support, self.agent.evidence(own).sources)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.trace.emit(
            kind, dialogue=self.view.dialogue, person=self.agent.person, question=self.rationale.question, **fields
        )
