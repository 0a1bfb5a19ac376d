"""Who thinks for the agents: `model.mind` resolved in one place, by what `kith model check` found of the configured model.

A result counts only for the very weights and the protocol that it was measured with (`checked` is where it lies).
"""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kithnet.agents.minds import aptitude
from kithnet.agents.minds.aptitude import Aptitude, OnMove
from kithnet.agents.settings import MindName
from kithnet.app import checked, engines
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config, ModelConfig
from kithnet.runtime.errors import InputError, StorageError
from kithnet.runtime.local import LocalModel

LOCAL_TOKENS = 300
"""Of one reply of a model that runs here and is held to the form by a grammar: the longest right move takes half of it."""
AT_ONCE = 4
"""Moves asked side by side of an endpoint."""
TELL_EVERY = 10.0
"""Seconds between two lines about a check that goes on."""

Say = Callable[[str], None]
_RESULTS: TypeAdapter[Aptitude] = TypeAdapter(Aptitude)


def on_stderr(text: str) -> None:
    """Say something beside the result of a command."""
    print(text, file=sys.stderr, flush=True)


async def resolve(config: Config, models: Path, model: ChatModel, say: Say = on_stderr) -> MindName:
    """Who thinks: what `model.mind` names; for "auto" what the check of the model found.

    A model that runs here and was never checked is checked now, and the result kept. One behind a URL counts as able until
    `kith model check` says otherwise; so does none that merely stands in for another (scripted, replayed).
    """
    if config.model.mind != "auto":
        return config.model.mind
    found = kept(config.model, models)
    if found is None and not config.model.url and isinstance(model, LocalModel):
        found = await first_check(config, models, model, say)
    return _by(found, config.model)


def expected(config: Config, models: Path) -> MindName:
    """The same without a model at hand: one that was never checked counts as not able where it runs here."""
    if config.model.mind != "auto":
        return config.model.mind
    return _by(kept(config.model, models), config.model)


def _by(found: Aptitude | None, model: ModelConfig) -> MindName:
    able = bool(model.url) if found is None else found.able
    return "model" if able else "reader"


async def first_check(config: Config, models: Path, model: ChatModel, say: Say) -> Aptitude:
    """Check a local model when it is first used, saying so. A result that cannot be kept is used all the same."""
    name, last = config.model.name, time.monotonic()
    say(f"{name} is used for the first time: can it think for the agents? (once; `kith model check {name}` repeats it)")

    def tell(made: int, of: int, passed: int) -> None:
        nonlocal last
        if time.monotonic() - last >= TELL_EVERY:
            last = time.monotonic()
            say(f"  {made} of {of} moves made, {passed} passed")

    found = await check(model, tell)
    try:
        await asyncio.to_thread(keep, config.model, models, found)
    except StorageError as error:
        say(f"  the result cannot be kept: {error.message}")
    say(f"  {verdict(found)}")
    return found


async def check(
    model: ChatModel, tell: OnMove | None = None, seconds: float = aptitude.SECONDS, *, whole: bool = False
) -> Aptitude:
    """Let a model make the built-in moves. Raises ModelUnavailable, LimitExceeded."""
    if isinstance(model, LocalModel):
        tokens = LOCAL_TOKENS
        return await aptitude.check(model, tokens=tokens, seconds=seconds, hurdles=True, whole=whole, tell=tell)
    return await aptitude.check(model, at_once=AT_ONCE, seconds=seconds, whole=whole, tell=tell)


def run_check(
    config: Config, models: Path, tell: OnMove, seconds: float, *, whole: bool = False
) -> tuple[Aptitude, Path]:
    """`kith model check`: check the configured model, keep the result, and return it with its file.

    Raises UnknownModel, ModelFileError, ModelUnavailable, StorageError, LimitExceeded.
    """

    async def go() -> Aptitude:
        async with engines.chat_model(config, models) as model:
            return await check(model, tell, seconds, whole=whole)

    found = asyncio.run(go())
    return found, keep(config.model, models, found)


def verdict(found: Aptitude) -> str:
    """What a check came to, in a line."""
    who = "it thinks for the agents" if found.able else "the reader thinks for the agents"
    why = f"; {found.stopped}" if found.stopped else ""
    return f"{found.passed} of {found.of} moves passed in {found.seconds:.1f} s{why}: {who}"


def contract(found: Aptitude, model: ModelConfig, file: Path) -> dict[str, Any]:
    """The JSON of `kith model check --json` (docs/json.md)."""
    return {"model": model.name, "url": model.url, **asdict(found), "file": str(file)}


def as_text(found: Aptitude, model: ModelConfig) -> str:
    """A check for a person to read: what did not pass, then each kind, then the verdict."""
    lines = [
        f"  {'ok' if one.ok else '!!'}  {one.kind:<10} {one.name}" + (f": {one.why}" if one.why else "")
        for one in found.moves
    ]
    shares = [f"  {share.kind:<10} {share.passed:>3} of {share.of}" for share in found.kinds]
    where = f" at {model.url}" if model.url else ""
    return "\n".join([*lines, f"{model.name}{where}", *shares, verdict(found)])


# --- results on disk ---


def kept(model: ModelConfig, models: Path) -> Aptitude | None:
    """The kept result of a model; None where there is none, it is damaged, or model or protocol have changed since."""
    try:
        file = _file(model, models)
    except InputError:  # no such model here: whoever opens it says so
        return None
    body = checked.read(_places(model, models, file), file)
    if body is None:
        return None
    try:
        found = _RESULTS.validate_python({one.name: body[one.name] for one in fields(Aptitude)})
    except (LookupError, ValidationError):
        return None
    return found if found.version == aptitude.version() else None


def keep(model: ModelConfig, models: Path, found: Aptitude) -> Path:
    """Write a result, all of it or nothing; returns the file. Raises StorageError."""
    file = _file(model, models)
    body = {"model": model.name, "url": model.url, "weights": checked.weights(file), **asdict(found)}
    return checked.write(_places(model, models, file), body)


def _file(model: ModelConfig, models: Path) -> Path | None:
    return None if model.url else engines.model_path(model.name, models)


def _places(model: ModelConfig, models: Path, file: Path | None) -> list[Path]:
    home = models.parent
    return checked.of_endpoint(model.url, model.name, home) if file is None else checked.of_file(file, home)
