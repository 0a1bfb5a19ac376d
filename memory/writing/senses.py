"""Which slot a statement fills, told by meaning: near enough to examples of a slot, and nearer than to small talk."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from kithnet.memory.vectors import Embedder, Vectors

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "home": (
        "She lives in this.", "He moved to this.", "Her new home is this.", "His new address is this.",
        "She found an apartment in this and settled there.", "We got the keys to our new house in this.",
    ),
    "job": (
        "She works for this.", "He got the job at this.", "Her employer is this.", "He was hired by this.",
        "She signed the contract with this and starts next month.", "He resigned from this and joined this.",
        "This made her an offer for a position.",
    ),
    "dog name": ("Her dog has a name.", "He calls his dog by this name.", "The puppy's new name is this."),
    "cat name": ("Her cat has a name.", "He calls his cat by this name.", "The kitten's new name is this."),
    "favourite food": (
        "His favourite food is this dish.", "She likes this meal best of all.", "He eats this dish more than any other.",
    ),
    "car": ("She drives this kind of car.", "His car is of this make.", "She bought a car and sold the old one."),
    "birthday": ("Her birthday is on this day.",),
    "spouse": ("He is married to her.", "They got engaged."),
}  # fmt: skip
OTHERS = (
    "He went for a walk.", "The weather was bad.", "She watched a film last night.", "They talked on the phone.",
    "The train was late.", "She is tired today.", "He cooked soup yesterday.", "She saw a bird.", "He plays music.",
    "She joined a club.", "They laughed a lot.", "He read a book.", "She likes the idea.", "The neighbours are noisy.",
    "He travels to this for a holiday.", "The rent is high.", "Her landlord sold the house.", "He works from home.",
    "Colleagues came along.", "She had an exam.", "They named the baby this.", "He has a nickname.", "The meeting was long.",
    "She booked a trip to this.", "The wedding is in this.", "Her sister lives in this.", "He painted the walls.",
    "She had an appointment.", "He hates this film.", "She lost something.",
)  # fmt: skip


KEPT = 4_096
"""Vectors of statements that are kept: each is compared with many."""


class MeantSlots:
    """The `Senses` of extraction over a sentence embedder. NEAR, MARGIN, SAME: cosines, chosen on development wordings."""

    NEAR = 0.42
    MARGIN = 0.10
    SAME = 0.50

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._slots = [slot for slot, examples in EXAMPLES.items() for _ in examples]
        self._examples = embedder.embed([text for examples in EXAMPLES.values() for text in examples])
        self._others = embedder.embed(OTHERS)
        self._known: dict[str, Vectors] = {}

    def slot_of(self, statements: Sequence[str]) -> list[str]:
        """The slot of each statement whose nearest example is near and clearly nearer than any small talk; "" else."""
        if not statements:
            return []
        vectors = self._embedder.embed([_masked(statement) for statement in statements])
        near, away = vectors @ self._examples.T, np.max(vectors @ self._others.T, axis=1)
        best = np.argmax(near, axis=1)
        cosine = near[np.arange(len(statements)), best]
        sure = (cosine >= self.NEAR) & (cosine - away >= self.MARGIN)
        return [self._slots[place] if ok else "" for place, ok in zip(best.tolist(), sure.tolist(), strict=True)]

    def same_thing(self, statement: str, others: Sequence[str]) -> int | None:
        """The place of the statement that is nearest without its names and values, if it is near enough."""
        if not others:
            return None
        vectors = np.stack([self._vector(_masked(text)) for text in (statement, *others)])
        near = vectors[1:] @ vectors[0]
        best = int(np.argmax(near))
        return best if near[best] >= self.SAME else None

    def _vector(self, text: str) -> Vectors:
        if text not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[text] = self._embedder.embed([text])[0]
        return self._known[text]


def _masked(statement: str) -> str:
    """The statement with its names taken out: who is meant and what it is called say nothing about what is said."""
    subject, _, rest = statement.partition(" ")
    if subject.endswith("'s") or subject == "My":
        subject = "Her"
    elif subject[:1].isupper() and subject.rstrip(":") not in _OPENERS:
        subject = "She" if not subject.endswith(":") else ""
    return f"{subject} {_NAME.sub('this', rest)}".strip()


_NAME = re.compile(r"\b(?!I\b)[A-Z][\w'-]*(?: (?:&|[A-Z][\w'-]*))*")
_OPENERS = frozenset("I We My Our The A An It They This That From So In On At".split())
