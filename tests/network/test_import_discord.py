"""Discord exports of DiscordChatExporter: people by id, names over time, parts of a channel."""

import importlib.util
import json
import shutil
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
CASES = list(reading.cases("discord"))
EXPORTS = reading.FOLDER / "discord"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(discord.read(files, reading.options([*words])))


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert discord.claims(files)
        assert [reader.name for reader in (discord, messenger, telegram) if reader.claims(files)] == ["discord"]
    assert reading.summary(discord, path, expected["options"]) == expected


def contacts(path: Path, *words: str) -> dict[str, Contact]:
    return {item.key: item for item in items(path, *words) if isinstance(item, Contact)}


def test_two_of_one_nickname_stay_two() -> None:
    people = contacts(EXPORTS / "server.json")
    assert (people["903"].name, people["904"].name) == ("Captain", "Captain")
    assert (people["903"].aliases, people["904"].aliases) == (("cap1",), ("cap2",))


def test_names_of_former_times_are_aliases_of_the_latest() -> None:
    anna = contacts(EXPORTS / "parts")["901"]
    assert anna.name == "Anna"
    assert set(anna.aliases) == {"anna.berg", "Annie", "annab"}


def test_the_parts_of_a_channel_are_one_conversation() -> None:
    found = items(EXPORTS / "parts")
    assert [item.key for item in found if isinstance(item, Chat)] == ["803", "802"]
    lines = {item.source_id: item for item in found if isinstance(item, Line)}
    assert lines["44"].reply_to == "43" and lines["44"].chat == "802"


def test_the_owner_of_a_direct_talk_is_who_is_not_called_like_it() -> None:
    people = contacts(EXPORTS / "direct.json", "--me", "Anna Berg")
    assert people["901"].me and people["901"].name == "Anna Berg" and "Anna" in people["901"].aliases
    assert not people["902"].me


@pytest.mark.parametrize(("who", "members"), [("902", {"902", "me"}), ("901", {"901", "name:ben"})])
def test_both_of_a_direct_talk_are_there_when_only_one_wrote(tmp_path: Path, who: str, members: set[str]) -> None:
    talk = json.loads((EXPORTS / "direct.json").read_text("utf-8"))
    talk["messages"] = [message for message in talk["messages"] if message["author"]["id"] == who]
    file = tmp_path / "direct.json"
    file.write_text(json.dumps(talk), "utf-8")
    found = items(file)
    assert [set(item.members) for item in found if isinstance(item, Chat)] == [members]
    assert sum(item.me for item in found if isinstance(item, Contact)) == 1


def test_replies_and_edits_are_told_and_pins_are_no_lines() -> None:
    lines = {item.source_id: item for item in items(EXPORTS / "server.json") if isinstance(item, Line)}
    assert lines["3"].reply_to == "2" and lines["2"].reply_to == ""
    assert lines["4"].edited_at == datetime(2024, 3, 12, 13, 7, tzinfo=UTC)
    assert lines["4"].at and lines["4"].at.utcoffset() == timedelta(hours=1)


def test_joins_are_memberships() -> None:
    server = [(item.contact, item.joined) for item in items(EXPORTS / "server.json") if isinstance(item, Change)]
    group = [(item.contact, item.joined) for item in items(EXPORTS / "direct_group.json") if isinstance(item, Change)]
    assert server == [("901", True)]
    assert group == [("902", True), ("903", True), ("902", False)]
    (chat,) = [item for item in items(EXPORTS / "direct_group.json") if isinstance(item, Chat)]
    assert chat.members == ("901",)


def test_a_zip_reads_as_its_folder(tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "harbour"), "zip", EXPORTS / "parts"))
    assert items(packed) == items(EXPORTS / "parts")


@given(st.permutations(range(14)))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_messages_in_the_file_does_not_matter(tmp_path: Path, order: list[int]) -> None:
    talk = json.loads((EXPORTS / "server.json").read_text("utf-8"))
    talk["messages"] = [talk["messages"][place] for place in order]
    file = tmp_path / "server.json"
    file.write_text(json.dumps(talk), "utf-8")
    assert sorted(map(str, items(file))) == sorted(map(str, items(EXPORTS / "server.json")))


FUZZED = ["server.json", "direct.json", "direct_group.json"]
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
        assert discord.claims(files) in (True, False)
        try:
            found = list(discord.read(files, reading.options([])))
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
        assert not discord.claims(files)
        with pytest.raises(RecordError) as refused:
            list(discord.read(files, reading.options([])))
    assert refused.value.hint


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = (EXPORTS / FUZZED[0]).read_bytes()
    file = tmp_path / "result.json"
    file.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(RecordError, match="no whole JSON file"):
        items(file)
