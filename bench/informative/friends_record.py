"""FriendsTV-style records: JSONL, a world first and then its questions, read and written.

A world: world (its id), people [{"id", "name"}], ties [["ana", "ben"]], message ["from ana to ben : text"], and `at`, the
time of each message. A question: id, world, QA agents, question, answer, and if there are any aliases, parts, options,
evidence (places in message, from 0), alone, kind.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kithnet.bench.informative.item import JOIN, Item, Resident, Said, Setting
from kithnet.bench.informative.reading import asked_of, lines_of, messages_of, need, write_lines
from kithnet.bench.informative.scoring import named
from kithnet.runtime.errors import RecordError


def write(path: Path, items: Sequence[Item]) -> None:
    """Write the worlds of the items, then the items."""
    settings = {item.setting.id: item.setting for item in items}
    write_lines(path, [*map(_world_record, settings.values()), *map(_question_record, items)])


def read(path: Path) -> list[Item]:
    """The items of a file. Raises InputError, RecordError with the line."""
    settings: dict[str, Setting] = {}
    found = []
    for row, record in lines_of(path):
        if "people" in record:
            setting = _setting(record, row)
            settings[setting.id] = setting
        else:
            found.append(_item(record, settings, row))
    if not found:
        raise RecordError(f"{path.name} holds no questions", "questions follow their world, one a line")
    return found


def _world_record(setting: Setting) -> dict[str, Any]:
    return {
        "world": setting.id,
        "people": [{"id": one.id, "name": one.name} for one in setting.people],
        "ties": [list(tie) for tie in setting.ties],
        "message": [f"from {m.sender} to {m.receiver} : {m.text}" for m in setting.messages],
        "at": [m.at.isoformat() for m in setting.messages],
    }


def _question_record(item: Item) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": item.id,
        "world": item.setting.id,
        "kind": item.kind,
        "QA agents": [item.instructor, item.assistant],
        "question": item.question,
        "answer": item.answer,
        "evidence": list(item.evidence),
        "alone": list(item.alone),
    }
    more = {"aliases": item.aliases, "parts": item.parts, "options": item.options}
    return record | {name: list(value) for name, value in more.items() if value}


def _setting(record: Mapping[str, Any], row: int) -> Setting:
    identity = need(record, "world", str, row)
    people = []
    for one in need(record, "people", list, row):
        if not isinstance(one, dict):
            raise RecordError(f"{one!r} is no person", 'write {"id": "ana", "name": "Ana"}', row=row)
        people.append(Resident(need(one, "id", str, row), need(one, "name", str, row)))
    ids = [one.id for one in people]
    spoken = messages_of(record, ids, row)
    times = need(record, "at", list, row)
    if len(times) != len(spoken):
        raise RecordError(f"there are {len(spoken)} messages and {len(times)} times", "give one for each", row=row)
    try:
        moments = [datetime.fromisoformat(one) for one in times]
    except (TypeError, ValueError) as error:
        raise RecordError(f"'at' holds what is no time: {error}", "write 2024-05-31T18:20:00", row=row) from error
    said = tuple(Said(seq, a, b, text, at) for seq, ((a, b, text), at) in enumerate(zip(spoken, moments, strict=True)))
    ties = []
    for one in need(record, "ties", list, row):
        if not isinstance(one, list) or len(one) != 2 or any(p not in ids for p in one) or one[0] == one[1]:
            raise RecordError(f"{one!r} is no tie of two of the people", "", row=row)
        ties.append((min(one), max(one)))
    return Setting(identity, tuple(people), tuple(ties), said)


def _item(record: Mapping[str, Any], settings: Mapping[str, Setting], row: int) -> Item:
    world = need(record, "world", str, row)
    if world not in settings:
        raise RecordError(
            f"the world {world!r} has not been described", "its record comes before its questions", row=row
        )
    setting = settings[world]
    instructor, assistant = asked_of(record, [one.id for one in setting.people], row)
    question, answer = need(record, "question", str, row), need(record, "answer", str, row)
    aliases = tuple(record.get("aliases", ()))
    parts = tuple(tuple(one) for one in record.get("parts", ()))
    wanted = parts or ((answer, *aliases),)
    for accepted in wanted:
        if named(question, accepted):
            raise RecordError(f"the question holds its answer {accepted[0]!r}", "ask without it", row=row)
    if parts and JOIN.join(one[0] for one in parts) != answer:
        raise RecordError(
            f"the answer is {answer!r}, and its parts say otherwise", "join their first wordings", row=row
        )
    alone = tuple(record.get("alone", ("", "")))
    evidence = tuple(record.get("evidence", ()))
    if len(alone) != 2 or any(not isinstance(one, int) or not 0 <= one < len(setting.messages) for one in evidence):
        raise RecordError("'alone' must hold two answers and 'evidence' places in the messages", "", row=row)
    return Item(
        str(need(record, "id", (str, int), row)), "friends", setting, instructor, assistant, question, answer,
        "all" if parts else "short", aliases=aliases, parts=parts, options=tuple(record.get("options", ())),
        evidence=evidence, alone=(alone[0], alone[1]), oracle=answer, kind=str(record.get("kind", "")),
    )  # fmt: skip
