"""WhatsApp's exports, as Android and the iPhone write them in many languages, with their traps."""

import importlib.util
import random
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import whatsapp, whatsapp_lines, whatsapp_words
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Assumed, Change, Chat, Contact, Line, Skipped, Unread
from kithnet.runtime.errors import InputError, RecordError

_SPEC = importlib.util.spec_from_file_location("reading", Path(__file__).parent / "exports" / "reading.py")
assert _SPEC is not None and _SPEC.loader is not None
reading = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reading)
CASES = list(reading.cases("whatsapp"))
LRM = "\u200e"
NNBSP = "\u202f"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(whatsapp.read(files, reading.options([*words])))


def written(folder: Path, text: str, name: str = "chat.txt") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def of(kind: type, found: list[Any]) -> list[Any]:
    return [item for item in found if isinstance(item, kind)]


def texts(found: list[Any]) -> list[str]:
    return [line.text for line in of(Line, found)]


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert whatsapp.claims(files)
    assert reading.summary(whatsapp, path, expected["options"]) == expected


def _others() -> Iterator[Path]:
    for folder in sorted(reading.FOLDER.iterdir()):
        if folder.is_dir() and folder.name != "whatsapp":
            yield from (path for path in sorted(folder.iterdir()) if not path.name.endswith(".expected.json"))


def test_no_other_sources_export_is_claimed() -> None:
    for path in _others():
        with Files(path) as files:
            assert not whatsapp.claims(files), path


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("13/03/2024, 14:05 - A: x", "14:05:00"),
        (f"3/13/24, 2:05{NNBSP}PM - A: x", "14:05:00"),
        ("3/13/24, 12:05 am - A: x", "00:05:00"),
        ("13.03.24, 14:05 - A: x", "14:05:00"),
        ("2024-03-13, 2:05 p.m. - A: x", "14:05:00"),
        ("2024/03/13 14:05 - A: x", "14:05:00"),
        ("13-03-2024 14:05 - A: x", "14:05:00"),
        (f"{LRM}[13.03.24, 14:05:33] A: x", "14:05:33"),
        (f"[13/3/24, 2:05:33{NNBSP}p.\u00a0m.] A: x", "14:05:33"),
        ("[2024-03-13 2:05:33 PM] A: x", "14:05:33"),
        ("24. 3. 13. 오후 2:05 - A: x", "14:05:00"),
        ("2024. 3. 13. 오전 12:05 - A: x", "00:05:00"),
        ("2024년 3월 13일 오후 2:05 - A: x", "14:05:00"),
        ("2024/3/13 下午2:05 - A: x", "14:05:00"),
        ("[2024/3/13 中午12:05:33] A: x", "12:05:33"),
        ("2024年3月13日 午後2:05 - A: x", "14:05:00"),
        ("13/03/2024 à 14:05 - A: x", "14:05:00"),
        ("13.3.2024 klo 14.05 - A: x", "14:05:00"),
        ("13.03.24 г., 14:05 - A: x", "14:05:00"),
        ("13.03.24, 2:05 nachm. - A: x", "14:05:00"),
        ("13/03/2024, 2:05 μ.μ. - A: x", "14:05:00"),
        ("13.03.2024 ÖS 2:05 - A: x", "14:05:00"),
        ("2024. 03. 13. 14:05 - A: x", "14:05:00"),
        ("13. 3. 2024 14:05 - A: x", "14:05:00"),
        ("13/3/2567 14:05 - A: x", "14:05:00"),
        ("١٣\u200f/٣\u200f/٢٠٢٤، ٢:٠٥ م - A: x", "14:05:00"),
        ("13/03/2012 17:03:48: A: x", "17:03:48"),
        ("[14:05, 13/03/2024] A: x", "14:05:00"),
    ],
)
def test_a_date_of_any_locale_is_read(tmp_path: Path, line: str, at: str) -> None:
    (found,) = of(Line, items(written(tmp_path, line + "\n")))
    assert (f"{found.at:%m-%d %H:%M:%S}", found.sender, found.text) == (f"03-13 {at}", "a", "x")
    assert found.at.year in (2012, 2024) and found.at.tzinfo is None


@pytest.mark.parametrize(
    "line", ["12/03/24 then 14:05 - A: x", "3/12/24, 2:05 PM, A: x", "call me 12/03/24, 14:05 - A: x", "[12/3] A: x"]
)
def test_what_looks_a_little_like_a_date_begins_no_message(line: str) -> None:
    assert whatsapp_lines.header(line) is None


def test_day_and_month_that_cannot_be_told_apart_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "03/04/24, 10:00 - A: one\n03/05/24, 10:00 - B: two\n")
    with pytest.raises(InputError) as error:
        items(path)
    assert "--dates dmy or --dates mdy" in error.value.hint
    assert [line.at.month for line in of(Line, items(path, "--dates", "dmy"))] == [4, 5]
    assert [line.at.month for line in of(Line, items(path, "--dates", "mdy"))] == [3, 3]


