"""A personal agent wakes up warm: what its model had read of a talk is kept beside the world, and held again next time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from kithnet.runtime.chat import ChatModel
from kithnet.runtime.errors import ModelFileError
from kithnet.runtime.local import LocalModel
from kithnet.runtime.trace import Trace

FOLDER = "states"


def state_file(world: Path, owner: str) -> Path:
    """Where the state of an owner's talk lies. Names may hold anything, so the file is called by their hash."""
    return world / FOLDER / f"{sha256(owner.encode()).hexdigest()[:32]}.kv"


@asynccontextmanager
async def warm(model: ChatModel, world: Path, owner: str, trace: Trace) -> AsyncIterator[None]:
    """Hold the owner's saved state while the talk lasts, and save it again at its end.

    It is a cache: a state that does not fit this model any more, or finds no room, is left out and the trace says so.
    """
    if not isinstance(model, LocalModel):
        yield
        return
    file = state_file(world, owner)
    if file.is_file():
        try:
            trace.emit("wake", owner=owner, tokens=await model.wake(owner, file))
        except ModelFileError as error:
            trace.emit("wake", owner=owner, tokens=0, why=error.message)
    try:
        yield
    finally:
        trace.emit("sleep", owner=owner, tokens=await model.sleep(owner, file))
