"""Messenger and Instagram downloads: letters mended, parts in order, Messenger's own sentences told from people's."""

import importlib.util
import json
import shutil
from contextlib import suppress
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
CASES = list(reading.cases("messenger"))
EXPORTS = reading.FOLDER / "messenger"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(messenger.read(files, reading.options([*words])))


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert messenger.claims(files)
        assert [reader.name for reader in (discord, messenger, telegram) if reader.claims(files)] == ["messenger"]
    assert reading.summary(messenger, path, expected["options"]) == expected


def lines(path: Path) -> list[Line]:
    return [item for item in items(path) if isinstance(item, Line)]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_text_whose_bytes_were_taken_for_letters_comes_back(text: str) -> None:
    assert messenger.mended(text.encode("utf-8").decode("latin-1")) == text.strip()


@pytest.mark.parametrize("text", ["é", "Grüße", "日本語", "café \u00c3", "10 € für Käse", "\u0085x\u00a0y"])
def test_a_text_that_is_no_such_text_stays(text: str) -> None:
    assert messenger.mended(text) == text.strip()


def test_what_was_written_in_one_moment_stays_in_order() -> None:
    found = [line.text for line in lines(EXPORTS / "facebook")]
    assert found.index("same moment, first") < found.index("same moment, second")
    clean = [line.text for line in lines(EXPORTS / "encrypted")]
    assert clean.index("tajná zpráva, v pět") < clean.index("a ještě jedna")
    assert clean.index("oldest first here") < clean.index("and second")


def test_the_parts_of_a_talk_are_read_oldest_first() -> None:
    found = [line for line in lines(EXPORTS / "facebook") if line.chat == "zoekral_1001"]
    years = [line.at.year for line in found if line.at]
    assert years == [2021] * 3 + [2023] * 5


def test_the_owner_is_told_by_the_profile_or_by_talks_of_two() -> None:
    for case in ("facebook", "instagram", "encrypted"):
        assert {item.name for item in items(EXPORTS / case) if isinstance(item, Contact) and item.me} == {"Anna Berg"}
    named = [item for item in items(EXPORTS / "instagram", "--me", "Anni") if isinstance(item, Contact) and item.me]
    assert {item.name for item in named} == {"Anni"}


def test_deleted_accounts_of_two_talks_are_not_one_person() -> None:
    nobody = {
        item.key for item in items(EXPORTS / "facebook") if isinstance(item, Contact) and item.name == "Facebook user"
    }
    assert len(nobody) == 2


def test_a_group_that_all_but_two_have_left_is_a_group(tmp_path: Path) -> None:
    talk = json.loads((EXPORTS / "typed_group.json").read_text("utf-8"))
    del talk["thread_type"]
    file = tmp_path / "message_1.json"
    file.write_text(json.dumps(talk), "utf-8")
    assert [item.kind for item in items(file) if isinstance(item, Chat)] == ["group"]


def test_joins_and_departures_are_memberships() -> None:
    typed = [(item.contact, item.joined) for item in items(EXPORTS / "typed_group.json") if isinstance(item, Change)]
    assert typed == [("dina roth", False), ("dina roth", True)]
    told = [(item.contact, item.joined) for item in items(EXPORTS / "facebook") if isinstance(item, Change)]
    assert told == [("dina roth", False)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Anna sent an attachment.", "attachment"),
        ("Du hast einen Anhang gesendet.", "attachment"),
        ("Ben sent an attachment.", ""),
        ("Anna sent an attachment. Did you see?", ""),
        ("I left the group.", ""),
        ("Anna Berg left the group.", "left"),
        ("Reacted 😂 to your message", "system"),
        ("reacted badly to your message", ""),
    ],
)
def test_a_sentence_of_messengers_own_names_the_sender_and_nothing_more(tmp_path: Path, text: str, kind: str) -> None:
    talk = json.loads((EXPORTS / "typed_group.json").read_text("utf-8"))
    talk["messages"] = [{"sender_name": "Anna Berg", "timestamp_ms": 1_700_000_000_000, "content": text}]
    file = tmp_path / "message_1.json"
    file.write_text(json.dumps(talk), "utf-8")
    found = [item for item in items(file) if isinstance(item, Line | Skipped)]
    left_out = {"attachment": "media", "left": "system", "system": "system"}
    assert [item.kind if isinstance(item, Skipped) else "" for item in found] == [left_out.get(kind, "")]


def test_a_zip_reads_as_its_folder(tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "facebook"), "zip", EXPORTS / "facebook"))
    assert sorted(map(str, items(packed))) == sorted(map(str, items(EXPORTS / "facebook")))


@given(st.permutations(range(6)))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_messages_in_the_file_does_not_matter(tmp_path: Path, order: list[int]) -> None:
    talk = json.loads((EXPORTS / "typed_group.json").read_text("utf-8"))
    talk["messages"] = [talk["messages"][place] for place in order]
    file = tmp_path / "typed_group.json"
    file.write_text(json.dumps(talk), "utf-8")
    assert sorted(map(str, items(file))) == sorted(map(str, items(EXPORTS / "typed_group.json")))


FUZZED = ["typed_group.json", "clean_utf8.json", "mixed.json"]
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
        assert messenger.claims(files) in (True, False)
        try:
            found = list(messenger.read(files, reading.options([])))
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
        assert not messenger.claims(files)
        with pytest.raises(RecordError) as refused:
            list(messenger.read(files, reading.options([])))
    assert refused.value.hint


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = (EXPORTS / FUZZED[0]).read_bytes()
    file = tmp_path / "result.json"
    file.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(RecordError, match="no whole JSON file"):
        items(file)
