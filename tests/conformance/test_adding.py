"""Exports added to a world, whose audiences change afterwards: one suite for SQLite and for a real PostgreSQL server."""

import contextlib
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError

from kithnet.memory import adding, erase, fsck, merging, schema
from kithnet.memory.closure import Request
from kithnet.memory.database import Place, SqlitePlace
from kithnet.memory.exports import Added
from kithnet.memory.migrations import MIGRATIONS, stamp
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.postgres import Address, PostgresPlace, own_schema, write_address
from kithnet.memory.store import Store
from kithnet.network.importers.items import Change, Chat, Contact
from kithnet.network.importers.staging import StagedLine
from kithnet.network.records import ChatMessage, Person, Task, Tie
from kithnet.runtime.errors import InputError

START = datetime(2024, 3, 12, 9, 0)


def device_of(connection: Connection) -> str | None:
    """The id of the person whose devices exports came from."""
    noted = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "me"))
    return None if noted is None else str(noted)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def line(minute: float | None, sender: str, body: str, number: str = "", **more: object) -> StagedLine:
    moment = None if minute is None else at(minute)
    said = StagedLine("family", sender, body, moment, None, number, "", None, None)
    return replace(said, **more)  # type: ignore[arg-type]


@dataclass
class Given:
    """An export as `adding` takes it. changes: who joined (True) or left at which minute."""

    lines: list[StagedLine]
    moves: list[tuple[str, bool, float]] = field(default_factory=list)
    source: str = "made"
    title: str = "Family"
    kind: str = "group"
    me: str = ""
    members: tuple[str, ...] = ()

    @property
    def chats(self) -> dict[str, Chat]:
        keys = dict.fromkeys(one.chat for one in self.lines)
        return {key: Chat(key, self.kind, self.title, self.members) for key in keys}  # type: ignore[arg-type]

    @property
    def contacts(self) -> dict[str, Contact]:
        keys = [*(one.sender for one in self.lines), *(who for who, *_ in self.moves), *self.members]
        return {key: Contact(key, key.title(), me=key == self.me) for key in keys}

    @property
    def changes(self) -> list[Change]:
        return [Change("family", who, joined, at(minute)) for who, joined, minute in self.moves]

    def ordered(self, chat: str | None = None) -> Iterator[StagedLine]:
        last: dict[str, datetime] = {}
        placed = [
            (last.setdefault(one.chat, one.at or START), one)
            for one in self.lines
            if not one.at or not last.update({one.chat: one.at})
        ]
        placed.sort(key=lambda pair: pair[0])
        return iter([one for _, one in placed if chat in (None, one.chat)])


@pytest.fixture(params=("sqlite", "postgres"))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    address = None
    if request.param == "postgres":
        address = own_schema(request.getfixturevalue("postgres").url, "chats", uuid.uuid4().hex[:8])
    with Store.create(tmp_path / "w" / "kith.db", {"file": "Chat with Carl.txt"}, address) as made:
        yield made


def give(store: Store, *given: Given) -> Added:
    with store.database.write() as connection:
        return [adding.add(connection, one, None) for one in given][-1]


def clean(store: Store) -> bool:
    found = [one for one in fsck.check(store, store.database.path.parent / "none").findings if one.found]
    assert found == []
    return True


def read_by(store: Store) -> dict[str, set[str]]:
    """Person -> texts, as the store lists them; recall and the full-text index have to agree."""
    read: dict[str, set[str]] = {one.id: set() for one in store.people()}
    for one in store.messages():
        for who in one.parties:
            read[who].add(one.text)
    for who, own in read.items():
        memory = store.owner(who)
        found = {one.text for one in store.messages() if memory.recall(one.text, k=1).hits[:1] and one.text in own}
        assert found == own
        every = " ".join(one.text for one in store.messages())
        assert {hit.text for hit in memory.recall(every, k=99, budget=9_999).hits if hit.kind == "message"} <= own
    return read


