"""Disclosure: code decides what an agent may tell whom (AGENTS: Disclosure). No model is asked to keep a secret.

An ordered list of rules, first match wins. What no rule names is told when it is ordinary and put to the owner
when it is sensitive; an unattended owner refuses, and the refusal is counted. A gate on every outgoing text stops
whatever repeats a refused message, whoever wrote the text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np

from kithnet.agents.disclosure import sensitivity as delicate
from kithnet.agents.wording import content_words
from kithnet.memory.language.text import sentences, stem, words
from kithnet.memory.vectors import Embedder

Action = Literal["tell", "ask", "refuse"]
Sensitivity = Literal["ordinary", "private", "confidence"]

CONFIDENCE_EXAMPLES = (
    # asking for silence
    "Please keep this between us.",
    "Don't tell anyone about this.",
    "Promise you won't repeat this to anybody.",
    "Not a word to the others.",
    "It goes no further than you.",
    "This must not get around.",
    "Please, no gossip about this.",
    "This is for your eyes only.",
    "Guard this with your life.",
    "Lock it away and forget it.",
    "Take it to the grave.",
    "Don't let it slip to anyone.",
    "Please be discreet about this.",
    # why
    "This is a secret.",
    "I'm only telling you.",
    "I haven't told anybody else.",
    "You are the only one who knows.",
    "I would be so embarrassed if people found out.",
    "Nobody is supposed to know.",
    "Can you keep a secret?",
    # promising silence
    "I won't tell anyone.",
    "Your secret is safe with me.",
    "My lips are sealed.",
    "Wild horses couldn't drag it out of me.",
    "I am silent as the grave.",
    "I have already forgotten it.",
    "Locked up, and I threw away the key.",
)
OPEN_EXAMPLES = (
    "Tell everyone the good news!",
    "Did you hear what happened yesterday?",
    "I told them all about it at dinner.",
    "Let me know when you get there.",
    "Tell your sister, she will love it.",
    "Nobody knows where the keys are.",
    "I can't tell which one is better.",
    "I promise to be on time.",
    "I have never told you about my trip.",
    "Don't forget to call them.",
    "Please pass me the salt.",
    "I don't know anyone there.",
    "Keep it, I have another one.",
    "You can tell me later.",
    "I forgot my keys at home again.",
    "We locked the door and went to bed.",
    "She looked embarrassed at the party.",
    "Please don't judge me.",
    "It was a horse race.",
    "Don't be late.",
    "I know, right?",
    # what opens news, and surprise at it: such words ask for nothing
    "While I think of it.",
    "Before it slips my mind.",
    "I almost forgot to mention it.",
    "By the way, I have news.",
    "You will never guess what happened.",
    "I can hardly believe it.",
    "Can you believe that?",
    "I would not have thought so.",
    "Who would have guessed that?",
    "He does not talk to me any more.",
)
_CONFIDENCE_PHRASES = tuple(
    tuple(phrase.split())
    for phrase in """
    between us, between you and me, between the two of us, keep it quiet, keep this quiet, keep it to yourself,
    keep this to yourself, keep that to yourself, in confidence, confidential, not a word, our secret, a secret,
    my secret, don't tell, do not tell, dont tell, don't breathe, don't mention, don't repeat, don't share,
    promise not to, mum's the word, off the record, nobody else knows, no one else knows, for your ears only,
    stays with you, stays here, stays with me, goes no further, tell nobody, tell no one, swear you, pass this on,
    pass it on, lips are sealed, leave this room, leave the room, hush hush, keep mum, be discreet, under wraps,
    nobody needs to know, nobody should know, no one should know, nobody must know, no one must know, delete this,
    burn this""".split(",")
)
_PRIVATE_STEMS = frozenset(
    stem(word)
    for word in """pregnant pregnancy miscarriage diagnosis diagnosed cancer tumour tumor hiv std depression depressed
    therapy therapist psychiatrist medication rehab addicted addiction alcoholic overdose suicide salary debt bankrupt
    bankruptcy loan mortgage fired redundant lawsuit arrested prison probation affair cheating divorce divorcing
    abortion adoption password pin abuse""".split()
)


@dataclass(frozen=True, slots=True)
class Item:
    """Something an agent is about to tell: messages of its own memory and the words it would repeat."""

    messages: tuple[str, ...]
    text: str
    value: str
    sensitivity: Sensitivity
    shared_with: frozenset[str]
    at: datetime | None = None


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


class UnattendedOwner:
    """Nobody is there to ask: everything left open is refused."""

    async def approve(self, item: Item, partner: str, task: str) -> bool:
        return False


async def decide(policy: Policy, owner: Owner, item: Item, partner: str, tie: int, task: str) -> Decision:
    """First matching rule wins; what the partner said or heard itself is no disclosure."""
    if partner in item.shared_with:
        return Decision(True, "tell", "the partner was there")
    rule = next((rule for rule in policy.rules if rule.fits(item, partner, tie)), None)
    if rule:
        action, name = rule.action, str(rule)
    elif item.sensitivity == "ordinary":
        action, name = "tell", "default: ordinary"
    else:
        action, name = policy.default_sensitive, f"default: {item.sensitivity}"
    told = await owner.approve(item, partner, task) if action == "ask" else action == "tell"
    return Decision(told, action, name)


class Discretion:
    """Tells how sensitive a message is, from its words and the messages around it.

    Phrases of confidence are found by a word list and, where an embedder is given, by meaning: a message nearer to
    examples of confidence than to examples of openness, by a margin, counts whatever its wording. Sentences are
    compared one by one. A regression over further examples finds delicate matters and what is told in trust (`delicate`). It
    errs towards confidence: a needless refusal harms less than a leak.
    """

    NEAR = 0.40
    MARGIN = 0.15

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._known: dict[tuple[str, ...], Sensitivity] = {}
        self._confidence = embedder.embed(CONFIDENCE_EXAMPLES) if embedder else None
        self._open = embedder.embed(OPEN_EXAMPLES) if embedder else None

    def of(self, text: str, around: Sequence[str] = ()) -> Sensitivity:
        """Sensitivity of `text`, said amid the messages `around` (same session, nearest few)."""
        key = (text, *around)
        if key not in self._known:
            self._known[key] = self._judge(text, around)
        return self._known[key]

    def _judge(self, text: str, around: Sequence[str]) -> Sensitivity:
        if any(_has_phrase(part) for part in (text, *around)) or self._by_meaning((text, *around)):
            return "confidence"
        own, beside = self._marks((text,)), self._marks(around)
        if own[1] >= delicate.TRUST or beside[1] >= delicate.NEARBY:
            return "confidence"
        if {stem(word) for word in words(text)} & _PRIVATE_STEMS or own[0] >= delicate.MATTER:
            return "private"
        return "ordinary"

    def _marks(self, texts: Sequence[str]) -> tuple[float, float]:
        """The most that any sentence is of a delicate matter, and told in trust."""
        parts = [part for text in texts for part in sentences(text)]
        if self._embedder is None or not parts:
            return -9.0, -9.0
        matters, trusts = zip(*delicate.judge(parts, self._embedder), strict=True)
        return max(matters), max(trusts)

    def _by_meaning(self, texts: Sequence[str]) -> bool:
        if self._embedder is None or self._confidence is None or self._open is None:
            return False
        parts = [part for text in texts for part in sentences(text)]
        if not parts:
            return False
        vectors = self._embedder.embed(parts)
        near = np.max(vectors @ self._confidence.T, axis=1)
        away = np.max(vectors @ self._open.T, axis=1)
        return bool(np.any((near >= self.NEAR) & (near - away >= self.MARGIN)))


def stronger(left: Sensitivity, right: Sensitivity) -> Sensitivity:
    """The more sensitive of the two."""
    order: tuple[Sensitivity, ...] = ("ordinary", "private", "confidence")
    return max(left, right, key=order.index)


def _has_phrase(text: str) -> bool:
    spoken = words(text)
    return any(
        tuple(spoken[at : at + len(phrase)]) == phrase
        for phrase in _CONFIDENCE_PHRASES
        for at in range(len(spoken) - len(phrase) + 1)
    )


def leak(text: str, refused: Iterable[Item], known: str = "") -> Item | None:
    """The first refused item that `text` repeats, by a rare n-gram or by its value; None when it is clean.

    known: words the partner has said itself, which repeat nothing. An n-gram is rare when it is four words long with
    at least two content words among them that are not in `known`.
    """
    spoken = words(text)
    heard = {stem(word) for word in words(known)}
    for item in refused:
        if _repeats_run(spoken, words(item.text), heard) or _repeats_value(spoken, item.value, heard):
            return item
    return None


def _repeats_run(spoken: Sequence[str], secret: Sequence[str], heard: set[str], width: int = 4) -> bool:
    runs = {tuple(secret[at : at + width]) for at in range(max(1, len(secret) - width + 1))}
    for at in range(max(1, len(spoken) - width + 1)):
        run = tuple(spoken[at : at + width])
        fresh = [word for word in content_words(" ".join(run)) if stem(word) not in heard]
        if run in runs and len(fresh) >= min(2, len(run)):
            return True
    return False


def _repeats_value(spoken: Sequence[str], value: str, heard: set[str]) -> bool:
    wanted = {stem(word) for word in content_words(value)} - heard
    return bool(wanted) and wanted <= {stem(word) for word in spoken}
