"""Mail boxes: what a person wrote, to whom, in which thread."""

import mailbox
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import mail
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Assumed, Chat, Contact, Item, Line, Skipped, Unread
from kithnet.network.importers.mail_body import own_words, words
from kithnet.runtime.errors import RecordError

from .exports.reading import FOLDER, cases, options, summary

EXPORTS = FOLDER / "mail"
MAIL = "From {sender} Mon Jan  1 10:00:00 2024\nDate: {date}\nFrom: {sender}\nTo: {to}\nSubject: {subject}\nMessage-ID: <{id}>\n"


def read(path: Path, *words: str) -> list[Item]:
    with Files(path) as files:
        return list(mail.read(files, options(list(words))))


def lines(path: Path, *words: str) -> list[Line]:
    return [item for item in read(path, *words) if isinstance(item, Line)]


@pytest.mark.parametrize(("export", "expected"), list(cases("mail")), ids=lambda value: getattr(value, "name", ""))
def test_a_box_is_read_as_expected(export: Path, expected: dict[str, Any]) -> None:
    with Files(export) as files:
        assert mail.claims(files)
    assert summary(mail, export, expected["options"]) == expected


def test_who_got_a_mail_is_told_mail_by_mail() -> None:
    by_id = {line.source_id: line for line in lines(EXPORTS / "thread.mbox")}
    assert by_id["boat-1@fjord.example"].audience == ("tom@weber.example", "zoe@marsh.example")
    assert by_id["boat-4@posta.example"].audience == ("zoe@marsh.example",)
    assert by_id["boat-3@marsh.example"].reply_to == "boat-2@weber.example"
    assert len({line.chat for line in by_id.values()}) == 1


def test_a_date_keeps_its_zone_and_a_broken_one_is_that_of_the_arrival() -> None:
    by_id = {line.source_id: line.at for line in lines(EXPORTS / "thread.mbox")}
    sent = by_id["boat-1@fjord.example"]
    assert sent is not None and sent.utcoffset() == timedelta(hours=2)
    arrived = {line.source_id: line.at for line in lines(EXPORTS / "loose")}
    late = arrived["e2@dune.example"]
    assert late is not None and late.isoformat() == "2024-06-06T18:05:09+02:00"
    assert arrived[""] is None


def test_a_mail_that_is_there_twice_is_read_once_and_that_is_said() -> None:
    assert [item.text for item in read(EXPORTS / "thread.mbox") if isinstance(item, Assumed)]


def test_a_list_and_its_address_are_no_people() -> None:
    items = read(EXPORTS / "list.mbox")
    assert "garden@lists.example" not in {item.key for item in items if isinstance(item, Contact)}
    (channel,) = (item for item in items if isinstance(item, Chat) and item.kind == "channel")
    assert channel.members == ("ines@home.example",)


def test_whose_mail_it_is_follows_from_where_it_was_delivered_or_from_what_is_told() -> None:
    owners = [item.key for item in read(EXPORTS / "takeout.mbox") if isinstance(item, Contact) and item.me]
    assert owners == ["max.hall@mail.example"]
    told = {
        item.key: item.name
        for item in read(EXPORTS / "thread.mbox", "--me", "tom weber")
        if isinstance(item, Contact) and item.me
    }
    assert told == {"tom@weber.example": "tom weber"}


def test_a_mail_without_a_named_receiver_was_got_by_the_owner() -> None:
    (spare,) = (line for line in lines(EXPORTS / "list.mbox") if line.source_id == "p9@okafor.example")
    assert spare.audience == ("ines@home.example",)


def test_any_order_of_the_files_gives_the_same_threads(tmp_path: Path) -> None:
    for place, file in enumerate(sorted((EXPORTS / "loose").iterdir(), reverse=True)):
        (tmp_path / f"{place}.eml").write_bytes(file.read_bytes())
    there = {(line.chat, line.source_id, line.text) for line in lines(EXPORTS / "loose")}
    assert there == {(line.chat, line.source_id, line.text) for line in lines(tmp_path)}


def test_a_zip_and_a_real_maildir_hold_the_same_mails(tmp_path: Path) -> None:
    box = EXPORTS / "thread.mbox"
    with ZipFile(tmp_path / "box.zip", "w") as archive:
        archive.write(box, "Takeout/Mail/All mail.mbox")
    folder = mailbox.Maildir(tmp_path / "dir")
    with closing(mailbox.mbox(box)) as source:
        for message in source:
            folder.add(message)
    want = {(line.source_id, line.text) for line in lines(box)}
    assert {(line.source_id, line.text) for line in lines(tmp_path / "box.zip")} == want
    assert {line.source_id for line in lines(tmp_path / "dir")} == {source for source, _ in want}