def everything(store: Store) -> list[tuple[str, tuple[str, ...], str, str]]:
    return [(one.sender, one.receivers, one.text, one.conversation) for one in store.messages()]


TALK = [
    line(1, "ana", "The party for Carl is on Saturday", "1"), line(2, "ben", "I bring the marzipan cake", "2"),
    line(5, "carl", "Hello everybody", "3"), line(6, "ana", "Welcome to the group, Carl", "4"),
]  # fmt: skip


def remember(memory: OwnerMemory, body: str, *evidence: str, handles: tuple[str, ...] = (), kind: str = "fact") -> str:
    noted = memory.remember(
        about="ana", text=body, told_by="ana", kind=kind, evidence=evidence, handles=handles  # type: ignore[arg-type]
    )  # fmt: skip
    return noted.id


# --- who may read what ---


def test_a_join_that_is_learnt_later_takes_what_was_said_before_it(store: Store) -> None:
    give(store, Given(TALK))
    held = store.owner("carl")
    assert held.recall("marzipan cake").hits[0].text == "I bring the marzipan cake"
    rests = remember(held, "The cake is of marzipan.", "m2")
    both = remember(held, "Ana welcomes Carl to the group.", "m2", "m4")
    held.link(rests, both, "same_topic", evidence="m1")
    held.disclose(["m2", "m3"], partner="ana", rule="asked")
    held.grants.give(person="ana", item="m2", term="always")
    give(store, Given([line(7, "dora", "I am new", "5")], title="Other", source="other"))
    for who in ("ben", "dora"):
        remember(store.owner(who), "There is marzipan.", handles=("m2",))
        remember(store.owner(who), "There is a cake.", handles=(rests,))
    give(store, Given(TALK, [("carl", True, 4)]))
    assert read_by(store)["carl"] == {"Hello everybody", "Welcome to the group, Carl"}
    assert {hit.text for hit in held.recall("marzipan cake party", k=9).hits} <= {
        both,
        "Ana welcomes Carl to the group.",
    }
    with pytest.raises(InputError):
        held.message("m2")
    assert [(hit.id, hit.messages) for hit in held.memories()] == [(both, ("m4",))]
    assert [one.items for one in held.disclosures()] == [("m3",)] and not held.grants.every()
    assert [hit.text for hit in store.owner("ben").memories()] == ["There is marzipan."]  # was there
    assert not store.owner("dora").memories()
    assert clean(store)


def test_a_summary_of_what_one_may_read_in_part_goes(store: Store) -> None:
    give(store, Given(TALK))
    carl, session = store.owner("carl"), store.owner("carl").sessions_with("ana")[0]
    carl.write_session(session, [], summary=("ana", "Ana spoke of a party and a cake."))
    store.owner("ben").write_session(session, [], summary=("ana", "Ana spoke of a party."))
    give(store, Given(TALK, [("carl", True, 4)]))
    assert not carl.memories() and len(store.owner("ben").memories()) == 1 and clean(store)


def test_a_check_takes_away_what_was_noted_of_what_was_never_ones_to_read(store: Store) -> None:
    give(store, Given(TALK, [("carl", True, 4)]))
    carl = store.owner("carl")
    both, whole = (
        remember(carl, "Ana welcomes Carl to the group.", "m4"),
        remember(carl, "The cake is of marzipan.", "m4"),
    )
    with store.database.write() as connection:
        for one in (both, whole):
            connection.execute(schema.evidence.insert().values(memory=int(one[1:]), message=2))
    found = {
        one.name: one.found for one in fsck.check(store, store.database.path.parent / "none", repair=True).findings
    }
    assert found["evidence"] == 2 and [hit.id for hit in carl.memories()] == [both] and clean(store)


def test_who_joins_or_leaves_within_a_minute_reads_nothing_of_that_minute(store: Store) -> None:
    lines = [line(1, "ana", "before"), line(2, "ben", "same minute"), line(3, "carl", "hello"), line(4, "ana", "bye then"),
             line(5, "ben", "after all")]  # fmt: skip
    give(store, Given(lines, [("carl", True, 2), ("carl", False, 4)]))
    assert read_by(store)["carl"] == {"hello"} and clean(store)


