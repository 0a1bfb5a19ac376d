"""Dialogues that were written for the reader: lines with what each says, questions with the spans that answer them.

One JSON object a line, one file a writer, under `data/` beside this module; its card is `data/README.md`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from kithnet.memory.language.reader import KINDS, RELATIONS, SECRECY, STANCES
from kithnet.runtime.errors import InputError

DATA = Path(__file__).with_name("data")
DIALOGUES = "*_[0-9][0-9].jsonl"
"""Names of the files of dialogues."""
ASKED = ("who", "what", "when", "where", "why", "how", "howmany", "yesno")
STATES = ("planned", "cancelled", "moved", "happened")
EVENT_PARTS = ("what", "day", "start", "end", "length")


@dataclass(frozen=True, slots=True)
class Line:
    """One message. about: names of the people it tells something of."""

    by: str
    text: str
    kind: str
    stance: str
    about: tuple[str, ...]
    secrecy: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Characters `start` to `end` of line number `line`."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """answers: the same answer wherever it is said, () where nobody says it. verdict: "yes" or "no" of a yes/no question."""

    text: str
    kind: str
    answers: tuple[Answer, ...]
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What somebody said some time before, and what line number `line` of the dialogue does to it."""

    by: str
    text: str
    line: int
    relation: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something in somebody's calendar; what, day, start, end and length are the line's own words, "" where it has none."""

    line: int
    who: tuple[str, ...]
    what: str
    day: str
    start: str
    end: str
    length: str
    state: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    id: str
    day: date
    lines: tuple[Line, ...]
    questions: tuple[Question, ...]
    earlier: tuple[Earlier, ...]
    events: tuple[Event, ...]


def read(paths: Sequence[Path] | None = None) -> list[Dialogue]:
    """The dialogues of the given files, of all writers by default. Raises InputError that names the file and the line."""
    found: list[Dialogue] = []
    for path in sorted(DATA.glob(DIALOGUES)) if paths is None else paths:
        for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                found.append(_dialogue(json.loads(row)))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}, line {number}: {error!r}", "mend that line") from None
    return found


def _dialogue(row: dict[str, Any]) -> Dialogue:
    lines = tuple(
        Line(one["by"], one["text"], _of(one["kind"], KINDS), _of(one["stance"], STANCES), tuple(one["about"]),
             _of(one["secrecy"], SECRECY))
        for one in row["lines"]
    )  # fmt: skip
    if not 3 <= len(lines) <= 14 or not all(line.text.strip() for line in lines):
        raise ValueError(f"{row['id']}: a dialogue has 3 to 14 lines, none of them empty")
    return Dialogue(
        row["id"], date.fromisoformat(row["day"]), lines,
        tuple(_question(one, lines) for one in row["questions"]),
        tuple(
            Earlier(one["by"], one["text"], _at(one["line"], lines), _of(one["relation"], RELATIONS))
            for one in row.get("earlier", ())
        ),
        tuple(_event(one, lines) for one in row.get("events", ())),
    )  # fmt: skip


def _question(row: dict[str, Any], lines: Sequence[Line]) -> Question:
    answers = tuple(
        Answer(one["line"], *_placed(one["span"], lines[_at(one["line"], lines)].text)) for one in row["answers"]
    )
    verdict = row.get("verdict", "")
    if answers and (row["kind"] == "yesno") != (verdict in ("yes", "no")):
        raise ValueError(f"{row['q']!r}: a yesno question, and no other, has the verdict yes or no")
    return Question(row["q"], _of(row["kind"], ASKED), answers, verdict)


def _event(row: dict[str, Any], lines: Sequence[Line]) -> Event:
    text = lines[_at(row["line"], lines)].text
    parts = {part: row.get(part, "") for part in EVENT_PARTS}
    for said in filter(None, parts.values()):
        _placed(said, text)
    return Event(row["line"], tuple(row["who"]), state=_of(row["state"], STATES), **parts)


def _placed(span: str, text: str) -> tuple[int, int]:
    start = text.find(span)
    if not span.strip() or start < 0:
        raise ValueError(f"{span!r} does not stand in {text!r}")
    return start, start + len(span)


def _of(value: str, among: Sequence[str]) -> str:
    if value not in among:
        raise ValueError(f"{value!r} is none of {', '.join(among)}")
    return value


def _at(line: int, lines: Sequence[Line]) -> int:
    if not 0 <= line < len(lines):
        raise ValueError(f"there is no line {line}")
    return line


def counted(dialogues: Sequence[Dialogue]) -> Iterator[tuple[str, int]]:
    """What the card says of them: dialogues, lines, questions, those that nobody answers, and so on."""
    questions = [question for one in dialogues for question in one.questions]
    lines = [line for one in dialogues for line in one.lines]
    yield "dialogues", len(dialogues)
    yield "lines", len(lines)
    yield "questions", len(questions)
    yield "unanswered", sum(not question.answers for question in questions)
    yield "in confidence", sum(line.secrecy == "confidence" for line in lines)
    yield "delicate", sum(line.secrecy == "delicate" for line in lines)
    yield "earlier", sum(len(one.earlier) for one in dialogues)
    yield "events", sum(len(one.events) for one in dialogues)


if __name__ == "__main__":
    import sys

    print(dict(counted(read([Path(name) for name in sys.argv[1:]] or None))))
