"""Every export beside the tests is added to a real world, and what it became is what is written beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.app.adding import Wanted, add, messages
from kithnet.app.exporting import export_world
from kithnet.app.worlds import open_world
from kithnet.memory.adding import conversations

EXPORTS = Path(__file__).parents[1] / "network" / "exports"
CASES = sorted(EXPORTS.glob("*/*.expected.json"))
OPTIONS = {"--dates": "dates", "--me": "me", "--zone": "zone", "--as-title": "title", "--from": "source"}


def export_of(expected: Path) -> Path:
    """The file or folder that an expectation stands beside."""
    stem = expected.name.removesuffix(".expected.json")
    (found,) = (path for path in expected.parent.iterdir() if stem in (path.stem, path.name) and path != expected)
    return found


def wanted(words: list[str]) -> Wanted:
    given = {OPTIONS[name]: value for name, value in zip(words[::2], words[1::2], strict=True)}
    return Wanted(**{"zone": "Europe/Berlin", **given})


def told(home: Path, name: str) -> dict[str, Any]:
    """What a world holds, as an expectation is written."""
    with open_world(home, name) as store:
        with store.database.read() as connection:
            talks = conversations(connection)
        found = [
            [talks[one["conversation_id"]]["title"], one["sender"], one["at"] and one["at"][:19], one["text"]]
            for one in messages(store, None, None, None)
        ]
        people = sorted(person.name for person in store.people())
    kept = [{key: talk[key] for key in ("title", "kind", "people")} for talk in talks.values()]
    return {"conversations": kept, "people": people, "texts": found}


def sorted_talks(talks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(talks, key=lambda one: (one["title"], one["kind"], one["people"]))


@pytest.mark.parametrize("expected", CASES, ids=[f"{one.parent.name}-{one.name[:-14]}" for one in CASES])
def test_an_export_becomes_what_stands_beside_it(tmp_path: Path, expected: Path) -> None:
    right = json.loads(expected.read_text("utf-8"))
    path, options = export_of(expected), wanted(right["options"])
    foreseen = add(tmp_path, "w", [path], options, dry=True)
    assert not any(tmp_path.glob("w*"))
    done = add(tmp_path, "w", [path], options)
    assert done.contract()["messages"] == foreseen.contract()["messages"] == right["messages"]
    assert done.contract()["format"] == right["format"] and foreseen.new == done.new
    found = told(tmp_path, "w")
    for timed in (True, False):  # what has no time stands behind what the file has before it
        in_order = [[text for text in texts if bool(text[2]) == timed] for texts in (found["texts"], right["texts"])]
        assert in_order[0] == in_order[1]
    talks = [
        one
        for one in right["conversations"]
        if one["people"] and any(text[0] == one["title"] for text in right["texts"])
    ]
    assert sorted_talks(found["conversations"]) == sorted_talks(talks)
    named = {one[1] for one in right["texts"]} | {name for talk in talks for name in talk["people"]}
    assert found["people"] == sorted(name for name in right["people"] if name in named)
    again = add(tmp_path, "w", [path], options)
    assert again.messages["new"] == 0 and again.messages["seen"] == right["messages"]["new"] and not again.new
    assert told(tmp_path, "w") == found


LINES = st.lists(
    st.tuples(
        st.sampled_from(["home", "rowing", ""]),
        st.sampled_from(["Ana", "Ben", "Zoë", "李明"]),
        st.text(min_size=1, max_size=40).map(str.strip).filter(lambda text: bool(text) and "\0" not in text),
        st.integers(0, 10**8),
    ),
    min_size=1,
    max_size=12,
)


@given(LINES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_exported_as_chatlab_reads_back_equal(
    tmp_path_factory: Any, lines: list[tuple[str, str, str, int]]
) -> None:
    """Talk in two groups and between two people, written by our own exporter."""
    home = tmp_path_factory.mktemp("chatlab")
    for title in dict.fromkeys(title for title, *_ in lines):
        said = [line for line in lines if line[0] == title]
        meta = {"name": title or "x", "platform": "t", "type": "group", "groupId": title or "x"}
        rows = [
            {
                "sender": who,
                "accountName": who,
                "timestamp": at,
                "type": 0,
                "content": text,
                "platformMessageId": str(n),
            }
            for n, (_, who, text, at) in enumerate(said, 1)
        ]
        path = home / f"{title or 'x'}.json"
        path.write_text(json.dumps({"chatlab": {"version": "0.0.2"}, "meta": meta, "messages": rows}), encoding="utf-8")
        add(home, "first", [path], Wanted(zone="Europe/Berlin"))
    with open_world(home, "first") as store:
        files = export_world(store, home / "out", "chatlab")
    add(home, "second", files, Wanted(zone="Europe/Berlin"))
    first, second = told(home, "first"), told(home, "second")
    assert second["people"] == first["people"]
    assert sorted_talks(second["conversations"]) == sorted_talks(first["conversations"])
    for title in {one[0] for one in first["texts"]}:
        ordered = [[one for one in world["texts"] if one[0] == title] for world in (first, second)]
        assert ordered[0] == ordered[1]