def test_a_line_without_a_time_is_for_those_who_were_there_all_the_time(store: Store) -> None:
    lines = [line(1, "ana", "early"), line(2, "ben", "also early"), line(3, "carl", "here I am"), line(None, "ana", "some day"),
             line(9, "dora", "last")]  # fmt: skip
    give(store, Given(lines, [("carl", True, 2.5), ("ben", False, 8)]))
    assert {who for who, own in read_by(store).items() if "some day" in own} == {"ana", "dora"}


def test_two_talk_alone_also_where_a_group_is_called_like_the_two(store: Store) -> None:
    give(store, Given(TALK, title="ana & ben"))
    store.owner("ana").write_turn("ben", "For your eyes only.", sender="ana", session="alone")
    give(store, Given([*TALK, line(8, "dora", "Late", "6")], title="ana & ben"))
    said = {one.text: one for one in store.messages()}
    assert said["For your eyes only."].receivers == ("ben",) and said["Late"].receivers == ("ana", "ben", "carl")
    assert said["For your eyes only."].conversation != said["Late"].conversation and clean(store)


def test_what_is_confided_before_somebody_comes_is_not_for_them(store: Store) -> None:
    lines = [line(1, "ana", "I live in Porto now, tell nobody."), line(2, "ben", "I will not."), line(9, "carl", "Hi"),
             line(10, "ana", "Welcome.")]  # fmt: skip
    give(store, Given(lines, [("carl", True, 5)]))
    ben, session = store.owner("ben"), store.owner("ben").sessions_with("ana")[0]
    said = ben.statements(session)
    ben.write_session(session, said, confided=["m1"], summary=("ana", "Ana moved, and Carl came."))
    assert said and {hit.audience for hit in ben.memories()} == {("ana",)}


# --- an edit, the same again ---


def test_an_edit_leaves_nothing_of_what_it_takes_the_place_of(store: Store) -> None:
    give(store, Given(TALK))
    ben = store.owner("ben")
    ben.recall("party", k=1)
    remember(ben, "The party is on Saturday.", "m1")
    remember(ben, "The cake is of marzipan.", "m2")
    edited = replace(TALK[0], text="The party for Carl is on Sunday", edited_at=at(30))
    assert give(store, Given([edited, *TALK[1:]])).edited == 1
    assert give(store, Given([TALK[0], replace(edited, text="Older", edited_at=at(20))])).edited == 0
    assert [hit.text for hit in ben.memories()] == ["The cake is of marzipan."]
    assert ben.recall("Sunday party").hits[0].text == "The party for Carl is on Sunday"
    with store.database.read() as connection:
        assert "The party for Carl is on Saturday" not in set(connection.scalars(select(schema.text.c.body)))
    give(store, Given([line(40, "ana", "The party for Carl is on Saturday", "9")]))
    assert len(list(store.messages())) == 5 and clean(store)


def test_the_order_is_by_time_for_a_reader_who_has_the_world_open(store: Store) -> None:
    give(store, Given([line(10, "ana", "ten"), line(20, "ben", "twenty"), line(30, "ana", "thirty")]))
    ana = store.owner("ana")
    assert [hit.text for hit in ana.neighbours("m2")] == ["ten", "thirty"]
    give(store, Given([line(11, "ben", "eleven"), line(25, "ben", "twenty-five"), line(None, "ana", "no time")]))
    side = [line(n, "ana", f"aside {n}", chat="aside") for n in (12, 21, 26)]
    give(store, Given([*side, line(13, "dora", "at one side", chat="aside")], title="Aside"))
    assert [one.text for one in store.messages()] == [
        "ten", "eleven", "aside 12", "at one side", "twenty", "aside 21", "twenty-five", "no time", "aside 26", "thirty",
    ]  # fmt: skip
    assert [hit.text for hit in ana.neighbours("m2")] == ["eleven", "twenty-five"]
    assert [hit.text for hit in store.owner("ana").neighbours("m2", 9, 9)] == [
        hit.text for hit in ana.neighbours("m2", 9, 9)
    ]
    assert {hit.session for hit in ana.neighbours("m2", 9, 9)} == {ana.message("m2").session} and clean(store)


