"""One's own chats in a world: audiences of groups, exports that overlap, order, people, and what goes wrong."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.app.adding import Wanted, add, messages, people
from kithnet.app.exporting import export_world
from kithnet.app.worlds import open_world
from kithnet.memory import fsck, merging
from kithnet.memory.adding import conversations
from kithnet.memory.store import Store
from kithnet.runtime.errors import InputError, RecordError

BEGIN = 1_700_000_000
UTC = Wanted(zone="UTC")
Entry = dict[str, Any]


def said(number: int, who: str, text: str, minutes: float = 0.0, **more: Any) -> Entry:
    """A message as Telegram exports it."""
    at = int(BEGIN + 60 * (minutes or number))
    told = {"id": number, "type": "message", "date_unixtime": str(at), "from": who.title(), "from_id": f"user_{who}"}
    return {**told, "date": f"{datetime.fromtimestamp(at):%Y-%m-%dT%H:%M:%S}", "text": text, **more}


def joined(number: int, who: str, by: str, minutes: float = 0.0) -> Entry:
    entry = said(number, by, "", minutes, type="service", action="invite_members", members=[who.title()])
    return {**entry, "actor": by.title(), "actor_id": f"user_{by}"}


def left(number: int, who: str, minutes: float = 0.0) -> Entry:
    entry = said(number, who, "", minutes, type="service", action="remove_members", members=[who.title()])
    return {**entry, "actor": who.title(), "actor_id": f"user_{who}"}


def written(folder: Path, entries: list[Entry], name: str = "Family", key: int = 7, file: str = "result.json") -> Path:
    path = folder / file
    chat = {"name": name, "type": "private_group", "id": key, "messages": entries}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(chat, ensure_ascii=False), encoding="utf-8")
    return path


def texts(home: Path, world: str = "w") -> list[tuple[str, str]]:
    with open_world(home, world) as store:
        return [(one["sender"], one["text"]) for one in messages(store, None, None, None)]


def everything(home: Path, world: str = "w") -> Any:
    """A world without its numbers: who said what when to whom, in order."""
    with open_world(home, world) as store:
        names = {one.id: one.name for one in store.people()}
        return [
            (
                names[one.sender],
                sorted(names[who] for who in one.receivers),
                one.text,
                one.at,
                one.conversation,
                one.session,
            )
            for one in store.messages()
        ]


# --- who may read what ---


def test_who_comes_later_does_not_read_what_was_said_before(tmp_path: Path) -> None:
    entries = [
        said(1, "ana", "The party is for Carl, keep it quiet."), said(2, "ben", "I bring the cake."),
        joined(3, "carl", "ana"), said(4, "carl", "Hello everybody!"), said(5, "ana", "Hi Carl."),
        left(6, "ben"), said(7, "carl", "Who took my umbrella?"),
    ]  # fmt: skip
    add(tmp_path, "w", [written(tmp_path / "in", entries)], UTC)
    with open_world(tmp_path, "w") as store:
        seen = {who: {hit.text for hit in store.owner(who).recall("party cake umbrella hello", k=20).hits}
                for who in ("ana", "ben", "carl")}  # fmt: skip
        assert "Who took my umbrella?" in seen["carl"] & seen["ana"] and "Who took my umbrella?" not in seen["ben"]
        assert "I bring the cake." in seen["ana"] & seen["ben"] and "I bring the cake." not in seen["carl"]
        with pytest.raises(InputError):
            store.owner("carl").message("m1")
        assert [one.receivers for one in store.messages()] == [
            ("ben",), ("ana",), ("ana", "ben"), ("ben", "carl"), ("ana",),
        ]  # fmt: skip


def test_who_came_later_does_not_read_it_after_an_export_either(tmp_path: Path) -> None:
    entries = [said(1, "ana", "secret"), joined(2, "carl", "ana"), said(3, "carl", "hello"), left(4, "carl"),
               said(5, "ben", "gone"), said(6, "ana", "yes")]  # fmt: skip
    add(tmp_path, "w", [written(tmp_path / "in", entries)], UTC)
    with open_world(tmp_path, "w") as store:
        files = export_world(store, tmp_path / "out", "chatlab")
        heard = [(one.text, one.parties) for one in store.messages()]
    add(tmp_path, "again", files, UTC)
    with open_world(tmp_path, "again") as store:
        assert [(one.text, one.parties) for one in store.messages()] == heard


def test_whose_device_it_is_reads_what_is_on_it(tmp_path: Path) -> None:
    """The owner of an export may never have written in a group of it."""
    entries = [said(1, "ben", "The ferry leaves at nine."), said(2, "carl", "I am late")]
    add(tmp_path, "w", [written(tmp_path / "in", entries)], replace(UTC, me="Anna"))
    with open_world(tmp_path, "w") as store:
        assert store.owner("anna").recall("ferry").hits[0].text == "The ferry leaves at nine."
        assert {one["id"]: one["me"] for one in people(store)} == {"ben": False, "carl": False, "anna": True}
        assert {frozenset((tie.a, tie.b)) for tie in store.ties()} == {
            frozenset(pair) for pair in (("ben", "carl"), ("anna", "ben"), ("anna", "carl"))
        }


def test_a_line_of_a_group_is_stored_once(tmp_path: Path) -> None:
    entries = [said(n, who, f"line {n}") for n, who in enumerate(("ana", "ben", "carl", "dora", "emil"), 1)]
    add(tmp_path, "w", [written(tmp_path / "in", entries)], UTC)
    with open_world(tmp_path, "w") as store:
        assert store.stats().messages == 5
        assert all(store.owner(who).recall("line", k=9).searched == 5 for who in ("ana", "emil"))


def test_what_joins_two_people_in_a_crowd_weighs_less(tmp_path: Path) -> None:
    crowd = [said(n, f"p{n % 5}", f"line {n}") for n in range(1, 41)]
    for entry in crowd:  # a chat of two has the number of the other one
        entry["from_id"] = entry["from_id"].replace("user_p1", "user8")
    pair = [said(n, who, f"hi {n}") for n, who in enumerate(("p0", "p1") * 5, 1)]
    add(tmp_path, "w", [written(tmp_path / "in", crowd)], UTC)
    two = written(tmp_path / "in", pair, name="P1", key=8, file="two.json")
    two.write_text(two.read_text().replace("private_group", "personal_chat").replace("user_p1", "user8"))
    add(tmp_path, "w", [two], UTC)
    with open_world(tmp_path, "w") as store:
        ties = {(min(tie.a, tie.b), max(tie.a, tie.b)): tie for tie in store.ties()}
    assert ties["p0", "p1"].messages == 26 and ties["p0", "p1"].weight == pytest.approx(10 + 16 / 4)
    assert ties["p2", "p3"].weight == pytest.approx(16 / 4)


def scope_of(entries: list[Entry]) -> dict[str, set[str]]:
    """Person -> texts, by going through the talk in order: the test's own reading of who is there."""
    present: set[str] = set()
    first: dict[str, int] = {}
    joins = {entry["members"][0].casefold() for entry in entries if entry.get("action") == "invite_members"}
    for place, entry in enumerate(entries):
        if entry["type"] == "message":
            first.setdefault(entry["from_id"][5:], place)
    present |= {who for who in first if who not in joins}
    read: dict[str, set[str]] = {}
    for entry in entries:
        if entry["type"] == "message":
            for who in present | {entry["from_id"][5:]}:
                read.setdefault(who, set()).add(entry["text"])
        elif entry["action"] == "invite_members":
            present.add(entry["members"][0].casefold())
        else:
            present.discard(entry["members"][0].casefold())
    return read


