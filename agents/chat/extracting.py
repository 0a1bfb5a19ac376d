"""Statements that a model finds in a session, beside those of the rules: kept only as far as the session says them."""

from collections.abc import Callable, Sequence
from textwrap import shorten
from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints, ValidationError

from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.agents.prompting import prompt, shaped
from kithnet.agents.settings import Settings
from kithnet.memory.owner import Hit
from kithnet.memory.writing import slots
from kithnet.memory.writing.extract import Statement, grounded
from kithnet.runtime.chat import ChatModel, ReplySpec
from kithnet.runtime.errors import ContextOverflow, ReplyInvalid

MOST, LINES = 12, 40
"""Statements asked for, and messages shown in one prompt."""


class _Found(BaseModel):
    message: str
    kind: Literal["fact", "event", "preference", "plan"]
    text: Annotated[str, StringConstraints(min_length=4, max_length=200)]


class _Reply(BaseModel):
    statements: list[_Found]


def wanted(model: ChatModel, settings: Settings) -> bool:
    """Whether a model is asked at all: by default only one that can write such a list."""
    return settings.extract == "model" or (settings.extract == "auto" and model.traits.capable)


async def found_by(
    model: ChatModel, agent: PersonalAgent, hits: Sequence[Hit], settings: Settings, failed: Callable[[str], None]
) -> list[Statement]:
    """What a model finds in the messages of a session; those the agent itself wrote from memory must not be in `hits`.

    A statement whose content words are not in its message is dropped; so is one that names no message of the session.
    """
    by_id = {hit.id: hit for hit in hits[-LINES:]}
    names = {person: called[0] for person, called in agent.known_names.items()} | {OUTSIDE: agent.name}
    lines = [
        {"id": hit.id, "speaker": names.get(hit.sender, hit.sender), "text": shorten(hit.text, 300, placeholder=" …")}
        for hit in by_id.values()
    ]
    if not lines:
        return []
    spec = ReplySpec(
        max_tokens=600, temperature=0.0, seed=settings.seed, schema=_Reply.model_json_schema(), purpose="remember"
    )
    try:
        reply = await model.reply(prompt("remember", lines=lines, most=MOST), shaped(model.traits, spec))
        listed = _Reply.model_validate_json(reply.text).statements[:MOST]
    except (ContextOverflow, ReplyInvalid, ValidationError) as error:
        failed(str(error))
        return []
    return [
        statement
        for one in listed
        if (hit := by_id.get(one.message)) and (statement := _checked(one, hit, agent, names)) is not None
    ]


def _checked(found: _Found, hit: Hit, agent: PersonalAgent, names: dict[str, str]) -> Statement | None:
    speaker = agent.person if hit.sender == OUTSIDE else hit.sender
    if not grounded(found.text, [hit.text], names.values()):
        return None
    given = slots.given(found.text)
    return Statement(
        about=speaker, told_by=speaker, kind=found.kind, text=found.text, evidence=int(hit.id[1:]), at=hit.at,
        slot=given.slot if given else "", value=given.value if given else "", denied=slots.denied(found.text),
        changes=slots.changes(found.text), weight=0.4, read=False,
    )  # fmt: skip
