"""iMessage as imessage-exporter writes it."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import imessage
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Change, Chat, Contact, Item, Line
from kithnet.runtime.errors import RecordError

from .exports.reading import FOLDER, cases, options, summary

EXPORTS = FOLDER / "imessage"
TEXTS = [file.read_text("utf-8") for file in sorted(EXPORTS.rglob("*.txt"))]


def read(path: Path, *words: str) -> list[Item]:
    with Files(path) as files:
        return list(imessage.read(files, options(list(words))))


def lines(path: Path) -> list[Line]:
    return [item for item in read(path) if isinstance(item, Line)]


@pytest.mark.parametrize(("export", "expected"), list(cases("imessage")), ids=lambda value: getattr(value, "name", ""))
def test_an_export_is_read_as_expected(export: Path, expected: dict[str, Any]) -> None:
    with Files(export) as files:
        assert imessage.claims(files)
    assert summary(imessage, export, expected["options"]) == expected


def test_times_are_local_ones() -> None:
    assert lines(EXPORTS / "dyad")[0].at == datetime(2022, 5, 17, 17, 29, 42)


def test_an_edited_message_is_what_it_became_and_says_when() -> None:
    (edited,) = (line for line in lines(EXPORTS / "dyad") if line.edited_at)
    assert edited.text == "I come at 9\nand bring the car"
    assert edited.edited_at is not None and edited.at is not None
    assert edited.edited_at - edited.at == timedelta(seconds=80)


def test_a_reply_is_read_once_and_knows_what_it_answers() -> None:
    said = {line.text: line for line in lines(EXPORTS / "group")}
    assert said["I do."].reply_to == said["Me too"].reply_to == said["Who sings on Sunday?"].source_id
    assert said["Who sings on Sunday?"].reply_to == ""


def test_messages_of_one_second_stay_two() -> None:
    first, second = lines(EXPORTS / "crlf.txt")
    assert first.source_id != second.source_id


def test_what_happened_to_the_members_is_told() -> None:
    items = read(EXPORTS / "group")
    assert [(item.contact, item.joined) for item in items if isinstance(item, Change)] == [
        ("ben ito", True),
        ("ana", False),
    ]
    (group,) = (item for item in items if isinstance(item, Chat) and item.title == "Choir")
    assert set(group.members) == {"rosa", "ana", "me"}


def test_a_number_is_an_address() -> None:
    assert {item.address for item in read(EXPORTS / "dyad") if isinstance(item, Contact)} == {"+15555550123", ""}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("1/2 or 3/4?", "1/2 or 3/4?"),
        ("/shrug", "/shrug"),
        ("photo.jpg", ""),
        ("look at photo.jpg", "look at photo.jpg"),
        ("Attachment missing!", ""),
        ("attachments/9/a b c.pluginPayloadAttachment", ""),
        ("Library/SMS/Attachments/aa/10/IMG 1.MOV\nour cat", "our cat"),
        ("Tapbacks:\n    Loved by Me", ""),
        ("    four spaces", "four spaces"),
        ("https://a.example/x", "https://a.example/x"),
        ("see https://a.example/x\nand y", "see https://a.example/x\nand y"),
        ("Started sharing location!", ""),
    ],
)
def test_only_the_sender_s_own_words_are_left(tmp_path: Path, body: str, text: str) -> None:
    (tmp_path / "Ann.txt").write_text(f"May 17, 2022  5:29:42 PM\nAnn\n{body}\n\n")
    assert [line.text for line in lines(tmp_path)] == ([text] if text else [])


def test_other_texts_are_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "_chat.txt").write_text("[12.03.24, 14:05:00] Anna: hi\n")
    (tmp_path / "notes.txt").write_text("May 17, 2022\nwas a good day\n")
    with Files(tmp_path) as files:
        assert not imessage.claims(files)
    with pytest.raises(RecordError, match="imessage-exporter"):
        read(tmp_path)


WORDS = st.lists(
    st.sampled_from("yes no tea at 7 from Rome 🚤 ünd 東京 12:30 : a/b".split()), min_size=1, max_size=6
).map(" ".join)
SAID = st.lists(
    st.tuples(st.sampled_from(["Me", "Ann", "Bo"]), st.integers(0, 10**7), st.lists(WORDS, min_size=1, max_size=3))
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SAID.filter(bool))
def test_what_is_written_in_its_form_reads_back(tmp_path: Path, said: list[tuple[str, int, list[str]]]) -> None:
    start = datetime(2020, 1, 1)
    blocks = []
    for who, second, paragraphs in said:
        stamp = f"{start + timedelta(seconds=second):%b %d, %Y %I:%M:%S %p}".replace(", 2020 0", ", 2020  ")
        blocks.append(f"{stamp}\n{who}\n" + "\n\n".join(paragraphs) + "\n\n")
    (tmp_path / "Trio - 1.txt").write_text("".join(blocks), "utf-8")
    found = [(line.sender, line.at, line.text) for line in lines(tmp_path)]
    assert found == [
        (who.casefold(), start + timedelta(seconds=second), "\n\n".join(text)) for who, second, text in said
    ]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TEXTS), st.lists(st.tuples(st.floats(0, 1), st.text(max_size=6)), min_size=1, max_size=9))
def test_a_damaged_file_never_raises_anything_but_a_record_error(
    tmp_path: Path, text: str, changes: list[tuple[float, str]]
) -> None:
    for place, put in changes:
        at = int(place * len(text))
        text = text[:at] + put + text[at + len(put) :]
    (tmp_path / "a.txt").write_text(text, "utf-8")
    with suppress(RecordError):
        for item in read(tmp_path):
            assert "\0" not in getattr(item, "text", "")
