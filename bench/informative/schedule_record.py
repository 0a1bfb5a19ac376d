"""Schedule records as the benchmark's authors write them: read with every contradiction refused, and written."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from kithnet.bench.informative.clock import Interval, interval_of, shown
from kithnet.bench.informative.day import Day, Doing
from kithnet.bench.informative.item import JOIN, Item, Resident, Said, Setting
from kithnet.bench.informative.reading import asked_of, lines_of, messages_of, need, write_lines
from kithnet.bench.informative.schedule import EVENING, assemble
from kithnet.bench.informative.schedule_tasks import Level
from kithnet.bench.informative.scoring import minutes_in, named, number_in
from kithnet.runtime.errors import RecordError

_LINE = re.compile(r"(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d)\s+(.+?)(?:\s+with\s+(.+))?")


def read(path: Path, level: Level) -> list[Item]:
    """The items of a file of records of one level. Raises InputError, RecordError with the line."""
    return [_item(record, level, row) for row, record in lines_of(path)]


def write(path: Path, items: Sequence[Item], days: Mapping[str, Day]) -> None:
    """Write items with their days (item id -> day) as records."""
    write_lines(path, [record_of(item, days[item.id]) for item in items])


def record_of(item: Item, day: Day) -> dict[str, Any]:
    """One record. The answer is a number, a list of names, or a list of intervals."""
    names = {one.id: one.name for one in item.setting.people}
    parts = item.answer.split(JOIN)
    return {
        "id": item.id,
        "schedule": {names[person]: {one.activity: _written(one, names) for one in all_of} for person, all_of in day.items()},
        "schedule_nl": [{names[person]: [_in_words(one, names) for one in all_of]} for person, all_of in day.items()],
        "message": [f"from {names[m.sender]} to {names[m.receiver]} : {m.text}" for m in item.setting.messages],
        "QA agents": [names[item.instructor], names[item.assistant]],
        "question": item.question,
        "answer": int(item.answer) if item.scoring == "number" else parts,
    }  # fmt: skip


def _written(one: Doing, names: Mapping[str, str]) -> dict[str, Any]:
    both = [names[one.person], *([names[one.partner]] if one.partner else [])]
    kind = "shared" if one.partner else "solo"
    return {"start": shown(one.time.start), "end": shown(one.time.end), "type": kind, "participants_list": both}


def _in_words(one: Doing, names: Mapping[str, str]) -> str:
    return f"{one.time} {one.activity}" + (f" with {names[one.partner]}" if one.partner else "")


def _item(record: Mapping[str, Any], level: Level, row: int) -> Item:
    identity = str(need(record, "id", (str, int), row))
    schedule = need(record, "schedule", dict, row)
    people = list(schedule)
    day = {person: _doings(person, schedule[person], people, row) for person in people}
    _mutual(day, row)
    _same_in_words(need(record, "schedule_nl", list, row), day, row)
    spoken = messages_of(record, people, row)
    pair = asked_of(record, people, row)
    groups = _groups(spoken, pair, people, row)
    question = need(record, "question", str, row)
    said = tuple(
        Said(seq, sender, receiver, text, EVENING + timedelta(seconds=45 * seq))
        for seq, (sender, receiver, text) in enumerate(spoken)
    )
    ties = {tuple(sorted((one.sender, one.receiver))) for one in said} | {tuple(sorted(pair))}
    residents = tuple(Resident(one, one) for one in people)
    setting = Setting(identity, residents, tuple((a, b) for a, b in sorted(ties)), said)
    item = assemble(identity, level, setting, day, groups, question)
    _answer_agrees(item, need(record, "answer", (int, str, list), row), row)
    return item


def _doings(person: str, raw: object, people: Sequence[str], row: int) -> tuple[Doing, ...]:
    if not isinstance(raw, dict) or not raw:
        raise RecordError(f"the schedule of {person!r} is no object of activities", "", row=row)
    found = []
    for activity, entry in raw.items():
        if not isinstance(entry, dict):
            raise RecordError(f"{activity!r} of {person!r} is no object", "", row=row)
        start, end = need(entry, "start", str, row), need(entry, "end", str, row)
        need(entry, "type", str, row)
        others = [one for one in need(entry, "participants_list", list, row) if one != person]
        if len(others) > 1 or any(one not in people for one in others):
            raise RecordError(
                f"{activity!r} of {person!r} is shared with {others}; at most one of the people can be", row=row
            )
        try:
            time = interval_of(start, end)
        except ValueError as error:
            raise RecordError(f"{activity!r} of {person!r}: {error}", "write times as 9:30", row=row) from error
        found.append(Doing(person, activity, time, others[0] if others else ""))
    return tuple(sorted(found, key=lambda one: one.time))


def _mutual(day: Day, row: int) -> None:
    """What two people share stands in the schedules of both, at the same time."""
    for one in (doing for doings in day.values() for doing in doings if doing.partner):
        back = next((other for other in day[one.partner] if other.activity == one.activity), None)
        if back is None or back.time != one.time or back.partner != one.person:
            raise RecordError(
                f"{one.person!r} shares {one.activity!r} with {one.partner!r}, whose schedule says otherwise", row=row
            )


def _same_in_words(raw: Sequence[object], day: Day, row: int) -> None:
    """`schedule_nl` says the same as `schedule`."""
    told: defaultdict[str, set[tuple[str, Interval]]] = defaultdict(set)
    for entry in raw:
        if not isinstance(entry, dict):
            raise RecordError(f"'schedule_nl' holds {entry!r}; it lists objects of name and lines", row=row)
        for person, lines in entry.items():
            for line in lines if isinstance(lines, list) else [lines]:
                match = _LINE.fullmatch(line) if isinstance(line, str) else None
                if not match:
                    raise RecordError(f"{line!r} is no line of a schedule", "write '9:00-10:30 Yoga with B0'", row=row)
                try:
                    told[person].add((match[3], interval_of(match[1], match[2])))
                except ValueError as error:
                    raise RecordError(f"{line!r}: {error}", "write times as 9:30", row=row) from error
    for person in dict.fromkeys((*day, *told)):
        known = {(one.activity, one.time) for one in day.get(person, ())}
        if wrong := sorted(f"{name} {time}" for name, time in known ^ told[person]):
            raise RecordError(
                f"'schedule' and 'schedule_nl' of {person!r} contradict each other: {', '.join(wrong)}", row=row
            )


def _groups(
    spoken: Sequence[tuple[str, str, str]], pair: tuple[str, str], people: Sequence[str], row: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two sides: an asker first, then whoever that asker writes with."""
    sides = []
    for asker, other in (pair, pair[::-1]):
        near = {one for a, b, _ in spoken if asker in (a, b) for one in (a, b)} - {asker, other}
        if not near:
            raise RecordError(
                f"{asker!r} writes with nobody but {other!r}", "each of 'QA agents' needs a dialogue", row=row
            )
        sides.append((asker, *(one for one in people if one in near)))
    return sides[0], sides[1]


def _answer_agrees(item: Item, given: int | str | list[Any], row: int) -> None:
    text = JOIN.join(map(str, given)) if isinstance(given, list) else str(given)
    if item.scoring == "number":
        same = number_in(text) == int(item.answer)
    elif item.scoring == "set":
        same = named(text, item.options) == named(item.answer, item.options)
    else:
        same = minutes_in(text) == minutes_in(item.answer)
    if not same:
        raise RecordError(
            f"the answer is {text!r}, and the schedule gives {item.answer!r}",
            "mend the answer or the schedule",
            row=row,
        )
