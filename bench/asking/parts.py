"""The parts of the way to an answer, each measured alone: recall, reading given evidence, and knowing by heart."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from kithnet.agents.dialogue import consult
from kithnet.agents.minds import finding
from kithnet.app import collaborate
from kithnet.app.collaborate import Scene
from kithnet.bench.asking.outcomes import Outcome
from kithnet.bench.asking.question import Question
from kithnet.bench.asking.scoring import right
from kithnet.memory.rows import StoredMessage
from kithnet.runtime.chat import ChatModel, Message, ReplySpec
from kithnet.runtime.errors import KithnetError, ModelUnavailable, StorageError

WHOLE, RECALL, EVIDENCE, SCENE, CLOSED_BOOK, RENAMED = "whole", "recall", "evidence", "scene", "closed-book", "renamed"
PARTS = (WHOLE, RECALL, EVIDENCE, SCENE, CLOSED_BOOK, RENAMED)
BY_AGENTS = frozenset({WHOLE, RENAMED})
"""Parts that depend on the mind; the others ask the model, or nobody."""
CUTS = (1, 5, 12, 50)
ROOM = 10**9  # tokens: what fits a prompt is not the subject here
REPLY = 160

READ = (
    "Answer the question from the messages below, in as few words as possible: true in `known` and the answer in "
    "`answer`. If they do not tell it, nor let it be concluded, reply with false and an empty answer."
)
BY_HEART = (
    "Answer the question in as few words as possible: true in `known` and the answer in `answer`. If you do not know "
    "it, reply with false and an empty answer."
)
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"known": {"type": "boolean"}, "answer": {"type": "string", "maxLength": 400}},
    "required": ["known", "answer"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Place:
    """An open world with what the parts need of it. said: number of a message -> the message; names: id -> name."""

    scene: Scene
    said: Mapping[int, StoredMessage]
    by_scene: Mapping[str, Sequence[int]]
    names: Mapping[str, str]

    @classmethod
    def of(cls, scene: Scene) -> "Place":
        said, by_scene = {}, dict[str, list[int]]()
        for one in scene.store.messages():
            said[one.seq] = one
            by_scene.setdefault(one.session, []).append(one.seq)
        return cls(scene, said, by_scene, {person.id: person.name for person in scene.store.people()})

    def gold(self, question: Question) -> set[str]:
        """Ids of the messages that answer a question."""
        return {self.said[seq].id for seq in question.evidence if seq in self.said}

    def lines(self, numbers: Sequence[int]) -> str:
        """Messages as a text; one that several people got stands once."""
        shown = dict.fromkeys(
            f"{one.at:%Y-%m-%d} {self.names[one.sender]}: {one.text}"
            if one.at
            else f"{self.names[one.sender]}: {one.text}"
            for one in (self.said[seq] for seq in numbers)
        )
        return "\n".join(shown)


async def outcome(place: Place, part: str, mind: str, question: Question) -> Outcome:
    """What comes of a question in a part. A failed one is an outcome worth nothing.

    Raises ModelUnavailable and StorageError: no fault of the agents, the run can go on later.
    """
    blank, started = Outcome(question.id, part, mind), time.perf_counter()
    try:
        if part in BY_AGENTS:
            found = await _whole(place, blank, question)
        elif part == RECALL:
            found = await _recall(place, blank, question)
        else:
            found = await _read(place.scene.stage.model, blank, question, _prompt(place, part, question))
    except (ModelUnavailable, StorageError):
        raise
    except KithnetError as error:
        found = replace(blank, error=f"{type(error).__name__}: {error.message}")
    return replace(found, seconds=round(time.perf_counter() - started, 3))


async def _whole(place: Place, blank: Outcome, question: Question) -> Outcome:
    """The two agents work on it."""
    scene, to = place.scene, question.to or _asked(place.scene, question)
    told = f"{blank.part}-{blank.mind}-{question.id}"
    name = f"q{crc32(told.encode()):08x}"  # a mind sees the ids of utterances: they must not name the scene
    asked = await collaborate.collaborate(scene, name, question.text, question.asker, to)
    result, usage = asked.state["result"], asked.usage
    known = bool(result["known"])
    return replace(
        blank, known=known, answer=result["answer"], right=_right(question, known, result["answer"]),
        cites=known and bool(place.gold(question) & set(result["citations"])), stopped=asked.state["stopped"],
        calls=usage.calls, sent=usage.sent, evaluated=usage.evaluated, generated=usage.generated,
        model_seconds=round(usage.seconds, 3),
    )  # fmt: skip


def _asked(scene: Scene, question: Question) -> str:
    """Whom the asker's agent turns to where the file names nobody: the contact that it would consult first."""
    return consult.rank(scene.cast.agent(question.asker), question.text)[0].person


async def _recall(place: Place, blank: Outcome, question: Question) -> Outcome:
    """Where the memory of the one who is asked ranks the first message of the gold evidence."""
    agent = place.scene.cast.agent(question.to or _asked(place.scene, question))
    found = await agent.recall(question.text, k=CUTS[-1], budget=ROOM, partner=question.asker)
    gold = place.gold(question)
    rank = next((number for number, hit in enumerate(found.hits, 1) if hit.id in gold), 0)
    blank = replace(blank, rank=rank, right=rank == 1, known=not found.abstained)
    order = await asyncio.to_thread(finding.ranked, agent, question.text, found.hits)
    return replace(blank, reranked=next((number for number, hit in enumerate(order, 1) if hit.id in gold), 0))


def _prompt(place: Place, part: str, question: Question) -> tuple[str, str]:
    """(what is to be done, what is given)."""
    asked = f"{place.names[question.asker]} asks: {question.text}"
    if part == CLOSED_BOOK:
        return BY_HEART, asked
    numbers = question.evidence if part == EVIDENCE else tuple(place.by_scene.get(question.scene, ()))
    return READ, f"{place.lines(numbers)}\n\n{asked}"


async def _read(model: ChatModel, blank: Outcome, question: Question, prompt: tuple[str, str]) -> Outcome:
    """The chat model alone answers, whatever the mind."""
    messages = [Message("system", prompt[0]), Message("user", prompt[1])]
    reply = await model.reply(messages, ReplySpec(max_tokens=REPLY, schema=SCHEMA, purpose=f"bench {blank.part}"))
    said, usage = json.loads(reply.text), reply.usage
    known = bool(said["known"] and said["answer"].strip())
    answer = said["answer"] if known else ""
    return replace(
        blank, known=known, answer=answer, right=_right(question, known, answer), calls=usage.calls, sent=usage.sent,
        evaluated=usage.evaluated, generated=usage.generated, model_seconds=round(usage.seconds, 3),
    )  # fmt: skip


def _right(question: Question, known: bool, answer: str) -> bool:
    """Where there is no answer, saying so is right."""
    return known and right(answer, question.gold) if question.answerable else not known
