"""One recall over one owner's rows: gather what matches, weigh it, read back the best.

Nothing here chooses an owner: every statement comes from the `Scope` that is passed in.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from kithnet.memory import lexical, recall, schema, texts
from kithnet.memory.notes import Notes, served
from kithnet.memory.recall import Hit
from kithnet.memory.scope import Scope
from kithnet.memory.vectors import VectorIndex, Vectors
from kithnet.memory.view import Array, View, positions

VECTOR_CANDIDATES = 100
LONG = 4_000  # characters; longer texts are the same only if they are equal
READ_BACK = 6  # candidates read for each hit asked for: the same text said again counts once


@dataclass(frozen=True)
class Question:
    """What is asked. vector: (dim,) or None for a purely lexical recall. Other fields: see `OwnerMemory.recall`."""

    text: str
    terms: Sequence[lexical.Term]
    vector: Vectors | None
    partner: str | None
    speakers: Sequence[str]
    k: int
    budget: int
    at: datetime | None


@dataclass(frozen=True)
class Found:
    hits: tuple[Hit, ...]
    searched: int
    abstained: bool


class Search:
    """One question put to one snapshot of the database."""

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        view: View,
        notes: Notes,
        names: dict[int, set[str]],
        index: VectorIndex | None,
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._view = view
        self._notes = notes
        self._names = names
        self._index = index

    def run(self, question: Question) -> Found:
        """Rank all utterances and served memories and return the best that fit the budget."""
        notes = served(self._notes, self._scope, self._connection, question.partner, question.at)
        view = self._view.until(_epoch(question.at)) if question.at else self._view
        evidence = self._evidence(question, view, notes)
        weighed = recall.support(evidence)
        keys = np.concatenate((view.of_starts("text"), notes.column("text")))
        cosines = self._cosines(question, keys, weighed.lexical)
        scores = recall.fuse(weighed.lexical, cosines)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > 0]
        chosen, seen = [], set()
        for item in order:
            if keys[item] not in seen:
                seen.add(int(keys[item]))
                chosen.append(int(item))
            if len(chosen) >= question.k * READ_BACK:
                break
        built = _Building(weighed, cosines, scores)
        hits = self._within_budget(question, self._read(chosen, view, notes, built))
        return Found(tuple(hits), len(view.ids) + len(notes), _abstain(hits))

    def rarity(self, terms: Sequence[lexical.Term]) -> list[float]:
        """Inverse frequency of each term over the owner's utterances."""
        frequency = self.held(terms, self._view).sum(axis=1)
        return [float(idf) for idf in recall.inverse_frequency(frequency, self._view.utterances)]

    def mentions(self, terms: Sequence[lexical.Term]) -> dict[str, int]:
        """Person -> how many utterances of theirs to the owner hold any of the terms."""
        any_held = self.held(terms, self._view).any(axis=0)
        senders, counts = np.unique(self._view.of_starts("sender")[any_held], return_counts=True)
        by_key = {int(k): int(n) for k, n in zip(senders, counts, strict=True) if k != self._scope.owner}
        query = select(schema.person.c.key, schema.person.c.id).where(schema.person.c.key.in_(by_key))
        ids = {row.key: row.id for row in self._connection.execute(query)}
        return {ids[key]: count for key, count in sorted(by_key.items(), key=lambda item: (-item[1], item[0]))}

    def held(self, terms: Sequence[lexical.Term], view: View) -> recall.Bools:
        """(T, G) whether the utterance's text holds the term, by the full-text index."""
        held = np.zeros((len(terms), view.utterances), dtype=bool)
        for row, term in zip(held, terms, strict=True):
            ids = self._connection.scalars(self._scope.matching_messages(term)).all()
            row[view.group[view.positions(ids)]] = True
        return held

    def _evidence(self, question: Question, view: View, notes: Notes) -> recall.Evidence:
        spoken = self.held(question.terms, view)
        noted = np.zeros((len(question.terms), len(notes)), dtype=bool)
        if len(notes):
            for row, term in zip(noted, question.terms, strict=True):
                ids = self._connection.scalars(self._scope.matching_memories(term)).all()
                row[positions(notes.ids, ids)] = True
        quiet = np.zeros(noted.shape)
        return recall.Evidence(
            held=np.concatenate((spoken, noted), axis=1),
            named=np.concatenate((self._named(question.terms, view), self._noted_names(question.terms, notes)), axis=1),
            near=np.concatenate((recall.neighbours(spoken, view), quiet), axis=1),
            words=np.concatenate((view.of_starts("words"), notes.column("words"))).astype(np.float64),
            speaker=np.concatenate((self._spoke(question.speakers, view), np.zeros(len(notes)))),
        )

    def _called(self, term: lexical.Term) -> list[int]:
        return [key for key, stems in self._names.items() if term.stem in stems]

    def _named(self, terms: Sequence[lexical.Term], view: View) -> recall.Floats:
        named = np.zeros((len(terms), view.utterances))
        for row, term in zip(named, terms, strict=True):
            if people := self._called(term):
                heard = np.isin(view.column("receiver"), people)
                row[view.group[heard]] = recall.WEIGHTS.sent_to_named
                row[np.isin(view.of_starts("sender"), people)] = recall.WEIGHTS.sent_by_named
        return named

    def _noted_names(self, terms: Sequence[lexical.Term], notes: Notes) -> recall.Floats:
        named = np.zeros((len(terms), len(notes)))
        for row, term in zip(named, terms, strict=True):
            if people := self._called(term):
                row[np.isin(notes.column("told_by"), people)] = recall.WEIGHTS.sent_to_named
                row[np.isin(notes.column("about"), people)] = recall.WEIGHTS.sent_by_named
        return named

    def _spoke(self, speakers: Sequence[str], view: View) -> recall.Floats:
        boost = np.zeros(view.utterances)
        if not speakers:
            return boost
        query = select(schema.person.c.key).where(schema.person.c.id.in_(speakers))
        keys = self._connection.scalars(query).all()
        boost[view.group[np.isin(view.column("receiver"), keys)]] = recall.WEIGHTS.speaker_received
        boost[np.isin(view.of_starts("sender"), keys)] = recall.WEIGHTS.speaker_sent
        return boost

    def _cosines(self, question: Question, keys: Array, lexical_scores: recall.Floats) -> recall.Floats | None:
        """(D,) cosine of the items nearest to the question and of the best lexical ones; NaN elsewhere."""
        if question.vector is None or self._index is None or not len(keys):
            return None
        best = keys[np.argsort(-lexical_scores, kind="stable")[:VECTOR_CANDIDATES]]
        own = set(keys.tolist())
        near = self._index.query(question.vector, VECTOR_CANDIDATES, own)
        known = {item: cosine for item, cosine in near if item in own}
        rest = set(best.tolist()) - known.keys()
        if rest:
            known.update((item, cosine) for item, cosine in self._index.query(question.vector, len(rest), rest))
        by_text = np.array(sorted(known.items()), dtype=np.float64).reshape(len(known), 2)
        cosines = np.full(len(keys), np.nan)
        if len(by_text):
            place = np.minimum(np.searchsorted(by_text[:, 0], keys), len(by_text) - 1)
            hit = by_text[place, 0] == keys
            cosines[hit] = by_text[place[hit], 1]
        return cosines

    def _read(self, chosen: list[int], view: View, notes: Notes, built: "_Building") -> list[Hit]:
        """Read the chosen items back through the scope; what is no longer there is left out."""
        spoken = {int(view.ids[view.starts[item]]): item for item in chosen if item < view.utterances}
        noted = {int(notes.ids[item - view.utterances]): item for item in chosen if item >= view.utterances}
        hits: dict[int, Hit] = {}
        if spoken:
            query = self._scope.message_rows().where(schema.message.c.id.in_(spoken))
            for row in self._connection.execute(query):
                hits[spoken[row.id]] = message_hit(row, *built.of(spoken[row.id]))
        if noted:
            for hit in memory_hits(self._connection, self._scope, list(noted)):
                item = noted[int(hit.id[1:])]
                score, lexical_score, cosine, coverage = built.of(item)
                hits[item] = replace(hit, score=score, lexical=lexical_score, cosine=cosine, coverage=coverage)
        return [hits[item] for item in chosen if item in hits]

    def _within_budget(self, question: Question, candidates: list[Hit]) -> list[Hit]:
        left = question.budget
        kept: list[Hit] = []
        said: set[str] = set()
        for hit in candidates:
            wording = hit.text if len(hit.text) > LONG else " ".join(texts.words(hit.text)) or hit.text
            if wording in said:
                continue
            if not kept and recall.cost(hit.text) > left:
                hit = _cut(hit, question, left)
            if recall.cost(hit.text) <= left:
                kept.append(hit)
                said.add(wording)
                left -= recall.cost(hit.text)
            if len(kept) == question.k:
                break
        return kept


