"""A personal agent wakes up warm: what its model had read of a talk is kept beside the world, and held again next time.

It is a cache, as private as the talk: deleting the folder costs time, nothing else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from kithnet.runtime.chat import ChatModel
from kithnet.runtime.errors import ModelError, ModelFileError
from kithnet.runtime.local import LocalModel
from kithnet.runtime.trace import Trace

FOLDER = "states"


def state_file(world: Path, owner: str) -> Path:
    """Where the state of an owner's talk lies. Names may hold anything, so the file is called by their hash."""
    return world / FOLDER / f"{sha256(owner.encode()).hexdigest()[:32]}.kv"


async def wake(model: ChatModel, world: Path, owner: str, trace: Trace) -> None:
    """Hold an owner's saved state. One that does not fit this model any more is left out, and the trace says why."""
    file = state_file(world, owner)
    if not isinstance(model, LocalModel) or not file.is_file():
        return
    try:
        trace.emit("wake", owner=owner, tokens=await model.wake(owner, file))
    except ModelFileError as error:
        trace.emit("wake", owner=owner, tokens=0, why=error.message)


async def sleep(model: ChatModel, world: Path, owner: str, trace: Trace) -> None:
    """Save what was read last for an owner. An engine that has died has nothing left to save. Raises StorageError."""
    if not isinstance(model, LocalModel):
        return
    try:
        trace.emit("sleep", owner=owner, tokens=await model.sleep(owner, state_file(world, owner)))
    except ModelError as error:
        trace.emit("sleep", owner=owner, tokens=0, why=error.message)


@asynccontextmanager
async def warm(model: ChatModel, world: Path, owner: str, trace: Trace) -> AsyncIterator[None]:
    """`wake`, and `sleep` at the end."""
    await wake(model, world, owner, trace)
    try:
        yield
    finally:
        await sleep(model, world, owner, trace)
