"""Utterances: the only way information crosses from one person to another. What is claimed is what is said."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from kithnet.agents.disclosure.policy import Item, Sensitivity, leak
from kithnet.agents.infonav.ledger import Evidence
from kithnet.agents.minds.rules import tastes
from kithnet.agents.prompting import prompt, shaped
from kithnet.agents.settings import Settings
from kithnet.agents.tools import calendar as calendars
from kithnet.agents.wording import attributed, content_stems, normalise
from kithnet.runtime.chat import ChatModel, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer that is spoken: the value, the words it was read from, and opaque handles of the evidence.

    said: who said it to whom, as far as the speaker knows. The rest is as in `Evidence`.
    """

    question: str
    value: str
    quote: str
    said: str
    sources: tuple[str, ...]
    witness: str
    hops: int
    support: float
    sensitivity: Sensitivity = "ordinary"
    author: str = ""
    at: str = ""

    def heard_in(self, utterance: str) -> Evidence:
        """The claim as evidence for the listener: the utterance, one hop further from the origin."""
        return Evidence(
            utterance, self.sources, self.witness, self.hops + 1, self.support, self.quote, self.sensitivity,
            self.author, self.at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Utterance:
    """id: "u:DIALOGUE:TURN". declined: questions the speaker has nothing to share on, for whatever reason."""

    id: str
    turn: int
    sender: str
    receiver: str
    text: str
    claims: tuple[Claim, ...] = ()
    asks: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()


_ADAPTER: TypeAdapter[Utterance] = TypeAdapter(Utterance)


def to_json(utterance: Utterance) -> dict[str, Any]:
    data: dict[str, Any] = _ADAPTER.dump_python(utterance, mode="json")
    return data


def from_json(data: object) -> Utterance:
    return _ADAPTER.validate_python(data)


def compose(claims: Sequence[Claim], asks: Sequence[str], declined: Sequence[str]) -> str:
    """The plain wording of an utterance, complete and literal."""
    listed = [claim for claim in claims if is_list(claim.question)]
    others = [claim for claim in claims if claim not in listed]
    parts = [_claimed(claim, first=at == 0) for at, claim in enumerate(others)]
    parts += _calendars(listed)
    parts += [f"I have nothing I can share on “{question}”" + ("" if _ends(question) else ".") for question in declined]
    claimed = {claim.question for claim in claims}
    needed = [question for question in asks if question not in claimed]
    if needed:
        lead = "Can you help me with this" if not parts else "What I still need"
        parts.append(f"{lead}: {' '.join(needed)}")
    if len(needed) < len(asks):
        parts.append("Is that what you know, too?")
    return " ".join(parts) or "I have nothing to add."


def _claimed(claim: Claim, *, first: bool) -> str:
    lead = "" if first else "Also: "
    source = f"{claim.said}: “{claim.quote}”" if claim.said else f"“{claim.quote}”"
    if normalise(claim.value) == normalise(claim.quote):
        return f"{lead}On “{claim.question}” {source}"
    return f"{lead}On “{claim.question}” I have: {attributed(claim.value, claim.author)}. {source}"


def is_list(question: str) -> bool:
    """Whether a question is answered by entries: a calendar, or what somebody likes."""
    return calendars.whose(question) is not None or tastes.whose(question) is not None


def _calendars(claims: Sequence[Claim]) -> list[str]:
    """Entries of calendars, those of one question in one sentence."""
    asked = dict.fromkeys(claim.question for claim in claims)
    told = {question: "; ".join(claim.value for claim in claims if claim.question == question) for question in asked}
    return [f"On “{question}” I have: {entries}." for question, entries in told.items()]


def _ends(text: str) -> bool:
    return bool(re.search(r"[.!?]$", text))


async def phrase(model: ChatModel, draft: str, facts: Sequence[str], names: tuple[str, str], settings: Settings) -> str:
    """Let a capable model say the draft its own way; the draft stands when a fact is lost or something is added."""
    if not model.traits.capable or not facts:
        return draft
    spec = ReplySpec(max_tokens=220, temperature=settings.temperature, seed=settings.seed, purpose="speak")
    try:
        messages = prompt("speak", speaker=names[0], listener=names[1], draft=draft)
        reply = await model.reply(messages, shaped(model.traits, spec))
    except (ContextOverflow, ReplyInvalid):
        return draft
    text = reply.text.strip()
    return text if faithful(text, draft, facts, names) else draft


def faithful(text: str, draft: str, facts: Iterable[str], names: Sequence[str]) -> bool:
    """Whether a wording holds every fact and no content words beyond a few that neither draft nor names hold."""
    said = normalise(text)
    added = content_stems(text) - content_stems(draft) - content_stems(" ".join(names))
    return all(normalise(fact) in said for fact in facts) and len(added) <= max(3, len(content_stems(draft)) // 4)


def gate(utterance_text: str, refused: Sequence[Item], partner_said: str) -> Item | None:
    """The refused item an outgoing text would repeat, if any; such a text does not leave."""
    return leak(utterance_text, refused, partner_said)
