"""Add one chat export to a world: what is new of it, in one transaction; the same export again adds nothing.

A message is known again by its number in the source, else by conversation, sender, minute and text, equal ones counted (one
telephone writes seconds, the other does not). What is added may be older than what is there: the order of the world is by time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from kithnet.memory import merging, ordering, schema, terms, texts
from kithnet.memory.conversations import Circles, changed
from kithnet.memory.dialects import filled, next_key
from kithnet.memory.egocentric import session_key
from kithnet.memory.erase import forget_texts
from kithnet.memory.exports import Added, ChatLike, Export, LineLike
from kithnet.memory.joining import Cast, alike, folded
from kithnet.memory.membership import Audiences, Members, retold
from kithnet.memory.recognising import Recognised, minute, same_numbers, same_talk
from kithnet.memory.withdrawing import reworded, withdraw

BATCH = 5_000
DAY_BEGINS = timedelta(hours=4)
"""A session is what is said in a conversation on one day, which ends late in the night."""
CROWD = 50
"""People in a conversation above which writing in it makes nobody an acquaintance of all others."""


@dataclass
class Talk:
    """A conversation of the world, as the export goes on with it. known: numbers in the source -> messages there are. left: how
    often each thing was said that the export may say again, by sender, minute and text. acquainted: who writes, and whose device
    the export comes from.
    """

    key: int
    id: str
    kind: str
    members: Members
    known: dict[str, int] = field(default_factory=dict)
    left: Counter[tuple[int, datetime | None, int]] = field(default_factory=Counter)
    same: dict[tuple[int, datetime | None, int], list[int]] = field(default_factory=dict)
    recognised: Recognised | None = None
    audiences: Audiences | None = None
    acquainted: set[int] = field(default_factory=set)
    answered: list[tuple[int, str]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    minute: datetime | None = None


def add(connection: Connection, export: Export, me: str | None, progress: Callable[[int], None] | None = None) -> Added:
    """Add an export inside the caller's transaction. me: whose device it comes from. Raises InputError."""
    added = Added()
    merging.settle(connection)
    before = int(connection.scalar(select(func.count()).select_from(schema.message)) or 0)
    adding = _Adding(connection, export, me, added)
    for count, line in enumerate(export.ordered(), 1):
        adding.count_in(line)
        if progress and count % BATCH == 0:
            progress(count)
    adding.meet()
    for line in export.ordered():
        adding.take(line)
    adding.finish(bool(before))
    return added


