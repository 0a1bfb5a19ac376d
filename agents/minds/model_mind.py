"""`ModelMind`: a capable chat model thinks. Its prompt is a chat that only grows, so every prompt begins with the one before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ValidationError

from kithnet.agents.infonav.consensus import Agreed
from kithnet.agents.minds import wire
from kithnet.agents.minds.mind import Conclusion, Entry, Move, View
from kithnet.agents.personal import OUTSIDE
from kithnet.agents.prompting import render
from kithnet.agents.settings import Settings
from kithnet.agents.tools.arithmetic import TOOLS
from kithnet.runtime.chat import ChatModel, Message, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

MOVE_TOKENS, ANSWER_TOKENS = 900, 400
CHARACTERS_PER_TOKEN = 3.2
"""Fewer than English has: a prompt that is thought too long is cut early, one thought short fails."""
KEPT = 0.7
"""Share of the room that is kept when the log no longer fits, so that it is not cut again at once."""


class _Answer(BaseModel):
    answer: str
    basis: Literal["stated", "derived", "unknown"]
    rests_on: list[str] = []


@dataclass(frozen=True)
class ModelMind:
    """See the module. The model must keep to a JSON schema."""

    model: ChatModel
    settings: Settings
    name: str = "model"
    wants_brief: bool = True

    async def move(self, view: View) -> Move:
        """See `Mind.move`."""
        acts = wire.acts_of(view)
        text = await self._reply(view, wire.schema(acts, view.role), MOVE_TOKENS, "move")
        move = wire.parse(text, view)
        if move.act.do not in acts:
            raise ReplyInvalid(f"{move.act.do} is not open now", f"do one of {', '.join(acts)}")
        return move

    async def conclude(self, view: View, agreed: Sequence[Agreed]) -> Conclusion:
        """See `Mind.conclude`. The last entry of the log tells what both agreed on."""
        schema = wire._ACTS["conclude"]
        fields = {name: field for name, field in schema["properties"].items() if name != "do"}
        wanted = {**schema, "properties": fields, "required": list(fields)}
        text = await self._reply(view, wanted, ANSWER_TOKENS, "answer")
        try:
            found = _Answer.model_validate_json(text)
        except ValidationError as error:
            raise ReplyInvalid("the answer is not in the form asked for", "reply with the JSON object") from error
        return Conclusion(found.answer.strip(), tuple(found.rests_on), found.basis, "model", raw=text)

    async def _reply(self, view: View, schema: dict[str, object], tokens: int, purpose: str) -> str:
        spec = ReplySpec(
            max_tokens=tokens, temperature=self.settings.temperature, seed=self.settings.seed, schema=schema,
            purpose=purpose, owner=f"{view.person} with {view.partner}",
        )  # fmt: skip
        room = int((self.model.traits.context - tokens) * CHARACTERS_PER_TOKEN)
        for share in (1.0, 0.6, 0.35):
            try:
                reply = await self.model.reply(self.messages(view, int(room * share)), spec)
                return reply.text
            except ContextOverflow as error:  # the estimate was too kind: tokens of this text are shorter
                overflow = error
        raise overflow

    def messages(self, view: View, room: int) -> list[Message]:
        """The prompt: static text, then the log. room: characters it may have."""
        opening = render(
            "mind_chat" if view.role == "chat" else "mind",
            owner=view.owner, persona=view.persona, partner=view.partner_name, task=view.task, role=view.role,
            contacts=view.contacts, tools=[(name, TOOLS[name]) for name in view.tools], steps=self.settings.steps,
            top=view.top, own=view.partner == OUTSIDE,
        )  # fmt: skip
        return [Message("system", opening), *_merged(trimmed(view.log, room - len(opening)))]


def trimmed(log: Sequence[Entry], room: int) -> list[Entry]:
    """The log within `room` characters: the oldest results give way to what stands in their place.

    What was cut once stays cut: the log is walked as it grew, so that a longer log begins as a shorter one did.
    """
    kept: list[Entry] = []
    for entry in log:
        kept.append(entry)
        if _size(kept) > room:
            _cut(kept, int(room * KEPT))
    return kept


def _cut(kept: list[Entry], room: int) -> None:
    for place, entry in enumerate(kept[:-1]):
        if _size(kept) <= room:
            return
        if entry.brief and len(entry.brief) < len(entry.text):
            kept[place] = Entry(entry.role, entry.brief)


def _size(entries: Sequence[Entry]) -> int:
    return sum(len(entry.text) for entry in entries)


def _merged(log: Sequence[Entry]) -> list[Message]:
    """Messages in turn: what follows each other from one side is one message."""
    messages: list[Message] = []
    for entry in log:
        if messages and messages[-1].role == entry.role:
            messages[-1] = Message(entry.role, f"{messages[-1].content}\n\n{entry.text}")
        else:
            messages.append(Message(entry.role, entry.text))
    return messages
