"""One look into an agent's own memory for one rationale: recall, then reading by rules, examples and a small model."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kithnet.agents.dialogue.utterance import Claim
from kithnet.agents.infonav.ledger import Rationale
from kithnet.agents.minds import finding
from kithnet.agents.minds.mind import Cite, View
from kithnet.agents.minds.rules import attributes, persons, reading
from kithnet.agents.minds.rules.reading import Passage
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_stems
from kithnet.memory.language.reader import Reader
from kithnet.memory.owner import Recall
from kithnet.memory.vectors import Embedder
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.trace import Trace

Found = tuple[str, Cite]


@dataclass(frozen=True)
class Look:
    """A value that was heard (`claim`) is checked against the owner's own memory by its words; an unknown is read by the model,
    which is shown each memory once: `seen` holds their ids. Later looks go wider and take in the words heard meanwhile.
    """

    model: ChatModel
    settings: Settings
    trace: Trace
    embedder: Embedder | None
    agent: PersonalAgent
    view: View
    rationale: Rationale
    claim: Claim | None
    seen: list[str]
    failed: Callable[[str], None]

    async def recall(self) -> tuple[Recall, list[Passage]]:
        """What the memory holds, and what of it is to be read."""
        if self.agent.reader is not None and self.settings.memory and not self.claim:
            return await self._wide(), []
        started, question, settings = time.perf_counter(), self.rationale.question, self.settings
        heard = self.view.heard.claims if self.view.heard else ()
        hint = self.claim.value if self.claim else " ".join(claim.value for claim in heard)
        if self.embedder and not self.claim:
            also = await asyncio.to_thread(attributes.paraphrases, question, self.embedder)
            hint = f"{hint} {also}".strip()
        if settings.memory:
            recalled = await self.agent.recall(
                question,
                k=settings.k * (2 if self.seen else 1),
                budget=settings.budget_tokens,
                hint=hint,
                partner=self.view.partner,
            )
            recalled = joined(recalled, await self._told())
        else:
            recalled = await self.agent.latest(k=settings.k, budget=settings.budget_tokens)
        fresh = [hit for hit in recalled.hits if hit.id not in self.seen]
        self.seen.extend(hit.id for hit in fresh)
        people = [name for called in self.agent.known_names.values() for name in called]
        shown = await asyncio.to_thread(
            reading.passages,
            self.agent.memory,
            fresh,
            question,
            self.agent.named(question),
            self.embedder,
            people,
        )
        self._recalled(hint, recalled, started)
        return recalled, shown

    def _recalled(self, hint: str, recalled: Recall, started: float) -> None:
        self._emit(
            "recall", hint=hint, hits=[[hit.id, round(hit.score, 3)] for hit in recalled.hits],
            searched=recalled.searched, mode=recalled.mode, seconds=round(time.perf_counter() - started, 4),
        )  # fmt: skip

    async def _wide(self) -> Recall:
        """All that the trained reader is to rank."""
        started, heard = time.perf_counter(), self.view.heard.claims if self.view.heard else ()
        hint, partner = " ".join(claim.value for claim in heard), self.view.partner
        recalled = await self.agent.recall(
            self.rationale.question, k=finding.RANKED, budget=finding.BUDGET, hint=hint, partner=partner
        )
        self._recalled(hint, recalled, started)
        return recalled

    async def _told(self) -> Recall | None:
        """What the memory holds on the people asked about in the words in which such things are told, if it is known."""
        question, settings = self.rationale.question, self.settings
        named = self.agent.named(question)
        if self.embedder is None or self.claim or not named:
            return None
        told = await asyncio.to_thread(attributes.tellings, question, self.embedder)
        names = " ".join(called[0] for called in named.values())
        return (
            await self.agent.recall(
                f"{names}: {told}", k=settings.k, budget=settings.budget_tokens, partner=self.view.partner
            )
            if told
            else None
        )

    async def found(self, recalled: Recall, shown: Sequence[Passage]) -> Found | None:
        """What the look adds to the ledger: a value and its evidence."""
        if self.claim:
            return self._corroborated(recalled, self.claim)
        if self.agent.reader is not None:
            return await asyncio.to_thread(self._read, self.agent.reader, recalled)
        if self.rationale.kind == "person":
            return self._person(shown)
        finding = await reading.read(self.model, self.rationale.question, shown, self.settings, self.failed)
        if finding is None:
            return None
        hit, asked = finding.passage.hit, finding.passage.asked
        sources = self.agent.evidence(hit).sources
        also = tuple(dict.fromkeys((*sources, *((asked.id,) if asked else ()))))
        cite = Cite(hit.id, finding.quote, finding.passage.score, also)
        self._emit(
            "found", value=finding.value, evidence=hit.id, support=round(finding.passage.score, 3),
            copied=finding.copied,
        )  # fmt: skip
        return finding.value, cite

    def _read(self, reader: Reader, recalled: Recall) -> Found | None:
        """What the trained reader finds, where it is sure of it."""
        found = finding.answers(reader, self.agent, self.rationale.question, recalled.hits)
        best = found[0] if found else None
        if best is None or best.sure < self.settings.sure:
            return None
        self._emit("found", value=best.value, evidence=best.hit.id, support=round(best.sure, 3), copied=True)
        quote = reading.sentence_with(best.value, best.hit.text)
        also = tuple(
            dict.fromkeys((*self.agent.evidence(best.hit).sources, *([best.before.id] if best.before else ())))
        )
        return best.value, Cite(best.hit.id, quote, best.sure, also)

    def _corroborated(self, recalled: Recall, claim: Claim) -> Found | None:
        """A memory of one's own that says what was heard; the same words are no better evidence than the claim."""
        wanted = content_stems(claim.value)
        fitting = (h for h in recalled.hits if h.score >= self.settings.support and wanted <= content_stems(h.text))
        own = next(fitting, None) if wanted else None
        if own is None:
            return None
        quote = reading.sentence_with(claim.value, own.text)
        support = min(own.score, claim.support)
        return claim.value, Cite(own.id, quote, support, self.agent.evidence(own).sources)

    def _person(self, shown: Sequence[Passage]) -> Found | None:
        """Whom the best memory is about: the speaker who says "I", else the one it names."""
        fitting = [passage for passage in shown if passage.score >= self.settings.support]
        if not fitting:
            return None
        passage = reading.telling(fitting, self.rationale.question)
        name = persons.whom(passage.hit, self.agent.known_names, self.rationale.question)
        if not name:
            return None
        self._emit("found", value=name, evidence=passage.hit.id, support=round(passage.score, 3), copied=False)
        return name, Cite(passage.hit.id, passage.hit.text, passage.score, self.agent.evidence(passage.hit).sources)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.trace.emit(
            kind, dialogue=self.view.dialogue, person=self.agent.person, question=self.rationale.question, **fields
        )


def joined(recalled: Recall, more: Recall | None) -> Recall:
    """What two searches found, each memory once; what is below the first one's hits stays below them."""
    if more is None:
        return recalled
    have = {hit.id for hit in recalled.hits}
    least = min((hit.score for hit in recalled.hits), default=1.0)
    added = tuple(replace(hit, score=min(hit.score, least)) for hit in more.hits if hit.id not in have)
    return replace(recalled, hits=(*recalled.hits, *added), searched=recalled.searched + more.searched)
