"""How sensitive a message is: told in confidence, or of a matter that is delicate in itself. The trained reader judges it; without
one, a few words do, which miss most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kithnet.memory.language.reader import SECRECY, Line, Reader
from kithnet.memory.language.text import stem, words

Sensitivity = Literal["ordinary", "private", "confidence"]


@dataclass(frozen=True, slots=True)
class Item:
    """Something an agent is about to tell: messages of its own memory and the words it would repeat.

    shared_with: who was there when it was said. audience: the only people it may be told, None for everybody. id: of the
    agent's own message or memory ("m17", "k4"), "" where it only heard of it.
    """

    messages: tuple[str, ...]
    text: str
    value: str
    sensitivity: Sensitivity
    shared_with: frozenset[str]
    at: datetime | None = None
    audience: frozenset[str] | None = None
    id: str = ""


SECRET, BESIDE, GUARDED = 0.4, 0.99, 0.75
"""From which odds a message is told in confidence; from which one beside it makes it so; from which it is no ordinary one.
Chosen on a writer that the reader was not trained on (`kith bench reading`)."""
MOST_KNOWN = 50_000
"""Messages that are remembered with what they were judged as."""


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely a message is told in confidence, and how likely it is not for everybody, whyever."""

    confidence: float
    guarded: float


class Discretion:
    """Tells how sensitive a message is, from what it says and the messages around it. Safe to share between threads.

    reader: judges messages, beside phrases that ask for silence; without one, those and words of delicate matters do.
    """

    def __init__(self, reader: Reader | None = None) -> None:
        self._reader = reader
        self._known: dict[tuple[Line | None, Line], Odds] = {}

    def of(self, scene: Sequence[Line], at: int = 0) -> Sensitivity:
        """Sensitivity of line number `at` of a scene: of the line and the nearest few around it."""
        known = self.read([scene])
        own = known[_place(scene, at)]
        beside = [known[_place(scene, other)].confidence for other in range(len(scene)) if other != at]
        if own.confidence >= SECRET or any(odds >= BESIDE for odds in beside):
            return "confidence"
        return "private" if own.guarded >= GUARDED else "ordinary"

    def read(self, scenes: Sequence[Sequence[Line]]) -> Mapping[tuple[Line | None, Line], Odds]:
        """Judge the lines of scenes that were not seen before, all at once: one call of the reader is quicker than many."""
        known = self._known
        fresh = [
            place for place in dict.fromkeys(_place(scene, at) for scene in scenes for at in range(len(scene)))
            if place not in known
        ]  # fmt: skip
        if not fresh:
            return known
        if len(known) + len(fresh) > MOST_KNOWN:
            wanted = {_place(scene, at) for scene in scenes for at in range(len(scene))}
            # a new one: others read on in the old
            self._known = known = {place: known[place] for place in wanted if place in known}
        known.update(zip(fresh, self._judged(fresh), strict=True))
        return known

    def _judged(self, places: Sequence[tuple[Line | None, Line]]) -> list[Odds]:
        if self._reader is None:
            return [_by_words(text) for _, (_, text) in places]
        ordinary, confidence = SECRECY.index("ordinary"), SECRECY.index("confidence")
        found = []
        for (_, (_, text)), one in zip(places, self._reader.judged(places), strict=True):
            asked = float(_has_phrase(text))  # a plain request for silence is kept to, whatever the reader makes of it
            odds = max(asked, float(one.secrecy[confidence]))
            found.append(Odds(odds, max(odds, 1 - float(one.secrecy[ordinary]))))
        return found


def _place(scene: Sequence[Line], at: int) -> tuple[Line | None, Line]:
    """A line with the one before it, as the reader judges it."""
    return (scene[at - 1] if at else None, scene[at])


def _by_words(text: str) -> Odds:
    silence = float(_has_phrase(text))
    return Odds(silence, max(silence, float(bool({stem(word) for word in words(text)} & _PRIVATE_STEMS))))


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
