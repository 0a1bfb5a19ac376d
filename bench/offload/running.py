"""Decoding token by token, in the child: timed, compared with a reference, with experts kept as the job says."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.bench.offload.job import Job, Outcome
from kithnet.runtime.engine.context import Context, Piece
from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.hook import BatchAhead, BatchHook, EvalHook, TensorView
from kithnet.runtime.llama import LlamaModel, default_threads
from kithnet.runtime.offload.advise import AdviseHook
from kithnet.runtime.offload.offloaded import Offloaded
from kithnet.runtime.offload.options import ExpertOptions
from kithnet.runtime.offload.store import ExpertStore

Floats = npt.NDArray[np.float32]
_DIGITS = 16  # of a digest: enough to tell two runs apart


def run(job: Job) -> dict[str, Any]:
    """Raises what loading and decoding raise."""
    started = time.perf_counter()
    with _opened(job) as setup:
        load_seconds = time.perf_counter() - started
        outcome = _decode(job, setup, load_seconds)
    return asdict(outcome)


@dataclass(frozen=True, slots=True)
class _Setup:
    context: Context
    experts: Offloaded | None
    timeline: "Timeline | None"


@contextmanager
def _opened(job: Job) -> Iterator[_Setup]:
    """Weights are never repacked: every arm computes with the same bytes, and pages can be dropped and read again."""
    path = Path(job.model)
    with ExitStack() as stack:
        store = ExpertStore.open(path) if job.how == "offload" else None
        file = store.trunk if store else path
        model = stack.enter_context(closing(LlamaModel.load(file, mapped=job.how != "memory", repack=False)))
        experts: Offloaded | None = None
        hook: EvalHook | None = None
        if store is not None:
            options = ExpertOptions(mode="offload", **job.options)
            experts = Offloaded(model, store, options, default_threads())
            stack.callback(experts.close)
            if options.resident_low:
                experts.wait()
            hook = experts.hook
        elif job.how == "mmap+willneed":
            hook = AdviseHook.of(model)
        timeline = Timeline(hook) if job.timeline and hook is not None else None
        cells = len(job.tokens) + job.free + 1
        context = Context(model, cells=cells, sequences=1, threads=default_threads(), hook=timeline or hook)
        stack.enter_context(closing(context))
        yield _Setup(context, experts, timeline)


def _decode(job: Job, setup: _Setup, load_seconds: float) -> Outcome:
    context = setup.context
    reference = np.load(job.reference, mmap_mode="r") if job.reference else None
    digest = hashlib.sha256()
    digests: list[str] = []
    ms: list[float] = []
    kls: list[float] = []
    kept: list[Floats] = []
    drawn: list[int] = []
    same = 0
    read = 0
    for at in range(len(job.tokens) + job.free):
        if at == job.warm:
            read = _bytes_read()
        token = job.tokens[at] if at < len(job.tokens) else drawn[-1]
        if setup.timeline is not None:
            setup.timeline.begin_token()
        started = time.perf_counter()
        if status := context.decode([Piece(0, at, [token], 1)]):
            raise ModelUnavailable(f"llama.cpp could not evaluate a token (status {status})")
        if at >= job.warm:
            ms.append((time.perf_counter() - started) * 1e3)
        logits = context.logits(0)
        digest.update(logits.tobytes())
        digests.append(digest.hexdigest()[:_DIGITS])
        if at >= len(job.tokens) - 1:
            drawn.append(int(logits.argmax()))
        if at < job.warm or not (job.keep or reference is not None):
            continue
        mine = _log_probs(logits)
        if job.keep:
            kept.append(mine)
        if reference is not None:
            exact = reference[at - job.warm]
            kls.append(max(float((np.exp(exact) * (exact - mine)).sum(dtype=np.float64)), 0.0))
            same += int(exact.argmax() == mine.argmax())
    read = _bytes_read() - read
    if job.keep:
        np.save(job.keep, np.stack(kept))
    return Outcome(
        ms, read / max(len(ms), 1), digests,
        float(np.mean(kls)) if kls else None, float(np.quantile(kls, 0.99)) if kls else None,
        same / len(kls) if kls else None, _anonymous(), load_seconds,
        _stats(setup.experts), drawn[:-1] if job.free else [],
        setup.timeline.spans if setup.timeline is not None else [],
    )  # fmt: skip


class Timeline:
    """Another hook, timed: when it began and ended in each layer of the last token."""

    def __init__(self, hook: EvalHook) -> None:
        self._hook = hook
        self._begun = 0.0
        self.spans: list[tuple[str, float, float]] = []

    def begin_token(self) -> None:
        self.spans = []
        self._begun = time.perf_counter()

    def wants(self, name: str) -> bool:
        return self._hook.wants(name)

    def begin(self, batch: BatchAhead) -> None:
        if isinstance(self._hook, BatchHook):
            self._hook.begin(batch)

    def computed(self, tensor: TensorView) -> None:
        started = time.perf_counter()
        self._hook.computed(tensor)
        ended = time.perf_counter()
        self.spans.append((tensor.name, (started - self._begun) * 1e3, (ended - self._begun) * 1e3))


def _log_probs(logits: Floats) -> Floats:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum(dtype=np.float64)), np.float32)


def _stats(experts: Offloaded | None) -> dict[str, Any]:
    if experts is None:
        return {}
    stats = experts.stats()
    return {
        **asdict(stats), "hit_rate": stats.hit_rate, "miss_penalty": stats.miss_penalty,
        "prefetch_accuracy": stats.prefetch_accuracy,
    }  # fmt: skip


def _bytes_read() -> int:
    """From the disk, by this process, page faults and direct reads alike."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    return 0


def _anonymous() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0