def test_the_hour_that_comes_twice_stays_in_the_order_of_the_source(store: Store) -> None:
    give(store, Given([line(5, "ana", "first")]))
    night = [
        line(50, "ana", "first pass"),
        line(58, "ben", "still"),
        line(10, "ana", "second pass"),
        line(61, "ben", "after"),
    ]
    with store.database.write() as connection:
        adding.add(connection, Turned(night), None)
    for minute in (30, 90):
        give(store, Given([line(minute, "zed", f"aside {minute}", chat="aside")], title="Aside"))
    told = [one.text for one in store.messages()]
    assert [text for text in told if "aside" not in text] == ["first", "first pass", "still", "second pass", "after"]
    assert told[-1] == "aside 90"


class Turned(Given):
    """Lines in the order of the source, as it knows it by zones."""

    def ordered(self, chat: str | None = None) -> Iterator[StagedLine]:
        return iter(self.lines)


def test_two_conversations_never_share_a_session(store: Store) -> None:
    store.ingest(
        [Person("ana", "Ana"), Person("yan", "Yan")], [], [ChatMessage(0, "ana", "yan", "old", None, "family")]
    )
    give(store, Given([line(None, "ben", "untimed"), line(None, "carl", "too")]))
    one, *others = [one.session for one in store.messages()]
    assert one not in others and len(set(others)) == 1


def test_search_in_scripts_without_spaces(store: Store) -> None:
    said = [
        "明天我们去东京吃拉面",
        "พรุ่งนี้ไปตลาดน้ำกัน",
        "明日は図書館で勉強します",
        "내일 도서관에서 만나요",
        "Toplantı İstanbul'da olacak",
        "plain words",
    ]
    give(store, Given([line(n, ("ana", "ben")[n % 2], one) for n, one in enumerate(said)]))
    memory = store.owner("ana")
    for asked, found in (("拉面", 0), ("ตลาดน้ำ", 1), ("図書館", 2), ("도서관", 3), ("istanbul", 4), ("toplanti", 4)):
        assert memory.recall(asked, k=1).hits[0].text == said[found], asked
    assert clean(store)


# --- people ---


def test_a_chain_of_merges_is_undone_one_by_one(store: Store) -> None:
    give(store, Given(TALK, me="carl"))
    with store.database.write() as connection:
        connection.execute(
            schema.task.insert().values(
                position=0, id="t", question="?", answer="!", aliases="[]", instructor=1, assistant=2,
                holders='["carl", "ana"]', evidence="[1]", kind="x",
            )
        )  # fmt: skip
    before = everything(store), store.tasks(), store.people(), store.ties()
    for kept, gone in (("ben", "carl"), ("ana", "ben")):
        with store.database.write() as connection:
            merging.merge(connection, kept, gone)
        assert clean(store)
    assert store.tasks()[0].holders == ("ana",)
    with store.database.read() as connection:
        assert device_of(connection) == "ana"
    for kept, again in (("ana", "ben"), ("ben", "carl")):
        with store.database.write() as connection:
            assert merging.split(connection, kept) == again
        assert clean(store)
    assert (everything(store), store.tasks(), store.people(), store.ties()) == before
    with store.database.read() as connection:
        assert device_of(connection) == "carl"


