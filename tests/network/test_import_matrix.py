"""Matrix rooms that Element exported: edits and redactions applied, quotes cut, memberships told."""

import importlib.util
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import matrix
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Change, Chat, Contact, Line
from kithnet.runtime.errors import RecordError

_SPEC = importlib.util.spec_from_file_location("reading", Path(__file__).parent / "exports" / "reading.py")
assert _SPEC is not None and _SPEC.loader is not None
reading = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reading)
CASES = list(reading.cases("matrix"))
EXPORTS = reading.FOLDER / "matrix"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(matrix.read(files, reading.options([*words])))


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert matrix.claims(files)
    assert reading.summary(matrix, path, expected["options"]) == expected


def test_former_names_are_aliases_and_the_exporter_is_the_owner() -> None:
    people = {item.key: item for item in items(EXPORTS / "room.json", "--me", "Anna Berg") if isinstance(item, Contact)}
    assert people["@ben:example.org"].aliases == ("Ben",)
    assert people["@anna:example.org"] == Contact("@anna:example.org", "Anna Berg", ("Anna",), me=True)
    assert not any(person.me for person in items(EXPORTS / "namesakes.json") if isinstance(person, Contact))


def test_joining_leaving_and_being_put_out_are_memberships() -> None:
    found = items(EXPORTS / "room.json")
    changes = [(item.contact, item.joined) for item in found if isinstance(item, Change)]
    cara, ben = "@cara:other.example", "@ben:example.org"
    assert changes == [("@anna:example.org", True), (ben, True), (cara, True), (cara, False)]
    assert [item.members for item in found if isinstance(item, Chat)] == [()]


def test_replies_and_edits_say_what_and_when() -> None:
    lines = {item.source_id: item for item in items(EXPORTS / "room.json") if isinstance(item, Line)}
    assert lines["$will"].reply_to == "$welcome"
    edited = {item.source_id: item.edited_at for item in items(EXPORTS / "edits.json") if isinstance(item, Line)}
    assert edited["$a"] == datetime(2024, 3, 12, 13, 0, 6, tzinfo=UTC)
    assert edited["$d"] == datetime(2024, 3, 12, 13, 0, 4, 500_000, tzinfo=UTC)
    assert edited["$before"] is not None


@pytest.mark.parametrize("case", ["room", "edits", "two", "namesakes"])
def test_the_order_of_events_in_the_file_changes_nothing(case: str, tmp_path: Path) -> None:
    export = json.loads((EXPORTS / f"{case}.json").read_text("utf-8"))
    before = set(items(EXPORTS / f"{case}.json"))
    for seed in range(5):
        random.Random(seed).shuffle(export["messages"])
        (tmp_path / f"{case}.json").write_text(json.dumps(export), "utf-8")
        after = set(items(tmp_path / f"{case}.json"))
        for kind in (Line, Change, Contact, Chat):
            assert {plain(item) for item in before if isinstance(item, kind)} == {
                plain(item) for item in after if isinstance(item, kind)
            }


def plain(item: Any) -> Any:
    """Without the order of what has none."""
    if isinstance(item, Contact):
        return (item.key, item.name, frozenset(item.aliases), item.me)
    return (item.key, item.kind, item.title, frozenset(item.members)) if isinstance(item, Chat) else item


def test_several_rooms_in_a_folder_share_their_people(tmp_path: Path) -> None:
    for case in ("room", "two"):
        (tmp_path / f"{case}.json").write_bytes((EXPORTS / f"{case}.json").read_bytes())
    (tmp_path / "two.json").write_text((tmp_path / "two.json").read_text("utf-8").replace("!garden", "!two"), "utf-8")
    found = items(tmp_path)
    assert [item.kind for item in found if isinstance(item, Chat)] == ["group", "dyad"]
    assert len([item for item in found if isinstance(item, Contact)]) == 3


def test_what_is_no_export_is_not_claimed_and_a_cut_file_is_said(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"name": "x", "messages": []}')
    with Files(other) as files:
        assert not matrix.claims(files)
        with pytest.raises(RecordError, match="no chat that Element exported"):
            list(matrix.read(files, reading.options([])))
    whole = (EXPORTS / "room.json").read_text("utf-8")
    other.write_text(whole[: len(whole) // 2], "utf-8")
    with pytest.raises(RecordError, match="no whole JSON"):
        items(other)


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=20)
WILD = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
IDS = st.sampled_from(["$1", "$2", "@a:b", "@c:d"]) | WILD
RELATION = st.fixed_dictionaries(
    {}, optional={"rel_type": st.just("m.replace") | WILD, "event_id": IDS, "m.in_reply_to": WILD}
)
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "msgtype": st.sampled_from(["m.text", "m.image", "m.notice", "m.bad.encrypted"]) | WILD,
        "body": st.just("> <@a:b> \ud83d\0") | WILD,
        "membership": st.sampled_from(["join", "leave", "ban"]) | WILD,
        "displayname": WILD,
        "m.new_content": st.fixed_dictionaries({}, optional={"body": WILD}) | WILD,
        "m.relates_to": RELATION | WILD,
        "redacts": IDS,
    },
)
EVENT = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["m.room.message", "m.room.member", "m.room.redaction", "m.sticker"]) | WILD,
        "sender": IDS,
        "event_id": IDS,
        "state_key": IDS,
        "redacts": IDS,
        "content": CONTENT | WILD,
        "origin_server_ts": st.sampled_from([1710248400000, 1e300, -1]) | WILD,
        "unsigned": st.fixed_dictionaries({}, optional={"prev_content": CONTENT | WILD, "m.relations": WILD}) | WILD,
        "room_id": IDS,
        "decrypted": WILD,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENT | WILD, max_size=6), title=WILD, by=WILD)
def test_wild_events_are_each_accounted_for(tmp_path: Path, events: list[Any], title: Any, by: Any) -> None:
    path = tmp_path / "wild.json"
    path.write_text(json.dumps({"room_name": title, "exported_by": by, "messages": events}))
    counts = reading.summary(matrix, path, [])["messages"]
    assert sum(counts.values()) == len(events)
