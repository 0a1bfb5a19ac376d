"""A chat between a person and an agent: recall before every reply, a ledger of what was asked, memories kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kithnet.agents.chat import extracting
from kithnet.agents.chat import session_notes as journal
from kithnet.agents.dialogue.speaking import who_said
from kithnet.agents.disclosure.policy import Action
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Ledger
from kithnet.agents.minds.rules import reading
from kithnet.agents.minds.rules.fitness import Fitness
from kithnet.agents.minds.rules.reading import Finding, Passage
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.prompting import render
from kithnet.agents.settings import Settings
from kithnet.agents.wording import content_words
from kithnet.memory.language.text import words
from kithnet.memory.owner import Hit, Kept, Recall
from kithnet.memory.utterances import CHAT
from kithnet.memory.writing.extract import Statement
from kithnet.runtime.chat import ChatModel, Message, OnText, ReplySpec
from kithnet.runtime.errors import ContextOverflow
from kithnet.runtime.trace import Trace

NOTES, RECENT = 3, 4
SMALL_TALK = 0.6
WH_WORDS = frozenset("who whom whose what which when where why how".split())
UNKNOWN = "I do not know that."


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn and its reply. used: memories the reply was shown. What was withheld is the owner's to see (`disclosure`)."""

    text: str
    reply: str
    used: tuple[Hit, ...]


def asks(text: str) -> bool:
    """Whether a message wants something to be known."""
    return text.rstrip().endswith("?") or words(text)[:1] in (
        ["who"],
        ["what"],
        ["when"],
        ["where"],
        ["why"],
        ["which"],
    )


