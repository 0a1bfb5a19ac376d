"""Records are read back as they are written; each defect of one is told with its line."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kithnet.bench.informative import (
    chatter,
    friends,
    friends_record,
    friendsqa,
    needle,
    needle_record,
    schedule,
    schedule_record,
)
from kithnet.bench.informative.item import Item
from kithnet.bench.informative.scoring import score
from kithnet.runtime.errors import InputError, RecordError

Change = Callable[[dict[str, Any]], object]


def bare(item: Item) -> Item:
    """An item without what a record does not keep: times, facts, the ids behind the names."""
    return replace(
        item, setting=needle.two_hop(1, 1, "dev")[0].setting, evidence=(), instructor="", assistant="", family=""
    )


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_schedule_records_are_read_back_and_written_the_same(level: schedule.Level, tmp_path: Path) -> None:
    made = schedule.classic_with_days(level, 6, 5, "dev")
    path = tmp_path / "items.jsonl"
    schedule_record.write(path, [item for item, _ in made], {item.id: day for item, day in made})
    read = schedule_record.read(path, level)
    assert [bare(one) for one in read] == [bare(item) for item, _ in made]
    assert [[s.text for s in one.setting.messages] for one in read] == [
        [s.text for s in item.setting.messages] for item, _ in made
    ]


def schedule_line(level: schedule.Level, change: Change) -> str:
    (item, day), *_ = schedule.classic_with_days(level, 1, 5, "dev")
    record = schedule_record.record_of(item, day)
    change(record)
    return json.dumps(record)


def person(record: dict[str, Any]) -> str:
    return str(next(iter(record["schedule"])))


def earlier_lunch(record: dict[str, Any]) -> None:
    record["schedule"][person(record)]["Lunch"] |= {"start": "5:00", "end": "5:30"}


def alien(record: dict[str, Any]) -> None:
    record["schedule"][person(record)]["Lunch"]["participants_list"] = ["Zorro"]


def shared_by_one(record: dict[str, Any]) -> None:
    other = list(record["schedule"])[1]
    record["schedule"][person(record)]["Lunch"]["participants_list"] = [other]
    record["schedule_nl"][0][person(record)] = [
        line + (f" with {other}" if "Lunch" in line else "") for line in record["schedule_nl"][0][person(record)]
    ]


DEFECTS: dict[str, tuple[Change, str]] = {
    "a field is missing": (lambda r: r.pop("question"), "'question' is missing"),
    "no schedule": (lambda r: r.pop("schedule"), "'schedule' is missing"),
    "a field of an activity is missing": (lambda r: r["schedule"][person(r)]["Lunch"].pop("end"), "'end' is missing"),
    "an empty dialogue": (lambda r: r.update(message=[]), "the dialogue is empty"),
    "a message of another form": (lambda r: r["message"].append("hello"), "is no message"),
    "an empty message": (lambda r: r["message"].append(r["message"][0].split(" : ")[0] + " : "), "is no message"),
    "a stranger writes": (lambda r: r["message"].append("from Zorro to Zelda : hi"), "'Zorro' writes"),
    "schedule and text contradict each other": (earlier_lunch, "contradict each other"),
    "a stranger takes part": (alien, "at most one of the people"),
    "shared by one side only": (shared_by_one, "whose schedule says otherwise"),
    "an impossible time": (
        lambda r: r["schedule"][person(r)]["Lunch"].update(start="12:10"),
        "not a time on the half hour",
    ),
    "the answer is not the oracle's": (lambda r: r.update(answer=17), "the answer is '17', and the schedule gives"),
    "askers who are nobody": (lambda r: r.update({"QA agents": ["Zorro", "Zelda"]}), "'QA agents' is"),
    "an asker who writes with nobody": (
        lambda r: r.update(message=[m for m in r["message"] if m.startswith(f"from {r['QA agents'][0]}")]),
        "writes with nobody",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_schedule_record_with_a_defect_is_refused_with_its_line(defect: str, tmp_path: Path) -> None:
    change, told = DEFECTS[defect]
    path = tmp_path / "items.jsonl"
    path.write_text(schedule_line("easy", lambda record: None) + "\n" + schedule_line("easy", change) + "\n")
    with pytest.raises(RecordError, match=told) as raised:
        schedule_record.read(path, "easy")
    assert raised.value.row == 2
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "told"), [("not json\n", "not JSON"), ("[1]\n", "no JSON object"), ("\n", "no records")]
)
def test_a_file_that_holds_no_records_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(text)
    for read in (
        lambda: schedule_record.read(path, "hard"),
        lambda: needle_record.read(path, 2),
        lambda: friends_record.read(path),
    ):
        with pytest.raises(RecordError, match=told):
            read()
    with pytest.raises(InputError, match="cannot read"):
        schedule_record.read(tmp_path / "absent.jsonl", "easy")


@pytest.mark.parametrize("hops", [1, 2])
def test_needle_records_are_read_back(hops: int, tmp_path: Path) -> None:
    items = needle.two_hop(4, 5, "test") if hops == 2 else needle.one_hop(4, 5, "test")
    path = tmp_path / "items.jsonl"
    needle_record.write(path, items)
    read = needle_record.read(path, hops)
    assert [bare(one) for one in read] == [bare(one) for one in items]
    assert [one.evidence for one in read] == [one.evidence for one in items]
    with pytest.raises(RecordError, match="hops"):
        needle_record.read(path, 3 - hops)


NEEDLE_DEFECTS: dict[str, tuple[Change, str]] = {
    "a field is missing": (lambda r: r.pop("answer"), "'answer' is missing"),
    "an empty dialogue": (lambda r: r.update(message=[]), "the dialogue is empty"),
    "the question holds the answer": (lambda r: r.update(question=f"Is it {r['answer']}?"), "holds its answer"),
    "the answer is nowhere said": (
        lambda r: r.update(answer="zinc ointment", options=[]),
        "no message holds the answer",
    ),
    "evidence that is no message": (lambda r: r.update(evidence=[4000]), "'evidence' is"),
}


@pytest.mark.parametrize("defect", NEEDLE_DEFECTS)
def test_a_needle_record_with_a_defect_is_refused(defect: str, tmp_path: Path) -> None:
    change, told = NEEDLE_DEFECTS[defect]
    record = needle_record.record_of(needle.two_hop(1, 5, "dev")[0])
    change(record)
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(record))
    with pytest.raises(RecordError, match=told):
        needle_record.read(path, 2)


def friends_lines() -> list[dict[str, Any]]:
    items = friends.items(3, 5, "dev", size=(20, 40, 1500))
    setting = items[0].setting
    return [friends_record._world_record(setting), *map(friends_record._question_record, items)]


def test_friends_records_are_read_back_over_one_world(tmp_path: Path) -> None:
    items = friends.items(3, 5, "dev", size=(20, 40, 1500))
    path = tmp_path / "items.jsonl"
    friends_record.write(path, items)
    read = friends_record.read(path)
    assert [bare(one) for one in read] == [bare(one) for one in items]
    assert len({id(one.setting) for one in read}) == 1
    assert [m.at for m in read[0].setting.messages] == [m.at for m in items[0].setting.messages]


FRIENDS_DEFECTS: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "a question before its world": (lambda rows: rows.reverse(), "has not been described"),
    "an empty dialogue": (lambda rows: rows[0].update(message=[], at=[]), "the dialogue is empty"),
    "a time too few": (lambda rows: rows[0]["at"].pop(), "times"),
    "no question": (lambda rows: rows.__delitem__(slice(1, None)), "no questions"),
    "a field is missing": (lambda rows: rows[1].pop("QA agents"), "'QA agents' is missing"),
    "parts that contradict the answer": (lambda rows: rows[1].update(parts=[["x"], ["y"]]), "its parts say otherwise"),
}


@pytest.mark.parametrize("defect", FRIENDS_DEFECTS)
def test_a_friends_record_with_a_defect_is_refused(defect: str, tmp_path: Path) -> None:
    change, told = FRIENDS_DEFECTS[defect]
    rows = friends_lines()
    change(rows)
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(RecordError, match=told):
        friends_record.read(path)


def persona_file(path: Path, *conversations: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(chatter.COLUMNS)
        writer.writerows(("I knit.", "I swim.", one) for one in conversations)
    return path


def test_needles_are_hidden_in_a_users_persona_conversations(tmp_path: Path) -> None:
    talk = "User 1: Hi [user 2's name]!\nUser 2: Hello!\nand how are you?\n*User 1:* Well.*\nUser 2: Good."
    talks = chatter.read_personas(persona_file(tmp_path / "p.csv", talk, talk))
    assert talks.conversations[0] == [
        (0, "Hi [user 2's name]!"),
        (1, "Hello! and how are you?"),
        (0, "Well."),
        (1, "Good."),
    ]
    items = needle.two_hop(4, 1, "dev", talks)
    texts = {said.text for said in items[0].setting.messages}
    assert "Well." in texts
    assert not any("[" in text for text in texts)
    assert all(score(one, one.oracle) == 1 for one in items)


@pytest.mark.parametrize(
    ("talk", "told"), [("", "empty"), ("Hi\nthere", "empty"), ("User 1: Hi", "only one"), (None, "no conv")]
)
def test_a_persona_file_without_talk_is_refused(talk: str | None, told: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=told):
        chatter.read_personas(persona_file(tmp_path / "p.csv", *([] if talk is None else [talk])))


def scene(title: str, lines: list[tuple[str, str]], kind: str, question: str, answer: str, uid: int) -> dict[str, Any]:
    said = [{"uid": n, "speakers": [who], "utterance": text} for n, (who, text) in enumerate(lines)]
    asked = {"id": f"{title}_{kind}", "question": question, "answers": [{"answer_text": answer, "utterance_id": uid}]}
    return {"title": title, "paragraphs": [{"utterances:": said, "qas": [asked]}]}


def friends_files(folder: Path, scenes: list[dict[str, Any]]) -> tuple[Path, Path]:
    rows = [
        ("ana", "ben", "i bought the old lighthouse last week!"),
        ("cleo", "dov", "ana wants to paint it bright yellow."),
        ("ben", "cleo", "good morning to everybody here."),
    ]
    path = folder / "talk.csv"
    text = "".join(f"{n},{a},{b},{said},1994-09-22 00:0{n}:00\n" for n, (a, b, said) in enumerate(rows))
    path.write_text(f",sender,receiver,message,timestamp\n{text}")
    (folder / "qa.json").write_text(json.dumps({"data": scenes}))
    return path, folder / "qa.json"


SCENES = [
    scene("s1", [("Ana", "I bought the old lighthouse last week !")], "Who", "Who bought a building ?", "Ana", 0),
    scene(
        "s2",
        [("Cleo", "Ana wants to paint it bright yellow .")],
        "What",
        "What colour does Ana want ?",
        "bright yellow",
        0,
    ),
]


def test_two_questions_of_friendsqa_become_one_that_needs_both_hearers(tmp_path: Path) -> None:
    files = friends_files(tmp_path, SCENES)
    [item] = friendsqa.items(*files, 1, 1, "dev")
    assert item.question == "What colour does the person who bought a building want?"
    assert item.answer == "bright yellow"
    assert item.instructor in ("ana", "ben") and item.assistant in ("cleo", "dov")
    assert [item.setting.messages[seq].sender for seq in item.evidence] == ["ana", "cleo"]
    with pytest.raises(InputError, match="not 9"):
        friendsqa.items(*files, 9, 1, "dev")


def test_friendsqa_files_of_another_shape_are_refused(tmp_path: Path) -> None:
    empty = [{"title": "s1", "paragraphs": [{"utterances:": [], "qas": []}]}]
    talk, qa = friends_files(tmp_path, empty)
    with pytest.raises(RecordError, match="empty"):
        friendsqa.items(talk, qa, 1, 1, "dev")
    qa.write_text('{"data": [{"title": 1}]}')
    with pytest.raises(RecordError, match="FriendsQA's shape"):
        friendsqa.items(talk, qa, 1, 1, "dev")
    qa.write_text("{")
    with pytest.raises(RecordError, match="not JSON"):
        friendsqa.items(talk, qa, 1, 1, "dev")
    with pytest.raises(InputError, match="cannot read"):
        friendsqa.items(talk, tmp_path / "absent.json", 1, 1, "dev")
