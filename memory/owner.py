"""What one person knows, bound to that person: no method takes another owner."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from kithnet.memory import (
    asking,
    currency,
    egocentric,
    explaining,
    gathering,
    lexical,
    links,
    notes,
    record,
    schema,
    talks,
    utterances,
    view,
)
from kithnet.memory.database import Database
from kithnet.memory.egocentric import Action, Disclosure, Kind, Remembered, item_key, partner_key, person_key
from kithnet.memory.explaining import Candidate
from kithnet.memory.grants import Grants
from kithnet.memory.links import Link, LinkType
from kithnet.memory.reading import memory_hits, message_hit
from kithnet.memory.readings import Readings
from kithnet.memory.recall import Hit, Recall
from kithnet.memory.record import Kept
from kithnet.memory.scope import Scope
from kithnet.memory.search import Question, Search
from kithnet.memory.talks import Partner
from kithnet.memory.utterances import Utterance
from kithnet.memory.writing import diary, tagging
from kithnet.memory.writing.events import Event
from kithnet.memory.writing.extract import Senses, Statement, extract
from kithnet.runtime.errors import InputError

if TYPE_CHECKING:
    from kithnet.memory.vectors import Embedder, VectorIndex


class OwnerMemory:
    """One person's messages and memories. Made by `Store.owner`. Safe to share between threads.

    Errors of all methods: StorageError for a damaged or full disk, WorldBusy for a locked database.
    """

    def __init__(
        self,
        database: Database,
        owner: str,
        *,
        index: "VectorIndex | None" = None,
        embedder: "Embedder | None" = None,
    ) -> None:
        if index is not None and embedder is not None and index.embedder != embedder.name:
            raise InputError(
                f"the vectors were made by {index.embedder}, not by {embedder.name}",
                "run `kith world index WORLD --fresh`",
            )
        self.owner = owner
        self._database = database
        self._index = index if embedder is not None else None
        self._embedder = embedder if index is not None else None
        with database.read() as connection:
            self._scope = Scope(person_key(connection, owner))
        self.grants = Grants(database, self._scope)
        self.readings = Readings(database, self._scope)
        self._indexed = False
        self._refreshing = threading.Lock()
        self._view = view.EMPTY
        self._notes = notes.EMPTY
        self._names: dict[int, set[str]] = {}
        self._events: tuple[tuple[int, ...], list[Event]] | None = None
        self._tagger = tagging.tagger_of(embedder)

    # --- reading ---

    def recall(
        self, query: str, *, partner: str | None = None, speakers: Sequence[str] | None = None, k: int = 8,
        budget: int = 800, at: datetime | None = None,
    ) -> Recall:  # fmt: skip
        """Find what the owner knows about `query`, any text.

        partner: id of the person it is for; memories whose audience leaves them out are no candidates. None: for the
        owner's own use. speakers: ids of the people the question names, whose messages weigh more; None: whom its words
        name, as far as that is clear. k: hits at most.
        budget: tokens (of about 4 characters) that the hits may take in a prompt. at: as of a time in the world;
        None: what holds now.
        """
        started = time.monotonic()
        question = self._question(query, partner, speakers, k, budget, _naive(at))
        with self._search() as search:
            found = search.run(question)
        mode = "lexical" if question.vector is None else "hybrid"
        return Recall(found.hits, found.searched, found.abstained, time.monotonic() - started, mode)

    def explain(
        self, query: str, *, partner: str | None = None, speakers: Sequence[str] | None = None, k: int = 8,
        budget: int = 800, at: datetime | None = None,
    ) -> list[Candidate]:  # fmt: skip
        """Every candidate that `recall` with the same arguments weighs, its scores, and why it was kept or dropped.

        Best first, memories that are withheld or over last. Of what the partner may not be served with, only the id.
        """
        question = self._question(query, partner, speakers, k, budget, _naive(at))
        with self._search() as search:
            return explaining.explain(search, question)

    def message(self, item: str) -> Hit:
        """The message ("m17") or memory ("k4") with this id. Raises InputError when the owner has none such."""
        with self._database.read() as connection:
            if item.startswith("k"):
                hits = memory_hits(connection, self._scope, [item_key(item, "k")])
            else:
                query = self._scope.message_rows().where(schema.message.c.id == item_key(item, "m"))
                hits = [message_hit(row) for row in connection.execute(query)]
        if not hits:
            raise InputError(f"{self.owner} has no message or memory {item!r}", "cite an id that recall returned")
        return hits[0]

    def neighbours(self, item: str, before: int = 1, after: int = 1) -> list[Hit]:
        """The owner's messages just before and after a message in its session, without it, in their order.

        A line heard by several people counts as one step and appears once. Raises InputError like `message`.
        """
        number = item_key(item, "m")
        self.message(item)
        with self._database.read() as connection:
            seen, _ = self._refresh(connection)
            place = int(seen.group[seen.positions([number])[0]])
            sessions = seen.of_starts("session")
            around = [
                int(seen.ids[seen.starts[other]])
                for other in range(max(0, place - before), min(seen.utterances, place + after + 1))
                if other != place and sessions[other] == sessions[place]
            ]
            query = self._scope.message_rows().where(schema.message.c.id.in_(around))
            return [message_hit(row) for row in connection.execute(query.order_by(schema.message.c.seq))]

    def taken_back(self, item: str, question: str) -> Hit | None:
        """The message in which its sender later put something else in the place of what "m17" answers to `question`.

        Its text is cut to what is new. None while nothing did, and for a memory, whose validity is kept. Raises
        InputError like `message`.
        """
        hit = self.message(item)
        if hit.kind != "message":
            return None
        with self._search() as search:
            return currency.successor(search, hit, question)

    def session(self, session: str) -> list[Hit]:
        """The owner's messages of a session, in their order; none for a session that the owner took no part in."""
        with self._database.read() as connection:
            return talks.session(connection, self._scope, session)

    def gather(self, query: str, *, most: int, speakers: Sequence[str] | None = None) -> list[Hit]:
        """At most `most` of the owner's messages that may bear on `query`, oldest first; one heard by several, once.

        All of them where there are no more; else what recall ranks first, and then the latest. What an agent said from
        memory is left out. speakers: as in `recall`.
        """
        question = self._question(query, None, speakers, most, most, None)
        with self._search() as search:
            return gathering.gather(search, question)

    def sessions_with(self, partner: str) -> list[str]:
        """Ids of the sessions in which the owner and `partner` wrote to each other, oldest first."""
        with self._database.read() as connection:
            return talks.sessions_with(connection, self._scope, partner)

    def partners(self) -> list[Partner]:
        """Everyone of the network the owner has exchanged messages with, most messages first."""
        with self._database.read() as connection:
            return talks.partners(connection, self._scope)

    def mentions(self, terms: Iterable[str]) -> dict[str, int]:
        """How often each partner spoke to the owner of any of these words: whom to ask about them.

        A partner's line counts once however many people heard it. Partners who never did are left out.
        """
        wanted = lexical.terms_of(terms)
        with self._search() as search:
            counts = search.mentions(wanted)
        return counts

    def memories(self, about: str | None = None, limit: int = 50) -> list[Hit]:
        """What the owner has noted and still holds, newest first; `about` one person only, if given."""
        memory = schema.memory.c
        query = self._scope.served(self._scope.memories(memory.id), None, None)
        with self._database.read() as connection:
            if about is not None:
                query = query.where(memory.about == person_key(connection, about))
            ids = list(connection.scalars(query.order_by(memory.id.desc()).limit(limit)))
            hits = {hit.id: hit for hit in memory_hits(connection, self._scope, ids)}
        return [hits[f"k{key}"] for key in ids]

    def past(self, item: str) -> list[Hit]:
        """The memories that a memory ("k4") took the place of, newest first. Raises InputError when the owner has none such."""
        number = item_key(self.message(item).id, "k")
        query = self._scope.memories(schema.memory.c.id).where(schema.memory.c.superseded_by == number)
        with self._database.read() as connection:
            ids = list(connection.scalars(query))
            hits = {hit.id: hit for hit in memory_hits(connection, self._scope, ids)}
        return [hits[f"k{key}"] for key in sorted(ids, reverse=True) if f"k{key}" in hits]

    def outdated(self, items: Sequence[str]) -> set[str]:
        """Which of these messages ("m17") state a memory that another one has taken the place of."""
        numbers = [item_key(item, "m") for item in items]
        with self._database.read() as connection:
            return {f"m{key}" for key in egocentric.outdated(connection, self._scope, numbers)}

    def links(self, item: str, *, partner: str | None = None, at: datetime | None = None) -> list[Link]:
        """The links of a memory ("k4") to others, as far as `partner` may be served with both; None: the owner's use.

        Raises InputError when the owner has none such.
        """
        number = item_key(item, "k")
        self.message(item)
        with self._database.read() as connection:
            return links.of(connection, self._scope, number, notes.partner_key(connection, partner), _naive(at))

    def statements(self, session: str, senses: Senses | None = None, own: Iterable[str] = ()) -> list[Statement]:
        """What is said of people in a session that the owner took part in, by rules and, with `senses`, by meaning.

        own: ids under which the owner speaks too, as at the keyboard. Nothing is written. What an agent said is not
        read.
        """
        with self._database.read() as connection:
            turns = record.turns(connection, self._scope, session, {*own}, self.owner)
            cast = record.cast(connection, self._scope)
        return [*extract(turns, cast, senses), *diary.statements(turns, cast, self._tagger)]

    def events(self, lines: Iterable[Hit], own: Iterable[str] = ()) -> list[Event]:
        """What goes on when, as these messages of the owner's and those around them tell it, oldest session first.

        own: as in `statements`. The messages read last are not read again.
        """
        key = tuple(item_key(line.id, "m") for line in lines)
        with self._search() as search:
            if self._events is None or self._events[0] != key:
                near = gathering.around(search, list(key))
                found = record.events(search.connection, self._scope, near, {*own}, self.owner, self._tagger)
                self._events = key, found
            return list(self._events[1])

    def disclosures(self) -> list[Disclosure]:
        """What was decided about telling the owner's items to others, oldest first."""
        with self._database.read() as connection:
            return egocentric.disclosures(connection, self._scope)

    # --- writing ---

    def remember(
        self,
        *,
        about: str,
        text: str,
        told_by: str,
        kind: Kind,
        evidence: Sequence[str],
        audience: Sequence[str] | None = None,
        session: str | None = None,
        at: datetime | None = None,
        importance: float = 0.5,
        slot: str | None = None,
        supersedes: str | None = None,
        handles: Sequence[str] = (),
        starts: datetime | None = None,
        ends: datetime | None = None,
    ) -> Remembered:
        """Note a statement from the owner's point of view.

        about, told_by: ids of people. evidence: ids of the owner's messages that state it. audience: ids of the only
        people it may be told; None for everybody, () for nobody. at: since when it holds. slot: what it is a value of
        ("job"): another value for the same slot and person closes this one. supersedes: id of the memory it corrects.
        handles: ids of other people's messages, as they cited them; they are kept to be cited again and open nothing.
        starts, ends: of an event or a plan.
        The same statement by the same person for the same audience reinforces the memory there is.

        Raises UnknownPerson, and InputError for an empty text or evidence that is not the owner's.
        """
        if not text.strip():
            raise InputError("an empty text cannot be remembered")
        with self._database.write() as connection:
            note = egocentric.Note(
                about=person_key(connection, about),
                told_by=person_key(connection, told_by),
                kind=kind,
                text=text,
                slot=slot,
                evidence=tuple(item_key(item, "m") for item in evidence),
                audience=None if audience is None else frozenset(person_key(connection, p) for p in audience),
                session=session,
                at=_naive(at),
                importance=importance,
                supersedes=None if supersedes is None else item_key(supersedes, "k"),
                handles=tuple(handles),
                starts=_naive(starts),
                ends=_naive(ends),
            )
            return egocentric.remember(connection, self._scope, note)

    def write_session(
        self,
        session: str,
        statements: Sequence[Statement],
        *,
        confided: Iterable[str] = (),
        private: bool = False,
        summary: tuple[str, str] | None = None,
        senses: Senses | None = None,
        read_by: str = "",
        anew: bool = False,
    ) -> Kept:
        """Write down a session in one transaction: its statements, their links, its summary (about whom, text).

        confided: ids of messages said in confidence; what they state may be told to those who were there alone, and so
        may a summary. private: nothing of it may be told to anyone. senses: tells which older statement a change is
        about, where no rule does. read_by: the reader that judged the statements. The same session again adds nothing; `anew`,
        what another reader noted of it and the statements do not say is taken away.
        """
        numbers = {item_key(item, "m") for item in confided}
        with self._database.write() as connection:
            done = record.write(
                connection, self._scope, session, statements, numbers, private, summary, senses, read_by, anew
            )
        added, confirmed, gone = (
            tuple(f"k{key}" for key in dict.fromkeys(keys)) for keys in (done.added, done.confirmed, done.gone)
        )
        return Kept(added, confirmed, done.updated, done.linked, f"k{done.summary}" if done.summary else None, gone)

    def link(self, a: str, b: str, kind: LinkType, evidence: str | None = None) -> bool:
        """Link two memories of the owner; False when they are linked so already. Raises InputError."""
        message = None if evidence is None else item_key(self.message(evidence).id, "m")
        with self._database.write() as connection:
            return links.connect(connection, self._scope, item_key(a, "k"), item_key(b, "k"), kind, message)

    def forget(self, item: str) -> None:
        """Delete a memory ("k4"). Raises InputError when the owner has none such."""
        with self._database.write() as connection:
            if not egocentric.forget(connection, self._scope, item_key(item, "k")):
                raise InputError(f"{self.owner} has no memory {item!r}")

    def write_turn(
        self,
        partner: str,
        text: str,
        *,
        sender: str,
        session: str,
        at: datetime | None = None,
    ) -> str:
        """Add what one of two people said to the other, the owner or `partner`; return its message id.

        A partner from outside the network, as at the keyboard, is added as a person; such a message is private: the
        owner's to recall, for nobody else, and none of the world's. Raises InputError.
        """
        if sender not in (self.owner, partner) or partner == self.owner:
            raise InputError(f"a turn between {self.owner} and {partner} cannot be sent by {sender}")
        with self._database.write() as connection:
            other = partner_key(connection, partner)
            pair = (self._scope.owner, other) if sender == self.owner else (other, self._scope.owner)
            return f"m{egocentric.write_message(connection, *pair, text, session, _naive(at))}"

    def write_utterance(self, partner: str, text: str, *, session: str, answers: str | None = None) -> str:
        """Keep what the owner's agent said to `partner` in a chat; return its id ("u3"). It is nobody's message: no
        recall finds it, nothing is read from it. answers: id of the message it replies to. Raises InputError.
        """
        heard = None if answers is None else item_key(self.message(answers).id, "m")
        with self._database.write() as connection:
            return f"u{utterances.write(connection, self._scope, partner, text, session, heard)}"

    def utterances(self, session: str | None = None) -> list[Utterance]:
        """What the owner's agent said in chats, or in one of them, oldest first: for the owner to read."""
        with self._database.read() as connection:
            return utterances.spoken(connection, self._scope, session)

    def disclose(
        self, items: Sequence[str], *, partner: str, task: str = "", rule: str = "", action: Action = "tell"
    ) -> None:
        """Record that these items ("m17", "k4") were told to, asked about for, or refused to `partner`."""
        with self._database.write() as connection:
            egocentric.disclose(connection, self._scope, items, partner, task, rule, action)

    def record_usage(self, utterance: str, memory_ids: Sequence[str], partner: str) -> None:
        """Record which memories an utterance to `partner` was made from; they count as used. Messages are ignored."""
        memories = [item_key(item, "k") for item in memory_ids if item.startswith("k")]
        if memories:
            with self._database.write() as connection:
                egocentric.record_usage(connection, self._scope, utterance, memories, partner)

    # --- the arrays behind recall ---

    def _question(
        self, query: str, partner: str | None, speakers: Sequence[str] | None, k: int, budget: int, at: datetime | None
    ) -> Question:
        """Read a query before the search: a vector takes milliseconds, in which no snapshot should be held."""
        with self._database.read() as connection:
            self._refresh(connection)
            keys = None
            if speakers is not None:
                named = select(schema.person.c.key).where(schema.person.c.id.in_(speakers))
                keys = list(connection.scalars(named))
        asked = asking.read(query, self._names, keys)
        vector = None
        if self._embedder is not None and query.strip() and self._has_vectors():
            vector = self._embedder.embed([asking.as_said(asked, self._names)])[0]
        return Question(asked, vector, partner, k, budget, at)

    def _has_vectors(self) -> bool:
        """Whether anything is indexed; asked until it is, because counting many vectors takes milliseconds."""
        self._indexed = self._indexed or (self._index is not None and self._index.count > 0)
        return self._indexed

    @contextmanager
    def _search(self) -> Iterator[Search]:
        with self._database.read() as connection:
            seen, noted = self._refresh(connection)
            yield Search(connection, self._scope, seen, noted, self._names, self._index)

    def _refresh(self, connection: Connection) -> tuple[view.View, notes.Notes]:
        """The arrays as of this snapshot, or of a later one of another thread; what is not in the snapshot is not read back."""
        with self._refreshing:
            seen = view.refreshed(self._view, self._scope, connection)
            noted = notes.refreshed(self._notes, self._scope, connection)
            if seen.revision != self._view.revision:  # people may be called otherwise, and lines be no more the owner's
                self._names, self._events = {}, None
            if seen is not self._view or noted is not self._notes:
                people = view.people(connection, self._scope, noted.column("about"), noted.column("told_by"))
                people -= self._names.keys()
                self._names = {**self._names, **view.names(connection, sorted(people))}
                self._view, self._notes = seen, noted
            return seen, noted


def _naive(at: datetime | None) -> datetime | None:
    """World time has no zone: an aware time is told as the local clock would."""
    return at.astimezone().replace(tzinfo=None) if at is not None and at.tzinfo else at


__all__ = ["Candidate", "Hit", "Kept", "Link", "OwnerMemory", "Partner", "Recall", "Remembered", "Utterance"]
