"""Slack exports: every trap in the fixtures, folders and zips alike, and nothing that makes the reader fall over."""

import importlib.util
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import slack
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Change, Chat, Contact, Line
from kithnet.runtime.errors import RecordError

_SPEC = importlib.util.spec_from_file_location("reading", Path(__file__).parent / "exports" / "reading.py")
assert _SPEC is not None and _SPEC.loader is not None
reading = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reading)
CASES = list(reading.cases("slack"))
EXPORTS = reading.FOLDER / "slack"


def items(path: Path) -> list[Any]:
    with Files(path) as files:
        return list(slack.read(files, reading.options([])))


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert slack.claims(files)
    assert reading.summary(slack, path, expected["options"]) == expected


def test_a_zip_reads_as_the_folder_does(tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "export"), "zip", EXPORTS / "workspace"))
    assert items(packed) == items(EXPORTS / "workspace")


def test_people_have_their_other_names_and_their_address() -> None:
    people = {item.key: item for item in items(EXPORTS / "workspace") if isinstance(item, Contact)}
    assert people["U01ANNA"] == Contact("U01ANNA", "Anna", ("Anna Berg", "anna"), "anna@example.org")
    assert people["U04DINA"].address == "+46 70 123 45 67"
    assert not people.keys() & {"U09ROBO", "USLACKBOT"}


def test_joining_and_leaving_are_memberships_from_their_moment_on() -> None:
    found = items(EXPORTS / "workspace")
    chats = {item.key: item for item in found if isinstance(item, Chat)}
    assert chats["C01GEN"].members == ("U02BEN", "U03CARA")
    assert chats["G01SHED"].members == ("U03CARA",)
    changes = [item for item in found if isinstance(item, Change)]
    assert [(change.chat, change.contact, change.joined) for change in changes] == [
        ("C01GEN", "U01ANNA", True),
        ("C01GEN", "U03CARA", False),
        ("G01SHED", "U01ANNA", True),
    ]
    assert changes[0].at == datetime(2024, 3, 12, 13, 0, 0, 100, UTC)


def test_a_reply_knows_its_thread_and_an_edit_its_time() -> None:
    lines = {item.source_id: item for item in items(EXPORTS / "threads") if isinstance(item, Line)}
    assert [line.reply_to for line in lines.values()] == ["", "", *["1710248400.000100"] * 4]
    assert lines["1710248440.000500"].edited_at == datetime(2024, 3, 12, 13, 0, 45, tzinfo=UTC)
    edited = [item for item in items(EXPORTS / "edit-log") if isinstance(item, Line) and item.edited_at]
    assert [(line.source_id, line.text) for line in edited] == [
        ("1710248400.000100", "Meet at eleven"),
        ("1710247500.000100", "From before the export, reworded"),
    ]


def test_whoever_is_only_known_from_an_edit_takes_part(tmp_path: Path) -> None:
    message = {"type": "message", "user": "U5", "text": "reworded", "ts": "1710248400.000100"}
    entry = {"type": "message", "subtype": "message_changed", "ts": "1710248500.000100", "message": message}
    (tmp_path / "2024-03-12.json").write_text(json.dumps([entry]))
    assert [(item.key, item.name) for item in items(tmp_path) if isinstance(item, Contact)] == [("U5", "U5")]
    assert [item.text for item in items(tmp_path) if isinstance(item, Line)] == ["reworded"]


def test_the_order_of_entries_in_a_day_changes_no_line(tmp_path: Path) -> None:
    for case in ("threads", "edit-log", "workspace", "legacy"):
        turned = tmp_path / case
        shutil.copytree(EXPORTS / case, turned)
        for day in turned.rglob("20*.json"):
            day.write_text(json.dumps(json.loads(day.read_text("utf-8"))[::-1]), "utf-8")
        for kind in (Line, Chat):
            before, after = (
                {item for item in items(path) if isinstance(item, kind)} for path in (EXPORTS / case, turned)
            )
            assert before == after


def test_what_is_no_slack_export_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "2024-03-12.json").write_text('[{"date": "2024-03-12", "text": "a diary"}]')
    (tmp_path / "users.csv").write_text("id\n")
    with Files(tmp_path) as files:
        assert not slack.claims(files)
    (tmp_path / "2024-03-12.json").unlink()
    with Files(tmp_path) as files, pytest.raises(RecordError, match="no day files") as error:
        list(slack.read(files, reading.options([])))
    assert "users.json" in error.value.hint


def test_a_day_that_is_cut_off_is_said(tmp_path: Path) -> None:
    (tmp_path / "2024-03-12.json").write_text('[{"type": "message", "ts": "1710248400.000100", "text": "wh')
    with pytest.raises(RecordError, match="no whole JSON"):
        items(tmp_path)


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=20)
WILD = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
STAMPS = st.sampled_from(["1710248400.000100", "1710248401.5", "9" * 30, "x.y", "", "1710248400"])
SUBTYPES = st.sampled_from(
    ["channel_join", "group_leave", "message_changed", "message_deleted", "thread_broadcast", "file_share"]
)
FIELDS = {
    "type": st.just("message") | WILD,
    "subtype": SUBTYPES | WILD,
    "user": st.sampled_from(["U1", "U2", "USLACKBOT"]) | WILD,
    "text": st.sampled_from(["<@U1> \ud83d \0 &amp;", "<", "<|>", "<@>", "<!>"]) | WILD,
    "ts": STAMPS | WILD,
    "thread_ts": STAMPS | WILD,
    "deleted_ts": STAMPS | WILD,
    "edited": st.fixed_dictionaries({}, optional={"ts": STAMPS | WILD}) | WILD,
    "user_profile": st.fixed_dictionaries({}, optional={"real_name": WILD, "display_name": WILD}) | WILD,
    "files": WILD,
    "file": WILD,
    "comment": WILD,
    "bot_id": WILD,
}
ENTRY = st.fixed_dictionaries({}, optional=FIELDS)
NESTED = st.fixed_dictionaries({}, optional=FIELDS | {"message": ENTRY | WILD, "previous_message": ENTRY | WILD})
LISTED = st.fixed_dictionaries(
    {}, optional={"id": st.just("C1") | WILD, "name": st.just("general") | WILD, "members": WILD, "profile": WILD}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(day=st.lists(NESTED | WILD, max_size=6), listed=st.lists(LISTED | WILD, max_size=3))
def test_wild_entries_are_each_accounted_for(tmp_path: Path, day: list[Any], listed: list[Any]) -> None:
    (tmp_path / "general").mkdir(exist_ok=True)
    (tmp_path / "general" / "2024-03-12.json").write_text(json.dumps(day))
    for file in ("users.json", "channels.json"):
        (tmp_path / file).write_text(json.dumps(listed))
    counts = reading.summary(slack, tmp_path, [])["messages"]
    assert sum(counts.values()) == len(day)
