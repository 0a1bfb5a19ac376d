"""Who of an export is who: contacts become people, by the source's keys and never by name alone."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, insert, select, update

from kithnet.memory import schema
from kithnet.memory.egocentric import inserted
from kithnet.memory.exports import Added, ContactLike

ME = "me"
"""The key in `meta` of the id of the person whose devices exports come from."""


NOBODYS = {"", "me", "you"}
"""What devices call their owners."""


class Cast:
    """The people of a world while an export is added to it. Contacts are made people when somebody needs them."""

    def __init__(
        self, connection: Connection, source: str, contacts: Mapping[str, ContactLike], me: str | None, added: Added
    ) -> None:
        """me: a name or id that the user gives for the owner of the device."""
        self._connection, self._source, self._contacts, self._added = connection, source, contacts, added
        person, contact = schema.person.c, schema.contact.c
        rows = connection.execute(select(person.key, person.id, person.name, person.aliases)).all()
        self.ids: dict[int, str] = {row.key: row.id for row in rows}
        self.names: dict[int, str] = {row.key: row.name for row in rows}
        self._aliases: dict[int, list[str]] = {row.key: json.loads(row.aliases) for row in rows}
        known = connection.execute(select(contact.key, contact.person).where(contact.source == source))
        self._stored: dict[str, int] = {row.key: row.person for row in known}
        self._keys: dict[str, int] = {}
        self.new: set[int] = set()
        self._me = me

    def bind(self, contact: str, person: int) -> None:
        """Say who a contact of this export is, found out by what was said and not by a key."""
        self._keys[contact] = person
        if contact not in self._stored:
            self._remember(contact, person)
        about = self._contacts.get(contact)
        self._call(person, [about.name, *about.aliases] if about else [])

    def strangers(self, contacts: Iterable[str]) -> bool:
        """Whether any of these was never met in this source."""
        return any(contact not in self._stored for contact in contacts)

    def others(self, contacts: Iterable[str]) -> set[int | None]:
        """Who these are, without the owner of the device; None: nobody known yet."""
        mine = {key for key, about in self._contacts.items() if about.me}
        return {self._stored.get(one) for one in set(contacts) - mine}

    def key(self, contact: str) -> int:
        """The person that a contact is, made if nobody yet."""
        if contact not in self._keys:
            self._keys[contact] = self._person(contact)
        return self._keys[contact]

    @property
    def met(self) -> set[int]:
        """Everybody whom the export has named so far."""
        return set(self._keys.values())

    def _person(self, contact: str) -> int:
        about = self._contacts.get(contact)
        if contact in self._stored:
            person = self._stored[contact]
        elif about is not None and about.me:
            person = self._owner(about)
        else:
            person = self._make(about.name if about else contact, contact)
        self._call(person, [about.name, *about.aliases] if about else [])
        if about is not None and about.me:
            self._note_me(person)
        return person

    def device_owner(self) -> int | None:
        """Whose device the export comes from, who can read all of it; None where neither the export nor the user says."""
        own = next((key for key, about in self._contacts.items() if about.me), None)
        if own is not None:
            return self.key(own)
        if self._me is None:
            return None
        fitting = [key for key in self.ids if folded(self._me) in self._called(key)]
        person = fitting[0] if len(fitting) == 1 else self._make(self._me, f"me:{folded(self._me)}")
        self._keys[f"me:{folded(self._me)}"] = person
        self._note_me(person)
        return person

    def _owner(self, about: ContactLike) -> int:
        """The owner of the device: whom the user names, else whose device it was before, else somebody new."""
        if self._me is not None:
            wanted = folded(self._me)
            fitting = [key for key in self.ids if wanted in self._called(key)]
            own = about.name if folded(about.address) == wanted else self._me
            written = next((name for name in (about.name, *about.aliases) if folded(name) == wanted), own)
            person = fitting[0] if len(fitting) == 1 else self._make(written, about.key)
        else:
            noted = self._connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == ME))
            mine = next((key for key, one in self.ids.items() if one == noted), None)
            if mine is not None and not self._fits(about, mine):
                self._added.assumed.append(
                    f"this is the device of {about.name}, an earlier one was {self.names[mine]}'s: if they are one person, "
                    "say --me, or merge them"
                )
                return self._make(about.name, about.key)
            person = self._make(about.name, about.key) if mine is None else mine
            if mine is None and about.name == "Me":
                self._added.assumed.append("what the device calls its owner is kept as a person “Me”: say --me NAME")
        self._remember(about.key, person)
        return person

    def _fits(self, about: ContactLike, person: int) -> bool:
        """Whether the owner of a device can be somebody by the name that it gives, if it gives one."""
        said = {_loose(name) for name in (about.name, *about.aliases)} - NOBODYS
        known = {_loose(name) for name in (self.names[person], *self._aliases[person])} - NOBODYS
        return not said or not known or _same(said, known)

    def _note_me(self, person: int) -> None:
        row = schema.meta.c
        if self._connection.scalar(select(row.value).where(row.key == ME)) is None:
            self._connection.execute(insert(schema.meta).values(key=ME, value=self.ids[person]))

    def _called(self, person: int) -> set[str]:
        return {self.ids[person], folded(self.names[person]), *map(folded, self._aliases[person])}

    def _make(self, name: str, contact: str) -> int:
        shown = unicodedata.normalize("NFC", " ".join(name.split())) or contact
        identity = free_id(shown, set(self.ids.values()))
        values = {"id": identity, "name": shown, "persona": "", "aliases": "[]", "outside": False}
        person = inserted(self._connection, schema.person, values)
        self.ids[person], self.names[person], self._aliases[person] = identity, shown, []
        self.new.add(person)
        self._remember(contact, person)
        return person

    def _remember(self, contact: str, person: int) -> None:
        if contact in self._stored:
            return
        about = self._contacts.get(contact)
        row = {"name": about.name if about else contact, "address": about.address if about else ""}
        values = {"source": self._source, "key": contact, "person": person, **row}
        self._connection.execute(insert(schema.contact).values(values))
        self._stored[contact] = person

    def _call(self, person: int, names: Iterable[str]) -> None:
        """Names that the person was not known by become aliases."""
        called = self._called(person)
        more = [name for name in dict.fromkeys(names) if name and folded(name) not in called and name != "Me"]
        if more:
            self._aliases[person] += more
            values = {"aliases": json.dumps(self._aliases[person], ensure_ascii=False)}
            self._connection.execute(update(schema.person).where(schema.person.c.key == person).values(values))


def free_id(name: str, taken: set[str]) -> str:
    """An id for the command line that nobody has: the name in lower case, with a number where that is taken."""
    plain = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", name))
    base = " ".join(plain.split()).casefold()[:80].strip() or "somebody"
    base = base if not base.startswith(("-", "@")) else f"person {base}"
    number, free = 1, base
    while free in taken:
        number += 1
        free = f"{base} {number}"
    return free


def folded(name: str) -> str:
    """A name as names are compared: composed, trimmed, case folded."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def alike(connection: Connection, among: set[int] | None = None) -> list[tuple[str, str]]:
    """Pairs of people, by their ids, who may be one: called the same, one name within the other, or one address. among: at least
    one of each pair is one of these; None: all pairs."""
    person, contact = schema.person.c, schema.contact.c
    named = select(person.key, person.id, person.name, person.aliases).where(person.outside.is_(False))
    rows = {row.key: row for row in connection.execute(named.order_by(person.key))}
    said = {key: {_loose(one) for one in (row.name, *json.loads(row.aliases))} - {""} for key, row in rows.items()}
    where: dict[str, set[int]] = {}
    for key, names in said.items():
        for word in {word for name in names for word in name.split()}:
            where.setdefault(word, set()).add(key)
    pairs = {
        (min(one, other), max(one, other))
        for one in rows if among is None or one in among
        for name in said[one]
        for other in _near(name, where)
        if other != one and _same(said[one], said[other])
    }  # fmt: skip
    addressed: dict[str, set[int]] = {}
    for row in connection.execute(select(contact.person, contact.address).where(contact.address != "")):
        addressed.setdefault(_dialled(row.address), set()).add(row.person)
    for people in addressed.values():
        pairs |= {(a, b) for a in people for b in people if a < b and (among is None or {a, b} & among)}
    return [(rows[a].id, rows[b].id) for a, b in sorted(pairs) if a in rows and b in rows]


def _near(name: str, where: Mapping[str, set[int]]) -> Iterator[int]:
    """People who share a word of the name."""
    for word in name.split():
        yield from where.get(word, ())


def _same(one: set[str], other: set[str]) -> bool:
    return any(f" {a} " in f" {b} " or f" {b} " in f" {a} " for a in one for b in other)


def _loose(name: str) -> str:
    """A name without marks, in compatibility form, words apart."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", name).casefold()))


def _dialled(address: str) -> str:
    """A telephone number by its digits, a mail address as it is compared."""
    digits = "".join(one for one in address if one.isdigit())
    return digits[-9:] if "@" not in address and len(digits) >= 7 else address.casefold()
