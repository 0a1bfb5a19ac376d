"""Utterances: the only way information crosses from one person to another. What is claimed is what is said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from kithnet.agents.disclosure.gate import leak
from kithnet.agents.disclosure.sensitivity import Item, Sensitivity
from kithnet.agents.infonav.ledger import Basis, Evidence
from kithnet.agents.wording import attributed, normalise


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer that is spoken: the value, the words it was read from, and opaque handles of the evidence.

    said: who said it to whom, as far as the speaker knows. listed: an entry of a list, which stands beside others. basis: as in
    `Held`. The rest is as in `Evidence`.
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
    listed: bool = False
    basis: Basis = "stated"
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
    listed = [claim for claim in claims if claim.listed]
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


def _calendars(claims: Sequence[Claim]) -> list[str]:
    """Entries of calendars, those of one question in one sentence."""
    asked = dict.fromkeys(claim.question for claim in claims)
    told = {question: "; ".join(claim.value for claim in claims if claim.question == question) for question in asked}
    return [f"On “{question}” I have: {entries}." for question, entries in told.items()]


def _ends(text: str) -> bool:
    return bool(re.search(r"[.!?]$", text))


def gate(utterance_text: str, refused: Sequence[Item], partner_said: str) -> Item | None:
    """The refused item an outgoing text would repeat, if any; such a text does not leave."""
    return leak(utterance_text, refused, partner_said)
