"""The agents of a world's people, each conversation kept open between requests."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kithnet.agents.chat import session_notes as journal
from kithnet.agents.chat.conversation import Conversation, Exchange
from kithnet.agents.personal import OUTSIDE
from kithnet.app.collaborate import Scene
from kithnet.app.warmth import sleep, wake
from kithnet.runtime.chat import OnText, Usage
from kithnet.runtime.errors import KithnetError
from kithnet.runtime.limits import Meter, metered

LONGEST_NAP = 30.0
"""Seconds between two looks for conversations that have been silent too long."""


class _Session:
    """What one partner and one agent have going. talk: None between two conversations."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.meter = Meter()
        self.talk: Conversation | None = None
        self.last = time.monotonic()


class People:
    """See `PersonalAgents`. One request at a time for each pair of agent and partner, the others wait.

    world: its folder. idle: seconds of silence after which a conversation is ended, which writes what is remembered
    of it.
    """

    def __init__(self, scene: Scene, world: Path, idle: float) -> None:
        self._scene, self._world, self._idle = scene, world, idle
        self._names = {person.id: person.name for person in scene.store.people()}
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._count = itertools.count(1)

    def names(self) -> Sequence[str]:
        return list(self._names)

    def resolve(self, person: str) -> str:
        return self._scene.store.resolve(person).id

    @property
    def open_sessions(self) -> int:
        return sum(session.talk is not None for session in self._sessions.values())

    async def say(
        self, person: str, partner: str | None, text: str, fresh: bool, on_text: OnText
    ) -> tuple[Exchange, Usage]:
        other = partner or OUTSIDE
        session = self._sessions.setdefault((person, other), _Session())
        async with session.lock:
            if fresh:
                await self._end(session)
            talk = session.talk = session.talk or await self._begin(person, other, session.meter)
            before = session.meter.total
            try:
                exchange = await talk.say(text, on_text)
            finally:
                session.last = time.monotonic()
            return exchange, _since(before, session.meter.total)

    async def _begin(self, person: str, partner: str, meter: Meter) -> Conversation:
        stage = self._scene.stage
        talk = Conversation(
            replace(stage, model=metered(stage.model, meter)), person, partner, self._names.get(partner, "You"),
            f"{self._scene.run.id}-{next(self._count)}", self._scene.saver,
        )  # fmt: skip
        await wake(stage.model, self._world, talk.owner, self._scene.trace)
        return talk

    async def _end(self, session: _Session) -> None:
        """End the conversation of a session whose lock is held."""
        talk, session.talk = session.talk, None
        if talk is not None:
            try:
                await talk.look_back()
            except KithnetError as error:  # the rules write it down all the same
                self._scene.trace.emit("model_failed", person=talk.person, purpose="remember", why=error.message)
            await asyncio.shield(asyncio.to_thread(self._remember, talk))
            await sleep(self._scene.stage.model, self._world, talk.owner, self._scene.trace)

    def _remember(self, talk: Conversation) -> None:
        """Both sides write the talk down, a partner of the world from their own point of view."""
        talk.close()
        if talk.partner != OUTSIDE and talk.exchanges:
            journal.write_session(self._scene.cast.agent(talk.partner), talk.session, talk.person)

    async def tidy(self) -> None:
        while True:
            await asyncio.sleep(min(LONGEST_NAP, self._idle / 2))
            for session in list(self._sessions.values()):
                if session.talk is not None and not session.lock.locked() and self._is_stale(session):
                    async with session.lock:
                        if self._is_stale(session):
                            await self._end(session)

    def _is_stale(self, session: _Session) -> bool:
        return time.monotonic() - session.last > self._idle

    async def close(self) -> None:
        for session in list(self._sessions.values()):
            async with session.lock:
                await self._end(session)


def _since(before: Usage, after: Usage) -> Usage:
    return Usage(
        after.sent - before.sent,
        after.evaluated - before.evaluated,
        after.generated - before.generated,
        after.seconds - before.seconds,
        after.calls - before.calls,
    )
