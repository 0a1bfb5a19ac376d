"""Continuous batching over one context: admit, plan, evaluate, hand out. Synchronous, for one thread at a time.

Every step is one `llama_decode`: each reply in progress gets its next token, and what room is left goes to prompts. A
request is admitted when the cells it may need at the most are free or can be freed, so nothing that was begun is ever
thrown out; and it waits while an earlier one is evaluating tokens that it can share.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kithnet.runtime.engine.context import BATCH, Context, Piece
from kithnet.runtime.engine.jobs import SCORED, Generated, Job, Scored, Strand
from kithnet.runtime.engine.schedule import prompt_room, shares
from kithnet.runtime.engine.stats import Counters, EngineStats
from kithnet.runtime.engine.tree import Cut, PrefixTree, Tokens, shared_prefix
from kithnet.runtime.errors import KithnetError, ModelUnavailable
from kithnet.runtime.llama import last_error
from kithnet.runtime.lora import Adapters

WORTH_WAITING = 24  # shared tokens for which a request waits until an earlier one has evaluated them
LEAST_EVICTED = 64  # cells that one eviction frees at least, so that it is not done for every token
OWNERS = 4096  # owners whose last prompt is remembered
NO_CELLS, STOPPED = 1, 2

Done = Callable[["Generated | Scored | KithnetError"], None]


@dataclass(eq=False, slots=True)
class Waiting:
    """A job in the queue. order: jobs are numbered as they come."""

    job: Job
    done: Done
    order: int


@dataclass(eq=False, slots=True)
class Running:
    """An admitted job and its strands; the first is that of the prompt."""

    job: Job
    done: Done
    order: int
    strands: list[Strand]
    started: float

    @property
    def remaining(self) -> int:
        """Cells the job may still come to need."""
        return self.job.longest - self.strands[0].published - sum(strand.own for strand in self.strands[1:])


class Core:
    """See the module. counters: are added to. parallel: jobs evaluated at once."""

    def __init__(self, context: Context, adapters: Adapters, counters: Counters, *, parallel: int) -> None:
        self.context = context
        self.tree = PrefixTree()
        self.counters = counters
        self._adapters = adapters
        self._divisible = context.model.divisible
        self.parallel = parallel
        self._free = deque(range(context.sequences))
        self._waiting: deque[Waiting] = deque()
        self._running: list[Running] = []
        self._in_batch: Sequence[Job] = ()
        self._last: OrderedDict[str, tuple[str, Tokens]] = OrderedDict()
        self._turn = 0

    @property
    def idle(self) -> bool:
        return not (self._waiting or self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def submit(self, job: Job, done: Done) -> None:
        """Queue a job; `done` is called once, within a later `step`, with what came of it."""
        self._waiting.append(Waiting(job, done, self.counters.requests))
        self.counters.requests += 1
        self.counters.prompt_tokens += len(job.prompt)

    def stop_batch_of(self, job: Job) -> None:
        """From any thread: cut the running decode short when nobody but this cancelled job waits for it."""
        batch = self._in_batch
        if batch and all(one.cancelled for one in batch) and job in batch:
            self.context.stop.set()

    def step(self) -> None:
        """One batch. Raises only what is fatal for the whole context."""
        self.context.stop.clear()  # it may have been meant for a batch that is over
        self._drop_cancelled()
        self._admit()
        pieces = self._plan()
        if not pieces:
            return
        self._make_room(sum(len(piece.tokens) for _, _, piece in pieces))
        self._in_batch = [running.job for running, _, _ in pieces]
        started = time.perf_counter()
        try:
            evaluated = self._evaluate([piece for _, _, piece in pieces])
        except KithnetError as error:
            self._undo(pieces)
            for running in {id(r): r for r, _, _ in pieces}.values():
                self._finish(running, error)
            return
        finally:
            self._in_batch = ()
            self.counters.steps += 1
            self.counters.step_seconds += time.perf_counter() - started
        if evaluated:
            self._hand_out(pieces)
        else:
            self._undo(pieces)

    def fail_all(self, error: KithnetError) -> None:
        """Give every job that waits or runs this error."""
        ended = [(one.job, one.done) for one in self._running] + [(one.job, one.done) for one in self._waiting]
        for job, done in ended:
            job.free()
            done(error)
        self.counters.failed += len(ended)
        self._running.clear()
        self._waiting.clear()

    def last_of(self, owner: str) -> tuple[str, Tokens] | None:
        """(adapter, tokens) that were evaluated last for an owner and are still held, as far as they are."""
        if owner not in self._last:
            return None
        adapter, tokens = self._last[owner]
        length = self.tree.peek(adapter, tokens)[0]
        return (adapter, tokens[:length]) if length else None

    def state_of(self, adapter: str, tokens: Tokens) -> bytes:
        """Keys and values of a held prefix."""
        match = self.tree.match(adapter, tokens)
        assert match.source is not None and match.length == len(tokens)
        sequence = self._take_sequence()
        self.context.share(match.source, sequence, 0, match.length)
        try:
            return self.context.save(sequence)
        finally:
            self._give_back(sequence)

    def put_state(self, adapter: str, tokens: Tokens, state: bytes, owner: str) -> bool:
        """Hold a saved prefix again; False when there is no room for it beside what runs, or llama.cpp refuses it."""
        if self.tree.pinned_tokens() + self._reserved() + len(tokens) > self.context.cells:
            return False
        sequence = self._take_sequence()
        self._make_room(len(tokens))
        if not self.context.load(sequence, state):
            self._give_back(sequence)
            return False
        strand = Strand(sequence, tokens.tolist(), [])
        self._publish(adapter, strand)
        self._retire(strand)
        self._remember(owner, adapter, tokens)
        return True

    def stats(self) -> EngineStats:
        """What was done so far and what is going on; from any thread, a few tokens out of date."""
        own = sum(strand.own for running in tuple(self._running) for strand in running.strands)
        return self.counters.snapshot(
            waiting=len(self._waiting),
            running=len(self._running),
            cells=self.context.cells,
            cells_used=self.tree.tokens + own,
            cached_tokens=self.tree.tokens,
        )

    def _drop_cancelled(self) -> None:
        for running in [r for r in self._running if r.job.cancelled]:
            self._finish(running, _cancelled())
        for waiting in [w for w in self._waiting if w.job.cancelled]:
            self._waiting.remove(waiting)
            self.counters.cancelled += 1
            waiting.job.free()
            waiting.done(_cancelled())

    def _admit(self) -> None:
        """Start waiting jobs in their order, as far as sequences and cells allow."""
        for waiting in tuple(self._waiting):
            if len(self._running) >= self.parallel:
                return
            job = waiting.job
            held, pinned = self.tree.peek(job.adapter, job.prompt)
            if self._worth_waiting(waiting, held):
                continue
            needed = self.tree.pinned_tokens() + self._reserved() + job.longest - min(pinned, len(job.prompt) - 1)
            if needed > self.context.cells:
                return
            self._waiting.remove(waiting)
            self._start(waiting)

    def _worth_waiting(self, waiting: Waiting, held: int) -> bool:
        """Whether a job that came earlier is about to evaluate much of this one's prompt."""
        prompt = waiting.job.prompt
        for running in self._running:
            job = running.job
            begun = len(running.strands[0].held) < len(job.prompt)
            if self._divisible and begun and running.order < waiting.order and job.adapter == waiting.job.adapter:
                coming = min(shared_prefix(job.prompt, prompt), len(prompt) - 1)
                if coming - held >= WORTH_WAITING:
                    return True
        return False

    def _reserved(self) -> int:
        """Cells that running jobs may still come to need beyond what the tree holds for them."""
        return sum(running.remaining for running in self._running)

    def _start(self, waiting: Waiting) -> None:
        job, prompt = waiting.job, waiting.job.prompt
        sequence = self._take_sequence()
        match = self.tree.match(job.adapter, prompt)
        keep = min(match.length, len(prompt) - 1)
        strand = Strand(sequence, prompt[:keep].tolist(), prompt[keep:].tolist(), published=keep)
        if keep:
            assert match.source is not None
            self.context.share(match.source, sequence, 0, keep)
            overlap = self.tree.hold(job.adapter, sequence, prompt[:keep], keep)
            self._give_back(overlap.freed)
        job.evaluated = len(prompt) - keep
        self.counters.evaluated_tokens += job.evaluated
        self._running.append(Running(job, waiting.done, waiting.order, [strand], time.perf_counter()))

    def _plan(self) -> list[tuple[Running, Strand, Piece]]:
        """The next batch: one token for each reply in progress, then prompts, of one adapter's jobs."""
        groups = sorted({running.job.adapter for running in self._running if any(s.todo for s in running.strands)})
        if not groups:
            return []
        self._turn += 1
        adapter = groups[self._turn % len(groups)]
        self._adapters.apply(self.context.handle, adapter)
        active = [
            (running, strand)
            for running in self._running
            if running.job.adapter == adapter
            for strand in running.strands
            if strand.todo
        ]
        replies = [(r, s) for r, s in active if not s.every and len(s.held) >= len(r.job.prompt)]
        prompts = [(r, s) for r, s in active if s.every or len(s.held) < len(r.job.prompt)]
        given = shares([len(s.todo) for _, s in prompts], prompt_room(BATCH, len(replies)))
        pieces = [(r, s, _piece(s, 1)) for r, s in replies]
        outputs = SCORED
        for (running, strand), count in zip(prompts, given, strict=True):
            count = min(count, outputs) if strand.every else count
            outputs -= count if strand.every else 0
            if count:
                pieces.append((running, strand, _piece(strand, count)))
        return pieces

    def _make_room(self, cells: int) -> None:
        """Evict what nobody uses until `cells` are free."""
        own = sum(strand.own for running in self._running for strand in running.strands)
        while (missing := cells + own + self.tree.tokens - self.context.cells) > 0:
            if not self._evict(max(missing, LEAST_EVICTED)):
                return

    def _evict(self, cells: int) -> bool:
        cut = self.tree.evict(cells)
        if cut is None:
            return False
        self.counters.evictions += 1
        self._apply(cut)
        return True

    def _apply(self, cut: Cut) -> None:
        if cut.keep:
            self.context.cut(cut.sequence, cut.keep)
        else:
            self._give_back(cut.sequence)

    def _evaluate(self, pieces: Sequence[Piece]) -> bool:
        """Decode the batch; False when it was stopped. Raises KithnetError for what concerns this batch alone."""
        while True:
            status = self.context.decode(pieces)
            if status == 0:
                return True
            if status == STOPPED:
                return False
            if status != NO_CELLS:
                raise EngineFailure(f"llama.cpp failed to decode (status {status}): {last_error('no reason given')}")
            if not self._evict(0):
                raise ModelUnavailable("the KV cache is full", "load the model with a larger context or KV budget")

    def _undo(self, pieces: Sequence[tuple[Running, Strand, Piece]]) -> None:
        """After a batch that was not completed: sequences hold what they held before it.

        A recurrent state cannot be cut back: its prompt is evaluated from the start again.
        """
        for _, strand, piece in pieces:
            if self._divisible:
                self.context.cut(strand.sequence, piece.start)
            else:
                self.context.cut(strand.sequence, 0)
                strand.todo[:0] = strand.held
                strand.held.clear()

    def _hand_out(self, pieces: Sequence[tuple[Running, Strand, Piece]]) -> None:
        row = 0
        over: dict[int, KithnetError | None] = {}
        for running, strand, piece in pieces:
            strand.held.extend(piece.tokens)
            del strand.todo[: len(piece.tokens)]
            row += len(piece.tokens)
            if not strand.every and len(strand.held) <= len(running.job.prompt):
                self._publish(running.job.adapter, strand)
            if not piece.rows or id(running) in over:
                continue
            rows = [self.context.logits(at) for at in range(row - piece.rows, row)]
            try:
                running.job.take(strand, rows)
            except KithnetError as error:
                over[id(running)] = error
            else:
                self.counters.generated_tokens += running.job.generates
        for running in tuple(self._running):
            if id(running) in over:
                self._finish(running, over[id(running)])
            elif running.job.result is not None:
                self._finish(running, None)
            else:
                self._fork(running)

    def _fork(self, running: Running) -> None:
        """Give the job's continuations strands of their own, beside the prompt's, as many as there are sequences."""
        if running.job.generates or running.strands[0].todo:
            return
        for strand in [s for s in running.strands[1:] if not s.todo]:
            running.strands.remove(strand)
            self._give_back(strand.sequence)
        first = running.strands[0]
        for lane, tokens in running.job.forks(max(len(self._free) + self.tree.idle, 1)):
            sequence = self._take_sequence()
            self.context.share(first.sequence, sequence, 0, len(first.held))
            running.strands.append(Strand(sequence, list(first.held), list(tokens), len(first.held), lane))

    def _finish(self, running: Running, error: KithnetError | None) -> None:
        self._running.remove(running)
        first = running.strands[0]
        for strand in running.strands[1:]:
            self._give_back(strand.sequence)
        self._publish(running.job.adapter, first)
        self._remember(running.job.owner, running.job.adapter, np.array(first.held, np.int32))
        self._retire(first)
        running.job.free()
        running.job.seconds = time.perf_counter() - running.started
        if error is not None:
            self.counters.failed += not running.job.cancelled
            self.counters.cancelled += running.job.cancelled
        result = error if error is not None else running.job.result
        assert result is not None
        running.done(result)

    def _remember(self, owner: str, adapter: str, tokens: Tokens) -> None:
        if owner and len(tokens):
            self._last[owner] = (adapter, tokens)
            self._last.move_to_end(owner)
            if len(self._last) > OWNERS:
                self._last.popitem(last=False)

    def _publish(self, adapter: str, strand: Strand) -> None:
        """Let the tree know what a strand holds; cells it has twice over are shared instead."""
        if len(strand.held) == strand.published or not self._divisible:
            return
        tokens = np.array(strand.held, np.int32)
        overlap = self.tree.hold(adapter, strand.sequence, tokens, strand.published)
        if overlap.source is not None and overlap.end > strand.published:
            self.context.cut(strand.sequence, strand.published, overlap.end)
            self.context.share(overlap.source, strand.sequence, strand.published, overlap.end)
        self._give_back(overlap.freed)
        strand.published = len(tokens)

    def _retire(self, strand: Strand) -> None:
        """The strand is over; what it holds stays for others."""
        if not strand.published or not self.tree.unpin(strand.sequence):
            self._give_back(strand.sequence)

    def _take_sequence(self) -> int:
        while not self._free:
            if not self._evict(0):
                raise EngineFailure("no sequence is free")
        return self._free.popleft()

    def _give_back(self, sequence: int | None) -> None:
        if sequence is not None:
            self.context.cut(sequence, 0)
            self._free.append(sequence)


class EngineFailure(Exception):
    """The context cannot go on; everything that waits for it has to be told."""


def _piece(strand: Strand, count: int) -> Piece:
    rows = count if strand.every else int(count == len(strand.todo))
    return Piece(strand.sequence, len(strand.held), strand.todo[:count], rows)


def _cancelled() -> KithnetError:
    return ModelUnavailable("the request was cancelled", "ask again")
