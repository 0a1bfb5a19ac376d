"""Whether the models can still answer: felt by what their calls come to, asked only where one failed."""

from collections.abc import Mapping

from kithnet.app.server.complete import Emit, Outcome, TooSlow, Work
from kithnet.app.server.services import Services
from kithnet.runtime.chat import ChatModel, Message, ReplySpec
from kithnet.runtime.errors import ModelBusy, ModelError, ModelUnavailable

PROBE = (Message("user", "Hello"),)
PROBE_SECONDS = 5.0


class Pulse:
    """Remembers which model failed last; such a model is asked for one token when somebody wants to know."""

    def __init__(self, services: Services) -> None:
        self._models: Mapping[str, ChatModel] = services.models
        self._alive = services.alive
        self._failed: dict[str, str] = {}

    def feeling(self, name: str, work: Work) -> Work:
        """The same work; whether its model was there is noted."""

        async def felt(emit: Emit) -> Outcome:
            try:
                outcome = await work(emit)
            except ModelUnavailable as error:
                if not isinstance(error, ModelBusy | TooSlow):
                    self._failed[name] = error.message
                raise
            self._failed.pop(name, None)
            return outcome

        return felt

    async def illness(self) -> str:
        """Why a model cannot answer now, "" where all can as far as is known."""
        if self._alive is not None and not self._alive():
            return "the model is gone"
        for name in list(self._failed):
            try:
                spec = ReplySpec(max_tokens=1, timeout=PROBE_SECONDS, purpose="health", reasoning_tokens=0)
                await self._models[name].reply(PROBE, spec)
            except ModelBusy:
                continue
            except ModelUnavailable as error:
                return error.message
            except ModelError:
                pass  # it did answer
            self._failed.pop(name, None)
        return ""
