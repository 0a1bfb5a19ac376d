"""A chat between a human being and an agent, over the same moves and guards as a dialogue of two agents.

Each line that is written opens a turn: the mind searches, opens, sends the agent out to ask, notes, and speaks. What the owner
tells is stored before the reply; the agent's reply is its own utterance and evidence of nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from kithnet.agents.chat import extracting
from kithnet.agents.chat import session_notes as journal
from kithnet.agents.chat.chat_reader import UNKNOWN, ChatReader
from kithnet.agents.chat.intents import asks
from kithnet.agents.dialogue import acts, turn
from kithnet.agents.dialogue import utterance as speech
from kithnet.agents.dialogue.graph import Dialogues
from kithnet.agents.dialogue.notes import OWN, Evidences
from kithnet.agents.dialogue.scenes import Shown, as_recalled
from kithnet.agents.dialogue.state import Stage, State, logged, opening, turn_of, with_ledger
from kithnet.agents.dialogue.utterance import Utterance
from kithnet.agents.dialogue.views import entry_json, looking, merged, shown_update
from kithnet.agents.disclosure.sensitivity import Item
from kithnet.agents.infonav import ledger as infonav
from kithnet.agents.infonav.ledger import Ledger
from kithnet.agents.minds import mind as minds
from kithnet.agents.minds.mind import Act, Cite, Conclude, Entry, Note, Speak, Stop
from kithnet.agents.minds.model_mind import ModelMind
from kithnet.agents.personal import OUTSIDE
from kithnet.agents.wording import content_words
from kithnet.memory.language.text import sentences
from kithnet.memory.owner import Hit, Kept
from kithnet.memory.utterances import CHAT
from kithnet.memory.writing import slots
from kithnet.memory.writing.extract import Statement
from kithnet.runtime.chat import OnText
from kithnet.runtime.errors import InputError
from kithnet.runtime.trace import Trace

Tell = Callable[[str], None]
"""Takes a line of what an errand does."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn and its reply. used: the owner's messages and memories that the reply rests on. mind: who made the reply.

    What was withheld from a partner is the owner's to see, in the ledger of disclosures and the trace.
    """

    text: str
    reply: str
    used: tuple[Hit, ...]
    mind: str = "reader"


class Conversation:
    """A chat of the agent of `person` with `partner` in one session.

    partner: OUTSIDE is the agent's own person, who may see everything and send the agent out. For anybody else the policy
    decides, memory by memory, before the mind sees anything. called: the partner's name. saver: keeps the dialogues of errands.
    """

    def __init__(
        self, stage: Stage, person: str, partner: str, called: str, session: str,
        saver: BaseCheckpointSaver[str] | None = None,
    ) -> None:  # fmt: skip
        self._agent, self.person, self.partner = stage.agent_of(person), person, partner
        self.session, self._called = f"{CHAT}{session}", called
        self._outside, self._saver = stage, saver or InMemorySaver()
        reader = ChatReader(stage.agent_of, stage.settings, stage.trace, stage.embedder)
        thinks = ModelMind(stage.model, stage.settings) if stage.settings.mind == "model" else reader
        self._stage = replace(stage, minds={person: thinks, **stage.minds}, fallback=reader, chat=True)
        self._state = self._opened(f"chat-{session}")
        self.exchanges: list[Exchange] = []
        self._found: list[Statement] = []
        self._last, self._read = "", set[str]()
        self.owner = f"{person} with {partner}"
        """The name under which the model knows this talk (see ReplySpec.owner)."""

    def _opened(self, dialogue: str) -> State:
        settings, trusted = self._stage.settings, self.partner == OUTSIDE
        state = opening(
            dialogue, "", (self.person, self.partner), top=False, depth=settings.depth if trusted else 0,
            budget=settings.budget if trusted else 0, max_turns=1 << 30, max_stalled=1 << 30,
        )  # fmt: skip
        empty = infonav.to_json(Ledger(self.person, f"chat with {self.partner}"))
        return merged(state, {"ledgers": {**state["ledgers"], self.person: empty}})

    @property
    def ledger(self) -> Ledger:
        """What was asked in this chat, and what is known of it."""
        return infonav.from_json(self._state["ledgers"][self.person])

    async def say(self, text: str, on_text: OnText | None = None, on_step: Tell | None = None) -> Exchange:
        """Answer one message of the partner. on_step is told what an errand does meanwhile.

        The message is stored at once, what it tells and the reply before this returns. Raises ModelError.
        """
        heard = await asyncio.to_thread(self._hear, text)
        before, state = len(self._state["consulted"]), await self._listened(text, heard)
        state, notes = await self._thought(state, on_step)
        move = minds.from_json(state["move"])
        act = move.act
        reply, cited = self._worded(state, act, text)
        state = await asyncio.to_thread(self._answered, state, act, reply)
        used = tuple(self._agent.memory.message(one) for one in cited if one.startswith(OWN))
        if on_text:
            on_text(reply)
        if self.partner == OUTSIDE and (notes or move.mind == "reader" or len(state["consulted"]) > before):
            self._read.add(heard)
        self._last = str(state["kept"][self.person].get("last", self._last))
        await asyncio.to_thread(self._keep, notes, heard)
        await asyncio.to_thread(self._store, heard, reply, used)
        self._state = state
        if move.mind != "reader":
            await asyncio.to_thread(self._disclosed, text, used)
        exchange = Exchange(text, reply, used, move.mind)
        self.exchanges.append(exchange)
        self._trace.emit(
            "chat", person=self.person, partner=self.partner, text=text, reply=reply, used=[h.id for h in used],
            mind=exchange.mind,
        )  # fmt: skip
        return exchange

    @property
    def _trace(self) -> Trace:
        return self._stage.trace

    # --- a turn ---

    async def _listened(self, text: str, heard: str) -> State:
        """The state in which the mind's turn begins: the message heard, its questions open, what bears on it shown."""
        state, stage = self._state, self._stage
        asked = tuple(part for part in sentences(text) if asks(part) and content_words(part))
        said = Utterance(heard, state["turn"] + 1, self.partner, self.person, text, asks=asked)
        ledger = replace(self.ledger, turn=state["turn"] + 1)
        for question in asked:
            ledger = _asked_anew(ledger, question)
        state = merged(state, {
            "utterances": [*state["utterances"], speech.to_json(said)], "task": text, "visited": {}, "step": 0,
            "turn": state["turn"] + 2,  # even: it is always the agent's turn
            "budget": self._opening_budget, "ledgers": with_ledger(state, ledger), "move": {}, "before": {},
            "kept": {**state["kept"], self.person: {"last": self._last}},
            "shown": {**state["shown"], self.person: [*state["shown"][self.person], heard]},
        })  # fmt: skip
        if not stage.mind_of(self.person).wants_brief:
            return state
        now = turn_of(state)
        found = await looking(state, stage, now).search([as_recalled(text)]) if content_words(text) else Shown()
        opened = f"{self._called} writes ({heard}): {text}"
        lines = [opened, found.text, f"{stage.settings.steps} moves are left in this turn."]
        entry = Entry("user", "\n\n".join(filter(None, lines)), brief=f"{opened}\n{found.brief}".strip())
        state = merged(state, {"logs": logged(state, self.person, entry_json(entry))})
        return merged(state, shown_update(state, stage, now, found))

    @property
    def _opening_budget(self) -> int:
        return self._stage.settings.budget if self.partner == OUTSIDE else 0

    async def _thought(self, state: State, on_step: Tell | None) -> tuple[State, list[Note]]:
        """Let the mind move until it speaks; what it wants kept is gathered."""
        stage, notes = self._stage, list[Note]()
        errands = Dialogues(self._told_of(on_step), self._saver)
        act: Act | None = None
        while not isinstance(act, Speak | Conclude | Stop):
            state = merged(state, await turn.think(state, stage))
            move = minds.from_json(state["move"])
            act = move.act
            notes += move.notes
            if isinstance(act, Speak | Conclude | Stop):
                break
            before = len(state["consulted"])
            if isinstance(act, minds.AskContact):
                name = self._agent.known_names.get(act.person, (act.person,))[0]
                (on_step or _silent)(f"(asking {name}: {act.question})")
            state = merged(state, await acts.act(state, stage, errands.ask_third))
            await asyncio.to_thread(self._learned, state, before)
        return state, notes

    def _told_of(self, on_step: Tell | None) -> Stage:
        """The stage of errands, which tells the chat what is said to its agent."""
        return replace(self._outside, trace=_Overheard(self._trace, self.person, self._agent.known_names, on_step))

    def _learned(self, state: State, before: int) -> None:
        """Remember what an errand brought, as heard from whom it was asked."""
        if not self._stage.journal:
            return
        ledger = infonav.from_json(state["ledgers"][self.person])
        for entry in state["consulted"][before:]:
            rationale = ledger.find(entry["question"]) if entry["by"] == self.person else None
            if rationale and rationale.held:
                brought = replace(ledger, task=entry["question"], rationales=(rationale,))
                journal.write(self._agent, entry["person"], brought, entry["dialogue"])

    def _worded(self, state: State, act: Act, text: str) -> tuple[str, tuple[str, ...]]:
        """The reply and the ids it rests on. Text that would repeat what the partner may not know does not leave."""
        reply = act.text.strip() if isinstance(act, Speak) else UNKNOWN
        cited = act.tells if isinstance(act, Speak) else ()
        refused = [
            Item(tuple(one["sources"]), one["text"], one["value"], "confidence", frozenset())
            for one in state["refused"][self.person]
        ]
        said = " ".join([text, *(one["text"] for one in state["utterances"] if one["sender"] == self.partner)])
        if self.partner != OUTSIDE and speech.gate(reply, refused, said) is not None:
            self._trace.emit("withheld", dialogue=state["id"], person=self.person, utterance="")
            return UNKNOWN, ()
        return reply or UNKNOWN, cited

    def _answered(self, state: State, act: Act, reply: str) -> State:
        """The ledger with what a mind answered that keeps none itself, on the evidence it gave."""
        now = turn_of(state)
        open_ = [r for r in now.ledger.rationales if not r.held and r.question in state["utterances"][-1]["asks"]]
        if not isinstance(act, Speak) or not act.tells or len(open_) != 1:
            return state
        evidences = Evidences(state, self._agent, now, None)
        try:
            grounds = [ground.evidence for one in act.tells for ground in evidences.look(Cite(one))]
        except InputError:  # it rests on what was just written
            return state
        ledger = infonav.learn(now.ledger, open_[0].id, reply, tuple(grounds), "derived")
        return merged(state, {"ledgers": with_ledger(state, ledger)})

    # --- what is stored ---

    def _hear(self, text: str) -> str:
        """Keep what the partner said; returns its id."""
        return self._agent.memory.write_turn(self.partner, text, sender=self.partner, session=self.session)

    def _keep(self, notes: Sequence[Note], heard: str) -> None:
        """Note what the owner told the agent to keep: the owner's own statements, for nobody else."""
        memory, me = self._agent.memory, self.person
        for note in notes:
            old = note.rationale if note.do == "correct" else None
            given = slots.given(note.value)
            kept = memory.remember(
                about=me, text=note.value, told_by=me, kind="fact", evidence=(heard,), audience=(), supersedes=old,
                session=self.session, slot=given.slot if given and given.value else None,
            )  # fmt: skip
            self._last = kept.id
            self._trace.emit("kept", person=me, memory=kept.id, text=note.value, in_place_of=old)

    def _store(self, heard: str, reply: str, used: Sequence[Hit]) -> None:
        """Keep the reply as the agent's own utterance and no message of its owner's, with the memories it was made from.

        heard: what it answers.
        """
        memory = self._agent.memory
        said = memory.write_utterance(self.partner, reply, session=self.session, answers=heard)
        memory.record_usage(said, [hit.id for hit in used], self.partner)

    def _disclosed(self, text: str, used: Sequence[Hit]) -> None:
        """Write down what a mind told a partner that chose among what it was shown; the reader writes down what it weighs."""
        told = [hit.id for hit in used if hit.sender != self.partner]
        if told and self.partner != OUTSIDE:
            self._agent.memory.disclose(told, partner=self.partner, task=text, rule="weighed when shown")

    async def look_back(self) -> None:
        """Let a model that can do it look for statements beside those of the rules; `close` writes them down."""
        if self.exchanges and extracting.wanted(self._stage.model, self._stage.settings):
            hits = await asyncio.to_thread(self._agent.memory.session, self.session)
            heard = [hit for hit in hits if hit.sender != self.person]
            self._found = await extracting.found_by(
                self._stage.model, self._agent, heard, self._stage.settings, self._failed
            )

    def _failed(self, why: str) -> None:
        self._trace.emit("model_failed", person=self.person, purpose="remember", why=why)

    def close(self) -> str | None:
        """Write the session down from the owner's point of view; returns its summary's id, None for an empty chat."""
        if not self.exchanges:
            return None
        kept = journal.write_session(
            self._agent, self.session, self.partner, extra=self._found, called=self._called, read=self._read
        )
        self._trace.emit("remembered", person=self.person, partner=self.partner, **remembered(kept))
        return kept.summary


