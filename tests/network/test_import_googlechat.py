"""Google Chat from a Takeout: dates in prose of any language, people by address, one conversation a folder."""

import importlib.util
import json
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import googlechat
from kithnet.network.importers.files import Files
from kithnet.network.importers.googlechat import moment
from kithnet.network.importers.items import Chat, Contact, Line
from kithnet.runtime.errors import RecordError

_SPEC = importlib.util.spec_from_file_location("reading", Path(__file__).parent / "exports" / "reading.py")
assert _SPEC is not None and _SPEC.loader is not None
reading = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reading)
CASES = list(reading.cases("googlechat"))
EXPORTS = reading.FOLDER / "googlechat"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(googlechat.read(files, reading.options([*words])))


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert googlechat.claims(files)
    assert reading.summary(googlechat, path, expected["options"]) == expected


@pytest.mark.parametrize(
    "prose",
    [
        "Tuesday, March 12, 2024 at 2:05:33\u202fPM UTC",
        "Tuesday, March 12, 2024 at 2:05:33 PM UTC",
        "Tuesday, 12 March 2024 at 14:05:33 UTC",
        "2024. március 12., kedd 14:05:33 UTC",
        "Dienstag, 12. März 2024 um 14:05:33 UTC",
        "mardi 12 mars 2024 à 14:05:33 UTC",
        "martes, 12 de marzo de 2024, 2:05:33 p. m. UTC",
        "terça-feira, 12 de março de 2024 às 14:05:33 UTC",
        "вторник, 12 марта 2024 г., 14:05:33 UTC",
        "tiistaina 12. maaliskuuta 2024 klo 14.05.33 UTC",
        "2024年3月12日火曜日 14時05分33秒 UTC",
        "2024年3月12日星期二 下午2:05:33 UTC",
        "2024년 3월 12일 화요일 오후 2시 5분 33초 UTC",
        "Thứ Ba, 12 tháng 3, 2024 lúc 14:05:33 UTC",
        "วันอังคารที่ 12 มีนาคม พุทธศักราช 2567 เวลา 14:05:33 UTC",
        "الثلاثاء، ١٢ مارس ٢٠٢٤ في ٢:٠٥:٣٣ م UTC",
        "2024-03-12T14:05:33Z",
    ],
)
def test_a_date_in_prose_is_an_instant(prose: str) -> None:
    assert moment(prose) == datetime(2024, 3, 12, 14, 5, 33, tzinfo=UTC)


def test_listopad_is_november_in_polish_and_october_in_croatian() -> None:
    assert moment("wtorek, 12 listopada 2024 14:05:33 UTC") == datetime(2024, 11, 12, 14, 5, 33, tzinfo=UTC)
    assert moment("subota, 12. listopada 2024. u 14:05:33 UTC") == datetime(2024, 10, 12, 14, 5, 33, tzinfo=UTC)


@pytest.mark.parametrize(
    "prose",
    [
        "",
        "soon",
        "Tuesday, March 42, 2024 at 2:05:33 PM UTC",
        "March 12, 2024 at 13:05:33 PM UTC",
        "1 2 3",
        "9" * 99,
        None,
    ],
)
def test_what_is_no_date_is_none(prose: Any) -> None:
    assert moment(prose) is None


def test_people_are_their_addresses_and_the_owner_is_known() -> None:
    people = {item.key: item for item in items(EXPORTS / "takeout", "--me", "Anna") if isinstance(item, Contact)}
    assert people["anna@example.org"] == Contact(
        "anna@example.org", "Anna", ("Anna Berg", "Anna B."), "anna@example.org", True
    )
    assert people["cara@example.org"].address == "Cara@Example.org"
    mine = [item.name for item in items(EXPORTS / "takeout") if isinstance(item, Contact) and item.me]
    assert mine == ["Anna Berg"]


def test_a_quote_is_a_reply_and_an_edit_keeps_its_first_time() -> None:
    lines = {item.source_id: item for item in items(EXPORTS / "takeout") if isinstance(item, Line)}
    assert lines["k6oxAAAA/t2/t2"].reply_to == "k6oxAAAA/t1/t1"
    edited = lines["k6oxAAAA/t6/t6"]
    assert edited.at and edited.edited_at and (edited.edited_at - edited.at).total_seconds() == 10


def test_a_conversation_keeps_its_key_when_its_file_comes_alone(tmp_path: Path) -> None:
    folder = EXPORTS / "takeout" / "Google Chat" / "Groups" / "Space AAAA1"
    whole = [item.key for item in items(EXPORTS / "takeout") if isinstance(item, Chat)]
    assert set(whole) == {"k6oxAAAA", "AAAA1", "z9"}
    for alone in (folder, folder / "messages.json"):
        assert [item.key for item in items(alone) if isinstance(item, Chat)] == ["AAAA1"]


def test_the_order_of_messages_changes_no_line(tmp_path: Path) -> None:
    turned = tmp_path / "takeout"
    shutil.copytree(EXPORTS / "takeout", turned)
    for seed, file in enumerate(turned.rglob("messages.json")):
        export = json.loads(file.read_text("utf-8"))
        random.Random(seed).shuffle(export["messages"])
        file.write_text(json.dumps(export), "utf-8")
    before, after = ({item for item in items(path) if isinstance(item, Line)} for path in (EXPORTS / "takeout", turned))
    assert before == after


def test_other_messages_json_are_not_claimed_and_a_cut_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "messages.json"
    for text in ('{"messages": [{"sender_name": "A", "timestamp_ms": 1, "content": "x"}]}', "[]", "", "[" * 5000):
        file.write_text(text)
        with Files(file) as files:
            assert not googlechat.claims(files)
    file.write_text('{"messages": [{"creator": {"name": "A"}, "created_date": "Tues')
    with pytest.raises(RecordError, match="no whole JSON"):
        items(file)
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(RecordError, match=r"no messages\.json"):
        items(tmp_path / "other.txt")


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=20)
WILD = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
USER = st.fixed_dictionaries(
    {}, optional={"name": WILD, "email": st.just("a@b") | WILD, "user_type": st.just("Human") | WILD}
)
DATES = st.sampled_from(["Tuesday, 12 March 2024 at 14:05:33 UTC", "March 0, 0000 at 99:99:99 UTC"]) | WILD
VERSION = st.fixed_dictionaries({}, optional={"created_date": DATES})
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "creator": USER | WILD,
        "created_date": DATES,
        "updated_date": DATES,
        "text": st.just("\ud83d\0 x") | WILD,
        "message_id": st.sampled_from(["a/b/c", "/", ""]) | WILD,
        "message_state": st.just("DELETED") | WILD,
        "attached_files": WILD,
        "previous_message_versions": st.lists(
            st.fixed_dictionaries({}, optional={"created_date": DATES}) | WILD, max_size=2
        )
        | WILD,
        "quoted_message_metadata": WILD,
    },
)
INFO = st.fixed_dictionaries(
    {}, optional={"name": WILD, "members": st.lists(USER | WILD, max_size=3) | WILD, "user": USER | WILD}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGE | WILD, max_size=6), info=INFO | WILD)
def test_wild_messages_are_each_accounted_for(tmp_path: Path, messages: list[Any], info: Any) -> None:
    folder = tmp_path / "DM x"
    folder.mkdir(exist_ok=True)
    (folder / "messages.json").write_text(json.dumps({"messages": messages}))
    (folder / "group_info.json").write_text(json.dumps(info))
    (folder / "user_info.json").write_text(json.dumps(info))
    counts = reading.summary(googlechat, tmp_path, ["--me", "Me"])["messages"]
    assert sum(counts.values()) == len(messages)