def test_dates_that_are_the_same_either_way_are_not_asked_for(tmp_path: Path) -> None:
    found = items(written(tmp_path, "03/03/24, 10:00 - A: one\n04/04/24, 10:00 - B: two\n"))
    assert [line.at.month for line in of(Line, found)] == [3, 4] and not of(Assumed, found)


def test_one_late_date_decides_for_the_whole_file(tmp_path: Path) -> None:
    lines = [f"03/{day:02d}/24, 10:00 - A: x" for day in range(1, 13)] + ["03/13/24, 10:00 - A: x"]
    found = items(written(tmp_path, "\n".join(lines)))
    assert {line.at.month for line in of(Line, found)} == {3} and not of(Assumed, found)


def test_a_wish_that_the_dates_contradict_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        items(written(tmp_path, "13/03/24, 10:00 - A: one\n"), "--dates", "mdy")
    assert error.value.hint == "give --dates dmy"


@pytest.mark.parametrize("case", ["sailing", "Conversa do WhatsApp com João", "_chat"])
def test_what_was_supposed_is_said(case: str) -> None:
    (assumed,) = of(Assumed, items(reading.FOLDER / "whatsapp" / f"{case}.txt"))
    assert "day" in assumed.text


def test_a_late_message_does_not_spoil_the_order_that_decides(tmp_path: Path) -> None:
    days = ["01/02/24, 23:59", "02/02/24, 00:01", "01/02/24, 23:58", "01/03/24, 10:00", "02/03/24, 1:00"]
    late = "".join(f"{day} - A: x\n" for day in days)
    assert [line.at.month for line in of(Line, items(written(tmp_path, late)))] == [2, 2, 2, 3, 3]


def test_dates_of_another_calendar_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="calendar"):
        items(written(tmp_path, "۱۴۰۲/۱۲/۲۲، ۱۴:۰۵ - A: x\n"))


def test_who_joined_and_left_is_told_with_the_time() -> None:
    found = items(reading.FOLDER / "whatsapp" / "WhatsApp Chat with Allotment 7.txt", "--me", "Drew")
    (chat,) = of(Chat, found)
    moves = [(change.contact, change.joined, change.at.minute) for change in of(Change, found)]
    assert moves == [
        ("drew", True, 0), ("tom", True, 1), ("jo and jerry", True, 1), ("sam", True, 1), ("sam", False, 3),
        ("+447700900123", True, 4), ("tom", False, 11),
    ]  # fmt: skip
    assert chat.members == ("priya",)
    assert {contact.key: contact.address for contact in of(Contact, found)}[
        "+447700900123"
    ] == "+44 7700 900123".replace(" ", "")


def test_the_owner_is_who_deleted_as_you(tmp_path: Path) -> None:
    said = ["A: x", "B: You deleted this message", "C: y", "You left"]
    text = "".join(f"13/03/24, 10:00 - {words}\n" for words in said)
    found = items(written(tmp_path, text))
    assert [contact.name for contact in of(Contact, found) if contact.me] == ["B"]
    assert [(change.contact, change.joined) for change in of(Change, found)] == [("b", False)]


def test_the_owner_is_who_the_conversation_of_two_is_not_with() -> None:
    found = items(reading.FOLDER / "whatsapp" / "WhatsApp Chat with Ben Ode.txt", "--me", "Me Myself")
    assert [(c.name, c.aliases) for c in of(Contact, found) if c.me] == [("Me Myself", ("Anna Reyes",))]


def test_a_partner_without_an_owner_still_has_somebody_to_talk_to(tmp_path: Path) -> None:
    found = items(written(tmp_path, "13/03/24, 10:00 - Kim: x\n", "WhatsApp Chat with Kim.txt"))
    assert [(c.name, c.me) for c in of(Contact, found)] == [("Kim", False), ("Me", True)]


@pytest.mark.parametrize(
    "name",
    [
        "WhatsApp Chat with Kim",
        "WhatsApp Chat with Kim (1)",
        "WhatsApp_Chat_with_Kim",
        "WhatsApp Chat - Kim",
        "Chat de WhatsApp con Kim",
    ],
)
def test_an_export_made_again_is_the_same_conversation(tmp_path: Path, name: str) -> None:
    (first,) = of(Chat, items(written(tmp_path, "13/03/24, 10:00 - Kim: x\n", f"{name}.txt")))
    (again,) = of(Chat, items(written(tmp_path, "13/03/24, 10:00 - Kim: x\n13/03/24, 10:01 - Leo: y\n", f"{name}.txt")))
    assert (first.key, first.kind, first.title) == (again.key, again.kind, again.title) == ("dyad:kim", "dyad", "")