def test_a_mailbox_of_python_with_any_text_reads_back(tmp_path: Path) -> None:
    texts = ["From here on\n\nFrom now: we know", "a\n\n\nb", "Zoë → 東京", "x" * 200_000]
    box = mailbox.mbox(tmp_path / "made.mbox")
    for number, text in enumerate(texts):
        message = mailbox.mboxMessage()
        message["From"], message["To"], message["Message-ID"] = "a@x.example", "b@x.example", f"<{number}@x>"
        message.set_payload(text, "utf-8")
        box.add(message)
    box.close()
    assert [line.text for line in lines(tmp_path / "made.mbox")] == texts


def test_a_large_box_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "large.mbox"
    noise = ("QUJD" * 19 + "\n") * 40_000
    with path.open("w") as file:
        for number in range(12):
            head = MAIL.format(
                sender="a@x.example", to="b@x.example", date="Mon, 1 Jan 2024 10:00:00 +0000", subject="s", id=number
            )
            file.write(f'{head}Content-Type: multipart/mixed; boundary="b"\n\n--b\n\ntext {number}\n--b\n')
            file.write(f"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{noise}--b--\n\n")
    assert path.stat().st_size > 30 << 20
    tracemalloc.start()
    found = lines(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [line.text for line in found] == [f"text {number}" for number in range(12)]
    assert peak < 20 << 20


def test_a_sentence_that_begins_with_from_does_not_cut_a_mail(tmp_path: Path) -> None:
    head = MAIL.format(
        sender="a@x.example", to="b@x.example", date="Mon, 1 Jan 2024 10:00:00 +0000", subject="s", id="1"
    )
    body = "Look:\n\nFrom Monday 10:30 on we meet outside.\nBring shoes: yes\n"
    (tmp_path / "one.mbox").write_text(f"{head}\n{body}")
    assert [line.text for line in lines(tmp_path / "one.mbox")] == [body.strip()]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Thanks, that works. We meet at 8.", "Thanks, that works. We meet at 8."),
        ("- bread\n- wine", "- bread\n- wine"),
        ("On the way I wrote:\na song", "On the way I wrote:\na song"),
        ("Ok\n\nLe mar. 12 mars 2024 à 10:00, Léo <leo@x.example> a écrit :\n> Quoi ?", "Ok"),
        ("Ok\n\n2024年3月12日(火) 10:00 Mia <mia@x.example>:\n\n> 何時？", "Ok"),
        ("Ok\n-- \nMia\nTel. 1", "Ok"),
        ("Meine 3 Lieblingszeilen:\n> Der Mond ist aufgegangen", "Meine 3 Lieblingszeilen:"),
        ("Von meinem iPhone gesendet", ""),
        (
            "Yes\n\n-----Original Message-----\nFrom: A <a@x.example>\nSent: Monday\nTo: B\nSubject: S\n\nQuestion",
            "Yes",
        ),
    ],
)
def test_only_the_sender_s_own_words_are_left(text: str, own: str) -> None:
    assert own_words(text, listed=False) == own


def test_words_of_a_header_are_decoded_whatever_it_holds() -> None:
    assert words("=?utf-8?q?Zo=C3=AB?= =?utf-8?q?_M?=") == "Zoë M"
    assert words("=?utf-8?b?8J+Y?= =?utf-8?b?gA==?=") == "😀"
    assert words("a =?x?") == "a =?x?"


def test_a_file_without_mails_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("From here on\nthere is: nothing\n")
    with Files(tmp_path) as files:
        assert not mail.claims(files)
    with pytest.raises(RecordError, match="no mails"):
        read(tmp_path)


def entries(items: list[Item]) -> int:
    return sum(isinstance(item, Line | Skipped | Unread) for item in items)


def mutated() -> Iterator[bytes]:
    yield from (file.read_bytes() for file in sorted(EXPORTS.glob("*.mbox")))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(mutated())),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12)), min_size=1, max_size=12),
)
def test_a_damaged_box_never_raises_anything_but_a_record_error(
    tmp_path: Path, raw: bytes, changes: list[tuple[float, bytes]]
) -> None:
    damaged = bytearray(raw)
    for place, put in changes:
        at = int(place * len(damaged))
        damaged[at : at + len(put)] = put
    path = tmp_path / "damaged.mbox"
    path.write_bytes(damaged)
    with Files(path) as files:
        mail.claims(files)
    try:
        for item in read(path):
            for text in (getattr(item, "text", ""), getattr(item, "name", ""), getattr(item, "source_id", "")):
                assert "\0" not in text
                text.encode()
    except RecordError:
        pass


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.booleans())
def test_own_words_are_words_of_the_text(text: str, listed: bool) -> None:
    own = own_words(text, listed=listed)
    assert all(line.strip() in text for line in own.split("\n"))