class _Adding:
    def __init__(self, connection: Connection, export: Export, me: str | None, added: Added) -> None:
        self._connection, self._export, self._added = connection, export, added
        self._cast = Cast(connection, export.source, export.contacts, me, added)
        self._people_before = set(self._cast.ids)
        self._circles = Circles(connection)
        self._talks: dict[str, Talk] = {}
        self._sessions: dict[tuple[int, str], int] = {}
        self._taken: set[int] = set()
        self._texts = _Texts(connection)
        self._next = self._first_new = next_key(connection, schema.message)
        self._first_conversation = next_key(connection, schema.conversation)
        self._seq = int(connection.scalar(select(func.max(schema.message.c.seq))) or 0) + 1
        self._rows: list[dict[str, Any]] = []
        self._anchors: dict[int, float] = {}
        self._seqs: dict[int, int] = {}

    # --- first reading: who takes part when ---

    def count_in(self, line: LineLike) -> None:
        """Learn from a line who is a member since when."""
        talk = self._talks.get(line.chat) or self._begin(line.chat)
        sender = self._cast.key(line.sender)
        talk.members.wrote(sender, line.at)
        talk.acquainted.add(sender)
        for contact in line.audience or ():
            talk.members.listed(self._cast.key(contact))

    def meet(self) -> None:
        """Take in what the export says of memberships, and settle who may read what."""
        for key, chat in self._export.chats.items():
            talk = self._talks.get(key)
            for member in chat.members if talk else ():
                talk.members.listed(self._cast.key(member))  # type: ignore[union-attr]
        for change in self._export.changes:
            if (talk := self._talks.get(change.chat)) is not None:
                talk.members.changed(self._cast.key(change.contact), change.joined, change.at)
        owner = self._cast.device_owner() if any(talk.kind != "mail" for talk in self._talks.values()) else None
        for talk in self._talks.values():
            if owner is not None and talk.kind != "mail" and (talk.kind != "dyad" or len(talk.members.people) < 2):
                talk.members.listed(owner)
                talk.acquainted.add(owner)
            fresh = talk.members.write()
            talk.audiences = Audiences(self._circles, talk.members.intervals())
            if fresh and talk.kind != "mail" and (lost := retold(self._connection, talk.key, talk.audiences)):
                changed(self._connection)
                withdraw(self._connection, lost)

    def _begin(self, key: str) -> Talk:
        chat = self._export.chats.get(key)
        row = schema.conversation.c
        found = self._called(key, chat)
        recognised = None
        if found is None:
            source, lines = self._export.source, self._export.ordered(key)
            recognised = same_talk(self._connection, source, lines, self._first_conversation)
            if recognised is not None:
                for contact, person in recognised.people.items():
                    self._cast.bind(contact, person)
                found = self._connection.execute(
                    select(row.key, row.id, row.kind).where(row.key == recognised.key)
                ).one()
        elif self._cast.strangers(line.sender for line in islice(self._export.ordered(key), BATCH)):
            self._meet_again(key, found.key)
        if found is None and chat is not None and chat.kind == "mail":
            same = same_numbers(self._connection, self._export.source, self._export.ordered(key))
            found = self._connection.execute(select(row.key, row.id, row.kind).where(row.key == same)).first()
        if found is None:
            found = self._make(key, chat)
        elif chat is not None and chat.title:  # the latest name is the one that is shown
            renamed = update(schema.conversation).where(row.key == found.key, row.title != chat.title)
            self._connection.execute(renamed.values(title=chat.title))
        talk = self._talks[key] = Talk(found.key, found.id, found.kind, Members(self._connection, found.key))
        talk.recognised = recognised
        self._read(talk)
        self._added.talks.add(talk.key)
        return talk

    def _called(self, key: str, chat: ChatLike | None) -> Any:
        """The conversation that the source calls so. Where it is called by its title alone, others may have the same: somebody
        besides the owner of the device has to write in both."""
        row, member = schema.conversation.c, schema.membership.c
        query = select(row.key, row.id, row.kind).where(row.source == self._export.source, row.source_key == key)
        found = self._connection.execute(query.order_by(row.key)).all()
        if not found or chat is None or not chat.title or chat.title.casefold() not in key.casefold():
            return found[0] if found else None
        writing = [line.sender for line in islice(self._export.ordered(key), BATCH)]
        writers = self._cast.others(writing) or self._cast.others(chat.members)
        for one in found:
            there = select(member.person).where(member.conversation == one.key)
            if not (writers and writers.isdisjoint(self._connection.scalars(there))):
                return one
        return None

    def _meet_again(self, key: str, there: int) -> None:
        """Find out who is who in a conversation that is there, where other names are the keys: as another device calls them."""
        lines, below = self._export.ordered(key), self._first_conversation
        recognised = same_talk(self._connection, self._export.source, lines, below, there)
        for contact, person in recognised.people.items() if recognised else ():
            self._cast.bind(contact, person)

    def _make(self, key: str, chat: ChatLike | None) -> Any:
        """A new conversation. Its id is its title, or the names of the two."""
        kind, title = (chat.kind, chat.title) if chat else ("group", "")
        named = title or " & ".join(
            sorted(self._cast.ids[self._cast.key(one)] for one in (chat.members if chat else ())) or [key]
        )
        row = schema.conversation.c
        base = " ".join(folded(named).split())[:80] or key
        number, identity = 1, base
        while self._connection.scalar(select(row.key).where(row.id == identity)) is not None:
            number += 1
            identity = (
                f"{base} ({self._export.source})" if number == 2 else f"{base} ({self._export.source} {number - 1})"
            )
        values = {"id": identity, "kind": kind, "title": title, "source": self._export.source, "source_key": key}
        self._connection.execute(insert(schema.conversation).values(values))
        return self._connection.execute(select(row.key, row.id, row.kind).where(row.id == identity)).one()

    def _read(self, talk: Talk) -> None:
        """What is there of the conversation, so that it can be known again."""
        message = schema.message.c
        query = select(message.id, message.sender, message.text, message.at, message.source_id, message.seq)
        for row in self._connection.execute(query.where(message.conversation == talk.key).order_by(message.seq)):
            self._seqs[row.id] = row.seq
            if row.source_id:
                talk.known[row.source_id] = row.id
            same = (row.sender, minute(row.at), row.text)
            talk.left[same] += 1
            talk.same.setdefault(same, []).append(row.id)

    # --- second reading: what was said ---

    def take(self, line: LineLike) -> None:
        """Add a line that is not there yet."""
        talk = self._talks[line.chat]
        sender = self._cast.key(line.sender)
        self._added.at(line.at)
        there, text = self._numbered(talk, line), 0
        if there is None:
            text = self._texts.key(line.text)
            there = self._said(talk, line, sender, text)
        if there is not None:
            self._added.seen += 1
            self._anchor(talk, line.at, there)
            return
        number, self._next = self._next, self._next + 1
        circle = talk.audiences.key(sender, line.at) if talk.audiences else 0
        if line.audience is not None:
            circle = self._circles.key({sender, *(self._cast.key(one) for one in line.audience)})
        self._rows.append(
            {
                "id": number, "seq": self._seq, "sender": sender, "conversation": talk.key, "circle": circle,
                "text": text, "session": self._session(talk, line.at), "at": line.at, "zone": line.zone,
                "edited_at": line.edited_at, "source_id": line.source_id or None,
            }
        )  # fmt: skip
        self._seq += 1
        self._added.messages += 1
        if line.source_id:
            talk.known[line.source_id] = number
        if line.reply_to:
            talk.answered.append((number, line.reply_to))
        self._wait(talk, line.at, number)
        if len(self._rows) >= BATCH:
            self._flush()

    def _numbered(self, talk: Talk, line: LineLike) -> int | None:
        """The message that was there before under the number that the source gives the line."""
        number = talk.known.get(line.source_id) if line.source_id and talk.recognised is None else None
        if number is not None and number < self._first_new and line.edited_at is not None:
            self._edit(number, line.text, line.edited_at)
        return number

    def _said(self, talk: Talk, line: LineLike, sender: int, text: int) -> int | None:
        """The message that the line is, known by who said it when, where numbers do not tell."""
        same = (sender, minute(line.at), text)
        if (line.source_id and talk.recognised is None) or talk.left[same] <= 0:
            return None
        talk.left[same] -= 1
        return talk.same[same].pop(0)

    def _edit(self, number: int, body: str, at: datetime) -> None:
        """Put the text of a later edit in the place of an older one, and forget what was noted of that."""
        message, said = schema.message.c, schema.text.c
        query = select(message.text, message.edited_at, said.digest).join(schema.text, said.key == message.text)
        old = self._connection.execute(query.where(message.id == number)).one()
        later = old.edited_at is None or old.edited_at < at
        if not later or bytes(old.digest) == texts.digest(texts.clean(body)):
            return
        reworded(self._connection, number)
        text = self._texts.key(body)
        self._flush()
        values = {"text": text, "edited_at": at}
        self._connection.execute(update(schema.message).where(message.id == number).values(values))
        if forget_texts(self._connection, [old.text]):
            self._texts.gone(bytes(old.digest))
        self._added.edited += 1

    def _wait(self, talk: Talk, at: datetime | None, number: int) -> None:
        """Remember what comes before whatever of the same minute is known next."""
        if minute(at) != talk.minute:
            talk.minute, talk.waiting = minute(at), []
        talk.waiting.append(number)

    def _anchor(self, talk: Talk, at: datetime | None, there: int) -> None:
        if minute(at) == talk.minute and talk.waiting and there in self._seqs:
            for place, number in enumerate(talk.waiting):
                self._anchors[number] = self._seqs[there] - 0.5 + place / (2 * len(talk.waiting) + 2)
        talk.minute, talk.waiting = None, []

    def _session(self, talk: Talk, at: datetime | None) -> int:
        name = f"{talk.id} {at - DAY_BEGINS:%Y-%m-%d}" if at and at.year > 1 else talk.id
        if (talk.key, name) not in self._sessions:
            self._sessions[talk.key, name] = self._own_session(talk.key, name)
        return self._sessions[talk.key, name]

    def _own_session(self, talk: int, name: str) -> int:
        """The session of this id in which nothing of another conversation is said, else one under the id and a number."""
        row, message, number, identity = schema.session.c, schema.message.c, 1, name
        while (found := self._connection.scalar(select(row.key).where(row.id == identity))) is not None:
            others = select(message.id).where(message.session == found, message.conversation != talk)
            if found not in self._taken and self._connection.scalar(others.limit(1)) is None:
                return int(found)
            number += 1
            identity = f"{name} ({number})"
        made = session_key(self._connection, identity)
        self._taken.add(made)
        return made

    def _flush(self) -> None:
        self._texts.flush()
        if self._rows:
            self._connection.execute(insert(schema.message), self._rows)
            self._rows.clear()

    # --- the end ---

    def finish(self, older: bool) -> None:
        """Write what waits, who answers whom, who knows whom, and put the world in order."""
        self._flush()
        filled(self._connection, (schema.person, schema.session, schema.text, schema.message))
        self._answers()
        for talk in self._talks.values():
            self._ties(talk)
        if self._added.edited:
            changed(self._connection)
        if older and self._added.messages:
            ordering.by_time(self._connection, self._first_new, self._anchors)
        met = self._cast.met
        self._added.people = {one: self._cast.names[one] for one in sorted(self._cast.new)}
        self._added.known = met & self._people_before
        names = {self._cast.ids[one]: self._cast.names[one] for one in self._cast.ids}
        pairs = alike(self._connection, self._cast.new) if self._cast.new else []
        self._added.alike = [(names[a], names[b]) for a, b in pairs]

    def _answers(self) -> None:
        message = schema.message.c
        for talk in self._talks.values():
            for number, source_id in talk.answered:
                if (answered := talk.known.get(source_id)) is not None and answered != number:
                    change = update(schema.message).where(message.id == number).values(reply_to=answered)
                    self._connection.execute(change)

    def _ties(self, talk: Talk) -> None:
        """Two who talk know each other; in a crowd only those who answer each other."""
        tie = schema.tie.c
        people = set(talk.members.intervals())
        pairs: set[tuple[int, int]] = set()
        if talk.kind == "mail" or len(people) > CROWD:
            pairs |= self._spoken(talk)
        elif len(people) == 2:
            pairs.add((min(people), max(people)))
        else:
            pairs |= {(a, b) for a in talk.acquainted for b in talk.acquainted if a < b}
        if not pairs:
            return
        there = {(min(row.a, row.b), max(row.a, row.b)) for row in self._connection.execute(select(tie.a, tie.b))}
        rows = [{"a": a, "b": b, "kind": ""} for a, b in sorted(pairs - there)]
        if rows:
            self._connection.execute(insert(schema.tie), rows)

    def _spoken(self, talk: Talk) -> set[tuple[int, int]]:
        """Of a crowd, who answers whom; of mail, who writes to whom in a circle that is no crowd."""
        message, answered = schema.message.alias(), schema.message.alias("answered")
        query = select(message.c.sender, answered.c.sender.label("other")).distinct()
        query = query.join(answered, answered.c.id == message.c.reply_to).where(message.c.conversation == talk.key)
        pairs = {(min(a, b), max(a, b)) for a, b in self._connection.execute(query) if a != b}
        if talk.kind != "mail":
            return pairs
        member = schema.circle_member
        crowds = select(member.c.circle).group_by(member.c.circle).having(func.count() > CROWD)
        wrote = select(message.c.sender, member.c.person).distinct().join(member, member.c.circle == message.c.circle)
        wrote = wrote.where(message.c.conversation == talk.key, message.c.circle.not_in(crowds))
        return pairs | {(min(a, b), max(a, b)) for a, b in self._connection.execute(wrote) if a != b}


