"""The best items of a ranking read back from the database, what their text tells, and which of them fit the budget."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, Row, select

from kithnet.memory import asking, recall, schema
from kithnet.memory.asking import Asked
from kithnet.memory.conversations import read_receivers
from kithnet.memory.language.text import index_words
from kithnet.memory.notes import Notes
from kithnet.memory.recall import Hit
from kithnet.memory.scope import Scope
from kithnet.memory.signals import Floats, Signals
from kithnet.memory.view import Array, View

LONG = 4_000  # characters; longer texts are the same only if they are equal
FILLERS = frozenset("a an the oh ah um uh well so just really very hey hi okay ok yeah wow".split())

Why = Literal["kept", "duplicate", "budget", "rank"]


@dataclass(frozen=True, slots=True)
class Looked:
    """A candidate that was read back, without its scores yet."""

    item: int
    hit: Hit


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of a candidate. why: "kept"; or the same was said above, or what it was dropped for."""

    item: int
    hit: Hit
    why: Why

    @property
    def kept(self) -> bool:
        return self.why == "kept"


@dataclass(frozen=True)
class Building:
    """What a ranking says of its items, for their hits."""

    signals: Signals
    cosines: Floats | None
    scores: Floats
    lexical: Floats

    def hit(self, looked: Looked) -> Hit:
        """The hit of an item with its scores."""
        item, cosine = looked.item, None
        if self.cosines is not None and not np.isnan(self.cosines[item]):
            cosine = float(self.cosines[item])
        return replace(
            looked.hit,
            score=float(self.scores[item]),
            lexical=float(self.lexical[item]),
            cosine=cosine,
            coverage=float(self.signals["coverage"][item]),
        )


def rows(connection: Connection, scope: Scope, items: Array, view: View, notes: Notes) -> dict[int, Hit]:
    """Read items back through the scope; what is no longer there is left out."""
    spoken = {int(view.ids[view.starts[item]]): int(item) for item in items if item < view.utterances}
    noted = {int(notes.ids[item - view.utterances]): int(item) for item in items if item >= view.utterances}
    hits: dict[int, Hit] = {}
    if spoken:
        query = scope.message_rows().where(schema.message.c.id.in_(spoken))
        hits.update((spoken[row.id], message_hit(row)) for row in connection.execute(query))
    if noted:
        hits.update((noted[int(hit.id[1:])], hit) for hit in memory_hits(connection, scope, list(noted)))
    return hits


def told(asked: Asked, hits: Mapping[int, Hit], items: int) -> Signals:
    """The signals that the text itself gives, for those that were read: (items,) each.

    `time`, `number`: it tells a time or a number that the question asks for. `asks`: it is itself a question.
    """
    names = ("time", "number", "asks")
    found = {name: np.zeros(items, dtype=np.float32) for name in names}
    for item, hit in hits.items():
        for name, value in zip(names, asking.answers(asked, hit.text), strict=True):
            found[name][item] = value
    return found


def choose(
    looked: Sequence[Looked], built: Building, asked: Asked, k: int, budget: int, *, every: bool = False
) -> Iterator[Choice]:
    """Take the best that fit `k` and the budget, and the same wording once; ends at `k` unless `every` is wanted."""
    left, kept = budget, 0
    said: set[str] = set()
    for one in looked:
        if kept >= k and not every:
            return
        hit, words = one.hit, wording(one.hit.text)
        why: Why
        if words in said:
            why = "duplicate"
        elif kept >= k:
            why = "rank"
        else:
            if not kept and recall.cost(hit.text) > left:
                hit = _cut(hit, asked, left)
            why = "kept" if recall.cost(hit.text) <= left else "budget"
        if why == "kept":
            kept += 1
            said.add(words)
            left -= recall.cost(hit.text)
        yield Choice(one.item, built.hit(Looked(one.item, hit)), why)


def wording(text: str) -> str:
    """What two texts that say the same have in common: their words without fillers, in their order."""
    if len(text) > LONG:
        return text
    spoken = index_words(text)
    return " ".join(word for word in spoken if word not in FILLERS) or " ".join(spoken) or text


def message_hit(row: Row[Any], text: str | None = None) -> Hit:
    """A row of `Scope.message_rows` as a hit. text: the part of it that counts; None for all."""
    return Hit(
        id=f"m{row.id}",
        kind="message",
        text=row.body if text is None else text,
        score=1.0,
        lexical=0.0,
        cosine=None,
        coverage=0.0,
        sender=row.sender,
        receivers=read_receivers(row.receivers),
        at=row.at,
        session=row.session,
        messages=(f"m{row.id}",),
        told_by=row.sender,
        excerpt=text is not None,
    )


def memory_hits(connection: Connection, scope: Scope, ids: Sequence[int]) -> list[Hit]:
    """The owner's memories with these keys as hits, with their evidence and audience; unknown keys are left out."""
    rows = connection.execute(scope.memory_rows().where(schema.memory.c.id.in_(ids))).all()
    own = [row.id for row in rows]
    evidence: dict[int, list[str]] = {}
    stated = select(schema.evidence).where(schema.evidence.c.memory.in_(own)).order_by(schema.evidence.c.message)
    for memory, message in connection.execute(stated):
        evidence.setdefault(memory, []).append(f"m{message}")
    audience: dict[int, list[str]] = {}
    listed = select(schema.audience.c.memory, schema.person.c.id).join(
        schema.person, schema.person.c.key == schema.audience.c.person
    )
    for memory, person in connection.execute(listed.where(schema.audience.c.memory.in_(own)).order_by("id")):
        audience.setdefault(memory, []).append(person)
    owner = connection.scalar(select(schema.person.c.id).where(schema.person.c.key == scope.owner))
    return [
        Hit(
            id=f"k{row.id}",
            kind=row.kind,
            text=row.body,
            score=1.0,
            lexical=0.0,
            cosine=None,
            coverage=0.0,
            sender=row.told_by,
            receivers=(owner,) if owner else (),
            at=row.valid_from,
            session=row.session or "",
            messages=(*evidence.get(row.id, ()), *json.loads(row.handles)),
            told_by=row.told_by,
            audience=tuple(audience.get(row.id, ())) if row.restricted else None,
            about=row.about,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            trust=1.0 if evidence.get(row.id) or row.handles == "[]" else row.importance,
        )
        for row in rows
    ]


def _cut(hit: Hit, asked: Asked, tokens: int) -> Hit:
    characters = max(0, tokens - recall.TOKENS_PER_HIT) * recall.CHARACTERS_PER_TOKEN
    wanted = [term.word for term in asked.terms]
    return replace(hit, text=recall.excerpt(hit.text, wanted, characters), excerpt=True)