def test_who_is_two_again_has_noted_nothing_of_what_the_other_read(store: Store) -> None:
    give(store, Given(TALK[:2]))
    give(
        store,
        Given(
            [line(3, "annie", "The safe is under the bed"), line(4, "carl", "Good to know")], title="Two", source="x"
        ),
    )
    with store.database.write() as connection:
        merging.merge(connection, "ana", "annie")
    remember(store.owner("ana"), "The safe is under the bed.", "m3")
    remember(store.owner("carl"), "The safe is under the bed.", "m3")
    store.owner("ana").disclose(["m3", "m1"], partner="ben")
    with store.database.write() as connection:
        merging.split(connection, "ana")
    assert not store.owner("ana").memories() and len(store.owner("carl").memories()) == 1
    assert [one.items for one in store.owner("ana").disclosures()] == [("m1",)] and clean(store)


def test_people_are_two_again_after_others_were_erased(store: Store) -> None:
    give(store, Given([*TALK, line(9, "dora", "Hi all", "5")]))
    note = remember(store.owner("ana"), "Ben bakes.", "m2")
    with store.database.write() as connection:
        merging.merge(connection, "ana", "ben")
    for request in (Request(person="carl"), Request(items=(note, "m1"))):
        begun = erase.begin(store, request)
        erase.settle(store, begun.receipt, {})
    with store.database.write() as connection:
        merging.split(connection, "ana")
    assert [(who, heard) for who, heard, *_ in everything(store)] == [
        ("ben", ("ana", "dora")), ("ana", ("ben", "dora")), ("dora", ("ana", "ben")),
    ]  # fmt: skip
    assert clean(store)


def test_a_new_name_is_known_to_a_reader_who_has_the_world_open(store: Store) -> None:
    give(
        store,
        Given([line(1, "ana", "I have bought a boat"), line(2, "ben", "So have I, a boat"), line(3, "carl", "ok")]),
    )
    carl = store.owner("carl")
    carl.recall("Which boat has Wilhelmina?")
    with store.database.write() as connection:
        merging.rename(connection, "ben", "Wilhelmina")
    found = carl.recall("Which boat has Wilhelmina?", k=3).hits
    assert found == store.owner("carl").recall("Which boat has Wilhelmina?", k=3).hits
    assert found[0].sender == "ben" and found[0].score > found[1].score


# --- erasing ---


def stored(store: Store) -> str:
    """All that the database holds, as text."""
    with store.database.read() as connection:
        tables = [*schema.metadata.tables.values()]
        held = [str(row) for table in tables for row in connection.execute(select(table)).all()]
        if connection.dialect.name == "postgresql":
            held += [str(row) for name in ("message_fts", "memory_fts", "text_terms")
                     for row in connection.execute(text(f"SELECT * FROM {name}")).all()]  # fmt: skip
    return "\n".join(held).casefold()


def test_nothing_of_an_erased_person_stays_in_groups_and_others_keep_what_they_said(store: Store) -> None:
    group = [line(1, "ana", "Who has the rope?"), line(2, "ben", "On the boat"), line(3, "carl", "I sold it")]
    give(store, Given(group, title="", source="a", members=("ana", "ben", "carl"), me="carl"))
    alone = [line(1, "carl", "A note to myself", chat="me")]
    give(store, Given(alone, title="Saved", source="a"), Given(group[1:], title="Ben, Carl", source="b"))
    for person in [one.id for one in store.people() if one.id.startswith("carl")]:
        begun = erase.begin(store, Request(person=person))
        done = erase.settle(store, begun.receipt, {})
        assert done.removed["people"] == 1
    said = [(who, receivers) for who, receivers, *_ in everything(store)]
    assert said == [("ana", ("ben",)), ("ben", ("ana",))]
    left = stored(store)
    assert not [row for row in left.splitlines() if "carl" in row or "sold" in row or "myself" in row] and clean(store)
    if not (store.database.path.parent / "database.url").exists():
        raw = b"".join(path.read_bytes().lower() for path in store.database.path.parent.iterdir() if path.is_file())
        assert not {word for word in (b"carl", b"sold", b"myself") if word in raw}


