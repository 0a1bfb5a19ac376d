"""The FriendsTV importer, on the real files and on small ones."""

import itertools
import time
from pathlib import Path

import pytest

from kithnet.network.importers import read_friendstv
from kithnet.runtime.errors import InputError, RecordError

HEADER = ",sender,receiver,message,timestamp\n"


def written(folder: Path, text: str, name: str = "some.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.data
def test_season_one_has_140_people_and_582_ties_once_self_rows_are_dropped(shared_data: Path) -> None:
    world = read_friendstv(shared_data / "friendstv" / "s01.csv")
    assert (len(world.people), len(world.ties), len(world.messages)) == (140, 582, 6_177)
    assert sum(len(message.receivers) for message in world.messages) == 11_593 - 66
    assert world.dropped == {"self-tie": 66}


@pytest.mark.data
def test_season_one_is_in_order_of_time_although_its_clock_restarts(shared_data: Path) -> None:
    messages = read_friendstv(shared_data / "friendstv" / "s01.csv").messages
    assert [m.seq for m in messages] == list(range(len(messages)))
    assert all(a.at and b.at and a.at <= b.at for a, b in itertools.pairwise(messages))
    assert messages[-1].session.startswith("e24 ")


@pytest.mark.data
def test_ten_seasons_keep_their_scenes_and_are_read_in_little_time(shared_data: Path) -> None:
    started = time.process_time()
    world = read_friendstv(shared_data / "friendstv" / "ten_seasons.csv")
    assert time.process_time() - started < 1.5
    assert (len(world.people), len(world.ties), len(world.messages)) == (140, 610, 57_180)
    assert sum(len(message.receivers) for message in world.messages) == 73_723
    assert len({message.session for message in world.messages}) == 2_853
    monica = next(person for person in world.people if person.id == "monica geller")
    assert (monica.name, monica.aliases) == ("Monica Geller", ("Monica",))


def test_a_long_silence_of_a_pair_begins_a_new_session_and_a_restarted_clock_a_new_episode(tmp_path: Path) -> None:
    rows = [
        "0,Ann,bob,hi,1994-09-22 00:00:00",
        "1,bob,ann,hello,1994-09-22 00:00:30",
        "2,ann,bob,again,1994-09-22 00:02:00",
        "3,ann,bob,next week,1994-09-22 00:00:01",
    ]
    messages = read_friendstv(written(tmp_path, HEADER + "\n".join(rows) + "\n")).messages
    assert [m.session for m in messages] == ["e01 ann & bob 1"] * 2 + ["e01 ann & bob 2", "e02 ann & bob 1"]
    assert [m.at.day for m in messages if m.at] == [22, 22, 22, 23]


def test_rows_of_one_line_become_one_message_with_all_its_listeners(tmp_path: Path) -> None:
    rows = [
        "0,ann,bob,hi all,1994-09-22 00:00:00",
        "1,ann,Cleo,hi all ,1994-09-22 00:00:00",
        "2,ann,dan,hi all,1994-09-22 00:00:00",
        "3,bob,ann,hi,1994-09-22 00:00:01",
        "4,bob,ann,hi,1994-09-22 00:00:01",
        "5,ann,bob,hi all,1994-09-22 00:00:02",
    ]
    world = read_friendstv(written(tmp_path, HEADER + "\n".join(rows) + "\n"))
    assert [(m.seq, m.sender, m.receivers, m.text) for m in world.messages] == [
        (0, "ann", ("bob", "cleo", "dan"), "hi all"),
        (1, "bob", ("ann",), "hi"),
        (2, "bob", ("ann",), "hi"),
        (3, "ann", ("bob",), "hi all"),
    ]
    assert {(tie.a, tie.b) for tie in world.ties} == {("ann", "bob"), ("ann", "cleo"), ("ann", "dan")}


def test_rows_to_oneself_and_empty_messages_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = "0,ann,Ann,hm,1994-09-22 00:00:00\n1,ann,bob,  ,1994-09-22 00:00:01\n2,ann,bob,hi,1994-09-22 00:00:02\n"
    world = read_friendstv(written(tmp_path, HEADER + rows))
    assert world.dropped == {"self-tie": 1, "empty message": 1}
    assert len(world.messages) == 1


def test_names_are_shown_with_capitals_and_shared_first_names_are_no_alias(tmp_path: Path) -> None:
    rows = "0,carol's baby,joey one,hi,1994-09-22 00:00:00\n1,joey two,mr. heckles,hi,1994-09-22 00:00:00\n"
    people = {p.id: p for p in read_friendstv(written(tmp_path, HEADER + rows)).people}
    assert people["carol's baby"].name == "Carol's Baby"
    assert people["joey one"].aliases == people["mr. heckles"].aliases == ()


@pytest.mark.parametrize(
    ("text", "row", "said"),
    [
        ("", 0, "is empty"),
        (",sender,message,timestamp\n", 0, "lacks the column 'receiver'; it has '', 'sender', 'message', 'timestamp'"),
        (",sender,receiver,message,timestamp,mood\n", 0, "unknown column: 'mood'"),
        (",sender,receiver,message,timestamp,sender\n", 0, "names a column twice"),
        (HEADER, 0, "holds no messages"),
        (HEADER + "0,ann,bob,hi,1994-09-22 00:00:00\n1,ann,bob,hi,22/9/94\n", 2, "'22/9/94' is not a date"),
        (HEADER + "0,ann,bob,hi,1994-09-22T00:00:00+02:00\n", 1, "has a time zone"),
        (HEADER + "0,ann,bob,hi,\n", 1, "timestamp is empty"),
        (HEADER + "0,ann,bob,hi, you,1994-09-22 00:00:00\n", 1, "6 cells here, its header has 5"),
        (HEADER + "0,ann,,hi,1994-09-22 00:00:00\n", 1, "empty"),
        (HEADER + '0,ann,bob,"hi,1994-09-22 00:00:00\n', 1, "not well-formed"),
        (HEADER + "0,ann,bob,h\0i,1994-09-22 00:00:00\n", 1, "NUL"),
    ],
)
def test_bad_rows_are_named_with_their_number(tmp_path: Path, text: str, row: int, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_friendstv(written(tmp_path, text))
    assert said in caught.value.message
    assert caught.value.row == row
    assert caught.value.hint


def test_a_file_that_is_not_utf8_is_told_with_row_byte_and_how_to_convert_it(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes(HEADER.encode() + b"0,ann,bob,hi,1994-09-22 00:00:00\n1,ann,bob,caf\xe9,1994-09-22 00:00:00\n")
    with pytest.raises(RecordError) as caught:
        read_friendstv(path)
    assert caught.value.row == 2
    assert f"byte {path.read_bytes().index(0xE9)}" in caught.value.message
    assert "iconv -f latin1 -t utf-8" in caught.value.hint


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "bom.csv"
    text = "sender,receiver,message,timestamp\nann,bob,hi,1994-09-22 00:00:00\n"
    path.write_text(text, encoding="utf-8-sig")
    assert len(read_friendstv(path).messages) == 1


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_friendstv(tmp_path / "nowhere.csv")
