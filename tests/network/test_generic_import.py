"""The generic importer: CSV and JSON lines, whole worlds there and back, and what it refuses."""

import json
import string
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.network.exporters import write_generic
from kithnet.network.importers import read_generic
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.errors import InputError, RecordError

MESSAGES = "sender,receiver,text,at,session\nann,bob,hi,2024-05-31 18:20:00,s1\n"


def folder_of(place: Path, **files: str) -> Path:
    for name, text in files.items():
        (place / f"{name}.csv").write_text(text, encoding="utf-8")
    return place


def test_messages_alone_make_people_and_ties(tmp_path: Path) -> None:
    world = read_generic(folder_of(tmp_path, messages=MESSAGES))
    assert [person.id for person in world.people] == ["ann", "bob"]
    assert world.ties == [Tie("ann", "bob")]
    assert world.messages == [ChatMessage(0, "ann", "bob", "hi", datetime(2024, 5, 31, 18, 20), "s1")]


def test_people_without_ties_stay_and_whoever_exchanges_messages_is_tied(tmp_path: Path) -> None:
    people = "id,name,persona,aliases\nann,Ann,likes tea,Annie|A.\nbob,Bob,,\ncid,Cid,,\n"
    world = read_generic(folder_of(tmp_path, people=people, ties="a,b,kind\ncid,ann,family\n", messages=MESSAGES))
    assert world.people[0] == Person("ann", "Ann", "likes tea", ("Annie", "A."))
    assert world.ties == [Tie("ann", "cid", "family"), Tie("ann", "bob")]


def test_sessions_are_cut_at_an_hour_of_silence_where_none_are_named(tmp_path: Path) -> None:
    rows = "sender,receiver,text,at\na,b,x,2024-01-01 10:00\nb,a,y,2024-01-01 10:59\na,b,z,2024-01-01 12:00\n"
    world = read_generic(folder_of(tmp_path, messages=rows))
    assert [m.session for m in world.messages] == ["a & b 1", "a & b 1", "a & b 2"]


def test_self_ties_repeated_ties_and_empty_messages_are_counted(tmp_path: Path) -> None:
    world = read_generic(
        folder_of(
            tmp_path,
            ties="a,b\nann,ann\nann,bob\nbob,ann\n",
            messages="sender,receiver,text\nann,bob,\nann,ann,x\nann,bob,hi\n",
        )
    )
    assert world.dropped == {"self-tie": 2, "repeated tie": 1, "empty message": 1}


@pytest.mark.parametrize(
    ("files", "row", "said"),
    [
        ({"people": "id,name\nann,Ann\nbob,Bob\nann,Anne\n"}, 3, "'ann' is there twice, first in row 1"),
        ({"people": "id,name\nann,Ann\n"}, 1, "receiver 'bob' is not in the people file"),
        ({"people": "id,name\nann,Ann\nbob,Bob\n", "ties": "a,b\nann,zed\n"}, 1, "b 'zed' is not in the people file"),
        ({"people": "id\nann\n"}, 0, "lacks the column 'name'; it has 'id'"),
        ({"people": ""}, 0, "people.csv is empty"),
        ({"ties": "a,b,strength\n"}, 0, "unknown column: 'strength'"),
        ({"messages": "sender,receiver,text,at\nann,bob,hi,yesterday\n"}, 1, "'yesterday' is not a date"),
        ({"messages": "sender,receiver,text\nann,bob\n"}, 1, "2 cells here, its header has 3"),
        ({"messages": "sender,receiver,text\n,bob,hi\n"}, 1, "sender is empty"),
        ({"messages": "sender,receiver,text\n"}, 0, "holds no messages"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path: Path, files: dict[str, str], row: int, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_generic(folder_of(tmp_path, **{"messages": MESSAGES, **files}))
    assert said in caught.value.message
    assert caught.value.row == row


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{nonsense", "is not JSON"),
        ("[1, 2]", "is not an object"),
        ('{"sender": "a", "receiver": "b"}', "'text' is missing"),
        ('{"sender": "a", "receiver": "b", "text": 3}', "text is not a text"),
        ('{"sender": "a", "receiver": "b", "text": ["x"]}', "text is a list"),
        ('{"sender": "a", "receiver": "b", "text": "x", "mood": "y"}', "unknown field: 'mood'"),
        ('{"sender": "a", "receiver": "b", "text": "x\\u0000"}', "NUL"),
    ],
)
def test_bad_json_lines_are_told_with_their_row(tmp_path: Path, line: str, said: str) -> None:
    good = json.dumps({"sender": "a", "receiver": "b", "text": "hi"})
    (tmp_path / "messages.jsonl").write_text(f"{good}\n{line}\n", encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        read_generic(tmp_path)
    assert said in caught.value.message
    assert caught.value.row == 2


def test_files_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, messages=MESSAGES)
    with pytest.raises(InputError, match="cannot tell what chat"):
        read_generic([tmp_path / "chat.csv"])
    with pytest.raises(InputError, match="no file of messages"):
        read_generic([folder_of(tmp_path, people="id,name\n") / "people.csv"])
    (tmp_path / "messages.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="two files of messages"):
        read_generic(tmp_path)


ids = st.text(string.ascii_lowercase + "-. é", min_size=1, max_size=8).map(str.strip).filter(bool)
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30
).map(str.strip).filter(bool)  # fmt: skip
times = st.none() | st.datetimes(min_value=datetime(1900, 1, 1))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds as an importer yields them: stripped texts, ties sorted and complete, sessions named."""
    names = draw(st.lists(ids, min_size=2, max_size=6, unique=True))
    people = [
        Person(name, draw(texts), draw(texts | st.just("")), tuple(draw(st.lists(texts, max_size=2)))) for name in names
    ]
    pairs = draw(
        st.lists(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True), min_size=1, max_size=9)
    )
    ties = {tuple(sorted(pair)): Tie(min(pair), max(pair), draw(texts | st.just(""))) for pair in pairs}
    messages = [
        ChatMessage(seq, pair[0], pair[1], draw(texts), draw(times), draw(texts)) for seq, pair in enumerate(pairs)
    ]
    return World(people, list(ties.values()), messages)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_an_exported_world_is_read_back_unchanged(world: World) -> None:
    with tempfile.TemporaryDirectory() as place:
        write_generic(Path(place), world.people, world.ties, world.messages)
        again = read_generic(Path(place))
    assert again.people == world.people
    assert again.ties == world.ties
    assert again.messages == world.messages
    assert again.dropped == {}