def test_a_key_of_something_erased_is_never_given_out_again(store: Store) -> None:
    give(store, Given([*TALK, line(9, "zed", "I come last", "9")]))
    with store.database.read() as connection:
        before = {table.name: max(connection.scalars(select(table.c[key])))
                  for table, key in ((schema.person, "key"), (schema.text, "key"), (schema.message, "id"))}  # fmt: skip
    begun = erase.begin(store, Request(person="zed"))
    erase.settle(store, begun.receipt, {})
    give(store, Given(TALK))
    give(store, Given([*TALK, line(9, "yan", "I come last now", "9")]))
    with store.database.read() as connection:
        for table, key in ((schema.person, "key"), (schema.text, "key"), (schema.message, "id")):
            assert max(connection.scalars(select(table.c[key]))) > before[table.name]


def test_what_somebody_says_twice_is_erased_once_and_a_line_of_rows_wholly(store: Store) -> None:
    people = [Person(one, one.title()) for one in ("ana", "ben", "carl")]
    rows = [ChatMessage(n, "ana", who, "see you at the pier", START, "s") for n, who in enumerate(("ben", "carl"))]
    store.ingest(people, [Tie("ana", "ben")], rows, [Task("t", "?", "!", (), "ana", "ben", (), ())])
    give(store, Given([line(1, "ana", "at the gate"), line(2, "ben", "ok"), line(3, "ana", "at the gate")]))
    plan = erase.plan(store, Request(items=("m1",)))
    assert set(plan.messages) == {1, 2}
    plan = erase.plan(store, Request(items=("m3",)))
    assert set(plan.messages) == {3} and plan.elsewhere == ("m5",)
    begun = erase.begin(store, Request(items=("m3",)))
    erase.settle(store, begun.receipt, {})
    assert json.dumps([one.text for one in store.messages()]).count("at the gate") == 1 and clean(store)


# --- all of it, at random ---


def talks(rng: random.Random, everybody: list[str]) -> dict[str, Given]:
    """Three groups in which people come and go."""
    found: dict[str, Given] = {}
    for chat in ("c0", "c1", "c2"):
        inside, lines, moves = set(rng.sample(everybody, 3)), list[StagedLine](), list[tuple[str, bool, float]]()
        for n in range(1, 30):
            who, joins = rng.choice(everybody), rng.random()
            if joins < 0.15 and who not in inside:
                moves.append((who, True, n))
                inside.add(who)
            elif joins < 0.25 and who in inside and len(inside) > 2:
                moves.append((who, False, n))
                inside.discard(who)
            else:
                lines.append(line(n, rng.choice(sorted(inside)), f"w{chat}x{n} alpha{n % 3}", f"{chat}-{n}", chat=chat))
        found[chat] = Given(lines, moves, title=chat)
    return found


def part(rng: random.Random, whole: Given) -> Given:
    """An export of some of it, which may know less of who came and went."""
    first = rng.randrange(len(whole.lines))
    some = whole.lines[first : rng.randrange(first, len(whole.lines)) + 1]
    moves = [move for move in whole.moves if rng.random() < 0.6]
    return Moved(some, moves, title=whole.title)


class Moved(Given):
    @property
    def changes(self) -> list[Change]:
        return [replace(one, chat=self.lines[0].chat) for one in super().changes]


