"""LoCoMo's file of long conversations with questions and the turns that answer them (Maharana et al., 2024)."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kithnet.network.records import ChatMessage, Person
from kithnet.runtime.errors import RecordError

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
ANSWERABLE = frozenset((1, 2, 3, 4))
"""Questions of the fifth category ask one speaker what only the other said: they have no answer."""

_SESSION = re.compile(r"session_(\d+)")
_TURN_ID = re.compile(r"D:?(\d+):(\d+)")
_BETWEEN_TURNS = timedelta(minutes=1)


class _Turn(BaseModel):
    model_config = ConfigDict(extra="ignore")
    speaker: str = Field(min_length=1)
    dia_id: str
    text: str
    blip_caption: str | None = None


class _Question(BaseModel):
    model_config = ConfigDict(extra="ignore")
    question: str = Field(min_length=1)
    category: int = Field(ge=1, le=5)
    evidence: list[str] = []
    answer: str | int | float | None = None


class _Sample(BaseModel):
    model_config = ConfigDict(extra="ignore")
    sample_id: str = ""
    conversation: dict[str, Any]
    qa: list[_Question]


@dataclass(frozen=True, slots=True)
class Question:
    """evidence: message numbers (`ChatMessage.seq`) of the turns that answer it, or show that nothing does.

    number: its place among all questions of the conversation. answer: "" where it has none.
    """

    text: str
    category: int
    evidence: frozenset[int]
    number: int = 0
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One long chat of two people as a world's messages. dropped: questions without usable evidence."""

    id: str
    people: tuple[Person, Person]
    messages: tuple[ChatMessage, ...]
    questions: tuple[Question, ...]
    dropped: int

    @property
    def sessions(self) -> int:
        return len({message.session for message in self.messages})


def load(path: Path) -> list[Conversation]:
    """Read a LoCoMo file: a JSON list of conversations. Raises RecordError that names what is wrong and where."""
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}", "name LoCoMo's JSON file") from error
    except ValueError as error:
        raise RecordError(f"{path} is no JSON: {error}", "name LoCoMo's JSON file") from error
    if not isinstance(raw, list) or not raw:
        raise RecordError(f"{path} holds no list of conversations", "name LoCoMo's JSON file, such as locomo10.json")
    return [_conversation(sample, place, path) for place, sample in enumerate(raw)]


def _conversation(raw: Any, place: int, path: Path) -> Conversation:
    where = f"{path}, conversation {place + 1}"
    try:
        sample = _Sample.model_validate(raw)
        turns = _turns(sample.conversation)
    except (ValidationError, ValueError) as error:
        what = error.errors()[0] if isinstance(error, ValidationError) else None
        told = f"{'.'.join(map(str, what['loc']))}: {what['msg']}" if what else str(error)
        raise RecordError(f"{where}: {told}", "this is not a file of LoCoMo's shape") from error
    names = list(dict.fromkeys(turn.speaker for _, turn, _ in turns))
    if len(names) != 2:
        raise RecordError(f"{where}: {len(names)} people speak, not 2", "LoCoMo's conversations have two speakers")
    ids = {name: _id(name, number) for number, name in enumerate(names)}
    messages, numbers = [], {}
    for seq, (session, turn, at) in enumerate(turns):
        other = names[1 - names.index(turn.speaker)]
        text = f"{turn.text} [{turn.blip_caption}]" if turn.blip_caption else turn.text
        messages.append(ChatMessage(seq, ids[turn.speaker], ids[other], text, at, f"{place + 1}-{session:02}"))
        numbers.update({(int(s), int(t)): seq for s, t in _TURN_ID.findall(turn.dia_id)})
    questions = [
        Question(
            one.question,
            one.category,
            frozenset(numbers[key] for key in _cited(one.evidence) if key in numbers),
            place,
            "" if one.answer is None else str(one.answer),
        )
        for place, one in enumerate(sample.qa)
    ]
    usable = tuple(question for question in questions if question.evidence)
    people = (Person(ids[names[0]], names[0]), Person(ids[names[1]], names[1]))
    name = sample.sample_id or f"conversation {place + 1}"
    return Conversation(name, people, tuple(messages), usable, len(questions) - len(usable))


def _turns(conversation: dict[str, Any]) -> list[tuple[int, _Turn, datetime | None]]:
    """(session, turn, time) in order. A session without a readable date has no times."""
    numbers = sorted(int(match[1]) for key in conversation if (match := _SESSION.fullmatch(key)))
    found: list[tuple[int, _Turn, datetime | None]] = []
    for number in numbers:
        start = _time(conversation.get(f"session_{number}_date_time"))
        for place, raw in enumerate(conversation[f"session_{number}"] or ()):
            turn = _Turn.model_validate(raw)
            if turn.text.strip() or turn.blip_caption:
                found.append((number, turn, start + place * _BETWEEN_TURNS if start else None))
    if not found:
        raise ValueError("no session with turns")
    return found


def _time(told: Any) -> datetime | None:
    """LoCoMo writes "1:56 pm on 8 May, 2023"."""
    try:
        return datetime.strptime(str(told), "%I:%M %p on %d %B, %Y")
    except ValueError:
        return None


def _cited(evidence: Sequence[str]) -> list[tuple[int, int]]:
    return [(int(session), int(turn)) for cited in evidence for session, turn in _TURN_ID.findall(cited)]


def _id(name: str, number: int) -> str:
    return re.sub(r"\W+", "_", name.casefold()).strip("_") or f"speaker_{number + 1}"
