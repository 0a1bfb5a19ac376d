"""Signal: its own export, sigtop's JSON, signalbackup-tools' CSV."""

import json
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import signal_app
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Change, Chat, Contact, Item, Line, Skipped, Unread
from kithnet.runtime.errors import RecordError

from .exports.reading import FOLDER, cases, options, summary

EXPORTS = FOLDER / "signal"
START = datetime(2024, 3, 12, 13, 5, tzinfo=UTC)
RAW = (EXPORTS / "desktop" / "main.jsonl").read_text("utf-8")
FRAMES = [json.loads(line) for line in RAW.replace("minutes\nor", "minutes\\nor").split("\n") if line.endswith("}")]
MESSAGES = json.loads((EXPORTS / "sigtop" / "Mo Karim (+4915112345678).json").read_text("utf-8"))
TABLES = {file.name: file.read_text("utf-8") for file in sorted((EXPORTS / "tables").iterdir())}


def read(path: Path, *words: str) -> list[Item]:
    with Files(path) as files:
        return list(signal_app.read(files, options(list(words))))


def lines(items: list[Item]) -> dict[str, Line]:
    return {item.text: item for item in items if isinstance(item, Line)}


@pytest.mark.parametrize(("export", "expected"), list(cases("signal")), ids=lambda value: getattr(value, "name", ""))
def test_an_export_is_read_as_expected(export: Path, expected: dict[str, Any]) -> None:
    with Files(export) as files:
        assert signal_app.claims(files)
    assert summary(signal_app, export, expected["options"]) == expected


def test_an_edited_message_keeps_the_time_when_it_was_sent() -> None:
    said = lines(read(EXPORTS / "desktop"))["Meet at 8, not at 7"]
    assert (said.at, said.edited_at) == (START + timedelta(seconds=200), START + timedelta(seconds=400))


@pytest.mark.parametrize(
    ("export", "asked", "answer"),
    [
        ("desktop", "\u200fHi Lena :)\nare you in?", "In ten minutes\nor twelve"),
        ("sigtop", "Did the parcel come?", "Yes, this morning."),
        ("tables", 'He said "no, thanks"\nand left', "Really, why?"),
    ],
)
def test_an_answer_names_what_it_answers(export: str, asked: str, answer: str) -> None:
    said = lines(read(EXPORTS / export))
    assert said[answer].reply_to == said[asked].source_id != ""


def test_two_people_of_one_account_name_stay_two_and_a_nickname_is_shown() -> None:
    people = {item.key: item for item in read(EXPORTS / "desktop") if isinstance(item, Contact)}
    assert sorted(each.name for each in people.values() if each.name.startswith("Alex")) == ["Alex", "Alex (climbing)"]
    (mohamed,) = (each for each in people.values() if each.address)
    assert (mohamed.name, mohamed.aliases, mohamed.address) == ("Mohamed Karim", ("Mo K",), "+4915112345678")


def test_who_joined_later_is_no_member_from_the_beginning_and_who_left_is() -> None:
    items = read(EXPORTS / "desktop")
    names = {item.key: item.name for item in items if isinstance(item, Contact)}
    (group,) = (item for item in items if isinstance(item, Chat) and item.kind == "group")
    assert sorted(names[key] for key in group.members) == ["Alex (climbing)", "Gone", "Lena Voss", "Mohamed Karim"]
    changes = [(names[item.contact], item.joined) for item in items if isinstance(item, Change)]
    assert changes == [("Alex", True), ("Gone", False)]


def test_the_key_that_opens_a_group_is_not_handed_on() -> None:
    assert "c2VjcmV0" not in repr(read(EXPORTS / "desktop"))


def test_the_owner_is_called_as_told() -> None:
    for export in ("desktop", "sigtop", "tables"):
        assert [
            item.name for item in read(EXPORTS / export, "--me", "L. V.") if isinstance(item, Contact) and item.me
        ] == ["L. V."]


def test_tables_without_those_that_say_who_wrote_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "message.csv").write_text(TABLES["message.csv"])
    with pytest.raises(RecordError, match="recipient and thread") as caught:
        read(tmp_path)
    assert "--exportcsv" in caught.value.hint


def test_other_json_and_csv_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"id": 1, "text": "x"}]')
    (tmp_path / "b.jsonl").write_text('{"_type": "header", "chatlab": {}}\n{"chat": 1\n')
    (tmp_path / "c.csv").write_text("sender,receiver,message\na,b,c\n")
    with Files(tmp_path) as files:
        assert not signal_app.claims(files)
    with pytest.raises(RecordError):
        read(tmp_path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_any_order_of_the_frames_gives_the_same_messages(tmp_path: Path, chance: random.Random) -> None:
    (tmp_path / "main.jsonl").write_text("\n".join(map(json.dumps, FRAMES)))
    want = {item for item in read(tmp_path) if isinstance(item, Line)}
    shuffled = FRAMES[1:]
    chance.shuffle(shuffled)
    (tmp_path / "main.jsonl").write_text("\n".join(map(json.dumps, [FRAMES[0], *shuffled])))
    assert {item for item in read(tmp_path) if isinstance(item, Line)} == want


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=9),
    st.just("\ud800\0"),
    st.just([]),
    st.just({}),
)


def replaced(value: Any, draw: Any) -> Any:
    """`value` with odd things in the place of some of its parts."""
    if draw(st.integers(0, 9)) == 0:
        return draw(
            st.one_of(ODD, st.lists(ODD, max_size=2), st.dictionaries(st.sampled_from(["id", "body"]), ODD, max_size=2))
        )
    if isinstance(value, dict):
        return {key: replaced(each, draw) for key, each in value.items() if draw(st.integers(0, 19))}
    return [replaced(each, draw) for each in value] if isinstance(value, list) else value


def assert_storable(items: list[Item]) -> None:
    for item in items:
        for text in (
            getattr(item, "text", ""),
            getattr(item, "name", ""),
            getattr(item, "source_id", ""),
            getattr(item, "title", ""),
        ):
            assert "\0" not in text
            text.encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_odd_frames_never_raise_anything_but_a_record_error(tmp_path: Path, data: st.DataObject) -> None:
    frames = [replaced(frame, data.draw) for frame in FRAMES]
    (tmp_path / "main.jsonl").write_text("\n".join(map(json.dumps, [FRAMES[1], *frames])))
    with suppress(RecordError):
        items = read(tmp_path)
        assert_storable(items)
        given_items = sum(isinstance(frame, dict) and "chatItem" in frame for frame in frames)
        assert sum(isinstance(item, Line | Skipped) for item in items) <= given_items


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_odd_messages_of_sigtop_never_raise_anything_but_a_record_error(tmp_path: Path, data: st.DataObject) -> None:
    messages = [replaced(message, data.draw) for message in MESSAGES]
    (tmp_path / "Mo (+49).json").write_text(
        json.dumps([MESSAGES[0], *messages], allow_nan=False, default=str).replace("NaN", "0")
    )
    with suppress(RecordError, ValueError):
        items = read(tmp_path)
        assert_storable(items)
        assert sum(isinstance(item, Line | Skipped | Unread) for item in items) == len(messages) + 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(TABLES)),
    st.integers(0, 900),
    st.text(max_size=9).map(lambda text: text.replace("\ud800", "")),
)
def test_damaged_tables_never_raise_anything_but_a_record_error(
    tmp_path: Path, table: str, place: int, put: str
) -> None:
    for name, text in TABLES.items():
        cut = text[:place] + put + text[place + len(put) :] if name == table else text
        (tmp_path / name).write_text(cut, "utf-8")
    with suppress(RecordError):
        assert_storable(read(tmp_path))
