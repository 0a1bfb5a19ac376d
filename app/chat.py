"""`kith chat`: talk with a personal agent at the terminal; what is said is remembered."""

import asyncio
import io
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kithnet.agents.chat import session_notes as journal
from kithnet.agents.chat.conversation import Conversation, Exchange
from kithnet.agents.infonav.ledger import Ledger, Rationale
from kithnet.agents.personal import OUTSIDE
from kithnet.app import collaborate, engines
from kithnet.app.collaborate import Scene
from kithnet.app.runs import Run, kept_if_begun, new_run
from kithnet.app.warmth import warm
from kithnet.memory.store import Store
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError, KithnetError, ModelError
from kithnet.runtime.trace import read_trace

HELP = """/memory  what the last reply was made from, and what is noted of you
/plan    what you asked, what is known and what is not
/ask PERSON QUESTION  let the agent find something out from someone it knows
/help    this list
/quit    end the chat"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lines:
    """Where a chat reads and writes. read: the next line, None at the end of input. stream: a piece of a reply."""

    read: Callable[[], str | None]
    say: Say
    stream: Say


def exchanges(run: Run) -> list[dict[str, Any]]:
    """What was said in a chat, as its trace has it: each turn with its reply, and which mind replied where that is told."""
    wanted = ("text", "reply", "mind")
    chats = (event for event in read_trace(run.trace) if event["kind"] == "chat")
    return [{key: event[key] for key in wanted if key in event} for event in chats]


def terminal() -> Lines:
    """Standard input and output; a prompt is shown only to a person."""
    # Unbuffered: `sys.stdin` has a lock, and a thread that waits in it when the program ends takes the program down.
    typed = io.FileIO(sys.stdin.fileno(), closefd=False)

    def read() -> str | None:
        if sys.stdin.isatty():
            sys.stdout.write("> ")
            sys.stdout.flush()
        line = typed.readline()
        return line.decode("utf-8", errors="replace").rstrip("\r\n") if line else None

    def stream(piece: str) -> None:
        sys.stdout.write(piece)
        sys.stdout.flush()

    return Lines(read, print, stream)


def chat(
    world: Path, models: Path, config: Config, person: str, partner: str | None, lines: Lines,
    model: ChatModel | None = None,
) -> Run:  # fmt: skip
    """Hold a chat with the agent of `person` until /quit or the end of input.

    partner: a person of the world who chats, under the disclosure rules; None is the agent's own person.
    Raises UnknownPerson, ModelError, StorageError.
    """
    with Store.open(world / "kith.db") as store:
        ego = store.resolve(person).id
        other = store.resolve(partner).id if partner else OUTSIDE
    if other == ego:
        raise InputError(f"{ego} cannot chat with itself as a partner", "leave --as out to chat with your own agent")
    if model is None:
        engines.need_ready(config, models)
    run = new_run(world, "chat", config)

    async def go() -> None:
        async with collaborate.scene(world, models, config, run, model=model) as scene:
            scene.trace.emit(
                "run", run=run.id, command="chat", world=world.name, model=scene.stage.model.traits.name, person=ego,
                partner=other,
            )  # fmt: skip
            await _Chat(scene, world, ego, other, lines).hold()

    with kept_if_begun(run):
        asyncio.run(go())
    return run


async def _next_line(read: Callable[[], str | None]) -> str | None:
    """Wait for a line in a thread that dies with the program: Ctrl-C must not wait for someone to press Enter."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str | None] = loop.create_future()

    def work() -> None:
        text = read()
        with suppress(RuntimeError):  # the chat has ended meanwhile, and its loop with it
            loop.call_soon_threadsafe(lambda: None if line.done() else line.set_result(text))

    threading.Thread(target=work, daemon=True).start()
    return await line


