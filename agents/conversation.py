"""A chat between a person and an agent: recall before every reply, a ledger of what was asked, memories kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kithnet.agents import infonav, reading
from kithnet.agents.disclosure import Action
from kithnet.agents.infonav import Ledger
from kithnet.agents.personal import PersonalAgent
from kithnet.agents.prompting import render
from kithnet.agents.settings import Settings
from kithnet.memory.owner import Hit
from kithnet.runtime.chat import ChatModel, Message, OnText, ReplySpec
from kithnet.runtime.errors import ContextOverflow
from kithnet.runtime.trace import Trace

NOTES = 3


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn and its reply. used: memories the reply was shown. held_back: memories the partner may not see."""

    text: str
    reply: str
    used: tuple[Hit, ...]
    held_back: int


class Conversation:
    """A chat of `agent` with `partner` in one session.

    trusted: the partner is the agent's own person, who may see everything. Else the policy decides, memory by memory,
    before the model sees anything: what may not be told is not in the prompt.
    """

    def __init__(
        self, agent: PersonalAgent, partner: str, partner_name: str, session: str, model: ChatModel, settings: Settings,
        trace: Trace, *, trusted: bool,
    ) -> None:  # fmt: skip
        self._agent, self._partner, self._session = agent, partner, session
        self._model, self._settings, self._trace, self._trusted = model, settings, trace, trusted
        frame = render("chat", name=agent.name, persona=agent.persona, partner=partner_name)
        self._messages = [Message("system", frame)]
        self.ledger = Ledger(agent.person, f"chat with {partner}")
        self.exchanges: list[Exchange] = []

    async def say(self, text: str, on_text: OnText | None = None) -> Exchange:
        """Answer one message of the partner; both turns are stored before this returns. Raises ModelError."""
        recalled = await self._recall(text)
        shown, held_back = await self._allowed(text, recalled)
        await self._note(text, shown)
        notes = [{"speaker": h.sender, "listener": h.receiver, "text": h.text} for h in shown]
        turn = Message("user", render("chat_turn", text=text, notes=notes))
        reply = await self._reply(turn, on_text)
        self._messages += [turn, Message("assistant", reply)]
        await asyncio.to_thread(self._store, text, reply)
        exchange = Exchange(text, reply, tuple(shown), held_back)
        self.exchanges.append(exchange)
        self._trace.emit(
            "chat", person=self._agent.person, partner=self._partner, text=text, reply=reply,
            used=[h.id for h in shown], held_back=held_back,
        )  # fmt: skip
        return exchange

    async def _recall(self, text: str) -> Sequence[Hit]:
        settings = self._settings
        recalled = await self._agent.recall(text, k=settings.k, budget=settings.budget_tokens, partner=self._other)
        fresh = [h for h in recalled.hits if h.session != self._session]
        return [h for h in fresh if h.score >= settings.support]

    @property
    def _other(self) -> str | None:
        return None if self._trusted else self._partner

    async def _allowed(self, text: str, hits: Sequence[Hit]) -> tuple[list[Hit], int]:
        """The hits the partner may be shown, and how many were held back; decisions are written down."""
        if self._trusted:
            return list(hits[:NOTES]), 0
        shown: list[Hit] = []
        held_back = 0
        for hit in hits:
            evidence = self._agent.evidence(hit)
            _, decision = await self._agent.weigh(evidence, hit.text, hit.text, self._partner, text)
            action: Action = "tell" if decision.told else "refuse"
            self._agent.memory.disclose([hit.id], partner=self._partner, task=text, rule=decision.rule, action=action)
            held_back += not decision.told
            if decision.told and len(shown) < NOTES:
                shown.append(hit)
        return shown, held_back

    async def _note(self, text: str, shown: Sequence[Hit]) -> None:
        """Keep the ledger: a question opens a rationale, and a memory that answers it fills it."""
        if not text.rstrip().endswith("?"):
            return
        self.ledger = infonav.open_rationale(replace(self.ledger, turn=len(self.exchanges) + 1), text)
        rationale = self.ledger.find(text)
        passages = await asyncio.to_thread(reading.passages, self._agent.memory, shown, self._agent.named(text))
        finding = await reading.read(self._model, text, passages, self._settings, self._failed)
        if rationale and finding:
            evidence = (self._agent.evidence(finding.passage.hit),)
            self.ledger = infonav.learn(self.ledger, rationale.id, finding.value, evidence)

    async def _reply(self, turn: Message, on_text: OnText | None) -> str:
        """Continue the chat; the oldest exchanges are left out of the prompt when they no longer fit."""
        spec = ReplySpec(
            max_tokens=120, temperature=self._settings.temperature, seed=self._settings.seed, purpose="chat"
        )
        while True:
            try:
                reply = await self._model.reply([*self._messages, turn], spec, on_text)
                return reply.text.strip() or "I do not know."
            except ContextOverflow:
                if len(self._messages) < 3:
                    raise
                del self._messages[1:3]

    def _failed(self, why: str) -> None:
        self._trace.emit("model_failed", person=self._agent.person, purpose="copy", why=why)

    def _store(self, text: str, reply: str) -> None:
        memory = self._agent.memory
        memory.write_turn(self._partner, text, sender=self._partner, session=self._session)
        memory.write_turn(self._partner, reply, sender=self._agent.person, session=self._session)

    def close(self) -> str | None:
        """Write the session's memory from the owner's point of view; returns its id, None for an empty chat."""
        if not self.exchanges:
            return None
        said = "; ".join(exchange.text for exchange in self.exchanges[:8])
        remembered = self._agent.memory.remember(
            about=self._partner, text=f"{self._partner} talked with me about: {said}", told_by=self._agent.person,
            kind="summary", evidence=(), session=self._session, audience=(self._partner,),
        )  # fmt: skip
        return remembered.id