def step(store: Store, rng: random.Random, whole: dict[str, Given]) -> None:
    people, kind = [one.id for one in store.people()], rng.random()
    if kind < 0.5 or len(people) < 4:
        give(store, part(rng, whole[rng.choice(sorted(whole))]))
    elif kind < 0.65:
        with store.database.write() as connection:
            merging.merge(connection, *rng.sample(people, 2))
    elif kind < 0.9:
        with contextlib.suppress(InputError), store.database.write() as connection:
            merging.split(connection, rng.choice(people))
    else:
        begun = erase.begin(store, Request(person=rng.choice(people)))
        erase.settle(store, begun.receipt, {})


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_nobody_recalls_or_cites_what_they_may_not_read(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    whole = talks(rng, [f"p{n}" for n in range(6)])
    for _ in range(12):
        step(store, rng, whole)
        said = {one.id: one for one in store.messages()}
        for who in [one.id for one in store.people()]:
            own = {number: one for number, one in said.items() if who in one.parties}
            memory = store.owner(who)
            hits = memory.recall("alpha0 alpha1 alpha2", k=99, budget=99_999).hits
            assert {hit.id for hit in hits if hit.kind == "message"} == own.keys()
            assert {one for hit in memory.memories() for one in hit.messages} <= own.keys()
            for one in rng.sample(sorted(own), min(2, len(own))):
                about = own[one].sender
                memory.remember(about=about, text=f"Noted {own[one].text}", told_by=about, kind="fact", evidence=[one])
        assert clean(store)


# --- worlds of before conversations ---

OLD = """
INSERT INTO person(id, name, persona, aliases, outside) VALUES
 ('ana', 'Ana', '', '[]', FALSE), ('ben', 'Ben', '', '[]', FALSE), ('carl', 'Carl', '', '[]', FALSE), ('@me', 'Me', '', '[]', TRUE),
 ('ana & ben', 'Two', '', '[]', FALSE), ('ben & carl', 'Two', '', '[]', FALSE);
INSERT INTO session(id) VALUES ('s'), ('kith-chat:1');
INSERT INTO text(digest, body, words) VALUES
 ('1', 'the boat is in Turin', 5), ('2', '明天我们去东京', 1),
 ('3', 'remember the rope', 3), ('4', 'Ben has a boat', 4), ('5', 'gone', 1);
INSERT INTO message(seq, sender, receiver, text, session, at, recalled, private) VALUES
 (0, 1, 2, 1, 1, '2024-01-01 10:00:00.000000', FALSE, FALSE), (1, 1, 3, 1, 1, '2024-01-01 10:00:00.000000', FALSE, FALSE),
 (2, 2, 1, 2, 1, NULL, FALSE, FALSE), (3, 4, 1, 3, 2, NULL, FALSE, TRUE), (4, 3, 2, 5, 1, NULL, FALSE, FALSE),
 (5, 5, 3, 3, 1, NULL, FALSE, FALSE), (6, 1, 6, 3, 1, NULL, FALSE, FALSE),
 (7, 1, 2, 3, 1, NULL, FALSE, FALSE);
INSERT INTO memory(owner, about, told_by, restricted, kind, text, fingerprint, recorded_at, importance, uses, rev, handles) VALUES
 (1, 2, 2, TRUE, 'fact', 4, 'f', '2024-01-01 10:00:00.000000', 0.5, 0, 1, '[]'),
 (1, 2, 2, FALSE, 'fact', 4, 'g', '2024-01-01 10:00:00.000000', 0.5, 0, 1, '[]');
INSERT INTO audience(memory, person) VALUES (1, 2);
INSERT INTO evidence(memory, message) VALUES (1, 1), (2, 3);
INSERT INTO link(a, b, type, evidence) VALUES (2, 1, 'same_topic', 3);
INSERT INTO usage(utterance, memory, partner, at) VALUES ('Ben has one.', 1, 3, '2024-01-01 10:00:00.000000');
INSERT INTO disclosure(owner, partner, task, rule, action, at) VALUES (1, 3, 'boat?', 'r', 'tell', '2024-01-01 10:00:00.000000');
INSERT INTO disclosed(disclosure, message, memory) VALUES (1, 1, NULL), (1, NULL, 2);
INSERT INTO disclosure_grant(owner, person, message, topic, purpose, term, given_at, uses) VALUES
 (1, 3, 1, '', '', 'always', '2024-01-01 10:00:00.000000', 1);
INSERT INTO grant_use(permit, partner, message, at) VALUES (1, 3, 1, '2024-01-01 10:00:00.000000');
INSERT INTO utterance(agent, partner, session, answers, body) VALUES (1, 4, 2, 4, 'I will.');
INSERT INTO task(position, id, question, answer, aliases, instructor, assistant, holders, evidence, kind) VALUES
 (0, 't', 'Where?', 'Turin', '[]', 2, 1, '["ana"]', '[0]', 'x');
INSERT INTO tie(a, b, kind) VALUES (1, 2, 'friend');
INSERT INTO erasure(kind, begun, removed, work) VALUES ('message', '2024-01-01 10:00:00.000000', '{}', '');
DELETE FROM message WHERE id = 5;
DELETE FROM message WHERE id = 8;
DELETE FROM text WHERE key = 5
"""
KEPT = ("person", "tie", "session", "memory", "audience", "evidence", "link", "usage", "disclosure", "disclosed",
        "disclosure_grant", "grant_use", "utterance", "task", "erasure", "meta")  # fmt: skip


def older(path: Path, address: Address | None, empty: bool) -> dict[str, list[str]]:
    """A world of the version before; empty: all of its messages are gone. Returns what is in it but messages and texts."""
    path.parent.mkdir(parents=True)
    if address is not None:
        write_address(path, address)
    place: Place = SqlitePlace(path) if address is None else PostgresPlace(address, new=True)
    engine = place.engine(False, 5.0)
    with engine.begin() as connection:
        place.prepare(connection)
        for step in MIGRATIONS[:7]:
            step(connection)
        stamp(connection, 7)
        said = OLD.replace("INSERT INTO message(", "INSERT INTO text_terms VALUES (1, '{boat,in,is,the,turin}'),"
                           " (2, '{明天我们去东京}'),"
                           " (3, '{rememb,rope,the}'), (4, '{a,ben,boat,ha}'), (5, '{gone}');\nINSERT INTO message(")  # fmt: skip
        for statement in (said if address is not None else OLD).split(";\n"):
            bytes_ = "'{}'::bytea" if address is not None else "CAST('{}' AS BLOB)"
            for digit in "12345":
                statement = statement.replace(f"('{digit}', ", f"({bytes_.format(digit)}, ")
            connection.exec_driver_sql(statement)
        if empty:
            connection.exec_driver_sql("DELETE FROM message")
        held = {one: sorted(map(str, connection.exec_driver_sql(f'SELECT * FROM "{one}"'))) for one in KEPT}
    engine.dispose()
    return held


@pytest.fixture(params=("sqlite", "postgres"))
def where(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Address | None]:
    if request.param == "sqlite":
        return tmp_path / "old" / "kith.db", None
    return tmp_path / "old" / "kith.db", own_schema(
        request.getfixturevalue("postgres").url, "old", uuid.uuid4().hex[:8]
    )


@pytest.mark.parametrize("empty", [False, True])
def test_a_world_of_before_loses_nothing_and_gives_no_key_twice(
    where: tuple[Path, Address | None], empty: bool
) -> None:
    before = older(*where, empty)
    with Store.open(where[0]) as store:
        with store.database.read() as connection:
            for one in KEPT:
                now = sorted(map(str, connection.exec_driver_sql(f'SELECT * FROM "{one}"')))
                assert now == before[one] or one == "meta", one
        ana = store.owner("ana")
        if not empty:
            assert everything(store)[:2] == [
                ("ana", ("ben",), "the boat is in Turin", "ana & ben"), ("ana", ("carl",), "the boat is in Turin", "ana & carl"),
            ]  # fmt: skip
            assert [hit.id for hit in ana.recall("东京", k=1).hits] == ["m3"] and ana.message("m4").sender == "@me"
            assert ana.memories()[0].messages == ("m3",) and store.tasks()[0].evidence == ("m1",)
            assert set(erase.plan(store, Request(items=("m1",))).messages) == {1, 2}
        assert ana.write_turn("ben", "after", sender="ana", session="s") == "m9"
        with store.database.write() as connection, pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(schema.evidence.insert().values(memory=1, message=99))
        give(store, Given(TALK))
        assert len(everything(store)) == (1 if empty else 6) + 4 and clean_but(
            store, "erasures", "texts", "unused texts"
        )


def clean_but(store: Store, *but: str) -> bool:
    return all(one.ok or one.name in but for one in fsck.check(store, store.database.path.parent / "none").findings)