class Conversation:
    """A chat of `agent` with `partner` in one session.

    trusted: the partner is the agent's own person, who may see everything. Else the policy decides, memory by memory,
    before the model sees anything: what may not be told is not in the prompt.
    """

    def __init__(
        self, agent: PersonalAgent, partner: str, partner_name: str, session: str, model: ChatModel, settings: Settings,
        trace: Trace, *, trusted: bool,
    ) -> None:  # fmt: skip
        self._agent, self.partner, self.session = agent, partner, f"{CHAT}{session}"
        self._model, self._settings, self._trace, self._trusted = model, settings, trace, trusted
        self._called, self.person = partner_name, agent.person
        self.ledger = Ledger(agent.person, f"chat with {partner}")
        self.exchanges: list[Exchange] = []
        self._found: list[Statement] = []
        self.owner = f"{agent.person} with {partner}"
        """The name under which the model knows this talk (see ReplySpec.owner)."""

    async def say(self, text: str, on_text: OnText | None = None) -> Exchange:
        """Answer one message of the partner; both turns are stored before this returns. Raises ModelError."""
        recalled = await self._recall(text)
        shown = await self._allowed(text, recalled)
        finding = await self._note(text, shown)
        reply = self._from_memory(text, finding)
        if reply is None:
            reply = await self._from_model(text, shown, on_text)
        elif on_text:
            on_text(reply)
        used = self._used(reply, finding, shown)
        await asyncio.to_thread(self._store, text, reply, used)
        exchange = Exchange(text, reply, used)
        self.exchanges.append(exchange)
        self._trace.emit(
            "chat", person=self._agent.person, partner=self.partner, text=text, reply=reply,
            used=[h.id for h in used],
        )  # fmt: skip
        return exchange

    async def _recall(self, text: str) -> Sequence[Hit]:
        """What bears on the text; small talk must fit better than a question before memory is drawn in."""
        settings = self._settings
        recalled = await self._agent.recall(text, k=settings.k, budget=settings.budget_tokens, partner=self._other)
        needed = settings.support if asks(text) else max(settings.support, SMALL_TALK)
        return await asyncio.to_thread(self._fitting, text, recalled, needed)

    def _fitting(self, text: str, recalled: Recall, needed: float) -> list[Hit]:
        fitness = Fitness(self._agent.memory, text, self._agent.named(text))
        hybrid = recalled.mode == "hybrid"
        return [h for h in recalled.hits if h.session != self.session and fitness.of(h, hybrid=hybrid) >= needed]

    @property
    def _other(self) -> str | None:
        return None if self._trusted else self.partner

    async def _allowed(self, text: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits the partner may be shown; decisions are written down, for the owner.

        What is more than ordinary is weighed first, so that nothing told beside it gives it away.
        """
        if self._trusted:
            return list(hits)
        delicate = await asyncio.to_thread(
            lambda: {item.id for item in self._agent.items(hits) if item.sensitivity != "ordinary"}
        )
        told = {hit.id for hit in sorted(hits, key=lambda hit: hit.id not in delicate) if await self._told(hit, text)}
        return [hit for hit in hits if hit.id in told]

    async def _told(self, hit: Hit, text: str) -> bool:
        """Decide about one memory and write it down."""
        evidence = self._agent.evidence(hit)
        item, decision = await self._agent.weigh(evidence, hit.text, hit.text, self.partner, text)
        action: Action = "tell" if decision.told else "refuse"
        self._agent.memory.disclose([hit.id], partner=self.partner, task=text, rule=decision.rule, action=action)
        row = {"from": self._agent.person, "to": self.partner, "messages": [hit.id], "rule": decision.rule}
        self._trace.emit(
            "disclosure", **row, action=decision.action, told=decision.told, sensitivity=item.sensitivity, task=text
        )
        return decision.told

    async def _note(self, text: str, shown: Sequence[Hit]) -> Finding | None:
        """Keep the ledger: a question opens a rationale, and a memory that answers it fills it."""
        if not asks(text):
            return None
        self.ledger = infonav.open_rationale(replace(self.ledger, turn=len(self.exchanges) + 1), text)
        rationale = self.ledger.find(text)
        named = self._agent.named(text)
        passages = await asyncio.to_thread(reading.passages, self._agent.memory, shown, text, named)
        passages = await self._tellable(passages, {hit.id for hit in shown}, text)
        finding = await reading.read(self._model, text, passages, self._settings, self._failed)
        if rationale and finding:
            evidence = replace(self._agent.evidence(finding.passage.hit), quote=finding.quote)
            self.ledger = infonav.learn(self.ledger, rationale.id, finding.value, (evidence,))
        return finding

    async def _tellable(self, passages: Sequence[Passage], shown: set[str], text: str) -> list[Passage]:
        """Replies that were drawn in beside the hits are weighed like them."""
        kept = []
        for passage in passages:
            hit = passage.hit
            if not self._trusted and hit.id not in shown and not await self._told(hit, text):
                continue
            kept.append(passage)
        return kept

    def _from_memory(self, text: str, finding: Finding | None) -> str | None:
        """The reply where code can give it: something to remember, or a fact for a model that would garble it."""
        command, _, rest = text.partition(" ")
        if self._trusted and command.casefold().strip(",:") == "remember" and rest:
            said = rest.removeprefix("that ").strip()
            self._agent.memory.remember(
                about=self._agent.person, text=said, told_by=self._agent.person, kind="fact", evidence=(), audience=()
            )  # fmt: skip
            return "I will remember that."
        if self._model.traits.capable or not asks(text):
            return None
        if finding:
            evidence = self._agent.evidence(finding.passage.hit)
            return f"{who_said(self._agent, evidence)}: “{finding.quote}”"
        return UNKNOWN if any(word in WH_WORDS for word in words(text)) and content_words(text) else None

    async def _from_model(self, text: str, shown: Sequence[Hit], on_text: OnText | None) -> str:
        """Continue the chat; the oldest exchanges are left out of the prompt when they no longer fit."""
        for kept in range(len(self.exchanges), -1, -1):
            try:
                messages, spec = self._prompt(text, shown[:NOTES], self.exchanges[len(self.exchanges) - kept :])
                reply = await self._model.reply(messages, spec, on_text)
                if not reply.text.strip() and on_text:  # it only reasoned, and nothing was shown
                    on_text(UNKNOWN)
                return reply.text.strip() or UNKNOWN
            except ContextOverflow:
                if not kept:
                    raise
        raise AssertionError("the loop returns or raises")

    def _prompt(self, text: str, notes: Sequence[Hit], past: Sequence[Exchange]) -> tuple[list[Message], ReplySpec]:
        """A chat for a capable model; for another one a short transcript, which it continues better."""
        seed, owner = self._settings.seed, self.owner
        if not self._model.traits.capable:
            turns = [{"text": one.text, "reply": one.reply} for one in past[-RECENT:]]
            written = render("transcript", name=self._agent.name, partner=self._called, turns=turns, text=text)
            spec = ReplySpec(
                max_tokens=48, temperature=0.0, seed=seed, stop=("\n",), raw=True, purpose="chat", owner=owner
            )
            return [Message("user", written)], spec
        shown = [{"speaker": h.sender, "listener": h.receiver, "text": h.text} for h in notes]
        messages = [
            Message("system", render("chat", name=self._agent.name, persona=self._agent.persona, partner=self._called))
        ]
        for one in past:
            messages += [Message("user", one.text), Message("assistant", one.reply)]
        messages.append(Message("user", render("chat_turn", text=text, notes=shown)))
        temperature = self._settings.temperature
        return messages, ReplySpec(max_tokens=160, temperature=temperature, seed=seed, purpose="chat", owner=owner)

    def _used(self, reply: str, finding: Finding | None, shown: Sequence[Hit]) -> tuple[Hit, ...]:
        """The memories a reply was made from: what was found, or the notes a capable model was given."""
        if finding and not self._model.traits.capable:
            asked = finding.passage.asked
            return (finding.passage.hit, asked) if asked else (finding.passage.hit,)
        return tuple(shown[:NOTES]) if self._model.traits.capable and reply != UNKNOWN else ()

    def _failed(self, why: str, purpose: str = "copy") -> None:
        self._trace.emit("model_failed", person=self._agent.person, purpose=purpose, why=why)

    def _store(self, text: str, reply: str, used: Sequence[Hit]) -> None:
        """Keep both turns: what the partner said is a message, the reply the agent's own utterance and no message of
        its owner's, with the memories it was made from."""
        memory = self._agent.memory
        heard = memory.write_turn(self.partner, text, sender=self.partner, session=self.session)
        said = memory.write_utterance(self.partner, reply, session=self.session, answers=heard)
        memory.record_usage(said, [hit.id for hit in used], self.partner)

    async def look_back(self) -> None:
        """Let a model that can do it look for statements beside those of the rules; `close` writes them down."""
        if self.exchanges and extracting.wanted(self._model, self._settings):
            hits = await asyncio.to_thread(self._agent.memory.session, self.session)
            heard = [hit for hit in hits if hit.sender != self._agent.person]
            self._found = await extracting.found_by(
                self._model, self._agent, heard, self._settings, lambda why: self._failed(why, "remember")
            )

    def close(self) -> str | None:
        """Write the session down from the owner's point of view; returns its summary's id, None for an empty chat."""
        if not self.exchanges:
            return None
        kept = journal.write_session(self._agent, self.session, self.partner, extra=self._found, called=self._called)
        self._trace.emit("remembered", person=self._agent.person, partner=self.partner, **remembered(kept))
        return kept.summary


def remembered(kept: Kept) -> dict[str, Any]:
    """What writing a session came to, for a trace."""
    return {
        "session_summary": kept.summary, "added": list(kept.added), "confirmed": list(kept.confirmed),
        "updated": kept.updated, "linked": kept.linked,
    }  # fmt: skip