def test_two_writers_who_are_not_in_the_files_name_are_a_group(tmp_path: Path) -> None:
    (chat,) = of(
        Chat,
        items(written(tmp_path, "13/03/24, 10:00 - A: x\n13/03/24, 10:01 - B: y\n", "WhatsApp Chat with Chess.txt")),
    )
    assert (chat.kind, chat.title) == ("group", "Chess")


def test_a_name_chosen_by_its_bearer_is_not_the_one_in_the_address_book(tmp_path: Path) -> None:
    found = items(written(tmp_path, f"[13/03/24, 10:00:00] ~{NNBSP}Kim: x\n[13/03/24, 10:00:01] Kim: y\n"))
    assert [(c.key, c.name) for c in of(Contact, found)] == [("~kim", "Kim"), ("kim", "Kim")]


def test_a_message_that_quotes_another_export_stays_one_message(tmp_path: Path) -> None:
    quoted = "[12/03/24, 09:00:00] B: what they wrote\n[12/03/24, 09:01:00] C: and more"
    text = f"13/03/24, 10:00 - A: look\n{quoted}\n13/03/24, 10:01 - B: ok\n"
    assert texts(items(written(tmp_path, text))) == [f"look\n{quoted}", "ok"]


def test_two_exports_put_into_one_file_are_both_read(tmp_path: Path) -> None:
    text = "13/03/24, 10:00 - A: one\n13/03/24, 10:01 - B: two\n[14/03/24, 09:00:00] A: three\n[14/03/24, 09:00:05] B: four\n"
    assert texts(items(written(tmp_path, text))) == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("missed video call from yesterday, sorry", True),
        ("This message was deleted by mistake", True),
        ("null and void", True),
        ("<b>bold</b>", True),
        ("https://maps.google.com/?q=1,2 is where I am", True),
        ("IMG_2.jpg is blurred (a bit)", True),
        ("a: b: c", True),
        ("<View once voice message omitted>", False),
        ("live location shared", False),
        ("Sticker omitted", False),
        (f"{LRM}STK-20240313-WA0001.webp (ekli dosya)", False),
        ("Ana López.vcf (archivo adjunto)", False),
        ("<attached: 00000007-VIDEO-2024-03-13-10-00-00.mp4>", False),
        ("Location: Café Uno (High St 1): https://maps.google.com/?q=1.0,2.0", False),
    ],
)
def test_words_are_told_from_what_stands_for_a_file(tmp_path: Path, text: str, words: bool) -> None:
    found = items(written(tmp_path, f"13/03/24, 10:00 - A: {text}\n"))
    assert (texts(found), [skipped.kind for skipped in of(Skipped, found)]) == (
        ([text], []) if words else ([], ["media"])
    )


def test_a_phrase_for_a_file_in_an_unknown_language_is_known_by_its_return(tmp_path: Path) -> None:
    said = [
        "<mediji izostavljeni>",
        "<mediji izostavljeni>\nna moru",
        "<mediji izostavljeni>",
        "<grin>",
        "<grin>",
        "<grin>",
    ]
    found = items(written(tmp_path, "".join(f"13/03/24, 10:00 - A: {words}\n" for words in said)))
    assert (texts(found), len(of(Skipped, found))) == (["na moru", "<grin>", "<grin>", "<grin>"], 2)


def test_a_notice_with_a_colon_in_quotation_marks_is_nobodys_message(tmp_path: Path) -> None:
    said = ['A changed the subject from "x: y" to "z: w"', "A: B: c", "Karl „Kalle“ M: hi"]
    text = "".join(f"13/03/24, 10:00 - {words}\n" for words in said)
    found = items(written(tmp_path, text))
    assert texts(found) == ["B: c", "hi"] and [c.name for c in of(Contact, found)] == ["A", "Karl „Kalle“ M"]


def test_a_notice_that_ends_in_a_name_is_nobodys_message(tmp_path: Path) -> None:
    said = ["A added the group to the community: Village", "A: B added C to the list: done", "You removed A"]
    found = items(written(tmp_path, "".join(f"13/03/24, 10:00 - {words}\n" for words in said)))
    assert texts(found) == ["B added C to the list: done"] and [(c.contact, c.joined) for c in of(Change, found)] == [
        ("a", False)
    ]


def test_a_folder_of_several_chats_gives_each(tmp_path: Path) -> None:
    written(tmp_path, "13/03/24, 10:00 - Kim: x\n", "WhatsApp Chat with Kim.txt")
    written(tmp_path, "13.03.24, 10:00 - Leo: x\n", "WhatsApp Chat mit Leo.txt")
    written(tmp_path, "no chat", "notes.txt")
    assert sorted(chat.key for chat in of(Chat, items(tmp_path))) == ["dyad:kim", "dyad:leo"]


