"""Disclosure: code decides what an agent may tell whom (AGENTS: Disclosure). No model is asked to keep a secret.

Who was there knows it. A memory for some is for nobody else. Then an ordered list of rules, first match wins; what no rule
names is told when it is ordinary and put to the owner when it is sensitive; an unattended owner refuses, and the refusal is
counted. Where all this would not tell, a grant of the owner's does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from kithnet.agents.disclosure import gate, grants
from kithnet.agents.disclosure.grants import Granted
from kithnet.agents.disclosure.sensitivity import Item
from kithnet.memory.language.text import stem, words

Action = Literal["tell", "ask", "refuse"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an owner's policy.

    person: "*" or a person id. topic: words of which one must stand in the item; empty fits all. sensitivity: "any",
    or what the item must be. min_tie: the rule fits only alters with at least this many messages exchanged.
    after/before: the item's time. action: what to do.
    """

    action: Action
    person: str = "*"
    topic: tuple[str, ...] = ()
    sensitivity: str = "any"
    min_tie: int = 0
    after: datetime | None = None
    before: datetime | None = None

    def fits(self, item: Item, partner: str, tie: int) -> bool:
        topics = {stem(word) for topic in self.topic for word in words(topic)}
        return (
            self.person in ("*", partner)
            and (not topics or bool(topics & {stem(word) for word in words(item.text)}))
            and self.sensitivity in ("any", item.sensitivity)
            and tie >= self.min_tie
            and (self.after is None or (item.at is not None and item.at >= self.after))
            and (self.before is None or (item.at is not None and item.at < self.before))
        )

    def __str__(self) -> str:
        topic = f" about {', '.join(self.topic)}" if self.topic else ""
        return f"{self.action} {self.person}{topic} ({self.sensitivity})"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one owner, in order, and what happens to sensitive items that no rule names."""

    rules: tuple[Rule, ...] = ()
    default_sensitive: Action = "ask"

    @property
    def unreserved(self) -> bool:
        """Whether everything may be told to everybody, however sensitive: then nothing has to be judged."""
        return not self.rules and self.default_sensitive == "tell"


@dataclass(frozen=True, slots=True)
class Decision:
    """told: the outcome. action: what the rule said. rule: which one, for the ledger of disclosures."""

    told: bool
    action: Action
    rule: str


class Owner(Protocol):
    """The human behind an agent, who approves what the rules leave open."""

    async def approve(self, item: Item, partner: str, task: str) -> bool:
        """Whether `item` may be told to `partner` for `task`."""

    async def clarify(self, question: str) -> str:
        """What the owner answers to its own agent, "" where nobody is there."""


class UnattendedOwner:
    """Nobody is there to ask: everything left open is refused."""

    async def approve(self, item: Item, partner: str, task: str) -> bool:
        return False

    async def clarify(self, question: str) -> str:
        return ""


def ruled(policy: Policy, item: Item, partner: str, tie: int) -> tuple[Action, str]:
    """What audience, rules and defaults say of telling `item`, and which of them."""
    if item.audience is not None and partner not in item.audience:
        return "refuse", "audience"
    rule = next((rule for rule in policy.rules if rule.fits(item, partner, tie)), None)
    if rule:
        return rule.action, str(rule)
    if item.sensitivity == "ordinary":
        return "tell", "default: ordinary"
    return policy.default_sensitive, f"default: {item.sensitivity}"


async def decide(
    policy: Policy, owner: Owner, item: Item, partner: str, tie: int, task: str, granted: Granted | None = None,
    past: gate.Past = gate.NOTHING,
) -> Decision:  # fmt: skip
    """Whether `item` may be told. What the partner said or heard itself is no disclosure.

    granted: the owner's grants; one is used, and counted, where the rules would not tell. past: what the partner was told
    and refused before; what would give away something refused together with it is not told by a rule.
    """
    if partner in item.shared_with:
        return Decision(True, "tell", "the partner was there")
    action, name = ruled(policy, item, partner, tie)
    if action == "tell" and (secret := gate.given_away(item, past, task)) is not None:
        action, name = "refuse", f"composition: with what was told it gives away {secret}"
    if action != "tell" and granted and (grant := await grants.allowed(granted, item, partner, task)):
        return Decision(True, "tell", grants.rule_of(grant))
    told = await owner.approve(item, partner, task) if action == "ask" else action == "tell"
    return Decision(told, action, name)


def would_tell(policy: Policy, item: Item, partner: str, tie: int, task: str, granted: Granted) -> bool:
    """Whether `item` could be told now with nobody asked and nothing used up."""
    if partner in item.shared_with or ruled(policy, item, partner, tie)[0] == "tell":
        return True
    return any(grants.fitting(granted.to(partner), item, task))