class _Chat:
    """One chat session at the terminal."""

    def __init__(self, scene: Scene, world: Path, ego: str, partner: str, lines: Lines) -> None:
        self._scene, self._ego, self._partner, self._lines = scene, ego, partner, lines
        self._agent = scene.cast.agent(ego)
        self._asked = 0
        self._world = world
        names = {person.id: person.name for person in scene.store.people()}
        self._talk = Conversation(scene.stage, ego, partner, names.get(partner, "You"), scene.run.id, scene.saver)

    async def hold(self) -> None:
        say = self._lines.say
        say(f"You talk with the agent of {self._agent.name}. /help lists the commands, /quit ends.")
        if last := self._last_time():
            say(f"(last time: {last})")
        try:
            async with warm(self._scene.stage.model, self._world, self._talk.owner, self._scene.trace):
                while (line := await _next_line(self._lines.read)) is not None:
                    if line.strip() == "/quit":
                        break
                    await self._line(line.strip())
                await self._talk.look_back()
        finally:
            self._talk.close()
            self._seen_by_partner()

    def _seen_by_partner(self) -> None:
        """A partner of the world remembers the talk too, from their own point of view."""
        if self._partner != OUTSIDE and self._talk.exchanges:
            journal.write_session(self._scene.cast.agent(self._partner), self._talk.session, self._ego)

    def _last_time(self) -> str:
        memories = self._agent.memory.memories(limit=200)
        mine = (m for m in memories if m.kind == "summary" and m.about == self._partner)
        return next((memory.text for memory in mine), "")

    async def _line(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        if not line:
            return
        if command == "/memory":
            self._lines.say(_memory(self._talk.exchanges, self._noted()))
        elif command == "/plan":
            self._lines.say(_plan(self._talk.ledger))
        elif command == "/ask" and self._partner != OUTSIDE:
            self._lines.say(f"(only {self._agent.name} may send this agent out; ask it yourself with `kith ask`)")
        elif command == "/ask":
            await self._ask(*rest.partition(" ")[::2])
        elif command.startswith("/"):
            self._lines.say(HELP)
        else:
            await self._talked(line)

    def _noted(self) -> list[str]:
        """The newest notes the partner may see: all of them for the own person, else those noted for the partner."""
        notes = self._agent.memory.memories(limit=200)
        trusted = self._partner == OUTSIDE
        return [m.text for m in notes if trusted or (m.audience and self._partner in m.audience)][:5]

    async def _talked(self, line: str) -> None:
        try:
            exchange = await self._talk.say(line, self._lines.stream, self._lines.say)
        except ModelError as error:
            self._lines.say(f"\n({error.message}; {error.hint or 'try again'})")
            return
        sources = ", ".join(f"{hit.id} from {hit.sender}" for hit in exchange.used)
        self._lines.say(f"\n  [{sources or 'no memory used'}]")

    async def _ask(self, whom: str, question: str) -> None:
        """Collaborate with someone else's agent and tell what came of it."""
        if not (whom and question.strip()):
            self._lines.say("/ask PERSON QUESTION")
            return
        try:
            other = self._scene.store.resolve(whom).id
            self._asked += 1
            asked = await collaborate.collaborate(self._scene, f"ask{self._asked}", question, self._ego, other)
        except KithnetError as error:
            self._lines.say(f"({error.message}; {error.hint})")
            return
        for said in asked.heard:
            self._lines.say(f"  {said['sender']} -> {said['receiver']}: {said['text']}")
        result = asked.state["result"]
        self._lines.say(f"{result['answer']}  [{', '.join(result['citations']) or 'no evidence'}]")


def _memory(exchanges: list[Exchange], noted: list[str]) -> str:
    used = exchanges[-1].used if exchanges else ()
    lines = [
        f"  {hit.id} {hit.sender} to {', '.join(hit.receivers)} ({hit.score:.2f}): {hit.text}" for hit in used
    ] or ["  nothing"]
    return "\n".join(["the last reply was made from:", *lines, "noted:", *([f"  {n}" for n in noted] or ["  nothing"])])


def _plan(ledger: Ledger) -> str:
    return "\n".join(_line(rationale) for rationale in ledger.rationales) or "nothing was asked yet"


def _line(rationale: Rationale) -> str:
    known = f" -> {rationale.value} [{', '.join(e.id for e in rationale.evidence)}]" if rationale.value else ""
    return f"  {rationale.status:11} {rationale.question}{known}"
