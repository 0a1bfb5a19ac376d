"""Runs many jobs at once, never two that claim the same thing: a dialogue claims its two agents."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from kithnet.runtime.errors import KithnetError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """claims: names that no other job may hold while this one runs."""

    item: T
    claims: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T, R]):
    """What became of a job: a result, or the KithnetError that ended it. seconds: from its start to its end."""

    item: T
    result: R | None
    error: KithnetError | None
    seconds: float


class Executor(Protocol):
    def run(self, jobs: Sequence[Job[T]], work: Callable[[T], Awaitable[R]]) -> AsyncGenerator[Outcome[T, R], None]:
        """Work on every job once and yield outcomes as they come.

        A KithnetError ends its own job only. Any other exception cancels the jobs under way, waits for them, and
        is raised here; so does leaving the iteration early (under `contextlib.aclosing`) or being cancelled.
        """


class SerialExecutor:
    """One job after the other, in order; the next one starts when its outcome is asked for."""

    async def run(
        self, jobs: Sequence[Job[T]], work: Callable[[T], Awaitable[R]]
    ) -> AsyncGenerator[Outcome[T, R], None]:
        for job in jobs:
            yield await _attempt(job, work)


class AsyncExecutor:
    """Up to `in_flight` jobs at once on the running event loop.

    Jobs start in their order; one whose claims are held is skipped for now. A skipped job can be overtaken by at
    most `patience` later jobs that share a claim with it: from then on its claims are kept for it.
    """

    def __init__(self, in_flight: int = 4, patience: int = 8) -> None:
        if in_flight < 1 or patience < 0:
            raise ValueError("in_flight must be at least 1 and patience at least 0")
        self._in_flight = in_flight
        self._patience = patience

    async def run(
        self, jobs: Sequence[Job[T]], work: Callable[[T], Awaitable[R]]
    ) -> AsyncGenerator[Outcome[T, R], None]:
        flight = _Flight(jobs, work, self._in_flight, self._patience)
        try:
            flight.start()
            for _ in jobs:
                yield await flight.outcome()
        finally:
            await flight.stop()


@dataclass(eq=False, slots=True)
class _Waiting(Generic[T]):
    job: Job[T]
    overtaken: int = 0


class _Flight(Generic[T, R]):
    """One call of `AsyncExecutor.run`. New jobs start when others end, whether or not the caller is listening."""

    def __init__(
        self, jobs: Sequence[Job[T]], work: Callable[[T], Awaitable[R]], in_flight: int, patience: int
    ) -> None:
        self._waiting = [_Waiting(job) for job in jobs]
        self._work = work
        self._in_flight = in_flight
        self._patience = patience
        self._held: set[str] = set()
        self._running: set[asyncio.Task[Outcome[T, R]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[Outcome[T, R]]] = asyncio.Queue()
        self._stopping = False

    def start(self) -> None:
        """Start as many waiting jobs as the slots and the claims allow, in order."""
        kept: set[str] = set()
        skipped: list[_Waiting[T]] = []
        for position, waiting in enumerate(self._waiting):
            if len(self._running) == self._in_flight:
                skipped += self._waiting[position:]
                break
            claims = waiting.job.claims
            if claims & self._held or claims & kept:
                skipped.append(waiting)
                if waiting.overtaken >= self._patience:
                    kept |= claims
                continue
            for earlier in skipped:
                if earlier.job.claims & claims:
                    earlier.overtaken += 1
                    if earlier.overtaken >= self._patience:
                        kept |= earlier.job.claims
            self._launch(waiting.job)
        self._waiting = skipped

    async def outcome(self) -> Outcome[T, R]:
        """The next job to end; raises what it raised."""
        return (await self._ended.get()).result()

    async def stop(self) -> None:
        """Cancel what runs, wait until it has cleaned up, and start nothing more."""
        self._stopping = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _launch(self, job: Job[T]) -> None:
        self._held |= job.claims
        task = asyncio.create_task(_attempt(job, self._work))
        self._running.add(task)
        task.add_done_callback(lambda ended: self._end(job, ended))

    def _end(self, job: Job[T], task: asyncio.Task[Outcome[T, R]]) -> None:
        self._running.discard(task)
        self._held -= job.claims
        self._ended.put_nowait(task)
        if task.cancelled() or task.exception() is not None:
            self._stopping = True
        if not self._stopping:
            self.start()


async def _attempt(job: Job[T], work: Callable[[T], Awaitable[R]]) -> Outcome[T, R]:
    started = time.perf_counter()
    try:
        result = await work(job.item)
    except KithnetError as error:
        return Outcome(job.item, None, error, time.perf_counter() - started)
    return Outcome(job.item, result, None, time.perf_counter() - started)
