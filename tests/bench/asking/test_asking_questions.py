"""Questions from each kind of file: who asks whom, what is right, which are chosen, and that all of it hangs on the seed alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from kithnet.bench.asking import chosen, friendsqa, locomo, written
from kithnet.bench.asking.question import Question, Subject, in_order
from kithnet.bench.asking.renaming import renamed
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie, World
from kithnet.runtime.errors import InputError, RecordError

CSV = """,sender,receiver,message,timestamp,session
0,una fell,tom weld,I sold the red kayak to my aunt.,2020-01-01 10:00:00,s01e01c01
1,tom weld,una fell,"Good, it was always in the way.",2020-01-01 10:00:05,s01e01c01
2,una fell,ivy moor,Shall we have lunch?,2020-01-02 10:00:00,s01e01c02
3,ivy moor,tom weld,Una is late again.,2020-01-03 10:00:00,s01e01c03
"""


def asked(identity: str, text: str, uid: int, answer: str, speaker: bool = False) -> dict[str, Any]:
    return {
        "id": identity,
        "question": text,
        "answers": [{"answer_text": answer, "utterance_id": uid, "is_speaker": speaker}],
    }


def scene(title: str, lines: list[tuple[str, str]], qas: list[dict[str, Any]]) -> dict[str, Any]:
    said = [{"uid": uid, "speakers": [who], "utterance": text} for uid, (who, text) in enumerate(lines)]
    return {"title": title, "paragraphs": [{"utterances:": said, "qas": qas}]}


FIRST = [("Una Fell", "I sold the red kayak to my aunt ."), ("Tom Weld", "Good , it was always in the way .")]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    questions, csv = tmp_path / "qa.json", tmp_path / "tv.csv"
    first = scene(
        "s01_e01_c01",
        FIRST,
        [
            asked("a_What", "What did Una sell ?", 0, "the red kayak"),
            asked("a_What_Paraphrased", "Which thing ?", 0, "the red kayak"),
            asked("a_Who", "Who found that it was in the way ?", 1, "Tom Weld", speaker=True),
        ],
    )
    absent = scene("s01_e09_c01", FIRST, [asked("b_What", "What did Una sell ?", 0, "the red kayak")])
    questions.write_text(json.dumps({"data": [first, absent]}))
    csv.write_text(CSV)
    return questions, csv


def test_a_friendsqa_question_goes_from_somebody_who_was_not_there_to_a_hearer(files: tuple[Path, Path]) -> None:
    subject = friendsqa.load(*files, seed=13)
    what, who = subject.questions
    assert (what.id, what.text, what.gold, what.kind) == ("a_What", "What did Una sell?", ("the red kayak",), "what")
    assert what.asker == "ivy moor" and what.to in ("una fell", "tom weld") and what.evidence == (0,)
    assert who.gold == ("Tom Weld", "Tom")
    assert friendsqa.load(*files, seed=13) == subject


def test_files_that_do_not_fit_together_are_refused(files: tuple[Path, Path]) -> None:
    questions, csv = files
    csv.write_text(CSV.replace("red kayak", "green kayak").replace("always", "never"))
    with pytest.raises(InputError, match="no line that answers"):
        friendsqa.load(questions, csv, 13)


def conversation(name: str = "conv-1") -> dict[str, Any]:
    turns = [
        {"speaker": "Ann", "dia_id": "D1:1", "text": "I bought a teapot in May."},
        {"speaker": "Ben", "dia_id": "D1:2", "text": "My dog ate a shoe."},
    ]
    qa: list[dict[str, Any]] = [
        {"question": "What did Ann buy?", "answer": "a teapot", "category": 4, "evidence": ["D1:1"]},
        {"question": "What did Ann's dog eat?", "adversarial_answer": "a shoe", "category": 5, "evidence": ["D1:2"]},
        {"question": "How many dogs has Ben?", "answer": 1, "category": 1, "evidence": ["D1:2"]},
        {"question": "Left out?", "category": 2, "evidence": ["D1:2"]},
    ]
    talk = {"session_1": turns, "session_1_date_time": "1:00 pm on 1 May, 2023"}
    return {"sample_id": name, "conversation": talk, "qa": qa}


def test_the_speakers_of_a_locomo_conversation_ask_each_other_and_the_fifth_kind_has_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([conversation()]))
    [subject] = locomo.load(path, 13)
    assert [one.id for one in subject.questions] == ["conv-1:0", "conv-1:1", "conv-1:2"]
    assert [one.gold for one in subject.questions] == [("a teapot",), (), ("1",)]
    assert all({one.asker, one.to} == {"ann", "ben"} for one in subject.questions)
    assert subject.questions[1].kind == "adversarial" and not subject.questions[1].answerable


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "kith.db")
    people = [Person("una", "Una Fell"), Person("tom", "Tom Weld")]
    said = [
        ChatMessage(0, "una", "tom", "The kayak is gone.", None, "s1"),
        ChatMessage(1, "tom", "una", "Good.", None, "s1"),
    ]
    made.ingest(people, [Tie("tom", "una")], said)
    return made


def test_a_file_of_ones_own_names_evidence_by_id_or_text(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [
        {"question": "What is gone?", "from": "Tom Weld", "to": "una", "gold": "the kayak", "evidence": ["m1"]},
        {"id": "x", "question": "Who came?", "from": "tom", "gold": None, "evidence": ["Good."]},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    one, two = written.load(path, store)
    assert (one.id, one.asker, one.to, one.gold, one.evidence) == ("1", "tom", "una", ("the kayak",), (0,))
    assert (two.id, two.to, two.gold, two.evidence, two.answerable) == ("x", "", (), (1,), False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "no JSON"), ("{}", "question"), ('{"question": "Q?", "from": "una", "gold": "x", "evidence": ["m9"]}', "m9"),
        ("", "no question"),
    ],
)  # fmt: skip
def test_a_defective_line_is_named(line: str, told: str, tmp_path: Path, store: Store) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(line)
    with pytest.raises(RecordError, match=told):
        written.load(path, store)


def question(identity: str) -> Question:
    return Question(identity, "?", "a", "b", ("x",), (0,))


def test_ids_are_those_of_the_list_in_its_order_or_all_by_seed_or_of_a_file(tmp_path: Path) -> None:
    known = [question(identity) for identity in ("conv-42:37", "conv-41:37", "other")]
    assert [one.id for one in chosen.questions(known, "listed", "locomo", 13, None)] == ["conv-41:37", "conv-42:37"]
    everything = chosen.questions(known, "all", "locomo", 13, None)
    assert [one.id for one in everything] == in_order([one.id for one in known], 13)
    assert len(chosen.questions(known, "all", "locomo", 13, 2)) == 2
    mine = tmp_path / "ids.json"
    mine.write_text('{"ids": ["other"]}')
    assert [one.id for one in chosen.questions(known, str(mine), "locomo", 13, None)] == ["other"]
    unlisted = [question("q1")]
    assert chosen.questions(unlisted, "listed", "locomo", 13, None) == tuple(unlisted)
    mine.write_text('["none of them"]')
    with pytest.raises(InputError, match="none of the ids"):
        chosen.questions(known, str(mine), "locomo", 13, None)


def test_the_committed_lists_hold_ids_and_no_text() -> None:
    assert len(chosen.listed_ids("locomo") or ()) == 25
    assert len(chosen.listed_ids("friendsqa") or ()) == 24
    assert chosen.listed_ids("questions") is None


def test_people_are_renamed_everywhere_and_ordinary_words_are_not() -> None:
    people = [
        Person("una fell", "Una Fell", aliases=("Una",)),
        Person("rose green", "Rose Green"),
        Person("both", "Both"),
    ]
    said = [
        ChatMessage(0, "una fell", "rose green", "Rose, the green one is mine. It is green!", None, "s1"),
        ChatMessage(1, "rose green", "both", "Both of us saw Una Fell's boat, and both liked it.", None, "s1"),
    ]
    world = World(people, [Tie("both", "rose green"), Tie("rose green", "una fell")], said)
    subject = Subject("tiny", world, (Question("q", "What has Una?", "una fell", "rose green", ("Una's boat",), (1,)),))
    other = renamed(subject, 13)
    text = " ".join(one.text for one in other.world.messages)
    assert not any(name in text for name in ("Una", "Fell", "Rose"))
    assert "the green one" in text and "Both of us" in text and "'s boat" in text
    [asked] = other.questions
    named = {person.id: person.name for person in other.world.people}
    assert asked.gold[0].removesuffix("'s boat") == named[asked.asker].split()[0] and asked.to in named
    assert {one.sender for one in other.world.messages} <= named.keys() and renamed(subject, 13) == other