def test_every_entry_is_one_item() -> None:
    for path, expected in CASES:
        with Files(path) as files:
            found = list(whatsapp.read(files, reading.options(expected["options"])))
            text = next(name for name in files.names if name.endswith(".txt"))
            form = whatsapp_lines.layout(files, text)
            entries = list(whatsapp_lines.entries(files, text, form, "dmy"))
        assert len(of(Line, found) + of(Skipped, found) + of(Unread, found)) == len(entries), path


def test_a_file_that_is_no_export_is_an_error_that_shows_it(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="Dear diary") as error:
        items(written(tmp_path, "Dear diary\nit rains\n"))
    assert "Export chat" in error.value.hint


def test_a_damaged_zip_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "WhatsApp Chat - Kim.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_chat.txt",
            "".join(f"[13/03/24, 10:00:{n % 60:02d}] Kim: {random.Random(n).random()}\r\n" for n in range(9000)),
        )
    data = bytearray(path.read_bytes())
    data[40_000:40_400] = b"\xff" * 400
    path.write_bytes(data)
    with pytest.raises(RecordError):
        items(path)


_BITS = [
    *(
        "13/03/24, 10:00",
        " - ",
        "[13/03/24, 10:00:01]",
        "] ",
        "A",
        ": ",
        "\n",
        "\r\n",
        "\r",
        LRM,
        NNBSP,
        "\0",
        "<",
        ">",
        "\u2028",
        '"',
    ),
    *(
        "~",
        " added ",
        "and",
        "You",
        "POLL:\n",
        "OPTION: a (1 vote)",
        "<Media omitted>",
        "(file attached)",
        ".jpg",
        "99/99/99, 99:99 - ",
    ),
    *("٣", "\ufeff", " PM", "left", "created group"),
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(_BITS) | st.text(max_size=8), max_size=30), st.booleans(), st.binary(max_size=20))
def test_whatever_is_in_a_file_no_error_is_unexplained(
    tmp_path: Path, bits: list[str], begun: bool, tail: bytes
) -> None:
    start = "13/03/24, 10:00 - A: x\n" if begun else ""
    path = tmp_path / "chat.txt"
    path.write_bytes((start + "".join(bits)).encode("utf-8", "surrogatepass") + tail)
    with Files(path) as files:
        whatsapp.claims(files)
        try:
            found = list(whatsapp.read(files, reading.options([])))
        except InputError:
            return
    keys = {contact.key for contact in of(Contact, found)}
    assert {line.sender for line in of(Line, found)} | {change.contact for change in of(Change, found)} <= keys
    assert all(line.text.strip() and not set(line.text) & set("\0\u200e\ufeff") for line in of(Line, found))


_WORDS = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"]), min_size=1, max_size=40)
    .map(str.strip)
    .filter(bool)
)
_SAID = st.lists(_WORDS, min_size=1, max_size=3).map("\n".join)


def _ordinary(text: str) -> bool:
    """No placeholder, nothing that begins like a message."""
    return (
        text[-1] != ">"
        and not any(map(whatsapp_lines.header, text.split("\n")))
        and whatsapp_words.said(text, marked=False).text == text
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["Kim", "Jo Ann", "Dr. Wu"]), _SAID.filter(_ordinary), st.integers(0, 3000)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(
        [
            ("%d/%m/%Y, %H:%M - ", "dmy"),
            ("%m/%d/%y, %I:%M\u202f%p - ", "mdy"),
            ("[%d.%m.%y, %H:%M:00] ", "dmy"),
            ("%Y-%m-%d, %I:%M %p - ", "dmy"),
        ]
    ),
)
def test_what_is_written_as_an_export_reads_back_equal(
    tmp_path: Path, said: list[tuple[str, str, int]], form: tuple[str, str]
) -> None:
    at = datetime(2024, 1, 31)
    rows = []
    for who, text, minutes in said:
        at += timedelta(minutes=minutes)
        rows.append((who, text, at))
    path = written(tmp_path, "".join(f"{when:{form[0]}}{who}: {text}\n" for who, text, when in rows))
    lines = of(Line, items(path, "--dates", form[1]))
    assert [(line.sender, line.text, line.at) for line in lines] == [
        (who.casefold(), text, when) for who, text, when in rows
    ]


def test_a_long_chat_is_read_in_little_memory(tmp_path: Path) -> None:
    at = datetime(2020, 1, 1)
    path = tmp_path / "long.txt"
    with path.open("w", encoding="utf-8") as file:
        for n in range(20_000):
            at += timedelta(minutes=7)
            file.write(f"{at:%d/%m/%Y, %H:%M} - Person {n % 5}: line {n}\n")
    tracemalloc.start()
    with Files(path) as files:
        count = sum(1 for _ in whatsapp.read(files, reading.options([])))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000 + 6 and peak < 8 << 20