@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_probes_find_nothing_that_was_said_without_one(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    everybody = [f"p{n}" for n in range(9)]
    for chat in range(4):
        here, later = rng.sample(everybody, 4), [who for who in everybody if rng.random() < 0.5]
        entries, inside, gone = [], set(here), set[str]()
        for number in range(1, 120):
            who = rng.choice(later) if later else "p0"
            if rng.random() < 0.08 and who not in inside | gone:
                entries.append(joined(number, who, rng.choice(sorted(inside))))
                inside.add(who)
            elif rng.random() < 0.05 and len(inside) > 3:
                out = rng.choice(sorted(inside))
                entries.append(left(number, out))
                inside.discard(out)
                gone.add(out)
            else:
                entries.append(said(number, rng.choice(sorted(inside)), f"word{chat}x{number} alpha{number % 7}"))
        path = written(tmp_path / "in", entries, name=f"Chat {chat}", key=chat, file=f"{chat}.json")
        add(tmp_path, "w", [path], UTC)
    with open_world(tmp_path, "w") as store:
        own: dict[str, set[str]] = {who: set() for who in everybody}
        for one in store.messages():
            for who in one.parties:
                own[who].add(one.text)
        everything_said = sorted({text for texts in own.values() for text in texts})
        known = {one.id for one in store.people()}
        probes = 0
        for who in sorted(known):
            memory = store.owner(who)
            for _ in range(2_500 // len(known) // 4):
                query = " ".join(rng.sample(everything_said, 2)) if rng.random() < 0.5 else f"alpha{rng.randrange(7)}"
                assert {hit.text for hit in memory.recall(query, k=50, budget=9_000).hits} <= own[who]
                probes += 1
            for text in everything_said:
                found = {hit.text for hit in memory.recall(text.split()[0], k=3).hits}
                assert found <= own[who] and (text in found) == (text in own[who])
                probes += 1
        assert probes >= 2_500
        assert fsck.check(store, tmp_path / "none").clean


def test_the_audience_is_who_was_a_member(tmp_path: Path) -> None:
    rng = random.Random(5)
    entries = [said(1, "ana", "t1"), said(2, "ben", "t2")]
    for number in range(3, 60):
        who = rng.choice(("carl", "dora", "emil"))
        kind = rng.random()
        mine = [one for one in entries if one["type"] == "service" and one["members"] == [who.title()]]
        inside = bool(mine) and mine[-1]["action"] == "invite_members"
        if kind < 0.2 and not inside:
            entries.append(joined(number, who, "ana"))
        elif kind < 0.35 and inside:
            entries.append(left(number, who))
        else:
            speaker = who if inside else rng.choice(("ana", "ben"))
            entries.append(said(number, speaker, f"t{number}"))
    add(tmp_path, "w", [written(tmp_path / "in", entries)], UTC)
    with open_world(tmp_path, "w") as store:
        read: dict[str, set[str]] = {}
        for one in store.messages():
            for who in one.parties:
                read.setdefault(who, set()).add(one.text)
    assert read == scope_of(entries)


# --- the same talk again ---


def talk(count: int = 30, seed: int = 1) -> list[Entry]:
    rng = random.Random(seed)
    words = ["ok", "yes", "see you at six", "no idea", "lol"]
    entries: list[Entry] = []
    for number in range(1, count + 1):
        who = rng.choice(("ana", "ben", "carl"))
        text = rng.choice([*words, f"number {number} matters"])
        entries.append(said(number, who, text, minutes=number // 3 + 1))
    return entries


@pytest.mark.parametrize("seed", range(5))
def test_overlapping_exports_give_the_whole_in_any_order(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    entries = talk(40, seed)
    cuts = sorted(rng.sample(range(5, 35), 2))
    parts = [entries[: cuts[1]], entries[cuts[0] :], entries[cuts[0] : cuts[1]]]
    rng.shuffle(parts)
    files = [written(tmp_path / "in", part, file=f"{number}.json") for number, part in enumerate(parts)]
    for file in files:
        add(tmp_path, "parts", [file], UTC)
    add(tmp_path, "whole", [written(tmp_path / "in", entries)], UTC)
    assert everything(tmp_path, "parts") == everything(tmp_path, "whole")


@given(st.permutations(list(range(14))))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_the_entries_of_a_file_does_not_matter(tmp_path_factory: Any, order: list[int]) -> None:
    entries = talk(14)
    home = tmp_path_factory.mktemp("orders")
    add(home, "straight", [written(home / "in", entries)], UTC)
    add(home, "mixed", [written(home / "in", [entries[place] for place in order])], UTC)
    assert everything(home, "mixed") == everything(home, "straight")


WHATSAPP = "12/03/2024, {minute} - {who}: {text}\n"


def whatsapp(folder: Path, name: str, lines: list[tuple[str, str, str]]) -> Path:
    path = folder / f"WhatsApp Chat with {name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(WHATSAPP.format(minute=m, who=w, text=t) for m, w, t in lines), encoding="utf-8")
    return path


def test_overlapping_exports_without_numbers_keep_equal_lines_and_their_order(tmp_path: Path) -> None:
    lines = [
        ("14:05", "Ana", "ok"), ("14:05", "Ben", "ok"), ("14:05", "Ana", "ok"), ("14:05", "Ben", "where?"),
        ("14:05", "Ana", "at the pier"), ("14:06", "Ben", "ok"), ("14:06", "Ana", "ok"),
    ]  # fmt: skip
    wanted = Wanted(zone="UTC", dates="dmy")
    first, second = whatsapp(tmp_path / "a", "Ben", lines[:5]), whatsapp(tmp_path / "b", "Ben", lines[3:])
    for name, files in (("forth", (first, second)), ("back", (second, first))):
        for file in files:
            add(tmp_path, name, [file], wanted)
        assert texts(tmp_path, name) == [(who, text) for _, who, text in lines]


def test_one_talk_from_two_telephones_is_one_conversation(tmp_path: Path) -> None:
    said_ = [("14:05", "a", "Are we still on?"), ("14:06", "b", "Yes, at the pier."), ("14:07", "a", "Bring the rope"),
             ("14:09", "b", "And the blue jacket"), ("14:11", "a", "Deal, see you there")]  # fmt: skip
    names = {"mine": {"a": "Ana", "b": "Benny"}, "his": {"a": "Ana Ruiz", "b": "Ben"}}
    mine = whatsapp(tmp_path / "1", "Benny", [(m, names["mine"][w], t) for m, w, t in said_[:4]])
    his = whatsapp(tmp_path / "2", "Ana Ruiz", [(m, names["his"][w], t) for m, w, t in said_])
    wanted = Wanted(zone="UTC", dates="dmy")
    add(tmp_path, "w", [mine], wanted)
    report = add(tmp_path, "w", [his], wanted)
    assert report.messages["new"] == 1 and report.messages["seen"] == 4 and not report.new
    with open_world(tmp_path, "w") as store:
        with store.database.read() as connection:
            assert len(conversations(connection)) == 1
        assert {one.id: one.aliases for one in store.people()} == {"ana": ("Ana Ruiz",), "benny": ("Ben",)}
    assert add(tmp_path, "w", [his], wanted).messages["new"] == 0


def test_what_is_said_in_two_groups_makes_them_no_one_group(tmp_path: Path) -> None:
    everybody = [said(1, "ana", "Meeting moved to Monday"), said(2, "ben", "fine with me"), said(3, "ana", "Bring your laptops"),
                 said(4, "carl", "sure thing"), said(5, "ana", "Lunch is on the house")]  # fmt: skip
    few = [everybody[0], said(12, "dora", "Carl will be fired", minutes=2), everybody[2],
           said(14, "ana", "On Friday", minutes=4), everybody[4]]  # fmt: skip
    alone = [everybody[0], everybody[2], said(23, "ana", "Carl knows nothing", minutes=4), everybody[4]]
    for key, entries in enumerate((everybody, few, alone), 1):
        add(tmp_path, "w", [written(tmp_path / "in", entries, name=f"G{key}", key=key, file=f"{key}.json")], UTC)
    with open_world(tmp_path, "w") as store:
        assert len({one.conversation for one in store.messages()}) == 3
        assert not {"Carl will be fired", "On Friday", "Carl knows nothing"} & {
            one.text for one in store.messages() if "carl" in one.parties
        }


def test_two_groups_of_one_title_are_two(tmp_path: Path) -> None:
    mine = [("14:05", "Ana", "Grandma is ill"), ("14:06", "Ben", "Oh no"), ("14:07", "Carl", "I call her")]
    hers = [("15:05", "Zoe", "Dinner at eight?"), ("15:06", "Yan", "Yes please"), ("15:07", "Xi", "I cook")]
    wanted = Wanted(zone="UTC", dates="dmy")
    for folder, lines in (("a", mine), ("b", hers), ("c", [*mine, ("14:09", "Ben", "Thanks")]), ("d", hers)):
        report = add(tmp_path, "w", [whatsapp(tmp_path / folder, "Family", lines)], wanted)
        assert report.messages["new"] == {"a": 3, "b": 3, "c": 1, "d": 0}[folder]
    with open_world(tmp_path, "w") as store:
        read = {who: {one.text for one in store.messages() if who in one.parties} for who in ("zoe", "ana")}
    assert read == {"zoe": {text for _, _, text in hers}, "ana": {*(text for _, _, text in mine), "Thanks"}}


def test_an_edit_takes_the_place_of_what_it_edits(tmp_path: Path) -> None:
    add(tmp_path, "w", [written(tmp_path / "in", [said(1, "ana", "at six"), said(2, "ben", "fine")])], UTC)
    edited = said(1, "ana", "at seven", edited_unixtime=str(BEGIN + 900), edited="2023-11-14T22:30:00")
    report = add(tmp_path, "w", [written(tmp_path / "in", [edited, said(2, "ben", "fine")])], UTC)
    assert (report.messages["new"], report.messages["seen"], report.edited) == (0, 2, 1)
    assert texts(tmp_path) == [("Ana", "at seven"), ("Ben", "fine")]
    with open_world(tmp_path, "w") as store:
        assert store.owner("ben").recall("seven").hits[0].text == "at seven"
        assert not any(hit.text == "at six" for hit in store.owner("ben").recall("six").hits)
        assert fsck.check(store, tmp_path / "none").clean


def test_memories_stay_when_talk_is_added(tmp_path: Path) -> None:
    add(tmp_path, "w", [written(tmp_path / "in", talk(10))], UTC)
    with open_world(tmp_path, "w") as store:
        store.owner("ana").remember(about="ben", text="Ben rows.", told_by="ben", kind="fact", evidence=["m1"])
    add(tmp_path, "w", [written(tmp_path / "in", talk(20))], UTC)
    with open_world(tmp_path, "w") as store:
        assert store.owner("ana").message("k1").messages == ("m1",)


# --- people ---


def test_two_of_one_name_are_two_until_they_are_merged(tmp_path: Path) -> None:
    entries = [said(1, "alex", "I moved to Turin"), said(2, "ana", "Great"),
               said(3, "alex2", "I sold the boat") | {"from": "Alex"}]  # fmt: skip
    report = add(tmp_path, "w", [written(tmp_path / "in", entries)], UTC)
    assert sorted(report.new) == ["Alex", "Alex", "Ana"] and report.alike == [("Alex", "Alex")]
    with open_world(tmp_path, "w") as store:
        before = everything(tmp_path), people(store)
        with store.database.write() as connection:
            merging.merge(connection, "alex", "alex 2")
        assert [one["id"] for one in people(store)] == ["alex", "ana"]
        assert {hit.text for hit in store.owner("alex").recall("boat Turin", k=9).hits} >= {"I sold the boat"}
        assert fsck.check(store, tmp_path / "none").clean
        with store.database.write() as connection:
            assert merging.split(connection, "alex") == "alex 2"
        assert (everything(tmp_path), people(store)) == before
        assert fsck.check(store, tmp_path / "none").clean


def test_a_merge_lasts_once_more_was_added(tmp_path: Path) -> None:
    path = written(tmp_path / "in", [said(1, "al", "hi"), said(2, "alex", "ho")])
    add(tmp_path, "w", [path], UTC)
    with open_world(tmp_path, "w") as store, store.database.write() as connection:
        merging.merge(connection, "alex", "al")
    add(
        tmp_path,
        "w",
        [written(tmp_path / "in", [said(1, "al", "hi"), said(2, "alex", "ho"), said(3, "al", "new")])],
        UTC,
    )
    assert texts(tmp_path) == [("Alex", "hi"), ("Alex", "ho"), ("Alex", "new")]
    with (
        open_world(tmp_path, "w") as store,
        store.database.write() as connection,
        pytest.raises(InputError, match="export"),
    ):
        merging.split(connection, "alex")


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "empty"),
        (b"hello there\nnothing to see\n", "begins with: hello there"),
        (b'{"name": "x", "type": "private_group", "id": 3, "messages": [{"id": 1, ', "no whole JSON"),
        (b"PK\x03\x04broken", "begins with"),
        (b"a" * 3_000_000, "begins with"),
    ],
)
def test_what_is_not_understood_is_refused_and_changes_nothing(tmp_path: Path, content: bytes, error: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "result.json").write_bytes(content)
    with pytest.raises((InputError, RecordError), match=error):
        add(tmp_path, "w", [tmp_path / "in" / "result.json"], UTC)
    assert not (tmp_path / "w").exists() and not list(tmp_path.glob(".new-*"))


def test_a_file_under_a_name_of_another_source_is_known_by_its_content(tmp_path: Path) -> None:
    path = written(tmp_path / "in", talk(5)).rename(tmp_path / "in" / "WhatsApp Chat with Ben.json")
    assert add(tmp_path, "w", [path], UTC).formats == ["telegram"]


def test_a_dry_run_leaves_a_world_as_it_was(tmp_path: Path) -> None:
    add(tmp_path, "w", [written(tmp_path / "in", talk(10))], UTC)
    before, stamp = everything(tmp_path), (tmp_path / "w" / "kith.db").read_bytes()
    report = add(tmp_path, "w", [written(tmp_path / "in", talk(25))], UTC, dry=True)
    assert report.messages["new"] == 15 and report.messages["seen"] == 10
    assert everything(tmp_path) == before and (tmp_path / "w" / "kith.db").read_bytes() == stamp


def test_a_kill_leaves_the_whole_file_or_nothing_of_it(tmp_path: Path) -> None:
    path = written(
        tmp_path / "in", [said(n, "ana" if n % 2 else "ben", f"line {n} of many words") for n in range(1, 30_001)]
    )
    code = (
        "import sys; from pathlib import Path; from kithnet.app.adding import Wanted, add;"
        "add(Path(sys.argv[1]), 'w', [Path(sys.argv[2])], Wanted(zone='UTC'))"
    )
    add(tmp_path, "w", [written(tmp_path / "in", talk(5), name="Other", key=9, file="other.json")], UTC)
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(path)])
    try:
        process.wait(timeout=2.5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with open_world(tmp_path, "w") as store:
        assert store.stats().messages in (5, 30_005)
        assert fsck.check(store, tmp_path / "none").clean
    add(tmp_path, "w", [path], UTC)
    with open_world(tmp_path, "w") as store:
        assert store.stats().messages == 30_005


def test_a_world_of_before_conversations_goes_on(tmp_path: Path) -> None:
    """A world that was made otherwise takes exports too; what it holds keeps its order."""
    from kithnet.network.records import ChatMessage, Person, Tie

    folder = tmp_path / "w"
    start = datetime(2023, 11, 14, 22, 0)
    with Store.create(folder / "kith.db") as store:
        lines = [ChatMessage(n, "zoe", "yan", f"old {n}", start + timedelta(minutes=20 * n), "s") for n in range(3)]
        store.ingest([Person("zoe", "Zoe"), Person("yan", "Yan")], [Tie("yan", "zoe")], lines)
    add(
        tmp_path,
        "w",
        [written(tmp_path / "in", [said(1, "zoe", "new", minutes=1), said(2, "ana", "last", minutes=400)])],
        UTC,
    )
    found = [text for _, text in texts(tmp_path)]
    assert found == ["old 0", "new", "old 1", "old 2", "last"]
    with open_world(tmp_path, "w") as store:
        assert {one["id"]: one["alike"] for one in people(store)} == {
            "zoe": ["zoe 2"], "yan": [], "zoe 2": ["zoe"], "ana": [],
        }  # fmt: skip
