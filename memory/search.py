"""One recall over one owner's rows: gather what matches, weigh it, read back the best.

Nothing here chooses an owner or an audience: every statement comes from the `Scope` that is passed in, and memories
that the partner may not be served with are no candidates from the first step on, over links too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, select

from kithnet.memory import asking, lexical, links, reading, schema, signals
from kithnet.memory.asking import Asked
from kithnet.memory.notes import Notes, partner_key, served
from kithnet.memory.reading import Looked
from kithnet.memory.recall import Hit
from kithnet.memory.scope import Scope
from kithnet.memory.signals import Bools, Evidence, Floats
from kithnet.memory.vectors import VectorIndex, Vectors
from kithnet.memory.view import NO_TIME, Array, View, circles_with, keys_of, positions
from kithnet.memory.weights import HYBRID, LEXICAL, SHAPE

VECTOR_CANDIDATES = 100
LINKED_FROM = 20  # of the best memories: their links are followed


@dataclass(frozen=True)
class Question:
    """What is asked. vector: (dim,) or None for a purely lexical recall. Other fields: see `OwnerMemory.recall`."""

    asked: Asked
    vector: Vectors | None
    partner: str | None
    k: int
    budget: int
    at: datetime | None


@dataclass(frozen=True)
class Found:
    hits: tuple[Hit, ...]
    searched: int
    abstained: bool


@dataclass(frozen=True)
class Ranking:
    """Every item weighed. Items are numbered: the utterances of `view`, then `notes`.

    weights: of the signals that count. built: what is known of every item. looked: the best candidates, best first.
    """

    view: View
    notes: Notes
    weights: Mapping[str, float]
    built: reading.Building
    looked: tuple[Looked, ...]


class Search:
    """Questions put to one snapshot of the database."""

    def __init__(
        self, connection: Connection, scope: Scope, view: View, notes: Notes, names: Mapping[int, set[str]],
        index: VectorIndex | None,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.scope = scope
        self.view = view
        self.notes = notes
        self._names = names
        self._index = index

    def run(self, question: Question) -> Found:
        """Rank all utterances and served memories and return the best that fit the budget."""
        ranking = self.rank(question)
        chosen = reading.choose(ranking.looked, ranking.built, question.asked, question.k, question.budget)
        hits = tuple(choice.hit for choice in chosen if choice.kept)
        return Found(hits, len(ranking.view.ids) + len(ranking.notes), abstains(hits))

    def rank(self, question: Question, notes: Notes | None = None) -> Ranking:
        """Weigh every item. notes: instead of those that the partner may be served with now; only `explain` does."""
        view = self.view if question.partner is None else self.view.for_others
        view = view.until(_epoch(question.at)) if question.at else view
        if notes is None:
            notes = served(self.notes, self.scope, self.connection, question.partner, question.at)
        evidence = self._evidence(question.asked, view, notes)
        found = signals.spoken(evidence)
        cosines = self._cosines(question, view, notes)
        weights = LEXICAL if cosines is None else HYBRID
        candidates = found["coverage"] > 0
        if cosines is not None:
            found |= signals.seen(cosines, evidence.session)
            candidates |= np.nan_to_num(cosines, nan=-1.0) > SHAPE.cosine_floor
        if len(notes):
            found["linked"] = self._linked(question, view, notes, signals.weighed(found, weights) * candidates)
            candidates |= found["linked"] > 0
        order = _best(signals.weighed(found, weights), candidates, max(SHAPE.second_look, 2 * question.k))
        rows = reading.rows(self.connection, self.scope, order, view, notes)
        found |= reading.told(question.asked, rows, len(candidates))
        total = signals.weighed(found, weights)
        order = order[np.argsort(-total[order], kind="stable")]
        support = signals.support(found)
        scores = signals.scored(total, support, order)
        built = reading.Building(found, cosines, scores, signals.by_words(found))
        looked = tuple(Looked(int(item), rows[item]) for item in order.tolist() if item in rows)
        counted = {name: weight for name, weight in weights.items() if name in found}
        return Ranking(view, notes, counted, built, looked)

    def mentions(self, terms: Sequence[lexical.Term]) -> dict[str, int]:
        """Person -> how many utterances of theirs to the owner hold any of the terms."""
        view = self.view.for_others
        any_held = self.held(terms, view).any(axis=0)
        senders, counts = np.unique(view.of_starts("sender")[any_held], return_counts=True)
        by_key = {int(k): int(n) for k, n in zip(senders, counts, strict=True) if k != self.scope.owner}
        query = select(schema.person.c.key, schema.person.c.id).where(schema.person.c.key.in_(by_key))
        ids = {row.key: row.id for row in self.connection.execute(query)}
        return {ids[key]: count for key, count in sorted(by_key.items(), key=lambda item: (-item[1], item[0]))}

    def held(self, terms: Sequence[lexical.Term], view: View) -> Bools:
        """(T, U) whether the utterance's text holds the term, by the full-text index."""
        held = np.zeros((len(terms), view.utterances), dtype=bool)
        for row, term in zip(held, terms, strict=True):
            ids = keys_of(self.connection, self.scope.matching_messages(term))
            row[view.group[view.positions(ids)]] = True
        return held

    def _noted(self, terms: Sequence[lexical.Term], notes: Notes) -> Bools:
        noted = np.zeros((len(terms), len(notes)), dtype=bool)
        if len(notes):
            for row, term in zip(noted, terms, strict=True):
                ids = keys_of(self.connection, self.scope.matching_memories(term))
                row[positions(notes.ids, ids)] = True
        return noted

    def _evidence(self, asked: Asked, view: View, notes: Notes) -> Evidence:
        held = np.concatenate((self.held(asked.terms, view), self._noted(asked.terms, notes)), axis=1)
        at = np.concatenate((view.of_starts("at"), np.full(len(notes), NO_TIME)))
        sender, circle, about, told_by = (
            view.of_starts("sender"), view.of_starts("circle"), notes.column("about"), notes.column("told_by"),
        )  # fmt: skip
        people = np.array(sorted(asked.people), dtype=np.int64)
        mentioned: Bools = np.zeros(held.shape[1], dtype=bool)
        for term in asked.called:
            mentioned |= held[asked.terms.index(term)]
        named = np.zeros((len(asked.terms), held.shape[1]), dtype=np.float32)
        for row, term in zip(named, asked.terms, strict=True):
            if called := [key for key, stems in self._names.items() if term.stem in stems]:
                row[: len(circle)] = SHAPE.sent_to_named * self._among(circle, called)
                row[len(circle) :][np.isin(told_by, called)] = SHAPE.sent_to_named
                row[np.isin(np.concatenate((sender, about)), called)] = SHAPE.sent_by_named
        return Evidence(
            held=held,
            named=named,
            words=np.concatenate((view.of_starts("words"), notes.column("words"))).astype(np.float32),
            speaker=np.isin(np.concatenate((sender, about)), people).astype(np.float32),
            mentioned=mentioned.astype(np.float32),
            dated=asking.dated(at, at != NO_TIME, asked.dates),
            session=view.session_numbers,
            names_only=set(asked.terms) == set(asked.called),
        )

    def _among(self, circle: Array, called: Sequence[int]) -> Floats:
        """(U,) how far an utterance was said to one of these people: 1 to them alone, less in a group."""
        share = np.zeros(len(circle), dtype=np.float32)
        known, sizes = circles_with(self.connection, self.scope, called)
        if len(known):
            place = np.minimum(np.searchsorted(known, circle), len(known) - 1)
            there = known[place] == circle
            share[there] = 1 / np.maximum(1, sizes[place[there]] - 1)
        return share

    def _cosines(self, question: Question, view: View, notes: Notes) -> Floats | None:
        """(D,) cosines of the items nearest to the question; NaN elsewhere."""
        if question.vector is None or self._index is None or not view.utterances + len(notes):
            return None
        keys = np.concatenate((view.of_starts("text"), notes.column("text")))
        own = view.texts.union(notes.column("text").tolist()) if len(notes) else view.texts
        known = np.array(sorted(self._index.query(question.vector, VECTOR_CANDIDATES, own)), dtype=np.float64)
        if not len(known):
            return None
        cosines = np.full(len(keys), np.nan, dtype=np.float32)
        place = np.minimum(np.searchsorted(known[:, 0], keys), len(known) - 1)
        hit = known[place, 0] == keys
        cosines[hit] = known[place[hit], 1]
        return cosines

    def _linked(self, question: Question, view: View, notes: Notes, first: Floats) -> Floats:
        """(D,) how well supported the best memory one link away is. Both ends may be served to the partner."""
        linked = np.zeros(len(first), dtype=np.float32)
        noted = first[view.utterances :] / max(float(first.max(initial=0.0)), 1e-6)
        starts = [int(place) for place in np.argsort(-noted, kind="stable")[:LINKED_FROM] if noted[place] > 0]
        keys = {int(notes.ids[place]): float(noted[place]) for place in starts}
        partner = partner_key(self.connection, question.partner)
        for step in links.one_hop(self.connection, self.scope, list(keys), partner, question.at):
            for place in positions(notes.ids, [step.end]):
                item = view.utterances + int(place)
                linked[item] = max(linked[item], keys[step.start])
        return linked


def _best(scores: Floats, candidates: Bools, count: int) -> Array:
    """The `count` best candidates, best first; earlier items first among equals."""
    items = np.flatnonzero(candidates)
    if len(items) > count:
        edge = np.partition(scores[items], len(items) - count)[len(items) - count]
        items = items[scores[items] >= edge]
    return items[np.argsort(-scores[items], kind="stable")][:count]


def abstains(hits: Sequence[Hit]) -> bool:
    """Whether no hit accounts for enough of the question."""
    return not any(supports(hit) for hit in hits)


def supports(hit: Hit) -> bool:
    """Whether a hit accounts for enough of the question to be taken for an answer."""
    return hit.coverage >= SHAPE.abstain_coverage or (hit.cosine or 0.0) >= SHAPE.abstain_cosine


def _epoch(at: datetime) -> int:
    """Seconds as the view counts them: world times are naive."""
    return int(at.replace(tzinfo=UTC).timestamp())