class _Texts:
    """Keys of distinct texts, found or added, a batch at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        cursor: Any = connection.execute(select(schema.text.c.digest, schema.text.c.key)).cursor
        self._keys: dict[bytes, int] = {bytes(digest): key for digest, key in _all(cursor)}
        self._next = next_key(connection, schema.text)
        self._new: list[dict[str, Any]] = []

    def key(self, body: str) -> int:
        """The key of a text."""
        row = texts.row(texts.clean(body))
        found = self._keys.get(row["digest"])
        if found is None:
            found = self._keys[row["digest"]] = self._next
            self._new.append({"key": found, **row})
            self._next += 1
        return found

    def gone(self, digest: bytes) -> None:
        """A text was deleted: who says it again adds it anew."""
        del self._keys[digest]

    def flush(self) -> None:
        """Write those that are new."""
        if self._new:
            self._connection.execute(insert(schema.text), self._new)
            terms.keep(self._connection, [(row["key"], row["body"]) for row in self._new])
            self._new.clear()


def _all(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(BATCH):
        yield from rows


def conversations(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every conversation by its id: its kind, title, members by name, and how many messages it holds."""
    row, member, person = schema.conversation.c, schema.membership.c, schema.person.c
    people: defaultdict[int, dict[int, str]] = defaultdict(dict)
    there = select(member.conversation, person.key, person.name).join(schema.person, person.key == member.person)
    for conversation, key, name in connection.execute(there):
        people[conversation][key] = name
    counted = select(schema.message.c.conversation, func.count()).where(schema.OF_THE_WORLD)
    grouped = connection.execute(counted.group_by(schema.message.c.conversation))
    counts: dict[int, int] = {row[0]: row[1] for row in grouped}
    return {
        one.id: {
            "kind": one.kind,
            "title": one.title,
            "people": sorted(people[one.key].values()),
            "messages": counts.get(one.key, 0),
        }
        for one in connection.execute(select(row.key, row.id, row.kind, row.title).order_by(row.key))
    }
