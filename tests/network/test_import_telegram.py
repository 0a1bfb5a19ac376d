"""Telegram exports: one chat and whole accounts, with the traps of the real exporter."""

import importlib.util
import json
import random
import shutil
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import discord, messenger, telegram
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Change, Chat, Contact, Line, Skipped, Unread
from kithnet.runtime.errors import RecordError

_SPEC = importlib.util.spec_from_file_location("reading", Path(__file__).parent / "exports" / "reading.py")
assert _SPEC is not None and _SPEC.loader is not None
reading = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reading)
CASES = list(reading.cases("telegram"))
EXPORTS = reading.FOLDER / "telegram"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(telegram.read(files, reading.options([*words])))


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert telegram.claims(files)
        assert [reader.name for reader in (discord, messenger, telegram) if reader.claims(files)] == ["telegram"]
    assert reading.summary(telegram, path, expected["options"]) == expected


def test_the_owner_is_whose_number_is_not_the_chats() -> None:
    people = {item.key: item for item in items(EXPORTS / "personal.json", "--me", "Anni") if isinstance(item, Contact)}
    assert people["user100000001"].me and people["user100000001"].name == "Anni"
    assert people["user100000001"].aliases == ("Anna Berg",)
    assert not people["user200000002"].me


def test_an_account_tells_its_owner_and_the_numbers_of_contacts() -> None:
    people = {item.key: item for item in items(EXPORTS / "account") if isinstance(item, Contact)}
    assert [key for key, person in people.items() if person.me] == ["user100000001"]
    assert people["user100000001"].address == "+49 170 0000001"
    assert people["user200000002"].address == "+44 20 0000002"


def test_the_second_counts_and_the_offset_beside_it_is_kept() -> None:
    lines = {item.source_id: item for item in items(EXPORTS / "twice_the_hour.json") if isinstance(item, Line)}
    assert lines["22"].at and lines["23"].at and lines["22"].at < lines["23"].at
    assert lines["24"].at and lines["24"].at.utcoffset() == timedelta(hours=9)


def test_without_seconds_the_time_is_local_and_what_was_never_edited_is_not() -> None:
    lines = [item for item in items(EXPORTS / "old_numbers.json") if isinstance(item, Line)]
    assert lines[0].at == datetime(2019, 7, 1, 23, 59, 59)
    assert [line.edited_at for line in lines[:3]] == [None, None, datetime(2019, 7, 2, 0, 2)]
    assert lines[3].sender == "channel900"


def test_replies_and_edits_are_told_but_not_replies_to_another_chat() -> None:
    lines = {item.source_id: item for item in items(EXPORTS / "personal.json") if isinstance(item, Line)}
    assert lines["102"].reply_to == "101"
    assert lines["102"].edited_at == datetime(2024, 3, 12, 13, 9, 30, tzinfo=UTC)
    assert lines["114"].reply_to == ""


def test_members_come_and_go_and_one_of_two_namesakes_is_nobody() -> None:
    changes = [(item.contact, item.joined) for item in items(EXPORTS / "group.json") if isinstance(item, Change)]
    assert changes == [
        ("user100000001", True),
        ("user200000002", True),
        ("name:silent sam", True),
        ("user300000003", True),
        ("user500000005", True),
        ("user200000002", False),
    ]


def test_a_zip_reads_as_its_folder(tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "DataExport"), "zip", EXPORTS / "account"))
    assert items(packed) == items(EXPORTS / "account")


def test_an_export_as_html_says_how_to_get_a_readable_one(tmp_path: Path) -> None:
    (tmp_path / "messages.html").write_text("<html><head><title>Exported Data</title></head></html>")
    with Files(tmp_path) as files:
        assert telegram.claims(files)
    with pytest.raises(RecordError) as refused:
        items(tmp_path)
    assert "Machine-readable JSON" in refused.value.hint


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_messages_in_the_file_does_not_matter(tmp_path: Path, seed: int) -> None:
    for case in ("group.json", "supergroup.json", "personal.json"):
        chat = json.loads((EXPORTS / case).read_text("utf-8"))
        random.Random(seed).shuffle(chat["messages"])
        file = tmp_path / "result.json"
        file.write_text(json.dumps(chat), "utf-8")
        assert sorted(map(str, items(file))) == sorted(map(str, items(EXPORTS / case)))


@given(keys=st.permutations(["name", "type", "id", "messages"]))
@settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_chat_may_say_what_it_is_after_its_messages(tmp_path: Path, keys: list[str]) -> None:
    chat = json.loads((EXPORTS / "group.json").read_text("utf-8"))
    file = tmp_path / "result.json"
    file.write_text(json.dumps({key: chat[key] for key in keys}), "utf-8")
    assert items(file) == items(EXPORTS / "group.json")


def test_a_long_chat_is_not_held_in_memory(tmp_path: Path) -> None:
    chat = json.loads((EXPORTS / "personal.json").read_text("utf-8"))
    message = chat["messages"][1]
    chat["messages"] = [message | {"id": number, "text": f"{number} " * 50} for number in range(20_000)]
    file = tmp_path / "result.json"
    file.write_text(json.dumps(chat), "utf-8")
    tracemalloc.start()
    with Files(file) as files:
        count = sum(isinstance(item, Line) for item in telegram.read(files, reading.options([])))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 << 20


FUZZED = ["personal.json", "group.json", "old_numbers.json"]
NO_EXPORTS = [b"", b"{", b"[]", b"null", b"{}", b"[" * 100_000, b'{"a":' * 60_000, b"\xff\xfe\0\0", b'"messages"']
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["\0", "\ud800", "x" * 70_000, "2024-13-45T99:99:99", "9" * 30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be put in the place of something else."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in below for found in paths_of(one, (*path, key)))]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_nothing_in_a_file_makes_it_fall_over(tmp_path: Path, data: st.DataObject) -> None:
    value = json.loads((EXPORTS / data.draw(st.sampled_from(FUZZED))).read_text("utf-8"))
    for place in data.draw(st.lists(st.sampled_from(paths_of(value)[1:]), min_size=1, max_size=6)):
        # An earlier change may have taken the place away.
        with suppress(KeyError, IndexError, TypeError):
            reduce(getitem, place[:-1], value)[place[-1]] = data.draw(ODD)
    file = tmp_path / "result.json"
    file.write_text(json.dumps(value), "ascii")
    with Files(file) as files:
        assert telegram.claims(files) in (True, False)
        try:
            found = list(telegram.read(files, reading.options([])))
        except RecordError as error:
            assert str(error)
            return
    json.dumps([str(item) for item in found]).encode()
    entries = value.get("messages") if isinstance(value, dict) else None
    if isinstance(entries, list):
        assert sum(isinstance(item, Line | Skipped | Unread) for item in found) == len(entries)
    met: set[str] = set()
    for item in found:
        if isinstance(item, Chat | Contact):
            met.add(item.key)
        elif isinstance(item, Line):
            assert item.chat in met and item.sender in met and item.text.encode()
        elif isinstance(item, Change):
            assert item.chat in met and item.contact in met


@pytest.mark.parametrize("content", NO_EXPORTS)
def test_what_is_no_export_is_refused_with_a_hint(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "message_1.json"
    file.write_bytes(content)
    with Files(file) as files:
        assert not telegram.claims(files)
        with pytest.raises(RecordError) as refused:
            list(telegram.read(files, reading.options([])))
    assert refused.value.hint


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = (EXPORTS / FUZZED[0]).read_bytes()
    file = tmp_path / "result.json"
    file.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(RecordError, match="no whole JSON file"):
        items(file)
