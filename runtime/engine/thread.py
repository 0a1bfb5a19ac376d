"""`Engine`: one thread that steps a `Core`, and an async front that waits for room, results and cancellation."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from kithnet.runtime.engine.core import Core
from kithnet.runtime.engine.jobs import Generated, Generation, Job, Scored, Scoring
from kithnet.runtime.engine.stats import EngineStats
from kithnet.runtime.errors import KithnetError, ModelBusy, ModelUnavailable

QUEUE = 64  # jobs that may wait inside the engine; further callers wait outside
LINE = 1024  # callers that may wait outside; more are refused
T = TypeVar("T")


class Engine:
    """Runs jobs on its own thread. Safe to share between tasks, threads and event loops.

    When the thread dies, every waiting caller gets the error and `dead` is True from then on.
    """

    def __init__(self, core: Core, name: str) -> None:
        self._core = core
        self._name = name
        self._wake = threading.Condition()
        self._inbox: deque[tuple[Callable[[], None], Callable[[KithnetError], None]]] = deque()
        self._outside: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._admitted = 0
        self._closing = False
        self.dead = False
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)
        self._thread.start()

    async def generate(self, job: Generation) -> Generated:
        """Run a generation. Cancelling the awaiting task gives its place free within one batch."""
        result = await self._submit(job)
        assert isinstance(result, Generated)
        return result

    async def score(self, job: Scoring) -> Scored:
        """Run a scoring; as `generate`."""
        result = await self._submit(job)
        assert isinstance(result, Scored)
        return result

    async def call(self, work: Callable[[Core], T]) -> T:
        """Run a function on the engine thread between two batches."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def within() -> None:
            try:
                result = work(self._core)
            except KithnetError as error:
                _tell(loop, answer, error)
            else:
                _tell(loop, answer, result)

        self._post(within, lambda error: _tell(loop, answer, error))
        return await answer

    def stats(self) -> EngineStats:
        return self._core.stats()

    def close(self) -> None:
        """Stop what runs, give every waiting caller ModelUnavailable, free the context. A second call does nothing."""
        with self._wake:
            self._closing = True
            self._core.context.stop.set()
            self._wake.notify()
        self._thread.join()

    async def _submit(self, job: Job) -> Generated | Scored:
        loop = asyncio.get_running_loop()
        try:
            await self._enter(loop)
        except BaseException:
            job.free()
            raise
        answer: asyncio.Future[Generated | Scored] = loop.create_future()

        def done(result: Generated | Scored | KithnetError) -> None:
            self._leave()
            _tell(loop, answer, result)

        def refused(error: KithnetError) -> None:
            job.free()
            done(error)

        try:
            self._post(lambda: self._core.submit(job, done), refused)
        except KithnetError:
            job.free()
            self._leave()
            raise
        try:
            return await answer
        except asyncio.CancelledError:
            job.cancelled = True
            self._core.stop_batch_of(job)
            raise

    async def _enter(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until fewer than QUEUE jobs wait in the engine; callers enter in the order they came."""
        with self._wake:
            self._need_alive()
            if self._admitted < QUEUE + self._core.parallel:
                self._admitted += 1
                return
            if len(self._outside) >= LINE:
                raise ModelBusy(f"{LINE} requests wait for {self._name}", "wait a little and ask again")
            turn: asyncio.Future[None] = loop.create_future()
            self._outside.append((loop, turn))
        try:
            await turn
        except asyncio.CancelledError:
            with self._wake:
                given = turn.done() and not turn.cancelled()
                self._outside = deque(one for one in self._outside if one[1] is not turn)
            if given:
                self._leave()
            raise

    def _leave(self) -> None:
        """A job is over: its place goes to the caller who waits longest."""
        with self._wake:
            if self._outside:
                loop, turn = self._outside.popleft()
                _tell(loop, turn, None, lost=self._leave)
            else:
                self._admitted -= 1

    def _post(self, work: Callable[[], None], fail: Callable[[KithnetError], None]) -> None:
        """Have `work` done on the engine thread, or `fail` called when it does not come to that."""
        with self._wake:
            self._need_alive()
            self._inbox.append((work, fail))
            self._wake.notify()

    def _need_alive(self) -> None:
        if self.dead or self._closing:
            raise ModelUnavailable(f"{self._name} has been closed", "load the model again")

    def _run(self) -> None:
        error: KithnetError = ModelUnavailable(f"{self._name} has been closed", "load the model again")
        try:
            while self._step():
                pass
        except BaseException as failure:
            error = ModelUnavailable(f"the engine of {self._name} died: {failure!r}", "ask again: a fresh one is made")
            error.__cause__ = failure
        with self._wake:
            self.dead = True
            outside, self._outside = self._outside, deque()
            inbox, self._inbox = self._inbox, deque()
        self._core.fail_all(error)
        for _, fail in inbox:
            fail(error)
        for loop, turn in outside:
            _tell(loop, turn, error)
        self._core.context.close()

    def _step(self) -> bool:
        """Take what came in, evaluate one batch; sleeps while there is nothing to do. False at the end."""
        with self._wake:
            while not self._inbox and self._core.idle and not self._closing:
                self._wake.wait()
            if self._closing:
                return False
            inbox, self._inbox = self._inbox, deque()
        for work, _ in inbox:
            work()
        self._core.step()
        return True


def _tell(
    loop: asyncio.AbstractEventLoop,
    answer: "asyncio.Future[Any]",
    result: object,
    lost: Callable[[], None] | None = None,
) -> None:
    """Settle a future of another thread's loop; `lost` is called when nobody waits for it any more."""

    def settle() -> None:
        if answer.done():
            if lost is not None:
                lost()
        elif isinstance(result, KithnetError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # that loop has been closed, and whoever waited with it
        if lost is not None:
            lost()