@dataclass(frozen=True)
class _Building:
    weighed: recall.Support
    cosines: recall.Floats | None
    scores: recall.Floats

    def of(self, item: int) -> tuple[float, float, float | None, float]:
        """score, lexical, cosine, coverage"""
        cosine = None
        if self.cosines is not None and not np.isnan(self.cosines[item]):
            cosine = float(self.cosines[item])
        return (
            min(1.0, float(self.scores[item])),
            min(1.0, float(self.weighed.lexical[item])),
            cosine,
            float(self.weighed.coverage[item]),
        )


def message_hit(
    row: Row[Any], score: float = 1.0, lexical: float = 0.0, cosine: float | None = None, coverage: float = 0.0
) -> Hit:
    """A row of `Scope.message_rows` as a hit."""
    return Hit(
        id=f"m{row.id}",
        kind="message",
        text=row.body,
        score=score,
        lexical=lexical,
        cosine=cosine,
        coverage=coverage,
        sender=row.sender,
        receiver=row.receiver,
        at=row.at,
        session=row.session,
        messages=(f"m{row.id}",),
        told_by=row.sender,
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
            receiver=owner or "",
            at=row.valid_from,
            session=row.session or "",
            messages=(*evidence.get(row.id, ()), *json.loads(row.handles)),
            told_by=row.told_by,
            audience=tuple(audience.get(row.id, ())) if row.restricted else None,
            about=row.about,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        for row in rows
    ]


def _cut(hit: Hit, question: Question, tokens: int) -> Hit:
    characters = max(0, tokens - recall.TOKENS_PER_HIT) * recall.CHARACTERS_PER_TOKEN
    wanted = [term.word for term in question.terms]
    return replace(hit, text=recall.excerpt(hit.text, wanted, characters), excerpt=True)


def _abstain(hits: Sequence[Hit]) -> bool:
    weights = recall.WEIGHTS
    return not any(
        hit.coverage >= weights.abstain_coverage or (hit.cosine or 0.0) >= weights.abstain_cosine for hit in hits
    )


def _epoch(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp())
