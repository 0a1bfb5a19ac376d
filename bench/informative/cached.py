"""Model calls of a run, kept as they are made: a run that goes on, or is repeated, is answered from them."""

from collections.abc import Sequence
from pathlib import Path

from kithnet.bench.informative.results import whole_lines
from kithnet.runtime.chat import ChatModel, Message, OnText, Reply, ReplySpec, Scores, Traits
from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.scripted import RecordingModel, ReplayModel


class CachedModel:
    """A model whose calls are recorded in `path`; what was recorded before this one was made is not asked again.

    model: None to answer from the recording alone; a call that is not in it is ModelUnavailable. Calls of this same
    run are never answered from each other, so that what an arm costs does not depend on the arms before it.
    """

    def __init__(self, model: ChatModel | None, path: Path) -> None:
        whole_lines(path)
        self._earlier = ReplayModel(path) if path.is_file() else None
        self._model = RecordingModel(model, path) if model else None
        if self._model is None and self._earlier is None:
            raise ModelUnavailable(f"there is no recording {path}", "run once without --replay")

    @property
    def traits(self) -> Traits:
        known = self._model or self._earlier
        assert known is not None, "there is one or the other"
        return known.traits

    async def reply(self, messages: Sequence[Message], spec: ReplySpec, on_text: OnText | None = None) -> Reply:
        if self._earlier:
            try:
                return await self._earlier.reply(messages, spec, on_text)
            except ModelUnavailable:
                if self._model is None:
                    raise
        assert self._model is not None, "there is one or the other"
        return await self._model.reply(messages, spec, on_text)

    async def score(self, messages: Sequence[Message], choices: Sequence[str], *, raw: bool = False) -> Scores:
        if self._earlier:
            try:
                return await self._earlier.score(messages, choices, raw=raw)
            except ModelUnavailable:
                if self._model is None:
                    raise
        assert self._model is not None, "there is one or the other"
        return await self._model.score(messages, choices, raw=raw)

    async def close(self) -> None:
        """The model behind it belongs to whoever made it."""
