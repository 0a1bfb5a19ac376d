"""HiddenBench's file (65 tasks of the hidden-profile kind): what all know points to one option, what each knows alone to another.

The published file is a JSON list of tasks with `id`, `name`, `description`, `shared_information` and `hidden_information`
(texts), `possible_answers` and `correct_answer`. Two people are told every shared text by an organiser; the hidden ones
are dealt to them in turn, as a group of two would have them. Options stand in an order drawn from the seed, so that a
place says nothing.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from kithnet.bench.informative.item import Item, Resident, Said, Setting
from kithnet.runtime.errors import InputError, RecordError

FAMILY = "hiddenbench"
SHARED, HIDDEN = "shared", "hidden"
"""What a message's `facts` say of it."""
ORGANISER, INSTRUCTOR, ASSISTANT = Resident("org", "Orla"), Resident("ines", "Ines"), Resident("arvid", "Arvid")
START = datetime(2024, 3, 4, 9)
FEWEST = 2
_NAMES: Mapping[str, Sequence[str]] = {
    "description": ("description", "scenario", "task"),
    "shared": ("shared_information", "shared_info", "shared"),
    "hidden": ("hidden_information", "hidden_info", "unshared_information", "hidden"),
    "options": ("possible_answers", "options", "choices"),
    "answer": ("correct_answer", "answer"),
}
"""What a field may be called, the published name first."""


def items(path: Path, count: int | None, seed: int) -> list[Item]:
    """The first `count` tasks of the file, or all. Raises InputError, RecordError that names the task."""
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path given with --data") from error
    except ValueError as error:
        raise RecordError(f"{path.name} is not JSON: {error}", "give HiddenBench's file of tasks") from error
    tasks = next((one for one in raw.values() if isinstance(one, list)), []) if isinstance(raw, dict) else raw
    if not isinstance(tasks, list) or not tasks:
        raise RecordError(f"{path.name} holds no list of tasks", "give HiddenBench's file of tasks")
    if count is not None and count > len(tasks):
        raise InputError(f"{path.name} holds {len(tasks)} tasks, not {count}", f"use --n {len(tasks)} or fewer")
    return [_item(task, place, seed) for place, task in enumerate(tasks[:count], 1)]


def _item(task: Any, place: int, seed: int) -> Item:
    if not isinstance(task, dict):
        raise RecordError("a task is no JSON object", "give HiddenBench's file of tasks", row=place)
    shared, hidden = _texts(task, "shared", place), _texts(task, "hidden", place)
    options, answer = _texts(task, "options", place), str(_field(task, "answer", place)).strip()
    if answer not in options or len(set(options)) < FEWEST:
        raise RecordError("the right answer is none of the options", "give HiddenBench's file of tasks", row=place)
    if len(hidden) < FEWEST:
        raise RecordError("there is nothing that one side alone knows", "a task hides two texts or more", row=place)
    identity = f"{FAMILY}-{task.get('id', place)}"
    Random(f"kithnet hiddenbench {seed} {identity}").shuffle(options)
    setting = _setting(identity, shared, hidden)
    question = f"{str(_field(task, 'description', place)).strip()} Which one is it: {_listed(options)}?"
    evidence = tuple(one.seq for one in setting.messages if HIDDEN in one.facts)
    return Item(
        identity, FAMILY, setting, INSTRUCTOR.id, ASSISTANT.id, question, answer, "choice", options=tuple(options),
        evidence=evidence, oracle=answer,
    )  # fmt: skip


def _setting(identity: str, shared: Sequence[str], hidden: Sequence[str]) -> Setting:
    """The organiser tells both what is shared, and each one its part of what is hidden."""
    told = [(one.id, text, SHARED) for text in shared for one in (INSTRUCTOR, ASSISTANT)]
    told += [((INSTRUCTOR, ASSISTANT)[place % 2].id, text, HIDDEN) for place, text in enumerate(hidden)]
    said = tuple(
        Said(seq, ORGANISER.id, to, text, START + timedelta(minutes=seq), (kind,))
        for seq, (to, text, kind) in enumerate(told)
    )
    people = (ORGANISER, INSTRUCTOR, ASSISTANT)
    ties = tuple(sorted((min(a.id, b.id), max(a.id, b.id)) for a in people for b in people if a.id < b.id))
    return Setting(identity, people, ties, said)


def _listed(options: Sequence[str]) -> str:
    """ "a, b or c"."""
    return f"{', '.join(options[:-1])} or {options[-1]}"


def _field(task: Mapping[str, Any], what: str, place: int) -> Any:
    for name in _NAMES[what]:
        if task.get(name) not in (None, "", []):
            return task[name]
    raise RecordError(f"a task has no {_NAMES[what][0]!r}", "give HiddenBench's file of tasks", row=place)


def _texts(task: Mapping[str, Any], what: str, place: int) -> list[str]:
    """A list of texts; an object is taken by its values, one text that was written for each agent."""
    raw = _field(task, what, place)
    given = raw
    if isinstance(raw, dict):
        given = [one for part in raw.values() for one in (part if isinstance(part, list) else [part])]
    if not isinstance(given, list) or not all(isinstance(one, str) and one.strip() for one in given):
        raise RecordError(f"{_NAMES[what][0]!r} is no list of texts", "give HiddenBench's file of tasks", row=place)
    return [one.strip() for one in given]
