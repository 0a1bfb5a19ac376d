"""Writing down a session: every statement once, with its links to what the owner knew before.

Runs in one write transaction, so that a session is remembered whole or not at all, and writing it again adds nothing.
What is current is decided by the order in which things were said, not by their dates: a clock may go back.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, Row, func, select

from kithnet.memory import egocentric, lexical, links, readings, schema, texts
from kithnet.memory.language.text import stem
from kithnet.memory.scope import Scope
from kithnet.memory.writing import slots
from kithnet.memory.writing.extract import Senses, Statement

MAX_TOPIC_LINKS = 3
NEWEST = 400
"""Memories about a person that a new statement is compared with."""
NEWEST_BY_MEANING = 60
"""Those that it is compared with by meaning."""
COMMON = 12
"""A word that more memories hold says nothing about what they have in common."""

Audience = frozenset[int] | None


@dataclass(slots=True)
class Written:
    """Numbers of the memories that a session added, of those it confirmed, and of those that another reader had read in it and
    that are taken away; counts of what it closed and linked."""

    added: list[int] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    updated: int = 0
    linked: int = 0
    summary: int | None = None
    gone: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """A current memory that a statement is compared with. first: number of its earliest message, 0 for none."""

    id: int
    told_by: int
    kind: str
    slot: str
    text: str
    stems: frozenset[str]
    audience: Audience
    first: int
    valid_from: datetime | None


class SessionWriter:
    """Writes the statements of one session into an owner's memory.

    people: id -> key of everybody a statement names. names: stems of the words that people are called by, which are no
    topic. audience: message number -> who alone may be told what it says; absent for everybody. senses: tells what
    corrects what where no rule does. read_by: the reader that judged the statements.
    """

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        session: str,
        people: Mapping[str, int],
        names: Collection[str],
        audience: Mapping[int, frozenset[int]],
        senses: Senses | None = None,
        read_by: str = "",
    ) -> None:
        self._connection, self._scope, self._session = connection, scope, session
        self._people, self._names, self._audience = people, frozenset(names), audience
        self._senses, self._read_by = senses, read_by
        self.written = Written()

    def write(self, statements: Iterable[Statement]) -> Written:
        """Write all statements in their order."""
        for statement in statements:
            effect = self._one(statement)
            if statement.cause is not None and effect is not None:
                cause = self._one(statement.cause)
                if cause is not None:
                    self._link(cause, effect, "causes", statement.evidence)
        return self.written

    def take_away(self, statements: Iterable[Statement]) -> None:
        """Take away what another reader noted of this session and these statements do not say."""
        said = [self._note(one) for statement in statements for one in (statement, statement.cause) if one is not None]
        self.written.gone = readings.take_away(self._connection, self._scope, self._session, said, self._read_by)

    def summarise(self, about: int, text: str, audience: Audience) -> int:
        """Write the session's summary, in the place of an earlier one of the same session; everything is part of it."""
        slot = f"session {self._session}"
        # Its evidence is what its parts stand on.
        note = egocentric.Note(
            about, self._scope.owner, "summary", text, slot, (), audience, self._session, None, 0.4, None
        )
        note = replace(note, read_by=self._read_by)
        summary = int(egocentric.remember(self._connection, self._scope, note).id[1:])
        for part in dict.fromkeys((*self.written.added, *self.written.confirmed)):
            self._link(part, summary, "part_of", None)
        self.written.summary = summary
        return summary

    def _one(self, statement: Statement) -> int | None:
        """Write one statement, or find the memory that says it already; None for a loose one that corrects nothing."""
        there = self._written_before(statement)
        if there is not None:
            self.written.confirmed.append(there)
            return there
        note = self._note(statement)
        known = self._known(note.about)
        same = next((one for one in known if self._agrees(one, statement, note)), None)
        if same is not None and same.told_by == note.told_by and same.audience == note.audience:
            egocentric.reinforce(self._connection, self._scope, same.id, note)
            self.written.confirmed.append(same.id)
            return same.id
        replaced, rivals = self._outdated(statement, note, known)
        if statement.loose and not replaced:
            return None
        slot = note.slot or next((one.slot for one in replaced if one.slot), None)
        memory = self._add(replace(note, slot=slot), replaced)
        for rival in rivals:
            self._link(memory, rival.id, "contradicts", statement.evidence)
        self._same_topic(memory, statement, {one.id for one in (*replaced, *rivals)})
        return memory

    def _add(self, note: egocentric.Note, replaced: Sequence[Known]) -> int:
        """Add a note and close what it replaces; one that comes late is itself closed by what was said after it."""
        evidence = note.evidence[0]
        later = [one for one in replaced if one.first > evidence]
        earlier = [one for one in replaced if one.first <= evidence]
        memory = egocentric.add(self._connection, self._scope, note)
        self.written.added.append(memory)
        for one in earlier:
            egocentric.close(self._connection, self._scope, one.id, memory, note.at, evidence)
        for one in later[:1]:
            egocentric.close(self._connection, self._scope, memory, one.id, one.valid_from, one.first)
        self.written.updated += len(replaced)
        return memory

    def _note(self, statement: Statement) -> egocentric.Note:
        return egocentric.Note(
            about=self._people[statement.about],
            told_by=self._people[statement.told_by],
            kind=statement.kind,
            text=statement.text,
            slot=statement.slot or None,
            evidence=(statement.evidence,),
            audience=self._audience.get(statement.evidence),
            session=self._session,
            at=statement.at,
            importance=statement.weight,
            supersedes=None,
            starts=statement.starts,
            ends=statement.ends,
            read_by=self._read_by if statement.read else "",
        )

    def _written_before(self, statement: Statement) -> int | None:
        """A memory, current or not, that says this and has this very message as evidence."""
        memory = schema.memory.c
        query = (
            self._scope.memories(memory.id)
            .join(schema.evidence, schema.evidence.c.memory == memory.id)
            .where(
                schema.evidence.c.message == statement.evidence,
                memory.about == self._people[statement.about],
                memory.fingerprint == texts.fingerprint(statement.text),
            )
        )
        found = self._connection.scalar(query)
        if found is None and statement.slot and statement.value:
            # It confirmed a memory of other words: the message is evidence of that one, which holds its value.
            other = (
                self._scope.memories(memory.id, schema.text.c.body)
                .join(schema.evidence, schema.evidence.c.memory == memory.id)
                .join(schema.text, schema.text.c.key == memory.text)
                .where(schema.evidence.c.message == statement.evidence, memory.slot == statement.slot)
                .where(memory.about == self._people[statement.about])
            )
            value = lexical.stems(statement.value)
            rows = self._connection.execute(other).all()
            found = next(
                (row.id for row in rows if value <= lexical.stems(row.body) or statement.value in _POLES), None
            )
        return None if found is None else int(found)

    def _known(self, about: int) -> list[Known]:
        """The current memories about a person, newest first, without summaries."""
        memory = schema.memory.c
        first = (
            select(func.min(schema.evidence.c.message)).where(schema.evidence.c.memory == memory.id).scalar_subquery()
        )
        query = (
            self._scope.served(
                self._scope.memories(
                    memory.id, memory.told_by, memory.kind, memory.slot, memory.restricted, memory.valid_from,
                    schema.text.c.body, first.label("first"),
                ),
                None,
                None,
            )
            .join(schema.text, schema.text.c.key == memory.text)
            .where(memory.about == about, memory.kind != "summary")
            .order_by(memory.id.desc())
            .limit(NEWEST)
        )  # fmt: skip
        rows = self._connection.execute(query).all()
        listed: dict[int, set[int]] = {row.id: set() for row in rows if row.restricted}
        people = select(schema.audience).where(schema.audience.c.memory.in_(list(listed)))
        for one, person in self._connection.execute(people) if listed else ():
            listed[one].add(person)
        return [self._row(row, frozenset(listed[row.id]) if row.restricted else None) for row in rows]

    def _row(self, row: Row[tuple[object, ...]], audience: Audience) -> Known:
        told = self._topic(row.body)
        return Known(
            row.id, row.told_by, row.kind, row.slot or "", row.body, told, audience, row.first or 0, row.valid_from
        )

    def _topic(self, text: str) -> frozenset[str]:
        """The stems of a text that may be its topic: no names of people, no words that every second statement has."""
        return frozenset(lexical.stems(text) - self._names - _GENERAL)

    def _agrees(self, old: Known, statement: Statement, note: egocentric.Note) -> bool:
        """Whether a memory says the same already, in these or other words."""
        if texts.fingerprint(old.text) == texts.fingerprint(statement.text) and old.kind == note.kind:
            return True
        if not statement.slot or old.slot != statement.slot or not statement.value or statement.denied & old.stems:
            return False
        if statement.slot.startswith("taste "):
            taste = slots.taste(old.text)
            return taste is not None and ("yes" if taste[1] else "no") == statement.value
        value = lexical.stems(statement.value)
        return bool(value) and value <= lexical.stems(old.text) - slots.denied(old.text)

    def _outdated(
        self, statement: Statement, note: egocentric.Note, known: Sequence[Known]
    ) -> tuple[list[Known], list[Known]]:
        """What a statement takes the place of, and what it contradicts while both may stand."""
        replaced: list[Known] = []
        rivals: list[Known] = []
        held: dict[str, int] = {}
        for one in known:
            for word in one.stems:
                held[word] = held.get(word, 0) + 1
        meant = self._meant(statement, note, known)
        for old in known:
            if self._agrees(old, statement, note):
                continue
            same_slot = bool(statement.slot) and old.slot == statement.slot
            if not same_slot and old is not meant and not self._corrects(statement, old, held):
                continue
            first_hand, was_first_hand = note.told_by == note.about, old.told_by == note.about
            if first_hand or note.told_by == old.told_by:
                replaced.append(old)
            elif was_first_hand or note.told_by != old.told_by:
                rivals.append(old)
        return replaced, rivals

    def _meant(self, statement: Statement, note: egocentric.Note, known: Sequence[Known]) -> Known | None:
        """The older statement of the same teller that one of a change is about by its meaning, whatever its words."""
        if self._senses is None or not statement.changes or statement.kind not in ("fact", "preference"):
            return None
        others = [
            old
            for old in known[:NEWEST_BY_MEANING]
            if old.told_by == note.told_by
            and old.kind in ("fact", "preference")
            and old.first != statement.evidence
            and not (statement.slot and old.slot and old.slot != statement.slot)
        ]
        place = self._senses.same_thing(statement.text, [old.text for old in others])
        return None if place is None else others[place]

    def _corrects(self, statement: Statement, old: Known, held: Mapping[str, int]) -> bool:
        """Whether a statement changes what an older one of other words said: it names the old value and says so."""
        if not statement.changes or statement.evidence == old.first:
            return False
        plan = old.kind == "plan" or statement.kind == "plan"
        if plan and (old.kind != "plan" or not slots.moves(statement.text)):
            return False
        gone = statement.denied & old.stems
        if gone and not plan and min(held.get(word, 0) for word in gone) <= 2:
            return True
        if not plan and (old.kind not in ("fact", "preference") or statement.kind not in ("fact", "preference")):
            return False
        shared = {word for word in self._topic(statement.text) & old.stems if held.get(word, 0) <= 2 or plan}
        return bool(shared) and (plan or _names_value(shared, old.text))

    def _same_topic(self, memory: int, statement: Statement, apart: Collection[int]) -> None:
        """Link a new memory to the few earlier ones, about whomever and from whichever talk, that share its rare words."""
        shared: dict[int, float] = {}
        for term in lexical.terms(statement.text):
            if term.stem in self._names or term.stem in _GENERAL:
                continue
            ids = list(self._connection.scalars(self._scope.matching_memories(term)))
            if 1 < len(ids) <= COMMON:
                for one in ids:
                    shared[one] = shared.get(one, 0.0) + 1 / (len(ids) - 1)
        near = {one: score for one, score in shared.items() if one != memory and one not in apart and score >= _TOPIC}
        if not near:
            return
        current = schema.memory.c
        query = self._scope.served(self._scope.memories(current.id), None, None)
        standing = self._connection.scalars(query.where(current.id.in_(list(near)), current.kind != "summary"))
        for other in sorted(standing, key=lambda one: (-near[one], -one))[:MAX_TOPIC_LINKS]:
            self._link(memory, other, "same_topic", statement.evidence)

    def _link(self, a: int, b: int, kind: links.LinkType, evidence: int | None) -> None:
        self.written.linked += links.connect(self._connection, self._scope, a, b, kind, evidence)


_TOPIC = 0.34
_POLES = ("yes", "no")
"""Values of a taste, which stand in no text."""
_GENERAL = frozenset(
    stem(word)
    for word in """live lives home work works job jobs move moved place flat house call called name named favourite favorite
    dish food meal dinner drive car buy bought own play learn learning join joined go goes member like love hate enjoy
    day days week month year morning evening night today tomorrow yesterday monday tuesday wednesday thursday friday
    saturday sunday january february march april june july august september october november december spring summer
    autumn winter time last next new old good bad long little big lot much many people someone still anymore these those
    now never ever really happy told tell first second start started find found give gave take took make made come came
    leave left quit sold stop stopped change changed talk room thing things moment hour hours minute minutes ago one two
    three four five six seven eight nine ten""".split()
)


def _names_value(shared: Collection[str], text: str) -> bool:
    """Whether any of these stems is a value of the text rather than a word of its frame: a name, or near its end."""
    for word in text.split()[1:]:
        bare = word.strip(".,!?;:'\"()")
        if bare[:1].isupper() and lexical.stems(bare) & set(shared):
            return True
    tail = lexical.stems(" ".join(text.split()[-5:]))
    return bool(tail & set(shared))