class _Overheard:
    """A trace that also tells a chat what is said to its agent, and by whom; what others say among themselves it does not."""

    def __init__(self, trace: Trace, person: str, names: Any, tell: Tell | None) -> None:
        self._trace, self._person, self._names, self._tell = trace, person, names, tell or _silent

    def emit(self, kind: str, **fields: Any) -> None:
        self._trace.emit(kind, **fields)
        if kind == "utterance" and fields["receiver"] == self._person:
            name = self._names.get(fields["sender"], (fields["sender"],))[0]
            self._tell(f"({name}'s agent: {fields['text']})")


def _asked_anew(ledger: Ledger, question: str) -> Ledger:
    """The ledger with a question open, also where it was answered before: what was told meanwhile may answer otherwise."""
    fresh = tuple(
        replace(one, held=(), status="unknown") if one.question == question else one for one in ledger.rationales
    )
    return infonav.open_rationale(replace(ledger, rationales=fresh), question)


def _silent(line: str) -> None:
    pass


def remembered(kept: Kept) -> dict[str, Any]:
    """What writing a session came to, for a trace."""
    return {
        "session_summary": kept.summary, "added": list(kept.added), "confirmed": list(kept.confirmed),
        "updated": kept.updated, "linked": kept.linked,
    }  # fmt: skip
