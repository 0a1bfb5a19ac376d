"""ChatLab's interchange format: both forms hold the same, every type is what it says, and broken lines cost only themselves."""

import importlib.util
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.network.importers import chatlab
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Chat, Contact, Line
from kithnet.runtime.errors import RecordError

_SPEC = importlib.util.spec_from_file_location("reading", Path(__file__).parent / "exports" / "reading.py")
assert _SPEC is not None and _SPEC.loader is not None
reading = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reading)
CASES = list(reading.cases("chatlab"))
EXPORTS = reading.FOLDER / "chatlab"


def items(path: Path, *words: str) -> list[Any]:
    with Files(path) as files:
        return list(chatlab.read(files, reading.options([*words])))


def as_lines(export: dict[str, Any]) -> str:
    rows = [{"_type": "header", "chatlab": export["chatlab"], "meta": export["meta"]}]
    rows += [{"_type": "member", **member} for member in export["members"]]
    rows += [{"_type": "message", **message} for message in export["messages"]]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize(("path", "expected"), CASES, ids=[path.name for path, _ in CASES])
def test_an_export_reads_as_expected(path: Path, expected: dict[str, Any]) -> None:
    with Files(path) as files:
        assert chatlab.claims(files)
    assert reading.summary(chatlab, path, expected["options"]) == expected


def test_nicknames_and_former_names_are_aliases_and_the_owner_is_marked() -> None:
    people = {item.key: item for item in items(EXPORTS / "group.json") if isinstance(item, Contact)}
    assert people["wechat:u1"] == Contact("wechat:u1", "王芳", ("园长", "芳芳"), me=True)
    assert people["wechat:u2"] == Contact("wechat:u2", "李雷", ("李磊", "番茄"))
    assert "wechat:system" not in people


def test_a_reply_names_what_it_answers() -> None:
    lines = [item for item in items(EXPORTS / "group.json") if isinstance(item, Line)]
    assert [(line.source_id, line.reply_to) for line in lines if line.reply_to] == [("m2", "m1")]


def test_both_forms_hold_the_same_in_any_order_of_messages(tmp_path: Path) -> None:
    export = json.loads((EXPORTS / "group.json").read_text("utf-8"))
    export["messages"] = [message for message in export["messages"] if isinstance(message, dict)]
    before = sorted(map(repr, items(EXPORTS / "group.json")))
    for seed in range(3):
        (tmp_path / "group.jsonl").write_text(as_lines(export), "utf-8")
        after = items(tmp_path / "group.jsonl")
        lines = sorted(repr(item) for item in after if isinstance(item, Line))
        assert lines == [item for item in before if item.startswith("Line(")]
        assert next(item for item in after if isinstance(item, Chat)).key == "wechat/38988428513"
        random.Random(seed).shuffle(export["messages"])


def test_what_is_no_export_is_not_claimed_and_is_refused(tmp_path: Path) -> None:
    for text in ('{"messages": []}', "[]", "", "# only a comment", '{"_type": "message"}', "{", "[" * 5000):
        (tmp_path / "x.json").write_text(text)
        with Files(tmp_path / "x.json") as files:
            assert not chatlab.claims(files)
            with pytest.raises(RecordError, match="no ChatLab header"):
                list(chatlab.read(files, reading.options([])))


def test_a_json_file_that_is_cut_off_is_said(tmp_path: Path) -> None:
    whole = (EXPORTS / "group.json").read_text("utf-8")
    (tmp_path / "x.json").write_text(whole[:-200], "utf-8")
    with pytest.raises(RecordError, match="no whole JSON"):
        items(tmp_path / "x.json")


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
MESSAGES = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3"]), st.integers(0, 2_000_000_000), WORD), min_size=1, max_size=8
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=MESSAGES)
def test_what_is_written_in_the_format_reads_back_equal(tmp_path: Path, told: list[tuple[str, int, str]]) -> None:
    messages = [
        {
            "sender": sender,
            "accountName": f"P{sender}",
            "timestamp": at,
            "type": 0,
            "content": text,
            "platformMessageId": str(n),
        }
        for n, (sender, at, text) in enumerate(told)
    ]
    meta = {"name": "X", "platform": "x", "type": "group"}
    export = {"chatlab": {"version": "0.0.2"}, "meta": meta, "members": [], "messages": messages}
    for file, text in (("x.json", json.dumps(export)), ("x.jsonl", as_lines(export))):
        (tmp_path / file).write_text(text, "utf-8")
        lines = [item for item in items(tmp_path / file) if isinstance(item, Line)]
        assert [(line.sender[2:], int(line.at.timestamp()), line.text) for line in lines if line.at] == [
            (sender, at, text.strip()) for sender, at, text in told
        ]


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=20)
WILD = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "sender": st.sampled_from(["1", "system"]) | WILD,
        "accountName": st.just("A \ud83d\0") | WILD,
        "groupNickname": WILD,
        "timestamp": st.sampled_from([1710248400, 1e300, -1e15, "1710248400", "nan", "inf"]) | WILD,
        "type": st.sampled_from([0, 1, 7, 25, 81, 1e300, "0", "x", True, [0]]) | WILD,
        "content": st.just("\ud83d\0 x") | WILD,
        "platformMessageId": WILD,
    },
)
MEMBER = st.fixed_dictionaries(
    {}, optional={"platformId": WILD, "accountName": WILD, "aliases": WILD, "groupNickname": WILD}
)
META = st.fixed_dictionaries(
    {}, optional={"name": WILD, "platform": WILD, "type": st.just("private") | WILD, "ownerId": WILD}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGE | WILD, max_size=6), members=st.lists(MEMBER | WILD, max_size=3), meta=META | WILD)
def test_wild_messages_are_each_accounted_for(
    tmp_path: Path, messages: list[Any], members: list[Any], meta: Any
) -> None:
    export = {"chatlab": {"version": "0.0.2"}, "meta": meta, "members": members, "messages": messages}
    (tmp_path / "wild.json").write_text(json.dumps(export))
    counts = reading.summary(chatlab, tmp_path / "wild.json", ["--me", "Me"])["messages"]
    assert sum(counts.values()) == len(messages)
    rows = [message for message in messages if isinstance(message, dict)]
    export |= {"members": [member for member in members if isinstance(member, dict)], "messages": rows}
    (tmp_path / "wild.jsonl").write_bytes(as_lines(export).encode("utf-8", "surrogatepass"))
    assert sum(reading.summary(chatlab, tmp_path / "wild.jsonl", [])["messages"].values()) == len(rows)
